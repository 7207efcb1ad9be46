"""The gradient before and after a remedy: two lines over the steps, the loss at the right.

`before_and_after` reads rows `cell, line, step, lag, log10_relative`, line being "now" or "after". -inf (exactly zero)
and NaN (undefined) leave a gap.
"""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from gradlab.charts import annotations, axes, theme
from gradlab.charts.colours import INKS, cell_colour
from gradlab.words.languages import _

COLUMNS = ("cell", "line", "step", "lag", "log10_relative")


def before_and_after(
    table: pd.DataFrame,
    *,
    title: str = "",
    subtitle: str = "",
    dark: bool = False,
    width: int | str = "container",
    height: int = 340,
) -> alt.LayerChart:
    """What is there now as a thin grey line, and what there is after the change in the colour of the cell."""
    theme.refuse_empty(table)
    finite = np.isfinite(table["log10_relative"])
    drawn = table[list(COLUMNS)].assign(said=table["line"].map(_), log10_relative=table["log10_relative"].where(finite))
    domain = axes.decades_domain([drawn["log10_relative"]])
    names = list(dict.fromkeys(table["line"]))
    cell = str(table["cell"].iloc[0])
    colours = {"now": INKS[dark].muted}
    scale = alt.Scale(domain=names, range=[colours.get(name, cell_colour(cell, dark)) for name in names])
    widths = alt.Scale(domain=names, range=[2 if name == "now" else 4 for name in names])
    x = axes.steps(int(table["step"].min()), int(table["step"].max()), _(axes.BACKWARDS))
    y = axes.decades(
        "log10_relative", domain, [_("last loss's gradient in all states"), _("relative to its injection")]
    )
    legend = theme.named(names, symbolOpacity=1)
    hover = [
        alt.Tooltip("said:N", title=_("line")),
        alt.Tooltip("step:Q", title=_("step")),
        alt.Tooltip("lag:Q", title=_("steps back")),
        alt.Tooltip("size:N", title=_("relative to the injected gradient")),
    ]
    line = (
        annotations.with_number(alt.Chart(drawn), "log10_relative")
        .mark_line()
        .encode(
            x=x,
            y=y,
            color=alt.Color("line:N", scale=scale, legend=legend),
            strokeWidth=alt.StrokeWidth("line:N", scale=widths, legend=None),
            tooltip=hover,
        )
    )
    lags = axes.lags(int(table["lag"].min()), int(table["lag"].max()))
    return theme.finished([line, lags], title, subtitle, dark, width, height, two_x_axes=True)
