"""How the gradient came back: of the steps of a lag, how many through U and how many by addition.

Reads columns cell, state, lag, way and steps, as `gradlab.paths.steps_by_way` gives them.
"""

from __future__ import annotations

import altair as alt
import pandas as pd

from gradlab.charts import colours, theme

COLUMNS = ("cell", "state", "lag", "way", "steps")
ROW = 46  # pixels of a bar with its room


def bars(table: pd.DataFrame, *, title: str = "", subtitle: str = "", dark: bool = False,
         width: int | str = "container") -> alt.LayerChart:  # fmt: skip
    """One bar per cell: pale through U, full by addition."""
    theme.refuse_empty(table)
    cells = theme.present(table["cell"], ())
    ways = theme.present(table["way"], ())
    shown = table.dropna(subset=["steps"])
    names = [theme.cell_title(cell) for cell in cells]
    rows = shown.assign(
        name=shown["cell"].map(dict(zip(cells, names, strict=True))), label=shown["steps"].map("{:.1f}".format)
    )
    reaches = [0.0, float(table["lag"].max())]
    base = alt.Chart(rows).encode(
        x=alt.X(
            "steps:Q",
            stack="zero",
            scale=alt.Scale(domain=reaches, nice=False),
            axis=alt.Axis(title="steps of the way back", format=",d", grid=False),
        ),
        y=alt.Y("name:N", sort=names, title=None, axis=alt.Axis(domain=False, ticks=False, labelFontSize=13)),
        order=alt.Order("way:N", sort="descending"),
        tooltip=[alt.Tooltip("name:N", title="cell"), alt.Tooltip("way:N"), alt.Tooltip("steps:Q", format=".2f")],
    )
    colour = alt.Color(
        "cell:N", legend=None, scale=alt.Scale(domain=cells, range=[colours.cell_colour(cell, dark) for cell in cells])
    )
    ink = colours.INKS[dark].text
    key = alt.Legend(title=None, symbolType="square", symbolFillColor=ink, symbolStrokeColor=ink)
    opacity = alt.Opacity("way:N", scale=alt.Scale(domain=ways, range=[0.35, 1.0]), legend=key)
    return theme.finished(
        [base.mark_bar(height=26, clip=True).encode(color=colour, opacity=opacity)],
        title,
        subtitle,
        dark,
        width,
        ROW * len(cells) + 40,
    )
