"""A text and what a network makes of it.

expectations    step, character, following, symbol, rank, probability
                a bar per symbol in the column of its step, green where it is what the text goes on with
shaded          step, character, and the column `value` names: one square per character, coloured, in rows as one reads
"""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from gradlab.charts import colours, theme
from gradlab.words.languages import _
from gradlab.words.letters import visible
from gradlab.words.numbers import POWER_LABEL, number

PREDICTION_COLUMNS = ("step", "character", "following", "symbol", "rank", "probability")
SHADED_COLUMNS = ("step", "character")  # and that of the values
ABSOLUTE = (-12.0, 1.0)  # decades from dark to bright, the same for every text, model and prediction
MOST_STEPS, MOST_SYMBOLS = 6, 6  # of the bars
CHARACTERS_PER_ROW = 40
RIGHT = {False: "#009E73", True: "#2CCB9B"}
OTHER = {False: "#B9C0CA", True: "#56606E"}
ROW_PIXELS = 30
FEWEST_COLUMNS = 16  # so that the squares of a short word stay squares


def expectations(
    table: pd.DataFrame,
    *,
    first: int = 0,
    title: str = "",
    subtitle: str = "",
    dark: bool = False,
    width: int | str = "container",
    row_pixels: int = 26,
) -> alt.LayerChart:
    """One column per step from `first` on, named by the character just read; in it one bar per likely symbol.

    Where there are few symbols all have a bar, each in a row of its own; else the likeliest have one, in their order.
    """
    theme.refuse_empty(table)
    drawn = _bars(table, first)
    ink = colours.INKS[dark]
    steps, rows = int(drawn["step"].max()) + 1, int(drawn["row"].max()) + 1
    x = alt.X("left:Q", scale=alt.Scale(domain=[0, steps], nice=False), axis=None)
    y = alt.Y("row:O", axis=None, scale=alt.Scale(paddingInner=0.18, paddingOuter=0.1))
    colour = alt.Color(
        "expected:N",
        scale=alt.Scale(domain=[True, False], range=[RIGHT[dark], OTHER[dark]]),
        legend=None,
    )
    tips = alt.Tooltip("says:N")
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


def _bars(table: pd.DataFrame, first: int) -> pd.DataFrame:
    """Where each bar stands: `row`, and from `left` to `right` in the column of its step; `share` is its label."""
    symbols = list(dict.fromkeys(table["symbol"]))
    table = table[(table["step"] >= first) & (table["step"] < first + MOST_STEPS) & (table["following"] != "")]
    few = len(symbols) <= MOST_SYMBOLS
    table = table if few else table[table["rank"] < MOST_SYMBOLS]
    step = table["step"] - first
    left = step + 0.16
    expected = table["symbol"] == table["following"]
    other = _("After {character}: {symbol} with probability {probability}")
    right = _("After {character}: {symbol} with probability {probability}, as the text goes on")
    says = [
        (right if goes_on else other).format(
            character=visible(character), symbol=visible(symbol), probability=f"{p:.4f}"
        )
        for character, symbol, p, goes_on in zip(
            table["character"], table["symbol"], table["probability"], expected, strict=True
        )
    ]
    return pd.DataFrame(
        {
            "step": step,
            "place": [_("after {character}").format(character=visible(character)) for character in table["character"]],
            "symbol": [visible(symbol) for symbol in table["symbol"]],
            "row": [symbols.index(symbol) for symbol in table["symbol"]] if few else table["rank"],
            "left": left,
            "right": left + 0.46 * table["probability"],
            "probability": table["probability"],
            "share": [f"{p:.0%}" for p in table["probability"]],
            "expected": expected,
            "says": says,
        }
    )


def _squares(table: pd.DataFrame, value: str) -> pd.DataFrame:
    """The characters in rows, as a text is read, each with the value that colours it."""
    step = table["step"]
    shown = [visible(character) for character in table["character"]]
    column, row = step % CHARACTERS_PER_ROW, step // CHARACTERS_PER_ROW
    return pd.DataFrame({"step": step, "character": shown, "value": table[value], "column": column, "row": row})


def shaded(
    table: pd.DataFrame,
    *,
    value: str,
    quantity: str,
    log10: bool,
    domain: tuple[float, float] | None = None,
    marked: int | None = None,
    title: str = "",
    subtitle: str = "",
    dark: bool = False,
    width: int | str = "container",
) -> alt.LayerChart:
    """The text as it reads, one square per character: cividis of log10 values, or blue-orange of values about zero.

    value       the column that colours; `log10` says whether it is the log10 of `quantity`
    domain      of log10 values, from dark to bright; what lies beyond has the colour of the end; None: their own range
    marked      a step that is outlined

    Values that are not finite (exact zeros) stay without colour.
    """
    theme.refuse_empty(table)
    drawn = _squares(table, value)
    finite = drawn["value"][np.isfinite(drawn["value"])]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (-1.0, 0.0)
    ink = colours.INKS[dark]
    y = alt.Y("row:O", axis=None, scale=alt.Scale(paddingInner=0.08))
    columns = max(int(drawn["column"].max()) + 1, FEWEST_COLUMNS)
    x = alt.X("column:O", axis=None, scale=alt.Scale(domain=list(range(columns)), paddingInner=0.04))
    legend: dict[str, Any] = {"title": _(quantity), "gradientLength": 220, "gradientThickness": 10}
    legend |= {"titleOrient": "top", "titleLimit": 400}
    if log10:
        low, high = domain or (low, max(high, low + 1))
        scale = alt.Scale(scheme="cividis", domain=[low, high], clamp=True)
        legend |= {"labelExpr": POWER_LABEL, "tickCount": 4, "tickMinStep": 1}
        if domain:
            legend["title"] = _("{quantity}, dark: {low} or less").format(quantity=_(quantity), low=number(low))
        light = f"datum.value > {(low + high) / 2}"
        letter = alt.ExprRef(
            f"isValid(datum.value) && isFinite(datum.value) ? ({light} ? '#111' : '#fff') : '{ink.text}'"
        )
    else:
        most = max(abs(low), abs(high), 1e-12)
        scale = alt.Scale(scheme="blueorange", domain=[-most, most])
        letter = alt.ExprRef(f"abs(datum.value) > {0.6 * most} ? '#fff' : '#111'")
    colour = alt.Color("value:Q", scale=scale, legend=alt.Legend(**legend))
    text = _("Step {step}, {character}: {quantity} {value}")
    drawn["says"] = [
        text.format(
            step=f"{step:,}",
            character=character,
            quantity=_(quantity),
            value=number(one) if log10 else f"{one:.3f}",
        )
        for step, character, one in zip(drawn["step"], drawn["character"], drawn["value"], strict=True)
    ]
    layers = [
        alt.Chart(drawn[np.isfinite(drawn["value"])])
        .mark_rect()
        .encode(x=x, y=y, color=colour, tooltip=alt.Tooltip("says:N")),
        alt.Chart(drawn).mark_text(fontSize=13, color=letter).encode(x=x, y=y, text=alt.Text("character:N")),
    ]
    if marked is not None:
        edge = alt.Chart(drawn[drawn["step"] == marked])
        layers.append(edge.mark_rect(filled=False, stroke=ink.alarm, strokeWidth=2.5).encode(x=x, y=y))
    height = 70 + ROW_PIXELS * (int(drawn["row"].max()) + 1)
    return theme.finished(layers, title, subtitle, dark, width, height)
