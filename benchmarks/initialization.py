"""The limits of the initialization laboratory: a Lyapunov spectrum, the default map, and the coordinator's own share.

    python -m benchmarks.initialization [--quick]

A whole spectrum of an LSTM of 128 units over 2000 steps in ten seconds; a map of 21 × 21 points with 3 seeds (LSTM,
64 units, 200 steps, 4 sequences) in 20 seconds on two cores, the start of its processes included; less than a
millisecond a point for the coordinator, its store included.
"""

from __future__ import annotations

import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from gradlab.jacobians import lyapunov_exponents

from gradlab import Experiment
from gradlab.engine import warm_up
from gradlab.sweeps import points

SPECTRUM, MAP, COORDINATOR = 10.0, 20.0, 0.001  # seconds; the last one a point


def nothing(experiment: Experiment) -> float:
    """A measure that costs nothing."""
    return 0.0


def spectrum(units: int, steps: int) -> float:
    """Seconds of all exponents of an LSTM."""
    e = Experiment(cell="lstm", hidden_size=units, steps=steps, batch_size=1)
    lyapunov_exponents(e.replace(steps=10))  # compiled before
    begun = time.perf_counter()
    lyapunov_exponents(e)
    return time.perf_counter() - begun


def mapped(side: int) -> float:
    """Seconds of a map of side × side points with 3 seeds, in processes that are begun for it."""
    e = Experiment(cell="lstm", hidden_size=64, steps=200, batch_size=4)
    axes = {"gain": np.linspace(0.1, 3, side).tolist(), "keep_bias": np.linspace(-1, 6, side).tolist()}
    begun = time.perf_counter()
    points(e, axes, "rate", seeds=3)
    return time.perf_counter() - begun


def coordinated(side: int) -> float:
    """Seconds of the coordinator's processor a point."""
    axes = {"gain": np.linspace(0.1, 3, side).tolist(), "keep_bias": np.linspace(-1, 6, side).tolist()}
    with tempfile.TemporaryDirectory() as store, ThreadPoolExecutor(1) as executor:
        begun = time.process_time()
        points(Experiment(cell="lstm"), axes, nothing, seeds=1, executor=executor, store=store)
        return (time.process_time() - begun) / side**2


def main() -> None:
    quick = "--quick" in sys.argv
    warm_up(["lstm"])
    units, steps, side = (16, 100, 3) if quick else (128, 2000, 21)
    figures = (
        (f"spectrum of an LSTM of {units} units, {steps} steps", lambda: spectrum(units, steps), SPECTRUM),
        (f"map of {side} × {side} points, 3 seeds", lambda: mapped(side), MAP),
        ("coordinator, a point", lambda: coordinated(3 * side), COORDINATOR),
    )
    for what, measured, limit in figures:
        seconds = measured()
        print(f"{what}: {seconds:.4g} s, limit {limit:g} s: {'held' if seconds < limit else 'NOT held'}", flush=True)


if __name__ == "__main__":
    main()
