"""Taking results home: a chart, a table or the settings as a file of bytes, complete without the app or a network.

    PICTURES   name → Format whose write(chart, experiments, *, title, subtitle, width, height, scale) gives bytes
    TABLES     name → Format whose write(table, experiments) gives bytes
    SETTINGS   name → Format whose write(experiments) gives bytes

Every file carries `record(experiments)` (settings with their seed, and versions) where its kind has a place for it: PNG
a tEXt chunk, SVG <metadata>, PDF the document information, HTML a JSON script, Vega-Lite `usermeta`, Parquet the file's
metadata. CSV has none and stays plain. Nothing in a file depends on the clock: the same call gives the same bytes.
"""

from __future__ import annotations

import csv as csv_module
import functools
import html as html_module
import io
import json
import platform
import re
import struct
import unicodedata
import zlib
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any, NamedTuple

import altair as alt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import vl_convert

import gradlab
from gradlab.experiment import Experiment

PACKAGES = ("torch", "numpy", "numba", "pandas", "altair", "vl-convert-python")  # whose versions a file names
WIDTH = 900  # pixels, where a chart takes its width from its surroundings
POINTER = "pointer"  # the charts' style of marks that are seen only under the pointer
TITLE_LINE, SUBTITLE_LINE = 21, 18  # pixels a line of a chart's heading needs
Experiments = Sequence[Experiment]


class Format(NamedTuple):
    """One kind of file."""

    extension: str
    mime: str
    write: Callable[..., bytes]


def record(experiments: Experiments) -> dict[str, Any]:
    """What is needed to make the numbers again: every setting, with the seed, and the versions that ran."""
    versions = {"gradlab": gradlab.__version__, "python": platform.python_version()}
    versions |= {name: version(name) for name in PACKAGES}
    return {"experiments": [experiment.model_dump(mode="json") for experiment in experiments], "versions": versions}


def file_name(experiments: Experiments, subject: str, extension: str) -> str:
    """A name that sorts and tells files apart: "gradlab-gradient-flow-rnn-lstm-T200-seed0.png"."""
    cells = list(dict.fromkeys(experiment.cell for experiment in experiments))
    lengths = sorted({experiment.steps for experiment in experiments})
    seeds = sorted({experiment.seed for experiment in experiments})
    parts = ["gradlab", subject, *cells, *(f"T{steps}" for steps in lengths), *(f"seed{seed}" for seed in seeds)]
    return re.sub(r"[^A-Za-z0-9]+", "-", " ".join(parts)).strip("-") + extension


# ---------------------------------------------------------------------------------------------------------- pictures


def specification(
    chart: Any,
    experiments: Experiments = (),
    *,
    title: str = "",
    subtitle: str = "",
    width: int | None = None,
    height: int | None = None,
) -> dict[str, Any]:
    """The chart as a Vega-Lite document with all its rows, the record in `usermeta`, and a heading that fits its width.

    `title` and `subtitle` take the place of the chart's own where given; `width` and `height` are in pixels, the height
    without the heading. No row limit holds, and Altair's global data transformer, which other threads may be using, is
    not touched.
    """
    tables: dict[int, pd.DataFrame] = {}
    spec = _named(chart, tables).to_dict()
    spec["datasets"] = {f"table{n}": alt.to_values(table)["values"] for n, table in enumerate(tables.values())}
    spec["width"] = width or (spec["width"] if isinstance(spec.get("width"), int) else WIDTH)
    spec["height"] = height or spec.get("height", 300)
    own = spec.pop("title", {})
    own = own if isinstance(own, dict) else {"text": own}
    heading = {key: given or _joined(own.get(key)) for key, given in (("text", title), ("subtitle", subtitle))}
    if any(heading.values()):
        room = spec["width"] - 24
        lines = {"text": _wrapped(heading["text"], room / 8.6), "subtitle": _wrapped(heading["subtitle"], room / 6.9)}
        spec["title"] = {**own, **{key: found for key, found in lines.items() if found}}
        spec["height"] += TITLE_LINE * len(lines["text"]) + SUBTITLE_LINE * len(lines["subtitle"])
        spec["description"] = ". ".join(part.rstrip(".") for part in heading.values() if part) + "."
    spec["usermeta"] = {**spec.get("usermeta", {}), "gradlab": record(experiments)}
    return spec


def png(chart: Any, experiments: Experiments = (), *, scale: float = 2.0, **options: Any) -> bytes:
    """PNG, `scale` pixels of the picture for each pixel of the chart; `options` as of `specification`."""
    spec = _still(specification(chart, experiments, **options))
    data = vl_convert.vegalite_to_png(spec, scale=scale, allowed_base_urls=[])
    text = b"gradlab\0" + _json(spec["usermeta"]["gradlab"]).encode("ascii")
    chunk = struct.pack(">I", len(text)) + b"tEXt" + text + struct.pack(">I", zlib.crc32(b"tEXt" + text))
    after_header = 8 + 4 + 4 + 13 + 4  # signature; length, type, data and checksum of IHDR, which comes first
    return data[:after_header] + chunk + data[after_header:]


def svg(chart: Any, experiments: Experiments = (), **options: Any) -> bytes:
    """SVG whose text stays text; `options` as of `specification`."""
    spec = _still(specification(chart, experiments, **options))
    drawing = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    title, subtitle = (" ".join(spec.get("title", {}).get(key, [])) for key in ("text", "subtitle"))
    told = {"title": title, "desc": subtitle, "metadata": _json(spec["usermeta"])}
    inside = "".join(f"<{tag}>{html_module.escape(text)}</{tag}>" for tag, text in told.items() if text)
    head, rest = drawing.split(">", 1)
    return f"{head}>{inside}{rest}".encode()


def pdf(chart: Any, experiments: Experiments = (), **options: Any) -> bytes:
    """PDF with its fonts inside; `options` as of `specification`.

    The record goes in by an incremental update (ISO 32000-1, 7.5.6): a new information dictionary behind the file.
    """
    spec = _still(specification(chart, experiments, **options))
    data = vl_convert.vegalite_to_pdf(spec, allowed_base_urls=[])
    end = re.search(rb"/Size (\d+)\s+/Root (\d+ 0 R)\s+/Info (\d+) 0 R\s+>>\s+startxref\s+(\d+)\s+%%EOF\s*$", data)
    if end is None:
        raise ValueError("the PDF ends in no trailer that an incremental update could follow")
    size, root, info, previous = end.groups()
    title = " ".join(spec.get("title", {}).get("text", [])) or "gradlab"
    entries = {b"Title": title, b"Subject": _json(spec["usermeta"]["gradlab"]), b"Creator": "gradlab"}
    written = b" ".join(b"/%s <%s>" % (key, _utf16(text)) for key, text in entries.items())
    start = data if data.endswith(b"\n") else data + b"\n"
    update = b"%s 0 obj\n<< %s >>\nendobj\n" % (info, written)
    table = b"xref\n%s 1\n%010d 00000 n\r\n" % (info, len(start))
    trailer = b"trailer\n<< /Size %s /Root %s /Info %s 0 R /Prev %s >>\n" % (size, root, info, previous)
    return start + update + table + trailer + b"startxref\n%d\n%%%%EOF\n" % (len(start) + len(update))


def vega_lite(chart: Any, experiments: Experiments = (), **options: Any) -> bytes:
    """The Vega-Lite document, with its data and the record; `options` as of `specification`."""
    return json.dumps(specification(chart, experiments, **options), indent=1, ensure_ascii=False).encode()


def html(chart: Any, experiments: Experiments = (), **options: Any) -> bytes:
    """A page that draws the chart as wide as the window, with hover and legends, from the scripts it carries.

    Its content security policy forbids every request; `options` as of `specification`.
    """
    spec = specification(chart, experiments, **options)
    heading = spec.pop("title", {})
    title, subtitle = (html_module.escape(" ".join(heading.get(key, []))) for key in ("text", "subtitle"))
    config = spec.get("config", {})
    colours = config.get("background", "white"), config.get("title", {}).get("color", "black")
    page = PAGE.replace("{title}", title or "gradlab").replace("{subtitle}", subtitle)
    page = (
        page.replace("{paper}", colours[0])
        .replace("{ink}", colours[1])
        .replace("{font}", config.get("font", "sans-serif"))
    )
    # "<" is written as an escape, so that no text in the data can end the script.
    page = page.replace("{record}", _json(spec["usermeta"]["gradlab"]).replace("<", "\\u003c"))
    page = page.replace(
        "{spec}",
        json.dumps(spec | ({"width": "container"} if chart.width == "container" else {})).replace("<", "\\u003c"),
    )
    return page.replace("{scripts}", _scripts()).encode()


PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:;
 script-src 'unsafe-inline' 'unsafe-eval'">
<title>{title}</title>
<style>
body { margin: 1.5rem auto; max-width: 75rem; padding: 0 1rem; background: {paper}; color: {ink}; font-family: {font}; }
h1 { font-size: 1.25rem; margin: 0; } p { margin: .25rem 0 1rem; opacity: .8; } #chart { width: 100%; }
</style>
</head>
<body>
<h1>{title}</h1>
<p>{subtitle}</p>
<div id="chart"></div>
<script type="application/json" id="gradlab">{record}</script>
<script type="application/json" id="spec">{spec}</script>
<script>{scripts}</script>
<script>vegaEmbed("#chart", JSON.parse(document.getElementById("spec").textContent));</script>
</body>
</html>
"""


@functools.cache
def _scripts() -> str:
    return vl_convert.javascript_bundle()


def _named(chart: Any, tables: dict[int, pd.DataFrame]) -> Any:
    """The chart with a name in place of every table of its layers; `tables` collects them, each once.

    Rows written into a chart are checked against Vega-Lite's schema one by one, which takes seconds for a long trace.
    """
    named = chart.copy(deep=False)
    if isinstance(named.data, pd.DataFrame):
        tables[id(chart.data)] = chart.data
        named.data = alt.NamedData(name=f"table{list(tables).index(id(chart.data))}")
    if isinstance(named, alt.LayerChart):
        named.layer = [_named(layer, tables) for layer in named.layer]
    return named


def _still(spec: dict[str, Any]) -> dict[str, Any]:
    """The document without what is seen only under a pointer: thousands of invisible marks in a long trace."""
    layers = [layer for layer in spec.get("layer", []) if layer["mark"].get("style") != POINTER]
    if len(layers) == len(spec.get("layer", [])):
        return spec
    left = {layer.get("name") for layer in layers}
    params = [param for param in spec.get("params", []) if left.intersection(param.get("views", left))]
    return {**spec, "layer": layers, "params": params}


def _joined(text: Any) -> str:
    return " ".join(text) if isinstance(text, list) else text if isinstance(text, str) else ""


def _wrapped(text: str, room: float) -> list[str]:
    """Lines of at most `room` Latin letters; East Asian letters count twice."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and sum(1 + (unicodedata.east_asian_width(letter) in "WF") for letter in longer) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


def _utf16(text: str) -> bytes:
    return ("\ufeff" + text).encode("utf-16-be").hex().upper().encode()


# ------------------------------------------------------------------------------------------------------------ tables


def csv(table: pd.DataFrame) -> bytes:
    """UTF-8 CSV of every row; numbers as Python's repr, so that they read back to the bit; -inf and nan spelled out.

    Text that a spreadsheet would run as a formula (beginning with = + - @, a tab or a return) gets an apostrophe.
    """
    safe = table.rename(columns=_not_a_formula)
    text = [name for name in safe if not pd.api.types.is_numeric_dtype(safe[name])]
    safe = safe.assign(**{name: safe[name].map(_not_a_formula) for name in text})
    return safe.to_csv(index=False, na_rep="nan", lineterminator="\n", quoting=csv_module.QUOTE_MINIMAL).encode()


def _not_a_formula(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def parquet(table: pd.DataFrame, experiments: Experiments = ()) -> bytes:
    """Parquet of every row, the record under the key `gradlab` of the file's metadata."""
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    arrow = arrow.replace_schema_metadata({**arrow.schema.metadata, b"gradlab": _json(record(experiments)).encode()})
    file = io.BytesIO()
    pq.write_table(arrow, file)
    return file.getvalue()


# ---------------------------------------------------------------------------------------------------------- settings


def settings_json(experiments: Experiments) -> bytes:
    """The Experiment as JSON, which `Experiment.model_validate_json` reads; of several, a list of them."""
    settings = [experiment.model_dump(mode="json") for experiment in experiments]
    return json.dumps(settings[0] if len(settings) == 1 else settings, indent=2, ensure_ascii=False).encode()


def python_code(experiments: Experiments) -> bytes:
    """A Python program that makes the numbers again: it names every setting, so defaults may change later."""
    ran = ", ".join(f"{name} {number}" for name, number in record(experiments)["versions"].items())
    calls = []
    for experiment in experiments:
        settings = ", ".join(f"{name}={value!r}" for name, value in experiment.model_dump().items())
        calls.append(f"    gradlab.Experiment({settings}),\n")
    return (
        f"# Made with {ran}\n"
        "import pandas as pd\n\nimport gradlab\n\n"
        f"experiments = [\n{''.join(calls)}]\n"
        "table = pd.concat([gradlab.trace(experiment).table for experiment in experiments], ignore_index=True)\n"
        "print(table)\n"
    ).encode()


PICTURES = {
    "PNG": Format(".png", "image/png", png),
    "SVG": Format(".svg", "image/svg+xml", svg),
    "PDF": Format(".pdf", "application/pdf", pdf),
    "HTML": Format(".html", "text/html", html),
    "Vega-Lite": Format(".vl.json", "application/json", vega_lite),
}
TABLES = {
    "CSV": Format(".csv", "text/csv", lambda table, experiments=(): csv(table)),
    "Parquet": Format(".parquet", "application/vnd.apache.parquet", parquet),
}
SETTINGS = {
    "JSON": Format(".json", "application/json", settings_json),
    "Python": Format(".py", "text/x-python", python_code),
}
