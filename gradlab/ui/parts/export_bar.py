"""Under every chart: take it home as a picture, its numbers as a table, its settings as JSON or a Python program.

Files are made when asked for, not at every run: a download button holds a function, and Streamlit calls it then.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from gradlab.exports import PICTURES, SETTINGS, TABLES, TRACES, Format, file_name
from gradlab.settings.experiment import Experiment
from gradlab.ui.cached import MOST_CELLS, MOST_ROWS

SCALES = (1, 2, 3, 4)
EVERY_ROW = (
    "drawn from every row, not from those that the screen shows, which takes seconds for a long trace. Lines of more "
    f"than {MOST_ROWS:,} rows are thinned with their extremes kept; maps of many more than {MOST_CELLS:,} cells "
    "average neighbouring steps"
)


def export_bar(
    chart: Any,
    table: Callable[[], pd.DataFrame],
    experiments: Sequence[Experiment],
    subject: str,
    title: str = "",
    subtitle: str = "",
    rows: Callable[[], pd.DataFrame] | None = None,
    made: str = TRACES,
) -> None:
    """A button that opens all formats of one chart. `table` makes the rows of its CSV: all, not the thinned ones.

    Where the page's chart is thinned, `chart` is the function that draws it, and `rows` makes what it draws in files.
    `made` is the same table as a Python expression of `experiments` (gradlab.ui.made has one for every kind of chart).
    """
    heading = {"title": title, "subtitle": subtitle, "made": made}
    with st.popover(f"Export {subject}", key=f"export {subject}"):
        scale = st.segmented_control("Scale of the PNG", SCALES, default=2, required=True, key=f"scale {subject}") or 2
        button = partial(_button, subject, experiments)
        for label, kinds in (("Picture", PICTURES), ("Numbers", TABLES), ("Settings", SETTINGS)):
            st.caption(f"{label}: {EVERY_ROW}" if rows and kinds is PICTURES else label)
            with st.container(horizontal=True, gap="small"):
                for name, kind in kinds.items():
                    if kinds is PICTURES:
                        scaled = {"scale": scale} if name == "PNG" else {}
                        button(name, kind, partial(_picture, kind, chart, rows, experiments, **heading, **scaled))
                    elif kinds is TABLES:
                        button(name, kind, partial(_table, kind, table, experiments, made))
                    elif experiments or name == "Python":
                        button(name, kind, partial(kind.write, experiments, made))


def _picture(
    kind: Format, chart: Any, rows: Callable[[], pd.DataFrame] | None, experiments: Sequence[Experiment], **options: Any
) -> bytes:
    return kind.write(chart(rows()) if rows else chart, experiments, **options)


def _table(kind: Format, table: Callable[[], pd.DataFrame], experiments: Sequence[Experiment], made: str) -> bytes:
    return kind.write(table(), experiments, made)


def _button(
    subject: str, experiments: Sequence[Experiment], name: str, kind: Format, make: Callable[[], bytes]
) -> None:
    target = file_name(experiments, subject, kind.extension)
    key = f"{name} {subject}"
    st.download_button(name, make, target, kind.mime, key=key, help=f"Download {name}", on_click="ignore")
