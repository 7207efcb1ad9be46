"""The explorer's picture: gradient norms of every cell, layer and state that is asked for, over one seed or many."""

from functools import partial

import streamlit as st

from gradlab.analyses.call import Call, each
from gradlab.analyses.diagnosis import diagnose
from gradlab.analyses.seeds import over_seeds
from gradlab.analyses.thinning import Lines
from gradlab.analyses.traces import trace
from gradlab.charts.traces import columns_drawn, lines
from gradlab.ui.ask import results
from gradlab.ui.frame import linked, settings
from gradlab.ui.frame.shown import Settings
from gradlab.ui.parts import pins
from gradlab.ui.parts.cards import face, state_of
from gradlab.ui.parts.view import Answer, Asked, Figure, View
from gradlab.words import flow
from gradlab.words import seeds as words
from gradlab.words.how_to_read import Words
from gradlab.words.languages import _

SEEDS = "gradient_flow_seeds"  # the page's setting
COUNTS = (1, 5, 10, 20)


def ask_seeds() -> None:
    """How many seeds the picture spans."""
    help_text = _("The line is the mean over so many seeds, from the one that is set on; the band is their range.")
    linked.segmented_control(_("Seeds"), COUNTS, default=1, required=True, key=SEEDS, help=help_text)


def times(asked: Asked) -> int:
    """How many seeds a page's link asks for."""
    return asked.one_of(SEEDS, COUNTS, 1)


def begin(shared: Settings) -> None:
    """Makes what many seeds take, all of it refused and announced together."""
    if (seeds := int(st.session_state.get(SEEDS) or 1)) > 1:
        results(pins.calls_of(pins.subjects(shared), seeds), together=True)


def view(asked: Asked, answer: Answer) -> View:
    """One line per cell, layer and state, and a card per cell."""
    shared, seeds = asked.settings, times(asked)
    calls = [*each(trace, shared.subjects)]
    traces = [answer(call) for call in calls]
    rows = pins.traces(shared, settings.of_state(state_of(traces, shared.state)), seeds)
    sentence = flow.opening(traces)
    compared = pins.sentences(shared, traces, answer)
    title = _("Gradient norms over {seeds} seeds: {cells}") if seeds > 1 else _("Gradient norms: {cells}")
    title = title.format(seeds=seeds, cells=flow.names(traces))
    said = Words("gradient norms", title, " ".join([sentence, *compared[:1]]))
    draw = partial(lines, relative=shared.relative, marks=flow.marks(traces), spread=seeds > 1)
    faces = [face(answer(call.then(diagnose))) for call in calls]
    sentences = [sentence, *compared, *_of_seeds(shared, seeds, answer)]
    return View(
        [Figure(draw, rows, said, Lines(columns_drawn(shared.relative)), pins.beside(shared))], sentences, faces
    )


def _of_seeds(shared: Settings, seeds: int, answer: Answer) -> list[str]:
    """What many seeds give, and paired with each pin."""
    if seeds == 1:
        return []
    now = [answer(Call.of(over_seeds, subject, seeds=seeds)) for subject in shared.subjects]
    there = {pin.name: [answer(call) for call in pins.calls_of(pin.subjects, seeds)] for pin in shared.pins}
    return [words.spread(now), *(words.paired(name, now, of_pin) for name, of_pin in there.items())]
