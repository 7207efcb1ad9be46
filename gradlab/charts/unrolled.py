"""The unrolled network: steps to the right, layers upwards, every edge in the colour of the gradient on it.

`network` reads one row per edge, and one per step drawn:

    edges   cell; layer and step of the node where the gradient arrives; lag; edge (loss, vertical, recurrent, direct,
            input), state, log10_relative (-inf: exactly nothing)
    steps   step, reads (whether it has an input), has_loss, label (what is written into the input)

A box stands for each input, layer and loss. Steps left out between two that are drawn leave a gap.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import altair as alt
import numpy as np
import pandas as pd

from gradlab.charts import axes, colours, theme
from gradlab.charts.picture import Domains, Picture, Rows, has, in_parts
from gradlab.words.languages import N_, _
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
WAYS = {  # what the pointer says on an edge
    "loss": N_("From the loss to {to}, step {step} (lag {lag}): {size} of the injected gradient"),
    "vertical": N_("From the layer above to {to}, step {step} (lag {lag}): {size} of the injected gradient"),
    "recurrent": N_("Through U to {to}, step {step} (lag {lag}): {size} of the injected gradient"),
    "direct": N_("By the direct path to {to}, step {step} (lag {lag}): {size} of the injected gradient"),
    "input": N_("Down to {to}, step {step} (lag {lag}): {size} of the injected gradient"),
}
BOXES = {
    "input": N_("The input at step {step}"), "hidden": N_("Layer {layer} at step {step}"),
    "loss": N_("The loss at step {step}"),
}  # fmt: skip
FIXED_DECADES = (-10.0, 2.0)  # log10: a scale of colours for pictures of several settings
FEWEST_COLUMNS = 4  # of a picture's width
NARROW, NARROW_COLUMNS = 500, 10  # pixels of a phone's picture, which shows the last columns alone


class Frame(NamedTuple):
    """Where the steps stand: a column each, from the first one's number on, and one for a gap between two."""

    place: dict[int, int]  # step → column
    gaps: pd.DataFrame  # x, left_out
    layers: int
    left: float
    right: float
    narrow: float  # the left end of a narrow picture

    @property
    def first(self) -> int:
        return min(self.place.values())

    @property
    def last(self) -> int:
        return max(self.place.values())


class Look(NamedTuple):
    """What decides how a network is drawn, beside its rows."""

    cell: str
    layers: int
    has_direct: bool
    small: bool
    dark: bool


def _network(
    table: pd.DataFrame,
    domain: Sequence[float] | None = None,
    steps: pd.DataFrame | None = None,
    *,
    small: bool = False,
    dark: bool = False,
) -> Picture:
    theme.refuse_empty(table)
    steps = _all_steps(table) if steps is None else steps
    frame = _frame(table, steps, small)
    drawn = _placed(table, frame)
    domain = [float(end) for end in domain or axes.decades_domain([table["log10_relative"]])]
    some, none = drawn[np.isfinite(drawn["log10_relative"])], drawn[~np.isfinite(drawn["log10_relative"])]
    boxes = _boxes(steps, drawn, frame)
    rows = {"some": some, "none": none.drop(columns="log10_relative")}
    along = some["edge"].isin(["recurrent", "direct"])
    rows |= {f"heads {way}": _head_rows(some[kept]) for way, kept in (("left", along), ("down", ~along))}
    rows |= {kind: boxes[boxes["box"] == kind] for kind in ("input", "hidden", "loss")}
    rows |= {"labels": boxes[boxes["label"] != ""], "gaps": frame.gaps}
    has_direct = "direct" in set(some["edge"])
    look = Look(str(table["cell"].iloc[0]), frame.layers, has_direct, small, dark)
    levels = frame.layers + 2
    height = levels * SMALL_LEVEL_PIXELS + SMALL_FRAME_PIXELS if small else levels * LEVEL_PIXELS + FRAME_PIXELS
    domains = {
        "colours": domain,
        "columns": [frame.left, frame.right],
        "narrow": [frame.narrow, frame.right],
        "steps": [frame.first, frame.last],
        "numbers": _numbers(frame),
    }
    return Picture(_layers, look, rows, domains, dark, height, held=("colours",))


@in_parts(_network)
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
    return _network(table, domain, steps, small=small, dark=dark).chart(title, subtitle, width, height)


def _layers(rows: Rows, domains: Domains, look: Look) -> list[alt.Chart]:
    ink, small, columns = colours.INKS[look.dark], look.small, _by_width(domains, axes.span)
    right = axes.ends(domains["columns"])[1]
    across = alt.Scale(domain=[alt.ExprRef(_by_width(domains, axes.start)), right], nice=False)
    up = alt.Scale(domain=[-1.5, look.layers + 0.45], zero=False, nice=False)
    x = alt.X("x:Q", scale=across, axis=None if small else _step_axis(domains["steps"], domains["numbers"]))
    y = alt.Y("y:Q", scale=up, axis=None if small else _level_axis(look.layers, look.has_direct))
    ends = {"x2": alt.X2("x2:Q"), "y2": alt.Y2("y2:Q")}
    says = alt.Tooltip("says:N")
    span = axes.span(domains["colours"])
    key = alt.Legend(
        type="gradient", title=_("relative to the injected gradient"), labelExpr=POWER_LABEL, titleOrient="top",
        gradientLength=240, gradientThickness=10, tickCount=alt.ExprRef(f"max(1, min(3, floor({span})))"),
    )  # fmt: skip
    scheme = alt.SchemeParams(name="viridis" if look.dark else "cividis", extent=[0.2, 1] if look.dark else [0, 1])
    low, high = axes.ends(domains["colours"])
    # The legend is the arrowheads': a rule's would be of strokes and not a gradient. Vega-Lite merges the legends of
    # equal domains, and without one is the stronger, so the domains differ by a hair.
    further = alt.ExprRef(f"{high.expr} + 1e-9") if isinstance(high, alt.ExprRef) else high + 1e-9
    lines, heads = (alt.Scale(scheme=scheme, domain=[low, end], clamp=True, nice=False) for end in (high, further))
    line = alt.Stroke("log10_relative:Q", scale=lines, legend=None)
    dotted = alt.Chart(rows["none"]).mark_rule(strokeWidth=1.2, strokeDash=[1, 4], color=ink.rule, clip=True)
    edges = alt.Chart(rows["some"]).mark_rule(strokeWidth=3.5 if small else 4, clip=True)
    parts = [dotted.encode(x=x, y=y, **ends, tooltip=says), edges.encode(x=x, y=y, **ends, stroke=line, tooltip=says)]
    fill = alt.Fill("shown:Q", scale=heads, legend=None if small else key)
    parts += [_heads(rows[f"heads {way}"], way, small, columns).encode(x=x, y=y, fill=fill) for way in ("left", "down")]
    for kind, colour in (
        ("input", ink.muted),
        ("hidden", colours.cell_colour(look.cell, look.dark)),
        ("loss", ink.alarm),
    ):
        mark = {
            "fill": colour,
            "stroke": colour,
            "cornerRadius": _at_most(4 if small else 7, 0.2, columns),
            "aria": False,
        }
        shown = {
            "fillOpacity": alt.FillOpacityValue(0, condition={"test": "datum.active", "value": FILLED[kind]}),
            "strokeDash": alt.StrokeDashValue([3, 3], condition={"test": "datum.active", "value": [1, 0]}),
            "strokeOpacity": alt.StrokeOpacityValue(0.5, condition={"test": "datum.active", "value": 1}),
            "tooltip": says,
        }
        rects = alt.Chart(rows[kind]).mark_rect(strokeWidth=1.5, clip=True, **mark)
        parts.append(rects.encode(x=x, y=y, **ends, **shown))
    parts.append(_labels(rows["labels"], across, up, look, columns))
    if has(rows["gaps"]):
        text = alt.Chart(rows["gaps"]).mark_text(
            lineBreak="\n",
            fontSize=_at_most(12, 0.3, columns),
            color=ink.muted,
            baseline="middle",
            lineHeight=NAME_PIXELS,
            dy=-NAME_PIXELS,
        )
        parts.append(text.encode(x=x, y=y, text=alt.Text("left_out:N")))
    return parts


def _by_width(domains: Domains, of: Callable[[axes.Domain], Any]) -> str:
    """Something of the columns in sight: a narrow picture shows fewer."""
    return f"(width < {NARROW} ? {of(domains['narrow'])} : {of(domains['columns'])})"


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
    left_out = [_("⋯\n{count}\nsteps").format(count=count) for count in np.diff(step, prepend=step[0] - 1)[skipped] - 1]
    gaps = pd.DataFrame({"x": column[skipped] - 1, "y": (layers - 1) // 2 + 0.5, "left_out": left_out})
    along = table["edge"].isin(["recurrent", "direct"])
    comes_in = bool((table.loc[along, "step"] == step[-1]).any())  # from a later step, which is not drawn
    spare = max(0, FEWEST_COLUMNS - len(column)) / 2  # a single box is no bar
    left = float(column[0]) - (0.5 if small else 0.7) - spare
    right = float(column[-1]) + (1 if comes_in else 0.5) + spare
    narrow = max(left, right - NARROW_COLUMNS - 0.2) if gaps.empty and not small else left
    place = dict(zip(step.tolist(), column.tolist(), strict=True))
    return Frame(place, gaps, layers, left, right, narrow)


def _numbers(frame: Frame) -> list[float]:
    """The step in each column; -1 where some are left out."""
    steps = {column: step for step, column in frame.place.items()}
    return [steps.get(column, -1) for column in range(frame.first, frame.last + 1)]


def _step_axis(steps: axes.Domain, numbers: axes.Domain) -> alt.Axis:
    """The numbers of the steps, under their columns, the first and the last of which are given."""
    first, last = (end.expr if isinstance(end, alt.ExprRef) else end for end in axes.ends(steps))
    step = f"{numbers if isinstance(numbers, str) else json.dumps([*numbers])}[datum.value - {first}]"
    label = f"{step} < 0 ? '' : format({step}, ',d')"
    return alt.Axis(title=_("step t"), values=alt.ExprRef(f"sequence({first}, {last} + 1)"), labelExpr=label)


def _level_axis(layers: int, has_direct: bool) -> alt.Axis:
    """The names of input, layers and loss; beside each layer, those of its two edges, each at its height."""
    named, direct = _("layer {layer}"), _("direct") if has_direct else ""
    names = [[direct, named.format(layer=layer), "U"] for layer in range(layers)]
    names = [["", _("input"), ""], *names, ["", _("loss"), ""]]
    label = f"{json.dumps(names, ensure_ascii=False)}[datum.value + 1]"
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
    ways, the_input, a_state = (
        {kind: _(text) for kind, text in WAYS.items()},
        _("the input"),
        _("{state} of layer {layer}"),
    )
    says = [
        ways[kind].format(
            to=the_input if kind == "input" else a_state.format(state=state, layer=layer),
            step=f"{at:,}", lag=f"{lag:,}", size=number(log10),
        )
        for layer, at, lag, kind, state, log10 in table[list(COLUMNS[1:])].itertuples(index=False, name=None)
    ]  # fmt: skip
    return table[list(COLUMNS)].assign(x=x, x2=x2, y=y, y2=y2, says=says)


def _head_rows(edges: pd.DataFrame) -> pd.DataFrame:
    """Arrowheads where edges arrive."""
    return pd.DataFrame({"x": edges["x2"], "y": edges["y2"], "shown": edges["log10_relative"]})


def _at_most(size: float, part: float, columns: str, power: int = 1) -> alt.ExprRef:
    """A size in pixels (of an area: power 2), no more than a part of a column."""
    return alt.ExprRef(f"min({size}, pow({part} * width / ({columns}), {power}))")


def _heads(rows: Any, way: str, small: bool, columns: str) -> alt.Chart:
    """Rows of `_head_rows` that point one way."""
    nose = _at_most(3 if small else 5, 0.08, columns)
    size = _at_most(45 if small else 90, 0.25, columns, 2)
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
    names = {box: _(text) for box, text in BOXES.items()}
    arriving: dict[tuple[int, int], list[str]] = {}
    for step, layer, says in zip(*(edges[name].tolist() for name in ("step", "layer", "says")), strict=True):
        arriving.setdefault((step, layer), []).append(says)
    said = [
        "\n".join([names[box].format(layer=level, step=f"{step:,}"), *arriving.get((step, level), ())])
        for box, step, level in zip(*(boxes[name].tolist() for name in ("box", "step", "level")), strict=True)
    ]
    return boxes[["box", "step", "level", "active", "label"]].assign(middle=middle, says=said, **corners)


def _labels(boxes: Any, across: alt.Scale, up: alt.Scale, look: Look, columns: str) -> alt.Chart:
    """What is written into the boxes."""
    size, ink = _at_most(11 if look.small else 14, 0.5, columns), colours.INKS[look.dark]
    text = alt.Chart(boxes).mark_text(fontSize=size, fontWeight=600, baseline="middle", clip=True)
    axis: Any = (
        {"axis": None} if look.small else {}
    )  # Vega-Lite fails where one layer has an axis and the others have none
    return text.encode(
        x=alt.X("middle:Q", scale=across, **axis),
        y=alt.Y("level:Q", scale=up, **axis),
        text=alt.Text("label:N"),
        fill=alt.FillValue(ink.text, condition={"test": "datum.box === 'loss'", "value": ink.paper}),
        opacity=alt.OpacityValue(0.45, condition={"test": "datum.active", "value": 1}),
    )
