"""One layer's way back: the last loss's gradient, and the line that its verdict rests on; the loss at the right.

`way_back` reads rows `cell, line, lag, log10_norm`, line being "gradient" or "fitted". -inf (exactly zero) and NaN
leave a gap.
"""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from gradlab.charts import axes, theme
from gradlab.charts.colours import INKS, cell_colour

COLUMNS = ("cell", "line", "lag", "log10_norm")
GRADIENT, FITTED = "gradient", "fitted"


def way_back(
    table: pd.DataFrame,
    *,
    title: str = "",
    subtitle: str = "",
    dark: bool = False,
    width: int | str = "container",
    height: int = 280,
) -> alt.LayerChart:
    """The gradient in the colour of the cell, and the line through it as a thin dashed one."""
    theme.refuse_empty(table)
    finite = np.isfinite(table["log10_norm"])
    drawn = table[list(COLUMNS)].assign(log10_norm=table["log10_norm"].where(finite))
    colours = {GRADIENT: cell_colour(str(table["cell"].iloc[0]), dark), FITTED: INKS[dark].text}
    farthest = int(table["lag"].max())
    x = alt.X(
        "lag:Q",
        axis=alt.Axis(title="steps back from the last loss", format=",d"),
        scale=alt.Scale(domain=[0, farthest], reverse=True, nice=False),
    )
    y = axes.decades("log10_norm", axes.decades_domain([drawn["log10_norm"]]), ["norm of the", "last loss's gradient"])
    names = list(colours)
    dashes = alt.Scale(domain=names, range=[[1, 0], [6, 4]])
    legend = alt.Legend(title=None, symbolOpacity=1, symbolStrokeWidth=2)
    line = (
        alt.Chart(drawn)
        .mark_line()
        .encode(
            x=x,
            y=y,
            color=alt.Color("line:N", scale=alt.Scale(domain=names, range=list(colours.values())), legend=legend),
            strokeDash=alt.StrokeDash("line:N", scale=dashes, legend=legend),
            strokeWidth=alt.StrokeWidth("line:N", scale=alt.Scale(domain=names, range=[3, 1.5]), legend=None),
        )
    )
    return theme.finished([line], title, subtitle, dark, width, height)
