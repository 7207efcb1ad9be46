"""The floor of a trace: its multiply-adds alone, at the speed this machine does them.

The recurrent products, one after the other a step: the engine's own product kernel or torch's `mm`, whichever is faster
here. What layers and inputs feed upwards, and its way back, for all steps at once: torch's `mm`. No gates, no norms, no
memory beyond the operands'.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numba
import numpy as np
import torch
from numpy import ndarray

from benchmarks.turns import in_turn
from gradlab.cells import CELLS
from gradlab.engine import in_threads, slices_of
from gradlab.engine.products import multiply, pack, padded

STEPS = 200  # products that one run does


@numba.njit(nogil=True, error_model="numpy")
def _repeated(out, start, a, panels, depth, width, rows, times):
    for _ in range(times):
        multiply(out, 0, width, start, 0, 0, a, 0, depth, rows, panels, depth, width)


def seconds(cell: str, depth: int, steps: int, sequences: int, hidden: int, inputs: int, dtype: str) -> float:
    """The floor of one trace with the threads that are now set."""
    wide = len(CELLS[cell].pre_activations) * hidden
    recurrent = _product(sequences, hidden, wide, dtype) + _product(sequences, wide, hidden, dtype)
    all_rows = steps * sequences
    fed = _matmul(all_rows, inputs, wide, dtype)
    between = _matmul(all_rows, hidden, wide, dtype) + _matmul(all_rows, wide, hidden, dtype) if depth > 1 else 0.0
    return depth * steps * recurrent + fed + (depth - 1) * between


def _product(rows: int, depth: int, width: int, dtype: str) -> float:
    """Seconds of [rows, depth] @ [depth, width], one of many in a row, by the faster of two ways."""
    return _fastest_product(rows, depth, width, dtype, torch.get_num_threads())


@cache
def _fastest_product(rows: int, depth: int, width: int, dtype: str, threads: int) -> float:
    random = np.random.default_rng(0)
    a, m = (random.standard_normal(shape).astype(dtype) for shape in ((rows, depth), (depth, width)))
    left, right = torch.from_numpy(a), torch.from_numpy(m)
    out = left.new_empty(rows, width)

    def by_torch() -> None:
        for _ in range(STEPS):
            torch.mm(left, right, out=out)

    ways = {"kernel": _by_kernel(a, m, threads), "mm": by_torch}
    for way in ways.values():
        way()
    times = in_turn(ways, 0.02)
    return min(min(found) for found in times.values()) / STEPS  # the best: a floor is not to be raised by noise


def _by_kernel(a: ndarray, m: ndarray, threads: int) -> Callable[[], object]:
    depth, width = (padded(size, m.dtype) for size in m.shape)
    wide = np.zeros((depth, width), m.dtype)
    wide[: m.shape[0], : m.shape[1]] = m
    panels, start = pack(wide), np.zeros(width, m.dtype)
    slices = slices_of(10**12, len(a)) if threads > 1 else [slice(0, len(a))]
    parts = []
    for own in slices:
        rows = np.zeros((own.stop - own.start, depth), m.dtype)
        rows[:, : a.shape[1]] = a[own]
        parts.append((np.empty(len(rows) * width, m.dtype), rows.reshape(-1), len(rows)))

    def run(number: int, done: object) -> None:
        out, left, rows = parts[number]
        _repeated(out, start, left, panels, depth, width, rows, STEPS)

    return lambda: in_threads(run, len(parts))


def _matmul(rows: int, depth: int, width: int, dtype: str) -> float:
    """Seconds of one product of all steps' rows, extrapolated from some thousand of them."""
    some = min(rows, 4096)
    return _measured_matmul(some, depth, width, dtype, torch.get_num_threads()) * rows / some


@cache
def _measured_matmul(rows: int, depth: int, width: int, dtype: str, threads: int) -> float:
    left = torch.ones(rows, depth, dtype=getattr(torch, dtype))
    right, out = left.new_ones(depth, width), left.new_empty(rows, width)

    def run() -> None:
        torch.mm(left, right, out=out)

    run()
    return min(in_turn({"mm": run}, 0.02)["mm"])
