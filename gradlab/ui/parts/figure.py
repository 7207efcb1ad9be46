"""`figure`: a chart, what it says to those who cannot see it, its exports, and how to read it, from one question."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, cast

import pandas as pd
import streamlit as st

from gradlab.analyses.call import Question
from gradlab.analyses.thinning import AllRows, Reduction
from gradlab.ui.ask import ask, every_row
from gradlab.ui.frame import settings
from gradlab.ui.parts import live
from gradlab.ui.parts.export_bar import export_bar
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
    follows     its name in `live.PICTURES`, where it follows a slider before that is let go
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
    if follows and live.follows(settings.current()):
        live.show(follows, settings.current(), words.title)
    else:
        show(chart(draw, rows), description, width, chosen)
    if not tools:
        return
    with st.container(horizontal=True):
        if export:
            export_bar(
                lambda: chart(taken or draw, reduction.taken(every_row(question))),
                lambda: every_row(question),
                question,
                words,
                is_reduced=not isinstance(reduction, AllRows),
            )
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
    """Behind a click: what the chart shows as a formula, and how to read it in a line."""
    with st.popover("How to read it", key=f"read {words.name}"):
        st.latex(words.reading.formula)
        st.markdown(words.reading.text)
