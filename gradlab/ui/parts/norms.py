"""The explorer's picture: gradient norms of every cell, layer and state that is asked for."""

from functools import partial

from gradlab.analyses.call import each
from gradlab.analyses.diagnosis import diagnose
from gradlab.analyses.thinning import Lines
from gradlab.analyses.traces import trace
from gradlab.charts.traces import lines
from gradlab.ui.frame import settings
from gradlab.ui.parts import pins
from gradlab.ui.parts.cards import face, state_of
from gradlab.ui.parts.view import Answer, Asked, Figure, View
from gradlab.words import flow
from gradlab.words.how_to_read import Words


def view(asked: Asked, answer: Answer) -> View:
    """One line per cell, layer and state, and a card per cell."""
    shared = asked.settings
    calls = [*each(trace, shared.subjects)]
    traces = [answer(call) for call in calls]
    rows = pins.traces(shared, settings.of_state(state_of(traces, shared.state)))
    sentence = flow.opening(traces)
    words = Words("gradient norms", f"Gradient norms: {flow.names(traces)}", sentence)
    draw = partial(lines, relative=shared.relative, marks=flow.marks(traces))
    faces = [face(answer(call.then(diagnose))) for call in calls]
    sentences = [sentence, *pins.sentences(shared, traces, answer)]
    return View([Figure(draw, rows, words, Lines(), pins.beside(shared))], sentences, faces)
