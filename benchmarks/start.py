"""A new process: its first trace after the imports with a warm kernel cache, and compiling a cell with a cold one; and
a new server, from its start to the first visitor's first chart: `python -m benchmarks.start` measures this alone."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.results import Row, row
from tests.conftest import start_server, stop_server
from tests.visitor import Visitor, is_chart, progress_of

FIRST_TRACE, COMPILING = 1.5, 20.0  # seconds
WARM_CHART, COLD_CHART = 2.5, 8.0
CELLS = ("lstm", "gru", "rnn")
FIRST = """
import json, sys, time
begin = time.perf_counter()
from gradlab import Experiment, trace
from gradlab.engine import warm_up

imported = time.perf_counter()
what, cell, dtype = sys.argv[1:]
if what == "compile":
    warm_up([cell], [dtype])
else:
    trace(Experiment(cell=cell, dtype=dtype))
print(json.dumps([imported - begin, time.perf_counter() - imported]))
"""


def measure(quick: bool) -> Iterator[list[Row]]:
    """Warm: three processes per cell. Cold: one per cell, compiling both precisions one after the other."""
    for cell in CELLS[: 1 if quick else 3]:
        in_a_process("trace", cell, "float64")  # fills the cache
        found = [in_a_process("trace", cell, "float64") for _ in range(1 if quick else 3)]
        yield [
            row("Start, warm cache", cell, "imports", [imports for imports, _ in found], "s"),
            row("Start, warm cache", cell, "first trace", [first for _, first in found], "s", at_most=FIRST_TRACE),
        ]
    for cell in CELLS[: 1 if quick else 3]:
        rows = []
        with tempfile.TemporaryDirectory() as empty:
            for dtype in ("float64", "float32"):
                _, seconds = in_a_process("compile", cell, dtype, {"GRADLAB_CACHE": empty})
                rows.append(row("Start, cold cache", cell, dtype, [seconds], "s", at_most=COMPILING))
        yield rows
    with tempfile.TemporaryDirectory() as empty:
        cold, _, _ = first_chart(empty)
        warm = [first_chart(empty)[0] for _ in range(1 if quick else 3)]
    yield [
        row("Start of the server", "first page", "cold cache", [cold], "s", at_most=COLD_CHART),
        row("Start of the server", "first page", "warm cache", warm, "s", at_most=WARM_CHART),
    ]


def in_a_process(what: str, cell: str, dtype: str, environment: dict[str, str] | None = None) -> tuple[float, float]:
    """Seconds of the imports, and of what comes after them."""
    command = [sys.executable, "-c", FIRST, what, cell, dtype]
    folder = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=folder, env=os.environ | (environment or {})
    )
    return tuple(json.loads(done.stdout))


def first_chart(cache: str) -> tuple[float, float, list[str]]:
    """Seconds from the start of a server to the first chart of its first page, those until it answered, and what the
    page said meanwhile that it does."""
    before = os.environ.get("GRADLAB_CACHE")
    os.environ["GRADLAB_CACHE"] = cache
    begun, said = time.monotonic(), {}
    try:
        process, url = start_server(Path(cache) / "log.txt")
    finally:
        del os.environ["GRADLAB_CACHE"]
        if before is not None:
            os.environ["GRADLAB_CACHE"] = before
    try:
        answered = time.monotonic() - begun
        with Visitor(url, "", "") as visitor:
            visitor.wait_for(is_chart)
            chart = time.monotonic() - begun
            said = dict.fromkeys(text for message in visitor.elements if (text := progress_of(message)))
    finally:
        stop_server(process)
    return chart, answered, [*said]


def main() -> None:
    cold, warm = [], []
    for _ in range(5):
        with tempfile.TemporaryDirectory() as empty:
            for found in (cold, warm):
                chart, answered, said = first_chart(empty)
                found.append(chart)
                print(f"{'cold' if found is cold else 'warm'} kernel cache: first chart after {chart:.1f} s, of which "
                      f"{answered:.1f} s until the server answered; the page said {said or 'nothing'}",
                      flush=True)  # fmt: skip
    for name, found, most in (("cold", cold, COLD_CHART), ("warm", warm, WARM_CHART)):
        median = statistics.median(found)
        print(f"{name}: median {median:.1f} s, {min(found):.1f} to {max(found):.1f} (at most {most:g} s: "
              f"{'yes' if median <= most else 'NO'})")  # fmt: skip


if __name__ == "__main__":
    main()
