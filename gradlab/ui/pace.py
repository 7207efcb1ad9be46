"""How long an answer will take: its multiply-adds, at the pace at which this process has made such answers so far."""

import time
from collections import defaultdict, deque
from functools import cache, partial

from gradlab.analyses.call import Call
from gradlab.analyses.problem import problem_of
from gradlab.engine import sweep
from gradlab.settings.experiment import Experiment

FEWEST_SECONDS = 0.05  # shorter answers are mostly overhead and say nothing
REMEMBERED = 8  # answers of each analysis, of which the fastest counts
SLOWER = 4  # times at most than a sweep: an answer that took longer compiled its kernels, or had to wait
FIRST = Experiment(hidden_size=32, input_size=32, steps=400, batch_size=1)  # swept before anything is known

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
    problem = problem_of(FIRST)

    def once() -> float:
        begun = time.perf_counter()
        sweep(problem.stack, problem.inputs, problem.loss)
        return time.perf_counter() - begun

    once()  # draws the problem, and loads or compiles the kernels
    return problem.trace_need.work / min(once() for _ in range(3))
