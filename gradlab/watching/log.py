"""A log of a whole training: JSON Lines, one record per line, appended to in one write each.

    {"gradlab": "watch 1", "model": …, "started": …, "pid": …, "every": 50, "sequences": 8, "parts": […]}
    {"update": 50, "seconds": …, "part": "rnn", "cell": "lstm", "verdict": …, "sentence": …, "lines": […]}
    {"update": 50, "seconds": …, "part": "rnn", "refused": "why there is no trace"}

A line is a training's first, or one part at one update, which holds what `Diagnosis` says of the worst layer, and in
`lines` one entry per layer, direction and state: steps, and log10 norms over the sequences looked at (mean, min, max),
at most 256 steps of them, evenly spread, to 4 decimals. null is a gradient of exactly zero, "nan" one that is not
finite.

A process that is killed leaves at most a torn last line, which is passed over; a training that goes on with the same
file begins with a first line of its own. So a reader can follow the file while it grows (`records`).
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from gradlab.analyses.diagnosis import Diagnosis

FORMAT = "watch 1"
STEPS = 256  # of a line that are kept
DECIMALS = 4
NAN = "nan"
KEPT = ("cell", "source", "verdict", "decades_per_100_steps", "half_width", "half_life", "length", "log10_left",
        "log10_arrives", "layer", "sentence")  # fmt: skip
NORMS = ("log10_norm", "log10_norm_min", "log10_norm_max", "log10_relative")


class Records(NamedTuple):
    """What a file holds from a place on."""

    records: list[dict[str, Any]]
    offset: int  # in bytes, where the next record will begin


class Log(NamedTuple):
    """A log as it is now."""

    trainings: list[dict[str, Any]]  # the first lines
    diagnoses: pd.DataFrame  # one row per training, update and part: training, update, seconds, part, and `KEPT`
    table: pd.DataFrame  # tidy: training, update, part, layer, direction, state, step, lag, and `NORMS`
    refusals: pd.DataFrame  # one row per training, update and part of which there is no trace: …, part, refused


class Writer:
    """Appends records to a file, each with one write to the system: what was written survives the process."""

    def __init__(self, path: str | os.PathLike[str], about: dict[str, Any]):
        self.path = Path(path)
        self._begun = time.time()
        torn = self.path.exists() and self.path.read_bytes()[-1:] not in (b"", b"\n")
        self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        if torn:
            os.write(self._file, b"\n")
        self._append({"gradlab": FORMAT, "started": self._begun, "pid": os.getpid(), **about})

    def append(self, update: int, part: str, diagnosis: Diagnosis, table: pd.DataFrame) -> None:
        """One part at one update: its Diagnosis and its trace's table."""
        lines = []
        table = table if "direction" in table else table.assign(direction="forward")
        for _, rows in table.groupby(["layer", "direction", "state"], sort=False):
            rows = rows.iloc[kept(len(rows))]
            line: dict[str, Any] = {name: str(rows[name].iloc[0]) for name in ("direction", "state")}
            line["layer"] = int(rows["layer"].iloc[0])
            line |= {name: [int(value) for value in rows[name]] for name in ("step", "lag")}
            line |= {name: [number(value) for value in rows[name]] for name in NORMS}
            lines.append(line)
        said = {name: getattr(diagnosis, name) for name in KEPT}
        said = {name: number(value, 6) if isinstance(value, float) else value for name, value in said.items()}
        self._append({"update": update, "seconds": round(time.time() - self._begun, 3), "part": part, **said,
                      "lines": lines})  # fmt: skip

    def refuse(self, update: int, part: str, why: str) -> None:
        """One part at one update, of which there is no trace."""
        self._append({"update": update, "seconds": round(time.time() - self._begun, 3), "part": part, "refused": why})

    def _append(self, record: dict[str, Any]) -> None:
        line = json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"
        os.write(self._file, line.encode())

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def records(path: str | os.PathLike[str], offset: int = 0) -> Records:
    """The whole records of a log from a place in the file on; a line that is not whole yet is left for the next call.

    Lines that cannot be read, torn by a process that was killed, are passed over.
    """
    with Path(path).open("rb") as file:
        file.seek(offset)
        return records_of(file.read(), offset)


def records_of(text: bytes, offset: int = 0) -> Records:
    """The whole records of a log's text, which begins at a place in its file."""
    whole = text[: text.rfind(b"\n") + 1]
    found = []
    for line in whole.splitlines():
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict) and ("gradlab" in record or {"update", "part", "seconds"} <= record.keys()):
            found.append(record)
    return Records(found, offset + len(whole))


def read(path: str | os.PathLike[str]) -> Log:
    """A whole log. Raises ValueError for a file that is none."""
    return log_of(records(path).records, str(path))


def log_of(records: Sequence[dict[str, Any]], name: str = "the file") -> Log:
    """Records as tables."""
    if not records or "gradlab" not in records[0]:
        raise ValueError(f"{name} is no log of gradlab.watch: its first line names the training")
    if records[0]["gradlab"] != FORMAT:
        raise ValueError(f"{name} has format {records[0]['gradlab']!r}: this gradlab reads {FORMAT!r}")
    trainings, rows, tables, refused = [], [], [], []
    for record in records:
        if "gradlab" in record:
            trainings.append(record)
            continue
        at = {"training": len(trainings) - 1, "update": record["update"], "part": record["part"]}
        if "refused" in record:
            refused.append({**at, "refused": record["refused"]})
            continue
        rows.append({**at, "seconds": record["seconds"], **{key: value_of(record[key]) for key in KEPT}})
        for line in record["lines"]:
            columns = {key: line[key] for key in ("layer", "direction", "state", "step", "lag")}
            norms = {key: [value_of(value) for value in line[key]] for key in NORMS}
            tables.append(pd.DataFrame({**at, **columns, **norms}))
    names = ["training", "update", "part", "layer", "direction", "state", "step", "lag", *NORMS]
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=names)
    diagnoses = pd.DataFrame(rows, columns=["training", "update", "part", "seconds", *KEPT])
    return Log(trainings, diagnoses, table, pd.DataFrame(refused, columns=["training", "update", "part", "refused"]))


def kept(count: int) -> np.ndarray:
    """Which of so many steps a record keeps: the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, STEPS)).round().astype(int))


def number(value: float, digits: int = DECIMALS) -> float | str | None:
    """A number as JSON has it: -inf, the log10 of zero, is null; inf and NaN are texts."""
    value = float(value)
    if math.isfinite(value):
        return round(value, digits)
    return NAN if math.isnan(value) else None if value < 0 else "inf"


def value_of(written: Any) -> Any:
    """The value of what `number` wrote."""
    if written is None:
        return -math.inf
    return float(written) if written in (NAN, "inf") else written
