"""The opening figure: one bold line per subject, the bottom layer's h."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from gradlab.analyses.call import Table, each
from gradlab.analyses.diagnosis import diagnose
from gradlab.analyses.thinning import Lines, line_ends
from gradlab.analyses.traces import trace
from gradlab.charts import annotations
from gradlab.charts.traces import columns_drawn, opening
from gradlab.settings.subject import Subject
from gradlab.ui.parts import pins
from gradlab.ui.parts.cards import face
from gradlab.ui.parts.promise import promised
from gradlab.ui.parts.view import Answer, Asked, Figure, View
from gradlab.words import flow
from gradlab.words.how_to_read import Words
from gradlab.words.languages import _

WHERE = "layer == 0 and state == 'h'"
# Where the window is wide, the home page's picture takes the height that the rest of the page, 500 pixels, leaves.
OF_WINDOW = "windowSize()[0] < 1024 ? {height} : clamp(windowSize()[1] - 500, {height}, {height} + 500)"


def totals(subjects: Sequence[Subject], relative: bool, name: str, answer: Answer, promises: bool = False) -> Figure:
    """The figure, its sentence how much of the gradient arrives; where it promises, with another line beside."""
    calls = [*each(trace, subjects)]
    traces = [answer(call) for call in calls]
    title = _("Gradient norms: {cells}").format(cells=flow.names(traces))
    words = Words(name, title, flow.opening(traces), "gradient norms")
    other = promised(subjects, WHERE, relative) if promises else None
    draw = partial(opening, relative=relative, marks=flow.marks(traces))
    heights = annotations.heights(subject.settings.cell for subject in subjects)
    beside: dict[str, Any] = {"ends": partial(line_ends, relative=relative, heights=heights)}
    beside |= {"promised": other} if other else {}
    return Figure(draw, Table.of(calls, "table", WHERE), words, Lines(columns_drawn(relative)), beside)


def view(asked: Asked, answer: Answer) -> View:
    """The home page's: the figure and a card per cell."""
    shared = asked.settings
    drawn = totals(shared.subjects, shared.relative, "gradient norms", answer, promises=True)
    traces = [answer(call) for call in each(trace, shared.subjects)]
    compared = pins.sentences(shared, traces, answer)
    sentences = [drawn.words.sentence, *compared]
    said = drawn.words._replace(sentence=" ".join([drawn.words.sentence, *compared[:1]]))
    beside = {**drawn.beside, **pins.beside(shared)}
    drawn = drawn._replace(question=pins.traces(shared, WHERE), words=said, beside=beside)
    faces = [face(answer(call.then(diagnose))) for call in each(trace, shared.subjects)]
    return View([drawn], sentences, faces)
