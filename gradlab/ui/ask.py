"""Asking: a question in, rows for the screen out. Long work shows its progress and stops when the page is left.

Every cache is keyed by the question's own key, in which settings that the analysis does not read have no place: moving
the forget bias computes the LSTM again and no other, moving the truncation no trace at all.
"""

import contextvars
import time
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from gradlab.analyses.call import Call, Question
from gradlab.analyses.thinning import AllRows, Reduction
from gradlab.engine import TooLarge

SHOW_AFTER = 0.3  # seconds without an answer before progress is shown
SHOW_EVERY = 0.1  # seconds: a bar drawn at every step of a check takes more time than the check


def ask(question: Question, reduction: Reduction | None = None) -> pd.DataFrame:
    """The rows that the screen shows. Stops the page with a sentence where memory does not reach."""
    reduction = reduction or AllRows()
    if question.key is None:
        return reduction.on_screen(question.rows())
    _refuse(question)
    for call in question.calls:
        _resolved(call)
    return _reduced(question.key, reduction, question)


def result(call: Call) -> Any:
    """What a call gives, kept: a trace, a microscope. Stops the page with a sentence where memory does not reach."""
    _refuse(call)
    return _resolved(call)


def every_row(question: Question) -> pd.DataFrame:
    """All rows, for what leaves the screen; asked outside a page's run too."""
    return question.rows(resolve=_without_bar)


def _refuse(question: Question | Call) -> None:
    try:
        question.refuse()
    except TooLarge as error:
        st.error(str(error), title="This does not fit into memory")
        st.stop()


def _resolved(call: Call) -> Any:
    """The result of a call, computed under a progress bar where nobody asked before."""
    for inner in call.inner:
        _resolved(inner)
    slot = st.empty()
    answer = _kept(call.key, call, Progress(slot, call.title))
    slot.empty()
    return answer


def _without_bar(call: Call) -> Any:
    """The same without a bar."""
    return _kept(call.key, call, None)


@st.cache_resource(max_entries=40, show_spinner=False)
def _kept(key: str, _call: Call, _progress: "Progress | None") -> Any:
    return _call.result(_progress, _without_bar)


@st.cache_data(max_entries=200, show_spinner=False)
def _reduced(key: str, reduction: Reduction, _question: Question) -> pd.DataFrame:
    return reduction.on_screen(_question.rows(resolve=_without_bar))


class Progress:
    """Shows the progress of the work; each drawing also lets Streamlit stop it.

    A stop arrives as an exception out of the call. The bar stands outside the cached function and must not be recorded
    with it, so it is drawn in the context from before the function was entered. It may be called at any rate: a call
    soon after the last drawing draws nothing.
    """

    def __init__(self, slot: DeltaGenerator, title: str) -> None:
        self.slot, self.title = slot, title
        self.start = time.monotonic()
        self.due = self.start + SHOW_AFTER
        self.outside = contextvars.copy_context()

    def __call__(self, fraction: float) -> None:
        now = time.monotonic()
        if now >= self.due:
            self.due = now + SHOW_EVERY
            elapsed = now - self.start
            left = elapsed * (1 - fraction) / max(fraction, 1e-3)
            text = f"{self.title}: {fraction:.0%}, about {left:.0f} s left"
            self.outside.run(self.slot.progress, min(fraction, 1.0), text)
