"""One card per cell: its verdict and its rate; and what went wrong, above them."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from gradlab.analyses.call import Call, each
from gradlab.analyses.diagnosis import Diagnosis, diagnose
from gradlab.analyses.traces import GradientTrace, trace
from gradlab.cells import CELLS
from gradlab.charts.colours import CARD_COLOURS
from gradlab.settings.subject import Subject
from gradlab.ui.ask import result, results
from gradlab.ui.frame.shown import EVERY_STATE
from gradlab.words import flow
from gradlab.words.languages import _
from gradlab.words.numbers import states_called


def traces_of(subjects: Sequence[Subject], beside: Sequence[Subject] = ()) -> list[GradientTrace]:
    """One trace per subject, with a warning for each pass that overflowed.

    beside    those of pins, whose traces are made and kept with these: what is refused or takes long counts them
    """
    traces = results([*each(trace, (*subjects, *beside))], together=bool(beside))[: len(subjects)]
    with st.container():  # always there: what comes and goes before a chart would have the browser draw it anew
        for sentence in flow.non_finite(traces):
            st.warning(sentence)
    return traces


def cards(subjects: Sequence[Subject], places: Sequence[Any]) -> None:
    """The cards, each in its place with a key: while a browser draws them, others may stand there first."""
    for number, (subject, place) in enumerate(zip(subjects, places, strict=True)):
        call = Call.of(trace, subject)
        diagnosis = result(call.then(diagnose))
        colour = CARD_COLOURS.get(diagnosis.cell, "gray")
        label, value, delta = face(diagnosis)
        place.container(key=f"followed_card_{number}").metric(
            label,
            value,
            delta,
            delta_color=colour,
            delta_arrow="off",
            border=True,
            help=f"{diagnosis.sentence} {_(flow.DECADE)}\n\n{diagnosis.rule}",
        )


def face(diagnosis: Diagnosis) -> tuple[str, str, str]:
    """A card's label, value and line below it; the label in plain text, for it names the help beside it too."""
    label = f"{CELLS[diagnosis.cell].title} {states_called(diagnosis.state)}: {_(diagnosis.verdict)}"
    return label, flow.rate(diagnosis), flow.half_life(diagnosis)


def state_of(traces: Sequence[GradientTrace], state: str) -> str:
    """The state to draw: h where no cell has the one asked for."""
    return state if state in ("h", EVERY_STATE) or any(state in trace.states for trace in traces) else "h"


def state_shown(traces: Sequence[GradientTrace], state: str) -> str:
    """The state to draw: h, with a word about it, where no cell has the one asked for."""
    if state_of(traces, state) == state:
        return state
    st.info(flow.without_state(state))
    return "h"
