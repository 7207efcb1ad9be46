"""Beside every chart: take it home as a picture, its numbers as a table, its settings as JSON or a Python program.

Files are made when asked for, not at every run: a download button holds a function, and Streamlit calls it then.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from gradlab.analyses.call import Question
from gradlab.analyses.thinning import CELLS_TAKEN, POINTS_TAKEN
from gradlab.exports import PICTURES, SETTINGS, TABLES, Format, file_name
from gradlab.exports.converter import NotConverted
from gradlab.ui.frame.again import run_again, session_id
from gradlab.ui.frame.refusal import refusal
from gradlab.words.how_to_read import Words

Tables = Iterable[pd.DataFrame]  # a table's rows, block by block
SCALES = (1, 2, 3, 4)
EVERY_ROW = (
    "drawn from every row, not from those that the screen shows, which takes seconds for a long trace. Lines of more "
    f"than {POINTS_TAKEN:,} rows are thinned with their extremes kept; maps of many more than {CELLS_TAKEN:,} cells "
    "average neighbouring steps"
)


@contextmanager
def tool(name: str, icon: str, key: str) -> Iterator[bool]:
    """A popover behind an icon, whose name screen readers and the pointer's hint have; gives whether it is open."""
    popover = st.popover(name, key=key, icon=icon, type="tertiary", help=name, on_change="rerun")
    with popover:
        yield bool(popover.open)


def export_bar(
    chart: Callable[[], Any], table: Callable[[], Tables], question: Question, words: Words, *, is_reduced: bool
) -> None:
    """A button that opens all formats of one chart; `table` makes the rows of its CSV block by
    block: all, not the thinned ones."""
    subjects, code = question.subjects, question.code
    heading = {"code": code, "title": words.title, "subtitle": words.sentence.replace("**", "")}
    failed: dict[str, str] = st.session_state.setdefault("failed exports", {})  # name of the figure → sentence
    with tool(f"Export {words.name}", ":material/download:", f"export {words.name}") as opened:
        if not opened:
            return
        if words.name in failed:
            refusal("This file could not be made", failed.pop(words.name))
        scale = st.segmented_control("Scale of the PNG", SCALES, default=2, required=True, key=f"scale {words.name}")
        for label, kinds in (("Picture", PICTURES), ("Numbers", TABLES), ("Settings", SETTINGS)):
            st.caption(f"{label}: {EVERY_ROW}" if is_reduced and kinds is PICTURES else label)
            with st.container(horizontal=True, gap="small"):
                for name, kind in kinds.items():
                    if kinds is PICTURES:
                        options = heading | ({"scale": scale or 2} if name == "PNG" else {})
                        make = partial(_picture, kind, chart, subjects, options)
                    elif kinds is TABLES:
                        make = partial(_table, kind, table, subjects, code)
                    elif subjects or name == "Python":
                        make = partial(kind.write, subjects, code)
                    else:
                        continue
                    target = file_name(subjects, words.name, kind.extension)
                    key, help_text = f"{name} {words.name}", f"Download {name}"
                    make = partial(_told, make, words.name, failed, session_id())
                    st.download_button(name, make, target, kind.mime, key=key, help=help_text, on_click="ignore")


def _told(make: Callable[[], bytes], name: str, failed: dict[str, str], session: str) -> bytes:
    """What a button downloads; where it cannot be made, the page is run again to say why: Streamlit does not."""
    try:
        return make()
    except (ValueError, NotConverted) as error:
        failed[name] = str(error)
        run_again(session)
        raise


def _picture(kind: Format, chart: Callable[[], Any], subjects: Any, options: dict[str, Any]) -> bytes:
    return kind.write(chart(), subjects, **options)


def _table(kind: Format, table: Callable[[], Tables], subjects: Any, code: str) -> bytes:
    return kind.write(table(), subjects, code)
