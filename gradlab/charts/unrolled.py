"""The unrolled network: steps to the right, layers upwards, every edge in the colour of the gradient on it.

`network` reads one row per edge, and one per step drawn:

    edges   cell; layer and step of the node where the gradient arrives; lag; edge (loss, vertical, recurrent, direct,
            input), state, log10_relative (-inf: exactly nothing)
    steps   step, reads (whether it has an input), has_loss, label (what is written into the input)

A box stands for each input, layer and loss. Steps left out between two that are drawn leave a gap.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

import altair as alt
import numpy as np
import pandas as pd

from gradlab.charts import axes, colours, theme
from gradlab.words.numbers import POWER_LABEL, number

COLUMNS = ("cell", "layer", "step", "lag", "edge", "state", "log10_relative")
STEP_COLUMNS = ("step", "reads", "has_loss", "label")
HALF_WIDTH, HALF_HEIGHT = 0.25, 0.26  # of a box, in columns and in levels
APART = 0.165  # levels: the direct edge runs above the middle, the recurrent one below
SPREAD = 0.16  # levels from the lowest to the highest of several direct edges, one a state
LEVEL_PIXELS, FRAME_PIXELS = 78, 90
NAME_PIXELS = 13  # a line of a layer's name: one more is the height of an edge beside it
SMALL_LEVEL_PIXELS, SMALL_FRAME_PIXELS = 38, 14
FILLED = {"input": 0.18, "hidden": 0.32, "loss": 1.0}
WAYS = {
    "loss": "From the loss", "vertical": "From the layer above", "recurrent": "Through U",
    "direct": "By the direct path", "input": "Down",
}  # fmt: skip
FIXED_DECADES = (-10.0, 2.0)  # log10: a scale of colours for pictures of several settings
FEWEST_COLUMNS = 4  # of a picture's width
NARROW, NARROW_COLUMNS = 500, 10  # pixels of a phone's picture, which shows the last columns alone


class Frame(NamedTuple):
    """Where the steps stand: a column each, from the first one's number on, and one for a gap between two."""

    place: dict[int, int]  # step → column
    gaps: pd.DataFrame  # x, left_out
    layers: int
    x: alt.Scale
    y: alt.Scale
    columns: str  # of the whole width: an expression, for a narrow picture shows fewer

    @property
    def first(self) -> int:
        return min(self.place.values())

    def at_most(self, size: float, part: float, power: int = 1) -> alt.ExprRef:
        """A size in pixels (of an area: power 2), no more than a part of a column."""
        return alt.ExprRef(f"min({size}, pow({part} * width / {self.columns}, {power}))")


def network(
    table: pd.DataFrame,
    domain: Sequence[float] | None = None,
    steps: pd.DataFrame | None = None,
    *,
    small: bool = False,
    title: str = "",
    subtitle: str = "",
    dark: bool = False,
    width: int | str = "container",
    height: int | None = None,
) -> alt.LayerChart:
    """All edges of a table.

    domain   log10 of the gradients that colours stand for; the range of the table if None
    steps    those that are drawn; if None every step at which an edge arrives, and nothing is written into inputs
    small    without axes and legend, for a gallery
    """
    theme.refuse_empty(table)
    ink = colours.INKS[dark]
    steps = _all_steps(table) if steps is None else steps
    frame = _frame(table, steps, small)
    drawn = _placed(table, frame)
    domain = list(domain or axes.decades_domain([table["log10_relative"]]))
    some, none = drawn[np.isfinite(drawn["log10_relative"])], drawn[~np.isfinite(drawn["log10_relative"])]
    x, y = alt.X("x:Q", scale=frame.x, axis=_step_axis(frame, small)), alt.Y("y:Q", scale=frame.y, axis=None)
    if not small:
        y = alt.Y("y:Q", scale=frame.y, axis=_level_axis(frame.layers, "direct" in set(some["edge"])))
    ends = {"x2": "x2:Q", "y2": "y2:Q"}
    says = alt.Tooltip("says:N")
    key = alt.Legend(
        type="gradient", title="relative to the injected gradient", labelExpr=POWER_LABEL, titleOrient="top",
        gradientLength=240, gradientThickness=10, tickCount=int(max(1, min(4, domain[1] - domain[0]))),
    )  # fmt: skip
    scheme = alt.SchemeParams(name="viridis" if dark else "cividis", extent=[0.2, 1] if dark else [0, 1])
    # The legend is the arrowheads': a rule's would be of strokes and not a gradient. Vega-Lite merges the legends of
    # equal domains, and without one is the stronger, so the domains differ by a hair.
    lines, heads = (
        alt.Scale(scheme=scheme, domain=[domain[0], domain[1] + hair], clamp=True, nice=False) for hair in (0, 1e-9)
    )
    line = alt.Stroke("log10_relative:Q", scale=lines, legend=None)
    parts = [
        alt.Chart(none.drop(columns="log10_relative"))
        .mark_rule(strokeWidth=1.2, strokeDash=[1, 4], color=ink.rule, clip=True)
        .encode(x=x, y=y, **ends, tooltip=says),
        alt.Chart(some)
        .mark_rule(strokeWidth=3.5 if small else 4, clip=True)
        .encode(x=x, y=y, **ends, stroke=line, tooltip=says),
    ]
    fill = alt.Fill("shown:Q", scale=heads, legend=None if small else key)
    parts += [_heads(some, way, small, frame).encode(x=x, y=y, fill=fill) for way in ("left", "down")]
    boxes = _boxes(steps, drawn, frame)
    cell = str(table["cell"].iloc[0])
    for kind, colour in (("input", ink.muted), ("hidden", colours.cell_colour(cell, dark)), ("loss", ink.alarm)):
        mark = {"fill": colour, "stroke": colour, "cornerRadius": frame.at_most(4 if small else 7, 0.2), "aria": False}
        shown = {
            "fillOpacity": alt.when(alt.datum.active).then(alt.value(FILLED[kind])).otherwise(alt.value(0)),
            "strokeDash": alt.when(alt.datum.active).then(alt.value([1, 0])).otherwise(alt.value([3, 3])),
            "strokeOpacity": alt.when(alt.datum.active).then(alt.value(1)).otherwise(alt.value(0.5)),
            "tooltip": says,
        }
        rects = alt.Chart(boxes[boxes["box"] == kind]).mark_rect(strokeWidth=1.5, clip=True, **mark)
        parts.append(rects.encode(x=x, y=y, **ends, **shown))
    parts.append(_labels(boxes[boxes["label"] != ""], small, frame, ink))
    if not frame.gaps.empty:
        text = alt.Chart(frame.gaps).mark_text(
            lineBreak="\n",
            fontSize=frame.at_most(12, 0.3),
            color=ink.muted,
            baseline="middle",
            lineHeight=NAME_PIXELS,
            dy=-NAME_PIXELS,
        )
        parts.append(text.encode(x=x, y=y, text="left_out:N"))
    levels = frame.layers + 2
    own_height = levels * SMALL_LEVEL_PIXELS + SMALL_FRAME_PIXELS if small else levels * LEVEL_PIXELS + FRAME_PIXELS
    return theme.finished(parts, title, subtitle, dark, width, height or own_height)


def _all_steps(table: pd.DataFrame) -> pd.DataFrame:
    """Every step at which an edge arrives."""
    step = np.unique(table["step"])
    has_loss = np.isin(step, table.loc[table["edge"] == "loss", "step"])
    return pd.DataFrame({"step": step, "reads": True, "has_loss": has_loss, "label": ""})


def _frame(table: pd.DataFrame, steps: pd.DataFrame, small: bool) -> Frame:
    step = steps["step"].to_numpy()
    skipped = np.diff(step, prepend=step[0] - 1) > 1
    column = int(step[0]) + np.arange(len(step)) + np.cumsum(skipped)
    layers = int(table["layer"].max()) + 1
    left_out = [f"⋯\n{count}\nsteps" for count in np.diff(step, prepend=step[0] - 1)[skipped] - 1]
    gaps = pd.DataFrame({"x": column[skipped] - 1, "y": (layers - 1) // 2 + 0.5, "left_out": left_out})
    along = table["edge"].isin(["recurrent", "direct"])
    comes_in = bool((table.loc[along, "step"] == step[-1]).any())  # from a later step, which is not drawn
    spare = max(0, FEWEST_COLUMNS - len(column)) / 2  # a single box is no bar
    left, right = column[0] - (0.5 if small else 0.7) - spare, column[-1] + (1 if comes_in else 0.5) + spare
    place = dict(zip(step.tolist(), column.tolist(), strict=True))
    narrow = max(left, right - NARROW_COLUMNS - 0.2) if gaps.empty and not small else left
    x = alt.Scale(domain=[alt.ExprRef(f"width < {NARROW} ? {narrow} : {left}"), right], nice=False)
    y = alt.Scale(domain=[-1.5, layers + 0.45], zero=False, nice=False)
    return Frame(place, gaps, layers, x, y, f"(width < {NARROW} ? {right - narrow} : {right - left})")


def _step_axis(frame: Frame, small: bool) -> alt.Axis | None:
    """The numbers of the steps, under their columns."""
    if small:
        return None
    names = dict.fromkeys(range(frame.first, max(frame.place.values()) + 1), "") | {
        column: f"{step:,}" for step, column in frame.place.items()
    }
    label = f"{json.dumps([*names.values()])}[datum.value - {frame.first}]"
    return alt.Axis(title="step t", values=sorted(frame.place.values()), labelExpr=label)


def _level_axis(layers: int, has_direct: bool) -> alt.Axis:
    """The names of input, layers and loss; beside each layer, those of its two edges, each at its height."""
    names = [["direct" if has_direct else "", f"layer {layer}", "U"] for layer in range(layers)]
    label = f"{json.dumps([['', 'input', ''], *names, ['', 'loss', '']])}[datum.value + 1]"
    return alt.Axis(
        title=None,
        values=list(range(-1, layers + 1)),
        labelExpr=label,
        grid=False,
        labelLineHeight=NAME_PIXELS,
        labelOffset=-NAME_PIXELS,  # the first of three lines stands at the value
    )


def _placed(table: pd.DataFrame, frame: Frame) -> pd.DataFrame:
    """From where the gradient comes on each edge (x, y) to where it arrives (x2, y2)."""
    step, edge = table["step"], table["edge"]
    along = edge.isin(["recurrent", "direct"])
    column = step.map(frame.place)
    column = column.where(column.notna(), (step + 1).map(frame.place) - 1)  # out of a gap, or from the last step on
    direct = list(dict.fromkeys(table.loc[edge == "direct", "state"]))
    above = {state: APART - (number - (len(direct) - 1) / 2) * SPREAD / max(len(direct) - 1, 1)
             for number, state in enumerate(direct)}  # fmt: skip
    offset = np.select([edge == "direct", edge == "recurrent"], [table["state"].map(above), -APART], 0.0)
    x = column + np.where(along, 1 - HALF_WIDTH, 0.0)
    x2 = column + np.where(along, HALF_WIDTH, 0.0)
    y = table["layer"] + np.where(along, offset, 1 - HALF_HEIGHT)
    y2 = table["layer"] + np.where(along, offset, HALF_HEIGHT)
    says = [
        f"{WAYS[kind]} to {'the input' if kind == 'input' else f'{state} of layer {layer}'}, step {at:,} "
        f"(lag {lag:,}): {number(log10)} of the injected gradient"
        for layer, at, lag, kind, state, log10 in table[list(COLUMNS[1:])].itertuples(index=False, name=None)
    ]
    return table[list(COLUMNS)].assign(x=x, x2=x2, y=y, y2=y2, says=says)


def _heads(edges: pd.DataFrame, way: str, small: bool, frame: Frame) -> alt.Chart:
    """Arrowheads where edges arrive."""
    along = edges["edge"].isin(["recurrent", "direct"])
    at = edges[along if way == "left" else ~along]
    rows = pd.DataFrame({"x": at["x2"], "y": at["y2"], "shown": at["log10_relative"]})
    nose = frame.at_most(3 if small else 5, 0.08)
    size = frame.at_most(45 if small else 90, 0.25, 2)
    mark = alt.MarkDef(type="point", shape="triangle", strokeOpacity=0, opacity=1, size=size, clip=True)
    if way == "left":
        mark["angle"], mark["xOffset"] = 270, nose
    else:
        mark["angle"], mark["yOffset"] = 180, -3 if small else -5
    return alt.Chart(rows, mark=mark)


def _boxes(steps: pd.DataFrame, edges: pd.DataFrame, frame: Frame) -> pd.DataFrame:
    """The corners of a box for each input, layer and loss: box, step, active, label, says, x, x2, y, y2."""
    inputs = steps.assign(box="input", level=-1, active=steps["reads"])
    hidden = [steps.assign(box="hidden", level=layer, active=True, label="") for layer in range(frame.layers)]
    losses = steps[steps["has_loss"]].assign(box="loss", level=frame.layers, active=True, label="ℓ")
    boxes = pd.concat([inputs, *hidden, losses], ignore_index=True)
    middle = boxes["step"].map(frame.place)
    corners = {"x": middle - HALF_WIDTH, "x2": middle + HALF_WIDTH}
    corners |= {"y": boxes["level"] - HALF_HEIGHT, "y2": boxes["level"] + HALF_HEIGHT}
    says = [
        "\n".join([f"{f'layer {level}' if box == 'hidden' else f'the {box}'} at step {step:,}".capitalize(), *arriving])
        for box, step, level in boxes[["box", "step", "level"]].itertuples(index=False, name=None)
        for arriving in [edges.loc[(edges["step"] == step) & (edges["layer"] == level), "says"]]
    ]
    return boxes[["box", "step", "level", "active", "label"]].assign(middle=middle, says=says, **corners)


def _labels(boxes: pd.DataFrame, small: bool, frame: Frame, ink: colours.Ink) -> alt.Chart:
    """What is written into the boxes."""
    size = frame.at_most(11 if small else 14, 0.5)
    text = alt.Chart(boxes).mark_text(fontSize=size, fontWeight=600, baseline="middle", clip=True)
    return text.encode(
        x=alt.X("middle:Q", scale=frame.x),
        y=alt.Y("level:Q", scale=frame.y),
        text="label:N",
        fill=alt.when(alt.datum.box == "loss").then(alt.value(ink.paper)).otherwise(alt.value(ink.text)),
        opacity=alt.when(alt.datum.active).then(alt.value(1)).otherwise(alt.value(0.45)),
    )
