"""Charts as files: static pictures, and an interactive page or document."""

from __future__ import annotations

import functools
import html as html_module
import json
import re
import string
import struct
import unicodedata
import zlib
from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from gradlab.exports.converter import CONVERTER
from gradlab.exports.record import TRACES, one_line, record
from gradlab.settings.subject import Subject
from gradlab.words.letters import printable
from gradlab.words.numbers import PLAIN_POWER_LABEL, POWER_LABEL, plain

WIDTH = 900  # pixels, where a chart takes its width from its surroundings
POINTER = "pointer"  # the charts' style of marks that are seen only under the pointer
TITLE_LINE, SUBTITLE_LINE = 21, 18  # pixels a line of a chart's heading needs


def specification(
    chart: Any,
    subjects: Sequence[Subject] = (),
    *,
    code: str = TRACES,
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
    chart_title = spec.pop("title", {})
    chart_title = chart_title if isinstance(chart_title, dict) else {"text": chart_title}
    heading = {key: text or _joined(chart_title.get(key)) for key, text in (("text", title), ("subtitle", subtitle))}
    if any(heading.values()):
        grows = spec.get("autosize") != "pad"  # a chart that takes its room for the heading from its own height
        room = spec["width"] - 24 if grows else spec["width"] + 60
        lines = {"text": _wrapped(heading["text"], room / 8.6), "subtitle": _wrapped(heading["subtitle"], room / 6.9)}
        spec["title"] = {**chart_title, **{key: broken for key, broken in lines.items() if broken}}
        if grows:
            spec["height"] += TITLE_LINE * len(lines["text"]) + SUBTITLE_LINE * len(lines["subtitle"])
        spec["description"] = ". ".join(part.rstrip(".") for part in heading.values() if part) + "."
    spec["usermeta"] = {**spec.get("usermeta", {}), "gradlab": record(subjects, code)}
    spec["background"] = spec["usermeta"].pop("paper", "white")
    return spec


def png(chart: Any, subjects: Sequence[Subject] = (), *, scale: float = 2.0, **options: Any) -> bytes:
    """PNG, `scale` pixels of the picture for each pixel of the chart; `options` as of `specification`."""
    spec = _still(specification(chart, subjects, **options))
    data = _converted("png", spec, scale=scale)
    text = b"gradlab\0" + one_line(spec["usermeta"]["gradlab"]).encode("ascii")
    chunk = struct.pack(">I", len(text)) + b"tEXt" + text + struct.pack(">I", zlib.crc32(b"tEXt" + text))
    after_header = 8 + 4 + 4 + 13 + 4  # signature; length, type, data and checksum of IHDR, which comes first
    return data[:after_header] + chunk + data[after_header:]


def svg(chart: Any, subjects: Sequence[Subject] = (), **options: Any) -> bytes:
    """SVG whose text stays text; `options` as of `specification`."""
    spec = _still(specification(chart, subjects, **options))
    drawing = _converted("svg", spec).decode()
    title, subtitle = (" ".join(spec.get("title", {}).get(key, [])) for key in ("text", "subtitle"))
    elements = {"title": title, "desc": subtitle, "metadata": one_line(spec["usermeta"])}
    inside = "".join(f"<{tag}>{html_module.escape(text)}</{tag}>" for tag, text in elements.items() if text)
    head, rest = drawing.split(">", 1)
    return f"{head}>{inside}{rest}".encode()


def pdf(chart: Any, subjects: Sequence[Subject] = (), **options: Any) -> bytes:
    """PDF with its fonts inside; `options` as of `specification`.

    The record goes in by an incremental update (ISO 32000-1, 7.5.6): a new information dictionary behind the file.
    """
    spec = _still(specification(chart, subjects, **options))
    data = _converted("pdf", spec)
    end = re.search(rb"/Size (\d+)\s+/Root (\d+ 0 R)\s+/Info (\d+) 0 R\s+>>\s+startxref\s+(\d+)\s+%%EOF\s*$", data)
    if end is None:
        raise ValueError("the PDF ends in no trailer that an incremental update could follow")
    size, root, info, previous = end.groups()
    title = " ".join(spec.get("title", {}).get("text", [])) or "gradlab"
    entries = {b"Title": title, b"Subject": one_line(spec["usermeta"]["gradlab"]), b"Creator": "gradlab"}
    written = b" ".join(b"/%s <%s>" % (key, _utf16(text)) for key, text in entries.items())
    start = data if data.endswith(b"\n") else data + b"\n"
    update = b"%s 0 obj\n<< %s >>\nendobj\n" % (info, written)
    table = b"xref\n0 1\n0000000000 65535 f\r\n%s 1\n%010d 00000 n\r\n" % (info, len(start))
    trailer = b"trailer\n<< /Size %s /Root %s /Info %s 0 R /Prev %s >>\n" % (size, root, info, previous)
    return start + update + table + trailer + b"startxref\n%d\n%%%%EOF\n" % (len(start) + len(update))


def vega_lite(chart: Any, subjects: Sequence[Subject] = (), **options: Any) -> bytes:
    """The Vega-Lite document, with its data and the record; `options` as of `specification`."""
    return json.dumps(specification(chart, subjects, **options), indent=1, ensure_ascii=False).encode()


def html(chart: Any, subjects: Sequence[Subject] = (), **options: Any) -> bytes:
    """A page that draws the chart as wide as the window, with hover and legends, from the scripts it carries.

    Its content security policy forbids every request; `options` as of `specification`.
    """
    spec = specification(chart, subjects, **options)
    heading = spec.pop("title", {})
    title, subtitle = (html_module.escape(" ".join(heading.get(key, []))) for key in ("text", "subtitle"))
    config = spec.get("config", {})
    if chart.width == "container":
        spec["width"] = "container"
    # "<" is written as an escape, so that no text in the data can end the script.
    page = string.Template(PAGE).substitute(
        title=title or "gradlab",
        subtitle=subtitle,
        paper=spec["background"],
        ink=config.get("title", {}).get("color", "black"),
        font=config.get("font", "sans-serif"),
        record=one_line(spec["usermeta"]["gradlab"]).replace("<", "\\u003c"),
        spec=json.dumps(spec).replace("<", "\\u003c"),
        scripts=_scripts(),
    )
    return page.encode()


PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:;
 script-src 'unsafe-inline' 'unsafe-eval'">
<title>$title</title>
<style>
body { margin: 1.5rem auto; max-width: 75rem; padding: 0 1rem; background: $paper; color: $ink; font-family: $font; }
h1 { font-size: 1.25rem; margin: 0; } p { margin: .25rem 0 1rem; opacity: .8; } #chart { width: 100%; }
</style>
</head>
<body>
<h1>$title</h1>
<p>$subtitle</p>
<div id="chart"></div>
<script type="application/json" id="gradlab">$record</script>
<script type="application/json" id="spec">$spec</script>
<script>$scripts</script>
<script>vegaEmbed("#chart", JSON.parse(document.getElementById("spec").textContent));</script>
</body>
</html>
"""


@functools.cache
def _scripts() -> str:
    return CONVERTER.convert("HTML page", "javascript_bundle").decode()


def _converted(kind: str, spec: dict[str, Any], **options: Any) -> bytes:
    """The document as a file of the kind "png", "svg" or "pdf"; nothing in it is fetched."""
    drawn = {key: value for key, value in spec.items() if key != "usermeta"}
    return CONVERTER.convert(kind.upper(), f"vegalite_to_{kind}", vl_spec=drawn, allowed_base_urls=[], **options)


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
    """The document as a still picture holds it: no marks for a pointer, and numbers that every font can write."""
    return _in_plain_text(_without_pointer(spec)) | {"usermeta": spec["usermeta"]}  # the record stays as it is


def _in_plain_text(part: Any) -> Any:
    """A part of a document with its numbers in e-notation, as few fonts hold superscripts, and no character that XML
    forbids, at which vl-convert would end its process."""
    if isinstance(part, dict):
        return {key: _in_plain_text(value) for key, value in part.items()}
    if isinstance(part, list):
        return [_in_plain_text(value) for value in part]
    if isinstance(part, str):
        return printable(plain(part).replace(POWER_LABEL, PLAIN_POWER_LABEL))
    return part


def _without_pointer(spec: dict[str, Any]) -> dict[str, Any]:
    """The document without what is seen only under a pointer: thousands of invisible marks in a long trace."""
    layers = [layer for layer in spec.get("layer", []) if layer["mark"].get("style") != POINTER]
    if len(layers) == len(spec.get("layer", [])):
        return spec
    left = {layer.get("name") for layer in layers}
    params = [param for param in spec.get("params", []) if left.intersection(param.get("views", left))]
    read = {part["data"].get("name") for part in (spec, *layers) if "data" in part}
    datasets = {name: rows for name, rows in spec["datasets"].items() if name in read}
    return {**spec, "layer": layers, "params": params, "datasets": datasets}


def _joined(text: Any) -> str:
    return " ".join(text) if isinstance(text, list) else text if isinstance(text, str) else ""


def _wrapped(text: str, room: float) -> list[str]:
    """Lines of at most `room` Latin letters; East Asian letters count twice."""
    lines: list[str] = []
    for word in text.split(" "):  # not at no-break spaces
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and sum(1 + (unicodedata.east_asian_width(letter) in "WF") for letter in longer) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _utf16(text: str) -> bytes:
    return ("\ufeff" + text).encode("utf-16-be").hex().upper().encode()
