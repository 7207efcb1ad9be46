"""`Row`: one measured thing; tables of rows, and the JSON file of a run."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy as np
import psutil
import torch


class Row(NamedTuple):
    """The median of one contender in one case. `ratio`: how many times gradlab's own time it takes."""

    section: str
    case: str
    contender: str
    median: float
    unit: str
    lowest: float
    highest: float
    runs: int
    ratio: float | None = None
    at_least: float | None = None  # the target of the ratio
    at_most: float | None = None  # the target of the median

    @property
    def reached(self) -> bool | None:
        """Whether the target is met; None where there is none."""
        if self.at_least is not None:
            return self.ratio >= self.at_least
        return None if self.at_most is None else self.median <= self.at_most

    @property
    def words(self) -> str:
        """As a cell of the table."""
        text = shown(self.median, self.unit)
        if self.ratio is not None:
            text += f", {self.ratio:.3g}×"
        if self.at_least is not None:
            text += f" (≥ {self.at_least:g}× {'yes' if self.reached else 'NO'})"
        if self.at_most is not None:
            text += f" (≤ {shown(self.at_most, self.unit)} {'yes' if self.reached else 'NO'})"
        return text


def row(section: str, case: str, contender: str, values: Sequence[float], unit: str, **more: Any) -> Row:
    """The Row of several measured values."""
    spread = (min(values), max(values), len(values))
    return Row(section, case, contender, statistics.median(values), unit, *spread, **more)


def raced(section: str, case: str, times: dict[str, list[float]], at_least: dict[str, float]) -> list[Row]:
    """The rows of a race; `times` holds gradlab's and its peers' seconds, `at_least` the ratios that are wanted."""
    own = statistics.median(times["gradlab"])
    return [
        row(
            section,
            case,
            name,
            values,
            "s",
            ratio=None if name == "gradlab" else statistics.median(values) / own,
            at_least=at_least.get(name),
        )
        for name, values in times.items()
    ]


def shown(value: float, unit: str) -> str:
    """A value with three digits in a unit fit to read."""
    if unit == "s":
        scale, unit = (1, "s") if value >= 1 else (1e3, "ms") if value >= 1e-3 else (1e6, "µs")
        value *= scale
    return f"{value:.3g} {unit}".rstrip()


def tables(rows: Sequence[Row]) -> str:
    """One Markdown table per section: a line per case, a column per contender."""
    text = []
    for section, own in groupby(rows, key=lambda one: one.section):
        own = list(own)
        names = list(dict.fromkeys(one.contender for one in own))
        lines = [f"\n## {section}\n", "| case | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
        for case, parts in groupby(own, key=lambda one: one.case):
            cells = {one.contender: one.words for one in parts}
            lines.append(f"| {case} | " + " | ".join(cells.get(name, "") for name in names) + " |")
        text += lines
    return "\n".join(text)


def summary(rows: Sequence[Row]) -> str:
    """The speed sections as the README has them: how many times faster than each peer, one thread / all threads.

    The floor's column is the share of a trace that its multiply-adds alone would take.
    """
    found: dict[str, dict[str, list[str]]] = {}
    columns: dict[str, None] = {}
    for one in rows:
        if one.section.startswith("Speed") and one.ratio is not None:
            case = one.case.rsplit(", ", 1)[0]
            column = f"{one.section.removeprefix('Speed, ')}: {one.contender}"
            columns[column] = None
            share = one.contender == "floor"
            text = f"{one.ratio:.0%}" if share else f"{one.ratio:.{1 if one.ratio < 10 else 0}f}×"
            found.setdefault(case, {}).setdefault(column, []).append(text)
    lines = ["| T × B × H | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for case, cells in found.items():
        lines.append(f"| {case} | " + " | ".join(" / ".join(cells.get(column, [])) for column in columns) + " |")
    return "\n".join(lines)


def verdict(rows: Sequence[Row]) -> str:
    """How many targets were reached, and each that was not."""
    aimed = [one for one in rows if one.reached is not None]
    missed = [f"missed: {one.section}, {one.case}, {one.contender}: {one.words}" for one in aimed if not one.reached]
    return "\n".join([f"\n{len(aimed) - len(missed)} of {len(aimed)} targets reached.", *missed])


def machine() -> dict[str, Any]:
    """The machine in general terms, and what else ran on it."""
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    vectors = next((name for name in ("avx512f", "avx2", "neon") if name in flags), "unknown")
    return {
        "cores": os.cpu_count(),
        "architecture": platform.machine(),
        "vectors": vectors,
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "load_before": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "numba": numba.__version__,
    }


def write(path: Path, about: dict[str, Any], rows: Sequence[Row]) -> None:
    """The run as JSON: the machine, and every row."""
    report = {"machine": about, "rows": [one._asdict() | {"reached": one.reached} for one in rows]}
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
