"""The store of sweeps: a folder of append-only files of JSON Lines, one self-contained line per point.

    {"sweep": 1, "key": …, "gradlab": …, "measure": …, "settings": {…}, "axes": {…}, "seed": …,
     "status": "done", "value": …, "reason": "", "seconds": …}

The coordinator alone writes, each to a file of its own, and one write to the system per line: what was written survives
a killed process, which leaves at most a torn last line that is passed over. A number that is not finite is the text
"inf", "-inf" or "nan". `pandas.read_json(file, lines=True)` reads a whole file too.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

FORMAT = 1
NUMBERS = ("value", "seconds")
COLUMNS = ("measure", "seed", "status", "value", "reason", "seconds", "key", "gradlab")


class Store:
    """A folder of records. Raises ValueError, naming file and line, for a line that is no record of a sweep."""

    def __init__(self, folder: str | os.PathLike[str]):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._file: int | None = None

    def records(self) -> Iterator[dict[str, Any]]:
        """All records, one after the other, in the order in which they were written."""
        for path in sorted(self.folder.glob("*.jsonl")):
            yield from _records_of(path)

    def append(self, record: dict[str, Any]) -> None:
        if self._file is None:
            path = self.folder / f"{time.time_ns()}-{os.getpid()}.jsonl"
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o644)
        numbers = {name: _as_text(record[name]) for name in NUMBERS}
        line = json.dumps(record | {"sweep": FORMAT} | numbers, ensure_ascii=False, allow_nan=False)
        os.write(self._file, line.encode() + b"\n")

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def read(folder: str | os.PathLike[str]) -> pd.DataFrame:
    """Every point that a store has, also while it grows: the axes' settings, then the columns `COLUMNS`."""
    path = Path(folder)
    if not path.is_dir():
        raise ValueError(f"store = {str(folder)!r} is no folder")
    rows = [record["axes"] | {name: record[name] for name in COLUMNS} for record in Store(path).records()]
    axes = dict.fromkeys(name for row in rows for name in row if name not in COLUMNS)
    return pd.DataFrame(rows, columns=[*axes, *COLUMNS])


def _records_of(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.endswith(b"\n"):  # torn
                return
            try:
                record = json.loads(line)
                if record["sweep"] != FORMAT:
                    raise ValueError
                record |= {name: float(record[name]) for name in NUMBERS}
            except (ValueError, KeyError, TypeError):
                raise ValueError(f"{path}, line {number}, is no record of a sweep: {line.rstrip()[:60]!r}") from None
            yield record


def _as_text(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)
