"""The unrolled network: layers upwards, steps to the right, every edge in the colour of the gradient on it.

`network` reads a row an edge: layer and step of the node where the gradient arrives, lag, edge (loss, vertical,
recurrent, direct, input), state, log10_relative (-inf: exactly nothing).
"""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from gradlab.charts import axes, colours, theme
from gradlab.words.numbers import power_of_ten

COLUMNS = ("layer", "step", "lag", "edge", "state", "log10_relative")
APART = 0.2  # layers: the direct edge runs above the middle, the recurrent one below
END, STUB = 0.16, 0.75  # steps that an edge keeps from its nodes; layers that loss and input edges are long
ROW_PIXELS, FRAME_PIXELS = 110, 190


def network(
    table: pd.DataFrame,
    domain: tuple[float, float],
    *,
    title: str = "",
    subtitle: str = "",
    dark: bool = False,
    width: int | str = "container",
    height: int | None = None,
) -> alt.LayerChart:
    """All edges that arrive at the table's steps. `domain`: log10 of the gradients that colours stand for."""
    theme.refuse_empty(table)
    ink = colours.INKS[dark]
    drawn = _placed(table)
    layers = int(table["layer"].max()) + 1
    first, last = int(table["step"].min()), int(table["step"].max())
    x_scale = alt.Scale(domain=[first - 0.7, last + 1], nice=False)
    y_scale = alt.Scale(domain=[-1, layers], nice=False)
    axis = alt.Axis(title="step t", format=",d", tickCount=axes.ticks("width", 55, last - first))
    numbered = alt.Axis(title="layer", values=list(range(layers)), grid=False, format="d")
    x, y = alt.X("x:Q", scale=x_scale, axis=axis), alt.Y("y:Q", scale=y_scale, axis=numbered)
    ends = {"x2": "x2:Q", "y2": "y2:Q"}
    tips = [
        alt.Tooltip("edge:N"),
        alt.Tooltip("layer:O", title="arrives at layer"),
        alt.Tooltip("step:Q", title="step"),
        alt.Tooltip("lag:Q"),
        alt.Tooltip("state:N", title="into"),
        alt.Tooltip("size:N", title="gradient, relative"),
    ]
    key = alt.Legend(
        type="gradient", title="norm on the edge, relative", labelExpr=axes.POWER_LABEL, titleOrient="top",
        gradientLength=240, gradientThickness=10, tickCount=int(max(1, min(5, domain[1] - domain[0]))),
    )  # fmt: skip
    scale = alt.Scale(scheme="cividis", domain=list(domain), clamp=True, nice=False)
    line = alt.Stroke(
        "log10_relative:Q", scale=scale, legend=None
    )  # one legend of lines and heads would be no gradient
    some, none = drawn[np.isfinite(drawn["log10_relative"])], drawn[~np.isfinite(drawn["log10_relative"])]
    parts = [
        alt.Chart(none.drop(columns="log10_relative"))
        .mark_rule(strokeWidth=1.2, strokeDash=[1, 4], color=ink.rule)
        .encode(x=x, y=y, **ends, tooltip=tips),
        alt.Chart(some).mark_rule(strokeWidth=4, strokeCap="round").encode(x=x, y=y, **ends, stroke=line, tooltip=tips),
    ]
    heads = some[some["edge"].isin(["recurrent", "direct"])].assign(shown=some["log10_relative"])
    parts.append(
        alt.Chart(heads)
        .mark_point(shape="triangle-left", strokeOpacity=0, size=_at_most(70, 0.4, last - first + 1), opacity=1)
        .encode(x=x, y=y, fill=alt.Fill("shown:Q", scale=scale, legend=key))
    )
    nodes = (
        table.loc[table["layer"] >= 0, ["layer", "step"]].drop_duplicates().rename(columns={"step": "x", "layer": "y"})
    )
    parts.append(
        alt.Chart(nodes)
        .mark_circle(
            size=_at_most(190, 0.5, last - first + 1), opacity=1, fill=ink.paper, stroke=ink.text, strokeWidth=1.4
        )
        .encode(x=x, y=y)
    )
    parts.append(_names(layers, first, x_scale, y_scale, "direct" in set(some["edge"]), dark))
    height = height or FRAME_PIXELS + ROW_PIXELS * layers
    return theme.finished(parts, title, subtitle, dark, width, height)


def _at_most(size: int, part: float, steps: int) -> alt.ExprRef:
    """A mark's area in square pixels, no wider than a part of a step."""
    return alt.ExprRef(f"min({size}, pow({part} * width / {steps}, 2))")


def _placed(table: pd.DataFrame) -> pd.DataFrame:
    """Where each edge begins (the arriving end: x, y) and ends (x2, y2)."""
    step, layer, edge = (table[name] for name in ("step", "layer", "edge"))
    across = edge.isin(["recurrent", "direct"])
    offset = np.select([edge == "direct", edge == "recurrent"], [APART, -APART], 0.0)
    x = step + np.where(across, END, 0.0)
    x2 = step + np.where(across, 1 - END, 0.0)
    node = np.where(edge == "input", 0, layer)
    length = np.select([edge == "vertical", edge == "loss", edge == "input"], [1 - 0.1, STUB, -STUB], 0.0)
    y = node + offset + np.where(across, 0, np.where(edge == "input", -0.1, 0.1))
    y2 = node + offset + length
    size = [power_of_ten(value) for value in table["log10_relative"]]
    return table[list(COLUMNS)].assign(x=x, x2=x2, y=y, y2=y2, size=size)


def _names(layers: int, first: int, x_scale: alt.Scale, y_scale: alt.Scale, direct: bool, dark: bool) -> alt.Chart:
    """What the two edges between two steps are, written at the left of each layer."""
    kinds = [("direct", APART), ("U", -APART)] if direct else [("U", -APART)]
    rows = [(first - 0.2, layer + at, name) for layer in range(layers) for name, at in kinds]
    frame = pd.DataFrame(rows, columns=["x", "y", "name"])
    text = alt.Chart(frame).mark_text(align="right", fontSize=12, color=colours.INKS[dark].text)
    return text.encode(x=alt.X("x:Q", scale=x_scale), y=alt.Y("y:Q", scale=y_scale), text="name:N")
