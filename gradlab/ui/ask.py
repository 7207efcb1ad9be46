"""Asking: a question in, rows for the screen out. Long work shows its progress and stops when the page is left.

The way down is one: a question whose rows are kept is answered by its key alone; any other is refused by size first,
then its calls are answered, each by its key or by its work. Keys leave out the settings that an analysis does not read:
moving the forget bias computes the LSTM again and no other cell, moving the truncation no trace at all.

What would take long is begun by a button alone; what is at work is in a thread of its own (`work`).
"""

import contextvars
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from gradlab.analyses.call import Call, Named, Question, refuse_together
from gradlab.analyses.parts import Part
from gradlab.analyses.thinning import AllRows, Reduction
from gradlab.engine import Progress, TooLarge
from gradlab.ui import pace
from gradlab.ui.frame.refusal import refusal
from gradlab.ui.kept import MISSING
from gradlab.ui.work import Make, kept, kept_or_made
from gradlab.words.languages import N_, _
from gradlab.words.waiting import takes_long, under_way

SHOW_AFTER = 0.3  # seconds without an answer before progress is shown
SHOW_EVERY = 0.1  # seconds: a bar drawn at every step of a check takes more time than the check
LONG = 10.0  # seconds from which on work is not begun unasked

# Text as Python's objects: over the few hundred rows of a picture Arrow's arrays take a fifth of a picture's time to
# be set up, and save nothing.
pd.options.mode.string_storage = "python"


def ask(question: Question, reduction: Reduction | None = None) -> pd.DataFrame:
    """The rows that the screen shows. Stops the page with a sentence where memory does not reach."""
    reduction = reduction or AllRows()
    key = question.key
    if key is None:
        return reduction.on_screen(question.rows())
    with waiting() as bar:
        return _reduced(key, reduction, question, bar)


def result(call: Call) -> Any:
    """What a call gives, kept: a trace, a microscope. Stops the page with a sentence where memory does not reach."""
    return results([call])[0]


def results(calls: Sequence[Call], together: bool = False) -> list[Any]:
    """What several calls give: if they take long together, that is said before the first of them begins.

    together    whether their results are in memory together, and are refused as such
    """
    values = [kept(("result", call.key)) for call in calls]
    if not any(value is MISSING for value in values):
        return values
    with waiting() as bar:
        if together:
            refuse_together(calls)
        bar.announce(calls)
        return [_answer(call, bar) for call in calls]


def answer(call: Call) -> Any:
    """What a call gives, kept, asked for outside a page's run too: without progress."""
    return _answer(call, None)


def rows_on_screen(question: Question, reduction: Reduction) -> pd.DataFrame:
    """The rows of `ask`, kept with them, for a question with a key; asked for outside a page's run too."""
    key = question.key
    assert key is not None
    return _reduced(key, reduction, question, None)


def every_part(question: Question) -> Sequence[Part]:
    """All rows, for what leaves the screen, made part by part; asked outside a page's run too."""
    return question.parts_of([_answer(call, None) for call in question.calls])


@dataclass(frozen=True)
class Rows:
    """The rows of a question that a chart takes beside its own, each with a column more for every constant."""

    question: Named
    reduction: Reduction = field(default_factory=AllRows)
    constants: tuple[tuple[str, str], ...] = ()

    def asked(self) -> pd.DataFrame:
        """On a page, which may leave while they are made."""
        return ask(self.question, self.reduction).assign(**dict(self.constants))

    def on_screen(self) -> pd.DataFrame:
        """Asked for outside a page's run too."""
        return rows_on_screen(self.question, self.reduction).assign(**dict(self.constants))

    def taken(self) -> pd.DataFrame:
        """As `on_screen`, for a picture that leaves the screen."""
        return self.reduction.taken(every_part(self.question)).assign(**dict(self.constants))


def _reduced(key: str, reduction: Reduction, question: Question, bar: "Bar | None") -> pd.DataFrame:
    own = ("rows", key, reduction)
    rows = kept(own)
    if rows is not MISSING:
        return rows
    question.refuse()
    if bar is not None:
        bar.announce(question.calls)
    parts = question.parts_of([_answer(call, bar) for call in question.calls])
    return _waited(own, lambda progress: reduction.on_screen(parts), N_("Drawing"), None, bar)


def _answer(call: Call, bar: "Bar | None") -> Any:
    own = ("result", call.key)
    value = kept(own)
    if value is not MISSING:
        return value
    inner = [_answer(part, bar) for part in call.inner]
    return _waited(own, partial(_made, call, inner), call.title, pace.seconds(call), bar)


def _made(call: Call, inner: Sequence[Any], progress: Progress) -> Any:
    begun = time.monotonic()
    value = call.result_of(inner, progress)
    pace.learn(call, time.monotonic() - begun)
    return value


def _waited(key: Any, make: Make, title: str, expected: float | None, bar: "Bar | None") -> Any:
    return kept_or_made(key, make, bar and bar.progress_of(title, expected))


@contextmanager
def waiting() -> Iterator["Bar"]:
    """Progress, gone again afterwards; a refusal by size becomes the end of the page."""
    bar = Bar()
    try:
        yield bar
    except TooLarge as error:
        refusal(_("This does not fit into memory"), str(error))
        st.stop()
    bar.clear()


def place_bars() -> None:
    """Where a page shows the progress of its calls: one place, for they are made one after another."""
    st.session_state["progress"] = st.empty()


class Bar:
    """Shows the progress of the work; each drawing also lets Streamlit stop the page.

    A stop arrives as an exception out of the drawing. It is drawn in the context from before the question.
    """

    def __init__(self) -> None:
        self.slot: Any = st.session_state.get("progress")
        self.outside = contextvars.copy_context()
        self.is_drawn = False

    def clear(self) -> None:
        """Takes it away, where it was drawn."""
        if self.is_drawn:
            self.slot.empty()

    def announce(self, calls: Sequence[Call]) -> None:
        """Where these calls take long, says so, and stops the page until the visitor begins them. What does not fit
        into memory is refused before."""
        missing = [*dict.fromkeys(call for asked in calls for call in _missing(asked))]
        for call in missing:
            call.refuse()
        expected = [pace.seconds(call) for call in missing]
        shown = (st.session_state.get("drawn on"), st.session_state.get("settings"))
        if sum(expected) < LONG or st.session_state.get("begun") == shown:
            return
        titles = [call.title for call, long in zip(missing, expected, strict=True) if long > LONG / 100]
        with self.slot.container(border=True):
            st.text(takes_long(titles, sum(expected)))
            st.button(
                _("Begin"), key="begin", on_click=st.session_state.update, kwargs={"begun": shown}, type="primary"
            )
        st.stop()

    def progress_of(self, title: str, expected: float | None = None) -> Callable[[float], None]:
        """May be called at any rate: a call soon after the last drawing draws nothing.

        expected    seconds that it will take, for work that does not say how far it is
        """
        start = time.monotonic()
        due = start + SHOW_AFTER

        def progress(fraction: float) -> None:
            nonlocal due
            now = time.monotonic()
            if now >= due:
                due, self.is_drawn = now + SHOW_EVERY, True
                left = None
                if fraction:
                    left = (now - start) * (1 - fraction) / fraction
                elif expected:
                    fraction = min((now - start) / expected, 0.99)
                    left = max(expected - (now - start), 0)
                self.outside.run(self.slot.progress, min(fraction, 1.0), under_way(title, fraction, left))

        return progress


def _missing(call: Call) -> Iterator[Call]:
    """The calls that have to be made for a call, itself among them; none where its result is kept."""
    if kept(("result", call.key)) is MISSING:
        for inner in call.inner:
            yield from _missing(inner)
        yield call
