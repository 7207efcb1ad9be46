"""Eight Python threads that trace different experiments at once, beside the same one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from benchmarks.results import Row, row
from benchmarks.turns import in_turn
from gradlab import Experiment, trace

THREADS = 8
MOST_RATIO = 1.3  # times the serial sum


def experiments(quick: bool) -> list[Experiment]:
    """Different cells, depths, sizes, losses and precisions, some of which also use the engine's own threads."""
    steps = 200 if quick else 2000
    return [
        Experiment(cell=cell, depth=depth, hidden_size=H, batch_size=B, steps=steps, loss=loss, dtype=dtype, seed=H)
        for cell, depth, H, B, loss, dtype in [
            ("lstm", 1, 64, 8, "last", "float64"), ("lstm", 3, 32, 4, "every", "float32"),
            ("gru", 2, 64, 8, "step", "float64"), ("gru", 1, 128, 4, "last", "float32"),
            ("rnn", 1, 128, 8, "every", "float64"), ("rnn", 3, 32, 1, "last", "float32"),
            ("lstm", 1, 128, 2, "half_square", "float64"), ("rnn_relu", 2, 64, 4, "last", "float64"),
        ]
    ]  # fmt: skip


def measure(quick: bool) -> Iterator[list[Row]]:
    """One case; the numbers have to be the same to the last bit."""
    chosen = experiments(quick)
    settings = torch.get_num_threads(), torch.get_num_interop_threads()
    expected = [trace(e).log10_norms for e in chosen]
    results: list[list[np.ndarray]] = []

    def serial() -> None:
        results.append([trace(e).log10_norms for e in chosen])

    with ThreadPoolExecutor(THREADS) as pool:

        def together() -> None:
            results.append([found.log10_norms for found in pool.map(trace, chosen)])

        times = in_turn({"one after the other": serial, "8 threads at once": together}, 0.2 if quick else 5.0)
    differing = sum(
        not np.array_equal(a, b, equal_nan=True) for found in results for a, b in zip(found, expected, strict=True)
    )
    changed = int(settings != (torch.get_num_threads(), torch.get_num_interop_threads()))
    case = f"{len(chosen)} experiments"
    ratio = float(np.median(times["8 threads at once"]) / np.median(times["one after the other"]))
    yield [
        *(row("Threads", case, name, values, "s") for name, values in times.items()),
        row("Threads", case, "at once over in turn", [ratio], "×", at_most=MOST_RATIO),
        row("Threads", case, "traces with other bits", [differing], "", at_most=0),
        row("Threads", case, "torch's settings changed", [changed], "", at_most=0),
    ]
