"""The state microscope: units × steps as pictures, one unit over the steps, and how saturated gates are.

`heat_map` reads a wide table: index unit, in the order of the rows, columns step. `one_unit` reads unit, step, lag,
quantity, value; `spread` reads gate, step, lag, mean, median, q05, q95, saturated_low, saturated_high.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import altair as alt
import numpy as np
import pandas as pd

from gradlab.cells import CELLS, SATURATED, state_names
from gradlab.charts import annotations, axes, colours, raster, theme
from gradlab.charts.picture import Domains, Picture, Rows, in_parts
from gradlab.words.languages import _
from gradlab.words.letters import visible
from gradlab.words.numbers import POWER_LABEL, number

ONE_UNIT_COLUMNS = ("unit", "step", "lag", "quantity", "value")
SPREAD_COLUMNS = ("gate", "step", "lag", "mean", "median", "q05", "q95", "saturated_low", "saturated_high")
LOG = "log10 "  # before the name of an axis whose values are logarithms
CHOSEN = "unit_chosen"  # the selection's name
COLUMNS_SHOWN = 700  # pixels of a picture on a page


def heat_map(table: pd.DataFrame, quantity: str, *, chosen: int | None = None, letters: pd.Series | None = None,
             title: str = "", subtitle: str = "", dark: bool = False, width: int | str = "container",
             height: int = 230, columns: int = COLUMNS_SHOWN, scale_with: pd.DataFrame | None = None,
             ) -> alt.LayerChart:  # fmt: skip
    """One quantity of every unit at every step; a click chooses a unit, whose row is framed.

    columns     pixels of the picture: more steps than this are averaged
    letters     what the network reads, by step: shown on the axis where there is room
    scale_with  the table of a picture beside it, which has the same colours for the same values
    """
    theme.refuse_empty(table)
    tables = (table,) if scale_with is None else (table, scale_with)
    scale = scale_of(np.concatenate([one.to_numpy().ravel() for one in tables]), quantity, dark)
    first, last = int(table.columns[0]), int(table.columns[-1])
    units = [int(unit) for unit in table.index]
    pixels = _binned(table.to_numpy(), columns)
    picture = pd.DataFrame({"url": [raster.data_url(pixels, scale, colours.INKS[dark].alarm)]})
    image = (
        alt.Chart(picture)
        .mark_image(
            aspect=False, align="left", baseline="top", width=alt.ExprRef("width"), height=alt.ExprRef("height")
        )
        .encode(x=alt.XValue(0), y=alt.YValue(0), url=alt.Url("url:N"))
    )
    says = [_range_of(quantity, unit, row) for unit, row in zip(units, table.to_numpy(), strict=True)]
    rows = pd.DataFrame({"unit": units, "rank": range(len(units)), "beneath": np.arange(len(units)) + 1, "says": says})
    scale_of_rows = alt.Scale(domain=[0, len(units)], reverse=True, nice=False)
    y = alt.Y("rank:Q", scale=scale_of_rows, axis=alt.Axis(title=_("units"), labels=False, ticks=False, grid=False))
    pick = alt.selection_point(name=CHOSEN, fields=["unit"], on="click", empty=False)
    x = axes.steps(first, last + 1, "" if letters is not None else _("step t"))
    touched = (
        alt.Chart(rows)
        .mark_rect(opacity=0)
        .encode(x=alt.XValue(0), x2=alt.X2Value("width"), y=y, y2=alt.Y2("beneath:Q"), tooltip=alt.Tooltip("says:N"))
        .add_params(pick)
    )
    layers = [image, touched]
    if chosen in units:
        frame = alt.Chart(rows[rows["unit"] == chosen]).mark_rect(
            filled=False, stroke=colours.INKS[dark].text, strokeWidth=1.5
        )
        layers.append(frame.encode(x=alt.XValue(0), x2=alt.X2Value("width"), y=y, y2=alt.Y2("beneath:Q")))
    layers.append(_legend(scale, first, x))
    if letters is not None:
        layers += _letters(_letter_rows(letters, 0.5), axes.steps(first, last + 1), last + 2 - first)
    return theme.finished(layers, title, subtitle, dark, width, height)


def _range_of(quantity: str, unit: int, values: np.ndarray) -> str:
    """What the pointer says on a unit's row: its range over the steps. Its values step by step are a click away."""
    finite = values[np.isfinite(values)]
    name, write = (quantity.removeprefix(LOG), number) if quantity.startswith(LOG) else (quantity, "{:.3g}".format)
    ends = [write(float(end)) for end in (finite.min(), finite.max())] if finite.size else [_("nothing finite")]
    ends = [end.replace("-", "−") for end in ends]
    ends = [*dict.fromkeys(ends)]
    said = ends[0] if len(ends) == 1 else _("{low} to {high}").format(low=ends[0], high=ends[1])
    text = _("Unit {unit}: {quantity} {range}\nClick for every step")
    return text.format(unit=unit, quantity=_(name), range=said)


def scale_of(values: np.ndarray, quantity: str, dark: bool) -> raster.Scale:
    """From 0 to 1 for gates and factors that stay there; decades for gradients; symmetric around 0 for the rest."""
    finite = values[np.isfinite(values)]
    factors = {"direct factor"}.union(*(cell.gates for cell in CELLS.values()))
    if quantity in factors and finite.min(initial=0) >= 0 and finite.max(initial=1) <= 1:
        return raster.Scale(0.0, 1.0, raster.SEQUENTIAL)
    if quantity.startswith("log10"):
        low, high = np.quantile(finite, [0.01, 1.0]) if finite.size else (-1.0, 0.0)
        return raster.Scale(float(low), float(high), raster.SEQUENTIAL)
    most = float(np.abs(finite).max(initial=1e-9))
    return raster.Scale(-most, most, raster.DIVERGING[dark])


class Look(NamedTuple):
    """What decides how one unit's lines are drawn, beside their rows."""

    quantities: tuple[str, ...]
    axis: str
    letters: int  # that stand below; 0 for a step axis
    dark: bool


def _one_unit(table: pd.DataFrame, axis: str, *, letters: pd.Series | None = None, dark: bool = False) -> Picture:
    theme.refuse_empty(table)
    finite = np.isfinite(table["value"])
    drawn = table[list(ONE_UNIT_COLUMNS)].assign(value=table["value"].where(finite))
    first, last = int(table["step"].min()), int(table["step"].max())
    values = table["value"][finite]
    domains = {"steps": [first, last], "values": [float(values.min()), float(values.max())] if len(values) else [0, 1]}
    write = number if axis.startswith(LOG) else lambda value: f"{value:.4g}".replace("-", "−")
    named = drawn.assign(quantity=drawn["quantity"].str.removeprefix(LOG).map(_))  # values, not their logarithms
    says = annotations.readings(named, "step", "quantity", "value", write)
    rows = {"lines": drawn, annotations.READ: says, "letters": _letter_rows(letters, 0.0)}
    look = Look(tuple(dict.fromkeys(table["quantity"])), axis, 0 if letters is None else last + 1 - first, dark)
    return Picture(_unit_layers, look, rows, domains, dark, 190, held=("steps", "values"))


@in_parts(_one_unit)
def one_unit(
    table: pd.DataFrame,
    axis: str,
    *,
    letters: pd.Series | None = None,
    title: str = "",
    subtitle: str = "",
    dark: bool = False,
    width: int | str = "container",
    height: int = 190,
) -> alt.LayerChart:
    """One unit's quantities over the steps, a line each, on an axis of the given name; `letters` as of `heat_map`."""
    return _one_unit(table, axis, letters=letters, dark=dark).chart(title, subtitle, width, height)


def _unit_layers(rows: Rows, domains: Domains, look: Look) -> list[alt.Chart]:
    ink, order = colours.INKS[look.dark], list(look.quantities)
    states = [name for name in order if name in state_names()]
    inks = {name: ink.text if name == "h" else ink.muted for name in states} | {
        "direct factor": ink.text,
        "log10 gradient": ink.text,
    }
    scale = alt.Scale(domain=order, range=[inks.get(name) or colours.gate_colour(name, look.dark) for name in order])
    dashes = [
        theme.state_dash(name) if name in states else [4, 3] if name == "direct factor" else [1, 0] for name in order
    ]
    key = theme.named(order, columns=3) if len(order) > 1 else None
    ticks: dict[str, Any] = {"tickCount": 4}
    if look.axis.startswith(LOG):
        ticks = {"tickCount": axes.ticks("height", 35, axes.span(domains["values"])), "labelExpr": POWER_LABEL}
    line = alt.Chart(rows["lines"]).mark_line(strokeWidth=1.8)
    x = axes.along(domains["steps"], "" if look.letters else _("step t"))
    lines = line.encode(
        x=x,
        y=alt.Y(
            "value:Q",
            scale=alt.Scale(domain=axes.ends(domains["values"]), zero=False, nice=True),
            axis=alt.Axis(title=_(look.axis.removeprefix(LOG)), minExtent=axes.LABELS, **ticks),
        ),
        color=alt.Color("quantity:N", scale=scale, legend=key),
        strokeDash=alt.StrokeDash("quantity:N", legend=key, scale=alt.Scale(domain=order, range=dashes)),
    )
    letters = _letters(rows["letters"], x, look.letters) if look.letters else []
    return [lines, annotations.pointer(rows[annotations.READ], x, look.dark), *letters]


def spread(
    table: pd.DataFrame,
    *,
    title: str = "",
    subtitle: str = "",
    dark: bool = False,
    width: int | str = "container",
    height: int = 280,
) -> alt.LayerChart:
    """Where the gates stand over all units and sequences: median, and the band from the 5 to the 95 % quantile."""
    theme.refuse_empty(table)
    gates = list(dict.fromkeys(table["gate"]))
    first, last = int(table["step"].min()), int(table["step"].max())
    scale = alt.Scale(domain=gates, range=[colours.gate_colour(gate, dark) for gate in gates])
    colour = alt.Color("gate:N", scale=scale, legend=theme.named(gates, columns=4, symbolOpacity=1))
    y = {
        "scale": alt.Scale(domain=[0, 1]),
        "axis": alt.Axis(title=_("gate"), values=[0, *SATURATED, 0.5, 1], format="~g"),
    }
    drawn = alt.Chart(table[list(SPREAD_COLUMNS)])
    x = axes.steps(first, last, _("step t"))
    band = drawn.mark_area(opacity=0.2).encode(x=x, y=alt.Y("q05:Q", **y), y2=alt.Y2("q95:Q"), color=colour)
    line = drawn.mark_line(strokeWidth=2).encode(x=x, y=alt.Y("median:Q", **y), color=colour)
    named = table.assign(gate=table["gate"].map(_))
    says = annotations.readings(
        named, "step", "gate", "median", lambda value: _("median {value}").format(value=f"{value:.3f}")
    )
    bounds = alt.Chart(pd.DataFrame({"bound": SATURATED})).mark_rule(strokeDash=[3, 3], color=colours.INKS[dark].rule)
    layers = [band, bounds.encode(y=alt.Y("bound:Q")), line, annotations.pointer(says, x, dark)]
    return theme.finished(layers, title, subtitle, dark, width, height)


def _binned(values: np.ndarray, columns: int) -> np.ndarray:
    """Means over equally many neighbouring steps, at most `columns` of them; zeros' -inf are left out."""
    steps = values.shape[1]
    size = -(-steps // columns)
    if size == 1:
        return values
    padded = np.full((len(values), -(-steps // size) * size), np.nan)
    padded[:, :steps] = np.where(np.isfinite(values), values, np.nan)
    groups = padded.reshape(len(values), -1, size)
    count = np.isfinite(groups).sum(axis=2)
    with np.errstate(invalid="ignore"):
        return np.nansum(groups, axis=2) / count


def _legend(scale: raster.Scale, first: int, x: alt.X) -> alt.Chart:
    """Two invisible points, which bring the step axis and the colour scale with its legend."""
    ends = pd.DataFrame({"step": [first, first], "shown": [scale.low, scale.high]})
    key = alt.Legend(title=None, gradientLength=160, gradientThickness=9, tickCount=3, format=".2~g")
    colour = alt.Color("shown:Q", legend=key, scale=alt.Scale(domain=[scale.low, scale.high], range=list(scale.stops)))
    return alt.Chart(ends).mark_point(opacity=0).encode(x=x, color=colour)


def _letter_rows(letters: pd.Series | None, middle: float) -> pd.DataFrame:
    """What is read, each at the middle of its step."""
    if letters is None:
        return pd.DataFrame({"step": [], "letter": []})
    return pd.DataFrame({"step": letters.index + middle, "letter": letters.map(visible).to_numpy()})


def _letters(rows: Any, x: alt.X, count: int) -> list[alt.Chart]:
    """Rows of `_letter_rows` below the picture; smaller where there is less room for so many."""
    text = alt.Chart(rows).mark_text(baseline="top", dy=4, fontSize=alt.ExprRef(f"min(14, 1.5 * width / {count})"))
    return [text.encode(x=x, y=alt.YValue("height"), text=alt.Text("letter:N"))]
