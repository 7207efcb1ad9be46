"""What a truncation does, in four figures; every one under its own heading."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import streamlit as st

from gradlab.analyses.call import Call, Question, Table, each
from gradlab.analyses.itemised import most_rows, pairs
from gradlab.analyses.thinning import PairBins, Reduction
from gradlab.analyses.truncation import (
    Schedule,
    beyond,
    bias,
    cost,
    departure,
    kept_by,
    window_for,
    windows_of,
    with_window,
)
from gradlab.cells import CELLS
from gradlab.charts import itemised, truncation
from gradlab.charts.axes import decades_domain
from gradlab.settings.subject import Subject
from gradlab.ui.ask import result, rows_on_screen
from gradlab.ui.frame.shown import Settings
from gradlab.ui.parts import matrices
from gradlab.ui.parts.drawing import Draw
from gradlab.ui.parts.figure import figure
from gradlab.ui.parts.view import Answer, Asked, Figure, View
from gradlab.words import sequences
from gradlab.words.how_to_read import Words
from gradlab.words.languages import _


def choose(asked: Subject) -> None:
    """Where nothing is truncated yet: windows, a click away."""
    if asked.settings.truncation == "full":
        kwargs = {"truncation": "windows"}
        label = _("Choose the window: k1 and k2")
        st.button(label, key="choose window", on_click=st.session_state.update, kwargs=kwargs)


def view(asked: Asked, answer: Answer) -> View:
    """The shaded matrix of one subject and what each loses, how far its gradient is off, and what is kept of it."""
    subjects, one = truncated(asked.settings)
    at, schedule = matrices.place_of(asked), Schedule.of(one.settings)
    departures = [answer(Call.of(departure, subject, schedule=schedule)) for subject in subjects]
    lengths = [answer(Call.of(window_for, subject, schedule=schedule.in_lowest_terms)) for subject in subjects]
    kept = [_kept(subject, schedule, at.layer, answer) for subject in subjects]
    said = sequences.statement(schedule, subjects, departures)
    needed = sequences.needed(schedule, subjects, lengths)
    of_one = sequences.kept_of_states([one], [_kept(one, schedule, at.layer, answer)], at.layer)
    figures = [_band(one, at, schedule, of_one), _lost(subjects, at, schedule, needed or said)]
    return View(figures, [said, needed, sequences.kept_of_states(subjects, kept, at.layer)])


def truncated(shared: Settings) -> tuple[list[Subject], Subject]:
    """The subjects compared and the one examined, each with losses at many steps and a truncation."""
    return [with_window(subject) for subject in shared.subjects], with_window(shared.one)


def work(shared: Settings) -> list[Subject]:
    """A subject for each trace that the view's work is about as long as, where the network is another."""
    subjects, one = truncated(shared)
    return 36 * [*subjects, one]


def of_window(before: Settings, after: Settings) -> list[Subject]:
    """The same where the truncation is another: lengths are needed again only if k1 : k2 is."""
    one, (subjects, other) = truncated(before)[1], truncated(after)
    ratios = {Schedule.of(subject.settings).in_lowest_terms for subject in (one, other)}
    return (8 if len(ratios) == 1 else 40) * subjects if one != other else []


def pairs_of(subject: Subject) -> Call:
    """The pairs of a subject: as many rows as are worth computing with."""
    return Call.of(pairs, subject, most=most_rows(subject))


def _kept(subject: Subject, schedule: Schedule, layer: int, answer: Answer) -> list[Any]:
    """The share of the gradient reaching each state of a layer that the truncation keeps, by sequence."""
    of_subject = pairs_of(subject)
    return [answer(of_subject.then(kept_by, schedule, layer, state)) for state in CELLS[subject.settings.cell].states]


def _band(subject: Subject, at: matrices.Place, schedule: Schedule, sentence: str) -> Figure:
    """The matrix of one subject, shaded where pairs are dropped."""
    outline = Call.of(Schedule.outline, schedule, subject.settings.steps)
    rows = Table.of(pairs_of(subject), "table", at.rows(subject))
    domain = decades_domain([rows_on_screen(rows, PairBins())["log10_norm"]])
    draw = partial(itemised.band, domain=domain, state=at.state_in(subject))
    words = Words("truncation band", sequences.band_title(subject), sentence)
    return Figure(draw, rows, words, PairBins(), {"outline": outline})


def _lost(subjects: Sequence[Subject], at: matrices.Place, schedule: Schedule, sentence: str) -> Figure:
    """What each subject's gradient loses by windows of every length."""
    rows = Table.of(pairs_of(subject).then(beyond, at.layer, at.state) for subject in subjects)
    words = Words("lost gradient", _("Share of the gradient that a window of K steps misses"), sentence)
    return Figure(partial(truncation.lost, chosen=schedule.k2), rows, words)


def angle(subjects: Sequence[Subject], schedule: Schedule, sentence: str) -> None:
    """The angle of each subject's truncated gradient to the full one, for windows of other lengths."""
    windows = windows_of(schedule, subjects[0].settings.steps)
    rows = Table.of(each(bias, subjects, schedules=windows), where="parameter == 'all'")
    words = Words("angle", _("Cosine to the full parameter gradient"), sentence)
    _headed(partial(truncation.angle, chosen=schedule.k2), rows, words)


def savings(subject: Subject, schedule: Schedule) -> None:
    """What windows of other lengths save of one subject's memory and work."""
    others = Call.of(cost, subject, schedules=windows_of(schedule, subject.settings.steps))
    rows, sentence = Table.of(others), sequences.savings_of_others(result(others))
    words = Words("savings", sequences.savings(result(Call.of(cost, subject, schedules=(schedule,)))), sentence)
    _headed(partial(truncation.savings, chosen=schedule.k2), rows, words)


def _headed(draw: Draw, rows: Question, words: Words, reduction: Reduction | None = None) -> None:
    st.markdown(f"**{words.title}**")
    figure(draw, rows, words, reduction)
