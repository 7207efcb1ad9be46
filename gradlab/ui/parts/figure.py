"""`figure`: a chart, what it says to those who cannot see it, its exports, and how to read it, from one question."""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple, cast

import streamlit as st

from gradlab.analyses.call import Question
from gradlab.analyses.thinning import AllRows, Reduction
from gradlab.charts.documents import document_of
from gradlab.charts.presented import presented
from gradlab.ui.ask import ask
from gradlab.ui.frame import again, present, settings
from gradlab.ui.kept import MISSING
from gradlab.ui.parts.drawing import Beside, Draw, Drawing
from gradlab.ui.parts.export_bar import chosen_picture, export_bar, program_of, tool
from gradlab.ui.work import KEPT, kept
from gradlab.words.flow import NOTHING_INJECTED
from gradlab.words.how_to_read import Words
from gradlab.words.languages import _, current, speaking
from gradlab.words.letters import without_markdown

Width = Literal["stretch", "content"]


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
    followed: Callable[[], bool] | None = None,
) -> None:
    """Draws the rows of a question.

    reduction   fewer rows for the screen, and for pictures that leave it; every row if None
    beside      what the chart takes beside the rows, made of the rows drawn: the places of labels, say
    taken       what draws pictures that leave the screen, where that is not `draw`
    export      False while the rows still change
    tools       False for a small chart among many: neither exports nor how to read it
    chosen      what to do with what a click on the chart chooses
    followed    draws it so that it follows a slider before that is let go, or says that it does not
    """
    drawing = Drawing(draw, question, reduction or AllRows(), beside or {}, taken)
    if followed is None or not followed():
        rows = ask(question, drawing.reduction)
        if rows.empty:
            text, why = _("{title}: nothing to draw. {why}"), words.sentence or _(NOTHING_INJECTED)
            st.info(text.format(title=words.title, why=why))
            return
        dark = settings.dark()
        chart = Shown(partial(drawing.on_screen, rows, dark), drawing.key(dark))
        show(chart, f"{words.title}. {words.sentence}", width, chosen)
    if tools:
        draw_tools = _tools if again.is_by_itself() else st.fragment(_tools)
        draw_tools(drawing, words, export, current())


def _tools(drawing: Drawing, words: Words, export: bool, language: str) -> None:
    """Quiet icons at the chart's corner. A fragment where it may be, so that one that opens is made then, and the page
    does not run: it is told the language."""
    place = st.container(horizontal=True, horizontal_alignment="right", gap=None, key=f"tools {words.name}")
    with speaking(language), place:
        if export:
            export_bar(drawing, words)
            program(drawing, words)
        how_to_read(words)


class Shown:
    """A chart for Streamlit, which takes whatever has `to_dict` for one, and would hold it against Vega-Lite's schema
    at every run: the tests have done so.

    draw    makes the chart
    key     equal for equal charts alone, whose document is made once for the whole server; None where it still changes
    """

    def __init__(self, draw: Callable[[], Any], key: str | None):
        self.height = present.height() if present.is_on() else None
        self.key = ("document", key)
        self.document: Any = MISSING if key is None else kept(self.key)
        self.is_kept = key is None or self.document is not MISSING
        self.chart = draw() if self.document is MISSING else None

    def to_dict(self) -> dict[str, Any]:
        """Its document, with the datasets as Streamlit makes them of tables."""
        if self.document is MISSING:
            self.document = document_of(self.chart)
        if not self.is_kept:
            KEPT.put(self.key, self.document)
            self.is_kept = True
        whole = cast(Any, self.document).whole()
        return presented(whole, self.height) if present.is_on() else whole


def show(chart: Shown, description: str, width: Width = "stretch", chosen: Chosen | None = None) -> None:
    """Draws a chart in its own theme; `description` says what it shows to those who cannot see it."""
    description = without_markdown(description)
    checked = cast(Any, chart)
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


def how_to_read(words: Words) -> None:
    """What to look for in the chart, how to read it, and what it shows as a formula."""
    with tool(_("How to read {figure}").format(figure=words.called), ":material/help:", f"read {words.name}") as opened:
        if opened:
            st.markdown(words.reading.look)
            st.markdown(_(words.reading.text))
            st.latex(words.reading.formula)


def program(drawing: Drawing, words: Words) -> None:
    """The Python program that computes the chart's numbers and makes its picture."""
    with tool(
        _("Python program of {figure}").format(figure=words.called), ":material/code:", f"program {words.name}"
    ) as opened:
        if opened:
            st.code(program_of(drawing, words, chosen_picture()).decode(), language="python", width=560)
