"""The page of the unrolled network: which steps it shows, and on which colour scale."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import streamlit as st

from gradlab.analyses.call import Call, Table
from gradlab.analyses.paths import decades, edges
from gradlab.analyses.thinning import Lines
from gradlab.analyses.traces import trace
from gradlab.charts.unrolled import FIXED_DECADES, network
from gradlab.settings.subject import Subject
from gradlab.ui.ask import Rows
from gradlab.ui.frame import linked
from gradlab.ui.frame.shown import Settings
from gradlab.ui.parts import pins
from gradlab.ui.parts.drawing import Beside
from gradlab.ui.parts.section import choices
from gradlab.ui.parts.view import Answer, Asked, Figure, View
from gradlab.words import paths as sentences
from gradlab.words.how_to_read import Words
from gradlab.words.languages import _

STEPS_SHOWN = 30
FIXED, THESE, ALL = RANGES = ("fixed", "these steps", "the whole sequence")


def choose(steps: int) -> None:
    """The lag on the right edge, and what the colours span: whatever is set, where they are fixed."""
    with choices("unrolled"):
        left, right = st.columns([2, 1], vertical_alignment="bottom")
        with left:
            if len(lags(steps)) > 1:
                linked.select_slider(_("Lag on the right edge: walk back from the loss"), lags(steps), 0, key="lag")
        with right:
            linked.segmented_control(_("Colour range"), RANGES, default=FIXED, required=True, key="colours")


def lags(steps: int) -> list[int]:
    """The lags that the right edge may have."""
    most = max(steps - STEPS_SHOWN, 0)
    return sorted({0, *range(0, most, max(1, most // 100)), most})


def sliders(shared: Settings) -> Mapping[str, Sequence[Any]]:
    """Their stops."""
    return {"lag": lags(shared.one.settings.steps)}


def view(asked: Asked, answer: Answer) -> View:
    """The network around the steps that are looked at; and that of a pin, at the same lag and in the same colours."""
    one, pinned = asked.settings.one, pins.of_one(asked.settings)
    lag, span = asked.one_of("lag", lags(one.settings.steps), 0), asked.one_of("colours", RANGES, FIXED)
    subjects = [one] if pinned is None else [one, pinned.subject]
    calls, traced = [_edges(subject, lag) for subject in subjects], [Call.of(trace, subject) for subject in subjects]
    said = [sentences.of_edges(answer(call), answer(of).loss_steps) for call, of in zip(calls, traced, strict=True)]
    title = _("The unrolled network")
    titles = [Words("unrolled", title, said[0])]
    if pinned is not None:
        name = pinned.pin.name
        titles.append(Words(f"unrolled {name}", f"{title}, {pinned.label}", said[1], "unrolled"))
        said[1] = f"**{name}**: {said[1]}"
    figures = []
    for call, words in zip(calls, titles, strict=True):
        others = [Rows(Table.of(other)) for other in calls if other is not call]
        sequences = [Rows(Table.of(of, "table"), Lines()) for of in traced] if span == ALL else []
        own: Beside = {} if span == FIXED else {"domain": partial(decades, *others, *sequences)}
        figures.append(Figure(partial(network, domain=FIXED_DECADES), Table.of(call), words, beside=own))
    return View(figures, said)


def _edges(subject: Subject, lag: int) -> Call:
    """The edges around the steps up to a lag; of a shorter sequence, its first ones."""
    last = max(subject.settings.steps - 1 - lag, 0)
    return Call.of(edges, subject, first=max(0, last - STEPS_SHOWN + 1), last=last)
