"""How long an answer will take: its multiply-adds, at the pace at which this process has made such answers so far."""

import time
from collections import defaultdict, deque
from functools import cache, partial

import numpy as np

from gradlab.analyses.call import Call
from gradlab.engine import Cotangents, Size, plan, sweep
from gradlab.network.stack import Layer, Stack

FEWEST_SECONDS = 0.05  # shorter answers are mostly overhead and say nothing
REMEMBERED = 8  # answers of each analysis, of which the fastest counts
SLOWER = 4  # times at most than a sweep: an answer that took longer compiled its kernels, or had to wait

_paces: defaultdict[str, deque[float]] = defaultdict(partial(deque, maxlen=REMEMBERED))  # multiply-adds per second


def seconds(call: Call) -> float:
    """About how long a call alone will take; 0 where nothing is known of it."""
    if not (work := call.work):
        return 0.0
    return work / max([first_pace() / SLOWER, *_paces[call.function.__name__]])


def learn(call: Call, taken: float) -> None:
    """Notes that a call took so many seconds."""
    if taken >= FEWEST_SECONDS and (work := call.work):
        _paces[call.function.__name__].append(work / taken)


@cache
def first_pace() -> float:
    """Multiply-adds per second of a small sweep, the best of three, before an analysis has been seen at work."""
    random = np.random.default_rng(0)
    H, T = 32, 400
    W, U = random.normal(0, 0.1, (4 * H, H)), random.normal(0, 0.1, (4 * H, H))
    stack = Stack("lstm", (Layer(W, U, np.zeros(4 * H), np.zeros(4 * H)),))
    inputs, loss = random.standard_normal((T, 1, H)), Cotangents(np.array([T - 1]), np.array([0]), np.ones((1, H)), 1)

    def once() -> float:
        begun = time.perf_counter()
        sweep(stack, inputs, loss)
        return time.perf_counter() - begun

    once()  # loads or compiles the kernels
    return plan(Size("lstm", 1, H, H, T, 1, 1, "float64")).multiply_adds / min(once() for _ in range(3))
