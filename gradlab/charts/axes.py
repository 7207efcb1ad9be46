"""The axes that charts have in common: step below, lag above, powers of ten at the side."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

# ASCII, because few fonts hold superscripts; ticks stand at whole decades, so that no two carry the same label.
POWER_LABEL = "datum.value == 0 ? '1' : '1e' + (datum.value > 0 ? '+' : '') + datum.value"
TICKS_ACROSS = alt.ExprRef("ceil(width / 75)")
TICKS_UP = alt.ExprRef("ceil(height / 45)")


def decades_axis(title: str | list[str], **options: Any) -> alt.Axis:
    """An axis for log10 values, labelled as powers of ten."""
    return alt.Axis(title=title, labelExpr=POWER_LABEL, tickMinStep=1, tickCount=TICKS_UP, **options)


def decades_domain() -> alt.DomainUnionWith:
    """The data's range, but always the decades about 1 too, so that a steady gradient looks steady."""
    return alt.DomainUnionWith(unionWith=[-1, 1])


def steps(first: int, last: int, title: str = "") -> alt.X:
    """The step axis, from `first` to `last`; without a title only its scale.

    Every layer of marks carries the same scale, because the lag axis beside it needs independent ones.
    """
    axis = alt.Axis(title=title, format=",d", tickMinStep=1, tickCount=TICKS_ACROSS) if title else None
    return alt.X("step:Q", scale=alt.Scale(domain=[first, last], nice=False), axis=axis)


def lags(first: int, last: int) -> alt.Chart:
    """The second axis, above: lag, from `last` at the left to `first` at the right."""
    axis = alt.Axis(orient="top", title="lag T − 1 − t", format=",d", tickMinStep=1, tickCount=TICKS_ACROSS)
    x = alt.X("lag:Q", axis=axis, scale=alt.Scale(domain=[first, last], reverse=True, nice=False))
    return alt.Chart(pd.DataFrame({"lag": [first, last]})).mark_point(opacity=0).encode(x=x)
