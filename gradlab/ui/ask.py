"""Asking: a question in, rows for the screen out. Long work shows its progress and stops when the page is left.

The way down is one: a question whose rows are kept is answered by its key alone; any other is refused by size first,
then its calls are answered, each by its key or by its work. Keys leave out the settings that an analysis does not read:
moving the forget bias computes the LSTM again and no other cell, moving the truncation no trace at all.
"""

import contextvars
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import streamlit as st

from gradlab.analyses.call import Call, Question, Table
from gradlab.analyses.thinning import AllRows, Reduction
from gradlab.engine import Progress, TooLarge
from gradlab.ui.frame.refusal import refusal

SHOW_AFTER = 0.3  # seconds without an answer before progress is shown
SHOW_EVERY = 0.1  # seconds: a bar drawn at every step of a check takes more time than the check


def ask(question: Question, reduction: Reduction | None = None) -> pd.DataFrame:
    """The rows that the screen shows. Stops the page with a sentence where memory does not reach."""
    reduction = reduction or AllRows()
    key = question.key
    if key is None:
        return reduction.on_screen(question.rows())
    with _bar() as bar:
        return _reduced(key, reduction, question, bar)


def result(call: Call) -> Any:
    """What a call gives, kept: a trace, a microscope. Stops the page with a sentence where memory does not reach."""
    with _bar() as bar:
        return _answer(call, bar)


def answer(call: Call) -> Any:
    """What a call gives, kept, asked for outside a page's run too: without progress."""
    return _answer(call, None)


def rows_on_screen(question: Question, reduction: Reduction) -> pd.DataFrame:
    """The rows of `ask`, kept with them, for a question with a key; asked for outside a page's run too."""
    key = question.key
    assert key is not None
    return _reduced(key, reduction, question, None)


def every_row(question: Question) -> pd.DataFrame:
    """All rows, for what leaves the screen; asked outside a page's run too."""
    return question.rows_of([_answer(call, None) for call in question.calls])


@dataclass(frozen=True)
class Rows:
    """The rows of a question that a chart takes beside its own, each with a column more for every constant."""

    question: Table
    reduction: Reduction = field(default_factory=AllRows)
    constants: tuple[tuple[str, str], ...] = ()

    def on_screen(self) -> pd.DataFrame:
        return rows_on_screen(self.question, self.reduction).assign(**dict(self.constants))

    def taken(self) -> pd.DataFrame:
        """As `on_screen`, for a picture that leaves the screen."""
        return self.reduction.taken(every_row(self.question)).assign(**dict(self.constants))


@st.cache_data(max_entries=200, show_spinner=False)
def _reduced(key: str, reduction: Reduction, _question: Question, _bar: "Bar | None") -> pd.DataFrame:
    _question.refuse()
    return reduction.on_screen(_question.rows_of([_answer(call, _bar) for call in _question.calls]))


def _answer(call: Call, bar: "Bar | None") -> Any:
    return _kept(call.key, call, bar)


@st.cache_resource(max_entries=40, show_spinner=False)
def _kept(key: str, _call: Call, _bar: "Bar | None") -> Any:
    inner = [_answer(call, _bar) for call in _call.inner]
    return _call.result_of(inner, _bar and _bar.progress_of(_call))


@contextmanager
def _bar() -> Iterator["Bar"]:
    """Progress, gone again afterwards; a refusal by size becomes the end of the page."""
    bar = Bar()
    try:
        yield bar
    except TooLarge as error:
        refusal("This does not fit into memory", str(error))
        st.stop()
    bar.clear()


def place_bars() -> None:
    """Where a page shows the progress of its calls: one place, for they are made one after another."""
    st.session_state["progress"] = st.empty()


class Bar:
    """Shows the progress of the work; each drawing also lets Streamlit stop it.

    A stop arrives as an exception out of the call. The bar stands outside the cached functions and must not be recorded
    with them, so it is drawn in the context from before they were entered.
    """

    def __init__(self) -> None:
        self.slot: Any = st.session_state.get("progress")
        self.outside = contextvars.copy_context()
        self.is_drawn = False

    def clear(self) -> None:
        """Takes it away, where it was drawn."""
        if self.is_drawn:
            self.slot.empty()

    def progress_of(self, call: Call) -> Progress:
        """May be called at any rate: a call soon after the last drawing draws nothing."""
        start = time.monotonic()
        due = start + SHOW_AFTER

        def progress(fraction: float) -> None:
            nonlocal due
            now = time.monotonic()
            if now >= due:
                due, self.is_drawn = now + SHOW_EVERY, True
                left = (now - start) * (1 - fraction) / max(fraction, 1e-3)
                text = f"{call.title}: {fraction:.0%}, about {left:.0f} s left"
                self.outside.run(self.slot.progress, min(fraction, 1.0), text)

        return progress
