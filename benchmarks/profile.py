"""Where a trace's time goes: `python -m benchmarks.profile [CELL DEPTH T B H DTYPE]`, the share of each kernel.

Without arguments, the shapes of the speed section, on one thread. The best of many runs; what is left is Python:
checks, buffers, and the calls themselves.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable

from benchmarks.peers import Problem
from benchmarks.speed import SHAPES
from benchmarks.turns import with_threads
from gradlab import trace

KERNELS = {
    "gradlab.engine.sweep": ("affine", "forward"),
    "gradlab.engine.adjoint_pass": ("enter", "adjoint", "descend", "accumulate"),
}
RUNS = 15


def profile(problem: Problem) -> tuple[float, dict[str, float]]:
    """Seconds of one trace, and of each kernel in it."""
    spent: dict[str, float] = defaultdict(float)

    def timed(name: str, kernel: Callable) -> Callable:
        def run(*arguments: object) -> None:
            begin = time.perf_counter()
            kernel(*arguments)
            spent[name] += time.perf_counter() - begin

        return run

    originals = {(module, name): getattr(sys.modules[module], name) for module in KERNELS for name in KERNELS[module]}
    for (module, name), kernel in originals.items():
        setattr(sys.modules[module], name, timed(name, kernel))
    best: tuple[float, dict[str, float]] = (float("inf"), {})
    try:
        for _ in range(RUNS):
            spent.clear()
            begin = time.perf_counter()
            trace(problem.stack, problem.inputs, problem.cotangents)
            best = min(best, (time.perf_counter() - begin, dict(spent)), key=lambda found: found[0])
    finally:
        for (module, name), kernel in originals.items():
            setattr(sys.modules[module], name, kernel)
    return best


def main() -> None:
    cases = [
        (cell, 1, *shape, dtype) for dtype in ("float32", "float64") for cell in ("lstm", "rnn") for shape in SHAPES
    ]
    if len(sys.argv) > 1:
        cell, *sizes, dtype = sys.argv[1:]
        cases = [(cell, *map(int, sizes), dtype)]
    for cell, depth, T, B, H, dtype in cases:
        with with_threads(1):
            whole, spent = profile(Problem(cell, depth, T, B, H, dtype))
        shares = {name: seconds / whole for name, seconds in spent.items()}
        shares["Python"] = 1 - sum(shares.values())
        words = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
        print(f"{cell} {T} × {B} × {H}, depth {depth}, {dtype}: {1e3 * whole:.2f} ms: {words}", flush=True)


if __name__ == "__main__":
    main()
