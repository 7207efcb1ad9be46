"""How long a large network of one's own is traced: 4 layers of 1024 units over 500 steps, one sequence.

    python -m benchmarks.remedies [--all]

`--all` computes every remedy of an LSTM of 256 units in 2 layers beside it. The limit is ten seconds for the trace.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from gradlab import Experiment, Stack, remedies, trace
from gradlab.engine import warm_up

LIMIT = 10.0  # seconds
DEPTH, UNITS, STEPS = 4, 1024, 500


def traced(cell: str, depth: int = DEPTH, units: int = UNITS, steps: int = STEPS, sequences: int = 1) -> float:
    """Seconds that a trace of a float32 stack with arrays takes."""
    e = Experiment(cell=cell, depth=depth, hidden_size=units, input_size=64, steps=steps, batch_size=1, dtype="float32")
    stack, random = Stack.from_experiment(e), np.random.default_rng(0)
    inputs = random.standard_normal((steps, sequences, 64))
    cotangents = np.zeros((steps, sequences, units))
    cotangents[-1] = random.standard_normal((sequences, units))
    trace(stack, inputs[:3], cotangents[-3:])  # compiled before
    begun = time.perf_counter()
    trace(stack, inputs, cotangents)
    return time.perf_counter() - begun


def main() -> None:
    warm_up()
    slowest = 0.0
    for cell in ("rnn", "gru", "lstm"):
        seconds = traced(cell)
        slowest = max(slowest, seconds)
        print(f"{cell:5} {DEPTH} × {UNITS} units, {STEPS} steps, 1 sequence: {seconds:6.2f} s")
    if "--all" in sys.argv:
        found = trace(Experiment(cell="lstm", depth=2, hidden_size=256, steps=200, batch_size=8, dtype="float32"))
        begun = time.perf_counter()
        count = len(remedies(found))
        print(f"{count} remedies of an LSTM of 2 × 256 units over 200 steps: {time.perf_counter() - begun:.2f} s")
    print(f"limit {LIMIT:g} s: {'held' if slowest < LIMIT else 'NOT held'}")


if __name__ == "__main__":
    main()
