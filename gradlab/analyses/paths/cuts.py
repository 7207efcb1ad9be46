"""Causal experiments on one network: the same forward pass, with routes cut in the backward pass only."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

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
    factors = 1.0 - np.array(left_out)
    whole, (_, B, _) = loss_of(problem, losses), problem.inputs.shape

    def run(sequences: slice, progress: Progress) -> tuple[Swept]:
        sweep = forward(problem, sequences, sequences.stop - sequences.start, part_of(progress, 0.0, 0.5))
        part = cotangents_of_slice(whole, sequences, B)
        return (sweep.adjoint(part, routes=factors, progress=part_of(progress, 0.5, 1.0)),)

    work = plan(problem.size).multiply_adds
    (swept,) = over_slices(run, work, B, progress)
    return table(problem, whole, swept.log10_norms, "without " + " and ".join(names) if names else "total")


def routes(cell: str) -> tuple[str, ...]:
    """What `cut` can leave out of a cell's adjoint."""
    known = CELLS[cell]
    return ("direct", "recurrent", *known.pre_activations, *([within_step(known)] if len(known.states) > 1 else []))


def within_step(cell: Cell) -> str:
    """The route from h to the other states of the same step, "h to c"; of no cell with h alone."""
    return f"h to {', '.join(cell.states[1:])}"
