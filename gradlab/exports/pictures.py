"""Charts as files: static pictures, and an interactive page or document."""

from __future__ import annotations

import functools
import html as html_module
import json
import re
import string
import struct
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import altair as alt
import pandas as pd

from gradlab.exports.converter import CONVERTER
from gradlab.exports.layout import SCREEN_PIXELS, Layout
from gradlab.exports.record import TRACES, one_line, record
from gradlab.exports.sheet import FONT, Sheet, sheet, wrapped
from gradlab.settings.subject import Subject
from gradlab.words.languages import current
from gradlab.words.letters import printable
from gradlab.words.numbers import PLAIN_POWER_LABEL, POWER_LABEL, plain

SCREEN_LAYOUT = Layout()
POINTER = "pointer"  # the charts' style of marks that are seen only under the pointer
TITLE_LINE, SUBTITLE_LINE = 21, 18  # pixels a line of a chart's heading needs
TITLE_SIZE, SUBTITLE_SIZE = 16.5, 13  # pixels of its type; the title's is bold, and so wider
LEGEND_LINE = 17  # pixels
TALLEST = 0.9  # of the width of a picture that is narrower than the screen's
TALL = "tall"  # in a chart's usermeta: it keeps its height however narrow it is
CREATED = "gradlab"


def specification(
    chart: Any,
    subjects: Sequence[Subject] = (),
    *,
    code: str = TRACES,
    title: str = "",
    subtitle: str = "",
    note: str = "",
    layout: Layout = SCREEN_LAYOUT,
) -> dict[str, Any]:
    """The chart as a Vega-Lite document with all its rows, the record in `usermeta`, and a heading that fits its width.

    `title` and `subtitle` take the place of the chart's own where given; `note` stands below them. The document's width
    is the layout's in the chart's own pixels. No row limit holds, and Altair's global data transformer, which other
    threads may be using, is not touched.
    """
    tables: dict[int, pd.DataFrame] = {}
    spec = _named(chart, tables).to_dict()
    spec["datasets"] = {f"table{n}": alt.to_values(table)["values"] for n, table in enumerate(tables.values())}
    is_tall = spec.get("usermeta", {}).pop(TALL, False)
    has_own_width, height = isinstance(spec.get("width"), int), spec.get("height", 300)
    if not has_own_width:
        spec["width"] = layout.chart_width
        tallest = round(TALLEST * spec["width"]) + _legend_room(spec)
        height = min(height, tallest) if spec["width"] < SCREEN_PIXELS and not is_tall else height
    spec["height"] = height
    chart_title = spec.pop("title", {})
    chart_title = chart_title if isinstance(chart_title, dict) else {"text": chart_title}
    heading = {key: text or _joined(chart_title.get(key)) for key, text in (("text", title), ("subtitle", subtitle))}
    spec["description"] = ". ".join(part.rstrip(".") for part in heading.values() if part) + "."
    below = [part for part in (heading["subtitle"] if layout.heading else "", note) if part]
    if not layout.heading:
        heading["text"] = ""
    if heading["text"] or below:
        grows = spec.get("autosize") != "pad"  # a chart that takes its room for the heading from its own height
        room = spec["width"] - 24 if grows else spec["width"] + 60
        lines = {
            "text": wrapped(heading["text"], room, TITLE_SIZE),
            "subtitle": [line for part in below for line in wrapped(part, room, SUBTITLE_SIZE)],
        }
        spec["title"] = {**chart_title, "text": lines["text"], "subtitle": lines["subtitle"]}
        if grows:
            spec["height"] += TITLE_LINE * len(lines["text"]) + SUBTITLE_LINE * len(lines["subtitle"])
    spec["usermeta"] = {**spec.get("usermeta", {}), "gradlab": record(subjects, code)}
    spec["background"] = spec["usermeta"].pop("paper", "white")
    return spec


class Drawn(NamedTuple):
    """A still picture before it becomes a file."""

    sheet: Sheet
    title: str
    subtitle: str
    meta: dict[str, Any]


def _legend_room(spec: dict[str, Any]) -> int:
    """Pixels that a legend of colours needs beyond its first two rows."""
    colours = [layer.get("encoding", {}).get("color", {}) for layer in spec.get("layer", [])]
    legends = [(colour["scale"]["domain"], colour["legend"]) for colour in colours if colour.get("legend")]
    rows = [-(-len(names) // legend["columns"]) for names, legend in legends if "columns" in legend]
    return LEGEND_LINE * max(0, max(rows, default=0) - 2)


def _drawn(kind: str, chart: Any, subjects: Sequence[Subject], layout: Layout, note: str, **options: Any) -> Drawn:
    """The picture that PNG, SVG and PDF have in common; `kind` names the file in errors."""
    spec = specification(chart, subjects, layout=layout, **options)
    heading, ink = spec.get("title", {}), spec.get("config", {}).get("title", {}).get("subtitleColor", "gray")
    document = {key: value for key, value in _still(spec).items() if key != "usermeta"}
    drawing = CONVERTER.convert(kind, "vegalite_to_svg", vl_spec=document, allowed_base_urls=[]).decode()
    page = sheet(drawing, layout, printable(note), spec["background"], ink)
    own = {"title": " ".join(heading.get("text", [])), "subtitle": " ".join(heading.get("subtitle", []))}
    title, subtitle = (printable(plain(options.get(key) or own[key])) for key in own)
    return Drawn(page, title, subtitle, spec["usermeta"])


def png(
    chart: Any, subjects: Sequence[Subject] = (), *, layout: Layout = SCREEN_LAYOUT, note: str = "", **options: Any
) -> bytes:
    """PNG of the layout's width and dots an inch; `options` as of `specification`."""
    drawn = _drawn("PNG", chart, subjects, layout, note, **options)
    width, height = drawn.sheet.pixels(layout)
    data = CONVERTER.convert("PNG", "svg_to_png", svg=drawn.sheet.document((str(width), str(height))))
    dots = round(layout.dpi / 0.0254)
    text = b"gradlab\0" + one_line(drawn.meta["gradlab"]).encode("ascii")
    added = _chunk(b"pHYs", struct.pack(">IIB", dots, dots, 1)) + _chunk(b"tEXt", text)
    after_header = 8 + 4 + 4 + 13 + 4  # signature; length, type, data and checksum of IHDR, which comes first
    return data[:after_header] + added + _without_chunk(b"pHYs", data[after_header:])


def _chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG (ISO/IEC 15948)."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _without_chunk(kind: bytes, chunks: bytes) -> bytes:
    """Chunks of a PNG without one that comes before the image, if it is there."""
    at = 0
    while chunks[at + 4 : at + 8] not in (kind, b"IDAT"):
        at += 12 + struct.unpack(">I", chunks[at : at + 4])[0]
    if chunks[at + 4 : at + 8] == b"IDAT":
        return chunks
    return chunks[:at] + chunks[at + 12 + struct.unpack(">I", chunks[at : at + 4])[0] :]


def svg(
    chart: Any, subjects: Sequence[Subject] = (), *, layout: Layout = SCREEN_LAYOUT, note: str = "", **options: Any
) -> bytes:
    """SVG whose text stays text; `options` as of `specification`."""
    drawn = _drawn("SVG", chart, subjects, layout, note, **options)
    elements = {"title": drawn.title, "desc": drawn.subtitle, "metadata": one_line(drawn.meta)}
    head = "".join(f"<{tag}>{html_module.escape(text)}</{tag}>" for tag, text in elements.items() if text)
    return drawn.sheet.document(drawn.sheet.inches(layout), head).encode()


def pdf(
    chart: Any, subjects: Sequence[Subject] = (), *, layout: Layout = SCREEN_LAYOUT, note: str = "", **options: Any
) -> bytes:
    """PDF with its fonts inside; `options` as of `specification`.

    The record goes in by an incremental update (ISO 32000-1, 7.5.6): a new information dictionary behind the file.
    """
    drawn = _drawn("PDF", chart, subjects, layout, note, **options)
    data = CONVERTER.convert("PDF", "svg_to_pdf", svg=drawn.sheet.document(drawn.sheet.points(layout)))
    end = re.search(rb"/Size (\d+)\s+/Root (\d+ 0 R)\s+/Info (\d+) 0 R\s+>>\s+startxref\s+(\d+)\s+%%EOF\s*$", data)
    if end is None:
        raise ValueError("the PDF ends in no trailer that an incremental update could follow")
    size, root, info, previous = end.groups()
    title = drawn.title or CREATED
    entries = {b"Title": title, b"Subject": one_line(drawn.meta["gradlab"]), b"Creator": CREATED}
    written = b" ".join(b"/%s <%s>" % (key, _utf16(text)) for key, text in entries.items())
    start = data if data.endswith(b"\n") else data + b"\n"
    update = b"%s 0 obj\n<< %s >>\nendobj\n" % (info, written)
    table = b"xref\n0 1\n0000000000 65535 f\r\n%s 1\n%010d 00000 n\r\n" % (info, len(start))
    trailer = b"trailer\n<< /Size %s /Root %s /Info %s 0 R /Prev %s >>\n" % (size, root, info, previous)
    return start + update + table + trailer + b"startxref\n%d\n%%%%EOF\n" % (len(start) + len(update))


def vega_lite(chart: Any, subjects: Sequence[Subject] = (), **options: Any) -> bytes:
    """The Vega-Lite document, with its data and the record, in the chart's own pixels; `options` as of
    `specification`."""
    return json.dumps(specification(chart, subjects, **options), indent=1, ensure_ascii=False).encode()


def html(chart: Any, subjects: Sequence[Subject] = (), *, note: str = "", **options: Any) -> bytes:
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
        language=current(),
        subtitle=subtitle,
        note=html_module.escape(note),
        paper=spec["background"],
        ink=config.get("title", {}).get("color", "black"),
        font=config.get("font", "sans-serif"),
        record=one_line(spec["usermeta"]["gradlab"]).replace("<", "\\u003c"),
        spec=json.dumps(spec).replace("<", "\\u003c"),
        scripts=_scripts(),
    )
    return page.encode()


PAGE = """<!DOCTYPE html>
<html lang="$language">
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
<p>$note</p>
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
    """The document as a still picture holds it: no marks for a pointer, and texts that its font can write."""
    font = spec.get("config", {}).get("font") or FONT
    return _in_plain_text(_without_pointer(spec), font) | {"usermeta": spec["usermeta"]}  # the record stays as it is


def _in_plain_text(part: Any, font: str) -> Any:
    """A part of a document in the pictures' font instead of another, with its numbers in e-notation, as few fonts hold
    superscripts, and no character that XML forbids, at which vl-convert would end its process."""
    if isinstance(part, dict):
        return {key: _in_plain_text(value, font) for key, value in part.items()}
    if isinstance(part, list):
        return [_in_plain_text(value, font) for value in part]
    if isinstance(part, str):
        return FONT if part == font else printable(plain(part).replace(POWER_LABEL, PLAIN_POWER_LABEL))
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


def _utf16(text: str) -> bytes:
    return ("\ufeff" + text).encode("utf-16-be").hex().upper().encode()
