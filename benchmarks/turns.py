"""Contenders in turn: each runs once per round, so that whatever else the machine does falls on all of them."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator

import torch

LEAST_RUNS = 3
SLOW_SECONDS = (1.0, 3.0)  # a contender that takes longer runs twice; longer still, once


def in_turn(contenders: dict[str, Callable[[], object]], seconds: float) -> dict[str, list[float]]:
    """Wall-clock seconds of each run; a contender takes part until it has used `seconds`, at least `LEAST_RUNS`
    times unless it is slow.

    Each has to have run before, on something small at least: what is loaded once is not measured here.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    waiting = set(contenders)
    while waiting:
        for name, run in contenders.items():
            if name in waiting:
                begin = time.perf_counter()
                run()
                times[name].append(time.perf_counter() - begin)
                enough = LEAST_RUNS - sum(times[name][0] > slow for slow in SLOW_SECONDS)
                if len(times[name]) >= enough and sum(times[name]) >= seconds:
                    waiting.remove(name)
    return times


@contextlib.contextmanager
def with_threads(count: int) -> Iterator[None]:
    """At most so many threads for torch and for gradlab, in this process."""
    before = torch.get_num_threads(), os.environ.get("GRADLAB_THREADS")
    torch.set_num_threads(count)
    os.environ["GRADLAB_THREADS"] = str(count)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        if before[1] is None:
            del os.environ["GRADLAB_THREADS"]
        else:
            os.environ["GRADLAB_THREADS"] = before[1]


def thread_counts() -> dict[str, int]:
    """One thread and all of them, by name."""
    cores = os.cpu_count() or 1
    return {"1 thread": 1} | ({f"{cores} threads": cores} if cores > 1 else {})
