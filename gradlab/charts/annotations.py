"""What stands beside the lines of a trace: float32's limits, exact zeros, marked steps, names, and the hover."""

from __future__ import annotations

import textwrap

import altair as alt
import numpy as np
import pandas as pd

from gradlab.charts import colours, theme
from gradlab.words.numbers import number

END_COLUMNS = ("cell", "layer", "state", "step", "label_at")  # `label_at`: height of a line's name, log10
MARK_COLUMNS = ("step", "label")

_FLOAT32 = np.finfo(np.float32)
FLOAT32_LIMITS = pd.DataFrame(
    {
        "log10": np.log10(np.array([_FLOAT32.tiny, _FLOAT32.smallest_subnormal], dtype=np.float64)),
        "label": ["float32 smallest normal", "float32 smallest subnormal"],
    }
)
CLOSE = 100  # decades in view, up to which there is room for a name between the two limits
FAR_BELOW = -500  # log10; where lines go this far down, the limits share a name at the left, where the lines are low
ZERO_PIXELS = 8  # height of the marks of exact zeros
SAME = 0.05  # decades; nearer than this, a relative norm is drawn as the norm itself


def float32_limits(domain: list[float], dark: bool) -> list[alt.Chart]:
    """Rules at float32's limits, where the drawn range of log10 norms reaches below them."""
    lowest, highest = domain
    limits = FLOAT32_LIMITS[FLOAT32_LIMITS["log10"] > lowest]
    limits = limits.assign(above=[True, highest - lowest < CLOSE][: len(limits)])
    if limits.empty:
        return []
    ink = colours.INKS[dark]
    y = alt.Y("log10:Q")
    rules = alt.Chart(limits).mark_rule(color=ink.rule, strokeWidth=0.8, strokeDash=[2, 3]).encode(y=y)
    place: dict = {"align": "right", "dx": -2}
    x = alt.XValue("width")
    if lowest < FAR_BELOW:
        limits = limits.tail(1).assign(label="float32 smallest normal, subnormal", above=False)
        place, x = {"align": "left", "dx": 4}, alt.XValue(0)
    place["baseline"] = alt.ExprRef("datum.above ? 'bottom' : 'top'")
    place["dy"] = alt.ExprRef("datum.above ? -3 : 4")
    names = alt.Chart(limits).mark_text(fontSize=11, color=ink.muted, **place)
    return [rules, names.encode(x=x, y=y, text=alt.Text("label:N"))]


def exact_zeros(
    zeros: pd.DataFrame, x: alt.X, last: int, colour: alt.Color, opacity: alt.OpacityValue, dark: bool
) -> list[alt.Chart]:
    """Exact zeros, which a log axis lacks: rows of marks on the bottom edge, one per cell, labelled at the end."""
    if zeros.empty:
        return []
    edge = alt.YValue("height")
    rows = [
        alt.Chart(zeros.loc[zeros["cell"] == cell, ["cell", "layer", "state", "step"]])
        .mark_tick(orient="vertical", size=ZERO_PIXELS, thickness=1.5, yOffset=-(number + 0.5) * (ZERO_PIXELS + 1))
        .encode(x=x, y=edge, color=colour, opacity=opacity, detail=theme.LINE)
        for number, cell in enumerate(dict.fromkeys(zeros["cell"]))
    ]
    end = zeros.nlargest(1, "step")[["step"]]
    beyond = {"align": "left", "dx": 6, "dy": -5}
    above = {"align": "right", "dx": 0, "dy": -len(rows) * (ZERO_PIXELS + 1) - 8}
    place = beyond if end["step"].item() < 0.7 * last else above
    name = alt.Chart(end).mark_text(text="exactly 0", fontSize=11, color=colours.INKS[dark].text, **place)
    return [*rows, name.encode(x=x, y=edge)]


def marked_steps(marks: pd.DataFrame | None, x: alt.X, last: int, dark: bool) -> list[alt.Chart]:
    """Labelled vertical rules; the label stands on the side that has more room."""
    if marks is None or marks.empty:
        return []
    alarm = colours.INKS[dark].alarm
    rules = alt.Chart(marks).mark_rule(color=alarm, strokeWidth=1.2).encode(x=x)
    broken = marks.assign(label=["\n".join(textwrap.wrap(label, 20)) for label in marks["label"]])
    late = f"datum.step > {last} / 2"
    place = {"align": alt.ExprRef(f"{late} ? 'right' : 'left'"), "dx": alt.ExprRef(f"{late} ? -5 : 5"), "dy": 4}
    names = alt.Chart(broken).mark_text(baseline="top", lineBreak="\n", color=alarm, **place)
    return [rules, names.encode(x=x, y=alt.YValue(0), text=alt.Text("label:N"))]


def broken(names: pd.Series) -> pd.Series:
    """Long names in several short lines, so that they leave the lines of a narrow chart some room."""
    return names.map(lambda name: "\n".join(textwrap.wrap(str(name), 9, break_long_words=False)))


def gutter(labels: pd.Series | None) -> int:
    """Pixels between the axis and the lines that their names need."""
    return 0 if labels is None else 6 + 9 * max(len(line) for label in labels for line in label.split("\n"))


def end_labels(ends: pd.DataFrame, labels: pd.Series, x: alt.X, colour: alt.Color) -> alt.Chart:
    """Names at the left ends of the lines, in their colour."""
    style = {"align": "right", "dx": -7, "fontSize": 14, "lineHeight": 14, "fontWeight": 600, "lineBreak": "\n"}
    text = alt.Chart(ends.assign(label=labels)).mark_text(baseline="middle", **style)
    return text.encode(x=x, y=alt.Y("label_at:Q"), text=alt.Text("label:N"), color=colour)


def hover(
    table: pd.DataFrame, drawn: pd.DataFrame, mean: str, x: alt.X, colour: alt.Color, dark: bool
) -> list[alt.Chart]:
    """A rule that follows the pointer from step to step and names every line's value there.

    It stops at the steps that all lines have; a thinned table has some of them in common.
    """
    rows = table.groupby("step")["cell"].transform("size")
    shared = table[rows == rows.max()]
    names = theme.line_names(table).loc[shared.index]
    texts = shared.assign(line=names, text=shared[mean].map(number))
    wide = texts.pivot(index=["step", "lag"], columns="line", values="text")[list(dict.fromkeys(names))].reset_index()
    wide = wide.set_axis(wide["step"].astype(str))  # Streamlit would add an index of numbers to the tooltip
    near = alt.selection_point(
        name="near", nearest=True, on="pointerover", fields=["step"], empty=False, clear="pointerout"
    )
    seen = alt.OpacityValue(0, condition={"param": near.name, "empty": False, "value": 0.9})
    # The row itself is the tooltip: Vega-Lite finds no texts by a tooltip's fields where the nearest mark is sought.
    rule = (
        alt.Chart(wide)
        .mark_rule(color=colours.INKS[dark].rule, style=theme.POINTER, tooltip=alt.TooltipContent("data"))
        .encode(x=x, opacity=seen)
        .add_params(near)
    )
    dots = alt.Chart(drawn).mark_point(filled=True, opacity=1, size=45, style=theme.POINTER).transform_filter(near)
    return [dots.encode(x=x, y=alt.Y(f"{mean}:Q"), color=colour, detail=theme.LINE), rule]
