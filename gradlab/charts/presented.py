"""A chart for a room: the same chart with larger type and thicker lines, and as high as its screen lets it be."""

from __future__ import annotations

from typing import Any

TYPE = 1.5  # of 12 pixels: axes are labelled at 18
LENGTHS = frozenset((
    "fontSize", "labelFontSize", "titleFontSize", "subtitleFontSize", "lineHeight", "strokeWidth", "symbolStrokeWidth",
    "dx", "dy", "offset", "labelPadding", "titlePadding", "minExtent", "tickSize", "columnPadding", "rowPadding",
    "labelLimit", "titleLimit", "gradientLength",
))  # fmt: skip
STROKES = "strokeWidth"
DATA = frozenset(("data", "datasets", "values", "signals", "usermeta"))


def presented(document: dict[str, Any], height: int | None = None) -> dict[str, Any]:
    """A Vega-Lite or Vega document whose texts, gaps and strokes are `TYPE` times as large, of a height in pixels."""
    larger = {name: part if name in DATA else _larger(name, part) for name, part in document.items()}
    if "layer" in larger:  # Vega-Lite; names on an axis are cut at 180 pixels
        config = larger.get("config", {})
        larger["config"] = config | {"axis": {"labelLimit": 180 * TYPE} | config.get("axis", {})}
    return larger | ({"height": height} if height and isinstance(larger.get("height"), int) else {})


def _larger(name: str, part: Any) -> Any:
    if isinstance(part, dict):
        if name in LENGTHS and _is_number(part.get("value")):
            return part | {"value": part["value"] * TYPE}
        if _is_of_widths(name, part):
            return part | {"range": [width * TYPE for width in part["range"]]}
        return {key: value if key in DATA else _larger(_called(name, key), value) for key, value in part.items()}
    if isinstance(part, list):
        return [_larger("", value) for value in part]
    return part * TYPE if name in LENGTHS and _is_number(part) else part


def _called(name: str, key: str) -> str:
    """A part's name: a channel's scale is called as the channel."""
    return name if key == "scale" and name == STROKES else key


def _is_of_widths(name: str, part: dict[str, Any]) -> bool:
    """Whether a part is a scale of strokes' widths: under its channel in Vega-Lite, by its name in Vega."""
    return isinstance(part.get("range"), list) and STROKES in (name, part.get("name"))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
