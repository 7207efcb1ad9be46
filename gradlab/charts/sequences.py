"""The unrolled network: boxes for input, layers and loss, and links in the colour of the gradient that flows back.

`unrolled` reads three tables of positions, in columns (steps) and levels (0 the input, then the layers, then the loss):

    boxes   kind ("input" | "hidden" | "loss"), step, level, active, label, x, x2, y, y2, middle, centre
    links   kind, state, step, layer, x, y, x2, y2, log10_relative, flows, points ("left" | "down")
    gaps    x, y, label          in place of steps that are left out
"""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from gradlab.charts import axes, theme
from gradlab.charts.colours import INKS, cell_colour
from gradlab.words.numbers import power_of_ten

BOX_COLUMNS = ("kind", "step", "level", "active", "label", "x", "x2", "y", "y2", "middle", "centre")
LINK_COLUMNS = ("kind", "state", "step", "layer", "x", "y", "x2", "y2", "log10_relative", "flows", "points")
GAP_COLUMNS = ("x", "y", "label")
LEVEL_PIXELS = 66
NAMES = "datum.value == 0 ? 'input' : datum.value == %d ? 'loss' : 'layer ' + (datum.value - 1)"


def unrolled(
    boxes: pd.DataFrame,
    links: pd.DataFrame,
    gaps: pd.DataFrame,
    *,
    cell: str,
    columns: int,
    domain: list[float] | None = None,
    small: bool = False,
    title: str = "",
    subtitle: str = "",
    dark: bool = False,
    width: int | str = "container",
    height: int | None = None,
) -> alt.LayerChart:
    """Steps to the right, layers upwards, the gradient to the left and down.

    domain   log10 range of the links' colours; `small` leaves out axes and legend
    """
    ink, levels = INKS[dark], int(boxes["level"].max()) + 1
    domain = domain or axes.decades_domain([links["log10_relative"]])
    names = alt.Axis(
        title=None, values=list(range(levels)), labelExpr=NAMES % (levels - 1), grid=False, labelFontSize=13
    )

    def across(field: str) -> alt.X:
        scale = alt.Scale(domain=[-0.5, max(columns, 1) - 0.5], nice=False)
        return alt.X(f"{field}:Q", scale=scale, axis=None)

    def up(field: str) -> alt.Y:
        scale = alt.Scale(domain=[-0.75, levels - 0.6], nice=False, zero=False)
        return alt.Y(f"{field}:Q", scale=scale, axis=None if small else names)

    x, y = across("x"), up("y")
    key = alt.Legend(
        title="gradient flowing back, the loss's own = 1",
        labelExpr=axes.POWER_LABEL,
        tickCount=int(min(5, max(1, domain[1] - domain[0]))),
        gradientLength=240,
        gradientThickness=10,
        titleOrient="top",
        titleLimit=330,
    )
    scheme = alt.SchemeParams(name="viridis" if dark else "cividis", extent=[0.2, 1] if dark else [0, 1])
    # The legend is the arrowheads': a rule's would be of strokes and not a gradient. Vega-Lite merges the legends of
    # equal domains, and without one is the stronger, so the domains differ by a hair.
    stroke, colour = (
        kind("log10_relative:Q", scale=alt.Scale(scheme=scheme, domain=own, nice=False, clamp=True), legend=legend)
        for kind, own, legend in (
            (alt.Stroke, [domain[0], domain[1] + 1e-9], None),
            (alt.Color, domain, None if small else key),
        )
    )
    drawn = links.assign(norm=links["log10_relative"].where(links["flows"], -np.inf).map(power_of_ten))
    tips = [
        alt.Tooltip("kind:N", title="link"),
        alt.Tooltip("step:Q", title="arrives at step", format=",d"),
        alt.Tooltip("layer:Q", title="layer"),
        alt.Tooltip("norm:N", title="gradient, relative"),
    ]
    flowing, still = drawn[drawn["flows"]], drawn[~drawn["flows"]]
    wide = 3.5 if small else 5
    parts = [
        alt.Chart(still)
        .mark_rule(color=ink.rule, strokeDash=[2, 3], strokeWidth=1)
        .encode(x=x, y=y, x2="x2:Q", y2="y2:Q", tooltip=tips),
        alt.Chart(flowing)
        .mark_rule(strokeWidth=wide)
        .encode(x=x, y=y, x2="x2:Q", y2="y2:Q", stroke=stroke, tooltip=tips),
    ]
    nose = 3 if small else 5
    for way, angle in (("left", 270), ("down", 180)):
        heads = flowing[flowing["points"] == way][["x2", "y2", "log10_relative"]]
        arrow = alt.Chart(heads).mark_point(
            shape="triangle",
            angle=angle,
            filled=True,
            opacity=1,
            size=45 if small else 110,
            xOffset=nose if way == "left" else 0,
            yOffset=-nose if way == "down" else 0,
        )
        parts.append(arrow.encode(x=across("x2"), y=up("y2"), color=colour))
    parts += [
        _boxes(boxes[boxes["kind"] == kind], kind, cell, x, y, small, dark) for kind in ("input", "hidden", "loss")
    ]
    labels = boxes[boxes["label"] != ""]
    text = alt.Chart(labels).mark_text(fontSize=11 if small else 14, fontWeight=600, baseline="middle")
    parts.append(
        text.encode(
            x=across("middle"),
            y=up("centre"),
            text="label:N",
            fill=alt.when(alt.datum.kind == "loss").then(alt.value(ink.paper)).otherwise(alt.value(ink.text)),
            opacity=alt.when(alt.datum.active).then(alt.value(1)).otherwise(alt.value(0.45)),
        )
    )
    if not small:
        steps = alt.Chart(boxes[boxes["kind"] == "input"]).mark_text(
            fontSize=11, color=ink.muted, baseline="top", dy=26
        )
        parts.append(steps.encode(x=across("middle"), y=up("centre"), text="step:Q"))
    if not gaps.empty:
        lines = gaps.assign(lines="⋯\n" + gaps["label"].str.replace(" ", "\n"))
        left_out = alt.Chart(lines).mark_text(
            lineBreak="\n", fontSize=12, color=ink.muted, baseline="middle", lineHeight=13
        )
        parts.append(left_out.encode(x=x, y=up("y"), text="lines:N"))
    height = height or (levels * (38 if small else LEVEL_PIXELS) + (14 if small else 90))
    return theme.finished(parts, title, subtitle, dark, width, height)


def _boxes(boxes: pd.DataFrame, kind: str, cell: str, x: alt.X, y: alt.Y, small: bool, dark: bool) -> alt.Chart:
    """Boxes of one kind: inputs grey, hidden states in the cell's colour, losses in the colour of alarm."""
    ink = INKS[dark]
    colour = {"input": ink.muted, "hidden": cell_colour(cell, dark), "loss": ink.alarm}[kind]
    fill = {"input": 0.18, "hidden": 0.32, "loss": 1.0}[kind]
    chart = alt.Chart(boxes).mark_rect(
        fill=colour, stroke=colour, strokeWidth=1.5, cornerRadius=4 if small else 7, aria=False
    )
    return chart.encode(
        x=x,
        y=y,
        x2="x2:Q",
        y2="y2:Q",
        fillOpacity=alt.when(alt.datum.active).then(alt.value(fill)).otherwise(alt.value(0)),
        strokeDash=alt.when(alt.datum.active).then(alt.value([1, 0])).otherwise(alt.value([3, 3])),
        strokeOpacity=alt.when(alt.datum.active).then(alt.value(1)).otherwise(alt.value(0.5)),
        tooltip=[alt.Tooltip("kind:N", title="box"), alt.Tooltip("step:Q", format=",d")],
    )
