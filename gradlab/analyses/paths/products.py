"""The direct path as a product of gates: another way to the same number, without the adjoint's direct term."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.analyses.memory import TABLE_ROW
from gradlab.analyses.paths.run import forward, starts, table
from gradlab.analyses.problem import Need, Problem, analysis, problem_of
from gradlab.cells import CELLS
from gradlab.cells.contract import Cell, additive_state, keep_of
from gradlab.engine import log10_norms, times_power
from gradlab.engine.scaling import NOTHING
from gradlab.network.arrays import ArrayLike, StatesLike
from gradlab.network.stack import Stack
from gradlab.settings.subject import Subject
from gradlab.words.languages import N_


def _need(problem: Problem) -> Need:
    cell, size = CELLS[problem.cell], problem.size
    numbers = 3 * size.steps * size.sequences * size.depth * (2 * len(cell.states) + len(cell.saved)) * size.hidden_size
    table = size.depth * len(cell.states) * size.steps * TABLE_ROW
    what = f"all gates of steps = {size.steps}, batch_size = {size.sequences}"
    return Need(8 * numbers + table, what, N_("steps, batch_size or hidden_size"))


@analysis(_need)
def gate_product(
    subject: Subject | Stack | Problem,
    inputs: ArrayLike | None = None,
    cotangents: ArrayLike | None = None,
    initial_state: StatesLike | None = None,
) -> pd.DataFrame:
    """The direct path by the textbook's formula: the loss's gradient times the product of the gates that keep it.

        ∂L/∂c_t = Π f ⊙ ∂L/∂c_T (LSTM)          ∂L/∂h_t = Π z ⊙ ∂L/∂h_T (GRU)

    The factor is the cell's `keep`: f, z, 1 - z, or 1 in the LSTM of 1997; over several loss steps the products add. In
    a stack, what the layer above passes down is its own direct path's. `path` is "gate product".

    Arguments and errors as in `gradlab.trace`; ValueError where no gate's product is the direct path.
    """
    problem = problem_of(subject, inputs, cotangents, initial_state)
    cell = CELLS[problem.cell]
    keep = keep_of(cell)
    if keep is None:
        raise ValueError(f"cell = {problem.cell!r} has no gate whose product is the direct path")
    problem.refuse(_need(problem))
    stack = problem.stack
    run = forward(problem, slice(None), problem.size.sequences)
    states, saved = (values.astype(np.float64) for values in run.values())
    before = np.concatenate([starts(problem)[:, None], states[:, :-1]], axis=1)
    entering = problem.cotangents.astype(np.float64)
    arriving = _Scaled(entering, np.where(entering.any(axis=-1), 0, NOTHING))
    norms = np.empty((*states.shape[:4],))
    for layer in reversed(range(stack.depth)):
        norms[layer], a_x_bar = _product(cell, keep, saved[layer], before[layer], states[layer], arriving)
        arriving = _Scaled(a_x_bar.values @ stack.layers[layer].W.astype(np.float64), a_x_bar.exponents)
    return table(problem, problem.loss, norms, "gate product")


Keep = Callable[[Any, Any], Any]  # a cell's `keep`


class _Scaled(NamedTuple):
    """values · 2^exponents, so that a product of many gates stays in range."""

    values: ndarray  # [T, B, any]
    exponents: ndarray  # [T, B]


def _product(
    cell: Cell, keep: Keep, saved: ndarray, before: ndarray, after: ndarray, arriving: _Scaled
) -> tuple[ndarray, _Scaled]:
    """One layer back: the direct path's log10 norms [T, B, S], and what it passes to pre-activations [T, B, G·H].

    saved           what the cell keeps of every step, [T, B, V, H]
    before, after   its states before and after every step, [T, B, S, H]
    """
    steps, sequences, units = arriving.values.shape
    record, kinds, place = cell.record, len(cell.states), additive_state(cell)
    norms = np.empty((steps, sequences, kinds))
    a_x_bar = np.empty((steps, sequences, len(cell.pre_activations) * units))
    exponents = np.empty((steps, sequences), np.int64)
    carried = np.zeros((sequences, units))  # ∂L/∂(additive state after this step), times 2^exponent
    exponent = np.full(sequences, NOTHING)
    for t in reversed(range(steps)):
        kept, old, new = (array[t].swapaxes(0, 1) for array in (saved, before, after))
        e = np.maximum(exponent, arriving.exponents[t])
        came, entering = times_power(carried, exponent - e), times_power(arriving.values[t], arriving.exponents[t] - e)
        arrived = [entering] + [np.zeros_like(entering) for _ in range(kinds - 1)]
        arrived[place] = came if place else entering + came
        new_bar = record(*arrived)
        gates, _, _, total = cell.adjoint(tuple(kept), record(*old), record(*new), new_bar)
        a_x_bar[t], exponents[t] = np.concatenate(gates, axis=-1), e
        norms[t] = np.stack([log10_norms(part, e) for part in total], axis=-1)
        carried = keep(tuple(kept), record(*new)) * total[place]
        shift = np.frexp(np.abs(carried).max(axis=-1))[1].astype(np.int64)
        carried, exponent = times_power(carried, -shift), e + shift
    return norms, _Scaled(a_x_bar, exponents)
