"""Jacobians of the whole state: of one step, and of all steps from t to the last, in one sweep.

    A_t     = ∂s_t/∂s_{t-1}                    step Jacobian; A_0 is that of the first step, s_{-1} the initial state
    J(T, t) = ∂s_T/∂s_t = A_T A_{T-1} … A_{t+1}   product Jacobian; T here the last step, J(T, T) = identity

s_t are all states after step t, of every layer, taken as independent of each other: n = L·S·H numbers, in the order
layer (lowest first), state (h, then c), unit. Only so do products compose: J(T, t) = J(T, u) J(u, t).

Rows of J are adjoints of unit vectors at the last step, n of them in one batch over one forward pass, each kept as
v · 2^e: a product that shrinks or grows beyond the floating-point range keeps its digits. Entries of a row that lie
below its largest by more than the range itself (some 300 decades, in float32 some 35) are lost.

`singular_values_by_lag` is the picture: all singular values against lag, of the whole state or of h alone, what a
random cotangent sees of them, and the bound by the spectral norm where there is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.analyses.arguments import whole_number
from gradlab.analyses.memory import item_of, kept_bytes, states_of, values_bytes
from gradlab.analyses.problem import Need, Problem, analysis, without_loss, work_of
from gradlab.analyses.weights import SPECTRUM_WORK
from gradlab.cells import CELLS
from gradlab.engine import Cotangents, Progress, Size, Sweep, Swept, checkpoint, in_threads, plan, threads, times_power
from gradlab.engine.progress import part_of, silent
from gradlab.network.arrays import ArrayLike, StatesLike
from gradlab.network.stack import Stack
from gradlab.settings.subject import Subject
from gradlab.words.languages import N_

SINGULAR_COLUMNS = ("cell", "step", "lag", "index", "log10_singular_value", "resolved")
LAG_COLUMNS = ("cell", "step", "lag", "quantity", "index", "log10_value", "resolved")
SINGULAR_VALUE, RANDOM_COTANGENT, BOUND = "singular value", "random cotangent", "spectral-norm bound"
BLOCKS = ("state", "h")
# γ, the steepest slope of φ, of the cells that are h' = φ(W x + U h + b) (Pascanu et al. 2013, eq. 6 and 7)
STEEPEST = {"rnn": 1.0, "rnn_relu": 1.0, "rnn_linear": 1.0}
LOG10_2 = np.log10(2.0)
BLOCK_BYTES = 2**24  # of step Jacobians in the making
TO_LOWER = N_("steps, hidden_size or depth")


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
        """log10 of the singular values of J(T, t), one row per step and index, columns `SINGULAR_COLUMNS`.

        steps      those wanted, all if None
        index      0 for the largest
        resolved   False where a value is below n · ε times the largest: rounding has then decided its digits. Products
                   lose their small singular values this way, whatever computes them from the product. -inf, and not
                   resolved either, are those that are exactly zero because rows or columns of J are.
        """
        chosen = np.arange(self.steps) if steps is None else np.array(list(steps), int)
        if chosen.size and (chosen.min() < 0 or chosen.max() >= self.steps):
            raise ValueError(f"steps = {chosen.min()} to {chosen.max()} leave the sequence: use 0 to {self.steps - 1}")
        logarithms, resolved = _singular_values(self.rows[chosen], self.exponents[chosen])
        table = self._tidy(chosen, logarithms.shape[1])
        table |= {"log10_singular_value": logarithms.reshape(-1), "resolved": resolved.reshape(-1)}
        return pd.DataFrame(table)[list(SINGULAR_COLUMNS)]

    def _tidy(self, steps: ndarray, count: int) -> dict[str, Any]:
        """The columns that say which of `count` values of which step a row is."""
        return {
            "cell": self.cell,
            "step": np.repeat(steps, count),
            "lag": np.repeat(self.steps - 1 - steps, count),
            "index": np.tile(np.arange(count), len(steps)),
        }


def _need(problem: Problem, sequence: int = 0) -> Need:
    size = problem.size._replace(sequences=1, rows=numbers_of(problem.size))
    n, planned = size.rows, plan(size)
    kept = kept_bytes(size, states_of(size))
    in_blocks = len(blocks_of(n, size.steps * plan(size._replace(steps=1)).multiply_adds)) > 1
    result = size.steps * n * (n + 1) * item_of(size)
    copied = int(result * (0.75 * (size.depth > 1) + in_blocks))  # layers, and then threads, are put together
    return Need(planned.bytes + kept + copied, _what(problem.size), TO_LOWER, work_of(planned))


def _need_of_steps(problem: Problem, sequence: int = 0) -> Need:
    size, n = problem.size._replace(sequences=1, rows=1), numbers_of(problem.size)
    result = size.steps * n * n * item_of(size)
    peak = plan(size).bytes + 3 * values_bytes(size) + result + 2 * BLOCK_BYTES
    return Need(peak, _what(problem.size), TO_LOWER, work_of(plan(size._replace(rows=n))))


def _what(size: Size) -> str:
    n = numbers_of(size)
    sizes = f"steps = {size.steps}, hidden_size = {size.hidden_size}, depth = {size.depth}"
    return f"{sizes}: Jacobians of {n} × {n} a step"


@analysis(_need, reads=("network", "sequence", "numerics"))
def product_jacobians(
    subject: Subject | Stack | Problem,
    inputs: ArrayLike | None = None,
    initial_state: StatesLike | None = None,
    sequence: int = 0,
    *,
    progress: Progress | None = None,
) -> ProductJacobians:
    """∂s_T/∂s_t of every step t, T the last one, of one of the sequences of inputs [T, B, X]; or of an Experiment's.

    initial_state   h or (h, c), each [L, B, H]; zeros if None
    progress        called with the fraction done; an exception it raises aborts

    Raises ValueError for shapes that do not fit, values that are not finite, and where memory does not reach.
    """
    problem = without_loss(subject, inputs, None, initial_state)
    problem.refuse(_need(problem))
    x, states = sequence_of(problem, sequence)
    stack, T, n = problem.stack, len(x), numbers_of(problem.size)
    sweep = Sweep(stack, x, states, n)
    sweep.forward(part_of(progress or silent, 0, 0.2))
    blocks = blocks_of(n, T * plan(sweep.plan.size._replace(steps=1)).multiply_adds)
    final = _unit_rows(stack)

    def run(number: int, progress: Progress) -> tuple[ndarray, ndarray]:
        bars = at_the_end(final[:, blocks[number]])
        return _rows(sweep.adjoint(bars, keep=("totals",), independent=True, progress=progress))

    parts = in_threads(run, len(blocks), part_of(progress or silent, 0.2, 1))
    undefined = bool((sweep.non_finite < T).any())
    sweep.close()
    rows, exponents = (
        parts[0] if len(parts) == 1 else (np.concatenate(side, axis=1) for side in zip(*parts, strict=True))
    )
    return ProductJacobians(stack.cell, rows, exponents, undefined)


@analysis(_need_of_steps, reads=("network", "sequence", "numerics"))
def step_jacobians(
    subject: Subject | Stack | Problem,
    inputs: ArrayLike | None = None,
    initial_state: StatesLike | None = None,
    sequence: int = 0,
) -> ndarray:
    """A_t = ∂s_t/∂s_{t-1} of every step, [T, n, n]; arguments and errors as `product_jacobians`.

    NaN where the state before the step is not finite.
    """
    problem = without_loss(subject, inputs, None, initial_state)
    problem.refuse(_need_of_steps(problem))
    x, states = sequence_of(problem, sequence)
    stack, T, n = problem.stack, len(x), numbers_of(problem.size)
    before = states_before(stack, x, states)
    undefined = ~np.isfinite(before).all(axis=(0, 2, 3))
    before[:, undefined] = 0
    jacobians = np.empty((T, n, n), stack.dtype)
    for steps, of_steps, _ in steps_at(stack, x, before):
        jacobians[steps] = of_steps
    jacobians[undefined] = np.nan
    return jacobians


def steps_at(stack: Stack, x: ndarray, before: ndarray) -> Iterator[tuple[slice, ndarray, ndarray]]:
    """The steps of one sequence, each from the states that stand before it, [L, T, S, H]: blocks of steps with their
    Jacobians [count, n, n] and the states after them [count, n]."""
    T, n = len(x), before[:, 0].size
    final = _unit_rows(stack)
    block = block_steps(stack.cell, n, stack.dtype.itemsize)
    for begin in range(0, T, block):
        checkpoint()
        # the steps of a block are sequences of length 1
        steps = slice(begin, min(T, begin + block))
        count = steps.stop - steps.start
        start = tuple(np.ascontiguousarray(before[:, steps, kind]) for kind in range(before.shape[2]))
        sweep = Sweep(stack, np.ascontiguousarray(x[steps].reshape(1, count, -1)), start, n * count)
        sweep.forward()
        after = sweep.last_states.swapaxes(0, 1).reshape(count, n)
        bars = sweep.adjoint(at_the_end(np.repeat(final, count, axis=1)), independent=True).initial_bar
        sweep.close()
        bars = bars.reshape(stack.depth, n, count, *bars.shape[2:])  # [L, n, count, S, H]
        yield steps, bars.transpose(2, 1, 0, 3, 4).reshape(count, n, n), after


def block_steps(cell: str, n: int, item: int) -> int:
    """How many step Jacobians [n, n] are made at a time, of numbers of so many bytes."""
    return max(1, BLOCK_BYTES // (item * n * n * (2 + len(CELLS[cell].pre_activations))))


def _need_by_lag(problem: Problem, sequence: int = 0, of: str = "state", most: int = 48, seed: int = 0) -> Need:
    need = _need(problem)
    steps = min(most, problem.size.steps)
    return need._replace(work=need.work + SPECTRUM_WORK * steps * numbers_of(problem.size) ** 3)


@analysis(_need_by_lag, reads=("network", "sequence", "numerics"))
def singular_values_by_lag(
    subject: Subject | Stack | Problem,
    inputs: ArrayLike | None = None,
    initial_state: StatesLike | None = None,
    *,
    sequence: int = 0,
    of: str = "state",
    most: int = 48,
    seed: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """log10 of what J(T, t) does to lengths, at lag 1 and at evenly spread steps t: columns `LAG_COLUMNS`.

    most        steps at most; they have the first, the last and the last but one among them

    quantity    "singular value"        index 0 for the largest; resolved as in `ProductJacobians.singular_values`
                "random cotangent"      ‖Jᵀ v‖ of one random unit vector v, the same at every step
                "spectral-norm bound"   lag · log10(γ σ_1(U)), which no singular value exceeds: of one layer whose step
                                        is h' = φ(W x + U h + b) with |φ'| ≤ γ; no rows for other cells and stacks
    of          "state": ∂s_T/∂s_t of all states; "h": its block ∂h_T/∂h_t, of all layers' h with their c held fixed
    seed        draws v

    Other arguments and errors as `product_jacobians`; ValueError also for another `of`, or `most` below 3.
    """
    if of not in BLOCKS:
        raise ValueError(f"of = {of!r} is not allowed: use {' or '.join(map(repr, BLOCKS))}")
    most = whole_number("most", most, 3)
    problem = without_loss(subject, inputs, None, initial_state)
    report = progress or silent
    products = product_jacobians(problem, sequence=sequence, progress=part_of(report, 0, 0.5))
    even = np.linspace(0, products.steps - 1, most - 1).round().astype(int)
    steps = np.unique([*even, max(products.steps - 2, 0)])
    block = _block(problem.size, of)
    rows, exponents = products.rows[steps][:, block[:, None], block], products.exponents[steps][:, block]
    logarithms, resolved = _singular_values(rows, exponents, part_of(report, 0.5, 1))
    stretches = {SINGULAR_VALUE: logarithms, RANDOM_COTANGENT: _seen(rows, exponents, seed)[:, None]}
    bound = spectral_norm_bound(problem.stack)
    if bound is not None:
        stretches[BOUND] = _multiple(products.steps - 1 - steps, bound)[:, None]
    tables = []
    for quantity, values in stretches.items():
        kept = resolved if quantity == SINGULAR_VALUE else np.isfinite(values)
        table = products._tidy(steps, values.shape[1]) | {"quantity": quantity}
        table |= {"log10_value": values.reshape(-1), "resolved": kept.reshape(-1)}
        tables.append(pd.DataFrame(table)[list(LAG_COLUMNS)])
    return pd.concat(tables, ignore_index=True)


class Farthest(NamedTuple):
    """`singular_values_by_lag` at its farthest lag; log10 values, NaN where they are undefined."""

    lag: int
    count: int  # of singular values
    resolved: int  # of them, those that rounding has not decided
    zero: int  # of them, those that are exactly 0
    largest: float
    smallest: float  # of the resolved ones
    keep_half: int  # resolved ones above 1/2
    cotangent: float
    bound: float | None  # None where there is none


def farthest(table: pd.DataFrame) -> Farthest:
    """Reads a table of `singular_values_by_lag`."""
    at = table[table["lag"] == table["lag"].max()]
    values = {quantity: rows["log10_value"] for quantity, rows in at.groupby("quantity")}
    singular = at[(at["quantity"] == SINGULAR_VALUE) & at["resolved"]]["log10_value"]
    return Farthest(
        lag=int(at["lag"].iloc[0]),
        count=len(values[SINGULAR_VALUE]),
        resolved=len(singular),
        zero=int(np.isneginf(values[SINGULAR_VALUE]).sum()),
        largest=float(values[SINGULAR_VALUE].iloc[0]),
        smallest=float(singular.min()),
        keep_half=int((singular > -LOG10_2).sum()),
        cotangent=float(values[RANDOM_COTANGENT].iloc[0]),
        bound=float(values[BOUND].iloc[0]) if BOUND in values else None,
    )


def spectral_norm_bound(stack: Stack) -> float | None:
    """log10(γ σ_1(U)), which bounds ‖∂h_T/∂h_t‖₂ per step of lag; None where no such bound holds.

    It holds of one layer alone: in a stack lower layers reach the last step through higher ones too.
    """
    if stack.depth > 1 or stack.cell not in STEEPEST:
        return None
    with np.errstate(divide="ignore"):
        return float(np.log10(STEEPEST[stack.cell] * np.linalg.norm(stack.layers[0].U.astype(np.float64), 2)))


def random_unit(count: int, seed: int = 0) -> ndarray:
    """A vector of length 1 in a uniformly random direction, [count]."""
    direction = np.random.default_rng(seed).standard_normal(count)
    return direction / np.linalg.norm(direction)


def numbers_of(size: Size) -> int:
    """n, the size of the whole state."""
    return size.depth * len(CELLS[size.cell].states) * size.hidden_size


def sequence_of(problem: Problem, sequence: int) -> tuple[ndarray, tuple[ndarray, ...]]:
    """The inputs [T, 1, X] and initial states [L, 1, H] of one sequence."""
    sequence = whole_number("sequence", sequence, 0, problem.size.sequences - 1)
    alone = slice(sequence, sequence + 1)
    states = tuple(np.ascontiguousarray(state[:, alone]) for state in problem.initial_state)
    return np.ascontiguousarray(problem.inputs[:, alone]), states


def states_before(stack: Stack, x: ndarray, states: tuple[ndarray, ...]) -> ndarray:
    """The states before every step of one sequence, [L, T, S, H]."""
    run = Sweep(stack, x, states)
    run.forward()
    after, _ = run.values()  # [L, T, 1, S, H]
    run.close()
    first = np.stack(states, axis=2)[:, None] if states else np.zeros_like(after[:, :1])
    return np.concatenate([first, after[:, :-1]], axis=1)[:, :, 0]


def _unit_rows(stack: Stack) -> ndarray:
    """∂(each number of s_T)/∂s_T: the identity as [L, n, S, H]."""
    kinds = len(CELLS[stack.cell].states)
    n = stack.depth * kinds * stack.hidden_size
    identity = np.eye(n, dtype=stack.dtype).reshape(n, stack.depth, kinds, stack.hidden_size)
    return np.ascontiguousarray(identity.swapaxes(0, 1))


def at_the_end(final: ndarray) -> Cotangents:
    """Cotangents of the last states alone, [L, N, S, H]."""
    none = np.empty(0, np.int64)
    values = np.empty((0, final.shape[-1]), final.dtype)
    return Cotangents(none, none, values, final.shape[1], np.ascontiguousarray(final))


def blocks_of(n: int, work: int) -> list[slice]:
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


def _block(size: Size, of: str) -> ndarray:
    """The numbers of the state that are asked for: all, or those of every layer's h."""
    every = np.arange(numbers_of(size)).reshape(size.depth, -1, size.hidden_size)
    return (every if of == "state" else every[:, :1]).reshape(-1)


def _singular_values(rows: ndarray, exponents: ndarray, progress: Progress = silent) -> tuple[ndarray, ndarray]:
    """log10 singular values [T, n] of matrices with an exponent for each row, and which of them are resolved."""
    scaled, exponents = _common_scale(rows, exponents)
    n = scaled.shape[-1]
    defined = np.isfinite(scaled).all(axis=(1, 2))
    values = np.full((len(scaled), n), np.nan)
    for step in np.flatnonzero(defined):
        progress(step / len(scaled))
        values[step] = np.linalg.svd(scaled[step].astype(np.float64), compute_uv=False)
    values[_beyond_rank(rows)] = 0.0
    with np.errstate(divide="ignore"):
        return np.log10(values) + LOG10_2 * exponents[:, None], values > n * np.finfo(rows.dtype).eps * values[:, :1]


def _beyond_rank(matrices: ndarray) -> ndarray:
    """Which singular values [T, n], the largest first, are exactly 0 because whole rows or columns are."""
    filled = matrices != 0  # NaN is not 0
    rank = np.minimum(filled.any(axis=2).sum(axis=1), filled.any(axis=1).sum(axis=1))
    return np.arange(matrices.shape[-1]) >= rank[:, None]


def _seen(rows: ndarray, exponents: ndarray, seed: int) -> ndarray:
    """log10 ‖Jᵀ v‖ of a random unit v, [T]."""
    scaled, exponents = _common_scale(rows, exponents)
    with np.errstate(divide="ignore"):
        norms = np.linalg.norm(random_unit(scaled.shape[-1], seed) @ scaled.astype(np.float64), axis=-1)
        return np.log10(norms) + LOG10_2 * exponents


def _multiple(lags: ndarray, rate: float) -> ndarray:
    """lag · rate, 0 at lag 0 whatever the rate."""
    with np.errstate(invalid="ignore"):
        return np.where(lags == 0, 0.0, lags * rate)


def _common_scale(rows: ndarray, exponents: ndarray) -> tuple[ndarray, ndarray]:
    """The same matrices with one exponent each: [T, n, n] and [T]."""
    largest = exponents.max(axis=1)
    return times_power(rows, exponents - largest[:, None]), np.where(largest < -(2**60), 0, largest)
