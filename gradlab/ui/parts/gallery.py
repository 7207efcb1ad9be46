"""The page of sequence types: one small unrolled network each, a button that chooses it, and the chosen network."""

from collections.abc import Callable
from functools import partial

import streamlit as st

from gradlab.analyses.call import Call, Table
from gradlab.analyses.paths import diagram
from gradlab.analyses.thinning import AllRows, Lines
from gradlab.analyses.traces import trace
from gradlab.charts.axes import decades_domain
from gradlab.charts.traces import columns_drawn, lines
from gradlab.charts.unrolled import network
from gradlab.settings.subject import Subject
from gradlab.ui.ask import rows_on_screen
from gradlab.ui.frame import settings
from gradlab.ui.frame.shown import Settings
from gradlab.ui.parts import matrices
from gradlab.ui.parts.cards import state_of
from gradlab.ui.parts.section import choices
from gradlab.ui.parts.view import Answer, Asked, Figure, View
from gradlab.words import flow
from gradlab.words.how_to_read import Words
from gradlab.words.languages import _
from gradlab.words.numbers import counted
from gradlab.words.sequences import KINDS, Kind, hiding, kind_of, type_name, type_sentence

STEPS, MOST_STEPS = 5, 12  # of a small diagram; of the large one
CHOSEN, NORMS, MATRIX = range(len(KINDS), len(KINDS) + 3)  # figures after the small ones
GRADIENT = "sequence_types_gradient"  # the section of the last two, which are made where it is open


def view(asked: Asked, answer: Answer) -> View:
    """The types in small and the chosen network; where their section is open, its gradient norms, and its losses one at
    a time."""
    one = asked.settings.one
    sentence = type_sentence(one, answer(Call.of(trace, one)))
    figures = [*_small(one, answer), _chosen(one, sentence, answer)]
    if asked.is_open(GRADIENT):
        figures += [_norms(asked.settings, answer), _matrix(one, answer)]
    return View(figures, [sentence])


def draw(figure: Callable[[int], None], subject: Subject) -> None:
    """The types, each with a button that shows it below; `figure` draws a figure of the view."""
    with choices("sequence_types"):
        columns = st.columns(len(KINDS))
    for number, (column, kind) in enumerate(zip(columns, KINDS, strict=True)):
        with column.container(border=True, height="stretch", key=f"small_{number}"):
            figure(number)
            st.markdown(f"**{_(kind.name)}**  \n:small[{_(kind.task)}]")
            is_shown = kind == kind_of(subject)
            st.button(
                _("Shown below") if is_shown else _("Show"),
                key=f"show {kind.loss}",
                disabled=is_shown,
                on_click=st.session_state.update,
                kwargs={"loss": kind.loss},
                width="stretch",
            )


def _small(subject: Subject, answer: Answer) -> list[Figure]:
    """The types over a few steps of one subject; colours are on one scale."""
    short = [_example(subject, kind) for kind in KINDS]
    calls = [Call.of(diagram, example, most=STEPS) for example in short]
    drawings = [answer(call) for call in calls]
    questions = [Table.of(call, "edges") for call in calls]
    domain = decades_domain([rows_on_screen(question, AllRows())["log10_relative"] for question in questions])
    figures = []
    for kind, example, drawing, question in zip(KINDS, short, drawings, questions, strict=True):
        task = _("{task}, over {steps}").format(task=_(kind.task), steps=counted(example.settings.steps, "step"))
        words = Words(f"small {kind.loss}", _(kind.name), task, "unrolled network")
        draw = partial(network, domain=domain, steps=drawing.steps, small=True)
        figures.append(Figure(draw, question, words, key=(kind.loss, *(call.key for call in calls))))
    return figures


def _chosen(subject: Subject, sentence: str, answer: Answer) -> Figure:
    """The subject's unrolled network."""
    call = Call.of(diagram, subject, most=MOST_STEPS)
    words = Words("unrolled network", f"{type_name(subject)}: {subject.title}", sentence)
    return Figure(partial(network, steps=answer(call).steps), Table.of(call, "edges"), words)


def _norms(shared: Settings, answer: Answer) -> Figure:
    """The gradient norms of every cell compared."""
    calls = [Call.of(trace, subject) for subject in shared.subjects]
    traces = [answer(call) for call in calls]
    rows = Table.of(calls, "table", settings.of_state(state_of(traces, shared.state)))
    title = _("Gradient norms: {cells}").format(cells=flow.names(traces))
    words = Words("gradient norms", title, flow.opening(traces))
    return Figure(
        partial(lines, relative=shared.relative, marks=flow.marks(traces)),
        rows,
        words,
        Lines(columns_drawn(shared.relative)),
    )


def _matrix(one: Subject, answer: Answer) -> Figure:
    """The losses of one subject, one at a time."""
    found, of_one = answer(matrices.pairs_of(one)), answer(Call.of(trace, one))
    place, bins = matrices.Place(), matrices.bins_of([one])
    title = _("One loss at a time: {cell}").format(cell=one.title)
    words = Words("itemised matrix", title, hiding([found], [of_one], *place))
    return matrices.matrix(one, place, matrices.domain_of([one], place, bins), bins, words)


def _example(subject: Subject, kind: Kind) -> Subject:
    """A subject as this type, over a few steps."""
    return subject.replace(loss=kind.loss, objective="direction", reads=None, writes=None).shortened(STEPS)
