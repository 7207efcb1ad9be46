"""Records as tidy tables.

history     cell, update, loss, metric, gradient_norm, clipped_norm, clipped, learning_rate       one row per update
    curve       one column of history on a log10 axis; `Curve` is fewer rows of it, for a chart
gradients   update, and the columns of a trace's table                          of the updates that have a trace
    traces_at   the same of several runs, at one update
    reach       the same in bins of lags, for a map update × lag

A chart that follows a training has no time for tables: `curve_at` is `curve` of an array at the rows `extremes` names.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.analyses.parts import together
from gradlab.analyses.thinning import POINTS_TAKEN, Rows, thin
from gradlab.analyses.traces import TABLE_COLUMNS
from gradlab.training.run import Record

HISTORY_COLUMNS = (
    "cell", "update", "loss", "metric", "gradient_norm", "clipped_norm", "clipped", "learning_rate",
)  # fmt: skip
GRADIENT_COLUMNS = ("update", *TABLE_COLUMNS)
CURVE_COLUMNS = ("cell", "update", "log10_value", "log10_mean")
REACH_COLUMNS = ("cell", "update", "update_end", "lag", "lag_end", "log10_relative")
SMOOTHED = 10  # losses, of batches that differ, whose mean has to be below the level
POINTS_ON_SCREEN = 400  # of a curve


def history(records: Iterable[Record], cell: str) -> pd.DataFrame:
    """One row per update; `clipped` says whether clipping made the gradient smaller."""
    rows = [
        (
            cell, r.update, r.loss, r.metric, r.gradient_norm, r.clipped_norm, r.clipped_norm < r.gradient_norm,
            r.learning_rate,
        )
        for r in records
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(HISTORY_COLUMNS))


def gradients(records: Iterable[Record]) -> pd.DataFrame:
    """Every traced update's table, one below the other."""
    parts = [record.trace.table.assign(update=record.update) for record in records if record.trace is not None]
    if not parts:
        return pd.DataFrame(columns=list(GRADIENT_COLUMNS))
    return pd.concat(parts, ignore_index=True).reindex(columns=list(GRADIENT_COLUMNS))


def traces_at(runs: Iterable[Iterable[Record]], update: int) -> pd.DataFrame:
    """`gradients` of several runs at one update; nothing of a run that has no trace there."""
    return gradients(record for records in runs for record in records if record.update == update)


def traced_updates(runs: Iterable[Iterable[Record]]) -> list[int]:
    """The updates at which any of several runs has a trace, in order."""
    return sorted({record.update for records in runs for record in records if record.trace is not None})


def solved_at(table: pd.DataFrame, below: float) -> int | None:
    """The first update at which the mean of the last ten losses of one run is below a level; None if it never is."""
    mean = pd.Series(table["loss"]).rolling(SMOOTHED, min_periods=SMOOTHED).mean()
    updates = table["update"].to_numpy()[np.asarray(mean) < below]
    return int(updates[0]) if len(updates) else None


def clipping(table: pd.DataFrame) -> tuple[float, float]:
    """(the share of one run's updates whose gradient was clipped, the mean share of the norm kept in those)."""
    clipped = table["clipped"].to_numpy(bool)
    left = table["clipped_norm"].to_numpy()[clipped] / table["gradient_norm"].to_numpy()[clipped]
    return float(clipped.mean()), float(left.mean()) if len(left) else np.nan


def curve(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """cell, update, log10_value, log10_mean of a positive column of `history`, the mean over a fortieth of the run."""
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.log10(table[column])
        mean = np.log10(pd.Series(table[column]).rolling(window(len(table)), min_periods=1).mean())
    return table[["cell", "update"]].assign(log10_value=value, log10_mean=mean)


def beside(*tables: pd.DataFrame) -> pd.DataFrame:
    """Curves of other runs, one below the other; the last table is that of the runs they stand beside."""
    return pd.concat(tables[:-1], ignore_index=True)


@dataclass(frozen=True)
class Curve:
    """A Reduction of `history`: the `curve` of one column for every cell, of fewer rows with its extremes."""

    column: str

    def on_screen(self, rows: Rows) -> pd.DataFrame:
        return self._thinned(rows, POINTS_ON_SCREEN)

    def taken(self, rows: Rows) -> pd.DataFrame:
        return self._thinned(rows, POINTS_TAKEN)

    def _thinned(self, rows: Rows, points: int) -> pd.DataFrame:
        curves = [curve(table, self.column) for _, table in together(rows).groupby("cell", sort=False)]
        # The mean is smooth: any rows draw it.
        return thin(pd.concat(curves, ignore_index=True), points, "update", ["log10_value"], ("cell",))


def window(updates: int) -> int:
    """The updates that a running mean is taken over."""
    return max(1, updates // 40)


def curve_at(values: ndarray, at: ndarray) -> tuple[ndarray, ndarray]:
    """log10 of positive values and of their running mean, as in `curve`, at some rows.

    Each mean is summed separately: a running sum would carry the rounding of a huge value on to all that follow it.
    """
    size = window(len(values))
    means = np.array([values[max(0, i + 1 - size) : i + 1].mean() for i in at.tolist()])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log10(values[at]), np.log10(means)


def extremes(values: ndarray, buckets: int) -> ndarray:
    """Where the least and the largest value of every bucket are, and the first and the last of all."""
    if len(values) <= 2 * buckets:
        return np.arange(len(values))
    edges = (np.arange(buckets + 1) * len(values) // buckets).tolist()
    spans = [(a, values[a:b]) for a, b in pairwise(edges)]
    places = [a + int(place) for a, span in spans for place in (span.argmin(), span.argmax())]
    return np.unique([0, *places, len(values) - 1])


def reach(records: Iterable[Record], *, layer: int = 0, state: str = "h", bins: int = 40) -> pd.DataFrame:
    """Columns REACH_COLUMNS: of every traced update, the mean log10 norm of a layer's state in bins of lags.

    Relative to the injected gradient. An update's column goes on to the next traced one; the last is as wide as the one
    before it. `lag` is a bin's largest, `lag_end` one below its smallest. -inf where every norm in it is exactly zero.
    """
    traced = [(record.update, record.trace) for record in records if record.trace is not None]
    if not traced:
        return pd.DataFrame(columns=list(REACH_COLUMNS))
    starts, traces = [update for update, _ in traced], [trace for _, trace in traced]
    ends = [*starts[1:], starts[-1] + (starts[-1] - starts[-2] if len(starts) > 1 else 1)]
    T = traces[0].steps
    size = -(-T // bins)
    lags = np.arange(0, T, size)
    by_lag = np.stack([trace.log10_relative(state)[layer].mean(axis=1)[::-1] for trace in traces])
    finite = np.isfinite(by_lag)  # [traces, T]
    count = np.add.reduceat(finite, lags, axis=1, dtype=np.int64)
    total = np.add.reduceat(np.where(finite, by_lag, 0.0), lags, axis=1)
    mean = np.where(count > 0, total / np.maximum(count, 1), -np.inf)  # [traces, bins]
    n = len(lags)
    columns = (
        traces[0].cell, np.repeat(starts, n), np.repeat(ends, n),
        np.tile(np.minimum(lags + size, T) - 1, len(traced)), np.tile(lags - 1, len(traced)), mean.reshape(-1),
    )  # fmt: skip
    return pd.DataFrame(dict(zip(REACH_COLUMNS, columns, strict=True)))
