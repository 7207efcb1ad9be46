"""The one picture language: colour is the cell, dash the state, shade the layer; powers of ten on every norm's axis.

Every chart is complete in itself: its configuration (fonts, grid, background) is inside it, so an export draws what
the page draws. Pages show a chart with Streamlit's own theme switched off.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from typing import Any

import altair as alt
import pandas as pd

from gradlab.cells import CELLS, state_names
from gradlab.charts.colours import INKS, cell_colour
from gradlab.words.languages import SOURCE, _, current

# The last name must be the generic one: a stack of fonts none of which is installed loses all text, digits too.
FONT = "Source Sans, Source Sans Pro, Noto Sans CJK KR, Noto Sans KR, NanumGothic, DejaVu Sans, sans-serif"

# By layer, the lowest strongest, whatever the depth: neighbours differ in shade and in width, and the palest swatch of
# a legend still stands out from the paper.
LAYER_SHADES = (1.0, 0.875, 0.78, 0.705, 0.645, 0.59, 0.535, 0.485)
LAYER_WIDTHS = (3.6, 2.9, 2.4, 2.0, 1.7, 1.45, 1.25, 1.05)  # pixels
LINE = [alt.Detail("cell:N"), alt.Detail("layer:O"), alt.Detail("state:N")]  # what makes a line
# The menu of a chart in an HTML page: nothing that leaves the page.
EMBEDDED_ACTIONS = {"export": True, "source": False, "compiled": False, "editor": False}
POINTER = "pointer"  # style of marks seen only under the pointer; pictures that do not move leave them out
LEGEND_ROW = 17  # pixels
DIMMED = 0.06  # what a line keeps when the legend has put it aside


def cell_title(name: str) -> str:
    """A cell's name on a page."""
    return CELLS[name].title if name in CELLS else name


def present(column: pd.Series, order: Any) -> list[Any]:
    """The values that a column holds, in a fixed order; those the order does not know come last."""
    found = list(dict.fromkeys(column))
    return [value for value in order if value in found] + [value for value in found if value not in order]


def cells_encoding(table: pd.DataFrame, dark: bool, legend: bool = True) -> alt.Color:
    """Colour is the cell. Its legend is left out where the table has one cell only."""
    cells = present(table["cell"], CELLS)
    titles = {cell: cell_title(cell) for cell in cells}
    names = f"{json.dumps(titles)}[datum.value]"
    look = {"symbolOpacity": 1, "symbolDash": [1, 0], "columns": _columns(titles.values())}
    key = alt.Legend(title=_("cell"), labelExpr=names, **look)
    scale = alt.Scale(domain=cells, range=[cell_colour(cell, dark) for cell in cells])
    return alt.Color("cell:N", scale=scale, legend=key if legend and len(cells) > 1 else None)


def named(names: Iterable[str] | Mapping[str, str], title: str | None = None, **look: Any) -> alt.Legend:
    """A legend of names that a table has in English, each, or the text that it has here, in the language that is
    spoken."""
    texts = names if isinstance(names, Mapping) else dict(zip(names, names, strict=True))
    said = f"{json.dumps({name: _(text) for name, text in texts.items()}, ensure_ascii=False)}[datum.value]"
    return alt.Legend(title=title, labelExpr=said, **look)


def _columns(names: Iterable[str]) -> int:
    """How many names stand side by side in a legend on a phone."""
    longest = max(map(len, names))
    return 3 if longest <= 6 else 2 if longest <= 14 else 1


def legend_room(table: pd.DataFrame) -> int:
    """Pixels that the legend of cells needs beyond its first two rows."""
    names = [cell_title(cell) for cell in dict.fromkeys(table["cell"])]
    return LEGEND_ROW * max(0, -(-len(names) // _columns(names)) - 2)


def shade(layers: pd.Series, dark: bool, legend: bool = True, symbol: str = "stroke") -> alt.Opacity:
    """Depth of shade is the layer: the same shade for the same layer, however many there are."""
    scale = alt.Scale(type="ordinal", domain=_every_layer(), range=list(LAYER_SHADES))
    return alt.Opacity("layer:O", scale=scale, legend=_layers(layers, dark, legend, symbol))


def width(layers: pd.Series, dark: bool, only: float, legend: bool = True) -> alt.StrokeWidth | alt.StrokeWidthValue:
    """And so is the width of a line where there are several layers; `only` is that where there is one."""
    if layers.nunique() < 2:
        return alt.StrokeWidthValue(only)
    scale = alt.Scale(type="ordinal", domain=_every_layer(), range=list(LAYER_WIDTHS))
    return alt.StrokeWidth("layer:O", scale=scale, legend=_layers(layers, dark, legend, "stroke"))


def _every_layer() -> list[int]:
    return list(range(len(LAYER_SHADES)))


def _layers(layers: pd.Series, dark: bool, legend: bool, symbol: str) -> alt.Legend | None:
    """The legend of layers, in the colour of no cell; left out where there is one only."""
    found, ink = present(layers, _every_layer()), INKS[dark].text
    if not legend or len(found) < 2:
        return None
    look = {"symbolFillColor": ink, "symbolSize": 70} if symbol == "circle" else {}
    shared = {"symbolType": symbol, "symbolStrokeColor": ink, "symbolDash": [1, 0]}
    return alt.Legend(title=_("layer"), values=found, columns=4, **shared, **look)


def state_dash(state: str) -> list[int]:
    """The dash of a state, the same on every chart: h is drawn through, c in dashes, each further one with a dot more.

    A state that no cell has is drawn as if it were registered next.
    """
    names = state_names()
    place = names.index(state) if state in names else len(names)
    return [1, 0] if place == 0 else [6, 4] if place == 1 else [8, 3, *[2, 3] * (place - 1)]


def dash(states: pd.Series, legend: bool) -> alt.StrokeDash:
    """Dash is the state."""
    shown = present(states, state_names())
    scale = alt.Scale(domain=shown, range=[state_dash(state) for state in shown])
    key = alt.Legend(title=_("state"), symbolOpacity=1) if legend and len(shown) > 1 else None
    return alt.StrokeDash("state:N", scale=scale, legend=key)


def clicked(name: str, field: str) -> alt.Parameter:
    """A legend to click: what is clicked is shown, the rest put aside, and a second click takes that back.

    Vega-Lite would take a click on another legend, or on a line, for one more on the entry that was clicked last.
    """
    binding: Any = alt.LegendStreamBinding(legend=f"click[event.item && test(/^{field}_legend/, event.item.mark.name)]")
    return alt.selection_point(name=name, fields=[field], bind=binding, toggle="true")


def with_legends(layers: list[alt.Chart], params: Mapping[str, alt.Parameter]) -> list[alt.Chart]:
    """The layers with legends to click, by channel: Vega-Lite takes a legend, and what a click on it does, from the
    first layer that has the channel."""
    layers = list(layers)
    for channel, param in params.items():
        first = next(n for n, layer in enumerate(layers) if _is_scaled(layer.encoding[channel]))
        layers[first] = layers[first].add_params(param)
    return layers


def _is_scaled(channel: Any) -> bool:
    """Whether a channel is that of a column, at least where a condition holds."""
    return channel is not alt.Undefined and "scale" in json.dumps(channel.to_dict())


def line_names(table: pd.DataFrame) -> pd.Series:
    """What tells the lines of a table apart, in words: the cell, and layer and state where there are several."""
    parts = {
        "cell": table["cell"].map(cell_title),
        "layer": table["layer"].map(lambda layer: _("layer {layer}").format(layer=layer)),
        "state": table["state"],
    }
    varied = [name for name in parts if table[name].nunique() > 1] or ["cell"]
    return functools.reduce(lambda names, part: names + " " + part, (parts[name] for name in varied))


def refuse_empty(table: pd.DataFrame) -> None:
    """ValueError where there is nothing to draw."""
    if table.empty:
        raise ValueError("the table has no rows, so there is nothing to draw: no cell has the chosen layer or state")


def finished(
    layers: list[alt.Chart],
    title: str,
    subtitle: str,
    dark: bool,
    width: int | str,
    height: int,
    *,
    two_x_axes: bool = False,
    two_y_axes: bool = False,
    autosize: str = "fit",
) -> alt.LayerChart:
    """The layers as one chart with its heading, size, and the whole configuration inside.

    A heading is drawn in one line: pages, which know how wide they are, write it themselves; exports break it.
    """
    parts: dict[str, Any] = {"width": width, "height": height, "config": configuration(dark)}
    if title:
        parts["title"] = {"text": title, "subtitle": subtitle}
    if autosize != "fit":
        parts["autosize"] = autosize
    if two_x_axes or two_y_axes:
        apart = (("x", two_x_axes), ("y", two_y_axes))
        parts["resolve"] = alt.Resolve(scale={axis: "independent" for axis, is_apart in apart if is_apart})
    return alt.LayerChart(
        layer=layers, usermeta={"embedOptions": {"actions": EMBEDDED_ACTIONS}, "paper": INKS[dark].paper}, **parts
    )


def configuration(dark: bool) -> dict[str, Any]:
    """The whole Vega-Lite configuration of a theme."""
    ink, is_high = INKS[dark], current() != SOURCE  # Hangul is higher than what Vega counts on
    label = {"labelColor": ink.muted, "labelFont": FONT, "labelFontSize": 12}
    lines = {"titleLineHeight": 17} if is_high else {}
    around = {"padding": 4} if is_high else {}  # else the tops of a legend's title are cut
    title = {"titleColor": ink.text, "titleFont": FONT, "titleFontSize": 12, "titleFontWeight": "normal"}
    return {
        "font": FONT,
        "background": "transparent",  # pages have their own; exports paint `paper`, which travels in usermeta
        "padding": {"left": 8, "right": 14, "top": 10, "bottom": 8},
        "autosize": {"type": "fit", "contains": "padding"},
        "view": {"stroke": None},
        # A chart has a description and a table: a label on each of its marks is noise, and so are columns that a mark
        # without a tooltip of its own would show to the pointer.
        "mark": {"aria": False, "tooltip": None},
        "title": {
            "anchor": "start",
            "frame": "bounds",
            "font": FONT,
            "fontSize": 16,
            "fontWeight": 600,
            "color": ink.text,
            "subtitleFont": FONT,
            "subtitleFontSize": 13,
            "subtitleColor": ink.muted,
            "subtitlePadding": 5,
            "offset": 12,
        },
        "axis": label
        | title
        | lines
        | {
            "domain": False,
            "ticks": False,
            "grid": True,
            "gridColor": ink.grid,
            "labelPadding": 7,
            "titlePadding": 10,
            "labelOverlap": True,
            "labelSeparation": 6,  # labels that touch read as one
        },
        "axisX": {
            "domain": True,
            "domainColor": ink.rule,
            "grid": False,
            "ticks": True,
            "tickColor": ink.rule,
            "tickSize": 4,
            "labelPadding": 4,
            "labelFlush": True,
        },
        "legend": label
        | title
        | around
        | {
            "orient": "top",
            "direction": "horizontal",
            "titleOrient": "left",
            "titlePadding": 10,
            "titleAnchor": "start",
            "labelColor": ink.text,
            "symbolType": "stroke",
            "symbolStrokeWidth": 2.5,
            "symbolSize": 220,
            "columnPadding": 14,
            "labelLimit": 220,
            "rowPadding": 2,
            "offset": 8,
            "layout": {"expr": "{top: {direction: 'vertical', anchor: 'start', margin: 3}}"},
        },
        "text": {"font": FONT, "fontSize": 12, "color": ink.text},
        "line": {"strokeCap": "butt", "strokeJoin": "round"},  # a width here would replace one that a column decides
    }
