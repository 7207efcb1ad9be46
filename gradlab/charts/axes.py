"""The axes that charts have in common: step below, lag above, powers of ten at the side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.words.languages import N_, _
from gradlab.words.numbers import POWER_LABEL

LAG = N_("steps before the end, T − 1 − t")
BACKWARDS = N_("step t (the gradient travels left)")
FEWEST_DECADES = 2.0  # of an axis
LABELS = 50  # pixels: "1e-3000"

Domain = Sequence[float] | str  # both ends, or the name of a signal that holds both


def ends(domain: Domain) -> list[Any]:
    """A domain as a scale takes it."""
    return [alt.ExprRef(f"{domain}[{end}]") for end in (0, 1)] if isinstance(domain, str) else list(domain)


def start(domain: Domain) -> float | str:
    """Where a domain begins, or the expression of it."""
    return f"{domain}[0]" if isinstance(domain, str) else domain[0]


def span(domain: Domain) -> float | str:
    """The length of a domain, or the expression of it."""
    return f"{domain}[1] - {domain}[0]" if isinstance(domain, str) else domain[1] - domain[0]


def ticks(side: str, pixels: int, span: float | str) -> alt.ExprRef:
    """About one tick each `pixels` of the side ("width" or "height"), at whole numbers.

    Vega's `tickMinStep` lets halves through; no more ticks than the span has whole steps keeps them out.
    """
    most = f"floor({span})" if isinstance(span, str) else int(span)
    return alt.ExprRef(f"max(1, min(ceil({side} / {pixels}), {most}))")


def decades_domain(columns: Iterable[pd.Series | ndarray]) -> list[float]:
    """The range of the finite log10 values and of 1; where it is short, widened at both ends to `FEWEST_DECADES`."""
    finite = [column[np.isfinite(column)] for column in columns]
    low = float(min([0.0, *(column.min() for column in finite if len(column))]))
    high = float(max([0.0, *(column.max() for column in finite if len(column))]))
    missing = max(FEWEST_DECADES - (high - low), 0.0)
    return [low - missing / 2, high + missing / 2]


def decades(column: str, domain: Domain, title: list[str], **options: Any) -> alt.Y:
    """A y axis of log10 values, labelled as powers of ten, at whole decades, so that no two labels are the same."""
    count = ticks("height", 45, span(domain))
    stays = {"minExtent": LABELS} if isinstance(domain, str) else {}  # the frame, as labels change
    axis = alt.Axis(title=title, labelExpr=POWER_LABEL, tickCount=count, **stays, **options)
    return alt.Y(f"{column}:Q", axis=axis, scale=alt.Scale(domain=ends(domain), nice=False, zero=False, padding=8))


def steps(first: int, last: int, title: str = "") -> alt.X:
    """The step axis, from `first` to `last`; without a title only its scale."""
    return along([first, last], title)


def along(domain: Domain, title: str = "", goes_on: bool = False) -> alt.X:
    """The step axis; without a title only its scale.

    goes_on    it may begin before step 0, where longer sequences are drawn beside; no step there has a number

    Every layer of marks carries the same scale, because the lag axis beside it needs independent ones. Without such an
    axis every layer needs the title too: Vega-Lite draws none where a layer that shares the scale has none.
    """
    axis = alt.Axis(title=title, format=",d", tickCount=ticks("width", 75, span(domain))) if title else None
    if axis is not None and goes_on:
        axis.labelExpr = "datum.value < 0 ? '' : datum.label"
    return alt.X("step:Q", scale=alt.Scale(domain=ends(domain), nice=False), axis=axis)


def lags(first: int, last: int, title: str = LAG) -> alt.Chart:
    """The second axis, above: lag, from `last` at the left to `first` at the right."""
    return back([first, last], pd.DataFrame({"lag": [first, last]}), title)


def back(domain: Domain, rows: Any, title: str = LAG) -> alt.Chart:
    """The second axis, above, over rows with a `lag` at each end."""
    axis = alt.Axis(orient="top", title=_(title), format=",d", tickCount=ticks("width", 75, span(domain)))
    if isinstance(domain, str):
        axis.labelExpr = "datum.value < 0 ? '' : datum.label"  # the axis of steps may reach beyond the last one
    x = alt.X("lag:Q", axis=axis, scale=alt.Scale(domain=ends(domain), reverse=True, nice=False))
    return alt.Chart(rows).mark_point(opacity=0).encode(x=x)
