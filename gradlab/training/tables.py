"""Records as tidy tables.

history     cell, update, loss, metric, gradient_norm, clipped_norm, clipped, learning_rate       a row an update
gradients   update, and the columns of a trace's table                          of the updates that have a trace
    reach       the same in bins of lags, for a map update × lag
    curve       one column of history on a log10 axis
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from gradlab.analyses.traces import TABLE_COLUMNS
from gradlab.training.run import Record

HISTORY_COLUMNS = (
    "cell", "update", "loss", "metric", "gradient_norm", "clipped_norm", "clipped", "learning_rate",
)  # fmt: skip
GRADIENT_COLUMNS = ("update", *TABLE_COLUMNS)
REACH_COLUMNS = ("cell", "update", "update_end", "lag", "lag_end", "log10_relative")
SMOOTHED = 10  # losses, of batches that differ, whose mean has to be below the level


def history(records: Iterable[Record], cell: str) -> pd.DataFrame:
    """One row an update; `clipped` says whether clipping made the gradient smaller."""
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
    return pd.concat(parts, ignore_index=True)[list(GRADIENT_COLUMNS)]


def solved_at(table: pd.DataFrame, below: float) -> int | None:
    """The first update at which the mean of the last ten losses of one run is below a level; None if it never is."""
    mean = table["loss"].rolling(SMOOTHED, min_periods=SMOOTHED).mean()
    found = table.loc[mean < below, "update"]
    return int(found.iloc[0]) if len(found) else None


def clipping(table: pd.DataFrame) -> tuple[float, float]:
    """(the share of one run's updates whose gradient was clipped, the mean share of its norm that those were left)."""
    those = table[table["clipped"]]
    return float(table["clipped"].mean()), float((those["clipped_norm"] / those["gradient_norm"]).mean())


def curve(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """cell, update, log10_value, log10_mean of a positive column of `history`, the mean over a fortieth of the run."""
    window = max(1, len(table) // 40)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.log10(table[column])
        mean = np.log10(table[column].rolling(window, min_periods=1).mean())
    return table[["cell", "update"]].assign(log10_value=value, log10_mean=mean)


def reach(records: Iterable[Record], *, layer: int = 0, state: str = "h", bins: int = 40) -> pd.DataFrame:
    """Columns REACH_COLUMNS: of every traced update, the mean log10 norm of a layer's state in bins of lags.

    Relative to what the loss put in. An update's column goes on to the next traced one; the last is as wide as the one
    before it. `lag` is a bin's largest, `lag_end` one below its smallest. -inf where every norm in it is exactly zero.
    """
    traced = [record for record in records if record.trace is not None]
    if not traced:
        return pd.DataFrame(columns=list(REACH_COLUMNS))
    starts = [record.update for record in traced]
    ends = [*starts[1:], starts[-1] + (starts[-1] - starts[-2] if len(starts) > 1 else 1)]
    T = traced[0].trace.steps
    size = -(-T // bins)
    lags = np.arange(0, T, size)
    by_lag = np.stack([record.trace.log10_relative(state)[layer].mean(axis=1)[::-1] for record in traced])
    finite = np.isfinite(by_lag)  # [traces, T]
    count = np.add.reduceat(finite, lags, axis=1, dtype=np.int64)
    total = np.add.reduceat(np.where(finite, by_lag, 0.0), lags, axis=1)
    mean = np.where(count > 0, total / np.maximum(count, 1), -np.inf)  # [traces, bins]
    n = len(lags)
    columns = (
        traced[0].trace.cell, np.repeat(starts, n), np.repeat(ends, n),
        np.tile(np.minimum(lags + size, T) - 1, len(traced)), np.tile(lags - 1, len(traced)), mean.reshape(-1),
    )  # fmt: skip
    return pd.DataFrame(dict(zip(REACH_COLUMNS, columns, strict=True)))
