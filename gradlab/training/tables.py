"""Records as tidy tables.

history     cell, update, loss, metric, gradient_norm, clipped_norm, clipped, learning_rate       a row an update
gradients   update, and the columns of a trace's table                          of the updates that have a trace
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from gradlab.traces import TABLE_COLUMNS
from gradlab.training.run import Record

HISTORY_COLUMNS = (
    "cell", "update", "loss", "metric", "gradient_norm", "clipped_norm", "clipped", "learning_rate",
)  # fmt: skip
GRADIENT_COLUMNS = ("update", *TABLE_COLUMNS)


def history(records: Iterable[Record], cell: str) -> pd.DataFrame:
    """One row an update; `clipped` says whether clipping made the gradient smaller."""
    rows = [
        (cell, r.update, r.loss, r.metric, r.gradient_norm, r.clipped_norm, r.clipped_norm < r.gradient_norm, r[5])
        for r in records
    ]
    return pd.DataFrame(rows, columns=list(HISTORY_COLUMNS))


def gradients(records: Iterable[Record]) -> pd.DataFrame:
    """Every traced update's table, one below the other."""
    parts = [record.trace.table.assign(update=record.update) for record in records if record.trace is not None]
    if not parts:
        return pd.DataFrame(columns=list(GRADIENT_COLUMNS))
    return pd.concat(parts, ignore_index=True)[list(GRADIENT_COLUMNS)]
