"""Beside every chart: take it home as a picture, its numbers as a table, its settings as JSON or a Python program.

Files are made when asked for, not at every run: a download button holds a function, and Streamlit calls it then.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import streamlit as st

from gradlab.analyses.call import Question
from gradlab.analyses.parts import blocks
from gradlab.analyses.thinning import CELLS_TAKEN, POINTS_TAKEN, AllRows
from gradlab.exports import (
    COLUMN,
    LABEL_POINTS,
    PAGE,
    PICTURES,
    SCREEN,
    SETTINGS,
    TABLES,
    Format,
    Layout,
    file_name,
    python_code,
    settings_line,
)
from gradlab.exports.converter import NotConverted
from gradlab.exports.layout import LIMITS
from gradlab.ui.ask import every_part
from gradlab.ui.frame import settings
from gradlab.ui.frame.again import run_again, session_id
from gradlab.ui.frame.refusal import refusal
from gradlab.ui.parts.drawing import Drawing
from gradlab.words.how_to_read import Words
from gradlab.words.languages import N_, _, speaking
from gradlab.words.letters import without_markdown

WIDTHS = {N_("screen"): SCREEN, "3.25 in": COLUMN, "6.75 in": PAGE}  # a screen's; a column and a page of a paper
DPI = (96, 150, 192, 300, 600)
PAPER = {"picture_font": 8.0, "picture_dpi": 300}  # what papers ask for, chosen with their widths
LIGHT, DARK = N_("light"), N_("dark")
GROUPS = ((N_("Picture"), PICTURES), (N_("Numbers"), TABLES), (N_("Settings"), SETTINGS))
EVERY_ROW = N_(
    "Drawn from every row, not from those that the screen shows, which takes seconds for a long trace. Lines of more "
    "than {points} rows are thinned with their extremes kept; maps of many more than {cells} cells average "
    "neighbouring steps."
)


@contextmanager
def tool(name: str, icon: str, key: str) -> Iterator[bool]:
    """A popover behind an icon, whose name screen readers and the pointer's hint have; gives whether it is open."""
    popover = st.popover(name, key=key, icon=icon, type="tertiary", help=name, on_change="rerun")
    with popover:
        yield bool(popover.open)


class Picture(NamedTuple):
    """How pictures that leave the screen are drawn; one choice for every chart of a session."""

    layout: Layout
    dark: bool
    note: bool  # whether the settings stand below


def chosen_picture() -> Picture:
    """The choice as the last export popover left it."""
    chosen = _choices()
    layout = Layout(
        WIDTHS[chosen["picture_width"]],
        chosen["picture_font"],
        chosen["picture_dpi"],
        chosen["picture_heading"],
        chosen["picture_powers"],
    )
    return Picture(layout, chosen["picture_theme"] == DARK, chosen["picture_note"])


def _choices() -> dict[str, Any]:
    if "picture" not in st.session_state:
        st.session_state["picture"] = {
            "picture_width": "screen", "picture_font": LABEL_POINTS, "picture_dpi": 192, "picture_heading": True,
            "picture_note": True, "picture_powers": True, "picture_theme": DARK if settings.dark() else LIGHT,
        }  # fmt: skip
    return st.session_state["picture"]


def _choose(name: str) -> Picture:
    """The choice, asked for in a figure's popover."""
    kept = _choices()
    for choice, value in kept.items():
        st.session_state[f"{choice} {name}"] = value

    def take(choice: str) -> None:
        kept[choice] = st.session_state[f"{choice} {name}"]
        if choice == "picture_width":
            is_paper = kept[choice] != "screen"
            kept.update(PAPER if is_paper else {"picture_font": LABEL_POINTS, "picture_dpi": 192})

    def call(choice: str) -> dict[str, Any]:
        return {"key": f"{choice} {name}", "on_change": take, "args": (choice,)}

    low, high = LIMITS["font_size"][:2]
    with st.container(horizontal=True):
        st.segmented_control(
            _("Width"), list(WIDTHS), required=True, width="content", format_func=_, **call("picture_width")
        )
        st.number_input(_("Font (pt)"), low, high, step=0.5, format="%.1f", width=130, **call("picture_font"))
        st.selectbox(_("PNG: dots per inch"), DPI, width=130, **call("picture_dpi"))
        st.segmented_control(
            _("Theme"), (LIGHT, DARK), required=True, width="content", format_func=_, **call("picture_theme")
        )
    with st.container(horizontal=True):
        st.toggle(_("Title"), width="content", **call("picture_heading"))
        help_text = _("Network, size, length, seed and what is not at its default, below the plot.")
        st.toggle(_("Settings"), help=help_text, width="content", **call("picture_note"))
        st.toggle(_("Powers as 10⁻⁵"), help=_("Else 1e-5."), width="content", **call("picture_powers"))
    return chosen_picture()


def export_bar(drawing: Drawing, words: Words) -> None:
    """A button that opens all formats of one chart: of every row, not of those that the screen shows."""
    question = drawing.question
    subjects, code = question.subjects, question.code
    failed: dict[str, str] = st.session_state.setdefault("failed exports", {})  # name of the figure → sentence
    with tool(
        _("Export {figure}").format(figure=words.called), ":material/download:", f"export {words.name}"
    ) as opened:
        if not opened:
            return
        if words.name in failed:
            refusal(_("This file could not be made"), failed.pop(words.name))
        is_reduced = not isinstance(drawing.reduction, AllRows)
        pictures, picture = st.container(gap="small"), _choose(words.name)
        for label, kinds in GROUPS:
            place = pictures if kinds is PICTURES else st.container(gap="small")
            about = _(EVERY_ROW).format(points=f"{POINTS_TAKEN:,}", cells=f"{CELLS_TAKEN:,}")
            place.caption(_(label), help=about if is_reduced and kinds is PICTURES else None)
            with place.container(horizontal=True, gap="small"):
                for name, kind in kinds.items():
                    if kinds is PICTURES:
                        make = partial(picture_of, kind, drawing, words, picture)
                    elif kinds is TABLES:
                        make = partial(_table, kind, question)
                    elif name == "Python":
                        make = partial(program_of, drawing, words, picture)
                    elif subjects:
                        make = partial(kind.write, subjects, code)
                    else:
                        continue
                    target = file_name(subjects, words.name, kind.extension)
                    key, help_text = f"{name} {words.name}", _("Download {name}").format(name=name)
                    make = partial(_told, make, words.name, failed, session_id(), drawing.language)
                    st.download_button(name, make, target, kind.mime, key=key, help=help_text, on_click="ignore")


def picture_of(kind: Format, drawing: Drawing, words: Words, picture: Picture) -> bytes:
    """One chart's picture as a file."""
    title, subtitle = words.title, without_markdown(words.sentence)
    with speaking(drawing.language):
        note = settings_line(drawing.question.subjects) if picture.note else ""
        options = {"code": drawing.question.code, "title": title, "subtitle": subtitle, "note": note}
        chart, subjects = drawing.picture(picture.dark), drawing.question.subjects
        return kind.write(chart, subjects, **options, layout=picture.layout)


def program_of(drawing: Drawing, words: Words, picture: Picture) -> bytes:
    """The Python program that computes one chart's table and makes its PNG, the same file as the button's."""
    subjects, code = drawing.question.subjects, drawing.question.code
    options = {"code": code, "title": words.title, "subtitle": without_markdown(words.sentence)}
    with speaking(drawing.language):
        options["note"] = settings_line(subjects) if picture.note else ""
    written = "".join(f"    {name}={value!r},\n" for name, value in options.items())
    written += f"    {picture.layout.changes},\n" if picture.layout.changes else ""
    target = file_name(subjects, words.name, PICTURES["PNG"].extension)
    listed = "experiments" if subjects else "[]"
    save = f"gradlab.exports.save(  # a name that ends in .pdf or .svg makes that\n    chart, {target!r}, {listed},\n"
    return python_code(subjects, code, f"{drawing.code(picture.dark)}\n{save}{written})")


def _told(make: Callable[[], bytes], name: str, failed: dict[str, str], session: str, language: str) -> bytes:
    """What a button downloads; where it cannot be made, the page is run again to say why: Streamlit does not."""
    try:
        with speaking(language):
            return make()
    except (ValueError, NotConverted) as error:
        failed[name] = str(error)
        run_again(session)
        raise


def _table(kind: Format, question: Question) -> bytes:
    return kind.write(blocks(every_part(question)), question.subjects, question.code)
