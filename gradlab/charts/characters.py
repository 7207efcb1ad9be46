"""A text and what a network makes of it.

expectations    place, step, symbol, row, left, right, probability, share, expected
                a bar from left to right in the column of its step; `share` is its label; `expected`: this is what
                the text goes on with; `place` names the column by the character read
shaded          column, row, step, character, value, and `log10` or not: one square a character, coloured
"""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from gradlab.charts import colours, theme
from gradlab.words.numbers import power_of_ten

EXPECTATION_COLUMNS = ("step", "place", "symbol", "row", "left", "right", "probability", "share", "expected")
SHADED_COLUMNS = ("column", "row", "character", "value", "step")
RIGHT = {False: "#009E73", True: "#2CCB9B"}
OTHER = {False: "#B9C0CA", True: "#56606E"}
ROW_PIXELS = 30
FEWEST_COLUMNS = 16  # so that the squares of a short word stay squares


def expectations(
    table: pd.DataFrame,
    *,
    title: str = "",
    subtitle: str = "",
    dark: bool = False,
    width: int | str = "container",
    row_pixels: int = 26,
) -> alt.LayerChart:
    """A column a step, named by the character just read; in it a bar a symbol, green where the text goes on so."""
    theme.refuse_empty(table)
    drawn = table[list(EXPECTATION_COLUMNS)]
    ink = colours.INKS[dark]
    steps, rows = int(drawn["step"].max()) + 1, int(drawn["row"].max()) + 1
    x = alt.X("left:Q", scale=alt.Scale(domain=[0, steps], nice=False), axis=None)
    y = alt.Y("row:O", axis=None, scale=alt.Scale(paddingInner=0.18, paddingOuter=0.1))
    colour = alt.Color(
        "expected:N",
        scale=alt.Scale(domain=[True, False], range=[RIGHT[dark], OTHER[dark]]),
        legend=None,
    )
    tips = [
        alt.Tooltip("place:N", title="after"), alt.Tooltip("symbol:N"),
        alt.Tooltip("probability:Q", format=".4f"), alt.Tooltip("expected:N", title="in the text"),
    ]  # fmt: skip
    bars = alt.Chart(drawn).mark_bar(minBandSize=6).encode(x=x, x2=alt.X2("right"), y=y, color=colour, tooltip=tips)
    names = alt.Chart(drawn).mark_text(align="right", dx=-5, fontSize=13, fontWeight=600).encode(
        x=x, y=y, text=alt.Text("symbol:N")
    )  # fmt: skip
    shares = alt.Chart(drawn).mark_text(align="left", dx=4, fontSize=11, color=ink.muted).encode(
        x=alt.X("right:Q", axis=None), y=y, text=alt.Text("share:N")
    )  # fmt: skip
    heads = alt.Chart(drawn.drop_duplicates("step")).mark_text(
        align="left", baseline="bottom", dx=4, dy=-4, fontSize=13, color=ink.text
    )
    at_column = alt.X("step:Q", axis=None, scale=alt.Scale(domain=[0, steps], nice=False))
    layers = [bars, names, shares, heads.encode(x=at_column, y=alt.YValue(0), text=alt.Text("place:N"))]
    chart = theme.finished(layers, title, subtitle, dark, width, 40 + row_pixels * rows)
    chart.padding = {"left": 8, "right": 14, "top": 30, "bottom": 8}
    return chart


def shaded(
    table: pd.DataFrame,
    *,
    quantity: str,
    log10: bool,
    domain: tuple[float, float] | None = None,
    marked: int | None = None,
    title: str = "",
    subtitle: str = "",
    dark: bool = False,
    width: int | str = "container",
) -> alt.LayerChart:
    """The text as it reads, a square a character: cividis of log10 values, or blue-orange of values about zero.

    domain      of log10 values, from dark to bright; what lies beyond has the colour of the end; None: their own range
    marked      a step that is outlined

    Values that are not finite (exact zeros) stay without colour.
    """
    theme.refuse_empty(table)
    drawn = table[list(SHADED_COLUMNS)]
    finite = drawn["value"][np.isfinite(drawn["value"])]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (-1.0, 0.0)
    ink = colours.INKS[dark]
    y = alt.Y("row:O", axis=None, scale=alt.Scale(paddingInner=0.08))
    columns = max(int(drawn["column"].max()) + 1, FEWEST_COLUMNS)
    x = alt.X("column:O", axis=None, scale=alt.Scale(domain=list(range(columns)), paddingInner=0.04))
    legend = {"title": quantity, "gradientLength": 220, "gradientThickness": 10}
    legend |= {"titleOrient": "top", "titleLimit": 400}
    if log10:
        low, high = domain or (low, max(high, low + 1))
        scale = alt.Scale(scheme="cividis", domain=[low, high], clamp=True)
        legend |= {"labelExpr": "'1e' + format(datum.value, '+.2~f')", "tickCount": 4}
        if domain:
            legend["title"] = f"{quantity}, dark: {power_of_ten(low)} or less"
        light = f"datum.value > {(low + high) / 2}"
        letter = alt.ExprRef(
            f"isValid(datum.value) && isFinite(datum.value) ? ({light} ? '#111' : '#fff') : '{ink.text}'"
        )
    else:
        most = max(abs(low), abs(high), 1e-12)
        scale = alt.Scale(scheme="blueorange", domain=[-most, most])
        letter = alt.ExprRef(f"abs(datum.value) > {0.6 * most} ? '#fff' : '#111'")
    colour = alt.Color("value:Q", scale=scale, legend=alt.Legend(**legend))
    tips = [
        alt.Tooltip("step:Q", format=",d"), alt.Tooltip("character:N"),
        alt.Tooltip("value:Q", title=("log10 " if log10 else "") + quantity, format=".3f"),
    ]  # fmt: skip
    layers = [
        alt.Chart(drawn[np.isfinite(drawn["value"])]).mark_rect().encode(x=x, y=y, color=colour, tooltip=tips),
        alt.Chart(drawn).mark_text(fontSize=13, color=letter).encode(x=x, y=y, text=alt.Text("character:N")),
    ]
    if marked is not None:
        edge = alt.Chart(drawn[drawn["step"] == marked])
        layers.append(edge.mark_rect(filled=False, stroke=ink.alarm, strokeWidth=2.5).encode(x=x, y=y))
    height = 70 + ROW_PIXELS * (int(drawn["row"].max()) + 1)
    return theme.finished(layers, title, subtitle, dark, width, height)
