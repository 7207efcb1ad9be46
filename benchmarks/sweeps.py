"""Phase maps and sweeps: how long the default map takes, and what the coordinator spends on a point.

    python -m benchmarks.sweeps              the default map (LSTM, H = 64, T = 200, B = 4; 21 × 21, 3 seeds), its first
                                             colours, and 10,000 points of no work
    python -m benchmarks.sweeps --million    the coordinator's share of a million points too, which takes minutes

The coordinator's own cost is the processor time of this process beside points that are measured at once; memory is the
growth of the process.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from gradlab.settings.experiment import Experiment
from gradlab.sweeps.maps import Plan
from gradlab.sweeps.running import Here
from gradlab.sweeps.sweep import points
from gradlab.ui.maps import Maps

MAP = Experiment(cell="lstm", hidden_size=64, steps=200, batch_size=4)


def nothing(experiment: Experiment) -> float:
    """A measure without work."""
    return experiment.gain


def default_map() -> None:
    plan = Plan.of_settings(MAP, "keep_bias", 21, 3)
    with tempfile.TemporaryDirectory() as folder:
        server, begun = Maps(Path(folder), address=""), time.perf_counter()
        one, first = server.of("benchmark", plan, "benchmark", lambda: True), None
        assert one is not None
        while not one.is_over:
            time.sleep(0.02)
            if first is None and one.measured.count >= 4:  # the corners: the whole map has colours
                first = time.perf_counter() - begun
        seconds = time.perf_counter() - begun
        server.pool.end()
    print(f"default map, {len(plan)} points: first colours after {first:.2f} s, whole after {seconds:.1f} s")


def coordinator(count: int) -> None:
    side = round(count**0.5)
    axes = {"gain": [*np.linspace(0, 3, side)], "keep_bias": [*np.linspace(-4, 6, side)]}
    process = psutil.Process()
    before, begun = process.memory_info().rss, time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        points(MAP, axes, nothing, 1, Here, folder, in_flight=2 * (os.cpu_count() or 1))
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
    each = (time.process_time() - begun) / side**2
    grown = (process.memory_info().rss - before) / 2**20
    print(f"{side**2:,} points: {1e3 * each:.3f} ms a point, {grown:.0f} MB, store {size / 2**20:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--million", action="store_true")
    asked = parser.parse_args()
    default_map()
    for count in (10_000, 1_000_000) if asked.million else (10_000,):
        coordinator(count)


if __name__ == "__main__":
    main()
