"""Lyapunov exponents: by how many nats a step the directions of the whole state grow or decay, on average over time.

    λ_i = lim 1/T · ln σ_i(A_T … A_1)          A_t = ∂s_t/∂s_{t-1}, of all states of all layers (`products`)

Orthonormal cotangents Q go back over a few steps at a time by the engine's adjoint, and are made orthonormal again:

(1)  Aᵀ … Aᵀ Q = Q' R                          R upper triangular
(2)  λ_i = mean over the steps of ln |R_ii|    (Benettin et al. 1980; of recurrent networks: Vogt et al. 2022, Engelken
                                               et al. 2023)

A product of step Jacobians and its transpose have the same exponents, so the growth of the gradient is λ_1. Whatever Q
is, all n exponents sum to the mean of ln |det A_t| (`log_determinants`). Published code that leaves out c of the LSTM
has the exponents of another system: h alone is no state of it.

(1) is taken over so many steps that the smallest R_ii keep a third of their digits. A direction that one step shrinks
below n · ε times what it does to the largest is lost in rounding and counts as shrunk to nothing: its exponent is -inf.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.analyses.arguments import whole_number
from gradlab.analyses.jacobians import products
from gradlab.analyses.jacobians.products import (
    TO_LOWER,
    at_the_end,
    block_steps,
    blocks_of,
    numbers_of,
    sequence_of,
    states_before,
    steps_at,
)
from gradlab.analyses.memory import item_of, values_bytes
from gradlab.analyses.problem import Need, Problem, analysis, without_loss, work_of
from gradlab.analyses.weights import SPECTRUM_WORK
from gradlab.engine import Progress, Scaled, Sweep, in_threads, plan
from gradlab.engine.progress import silent
from gradlab.network.arrays import ArrayLike, StatesLike
from gradlab.network.stack import Stack
from gradlab.settings.subject import Subject

EXPONENT_COLUMNS = ("cell", "index", "exponent", "running_sum")
LONGEST = 64  # steps between two decompositions
COLUMNS_AT_ONCE = 32  # that LAPACK decomposes
OVERLAP = 1e-8  # of halves that are no longer orthogonal: columns of which rounding alone was left
DIGITS_TO_LOSE = 2 / 3  # of those of the dtype
SETTLED_OVER = 0.1  # of the steps: the directions go over so many of the last ones once before they are measured
ROUNDING = 1e-9  # nats a step: an exponent that is 0, as that of a limit cycle, may be measured as so much


def _need(problem: Problem, sequence: int = 0, count: int | None = None) -> Need:
    size = problem.size._replace(sequences=1, rows=1)
    n = numbers_of(size)
    columns = n if count is None else count
    longest = plan(size._replace(rows=columns, steps=min(size.steps, LONGEST)))
    before = size.steps * n * item_of(size)
    peak = plan(size).bytes + values_bytes(size) + 3 * before + longest.bytes + 8 * 8 * n * columns
    what = f"steps = {size.steps}, hidden_size = {size.hidden_size}, depth = {size.depth}: {columns} Lyapunov exponents"
    swept = plan(size._replace(rows=columns))
    return Need(peak, what, TO_LOWER, work_of(swept) + SPECTRUM_WORK * size.steps * n * columns**2 / 10)


@analysis(_need, reads=("network", "sequence", "numerics"))
def lyapunov_exponents(
    subject: Subject | Stack | Problem,
    inputs: ArrayLike | None = None,
    initial_state: StatesLike | None = None,
    count: int | None = None,
    discard: int = 0,
    *,
    sequence: int = 0,
    progress: Progress | None = None,
) -> ndarray:
    """The largest `count` Lyapunov exponents, nats a step, descending, of one of the sequences of inputs [T, B, X].

    count       of the n = L·S·H exponents of the whole state; all if None
    discard     the first steps, which only let the state settle and are not measured

    Over a finite time they depend on the steps measured, by some 1/T. -inf: a direction that is mapped to zero, to
    rounding. NaN, all of them, where the forward pass overflows. Other arguments and errors as `product_jacobians`;
    ValueError also for `count` outside 1 … n and `discard` outside 0 … T - 1.
    """
    problem = without_loss(subject, inputs, None, initial_state)
    n = numbers_of(problem.size)
    count = n if count is None else whole_number("count", count, 1, n)
    discard = whole_number("discard", discard, 0, problem.size.steps - 1)
    problem.refuse(_need(problem, sequence, count))
    x, states = sequence_of(problem, sequence)
    before = states_before(problem.stack, x, states)
    if not np.isfinite(before).all():
        return np.full(count, np.nan)
    walk = _Walk(problem.stack, x, before)
    directions, _ = _orthonormal(np.random.default_rng(0).standard_normal((n, count)))
    settling = int(SETTLED_OVER * (len(x) - discard))
    directions, _ = walk.back(directions, len(x), len(x) - settling)
    _, growth = walk.back(directions, len(x), discard, progress or silent)
    return np.sort(growth / (len(x) - discard))[::-1]


@analysis(_need, reads=("network", "sequence", "numerics"))
def lyapunov_spectrum(
    subject: Subject | Stack | Problem,
    inputs: ArrayLike | None = None,
    initial_state: StatesLike | None = None,
    count: int | None = None,
    discard: int = 0,
    *,
    sequence: int = 0,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """`lyapunov_exponents` as a table, one row per exponent, columns `EXPONENT_COLUMNS`: index 0 for the largest;
    exponent and running_sum, of those up to it, in nats a step."""
    problem = without_loss(subject, inputs, None, initial_state)
    exponents = lyapunov_exponents(problem, None, None, count, discard, sequence=sequence, progress=progress)
    columns = {"cell": problem.cell, "index": np.arange(len(exponents)), "exponent": exponents}
    return pd.DataFrame(columns | {"running_sum": np.cumsum(exponents)})[list(EXPONENT_COLUMNS)]


def kaplan_yorke_dimension(exponents: ndarray) -> float:
    """The dimension that descending exponents give to the attractor (Kaplan & Yorke 1979): how many of the largest sum
    to 0, the last one in part. Their number where they never sum to less: that of all is the whole state's, that of
    some a lower bound. Raises ValueError for exponents that do not descend.
    """
    exponents = _descending(exponents)
    sums = np.cumsum(exponents)
    below = np.flatnonzero(sums < 0)
    if not below.size:
        return float(len(exponents))
    j = int(below[0])
    return j + (float(sums[j - 1] / -exponents[j]) if j else 0.0)


def unstable_directions(exponents: ndarray) -> int:
    """How many directions grow: exponents above 0 by more than rounding. Raises as `kaplan_yorke_dimension`."""
    return int((_descending(exponents) > ROUNDING).sum())


class StepLogarithms(NamedTuple):
    """What single step Jacobians A_t come to, in nats; -inf where it is 0, NaN where the state before is not finite."""

    determinants: ndarray  # [T]  ln |det A_t|
    diagonals: ndarray  # [T, n]  ln |∂s_t[k]/∂s_{t-1}[k]|: what each number of the state keeps of itself


def _need_of_logarithms(problem: Problem, sequence: int = 0) -> Need:
    size, n = problem.size._replace(sequences=1, rows=1), numbers_of(problem.size)
    block = block_steps(size.cell, n, item_of(size))
    at_once = (
        plan(size._replace(steps=1, sequences=block, rows=n * block)).bytes + 3 * products.BLOCK_BYTES // 2 + 16 * n**2
    )
    peak = plan(size).bytes + 2 * values_bytes(size) + 16 * size.steps * n + at_once
    what = f"steps = {size.steps}, hidden_size = {size.hidden_size}, depth = {size.depth}: determinants of {n} × {n}"
    work = work_of(plan(size._replace(rows=n))) + SPECTRUM_WORK * size.steps * n**3 / 30
    return Need(peak, what, TO_LOWER, work)


@analysis(_need_of_logarithms, reads=("network", "sequence", "numerics"))
def step_logarithms(
    subject: Subject | Stack | Problem,
    inputs: ArrayLike | None = None,
    initial_state: StatesLike | None = None,
    *,
    sequence: int = 0,
) -> StepLogarithms:
    """Determinants and diagonals of all step Jacobians, which are never in memory together.

    Arguments and errors as `step_jacobians`.
    """
    problem = without_loss(subject, inputs, None, initial_state)
    problem.refuse(_need_of_logarithms(problem, sequence))
    x, states = sequence_of(problem, sequence)
    before = states_before(problem.stack, x, states)
    undefined = ~np.isfinite(before).all(axis=(0, 2, 3))
    before[:, undefined] = 0
    determinants, diagonals = np.empty(len(x)), np.empty((len(x), numbers_of(problem.size)))
    for steps, jacobians, _ in steps_at(problem.stack, x, before):
        jacobians = jacobians.astype(np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):  # where the step itself overflows
            determinants[steps] = np.linalg.slogdet(jacobians).logabsdet
            diagonals[steps] = np.log(np.abs(np.diagonal(jacobians, axis1=1, axis2=2)))
    determinants[undefined], diagonals[undefined] = np.nan, np.nan
    return StepLogarithms(determinants, diagonals)


def log_determinants(
    subject: Subject | Stack | Problem,
    inputs: ArrayLike | None = None,
    initial_state: StatesLike | None = None,
    *,
    sequence: int = 0,
) -> ndarray:
    """ln |det A_t| of every step, [T], nats; their mean is the sum of all exponents. -inf where A_t is singular, NaN
    where the state before the step is not finite. Arguments and errors as `step_jacobians`.
    """
    return step_logarithms(subject, inputs, initial_state, sequence=sequence).determinants


def _descending(exponents: ndarray) -> ndarray:
    values = np.asarray(exponents, np.float64)
    if values.ndim != 1 or not len(values) or np.isnan(values).any() or (values[1:] > values[:-1]).any():
        raise ValueError("exponents must be numbers in descending order, [n], as lyapunov_exponents gives them")
    return values


class _Walk(NamedTuple):
    """Cotangents on their way back over one sequence."""

    stack: Stack
    x: ndarray  # [T, 1, X]
    before: ndarray  # [L, T, S, H]  the states before every step

    def back(self, directions: ndarray, end: int, begin: int, progress: Progress = silent) -> tuple[ndarray, ndarray]:
        """(directions before the step `begin`, sums of ln |R_ii|) of orthonormal columns after the step end - 1."""
        eps = np.finfo(self.stack.dtype).eps
        limit = -DIGITS_TO_LOSE * np.log(eps)
        growth, at, length = np.zeros(directions.shape[1]), end, 1
        while at > begin:
            length = min(length, at - begin)
            turned, logarithms = _orthonormal(*self._through(directions, at - length, at))
            kept = logarithms[np.isfinite(logarithms)]
            spread = float(np.ptp(kept)) if len(kept) else 0.0
            if length > 1 and (spread > limit or len(kept) < len(logarithms)):
                length //= 2
                continue
            if length == 1:
                lost = logarithms < logarithms.max() + np.log(len(directions) * eps)
                logarithms = np.where(lost, -np.inf, logarithms)
            directions, at, growth = turned, at - length, growth + logarithms
            fitting = int(length * 0.95 * limit / spread) if spread else LONGEST
            length = max(1, min(fitting, 2 * length, LONGEST))
            progress((end - at) / (end - begin))
        return directions, growth

    def _through(self, directions: ndarray, begin: int, end: int) -> tuple[ndarray, ndarray]:
        """The columns before the step `begin` [n, count], each times a power of two [count]."""
        L, _, S, H = self.before.shape
        final = directions.T.astype(self.stack.dtype).reshape(-1, L, S, H).swapaxes(0, 1)  # [L, count, S, H]
        start = tuple(np.ascontiguousarray(self.before[:, begin, kind, None]) for kind in range(S))
        sweep = Sweep(self.stack, self.x[begin:end], start, final.shape[1])
        sweep.forward()
        blocks = blocks_of(final.shape[1], sweep.plan.multiply_adds)

        def run(number: int, progress: Progress) -> Scaled:
            return sweep.adjoint(at_the_end(final[:, blocks[number]]), progress=progress).initial

        parts = in_threads(run, len(blocks))
        sweep.close()
        values = np.concatenate([part.values for part in parts], axis=1).swapaxes(0, 1)  # [count, L, S, H]
        exponents = np.concatenate([part.exponents for part in parts], axis=1)  # [L, count]
        largest = exponents.max(axis=0)
        scaled = Scaled(values, (exponents - largest).T).array
        return scaled.reshape(len(scaled), -1).T, largest


def _orthonormal(columns: ndarray, powers: ndarray | int = 0) -> tuple[ndarray, ndarray]:
    """(Q [n, count], ln |R_ii| [count]) of columns times 2^powers."""
    Q, diagonal = _factored(columns.astype(np.float64))
    with np.errstate(divide="ignore"):
        return Q, np.log(diagonal) + np.log(2.0) * powers


def _factored(columns: ndarray) -> tuple[ndarray, ndarray]:
    """(Q, |R_ii|): halves made orthogonal to each other, twice, which is enough (Giraud et al. 2005).

    LAPACK's decomposition of many columns works by thousands of small products, for each of which BLAS's threads wait
    for each other: on a busy machine that takes twenty times as long.
    """
    if columns.shape[1] <= COLUMNS_AT_ONCE:
        Q, R = np.linalg.qr(columns)
        return Q, np.abs(np.diag(R))
    half = columns.shape[1] // 2
    first, of_first = _factored(columns[:, :half])
    others = columns[:, half:]
    for _ in range(2):
        others = others - first @ (first.T @ others)
    second, of_second = _factored(others)
    overlap = first.T @ second
    if np.abs(overlap).max() > OVERLAP:
        second, _ = _factored(second - first @ overlap)
    return np.hstack([first, second]), np.concatenate([of_first, of_second])
