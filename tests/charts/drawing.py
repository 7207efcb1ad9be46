"""What a chart really draws, read from its scene: every text with the box it fills, and every mark."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import altair as alt
import vl_convert

from gradlab.exports import Layout, specification, svg


class Text(NamedTuple):
    """A text of the picture with its box in pixels; letters are taken to be half as wide as high, lines 1.15 high."""

    role: str
    lines: list[str]
    left: float
    right: float
    top: float
    bottom: float


def texts(chart: Any, width: int, **options: Any) -> tuple[list[Text], int, int]:
    """All visible texts of the chart drawn `width` pixels wide, and the picture's width and height."""
    graph = vl_convert.vegalite_to_scenegraph(specification(chart, layout=Layout(width=width / 96), **options))
    found = list(_texts(graph["scenegraph"], *graph["origin"]))
    return found, graph["width"], graph["height"]


def _texts(mark: dict, x: float, y: float) -> Iterator[Text]:
    for item in mark["items"]:
        left, top = x + item.get("x", 0), y + item.get("y", 0)
        if mark["marktype"] == "group":
            for inner in item.get("items", []):
                yield from _texts(inner, left, top)
        elif mark["marktype"] == "text" and item.get("opacity", 1) > 0:
            yield _text(mark.get("role", "mark"), item, left, top)


def _text(role: str, item: dict, x: float, y: float) -> Text:
    lines = item["text"] if isinstance(item["text"], list) else str(item["text"]).split("\n")
    long, high = max(map(len, lines)) * item["fontSize"] / 2, len(lines) * item["fontSize"] * 1.15
    before = {"left": 0, "right": long, "center": long / 2}[item.get("align") or "left"]
    above = {"top": 0, "line-top": 0, "middle": high / 2}.get(item.get("baseline"), high)
    x, y = x + (item.get("dx") or 0), y + (item.get("dy") or 0)
    if item.get("angle") == -90:
        return Text(role, lines, x, x, y - before, y - before + long)  # only its length is judged
    return Text(role, lines, x - before, x - before + long, y - above, y - above + high)


def axis_labels(chart: Any, width: int) -> list[list[str]]:
    """The labels of every axis that has any."""
    graph = vl_convert.vegalite_to_scenegraph(specification(chart, layout=Layout(width=width / 96)))
    return list(_axis_labels(graph["scenegraph"]))


def _axis_labels(mark: dict) -> Iterator[list[str]]:
    if mark["marktype"] == "text" and mark.get("role") == "axis-label":
        visible = [item["text"] for item in mark["items"] if item.get("opacity", 1) > 0]
        if visible:
            yield visible
    if mark["marktype"] == "group":
        for item in mark["items"]:
            for inner in item.get("items", []):
                yield from _axis_labels(inner)


def swatches(chart: Any, title: str) -> list[dict]:
    """The symbols of the legend of a title, as they are drawn."""
    graph = vl_convert.vegalite_to_scenegraph(specification(chart))
    return next(found for name, found in _legends(graph["scenegraph"]) if name == title)


def _legends(mark: dict) -> Iterator[tuple[str, list[dict]]]:
    for item in mark["items"]:
        if mark.get("role") == "legend":
            (title,) = (text["text"] for text in items(item, role="legend-title"))
            yield title, [*items(item, role="legend-symbol")]
        elif mark["marktype"] == "group":
            for inner in item.get("items", []):
                yield from _legends(inner)


def items(group: dict, kind: str = "", role: str = "mark") -> Iterator[dict]:
    """What is drawn in a group of the scene: of one kind of mark, and with one role."""
    for mark in group.get("items", []):
        for item in mark.get("items", []):
            if mark.get("role", "mark") == role and kind in ("", mark["marktype"]):
                yield item
            yield from items(item, kind, role)


def line_pieces(chart: Any) -> list[int]:
    """Of every line drawn, into how many pieces it falls."""
    paths = re.findall(r'class="mark-line role-mark[^>]*><path[^>]*?\bd="([^"]*)"', svg(chart).decode())
    return [path.count("M") for path in paths]


def layers(chart: Any, mark: str) -> list[Any]:
    """The chart's layers of one kind of mark."""
    return [layer for layer in chart.layer if mark in (layer.mark, getattr(layer.mark, "type", None))]


def strangers(chart: Any) -> set[str]:
    """The columns that a layer's encoding names and its table has not."""
    missing: set[str] = set()
    for layer in chart.layer:
        table = chart.data if layer.data is alt.Undefined else layer.data
        steps = [] if layer.transform is alt.Undefined else layer.transform
        computed = {step["as"] for step in steps if isinstance(step, alt.CalculateTransform)}
        missing |= fields(layer.encoding.to_dict()) - set(table.columns) - computed
    return missing


def fields(encoding: Any) -> set[str]:
    """The columns that a layer's encoding names, written out or in shorthand, in conditions too."""
    if isinstance(encoding, dict):
        own = {encoding["field"]} if isinstance(encoding.get("field"), str) else set()
        return own.union(*(fields(value) for value in encoding.values()))
    if isinstance(encoding, list):
        return set().union(*(fields(value) for value in encoding)) if encoding else set()
    return set()
