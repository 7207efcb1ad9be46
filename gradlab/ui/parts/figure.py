"""`figure`: a chart, what it says to those who cannot see it, its exports, and how to read it, from one question."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, cast

import pandas as pd
import streamlit as st

from gradlab.analyses.call import Question
from gradlab.analyses.parts import blocks
from gradlab.analyses.thinning import AllRows, Reduction
from gradlab.exports import python_code
from gradlab.ui.ask import ask, every_part
from gradlab.ui.frame import settings
from gradlab.ui.parts import following
from gradlab.ui.parts.export_bar import export_bar, tool
from gradlab.words.flow import NOTHING_INJECTED
from gradlab.words.how_to_read import Words

Draw = Callable[..., Any]  # (rows, dark=…, and each name of `beside`) -> chart
Width = Literal["stretch", "content"]
Beside = Mapping[str, Callable[[pd.DataFrame], Any]]


class Chosen(NamedTuple):
    """A selection of a chart that a visitor makes by a click."""

    key: str  # of the chart in the session
    selection: str  # its name in the chart
    take: Callable[[list[dict[str, Any]]], None]  # called with the rows that are chosen


def figure(
    draw: Draw,
    question: Question,
    words: Words,
    reduction: Reduction | None = None,
    *,
    beside: Beside | None = None,
    taken: Draw | None = None,
    width: Width = "stretch",
    export: bool = True,
    tools: bool = True,
    chosen: Chosen | None = None,
    follows: str = "",
) -> None:
    """Draws the rows of a question.

    reduction   fewer rows for the screen, and for pictures that leave it; every row if None
    beside      what the chart takes beside the rows, made of the rows drawn: the places of labels, say
    taken       what draws pictures that leave the screen, where that is not `draw`
    export      False while the rows still change
    tools       False for a small chart among many: neither exports nor how to read it
    chosen      what to do with what a click on the chart chooses
    follows     its name in `following.PAGES`, where it follows a slider before that is let go
    """
    reduction = reduction or AllRows()
    dark = settings.dark()

    def chart(draw: Draw, rows: pd.DataFrame) -> Any:
        return draw(rows, dark=dark, **{name: make(rows) for name, make in (beside or {}).items()})

    rows = ask(question, reduction)
    if rows.empty:
        st.info(f"{words.title}: nothing to draw. {words.sentence or NOTHING_INJECTED}")
        return
    description = f"{words.title}. {words.sentence}".replace("**", "")
    if not (follows and following.show(follows, words.title)):
        show(chart(draw, rows), description, width, chosen)
    if tools:
        _tools(lambda: chart(taken or draw, reduction.taken(every_part(question))), question, words, reduction, export)


@st.fragment
def _tools(picture: Callable[[], Any], question: Question, words: Words, reduction: Reduction, export: bool) -> None:
    """Quiet icons at the chart's corner. A fragment, so that one that opens is made then, and the page does not run."""
    with st.container(horizontal=True, horizontal_alignment="right", gap=None, key=f"tools {words.name}"):
        if export:
            is_reduced = not isinstance(reduction, AllRows)
            export_bar(picture, lambda: blocks(every_part(question)), question, words, is_reduced=is_reduced)
            program(question, words)
        how_to_read(words)


def show(chart: Any, description: str, width: Width = "stretch", chosen: Chosen | None = None) -> None:
    """Draws a chart in its own theme; `description` says what it shows to those who cannot see it."""
    checked = cast(Any, _Checked(chart))  # Streamlit takes whatever has `to_dict`
    if chosen is None:
        st.altair_chart(checked, theme=None, width=width, alt=description)
        return
    st.altair_chart(
        checked,
        theme=None,
        width=width,
        alt=description,
        key=chosen.key,
        on_select=lambda: chosen.take(st.session_state[chosen.key]["selection"].get(chosen.selection) or []),
        selection_mode=[chosen.selection],
    )


class _Checked:
    """A chart that the tests have held against Vega-Lite's schema, for Streamlit, which would do so at every run."""

    def __init__(self, chart: Any):
        self.chart = chart

    def to_dict(self) -> dict[str, Any]:
        return self.chart.to_dict(validate=False)


def how_to_read(words: Words) -> None:
    """How to read the chart in a line, and what it shows as a formula."""
    with tool(f"How to read {words.name}", ":material/help:", f"read {words.name}") as opened:
        if opened:
            st.markdown(words.reading.text)
            st.latex(words.reading.formula)


def program(question: Question, words: Words) -> None:
    """The Python program that computes the chart's numbers."""
    with tool(f"Python program of {words.name}", ":material/code:", f"program {words.name}") as opened:
        if opened:
            st.code(python_code(question.subjects, question.code).decode(), language="python", width=560)
