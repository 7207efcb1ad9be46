"""Itemised gradients: the gradient of the loss at one step at the state of another, before summing.

    row t', column t:  ∂ℓ_{t'}/∂s_t   for t ≤ t', exactly zero for t > t'

Rows sum, as vectors, to the total ∂L/∂s_t that a trace shows; norms do not add. All rows are adjoints over one stored
forward pass. `TABLE_COLUMNS` names the tidy table, which the charts read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.analyses.arguments import whole_number
from gradlab.analyses.batch import of_batch
from gradlab.analyses.memory import ITEMISED_ROW, PAIR_ROW, dense_bytes, item_of, result_bytes, states_of
from gradlab.analyses.parts import Part, together
from gradlab.analyses.problem import Need, Problem, analysis, problem_of, work_of
from gradlab.cells import CELLS
from gradlab.engine import Cotangents, Progress, Sweep, in_threads, plan, threads, times_power
from gradlab.engine.progress import part_of
from gradlab.network.arrays import ArrayLike, StatesLike
from gradlab.network.stack import Stack
from gradlab.settings.subject import Subject
from gradlab.words.languages import N_

TABLE_COLUMNS = ("cell", "loss_step", "step", "layer", "state", "log10_norm")
MOST_PAIRS = 200_000  # of a matrix that is looked at: all loss steps of 400 steps, some of more
FEWEST_ROWS = 40
MOST_DRAWN = 100  # rows of a matrix; a picture has no room for more
GROUP_ROWS = 128  # loss steps × sequences of one adjoint; more leave the cache, fewer leave the matrix product idle


class Pairs(NamedTuple):
    """Norms of every (loss step, state) pair of every sequence."""

    loss_steps: ndarray  # [K]
    log10_norms: ndarray  # [L, K, T, B, S]  -inf where exactly zero, NaN where a pass was not finite
    cell: str
    losses: int  # at how many steps the loss enters, of which loss_steps are all or some

    def norms(self, layer: int = 0, state: str = "h") -> ndarray:
        """log10 norms of one layer's state, [K, T, B]; of a cell that does not have the state, those of h."""
        return self.log10_norms[layer, ..., CELLS[self.cell].states.index(state_of(self.cell, state))]

    @property
    def table(self) -> pd.DataFrame:
        """The tidy table of `itemised`."""
        return together(self.table_parts)

    @property
    def table_parts(self) -> list[Part]:
        """`table`, one part per layer and state."""
        depth, K, T = self.log10_norms.shape[:3]
        return [
            Part(
                TABLE_COLUMNS, {"cell": self.cell, "layer": layer, "state": state}, K * T, None,
                partial(self._of, layer, kind),
            )
            for layer in range(depth)
            for kind, state in enumerate(CELLS[self.cell].states)
        ]  # fmt: skip

    def _of(self, layer: int, kind: int) -> pd.DataFrame:
        """The rows of one layer's state."""
        K, T = self.log10_norms.shape[1:3]
        columns = {"loss_step": np.repeat(self.loss_steps, T), "step": np.tile(np.arange(T), K)}
        norms = [of_batch(of_loss[..., kind]).mean for of_loss in self.log10_norms[layer]]  # of one loss at a time
        return pd.DataFrame(columns | {"log10_norm": np.concatenate([np.empty(0), *norms])})

    def __repr__(self) -> str:
        return (
            f"Pairs({self.cell}, {len(self.loss_steps)} of {self.losses} loss steps, {self.log10_norms.shape[2]} steps)"
        )


class Vectors(NamedTuple):
    """The gradients of every pair themselves, for small sizes."""

    loss_steps: ndarray  # [K]
    states_bar: ndarray  # [L, K, T, B, S, H]  ∂ℓ_{t'}/∂s_t
    recurrent_bar: ndarray  # [L, K, T, B, G·H]  ∂ℓ_{t'}/∂a^h_t, a^h_t = U h_{t-1} + b_U
    previous: ndarray  # [L, T, B, H]  h_{t-1}

    def contribution(self, layer: int, row: int, step: int) -> ndarray:
        """What loss row `row` adds to ∂L/∂U at one step, [G·H, H]: all of them sum to ∂L/∂U."""
        return self.recurrent_bar[layer, row, step].T @ self.previous[layer, step]


def _count(problem: Problem, most: int | None, loss_steps: Sequence[int] | None) -> int:
    """How many rows the matrix has at most, known before anything is drawn."""
    return min(problem.losses if loss_steps is None else len(loss_steps), most or problem.size.steps)


def _need(problem: Problem, most: int | None = None, loss_steps: Sequence[int] | None = None, numbers: int = 0) -> Need:
    """Of norms, or of vectors with so many numbers for each unit."""
    size = problem.size
    rows = _count(problem, most, loss_steps)
    states, (of_group, parallel) = states_of(size), _shared_out(rows, size.sequences)
    pair = item_of(size) * size.hidden_size * numbers if numbers else 8 * states
    result = rows * size.depth * size.steps * size.sequences * pair
    group = size._replace(rows=of_group * size.sequences, keep=numbers > 0)
    # what is made of a layer; threads seldom do so at once
    unscaled = item_of(size) * group.rows * size.steps * size.hidden_size * numbers
    passes = parallel * plan(group).bytes + unscaled
    drawn = 0 if numbers else rows * size.steps * PAIR_ROW
    what = f"{rows} loss steps × {size.steps} steps of {size.sequences} sequences"
    to_lower = N_("the number of loss_steps, steps, batch_size or depth")
    work = max(1, -(-rows // of_group)) * work_of(plan(group))
    return Need(result + dense_bytes(size) + max(passes, drawn), what, to_lower, work)


def _need_of_table(problem: Problem, most: int | None = None, loss_steps: Sequence[int] | None = None) -> Need:
    size, need, rows = problem.size, _need(problem, most, loss_steps), _count(problem, most, loss_steps)
    result = result_bytes(size._replace(rows=rows * size.sequences))
    table = ITEMISED_ROW * rows * size.depth * size.steps * states_of(size)
    return need._replace(bytes=max(need.bytes, result + dense_bytes(size) + table))


@analysis(_need_of_table)
def itemised(
    subject: Subject | Stack | Problem,
    inputs: ArrayLike | None = None,
    cotangents: ArrayLike | None = None,
    initial_state: StatesLike | None = None,
    *,
    most: int | None = None,
    loss_steps: Sequence[int] | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """The matrix ‖∂ℓ_{t'}/∂s_t‖ as a tidy table, columns `TABLE_COLUMNS`: one row per loss step, step, layer, state.

    inputs [T, B, X], cotangents [T, B, H] and initial_state as `gradlab.trace` takes them; or an Experiment alone
    loss_steps     the rows t' wanted; every step at which the loss enters if None
    most           at most so many of those, spread evenly
    log10_norm     mean of log10 ‖∂ℓ_{t'}/∂s_t‖₂ over the sequences of the batch in which it is neither exactly zero
                   nor undefined; -inf where it is zero in all, as for t > t'
    progress       called with the fraction done; an exception it raises aborts

    Raises ValueError for shapes that do not fit, for loss steps outside the sequence, and where memory does not reach.
    """
    problem = problem_of(subject, inputs, cotangents, initial_state)
    problem.refuse(_need_of_table(problem, most, loss_steps))
    return pairs(problem, most=most, loss_steps=loss_steps, progress=progress).table


@analysis(_need)
def pairs(
    subject: Subject | Stack | Problem,
    inputs: ArrayLike | None = None,
    cotangents: ArrayLike | None = None,
    initial_state: StatesLike | None = None,
    *,
    most: int | None = None,
    loss_steps: Sequence[int] | None = None,
    progress: Progress | None = None,
) -> Pairs:
    """Norms of every pair of every sequence; arguments and errors as `itemised`."""
    problem = problem_of(subject, inputs, cotangents, initial_state)
    problem.refuse(_need(problem, most, loss_steps))
    rows = _rows(problem, most, loss_steps)
    size, kinds = problem.size, len(CELLS[problem.cell].states)
    norms = np.empty((size.depth, len(rows), size.steps, size.sequences, kinds))

    def keep(chosen: ndarray, swept: Any) -> None:
        values = swept.log10_norms.reshape(size.depth, size.steps, len(chosen), size.sequences, kinds)
        norms[:, chosen] = np.moveaxis(values, 2, 1)

    _adjoints(problem, rows, keep, progress)
    return Pairs(rows, norms, problem.cell, problem.losses)


def _vectors_need(problem: Problem, loss_steps: Sequence[int] | None = None) -> Need:
    cell = CELLS[problem.cell]
    return _need(problem, None, loss_steps, len(cell.states) + len(cell.pre_activations))


@analysis(_vectors_need)
def vectors(
    subject: Subject | Stack | Problem,
    inputs: ArrayLike | None = None,
    cotangents: ArrayLike | None = None,
    initial_state: StatesLike | None = None,
    *,
    loss_steps: Sequence[int] | None = None,
) -> Vectors:
    """The gradients of every pair themselves; arguments and errors as `itemised`. What leaves the range is 0 or inf."""
    problem = problem_of(subject, inputs, cotangents, initial_state)
    problem.refuse(_vectors_need(problem, loss_steps))
    rows = _rows(problem, None, loss_steps)
    stack, cell = problem.stack, CELLS[problem.cell]
    (T, B, _), (depth, H) = problem.inputs.shape, (stack.depth, stack.hidden_size)
    states_bar = np.empty((depth, len(rows), T, B, len(cell.states), H), stack.dtype)
    recurrent_bar = np.empty((depth, len(rows), T, B, len(cell.pre_activations) * H), stack.dtype)

    def keep(chosen: ndarray, swept: Any) -> None:
        for layer, adjoints in enumerate(swept.adjoints):
            for into, values in ((states_bar, adjoints.totals), (recurrent_bar, adjoints.a_h_bar)):
                exact = times_power(values, adjoints.exponents).reshape(T, len(chosen), B, *into.shape[4:])
                into[layer, chosen] = np.moveaxis(exact, 1, 0)

    sweep = _adjoints(problem, rows, keep, None, keep=("totals", "a_h_bar"))
    after = sweep.values()[0][:, :, :, 0]
    start = problem.initial_state[0] if problem.initial_state else np.zeros_like(after[:, 0])
    return Vectors(rows, states_bar, recurrent_bar, np.concatenate([start[:, None], after[:, :-1]], axis=1))


def _rows(problem: Problem, most: int | None, chosen: Sequence[int] | None) -> ndarray:
    """The loss steps that are rows of the matrix, in order."""
    T = problem.size.steps
    if chosen is None:
        rows = np.unique(problem.loss.steps)  # what the loss injects may be exactly zero at some of its steps
    else:
        whole = all(isinstance(step, Integral) and not isinstance(step, bool) for step in chosen)
        rows = np.unique(np.asarray(chosen, dtype=np.int64)) if whole else np.empty(0, np.int64)
        if not len(rows) or rows[0] < 0 or rows[-1] >= T:
            raise ValueError(
                f"loss_steps = {list(chosen)[:9]} must be steps of the sequence: use whole numbers 0 to {T - 1}"
            )
    return rows if most is None else evenly(rows, whole_number("most", most, 1))


def _adjoints(
    problem: Problem, rows: ndarray, keep_result: Callable, progress: Progress | None, *, keep: Collection[str] = ()
) -> Sweep:
    """One adjoint for each group of loss steps; every thread takes some groups, over a forward pass for each thread."""
    B = problem.inputs.shape[1]
    size, parallel = _shared_out(len(rows), B)
    groups = [np.arange(len(rows))[first : first + size] for first in range(0, len(rows), size)]

    def run(number: int, progress: Progress) -> Sweep:
        share_of_groups = groups[number::parallel]
        sweep = Sweep(problem.stack, problem.inputs, problem.initial_state, size * B)
        sweep.forward(lambda fraction: progress(0.0))
        for count, group in enumerate(share_of_groups):
            latest_first = group[::-1]  # the engine multiplies only the leading rows up to the last active one
            share = _entries(problem.cotangents, rows[latest_first])
            of_group = part_of(progress, count / len(share_of_groups), (count + 1) / len(share_of_groups))
            part = sweep.adjoint(share, progress=of_group, keep=keep)
            keep_result(latest_first, part)
        progress(1.0)
        return sweep

    return in_threads(run, parallel, progress)[0]


def _shared_out(rows: int, sequences: int) -> tuple[int, int]:
    """How many of the loss steps one adjoint takes, and how many threads take such groups, with a forward pass each."""
    of_group = max(1, min(rows, GROUP_ROWS // sequences))
    return of_group, max(1, min(threads(), -(-rows // of_group)))  # without a loss no group, and still a forward pass


def _entries(cotangents: ndarray, loss_steps: ndarray) -> Cotangents:
    """One row of cotangents per loss step and sequence, in the order of `loss_steps`."""
    B = cotangents.shape[1]
    order = np.argsort(loss_steps, kind="stable")
    at = (order[:, None] * B + np.arange(B)).reshape(-1)
    values = cotangents[loss_steps[order]].reshape(len(at), -1)
    return Cotangents(np.repeat(loss_steps[order], B), at, values, len(loss_steps) * B)


def evenly(steps: ndarray, count: int) -> ndarray:
    """At most `count` of the steps, spread evenly, the first and the last among them."""
    return steps if len(steps) <= count else steps[np.unique(np.linspace(0, len(steps) - 1, count).round().astype(int))]


def state_of(cell: str, state: str) -> str:
    """The state shown: the one asked for, or h for a cell without it."""
    return state if state in CELLS[cell].states else "h"


def with_rows(subject: Subject) -> Subject:
    """The subject, with a loss at every step where it has a single loss step: a matrix of one row says little."""
    return subject.replace(loss="every") if len(subject.injection_steps) == 1 else subject


def most_rows(subject: Subject) -> int:
    """How many rows of a subject's matrix are worth looking at: `MOST_PAIRS` pairs, `FEWEST_ROWS` rows at least."""
    steps = subject.settings.steps
    return min(max(FEWEST_ROWS, MOST_PAIRS // steps), steps)


def drawn_rows(subject: Subject) -> int:
    """How many rows of a subject's matrix are drawn where nothing is computed from the others."""
    return min(most_rows(subject), MOST_DRAWN)


def individual_losses(pairs: Pairs, most: int = 8) -> pd.DataFrame:
    """At most so many rows of the matrix in full, spread evenly, the last among them: columns `TABLE_COLUMNS`.

    The first row, which has a single pair, is left out where there is another.
    """
    count = len(pairs.loss_steps)
    kept = evenly(np.arange(count), most + 1)[1:] if count > 1 else np.arange(count)
    return pairs._replace(loss_steps=pairs.loss_steps[kept], log10_norms=pairs.log10_norms[:, kept]).table
