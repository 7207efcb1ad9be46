"""Layer × step: how much of the gradient reaches every layer at every step, as one picture.

`layers_by_steps` reads a table of bins of steps, one row per cell, layer, state and bin:

    cell, layer, state
    step, step_end, lag, lag_end       a bin's first step and one past its last, and the lags of the same two
    log10_relative or log10_norm       mean over the bin of the finite log10 norms; -inf exactly zero, NaN undefined
    exact_zeros, not_finite            how many of the bin's steps are exactly zero, how many undefined
"""

from __future__ import annotations

import json

import altair as alt
import numpy as np
import pandas as pd

from gradlab.cells import CELLS, state_names
from gradlab.charts import annotations, axes, colours, theme
from gradlab.words.languages import N_, _
from gradlab.words.numbers import POWER_LABEL, listed

COLUMNS = (
    "cell", "layer", "state", "step", "step_end", "lag", "lag_end",
    "log10_norm", "log10_relative", "exact_zeros", "not_finite",
)  # fmt: skip
ZERO, UNDEFINED = N_("exactly 0"), N_("not finite")
ROW_PIXELS, FRAME_PIXELS = 26, 170
SEAM = 1  # pixel by which a bin reaches into the next: without it the background shines through between two


def layers_by_steps(
    table: pd.DataFrame,
    *,
    relative: bool = True,
    title: str = "",
    subtitle: str = "",
    dark: bool = False,
    width: int | str = "container",
    height: int | None = None,
) -> alt.LayerChart:
    """One row per layer, the lowest at the bottom; cells one below the other, on one colour scale."""
    theme.refuse_empty(table)
    value = "log10_relative" if relative else "log10_norm"
    drawn = table[[*COLUMNS[:7], value, "exact_zeros", "not_finite"]]
    drawn = drawn.assign(group=_groups(table), row=_groups(table) + " " + table["layer"].astype(str))
    rows, numbers = _rows(drawn)
    several = drawn["group"].nunique() > 1
    states = theme.present(table["state"], state_names())
    domain = axes.decades_domain([drawn[value]])
    legend = alt.Legend(
        title=(_("norm of {gradients}, relative") if relative else _("norm of {gradients}")).format(
            gradients=listed([f"∂L/∂{state}" for state in states])
        ),
        labelExpr=POWER_LABEL,
        tickCount=int(min(4, domain[1] - domain[0])),
        gradientLength=220,
        gradientThickness=10,
        titleOrient="top",
    )
    first, last = int(table["step"].min()), int(table["step_end"].max())
    shared = {
        "x2": alt.X2("step_end"),
        "y": alt.Y(
            "row:O",
            scale=alt.Scale(domain=rows, paddingInner=0.06),
            axis=alt.Axis(title=_("layer"), labelExpr=f"{json.dumps(numbers)}[datum.value]", grid=False),
        ),
    }
    tips = [
        *([alt.Tooltip("group:N", title=_("cell"))] if several else []),
        alt.Tooltip("layer:O", title=_("layer")),
        alt.Tooltip("step:Q", title=_("from step"), format=",d"),
        alt.Tooltip("lag:Q", title=_("from lag"), format=",d"),
        alt.Tooltip("size:N", title=_("relative to the injected gradient") if relative else _("norm")),
        alt.Tooltip("exact_zeros:Q", title=_("steps exactly 0"), format=",d"),
        alt.Tooltip("not_finite:Q", title=_("steps not finite"), format=",d"),
    ]
    scale = alt.Scale(scheme="cividis", domain=domain, nice=False)
    finite = drawn[np.isfinite(drawn[value])]
    layers = [
        annotations.with_number(alt.Chart(finite), value)
        .mark_rect(x2Offset=SEAM)
        .encode(
            x=axes.steps(first, last, _("step t")),
            **shared,
            color=alt.Color(f"{value}:Q", scale=scale, legend=legend),
            tooltip=tips,
        )
    ]
    rest = drawn[~np.isfinite(drawn[value])]
    if not rest.empty:
        kind = np.where(np.isneginf(rest[value]), ZERO, UNDEFINED)
        ink = colours.INKS[dark]
        names = theme.present(pd.Series(kind), (ZERO, UNDEFINED))
        key = theme.named(
            names,
            symbolType="square",
            symbolStrokeColor=ink.rule,
            symbolStrokeWidth=1,
            values=names,
        )
        fill = alt.Fill(
            "kind:N", scale=alt.Scale(domain=[ZERO, UNDEFINED], range=["transparent", ink.alarm]), legend=key
        )
        rest = rest.assign(kind=kind, said=[_(name) for name in kind]).drop(columns=value)
        tips[-3] = alt.Tooltip("said:N", title=_("norm"))
        layers.append(
            alt.Chart(rest)
            .mark_rect(x2Offset=SEAM)
            .encode(x=axes.steps(first, last), **shared, fill=fill, tooltip=tips)
        )
    if several:
        names = alt.Chart(pd.DataFrame({"group": drawn["group"].unique()}))
        names = names.mark_text(align="left", baseline="middle", dy=4, fontSize=12, fontWeight=600)
        layers.append(names.encode(x=alt.XValue(0), y=alt.Y("group:O"), text=alt.Text("group:N")))
    layers.append(axes.lags(int(table["lag_end"].min()), int(table["lag"].max())))
    height = height or FRAME_PIXELS + ROW_PIXELS * len(rows)
    return theme.finished(layers, title, subtitle, dark, width, height, two_x_axes=True)


def _groups(table: pd.DataFrame) -> pd.Series:
    """The group of layers a row belongs to: its cell, and its state where several are shown."""
    names = table["cell"].map(theme.cell_title)
    return names + " " + table["state"] if table["state"].nunique() > 1 else names


def _rows(drawn: pd.DataFrame) -> tuple[list[str], dict[str, str]]:
    """The rows from the top, a group's higher layers first and its name above them, and what the axis calls each."""
    rows: list[str] = []
    numbers: dict[str, str] = {}
    groups = drawn["group"].unique()
    drawn = drawn[["cell", "state", "layer", "group", "row"]].drop_duplicates()
    for cell in theme.present(drawn["cell"], CELLS):
        for state in theme.present(drawn["state"], state_names()):
            of_group = drawn[(drawn["cell"] == cell) & (drawn["state"] == state)].sort_values("layer", ascending=False)
            if len(groups) > 1 and len(of_group):
                rows.append(of_group["group"].iloc[0])
                numbers[rows[-1]] = ""
            numbers |= dict(zip(of_group["row"], of_group["layer"].astype(str), strict=True))
            rows += list(dict.fromkeys(of_group["row"]))
    return rows, numbers
