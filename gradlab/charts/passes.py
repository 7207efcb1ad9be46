"""How the gradient came back: of the steps of a lag, how many through U and how many by addition.

Reads columns cell, state, lag, way and steps, as `gradlab.paths.steps_by_way` gives them.
"""

from __future__ import annotations

from typing import NamedTuple

import altair as alt
import pandas as pd

from gradlab.charts import axes, colours, theme
from gradlab.charts.picture import Domains, Picture, Rows, in_parts
from gradlab.words.languages import _

COLUMNS = ("cell", "state", "lag", "way", "steps")
ROW = 46  # pixels of a bar with its room


class Look(NamedTuple):
    """What decides how the bars are drawn, beside their rows."""

    cells: tuple[str, ...]
    ways: tuple[str, ...]
    dark: bool


def _bars(table: pd.DataFrame, *, dark: bool = False) -> Picture:
    theme.refuse_empty(table)
    look = Look(tuple(theme.present(table["cell"], ())), tuple(theme.present(table["way"], ())), dark)
    shown = table.dropna(subset=["steps"])
    rows = shown.assign(
        name=shown["cell"].map(theme.cell_title), label=shown["steps"].map("{:.1f}".format), said=shown["way"].map(_)
    )
    domains = {"reach": [0.0, float(table["lag"].max())]}
    height = ROW * len(look.cells) + 40
    return Picture(_layers, look, {"bars": rows}, domains, dark, height, held=("reach",))


@in_parts(_bars)
def bars(table: pd.DataFrame, *, title: str = "", subtitle: str = "", dark: bool = False,
         width: int | str = "container") -> alt.LayerChart:  # fmt: skip
    """One bar per cell: pale through U, full by addition."""
    return _bars(table, dark=dark).chart(title, subtitle, width)


def _layers(rows: Rows, domains: Domains, look: Look) -> list[alt.Chart]:
    names = [theme.cell_title(cell) for cell in look.cells]
    shades = [colours.cell_colour(cell, look.dark) for cell in look.cells]
    ticks = axes.ticks("width", 75, axes.span(domains["reach"]))
    x = alt.X(
        "steps:Q",
        stack="zero",
        scale=alt.Scale(domain=axes.ends(domains["reach"]), nice=False),
        axis=alt.Axis(title=_("steps of the way back"), format=",d", tickCount=ticks),
    )
    y = alt.Y(
        "name:N",
        scale=alt.Scale(domain=names),
        sort=names,
        title=None,
        axis=alt.Axis(domain=False, ticks=False, grid=False, labelFontSize=13),
    )
    ink = colours.INKS[look.dark].text
    key = theme.named(look.ways, symbolType="square", symbolFillColor=ink, symbolStrokeColor=ink)
    bar = alt.Chart(rows["bars"]).mark_bar(height=26, clip=True)
    return [
        bar.encode(
            x=x,
            y=y,
            order=alt.Order("way:N", sort="descending"),
            color=alt.Color("cell:N", legend=None, scale=alt.Scale(domain=list(look.cells), range=shades)),
            opacity=alt.Opacity("way:N", scale=alt.Scale(domain=list(look.ways), range=[0.35, 1.0]), legend=key),
            tooltip=[
                alt.Tooltip("name:N", title=_("cell")),
                alt.Tooltip("said:N", title=_("way")),
                alt.Tooltip("steps:Q", title=_("steps"), format=".2f"),
            ],
        )
    ]
