"""Taking results home: a chart, a table or the settings as a file of bytes, complete without the app or a network.

    PICTURES   name → Format whose write(chart, subjects, *, code, title, subtitle, width, height, scale) gives bytes
    TABLES     name → Format whose write(table, subjects, code) gives bytes
    SETTINGS   name → Format whose write(subjects, code) gives bytes

`code` says how the numbers are computed, as a Python expression of `experiments`; it is the program's last line.

Every file carries `record(subjects, code)` (settings with their seed, the expression, and versions) where its kind
has a place for it: PNG a tEXt chunk, SVG <metadata>, PDF the document information, HTML a JSON script, Vega-Lite
`usermeta`, Parquet the file's metadata. CSV has none and stays plain. Nothing in a file depends on the clock: the same
call gives the same bytes, but for PDF, which lists its resources in any order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from gradlab.exports.pictures import html, pdf, png, specification, svg, vega_lite
from gradlab.exports.record import TRACES, python_code, record, settings_json
from gradlab.exports.tables import csv, parquet
from gradlab.settings.subject import Subject

__all__ = [
    "PICTURES",
    "SETTINGS",
    "TABLES",
    "TRACES",
    "Format",
    "csv",
    "file_name",
    "html",
    "parquet",
    "pdf",
    "png",
    "python_code",
    "record",
    "settings_json",
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
    "JSON": Format(".json", "application/json", lambda subjects, code=TRACES: settings_json(subjects)),
    "Python": Format(".py", "text/x-python", python_code),
}


def file_name(subjects: Sequence[Subject], subject: str, extension: str) -> str:
    """A name that sorts and tells files apart: "gradlab-gradient-flow-rnn-lstm-T200-seed0.png"."""
    cells = list(dict.fromkeys(subject.settings.cell for subject in subjects))
    lengths = sorted({subject.settings.steps for subject in subjects})
    seeds = sorted({subject.settings.seed for subject in subjects})
    parts = ["gradlab", subject, *cells, *(f"T{steps}" for steps in lengths), *(f"seed{seed}" for seed in seeds)]
    return re.sub(r"[^A-Za-z0-9]+", "-", " ".join(parts)).strip("-") + extension
