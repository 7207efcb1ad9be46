"""Itemised gradients: what the loss at one step sends to the state at another, before anything is summed.

    row t', column t:  ∂ℓ_{t'}/∂s_t   for t ≤ t', exactly zero for t > t'

Rows sum, as vectors, to the total ∂L/∂s_t that a trace shows; norms do not add. All rows are adjoints over one stored
forward pass. `TABLE_COLUMNS` names the tidy table, which the charts read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.analyses.problem import Gathered, gathered
from gradlab.cells import CELLS
from gradlab.engine import Cotangents, Size, Sweep, in_threads, plan, refuse_too_large, threads, times_power
from gradlab.network.stack import Stack
from gradlab.settings.experiment import Experiment

TABLE_COLUMNS = ("loss_step", "step", "layer", "state", "log10_norm")
GROUP_ROWS = 128  # loss steps × sequences of one adjoint; more leave the cache, fewer leave the matrix product idle


class Pairs(NamedTuple):
    """Norms of every (loss step, state) pair of every sequence."""

    loss_steps: ndarray  # [K]
    log10_norms: ndarray  # [L, K, T, B, S]  -inf where exactly zero, NaN where a pass was not finite


class Vectors(NamedTuple):
    """The gradients of every pair themselves, for small sizes."""

    loss_steps: ndarray  # [K]
    states_bar: ndarray  # [L, K, T, B, S, H]  ∂ℓ_{t'}/∂s_t
    recurrent_bar: ndarray  # [L, K, T, B, G·H]  ∂ℓ_{t'}/∂a^h_t, a^h_t = U h_{t-1} + b_U
    previous: ndarray  # [L, T, B, H]  h_{t-1}

    def contribution(self, layer: int, row: int, step: int) -> ndarray:
        """What loss row `row` adds to ∂L/∂U at one step, [G·H, H]: all of them sum to ∂L/∂U."""
        return self.recurrent_bar[layer, row, step].T @ self.previous[layer, step]


def itemised(
    stack: Experiment | Stack,
    inputs: Any = None,
    cotangents: Any = None,
    initial_state: Any = None,
    *,
    loss_steps: Sequence[int] | None = None,
    progress: Callable[[float], None] | None = None,
) -> pd.DataFrame:
    """The matrix ‖∂ℓ_{t'}/∂s_t‖ as a tidy table, columns `TABLE_COLUMNS`: a row a loss step, step, layer and state.

    inputs [T, B, X], cotangents [T, B, H] and initial_state as `gradlab.trace` takes them; or an Experiment alone
    loss_steps     the rows t' wanted; every step at which the loss enters if None
    log10_norm     mean over the batch of log10 ‖∂ℓ_{t'}/∂s_t‖₂; -inf for t > t', where it is exactly zero
    progress       hears the fraction done; what it raises ends the work

    Raises ValueError for shapes that do not fit, for loss steps outside the sequence, and where memory does not reach.
    """
    found = pairs(stack, inputs, cotangents, initial_state, loss_steps=loss_steps, progress=progress)
    return table(stack.cell, found)


def table(cell: str, found: Pairs) -> pd.DataFrame:
    """Pairs as the tidy table of `itemised`."""
    depth, K, T = found.log10_norms.shape[:3]
    states = CELLS[cell].states
    columns = {
        "loss_step": np.tile(np.repeat(found.loss_steps, T), depth * len(states)),
        "step": np.tile(np.arange(T), K * depth * len(states)),
        "layer": np.repeat(np.arange(depth), K * T * len(states)),
        "state": pd.Categorical.from_codes(np.tile(np.repeat(np.arange(len(states)), K * T), depth), list(states)),
        "log10_norm": np.moveaxis(found.log10_norms, 4, 1).mean(axis=-1).reshape(-1),
    }
    return pd.DataFrame(columns).astype({"state": object})[list(TABLE_COLUMNS)]


def pairs(
    subject: Experiment | Stack,
    inputs: Any = None,
    cotangents: Any = None,
    initial_state: Any = None,
    *,
    loss_steps: Sequence[int] | None = None,
    progress: Callable[[float], None] | None = None,
) -> Pairs:
    """Norms of every pair of every sequence; arguments and errors as `itemised`."""
    call = gathered(subject, inputs, cotangents, initial_state)
    rows = _rows(call.cotangents, loss_steps)
    T, B, _ = call.inputs.shape
    kinds = len(CELLS[call.stack.cell].states)
    _refuse_too_large(call, len(rows), 8 * call.stack.depth * len(rows) * T * B * kinds)
    norms = np.empty((call.stack.depth, len(rows), T, B, kinds))

    def keep(chosen: ndarray, swept: Any) -> None:
        found = swept.log10_norms.reshape(call.stack.depth, T, len(chosen), B, kinds)
        norms[:, chosen] = np.moveaxis(found, 2, 1)

    _adjoints(call, rows, keep, progress)
    return Pairs(rows, norms)


def vectors(
    subject: Experiment | Stack,
    inputs: Any = None,
    cotangents: Any = None,
    initial_state: Any = None,
    *,
    loss_steps: Sequence[int] | None = None,
) -> Vectors:
    """The gradients of every pair themselves; arguments and errors as `itemised`. What leaves the range is 0 or inf."""
    call = gathered(subject, inputs, cotangents, initial_state)
    rows = _rows(call.cotangents, loss_steps)
    (T, B, _), (depth, H) = call.inputs.shape, (call.stack.depth, call.stack.hidden_size)
    cell = CELLS[call.stack.cell]
    numbers = len(cell.states) + 3 * len(cell.pre_activations)
    _refuse_too_large(call, len(rows), call.stack.dtype.itemsize * depth * len(rows) * T * B * H * numbers)
    states_bar = np.empty((depth, len(rows), T, B, len(cell.states), H), call.stack.dtype)
    recurrent_bar = np.empty((depth, len(rows), T, B, len(cell.pre_activations) * H), call.stack.dtype)

    def keep(chosen: ndarray, swept: Any) -> None:
        for layer, adjoints in enumerate(swept.adjoints):
            for into, values in ((states_bar, adjoints.totals), (recurrent_bar, adjoints.a_h_bar)):
                exact = times_power(values, adjoints.exponents).reshape(T, len(chosen), B, *into.shape[4:])
                into[layer, chosen] = np.moveaxis(exact, 1, 0)

    sweep = _adjoints(call, rows, keep, None, keep=("totals", "a_h_bar"))
    after = sweep.values()[0][:, :, :, 0]
    start = call.initial_state[0] if call.initial_state else np.zeros_like(after[:, 0])
    return Vectors(rows, states_bar, recurrent_bar, np.concatenate([start[:, None], after[:, :-1]], axis=1))


def _rows(cotangents: ndarray, chosen: Sequence[int] | None) -> ndarray:
    """The loss steps that are rows of the matrix, in order."""
    T = len(cotangents)
    if chosen is None:
        return np.flatnonzero(cotangents.reshape(T, -1).any(axis=1))
    rows = np.unique(np.asarray(chosen, dtype=np.int64))
    if not len(rows) or rows[0] < 0 or rows[-1] >= T:
        raise ValueError(f"loss_steps = {list(chosen)[:9]} must be steps of the sequence: use 0 to {T - 1}")
    return rows


def _adjoints(call: Gathered, rows: ndarray, keep_result: Callable, progress: Callable | None, **wanted: Any) -> Sweep:
    """One adjoint for each group of loss steps; every thread takes some groups, over a forward pass of its own."""
    B = call.inputs.shape[1]
    size = max(1, GROUP_ROWS // B)
    groups = [np.arange(len(rows))[first : first + size] for first in range(0, len(rows), size)]
    parallel = min(threads(), len(groups))

    def run(number: int, done: Callable[[float], None]) -> Sweep:
        own = groups[number::parallel]
        sweep = Sweep(call.stack, call.inputs, call.initial_state, size * B)
        sweep.forward(lambda fraction: done(0.0))
        for count, group in enumerate(own):
            latest_first = group[::-1]  # the engine multiplies only the leading rows up to the last active one
            share = _entries(call.cotangents, rows[latest_first])
            part = sweep.adjoint(share, progress=lambda fraction, n=count: done((n + fraction) / len(own)), **wanted)
            keep_result(latest_first, part)
        done(1.0)
        return sweep

    return in_threads(run, parallel, progress)[0]


def _entries(cotangents: ndarray, loss_steps: ndarray) -> Cotangents:
    """One row of cotangents a loss step and sequence, in the order of `loss_steps`."""
    B = cotangents.shape[1]
    order = np.argsort(loss_steps, kind="stable")
    at = (order[:, None] * B + np.arange(B)).reshape(-1)
    values = cotangents[loss_steps[order]].reshape(len(at), -1)
    return Cotangents(np.repeat(loss_steps[order], B), at, values, len(loss_steps) * B)


def _refuse_too_large(call: Gathered, rows: int, result: int) -> None:
    T, B, X = call.inputs.shape
    stack = call.stack
    size = Size(stack.cell, stack.depth, stack.hidden_size, X, T, B, max(B, GROUP_ROWS), stack.dtype.name)
    what = f"{rows} loss steps × {T} steps of {B} sequences"
    refuse_too_large(result + 2 * plan(size).bytes, what, "the number of loss_steps, steps, batch_size or depth")


def evenly(steps: ndarray, count: int) -> ndarray:
    """At most `count` of the steps, spread evenly, the first and the last among them."""
    return steps if len(steps) <= count else steps[np.unique(np.linspace(0, len(steps) - 1, count).round().astype(int))]


def binned(found: Pairs, layer: int = 0, state: int = 0, most: int = 100) -> pd.DataFrame:
    """One layer's and state's matrix in at most `most` bins of loss steps and of steps, for a picture.

    Columns loss_step, loss_step_end, step, step_end (first of a bin and one past its last) and log10_norm: the mean
    over the bin's pairs t ≤ t' and the batch, of the finite ones. Bins without any are left out. Where rows were
    chosen, a bin of loss steps reaches to the next one.
    """
    norms = found.log10_norms[layer, :, :, :, state].mean(axis=-1)  # [K, T]
    K, T = norms.shape
    size = -(-T // most)
    starts = np.arange(0, K, -(-K // most))
    counted = np.isfinite(norms)
    columns = np.arange(0, T, size)
    sums = np.add.reduceat(np.add.reduceat(np.where(counted, norms, 0), starts, axis=0), columns, axis=1)
    counts = np.add.reduceat(np.add.reduceat(counted.astype(np.int64), starts, axis=0), columns, axis=1)
    row, column = np.nonzero(counts)
    edges = np.append(found.loss_steps[starts], found.loss_steps[-1] + 1)
    return pd.DataFrame(
        {
            "loss_step": edges[row],
            "loss_step_end": edges[row + 1],
            "step": columns[column],
            "step_end": np.minimum(columns[column] + size, T),
            "log10_norm": sums[row, column] / counts[row, column],
        }
    )
