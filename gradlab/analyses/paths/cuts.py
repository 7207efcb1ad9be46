"""Causal experiments on one network: the same forward pass, with routes cut or weakened in the backward pass only."""

from collections.abc import Iterable, Sequence
from numbers import Real

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.analyses.memory import TABLE_ROW, result_bytes, states_of
from gradlab.analyses.paths.run import forward, loss_of, over_slices, table
from gradlab.analyses.problem import SIZES_TO_LOWER, Need, Problem, analysis, problem_of, sizes, work_of
from gradlab.cells import CELLS
from gradlab.cells.contract import Cell, peepholes_of
from gradlab.engine import Progress, Swept, cotangents_of_slice, plan, plan_in_slices
from gradlab.engine.progress import part_of
from gradlab.network.arrays import ArrayLike, StatesLike
from gradlab.network.stack import Stack
from gradlab.settings.subject import Subject


def _need(problem: Problem, without: object = "direct", losses: str = "all") -> Need:
    size, planned = problem.size, plan_in_slices(problem.size)
    tables = result_bytes(size) + size.depth * states_of(size) * size.steps * TABLE_ROW
    peak = max(planned.bytes, planned.bytes - planned.held + tables) + problem.source.loss_bytes
    return Need(peak, sizes(size), SIZES_TO_LOWER, work_of(planned))


def _need_detached(problem: Problem, p: float = 0.25, losses: str = "all") -> Need:
    return _need(problem, losses=losses)


@analysis(_need)
def cut(
    subject: Subject | Stack | Problem,
    inputs: ArrayLike | None = None,
    cotangents: ArrayLike | None = None,
    initial_state: StatesLike | None = None,
    *,
    without: str | Sequence[str] = "direct",
    losses: str = "all",
    progress: Progress | None = None,
) -> pd.DataFrame:
    """The gradient over the same forward pass, with one route, or several, cut in the backward pass only.

    without    names of `routes(cell)`: "direct" the additive update with what peepholes add, "recurrent" the weight U,
               "h to c" what a step's h passes on to its c (all later states: "h to c, n"), or a gate: nothing flows
               through its pre-activation, nor through its peephole, which is a separate route too

    losses     "all", or "last": each sequence's last loss alone; then of the steps up to it, with lags from it

    Other arguments, units and errors as in `gradlab.trace`; ValueError for a route that the cell does not have.
    `path` reads "without direct", "without recurrent and forget".
    """
    problem = problem_of(subject, inputs, cotangents, initial_state)
    names = (without,) if isinstance(without, str) or not isinstance(without, Iterable) else tuple(without)
    allowed = routes(problem.cell)
    for name in names:
        if name not in allowed:
            raise ValueError(f"without = {name!r} is no route of {problem.cell}: use {', '.join(allowed)}")
    cell = CELLS[problem.cell]
    peepholes = peepholes_of(cell)
    cut_off = {*names, *(weight for gate, weight in peepholes.items() if gate in names)}
    left_out = [name in names for name in (*cell.pre_activations, "direct", "recurrent", within_step(cell))]
    left_out += [name in cut_off and name in peepholes.values() for name in cell.saved]
    path = "without " + " and ".join(names) if names else "total"
    return _with_factors(problem, 1.0 - np.array(left_out), losses, path, progress)


@analysis(_need_detached)
def detached(
    subject: Subject | Stack | Problem,
    inputs: ArrayLike | None = None,
    cotangents: ArrayLike | None = None,
    initial_state: StatesLike | None = None,
    *,
    p: float = 0.25,
    losses: str = "all",
    progress: Progress | None = None,
) -> pd.DataFrame:
    """The mean gradient where h is detached before U at each step with probability p (h-detach, arXiv 1810.03023).

    A path that passes U k times is left with probability (1 - p)^k, so the mean over all draws is the adjoint with U
    times 1 - p: Σ (1 - p)^k · (order k). It is no gradient of a single draw, whose norm is larger on average.

    p    from 0, the whole gradient, to 1, that without U; ValueError for others
    Other arguments, units and errors as in `cut`; `path` reads "detached 0.25".
    """
    problem = problem_of(subject, inputs, cotangents, initial_state)
    if not isinstance(p, Real) or not 0 <= p <= 1:
        raise ValueError(f"p = {p!r} is not allowed: use a probability, from 0 to 1")
    cell = CELLS[problem.cell]
    factors = np.ones(len(cell.pre_activations) + 3 + len(cell.saved))
    factors[len(cell.pre_activations) + 1] = 1 - p  # U's, as `cut` has them
    return _with_factors(problem, factors, losses, f"detached {p:g}", progress)


def _with_factors(
    problem: Problem, factors: ndarray, losses: str, path: str, progress: Progress | None
) -> pd.DataFrame:
    """The norms of the adjoint with a factor on each of its routes."""
    whole, (_, B, _) = loss_of(problem, losses), problem.inputs.shape

    def run(sequences: slice, progress: Progress) -> tuple[Swept]:
        sweep = forward(problem, sequences, sequences.stop - sequences.start, part_of(progress, 0.0, 0.5))
        part = cotangents_of_slice(whole, sequences, B)
        return (sweep.adjoint(part, routes=factors, progress=part_of(progress, 0.5, 1.0)),)

    work = plan(problem.size).multiply_adds
    (swept,) = over_slices(run, work, B, progress)
    return table(problem, whole, swept.log10_norms, path)


def routes(cell: str) -> tuple[str, ...]:
    """What `cut` can leave out of a cell's adjoint."""
    known = CELLS[cell]
    return ("direct", "recurrent", *known.pre_activations, *([within_step(known)] if len(known.states) > 1 else []))


def within_step(cell: Cell) -> str:
    """The route from h to the other states of the same step, "h to c"; of no cell with h alone."""
    return f"h to {', '.join(cell.states[1:])}"
