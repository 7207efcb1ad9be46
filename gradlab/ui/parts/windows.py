"""What a truncation does, in four figures; every one under its own heading."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import streamlit as st

from gradlab.analyses.call import Call, Question, Table, each
from gradlab.analyses.thinning import PairBins, Reduction
from gradlab.analyses.truncation import Schedule, beyond, bias, cost, kept_by, windows_of
from gradlab.cells import CELLS
from gradlab.charts import itemised, truncation
from gradlab.settings.subject import Subject
from gradlab.ui.ask import result
from gradlab.ui.parts import matrices
from gradlab.ui.parts.drawing import Beside, Draw
from gradlab.ui.parts.figure import figure
from gradlab.words import sequences
from gradlab.words.how_to_read import Words


def choose(asked: Subject) -> None:
    """Where nothing is truncated yet: windows, a click away."""
    if asked.settings.truncation == "full":
        kwargs = {"truncation": "windows"}
        label = "Choose the window: k1 and k2"
        st.button(label, key="choose window", on_click=st.session_state.update, kwargs=kwargs)


def kept(subject: Subject, schedule: Schedule, layer: int) -> list[Any]:
    """The share of the gradient reaching each state of a layer that the truncation keeps, by sequence."""
    pairs = matrices.pairs_of(subject)
    return [result(pairs.then(kept_by, schedule, layer, state)) for state in CELLS[subject.settings.cell].states]


def band(subject: Subject, at: matrices.Place, schedule: Schedule, sentence: str) -> None:
    """The matrix of one subject, shaded where pairs are dropped."""
    outline = Call.of(Schedule.outline, schedule, subject.settings.steps)
    domain = matrices.domain_of([subject], at)
    draw = partial(itemised.band, domain=domain, state=at.state_in(subject))
    words = Words("truncation band", sequences.band_title(subject), sentence)
    _headed(draw, matrices.matrix_of(subject, at), words, PairBins(), {"outline": outline})


def lost(subjects: Sequence[Subject], at: matrices.Place, schedule: Schedule, sentence: str) -> None:
    """What each subject's gradient loses by windows of every length."""
    rows = Table.of(matrices.pairs_of(subject).then(beyond, at.layer, at.state) for subject in subjects)
    words = Words("lost gradient", "Gradient from beyond the window", sentence)
    _headed(partial(truncation.lost, chosen=schedule.k2), rows, words)


def angle(subjects: Sequence[Subject], schedule: Schedule, sentence: str) -> None:
    """The angle of each subject's truncated gradient to the full one, for windows of other lengths."""
    windows = windows_of(schedule, subjects[0].settings.steps)
    rows = Table.of(each(bias, subjects, schedules=windows), where="parameter == 'all'")
    words = Words("angle", "Cosine to the full parameter gradient", sentence)
    _headed(partial(truncation.angle, chosen=schedule.k2), rows, words)


def savings(subject: Subject, schedule: Schedule, sentence: str) -> None:
    """What windows of other lengths save of one subject's memory and work."""
    rows = Table.of(Call.of(cost, subject, schedules=windows_of(schedule, subject.settings.steps)))
    words = Words("savings", sequences.savings(result(Call.of(cost, subject, schedules=(schedule,)))), sentence)
    _headed(partial(truncation.savings, chosen=schedule.k2), rows, words)


def _headed(
    draw: Draw, rows: Question, words: Words, reduction: Reduction | None = None, beside: Beside | None = None
) -> None:
    st.markdown(f"**{words.title}**")
    figure(draw, rows, words, reduction, beside=beside)
