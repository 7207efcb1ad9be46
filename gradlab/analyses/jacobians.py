"""Jacobians of the whole state: of one step, and of all steps from t to the last, in one sweep.

    A_t     = ∂s_t/∂s_{t-1}                    step Jacobian; A_0 is that of the first step, s_{-1} the initial state
    J(T, t) = ∂s_T/∂s_t = A_T A_{T-1} … A_{t+1}   product Jacobian; T here the last step, J(T, T) = identity

s_t are all states after step t, of every layer, taken as independent of each other: n = L·S·H numbers, in the order
layer (lowest first), state (h, then c), unit. Only so do products compose: J(T, t) = J(T, u) J(u, t).

Rows of J are adjoints of unit vectors at the last step, n of them in one batch over one forward pass, each kept as
v · 2^e: a product that shrinks or grows beyond the floating-point range keeps its digits. Entries of a row that lie
below its largest by more than the range itself (some 300 decades, in float32 some 35) are lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.analyses.problem import Need, Problem, Progress, analysis, whole_number, without_loss
from gradlab.cells import CELLS
from gradlab.engine import Cotangents, Size, Sweep, Swept, in_threads, plan, threads, times_power
from gradlab.network.stack import Stack
from gradlab.settings.subject import Subject

SINGULAR_COLUMNS = ("cell", "step", "lag", "index", "log10_singular_value", "resolved")
LOG10_2 = np.log10(2.0)
BLOCK_BYTES = 2**26  # of step Jacobians in the making


@dataclass(frozen=True, eq=False, repr=False)
class ProductJacobians:
    """J(T, t) of every step t of one sequence: row r of J(T, t) is rows[t, r] · 2^exponents[t, r]."""

    cell: str
    rows: ndarray  # [T, n, n]
    exponents: ndarray  # [T, n]  whole numbers
    non_finite: bool  # the forward pass overflowed, so that what depends on it is undefined (NaN)

    def __repr__(self) -> str:
        steps, n, _ = self.rows.shape
        return f"ProductJacobians({self.cell}, {steps} steps, {n} × {n})"

    @property
    def steps(self) -> int:
        return len(self.rows)

    def at(self, step: int) -> ndarray:
        """J(T, step) [n, n] as plain numbers; what is out of the floating-point range is 0 or infinite."""
        return times_power(self.rows[step], self.exponents[step])

    def log10_norms(self) -> ndarray:
        """log10 of the Frobenius norm of J(T, t) of every step, [T]; -inf where it is exactly zero."""
        scaled, exponents = _common_scale(self.rows, self.exponents)
        with np.errstate(divide="ignore"):
            return np.log10(np.linalg.norm(scaled.astype(np.float64), axis=(1, 2))) + LOG10_2 * exponents

    def singular_values(self, steps: Iterable[int] | None = None) -> pd.DataFrame:
        """log10 of the singular values of J(T, t), a row a step and index, columns `SINGULAR_COLUMNS`.

        steps      those wanted, all if None
        index      0 for the largest
        resolved   False where a value is below n · ε times the largest: rounding has then decided its digits. Products
                   lose their small singular values this way, whatever computes them from the product.
        """
        chosen = np.arange(self.steps) if steps is None else np.array(list(steps), int)
        if chosen.size and (chosen.min() < 0 or chosen.max() >= self.steps):
            raise ValueError(f"steps = {chosen.min()} to {chosen.max()} leave the sequence: use 0 to {self.steps - 1}")
        scaled, exponents = _common_scale(self.rows[chosen], self.exponents[chosen])
        n = scaled.shape[-1]
        defined = np.isfinite(scaled).all(axis=(1, 2))
        values = np.full((len(chosen), n), np.nan)
        values[defined] = np.linalg.svd(scaled[defined].astype(np.float64), compute_uv=False)
        with np.errstate(divide="ignore"):
            logarithms = np.log10(values) + LOG10_2 * exponents[:, None]
        resolved = values > n * np.finfo(self.rows.dtype).eps * values[:, :1]
        columns = {
            "cell": self.cell,
            "step": np.repeat(chosen, n),
            "lag": np.repeat(self.steps - 1 - chosen, n),
            "index": np.tile(np.arange(n), len(chosen)),
            "log10_singular_value": logarithms.reshape(-1),
            "resolved": resolved.reshape(-1),
        }
        return pd.DataFrame(columns)[list(SINGULAR_COLUMNS)]


def _need(problem: Problem, sequence: int = 0) -> Need:
    size = problem.size
    n = numbers_of(size)
    result = size.steps * n * (n + 1) * max(np.dtype(size.dtype).itemsize, 4)
    passes = plan(size._replace(sequences=1, rows=n)).bytes
    what = (
        f"steps = {size.steps}, hidden_size = {size.hidden_size}, depth = {size.depth}: Jacobians of {n} × {n} a step"
    )
    return Need(passes + 2 * result, what, "steps, hidden_size or depth")


@analysis(_need, reads=("network", "sequence", "numerics"))
def product_jacobians(
    subject: Subject | Stack | Problem,
    inputs: Any = None,
    initial_state: Any = None,
    sequence: int = 0,
    *,
    progress: Progress = None,
) -> ProductJacobians:
    """∂s_T/∂s_t of every step t, T the last one, of one of the sequences of inputs [T, B, X]; or of an Experiment's.

    initial_state   h or (h, c), each [L, B, H]; zeros if None
    progress        called with the fraction done; an exception it raises aborts

    Raises ValueError for shapes that do not fit, values that are not finite, and where memory does not reach.
    """
    problem = without_loss(subject, inputs, None, initial_state)
    problem.refuse(_need(problem))
    x, states = _sequence(problem, sequence)
    stack, T, n = problem.stack, len(x), numbers_of(problem.size)
    sweep = Sweep(stack, x, states, n)
    sweep.forward()
    blocks = _blocks(n, T * plan(sweep.plan.size._replace(steps=1)).multiply_adds)
    final = _unit_rows(stack)

    def run(number: int, done: Callable[[float], None]) -> tuple[ndarray, ndarray]:
        own = blocks[number]
        return _rows(sweep.adjoint(_at_the_end(final[:, own]), keep=("totals",), independent=True, progress=done))

    parts = in_threads(run, len(blocks), progress)
    undefined = bool((sweep.non_finite < T).any())
    sweep.close()
    rows, exponents = (
        parts[0] if len(parts) == 1 else (np.concatenate(side, axis=1) for side in zip(*parts, strict=True))
    )
    return ProductJacobians(stack.cell, rows, exponents, undefined)


@analysis(_need, reads=("network", "sequence", "numerics"))
def step_jacobians(
    subject: Subject | Stack | Problem, inputs: Any = None, initial_state: Any = None, sequence: int = 0
) -> ndarray:
    """A_t = ∂s_t/∂s_{t-1} of every step, [T, n, n]; arguments and errors as `product_jacobians`.

    NaN where the state before the step is not finite.
    """
    problem = without_loss(subject, inputs, None, initial_state)
    problem.refuse(_need(problem))
    x, states = _sequence(problem, sequence)
    stack, T, n = problem.stack, len(x), numbers_of(problem.size)
    run = Sweep(stack, x, states)
    run.forward()
    after, _ = run.values()  # [L, T, 1, S, H]
    run.close()
    first = np.stack(states, axis=2)[:, None] if states else np.zeros_like(after[:, :1])
    before = np.concatenate([first, after[:, :-1]], axis=1)[:, :, 0]  # [L, T, S, H]
    undefined = ~np.isfinite(before).all(axis=(0, 2, 3))
    before[:, undefined] = 0
    final = _unit_rows(stack)
    found = np.empty((T, n, n), stack.dtype)
    block = max(1, BLOCK_BYTES // (stack.dtype.itemsize * n * n * (2 + len(CELLS[stack.cell].pre_activations))))
    for begin in range(0, T, block):  # the steps of a block are sequences of length 1
        own = slice(begin, min(T, begin + block))
        count = own.stop - own.start
        start = tuple(np.ascontiguousarray(before[:, own, kind]) for kind in range(before.shape[2]))
        one = Sweep(stack, np.ascontiguousarray(x[own].reshape(1, count, -1)), start, n * count)
        one.forward()
        bars = one.adjoint(_at_the_end(np.repeat(final, count, axis=1)), independent=True).initial_bar
        one.close()
        bars = bars.reshape(stack.depth, n, count, *bars.shape[2:])  # [L, n, count, S, H]
        found[own] = bars.transpose(2, 1, 0, 3, 4).reshape(count, n, n)
    found[undefined] = np.nan
    return found


def numbers_of(size: Size) -> int:
    """n, the size of the whole state."""
    return size.depth * len(CELLS[size.cell].states) * size.hidden_size


def _sequence(problem: Problem, sequence: int) -> tuple[ndarray, tuple[ndarray, ...]]:
    """The inputs [T, 1, X] and initial states [L, 1, H] of one sequence."""
    sequence = whole_number("sequence", sequence, 0, problem.size.sequences - 1)
    own = slice(sequence, sequence + 1)
    states = tuple(np.ascontiguousarray(state[:, own]) for state in problem.initial_state)
    return np.ascontiguousarray(problem.inputs[:, own]), states


def _unit_rows(stack: Stack) -> ndarray:
    """∂(each number of s_T)/∂s_T: the identity as [L, n, S, H]."""
    kinds = len(CELLS[stack.cell].states)
    n = stack.depth * kinds * stack.hidden_size
    identity = np.eye(n, dtype=stack.dtype).reshape(n, stack.depth, kinds, stack.hidden_size)
    return np.ascontiguousarray(identity.swapaxes(0, 1))


def _at_the_end(final: ndarray) -> Cotangents:
    none = np.empty(0, np.int64)
    values = np.empty((0, final.shape[-1]), final.dtype)
    return Cotangents(none, none, values, final.shape[1], np.ascontiguousarray(final))


def _blocks(n: int, work: int) -> list[slice]:
    """The rows for each thread, in eights, which the matrix product takes at a time."""
    count = max(1, min(threads(), n // 8, work // 10**8))
    edges = [n * i // count // 8 * 8 for i in range(count)] + [n]
    return [slice(a, b) for a, b in pairwise(edges)]


def _rows(swept: Swept) -> tuple[ndarray, ndarray]:
    """The rows [T, N, n] of an adjoint that kept its totals, with an exponent each [T, N]: the layers' largest."""
    T, N = swept.adjoints[0].exponents.shape
    if len(swept.adjoints) == 1:
        only = swept.adjoints[0]
        return only.totals.reshape(T, N, -1), only.exponents
    exponents = np.max([layer.exponents for layer in swept.adjoints], axis=0)
    layers = [times_power(layer.totals, layer.exponents - exponents).reshape(T, N, -1) for layer in swept.adjoints]
    return np.concatenate(layers, axis=2), exponents


def _common_scale(rows: ndarray, exponents: ndarray) -> tuple[ndarray, ndarray]:
    """The same matrices with one exponent each: [T, n, n] and [T]."""
    largest = exponents.max(axis=1)
    return times_power(rows, exponents - largest[:, None]), np.where(largest < -(2**60), 0, largest)
