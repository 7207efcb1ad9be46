"""A training as `gradlab.watch` saw it: how the last loss's gradient propagates, by update; one line per run.

`by_update` reads rows `run, update, decades_per_100_steps, verdict`.
"""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from gradlab.charts import theme
from gradlab.charts.colours import INKS
from gradlab.words.languages import _

COLUMNS = ("run", "update", "decades_per_100_steps", "verdict")
DASHES = ([1, 0], [6, 4], [2, 3], [8, 3, 2, 3])


def by_update(
    table: pd.DataFrame,
    *,
    title: str = "",
    subtitle: str = "",
    dark: bool = False,
    width: int | str = "container",
    height: int = 200,
) -> alt.LayerChart:
    """The rate of every run by update, beside 0, at which a gradient keeps its size."""
    theme.refuse_empty(table)
    finite = np.isfinite(table["decades_per_100_steps"].astype(float))
    drawn = table[list(COLUMNS)].assign(said=table["verdict"].map(_))[finite]
    names = list(dict.fromkeys(drawn["run"]))
    ink = INKS[dark]
    zero = alt.Chart(pd.DataFrame({"zero": [0.0]})).mark_rule(color=ink.rule).encode(y=alt.Y("zero:Q"))
    dashes = alt.Scale(domain=names, range=[list(DASHES[n % len(DASHES)]) for n in range(len(names))])
    legend = alt.Legend(title=None, symbolOpacity=1) if len(names) > 1 else None
    line = (
        alt.Chart(drawn)
        .mark_line(color=ink.text, strokeWidth=2, point=alt.OverlayMarkDef(color=ink.text, size=30))
        .encode(
            x=alt.X("update:Q", axis=alt.Axis(title=_("update"), format=",d")),
            y=alt.Y("decades_per_100_steps:Q", axis=alt.Axis(title=[_("decades per"), _("100 steps back")])),
            strokeDash=alt.StrokeDash("run:N", scale=dashes, legend=legend),
            detail=alt.Detail("run:N"),
            tooltip=[alt.Tooltip("run:N", title=_("training")), alt.Tooltip("update:Q", title=_("update")),
                     alt.Tooltip("said:N", title=_("verdict")),
                     alt.Tooltip("decades_per_100_steps:Q", title=_("decades per 100 steps"), format=".2f")],
        )
    )  # fmt: skip
    return theme.finished([zero, line], title, subtitle, dark, width, height)
