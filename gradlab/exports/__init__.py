"""Taking results home: a chart, a table or the settings as a file of bytes, complete without the app or a network.

    save       a chart as a file, in any of the formats: save(chart, "figure.pdf", experiments, width=3.25, font_size=8)
    PICTURES   name → Format whose write(chart, subjects, *, code, title, subtitle, note, layout) gives bytes
    TABLES     name → Format whose write(table, subjects, code) gives bytes
    SETTINGS   name → Format whose write(subjects, code, picture) gives bytes

`code` says how the numbers are computed, as a Python expression of `experiments`; it is the program's last line.

Every file carries `record(subjects, code)` (settings with their seed, the expression, and versions) where its kind
has a place for it: PNG a tEXt chunk, SVG <metadata>, PDF the document information, HTML a JSON script, Vega-Lite
`usermeta`, Parquet the file's metadata. CSV has none and stays plain. Nothing in a file depends on the clock: the same
call gives the same bytes, but for PDF, which lists its resources in any order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gradlab.exports.layout import COLUMN, LABEL_POINTS, PAGE, PIXELS, SCREEN, Layout
from gradlab.exports.pictures import html, pdf, png, specification, svg, vega_lite
from gradlab.exports.record import TRACES, experiments_code, python_code, record, settings_json
from gradlab.exports.tables import csv, parquet
from gradlab.settings.subject import Subject
from gradlab.words.subjects import settings_line

__all__ = [
    "COLUMN",
    "LABEL_POINTS",
    "PAGE",
    "PICTURES",
    "SCREEN",
    "SETTINGS",
    "TABLES",
    "TRACES",
    "Format",
    "Layout",
    "csv",
    "experiments_code",
    "file_name",
    "html",
    "parquet",
    "pdf",
    "png",
    "python_code",
    "record",
    "save",
    "settings_json",
    "settings_line",
    "specification",
    "svg",
    "vega_lite",
]


class Format(NamedTuple):
    """One kind of file."""

    extension: str
    mime: str
    write: Callable[..., bytes]


PICTURES = {
    "PNG": Format(".png", "image/png", png),
    "SVG": Format(".svg", "image/svg+xml", svg),
    "PDF": Format(".pdf", "application/pdf", pdf),
    "HTML": Format(".html", "text/html", html),
    "Vega-Lite": Format(".vl.json", "application/json", vega_lite),
}
TABLES = {
    "CSV": Format(".csv", "text/csv", lambda table, subjects=(), code=TRACES: csv(table)),
    "Parquet": Format(".parquet", "application/vnd.apache.parquet", parquet),
}
SETTINGS = {
    "JSON": Format(".json", "application/json", lambda subjects, code=TRACES, picture="": settings_json(subjects)),
    "Python": Format(".py", "text/x-python", python_code),
}


def save(
    chart: Any,
    path: str | Path,
    subjects: Sequence[Subject] = (),
    *,
    code: str = TRACES,
    title: str = "",
    subtitle: str = "",
    note: str | None = None,
    width: float = SCREEN,
    font_size: float = LABEL_POINTS,
    dpi: float = 2 * PIXELS,
    heading: bool = True,
    powers: bool = True,
) -> Path:
    """Writes a chart as a file whose name's ending says its kind: .png, .svg, .pdf, .html or .vl.json.

    subjects    what it shows, and `code` how its table was computed: kept in the file, with every setting
    note        a line below the picture; None for what differs from the default settings, "" for none
    width       inches: 3.25 for a column, 6.75 for a page. `font_size` in points, `dpi` of a PNG
    heading     whether title and subtitle stand above the plot; `powers` whether ticks are 10⁻⁵ and not 1e-5

    Gives the path. Raises ValueError for an ending or a value that is not allowed.
    """
    target = Path(path)
    kind = next((kind for kind in PICTURES.values() if target.name.endswith(kind.extension)), None)
    if kind is None:
        endings = ", ".join(kind.extension for kind in PICTURES.values())
        raise ValueError(f"path = {str(path)!r} does not say which kind of picture: use a name that ends in {endings}")
    layout = Layout(width, font_size, dpi, heading, powers)
    below = settings_line(subjects) if note is None else note
    options: dict[str, Any] = {"code": code, "title": title, "subtitle": subtitle, "note": below, "layout": layout}
    target.write_bytes(kind.write(chart, subjects, **options))
    return target


def file_name(subjects: Sequence[Subject], subject: str, extension: str) -> str:
    """A name that sorts and tells files apart: "gradlab-gradient-flow-rnn-lstm-T200-seed0.png"."""
    cells = list(dict.fromkeys(subject.settings.cell for subject in subjects))
    lengths = sorted({subject.settings.steps for subject in subjects})
    seeds = sorted({subject.settings.seed for subject in subjects})
    parts = ["gradlab", subject, *cells, *(f"T{steps}" for steps in lengths), *(f"seed{seed}" for seed in seeds)]
    return re.sub(r"[^A-Za-z0-9]+", "-", " ".join(parts)).strip("-") + extension
