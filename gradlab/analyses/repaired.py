"""Remedies as tidy tables: all of them, and the lines before and after one.

summary    kind, remedy, helps, log10_before, log10_after, kept, lost, restart        one row per remedy
lines      cell, line, step, lag, log10_relative                                      "now" and "after", by step
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from gradlab.analyses.remedies import Remedy
from gradlab.words.languages import N_

SUMMARY_COLUMNS = ("kind", "remedy", "helps", "log10_before", "log10_after", "kept", "lost", "restart")
LINE_COLUMNS = ("cell", "line", "step", "lag", "log10_relative")
NOW, AFTER = N_("now"), N_("after")


def summary(remedies: Sequence[Remedy]) -> pd.DataFrame:
    """One row per remedy, in their order: columns `SUMMARY_COLUMNS`."""
    rows = [(r.kind, r.title, r.helps, r.before, r.after, r.kept, r.lost, r.restart) for r in remedies]
    return pd.DataFrame(rows, columns=list(SUMMARY_COLUMNS))


def called(remedies: Sequence[Remedy], title: str) -> Remedy:
    """The remedy of a title. Raises ValueError where there is none."""
    for remedy in remedies:
        if remedy.title == title:
            return remedy
    raise ValueError(f"title = {title!r} is no remedy here: use one of {'; '.join(r.title for r in remedies)}")


def lines(remedies: Sequence[Remedy], title: str) -> pd.DataFrame:
    """The last loss's gradient by step, relative to its injection, now and after a remedy: columns `LINE_COLUMNS`.

    log10_relative is the mean over the sequences; -inf where the gradient is exactly zero, NaN where it is undefined.
    Raises ValueError for a title that no remedy has.
    """
    remedy = called(remedies, title)
    parts = []
    for name, values in ((NOW, remedy.log10_now), (AFTER, remedy.log10_relative)):
        lag = range(len(values) - 1, -1, -1)
        columns = {"cell": remedy.cell, "line": name, "step": range(len(values)), "lag": lag, "log10_relative": values}
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)[list(LINE_COLUMNS)]
