"""A full trace, all log10 norms of every state of every layer, beside torch's modules and the loop over cells.

Both precisions, one thread and all, depth 1 and 3. The loop runs in float32 only.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import floor
from benchmarks.peers import INPUT_SIZE, Problem, fused, loop
from benchmarks.results import Row, raced
from benchmarks.turns import in_turn, thread_counts, with_threads
from gradlab import trace

SHAPES = [(500, 1, 32), (500, 8, 64), (10_000, 1, 64), (1000, 16, 128), (500, 32, 256)]  # (T, B, H)
QUICK = [(500, 1, 32), (500, 8, 64)]
SECONDS = 0.3
AT_ONE_SEQUENCE = {"lstm": 2.5, "gru": 30, "rnn": 20}
AT_EIGHT = {"lstm": 1, "gru": 6, "rnn": 4}  # at (500, 8, 64)


def targets(cell: str, shape: tuple[int, int, int], dtype: str) -> dict[str, float]:
    """How many times faster than each peer a trace should be."""
    alone = shape[1] == 1
    if dtype == "float64":
        return {"nn": 15 if alone else 1}
    module = AT_ONE_SEQUENCE[cell] if alone else AT_EIGHT[cell] if shape == (500, 8, 64) else 1
    return {"nn": module, "loop": 80 if alone else 3}


def measure(quick: bool) -> Iterator[list[Row]]:
    """The rows of one case after the other."""
    for dtype in ("float32", "float64"):
        for said, threads in thread_counts().items():
            with with_threads(threads):
                for cell in ("lstm", "gru", "rnn"):
                    for shape in QUICK if quick else SHAPES:
                        for depth in (1,) if quick else (1, 3):
                            yield race(cell, depth, shape, dtype, said, 0.05 if quick else SECONDS)


def race(cell: str, depth: int, shape: tuple[int, int, int], dtype: str, threads: str, seconds: float) -> list[Row]:
    """One case: gradlab, its peers in turn, and the floor."""
    T, B, H = shape
    problem = Problem(cell, depth, T, B, H, dtype)
    peers = {"nn": fused(problem)} | ({"loop": loop(problem)} if dtype == "float32" else {})
    contenders = {"gradlab": lambda: trace(problem.stack, problem.inputs, problem.cotangents)} | peers
    contenders["gradlab"]()
    for peer in peers.values():
        peer(20)
    times = in_turn(contenders, seconds)
    times["floor"] = [floor.seconds(cell, depth, T, B, H, INPUT_SIZE, dtype)]
    case = f"{cell} {T} × {B} × {H}, depth {depth}, {threads}"
    return raced(f"Speed, {dtype}", case, times, targets(cell, shape, dtype))
