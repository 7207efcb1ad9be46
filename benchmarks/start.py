"""A new process: its first trace after the imports with a warm kernel cache, and compiling a cell with a cold one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.results import Row, row

FIRST_TRACE, COMPILING = 1.5, 20.0  # seconds
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


def in_a_process(what: str, cell: str, dtype: str, environment: dict[str, str] | None = None) -> tuple[float, float]:
    """Seconds of the imports, and of what comes after them."""
    command = [sys.executable, "-c", FIRST, what, cell, dtype]
    folder = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=folder, env=os.environ | (environment or {})
    )
    return tuple(json.loads(done.stdout))
