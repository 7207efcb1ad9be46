"""Newton iterations for a whole trajectory at once: how recurrent networks are trained in parallel over time.

    s_t = F_t(s_{t-1})                                                     T equations, s_0 … s_{T-1} unknown
    s'_t = F_t(s_{t-1}) + A_t (s'_{t-1} - s_{t-1})                         one iteration: linear, so a parallel scan

A_t = ∂s_t/∂s_{t-1} at the guess. Every F_t and A_t of an iteration is computed at once, and the linear recursion takes
some log2 T steps on enough processors: so an iteration costs as much time as a few steps, and what is saved is T over
the number of iterations (Lim et al. 2024, DEER; Gonzalez et al. 2024; ParaRNN 2025). After k iterations the first k
states are right whatever the network, so it takes T at most; few are needed where the largest Lyapunov exponent is
negative, and nearly T where it is positive (arXiv 2508.16817).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.analyses.arguments import whole_number
from gradlab.analyses.jacobians import products
from gradlab.analyses.jacobians.products import TO_LOWER, numbers_of, sequence_of, steps_at
from gradlab.analyses.memory import item_of
from gradlab.analyses.problem import Need, Problem, analysis, without_loss, work_of
from gradlab.cells import CELLS
from gradlab.engine import Progress, plan
from gradlab.engine.progress import silent
from gradlab.network.arrays import ArrayLike, StatesLike
from gradlab.network.stack import Stack
from gradlab.settings.subject import Subject

ITERATION_COLUMNS = ("cell", "iteration", "error", "right_steps")
TOLERANCE = 1e-8


class Iterations(NamedTuple):
    """Newton's way to a trajectory."""

    cell: str
    steps: int  # T
    tolerance: float
    errors: ndarray  # [K+1]  the largest |error| of any state at any step, of the zeros begun with and after each
    right_steps: ndarray  # [K+1]  leading steps within the tolerance
    states: ndarray  # [T, n]  the last iteration's, in the order of `jacobians`

    @property
    def iterations(self) -> int | None:
        """Until the whole trajectory is within the tolerance; None where it is not, or overflows."""
        return len(self.errors) - 1 if self.errors[-1] <= self.tolerance else None

    @property
    def table(self) -> pd.DataFrame:
        """One row per iteration, columns `ITERATION_COLUMNS`."""
        columns = {"cell": self.cell, "iteration": np.arange(len(self.errors)), "error": self.errors}
        return pd.DataFrame(columns | {"right_steps": self.right_steps})[list(ITERATION_COLUMNS)]


def _need(problem: Problem, tolerance: float = TOLERANCE, most: int | None = None, sequence: int = 0) -> Need:
    size, n = problem.size._replace(sequences=1, rows=1), numbers_of(problem.size)
    drawn = problem.size.sequences * size.input_size
    peak = size.steps * (6 * n + drawn) * item_of(size) + 2 * products.BLOCK_BYTES
    what = f"steps = {size.steps}, hidden_size = {size.hidden_size}, depth = {size.depth}: Newton iterations"
    work = work_of(plan(size._replace(rows=n))) * (size.steps if most is None else min(most, size.steps))
    return Need(peak, what, TO_LOWER, work)


@analysis(_need, reads=("network", "sequence", "numerics"))
def parallel(
    subject: Subject | Stack | Problem,
    inputs: ArrayLike | None = None,
    initial_state: StatesLike | None = None,
    *,
    tolerance: float = TOLERANCE,
    most: int | None = None,
    sequence: int = 0,
    progress: Progress | None = None,
) -> Iterations:
    """Newton iterations from zeros until all states of a sequence of inputs [T, B, X] are right, each to `tolerance`.

    tolerance    the largest error allowed, in the units of the states, above 0: by how much the next iteration would
                 still move a state, which near the solution is its error
    most         iterations at most; T if None
    A guess that leaves the range of numbers begins again at zero. Other arguments and errors as
    `jacobians.product_jacobians`.
    """
    problem = without_loss(subject, inputs, None, initial_state)
    if not 0 < tolerance < np.inf:
        raise ValueError(f"tolerance = {tolerance} is not allowed: use a finite number above 0")
    T, n = problem.size.steps, numbers_of(problem.size)
    most = T if most is None else whole_number("most", most, 1)
    problem.refuse(_need(problem, tolerance, most, sequence))
    x, states = sequence_of(problem, sequence)
    stack, report = problem.stack, progress or silent
    first = np.zeros((stack.depth, 1, len(CELLS[stack.cell].states), stack.hidden_size), stack.dtype)
    for kind, value in enumerate(states):
        first[:, :, kind] = value
    guess, errors, right_steps = np.zeros((T, n), stack.dtype), [], []
    for iteration in range(min(most, T) + 1):
        following = _iterated(stack, x, first, guess)
        with np.errstate(invalid="ignore", over="ignore"):
            apart = np.abs(following - guess).max(axis=1)
        within = apart <= tolerance
        errors.append(float(apart.max()))
        right_steps.append(T if within.all() else int(np.argmin(within)))
        report(max(iteration / most, right_steps[-1] / T))
        guess = following
        if within.all():
            break
    return Iterations(problem.cell, T, tolerance, np.array(errors), np.array(right_steps), guess)


def _iterated(stack: Stack, x: ndarray, first: ndarray, guess: ndarray) -> ndarray:
    """The next guess of the states after every step, [T, n]."""
    L, _, S, H = first.shape
    standing = np.where(np.isfinite(guess), guess, 0)
    before = np.concatenate([first, standing[:-1].reshape(-1, L, S, H).swapaxes(0, 1)], axis=1)
    change, following = np.zeros(standing.shape[1], standing.dtype), np.empty_like(guess)
    with np.errstate(invalid="ignore", over="ignore"):
        for steps, jacobians, after in steps_at(stack, x, before):
            for t, A, new in zip(range(steps.start, steps.stop), jacobians, after, strict=True):
                following[t] = new + A @ change
                change = following[t] - standing[t]
    return following
