"""How long the command takes to show its help, beside an interpreter alone: `python -m benchmarks.command`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.results import Row, row, tables

HELP = 0.3  # seconds
ROOT = Path(__file__).resolve().parents[1]
MAIN = "from gradlab.command import main; main()"  # as the script of the distribution has it
LINES = {"python alone": None, "gradlab --help": "--help", "gradlab --version": "--version"}


def measure(quick: bool) -> Iterator[list[Row]]:
    """Processes in turn, so that what else the machine does falls on all of them alike."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in LINES}
    for _ in range(3 if quick else 30):
        for name, line in LINES.items():
            times[name].append(seconds("pass" if line is None else MAIN, *([] if line is None else [line])))
    for number, case in enumerate(("from start to end", "of the processor")):
        yield [
            row("The command", case, name, [found[number] for found in values], "s", at_most=HELP)
            for name, values in times.items()
        ]


def seconds(program: str, *arguments: str) -> tuple[float, float]:
    """Of one process, from its start to its end, and of the processor alone, which other programs do not lengthen."""
    before, begun = os.times(), time.perf_counter()
    command = [sys.executable, "-c", program, *arguments]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    whole, after = time.perf_counter() - begun, os.times()
    return whole, after.children_user + after.children_system - before.children_user - before.children_system


if __name__ == "__main__":
    print(tables([one for rows in measure(quick=False) for one in rows]))
