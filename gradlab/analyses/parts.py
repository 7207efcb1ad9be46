"""Parts of a tidy table, made one at a time: what is drawn of a long trace needs no table of all its rows.

A part says beforehand what all its rows have in common, how many they are and which steps they span.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gradlab.engine import checkpoint


@dataclass(frozen=True, eq=False)
class Part:
    """Some rows of a tidy table, not made yet.

    columns    of the table, in order
    same       those that have one value in all rows of the part, and that value
    count      rows
    span       the first and the last step, where rows are of every step between them in order; None where they are not
    make       the other columns
    """

    columns: tuple[str, ...]
    same: Mapping[str, Any]
    count: int
    span: tuple[int, int] | None
    make: Callable[[], pd.DataFrame]

    @classmethod
    def of(cls, table: pd.DataFrame) -> Part:
        """A table that is there already."""
        return cls(tuple(table.columns), {}, len(table), None, lambda: table)

    def rows(self) -> pd.DataFrame:
        """Every row, with all columns."""
        return self.completed(self.make())

    def completed(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Rows of `make`, or fewer of them, with the columns that are the same in all."""
        if not self.same:
            return rows
        columns: dict[Any, Any] = dict(rows.items()) | dict(self.same)
        names = [name for name in self.columns if name in columns] or list(columns)
        return pd.DataFrame({name: columns[name] for name in names}, index=rows.index)


def as_parts(rows: pd.DataFrame | Sequence[Part]) -> Sequence[Part]:
    """A table as a single part; parts as they are."""
    return [Part.of(rows)] if isinstance(rows, pd.DataFrame) else rows


def together(rows: pd.DataFrame | Iterable[Part]) -> pd.DataFrame:
    """All rows as one table."""
    if isinstance(rows, pd.DataFrame):
        return rows
    return joined(part.rows() for part in rows)


def joined(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Tables below each other."""
    tables = list(_each(tables))
    return tables[0] if len(tables) == 1 else pd.concat(tables, ignore_index=True)


def _each(tables: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    for table in tables:
        checkpoint()
        yield table


def lines_in(parts: Sequence[Part], by: Sequence[str]) -> bool:
    """Whether every part is one line, and no two the same: a line is one value of the columns `by`."""
    names = [[name for name in by if name in part.columns] for part in parts]
    if not all(part.span and set(own) <= part.same.keys() for part, own in zip(parts, names, strict=True)):
        return False
    lines = {tuple(part.same[name] for name in own) for part, own in zip(parts, names, strict=True)}
    return len(lines) == len(parts)


def blocks(parts: Iterable[Part], rows: int = 2**18) -> Iterator[pd.DataFrame]:
    """All rows in tables of at most so many, for files that are written piece by piece."""
    for part in parts:
        whole = part.make()
        for first in range(0, max(len(whole), 1), rows):
            yield part.completed(whole.iloc[first : first + rows])


def first_and_last(parts: Sequence[Part]) -> tuple[int, int]:
    """The steps that parts with a span cover together."""
    spans = np.array([part.span for part in parts])
    return int(spans[:, 0].min()), int(spans[:, 1].max())
