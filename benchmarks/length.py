"""A million steps: time per step beside that of 10,000, and memory, as growth of a process, beside its estimate.

`python -m benchmarks.length STEPS DTYPE` measures one trace's memory, in a separate process.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.results import Row, row
from gradlab import Experiment, estimate, trace

SHORT, LONG = 10_000, 1_000_000
ROUNDS = 3
MOST_GROWTH = 400.0  # MB
MOST_RATIO = 1.5
MOST_ERROR = 30.0  # percent


def experiment(steps: int, dtype: str) -> Experiment:
    return Experiment(cell="lstm", hidden_size=64, batch_size=1, steps=steps, dtype=dtype)


def measure(quick: bool) -> Iterator[list[Row]]:
    """Both precisions; quick: a tenth of the length."""
    long = LONG // 10 if quick else LONG
    for dtype in ("float32", "float64"):
        a_step: dict[int, list[float]] = {SHORT: [], long: []}
        trace(experiment(SHORT, dtype))
        for _ in range(1 if quick else ROUNDS):
            for steps in a_step:
                begin = time.perf_counter()
                trace(experiment(steps, dtype))
                a_step[steps].append((time.perf_counter() - begin) / steps)
        for steps, found in a_step.items():
            case, more = f"{dtype}, {steps} steps", {}
            if steps == long:
                ratios = [after / before for before, after in zip(*a_step.values(), strict=True)]
                compared = row("Length", case, f"over that at {SHORT}", ratios, "×", at_most=MOST_RATIO)
                more = {"at_most": MOST_GROWTH}
            grown = row("Length", case, "growth of the process", [in_a_process(steps, dtype)], "MB", **more)
            said = estimate(experiment(steps, dtype)).bytes / 1e6
            error = 100 * abs(said - grown.median) / grown.median
            yield [
                row("Length", case, "a step", found, "s"),
                *([compared] if steps == long else []),
                grown,
                row("Length", case, "estimate", [said], "MB"),
                row("Length", case, "its error", [error], "%", at_most=MOST_ERROR),
            ]


def in_a_process(steps: int, dtype: str) -> float:
    """MB by which a new process grows at the peak of a trace."""
    command = [sys.executable, "-m", "benchmarks.length", str(steps), dtype]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).resolve().parents[1])
    return json.loads(done.stdout)


def _memory(what: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(what))


def _growth(steps: int, dtype: str) -> float:
    trace(experiment(3, dtype))
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts here
    before = _memory("VmRSS")
    result = trace(experiment(steps, dtype))
    grown = _memory("VmHWM") - before
    assert result.steps == steps
    return grown / 1e6


if __name__ == "__main__":
    print(json.dumps(_growth(int(sys.argv[1]), sys.argv[2])))
