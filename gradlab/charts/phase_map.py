"""A phase map: the rate of the gradient over two settings, and theory's border.

`phase_map` reads a row per place: the two settings' columns, then

    median, lowest, highest     of the rate over the seeds, decades per 100 steps: below 0 it vanishes going back
    count                       seeds with a rate; 0 where none was measured yet or none has a rate
    not_measured                seeds that could not be measured

and `border`, rows of x and y, where theory sees the border.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from gradlab.charts import axes, colours, raster, theme
from gradlab.words.languages import N_, _
from gradlab.words.numbers import counted, signed

COLUMNS = ("median", "lowest", "highest", "count", "not_measured")
BORDER_COLUMNS = ("x", "y")
CHOSEN = "place_chosen"  # the selection by a click
TITLES = {"gain": N_("gain"), "keep_bias": N_("keep-gate bias"), "steps": N_("steps T"), "depth": N_("depth (layers)"),
          "initialization": ""}  # fmt: skip
LABELLED = (0, 1, 3, 10, 30, 100, 300, 1000, 3000)  # rates of the legend, either way
HEIGHT, ROW = 380, 24  # pixels of a map, and at least of a row with a name
SEAM = 1  # pixel by which a place reaches into the next, so that no paper shines through between them
NO_RATE = N_("no rate: exactly 0, or not finite")


def phase_map(
    table: pd.DataFrame,
    x: str,
    y: str,
    *,
    border: pd.DataFrame | None = None,
    at: Sequence[Any] | None = None,
    names: Mapping[str, str] | None = None,
    title: str = "",
    subtitle: str = "",
    dark: bool = False,
    width: int | str = "container",
    height: int = HEIGHT,
) -> alt.LayerChart:
    """Every place in the colour of its rate, blue where the gradient vanishes and orange where it explodes.

    x, y      the columns of the two settings
    border    a dashed line over it
    at        the two settings of the present network, ringed
    names     what a setting's values are called, where they are no numbers
    """
    theme.refuse_empty(table)
    ink, names = colours.INKS[dark], names or {}
    places = {name: _places(table[name]) for name in (x, y)}
    drawn = table[[x, y]].assign(**_edges(table, x, y, places), **_says(table))
    rate = table["median"].to_numpy(float)
    drawn["shade"] = np.where(np.isfinite(rate), _shade(rate), np.nan)
    most = max([float(_shade(1.0)), *drawn["shade"].dropna().abs()])
    channels: dict[str, Any] = {
        "x": _axis(x, places[x], names, alt.X, "left"),
        "x2": alt.X2("right"),
        "y": _axis(y, places[y], names, alt.Y, "low"),
        "y2": alt.Y2("high"),
    }
    says = [alt.Tooltip(f"{name}:N", title=_(TITLES[name] or name)) for name in (x, y)]
    says += [alt.Tooltip("rate:N", title=_("rate")), alt.Tooltip("over_seeds:N", title=_("over seeds"))]
    pick = alt.selection_point(name=CHOSEN, fields=[x, y], on="click", empty=False)
    colour = alt.Color(
        "shade:Q",
        scale=alt.Scale(domain=[*np.linspace(-most, most, 9)], range=list(raster.DIVERGING[dark]), clamp=True),
        legend=_legend(most),
    )
    cells = alt.Chart(drawn).mark_rect(cursor="pointer", x2Offset=SEAM, y2Offset=-SEAM).add_params(pick)
    layers = [cells.encode(color=colour, tooltip=says, **channels)]
    if (none := drawn[np.isnan(drawn["shade"])]).size:
        hatched = alt.Chart(none).mark_point(shape="cross", size=14, color=ink.rule, opacity=0.8)
        layers.append(hatched.encode(x=_plain(places[x], alt.X, "middle_x"), y=_plain(places[y], alt.Y, "middle_y")))
    if border is not None and len(border):
        line = alt.Chart(border[list(BORDER_COLUMNS)].assign(order=range(len(border))))
        for look in ({"color": ink.paper, "strokeWidth": 4}, {"color": ink.text, "strokeWidth": 2}):
            dashed = line.mark_line(clip=True, strokeDash=[6, 4], **look)
            layers.append(
                dashed.encode(
                    x=_plain(places[x], alt.X, "x"), y=_plain(places[y], alt.Y, "y"), order=alt.Order("order:Q")
                )
            )
    if at is not None:
        here = pd.DataFrame({"x": [_number(places[x], at[0])], "y": [_number(places[y], at[1])]})
        ring = alt.Chart(here)
        for look in ({"color": ink.paper, "strokeWidth": 5}, {"color": ink.text, "strokeWidth": 2}):
            circle = ring.mark_point(size=170, filled=False, opacity=1, **look)
            layers.append(circle.encode(x=_plain(places[x], alt.X, "x"), y=_plain(places[y], alt.Y, "y")))
    height = max(height, ROW * len(places[y])) if places[y].is_named else height
    return theme.finished(layers, title, subtitle, dark, width, height)


def _shade(rate: Any) -> Any:
    """A rate as the colours have it: about straight below 1, by its power of ten above."""
    return np.sign(rate) * np.log10(1 + np.abs(rate))


class _Places(dict):
    """The places of a setting's values along an axis: a number is its own, a name has its number in the order."""

    is_named = False

    @property
    def ends(self) -> tuple[float, float]:
        first, last = min(self.values()), max(self.values())
        low, high = self.half(first, -1), self.half(last, 1)
        return low, high

    def half(self, value: float, way: int) -> float:
        """The middle between a place and the next one in a direction; as far on the other side where there is none."""
        others = sorted(self.values())
        n = others.index(value)
        if 0 <= n + way < len(others):
            return (value + others[n + way]) / 2
        return value - (others[n - way] - value) / 2 if 0 <= n - way < len(others) else value + way / 2


def _places(values: pd.Series) -> _Places:
    distinct = list(dict.fromkeys(values))
    if any(isinstance(value, str) for value in distinct):
        found = _Places({value: float(-n) for n, value in enumerate(distinct)})  # the first above
        found.is_named = True
        return found
    return _Places({value: float(value) for value in distinct})


def _number(places: _Places, value: Any) -> float:
    return places.get(value, float(value) if not isinstance(value, str) else np.nan)


def _edges(table: pd.DataFrame, x: str, y: str, places: Mapping[str, _Places]) -> dict[str, Any]:
    def along(name: str, way: int) -> list[float]:
        edge = {value: places[name].half(place, way) for value, place in places[name].items()}
        return [edge[value] for value in table[name]]

    middle = {f"middle_{side}": [places[name][value] for value in table[name]] for side, name in (("x", x), ("y", y))}
    return {"left": along(x, -1), "right": along(x, 1), "low": along(y, -1), "high": along(y, 1), **middle}


def _says(table: pd.DataFrame) -> dict[str, list[str]]:
    """What the pointer says of every place."""
    rates, spreads = [], []
    for median, lowest, highest, count, missing in table[list(COLUMNS)].itertuples(index=False, name=None):
        rate = _("{rate} decades per 100 steps").format(rate=signed(median)) if np.isfinite(median) else _(NO_RATE)
        spread, lost = counted(count, "seed"), _("{spread}, {missing} could not be measured")
        if count > 1:
            text = _("{low} to {high} over {seeds}")
            spread = text.format(low=signed(lowest), high=signed(highest), seeds=spread)
        rates.append(rate)
        spreads.append(lost.format(spread=spread, missing=missing) if missing else spread)
    return {"rate": rates, "over_seeds": spreads}


def _axis(name: str, places: _Places, names: Mapping[str, str], channel: Any, column: str) -> Any:
    options: dict[str, Any] = {"title": _(TITLES[name]) or None, "grid": False}
    if places.is_named:
        called = {str(int(place)): names.get(value, value) for value, place in places.items()}
        options |= {"values": sorted(places.values()), "labelLimit": 130, "labelSeparation": 0}
        options["labelExpr"] = f"{json.dumps(called)}['' + datum.value]"
    elif name == "depth":
        options |= {"values": sorted(places.values()), "format": "d"}
    else:
        options["tickCount"] = axes.ticks("width" if channel is alt.X else "height", 60, 1000)
    return _plain(places, channel, column, alt.Axis(**options))


def _plain(places: _Places, channel: Any, column: str, axis: Any = alt.Undefined) -> Any:
    return channel(f"{column}:Q", scale=alt.Scale(domain=list(places.ends), nice=False, zero=False), axis=axis)


def _legend(most: float) -> alt.Legend:
    marks = [way * rate for rate in LABELLED for way in ((-1, 1) if rate else (1,)) if _shade(rate) <= most]
    shown = sorted({round(float(_shade(rate)), 6): rate for rate in marks}.items())
    texts = {f"{shade:.3f}": ("0" if not rate else f"{rate:+d}".replace("-", "−")) for shade, rate in shown}
    return alt.Legend(
        title=_("decades per 100 steps: − vanishes, + explodes"),
        titleOrient="top",
        titleLimit=400,
        values=[shade for shade, _rate in shown],
        labelExpr=f"{json.dumps(texts)}[replace(format(datum.value, '.3f'), '−', '-')]",
        gradientLength=alt.ExprRef("min(340, width - 40)"),
        gradientThickness=10,
    )
