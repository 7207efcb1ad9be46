"""Gradient norm against step: the loss at the right, the gradient travelling left.

`lines` and `opening` read a trace's table, one row per cell, layer, state and step:

    cell, layer, state, step, lag
    log10_relative, log10_relative_min, log10_relative_max     mean and range over the batch, relative to the loss's own
    log10_norm, log10_norm_min, log10_norm_max                 the same, absolute

-inf (exactly zero) is drawn as a mark on the bottom edge; NaN (undefined) leaves a gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from gradlab.cells import state_names
from gradlab.charts import annotations, axes, theme

KEYS = ("cell", "layer", "state", "step", "lag")
RELATIVE = ("log10_relative", "log10_relative_min", "log10_relative_max")
ABSOLUTE = ("log10_norm", "log10_norm_min", "log10_norm_max")
COLUMNS = (*KEYS, *RELATIVE, *ABSOLUTE)
PATH_DASHES = {"all losses": [1, 0], "last loss": [6, 4]}
MOST_NAMES = 6  # more names than this find no room at the ends of their lines, and legends take their place
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
    """One line per cell, layer and state, with bands over the batch, float32's limits and a hover naming each line.

    ends    where lines are named at their left end instead of in legends: columns annotations.END_COLUMNS, `label_at`
            in the drawn column's log10
    marks   steps to point out, such as where the forward pass ceased to be finite: columns annotations.MARK_COLUMNS
    """
    layers = _layers(table, RELATIVE if relative else ABSOLUTE, "step t", 2.0, ends, marks, dark)
    height += theme.legend_room(table)
    return theme.finished(layers, title, subtitle, dark, width, height, two_x_axes=True)


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
    """The first picture: one bold line per cell, named at its end; one layer and one state; the rest as `lines`."""
    names = RELATIVE if relative else ABSOLUTE
    layers = _layers(table, names, "step t    ← the gradient", 4.0, ends, marks, dark)
    height += theme.legend_room(table) if len(ends) > MOST_NAMES else 0
    return theme.finished(layers, title, subtitle, dark, width, height, two_x_axes=True)


def propagation(
    table: pd.DataFrame,
    *,
    title: str = "",
    subtitle: str = "",
    dark: bool = False,
    width: int | str = "container",
    height: int = 320,
) -> alt.LayerChart:
    """What arrives (all losses, solid) beside how one injection propagates (the last loss, dashed): cell, path, step,
    lag and log10_norm of one layer."""
    theme.refuse_empty(table)
    drawn = table[["cell", "path", "step", "lag", "log10_norm"]]
    drawn = drawn.assign(log10_norm=drawn["log10_norm"].where(np.isfinite(drawn["log10_norm"])))
    paths = list(PATH_DASHES)
    scale = alt.Scale(domain=paths, range=[PATH_DASHES[path] for path in paths])
    domain = axes.decades_domain([drawn["log10_norm"]])
    line = (
        alt.Chart(drawn)
        .mark_line(strokeWidth=2)
        .encode(
            x=axes.steps(int(table["step"].min()), int(table["step"].max()), "step t"),
            y=axes.decades("log10_norm", domain, ["norm of the whole state's gradient"]),
            color=theme.cells_encoding(table, dark),
            strokeDash=alt.StrokeDash("path:N", scale=scale, legend=alt.Legend(title="gradient of", symbolOpacity=1)),
            detail=[alt.Detail("cell:N"), alt.Detail("path:N")],
        )
    )
    layers = [
        *annotations.float32_limits(domain, dark), line, axes.lags(int(table["lag"].min()), int(table["lag"].max())),
    ]  # fmt: skip
    return theme.finished(layers, title, subtitle, dark, width, height, two_x_axes=True)


def _layers(
    table: pd.DataFrame,
    names: Sequence[str],
    x_title: str,
    stroke: float,
    ends: pd.DataFrame | None,
    marks: pd.DataFrame | None,
    dark: bool,
) -> list[alt.Chart]:
    theme.refuse_empty(table)
    mean, low, high = names
    drawn = table[list(dict.fromkeys((*KEYS, *names, mean)))]
    drawn = drawn.assign(**{name: drawn[name].where(np.isfinite(drawn[name])) for name in names})
    first, last = int(table["step"].min()), int(table["step"].max())
    x = axes.steps(first, last)
    named = ends if ends is not None and 0 < len(ends) <= MOST_NAMES else None
    labels = None if named is None else annotations.broken(theme.line_names(named))
    shown, legends = _legends(table, labels is not None)
    colour = theme.cells_encoding(table, dark, legend=labels is None)
    domain = axes.decades_domain(drawn[name] for name in names)
    band = (
        alt.Chart(drawn)
        .mark_area()
        .encode(
            x=x,
            y=axes.decades(low, domain, []),
            y2=alt.Y2(high),
            color=colour,
            opacity=_when(shown, 0.14, 0),
            detail=theme.LINE,
        )
    )
    line = (
        alt.Chart(drawn)
        .mark_line(strokeWidth=stroke)
        .encode(
            x=axes.steps(first, last, x_title),
            y=axes.decades(mean, domain, _title(table, mean), offset=annotations.gutter(labels)),
            color=colour,
            opacity=_shade(table, shown, legend=labels is None),
            strokeDash=theme.dash(table["state"], legend=labels is None),
        )
        .add_params(*legends)
    )
    absolute = mean in ABSOLUTE or (table[mean] - table[ABSOLUTE[0]]).abs().max() < annotations.SAME
    return [
        *(annotations.float32_limits(domain, dark) if absolute else []),
        *([band] if len(table[["cell", "layer", "state"]].drop_duplicates()) <= MOST_BANDS else []),
        line,
        *annotations.exact_zeros(
            table[np.isneginf(table[mean])], x, last, colour, _when(shown, 0.9, theme.DIMMED), dark
        ),
        *annotations.marked_steps(marks, x, last, dark),
        *([] if named is None or labels is None else [annotations.end_labels(named, labels, x, colour)]),
        *annotations.hover(table, drawn, mean, x, colour, dark),
        axes.lags(int(table["lag"].min()), int(table["lag"].max())),
    ]


def _title(table: pd.DataFrame, mean: str) -> list[str]:
    states = theme.present(table["state"], state_names())
    norm = "norm of " + " and ".join(f"∂L/∂{state}" for state in states)
    return [norm, "relative to the injected gradient"] if mean in RELATIVE else [norm]


def _when(shown: dict | None, value: float, otherwise: float) -> alt.OpacityValue:
    """Opacity of what the legends leave selected, and of what they put aside."""
    if shown is None:
        return alt.OpacityValue(value)
    return alt.OpacityValue(otherwise, condition={"test": shown, "value": value})


def _legends(table: pd.DataFrame, named: bool) -> tuple[dict | None, list[alt.Parameter]]:
    """A legend to click for each of cell, layer and state that varies: what is clicked is shown, the rest dimmed."""
    varied = [field for field in ("cell", "layer", "state") if table[field].nunique() > 1 and not named]
    params = [
        alt.selection_point(name=f"{field}_shown", fields=[field], bind="legend", toggle="true") for field in varied
    ]
    return {"and": [{"param": param.name} for param in params]} if params else None, params


def _shade(table: pd.DataFrame, shown: dict | None, legend: bool) -> alt.Opacity | alt.OpacityValue:
    shade = theme.shade(table["layer"], legend)
    if shown is None:
        return shade
    scaled: Any = shade.to_dict()
    return alt.OpacityValue(theme.DIMMED, condition={"test": shown, **scaled})
