"""Gradient norm against step: the loss at the right, the gradient travelling left.

`lines` and `opening` read a trace's table, one row a cell, layer, state and step:

    cell, layer, state, step, lag
    log10_relative, log10_relative_min, log10_relative_max     mean and range over the batch, relative to the loss's own
    log10_norm, log10_norm_min, log10_norm_max                 the same, absolute

-inf (exactly zero) is drawn as a mark on the bottom edge; NaN (undefined) leaves a gap.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from gradlab.charts import theme

KEYS = ("cell", "layer", "state", "step", "lag")
RELATIVE = ("log10_relative", "log10_relative_min", "log10_relative_max")
ABSOLUTE = ("log10_norm", "log10_norm_min", "log10_norm_max")
COLUMNS = (*KEYS, *RELATIVE, *ABSOLUTE)
END_COLUMNS = ("cell", "layer", "state", "step", "label_at")
MARK_COLUMNS = ("step", "label")

_FLOAT32 = np.finfo(np.float32)
FLOAT32_LIMITS = pd.DataFrame(
    {
        "log10": np.log10(np.array([_FLOAT32.tiny, _FLOAT32.smallest_subnormal], dtype=np.float64)),
        "label": ["float32 smallest normal", "float32 smallest subnormal"],
    }
)
LINE = ["cell:N", "layer:O", "state:N"]
FAR_BELOW = -500  # log10; where lines go this far down, the two limits share a name at the left, where lines are low
MOST_BANDS = 8  # bands over the batch of more lines than this would hide the lines


def lines(
    table: pd.DataFrame,
    *,
    relative: bool = True,
    title: str = "",
    subtitle: str = "",
    ends: pd.DataFrame | None = None,
    marks: pd.DataFrame | None = None,
    dark: bool = False,
    width: int | str = "container",
    height: int = 440,
) -> alt.LayerChart:
    """A line a cell, layer and state, with the band over the batch, float32's limits and a hover that names every line.

    ends    where lines are named at their left end instead of in legends: columns END_COLUMNS, `label_at` in the drawn
            column's log10
    marks   steps to point out, such as where the forward pass ceased to be finite: columns MARK_COLUMNS
    """
    chart = _chart(table, RELATIVE if relative else ABSOLUTE, "step t", 2.0, ends, marks, dark)
    return theme.finished(chart, title, subtitle, dark, width, height)


def opening(
    table: pd.DataFrame,
    ends: pd.DataFrame,
    *,
    relative: bool = True,
    title: str = "",
    subtitle: str = "",
    marks: pd.DataFrame | None = None,
    dark: bool = False,
    width: int | str = "container",
    height: int = 460,
) -> alt.LayerChart:
    """The first picture: one bold line a cell, named at its end, for one layer and one state; the rest as `lines`."""
    names = RELATIVE if relative else ABSOLUTE
    chart = _chart(table, names, "step t      ← the gradient travels back", 4.0, ends, marks, dark)
    return theme.finished(chart, title, subtitle, dark, width, height)


def _chart(
    table: pd.DataFrame,
    names: Sequence[str],
    x_title: str,
    stroke: float,
    ends: pd.DataFrame | None,
    marks: pd.DataFrame | None,
    dark: bool,
) -> alt.LayerChart:
    mean, low, high = names
    drawn = table.assign(**{name: table[name].where(np.isfinite(table[name])) for name in names})
    x = _steps(table)
    named = ends is not None and not ends.empty
    labels = _line_names(ends) if named else pd.Series(dtype=str)
    shown, legends = _legends(table, named)
    colour = theme.cells_encoding(table, dark, legend=not named)
    band = (
        alt.Chart(drawn)
        .mark_area()
        .encode(x=x, y=alt.Y(f"{low}:Q"), y2=alt.Y2(high), color=colour, opacity=_when(shown, 0.14, 0), detail=LINE)
    )
    line = (
        alt.Chart(drawn)
        .mark_line(strokeWidth=stroke)
        .encode(
            x=_steps(table, title=x_title),
            y=_norms(table, mean, gutter=max(labels.str.len(), default=0)),
            color=colour,
            opacity=_shade(table, shown, legend=not named),
            strokeDash=_dash(table, legend=not named),
        )
        .add_params(*legends)
    )
    few = len(table[["cell", "layer", "state"]].drop_duplicates()) <= MOST_BANDS
    return alt.layer(
        *_limits(drawn, names, dark),
        *([band] if few else []),
        line,
        *_zeros(table, mean, x, colour, shown, dark),
        *_marks(marks, x, dark),
        *([_ends(ends, labels, x, colour)] if named else []),
        *_hover(table, drawn, mean, x, colour, dark),
        _lags(table),
    ).resolve_scale(x="independent")


def _steps(table: pd.DataFrame, title: str = "") -> alt.X:
    """The step axis. Every layer of marks carries the same scale, because the lag axis needs independent ones."""
    scale = alt.Scale(domain=[int(table["step"].min()), int(table["step"].max())], nice=False)
    axis = alt.Axis(title=title, format=",d", tickMinStep=1, tickCount=theme.TICKS_ACROSS) if title else None
    return alt.X("step:Q", scale=scale, axis=axis)


def _lags(table: pd.DataFrame) -> alt.Chart:
    """The second axis, above: lag, from right to left."""
    axis = alt.Axis(orient="top", title="lag T − 1 − t", format=",d", tickMinStep=1, tickCount=theme.TICKS_ACROSS)
    x = alt.X("lag:Q", axis=axis, scale=alt.Scale(reverse=True, nice=False, zero=False))
    ends = table.loc[[table["step"].idxmin(), table["step"].idxmax()], ["lag"]]
    return alt.Chart(ends).mark_point(opacity=0).encode(x=x)


def _norms(table: pd.DataFrame, mean: str, gutter: int) -> alt.Y:
    """The axis of norms, `gutter` letters away from the lines."""
    states = theme.present(table["state"], theme.STATE_DASHES)
    title = ["norm of " + " and ".join(f"∂L/∂{state}" for state in states)]
    title += ["relative to what the loss put in"] if mean in RELATIVE else []
    scale = alt.Scale(domain=theme.decades_domain(), zero=False, nice=False, padding=8)
    return alt.Y(f"{mean}:Q", axis=theme.decades_axis(title, offset=9 * gutter + 6 if gutter else 0), scale=scale)


def _when(shown: Any, value: float, otherwise: float) -> Any:
    """Opacity of what the legends leave selected, and of what they put aside."""
    return alt.condition(shown, alt.value(value), alt.value(otherwise)) if shown is not None else alt.value(value)


def _legends(table: pd.DataFrame, named: bool) -> tuple[Any, list[alt.Parameter]]:
    """A legend to click for each of cell, layer and state that varies: what is selected is shown, the rest dimmed."""
    varied = [field for field in ("cell", "layer", "state") if table[field].nunique() > 1 and not named]
    params = [alt.selection_point(name=f"{field}_shown", fields=[field], bind="legend") for field in varied]
    return functools.reduce(operator.and_, params) if params else None, params


def _shade(table: pd.DataFrame, shown: Any, legend: bool) -> Any:
    """Depth of shade is the layer: the same shade for the same layer, however many there are."""
    every = list(range(len(theme.LAYER_SHADES)))
    layers = theme.present(table["layer"], every)
    key = alt.Legend(title="layer", values=layers, symbolDash=[1, 0], columns=4) if legend and len(layers) > 1 else None
    scale = alt.Scale(type="ordinal", domain=every, range=list(theme.LAYER_SHADES))
    shade = alt.Opacity("layer:O", scale=scale, legend=key)
    return alt.condition(shown, shade, alt.value(theme.DIMMED)) if shown is not None else shade


def _dash(table: pd.DataFrame, legend: bool) -> alt.StrokeDash:
    """Dash is the state."""
    states = theme.present(table["state"], theme.STATE_DASHES)
    scale = alt.Scale(domain=states, range=[theme.STATE_DASHES[state] for state in states])
    key = alt.Legend(title="state", symbolOpacity=1) if legend and len(states) > 1 else None
    return alt.StrokeDash("state:N", scale=scale, legend=key)


def _limits(drawn: pd.DataFrame, names: Sequence[str], dark: bool) -> list[alt.Chart]:
    """float32's limits, where what is drawn reaches below them and is the norm itself."""
    lowest = drawn[list(names)].min(axis=None)
    limits = FLOAT32_LIMITS[FLOAT32_LIMITS["log10"] > lowest]
    if limits.empty or (drawn[names[0]] - drawn[ABSOLUTE[0]]).abs().max() > 0.05:
        return []
    ink = theme.INKS[dark]
    rules = alt.Chart(limits).mark_rule(color=ink.rule, strokeWidth=0.8, strokeDash=[2, 3]).encode(y="log10:Q")
    if lowest < FAR_BELOW:
        text = alt.Chart(limits.tail(1).assign(label="float32 smallest normal, subnormal"))
        style = {"align": "left", "dx": 4, "baseline": "top", "dy": 4, "fontSize": 11, "color": ink.muted}
        return [rules, text.mark_text(**style).encode(x=alt.value(0), y="log10:Q", text="label:N")]
    beside = (("bottom", -3), ("top", 4))  # one name above, the other below, so that they never touch
    texts = [
        alt.Chart(limits.iloc[[n]])
        .mark_text(align="right", dx=-2, baseline=beside[n][0], dy=beside[n][1], fontSize=11, color=ink.muted)
        .encode(x=alt.value("width"), y="log10:Q", text="label:N")
        for n in range(len(limits))
    ]
    return [rules, *texts]


def _zeros(table: pd.DataFrame, mean: str, x: alt.X, colour: alt.Color, shown: Any, dark: bool) -> list[alt.Chart]:
    """Exact zeros have no height on a log axis: a row of marks on the bottom edge, named."""
    zeros = table[np.isneginf(table[mean])]
    if zeros.empty:
        return []
    edge = alt.value("height")
    ticks = (
        alt.Chart(zeros)
        .mark_tick(orient="vertical", size=9, thickness=1.5, yOffset=-6)
        .encode(x=x, y=edge, color=colour, opacity=_when(shown, 0.9, theme.DIMMED), detail=LINE)
    )
    name = (
        alt.Chart(zeros.nsmallest(1, "step"))
        .mark_text(
            align="left", baseline="bottom", dx=1, dy=-14, fontSize=11, text="exactly 0", color=theme.INKS[dark].text
        )
        .encode(x=x, y=edge)
    )
    return [ticks, name]


def _marks(marks: pd.DataFrame | None, x: alt.X, dark: bool) -> list[alt.Chart]:
    """Labelled vertical rules."""
    if marks is None or marks.empty:
        return []
    alarm = theme.INKS[dark].alarm
    rules = alt.Chart(marks).mark_rule(color=alarm, strokeWidth=1.2).encode(x=x)
    names = alt.Chart(marks).mark_text(align="left", baseline="top", dx=5, dy=4, color=alarm)
    return [rules, names.encode(x=x, y=alt.value(0), text="label:N")]


def _ends(ends: pd.DataFrame, labels: pd.Series, x: alt.X, colour: alt.Color) -> alt.Chart:
    """Names at the left ends of the lines, in their colour."""
    text = alt.Chart(ends.assign(label=labels)).mark_text(align="right", dx=-7, fontSize=14, fontWeight=600)
    return text.encode(x=x, y="label_at:Q", text="label:N", color=colour)


def _line_names(table: pd.DataFrame) -> pd.Series:
    """What tells the lines of a table apart, in words: the cell, and layer and state where there are several."""
    names = table["cell"].map(theme.cell_title)
    if table["layer"].nunique() > 1:
        names = names + " layer " + table["layer"].astype(str)
    if table["state"].nunique() > 1:
        names = names + " " + table["state"]
    return names


def _hover(
    table: pd.DataFrame, drawn: pd.DataFrame, mean: str, x: alt.X, colour: alt.Color, dark: bool
) -> list[alt.Chart]:
    """A rule that follows the pointer from step to step and names every line's value there."""
    rows = table.groupby("step")["cell"].transform("size")
    shared = table[rows == rows.max()]
    names = _line_names(table).loc[shared.index]
    texts = shared.assign(line=names, text=shared[mean].map(theme.power_of_ten))
    wide = texts.pivot(index=["step", "lag"], columns="line", values="text")[list(dict.fromkeys(names))].reset_index()
    titles = dict(zip((f"line{n}" for n in range(len(wide.columns) - 2)), wide.columns[2:], strict=True))
    wide.columns = ["step", "lag", *titles]
    near = alt.selection_point(
        name="near", nearest=True, on="pointerover", fields=["step"], empty=False, clear="pointerout"
    )
    tips = [alt.Tooltip("step:Q", format=",d"), alt.Tooltip("lag:Q", format=",d")]
    tips += [alt.Tooltip(f"{field}:N", title=name) for field, name in titles.items()]
    rule = (
        alt.Chart(wide)
        .mark_rule(color=theme.INKS[dark].rule, strokeWidth=1)
        .encode(x=x, opacity=alt.condition(near, alt.value(0.9), alt.value(0)), tooltip=tips)
        .add_params(near)
    )
    dots = alt.Chart(drawn).mark_point(filled=True, opacity=1, size=45).transform_filter(near)
    return [dots.encode(x=x, y=f"{mean}:Q", color=colour, detail=LINE), rule]
