"""GradientTrace: the norms of ∂L/∂h_t and ∂L/∂c_t of every layer and step, and tables of them.

Norms are given as log10 ‖·‖₂ of one sequence's gradient, a pure number; the states are those *after* step t, and the
derivatives are total: over all later steps and higher layers, and for c_t also through h_t.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.cells import CELLS
from gradlab.engine import NEVER, Cotangents, Size, Sweep, memory_limit, plan, sweep
from gradlab.experiment import Experiment
from gradlab.feeds import cotangents_of, input_size_of, inputs_of, loss_steps_of, needs_states, output_size_of
from gradlab.stack import Stack

TABLE_COLUMNS = (
    "cell", "layer", "step", "lag", "state", "path",
    "log10_norm", "log10_norm_min", "log10_norm_max",
    "log10_relative", "log10_relative_min", "log10_relative_max",
)  # fmt: skip
RATE_COLUMNS = ("cell", "layer", "state", "decades_per_step", "intercept", "lag_from", "lag_to", "rms_residual")
FITTED_FROM = 0.25  # the first quarter of the lags is the way in: directions have not settled yet


@dataclass(frozen=True)
class NonFinite:
    """Where a number first left the floating-point range."""

    pass_: str  # "forward" | "adjoint"
    layer: int
    step: int
    sequence: int

    @property
    def sentence(self) -> str:
        where = f"step {self.step} of layer {self.layer} (sequence {self.sequence})"
        if self.pass_ == "forward":
            return (
                f"The forward pass overflows: the first state that is not finite is at {where}. "
                "Gradients that depend on such states are undefined and left out of the lines."
            )
        return (
            f"The gradient is not finite at {where} and, going back, at all earlier ones: "
            "one step multiplied it beyond the floating-point range."
        )


@dataclass(frozen=True, eq=False)
class GradientTrace:
    """The result of `trace`."""

    stack: Stack
    experiment: Experiment | None
    log10_norms: ndarray  # [L, T, B, S]
    log10_cotangent: ndarray  # [B] log10 of what the loss put in: the root of the sum over steps of ‖cotangent_t‖²
    loss_steps: ndarray  # the steps at which the loss enters
    non_finite: NonFinite | None

    @property
    def cell(self) -> str:
        return self.stack.cell

    @property
    def states(self) -> tuple[str, ...]:
        return CELLS[self.cell].states

    @property
    def steps(self) -> int:
        return self.log10_norms.shape[1]

    def log10_norm(self, state: str = "h") -> ndarray:
        """log10 ‖∂L/∂s_t‖₂ a layer, step and sequence, [L, T, B].

        -inf only where the gradient is exactly zero; NaN where it is undefined because a pass was not finite.
        Raises ValueError for a state the cell does not have.
        """
        return self.log10_norms[..., self._kind(state)]

    def log10_relative(self, state: str = "h") -> ndarray:
        """`log10_norm` less log10 of what the loss put into the same sequence, [L, T, B]."""
        return self.log10_norm(state) - self.log10_cotangent

    def _kind(self, state: str) -> int:
        if state not in self.states:
            raise ValueError(f"state = {state!r} is not a state of {self.cell}: use {' or '.join(self.states)}")
        return self.states.index(state)

    @cached_property
    def table(self) -> pd.DataFrame:
        """Tidy: a row a layer, state and step, columns `TABLE_COLUMNS`; mean, min and max are over the batch."""
        depth, steps = self.log10_norms.shape[:2]
        step = np.arange(steps)
        parts = []
        for layer in range(depth):
            for state in self.states:
                columns: dict[str, Any] = {"cell": self.cell, "layer": layer, "step": step, "lag": steps - 1 - step}
                columns |= {"state": state, "path": "total"}
                for name, values in (("norm", self.log10_norm(state)), ("relative", self.log10_relative(state))):
                    columns[f"log10_{name}"] = mean(values[layer])
                    columns[f"log10_{name}_min"] = values[layer].min(axis=-1)
                    columns[f"log10_{name}_max"] = values[layer].max(axis=-1)
                parts.append(pd.DataFrame(columns))
        return pd.concat(parts, ignore_index=True)[list(TABLE_COLUMNS)]

    def rate(self) -> pd.DataFrame:
        """How fast the norm changes going back: a row a layer and state, columns `RATE_COLUMNS`.

        decades_per_step   least-squares slope of the batch's mean log10 norm against lag, decades a step; negative
                           where the gradient shrinks on its way back
        intercept          the line at lag 0
        lag_from, lag_to   the lags fitted: the last three quarters of those behind the last loss step, where finite
        rms_residual       root mean square distance from the line, decades

        NaN where fewer than two finite points are left.
        """
        last_loss = int(self.loss_steps.max(initial=0))
        lags = np.arange(self.steps)[::-1]
        rows = []
        for layer in range(self.log10_norms.shape[0]):
            for state in self.states:
                values = mean(self.log10_norm(state)[layer])
                first = self.steps - 1 - last_loss
                chosen = (lags >= first + FITTED_FROM * last_loss) & np.isfinite(values)
                rows.append((self.cell, layer, state, *_line(lags[chosen], values[chosen])))
        return pd.DataFrame(rows, columns=list(RATE_COLUMNS))


def _line(x: ndarray, y: ndarray) -> tuple[float, ...]:
    if len(x) < 2:
        return (np.nan, np.nan, *((int(x[0]), int(x[0])) if len(x) else (-1, -1)), np.nan)
    slope, intercept = np.polynomial.polynomial.Polynomial.fit(x, y, 1).convert(domain=[-1, 1]).coef[::-1]
    residual = float(np.sqrt(np.mean((y - slope * x - intercept) ** 2)))
    return float(slope), float(intercept), int(x.min()), int(x.max()), residual


def mean(values: ndarray) -> ndarray:
    """Mean over the batch (the last axis) of log10 norms: -inf if any sequence's gradient is exactly zero."""
    return values.mean(axis=-1)


def trace(
    subject: Experiment | Stack,
    inputs: Any = None,
    cotangents: Any = None,
    initial_state: Any = None,
    *,
    progress: Callable[[float], None] | None = None,
) -> GradientTrace:
    """Back-propagates through time and measures the gradient at every layer and step.

    trace(experiment)                      builds the stack, its inputs and its loss
    trace(stack, inputs, cotangents)       inputs [T, B, X]; cotangents [T, B, H] = ∂L/∂(top layer's h_t) by the loss
                                           alone; numpy arrays or torch tensors, computed in the stack's dtype
    initial_state                          h or (h, c), each [L, B, H]; zeros if None
    progress                               hears the fraction done some ten times a second; what it raises ends the work

    Raises ValueError for shapes that do not fit, for values that are not finite, and where more memory would be needed
    than there is. A forward pass that overflows is no error: see `GradientTrace.non_finite`.
    """
    stack, experiment, given, dense, states = gathered(subject, inputs, cotangents, initial_state)
    chosen = sparse(dense)
    swept = sweep(stack, given, chosen, states, progress=progress)
    return _result(stack, experiment, swept, chosen, given.shape[1])


class Gathered(NamedTuple):
    """What every analysis starts from."""

    stack: Stack
    experiment: Experiment | None
    inputs: ndarray  # [T, B, X]
    cotangents: ndarray  # [T, B, H]
    initial_state: tuple[ndarray, ...]  # one [L, B, H] a state, or none for zeros


def gathered(subject: Experiment | Stack, inputs: Any, cotangents: Any, initial_state: Any) -> Gathered:
    """The arguments of `trace`, checked and in the stack's dtype. Raises ValueError as it says."""
    if isinstance(subject, Experiment):
        if inputs is not None or cotangents is not None or initial_state is not None:
            raise ValueError("an Experiment has its own inputs and loss: pass a Stack to choose inputs or cotangents")
        refuse_too_large(subject)
        stack = Stack.from_experiment(subject)
        drawn = inputs_of(subject)
        return Gathered(stack, subject, drawn, entering(subject, stack, drawn), ())
    given = as_array(inputs, "inputs", subject.dtype, (None, None, subject.input_size), "[T, B, X]")
    T, B, _ = given.shape
    dense = as_array(cotangents, "cotangents", subject.dtype, (T, B, subject.hidden_size), "[T, B, H]")
    return Gathered(subject, None, given, dense, as_states(subject, initial_state, B))


def entering(experiment: Experiment, stack: Stack, inputs: ndarray) -> ndarray:
    """∂L/∂h_t of the top layer by the Experiment's loss alone, [T, B, H]; a forward pass comes first where needed."""
    if not needs_states(experiment):
        return cotangents_of(experiment)
    run = Sweep(stack, inputs)
    run.forward()
    if loss_steps_of(experiment)[0] == experiment.steps - 1:
        return cotangents_of(experiment, run.last_states[-1, :, 0][None])
    return cotangents_of(experiment, run.values()[0][-1, :, :, 0])


def sparse(cotangents: ndarray) -> Cotangents:
    """Only the steps and sequences of [T, B, H] at which something enters."""
    steps, at = np.nonzero(cotangents.any(axis=2))
    return Cotangents(steps, at, cotangents[steps, at], cotangents.shape[1])


def as_array(value: Any, name: str, dtype: np.dtype, shape: Sequence[int | None], letters: str) -> ndarray:
    """A numpy array or torch tensor as a contiguous array of `dtype`, checked for its shape and for finiteness."""
    if value is None:
        raise ValueError(f"{name} is missing: pass an array {letters}")
    array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
    wanted = ", ".join("any" if size is None else str(size) for size in shape)
    if array.ndim != len(shape) or any(w is not None and w != s for w, s in zip(shape, array.shape, strict=True)):
        raise ValueError(f"{name} has shape {array.shape}: {letters} = ({wanted}) is needed")
    if array.dtype.kind not in "fiub" or 0 in array.shape:
        raise ValueError(
            f"{name} has dtype {array.dtype} and shape {array.shape}: real numbers, at least one, are needed"
        )
    array = np.ascontiguousarray(array, dtype)
    if not np.isfinite(array).all():
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(f"{name} is {array[first]} at {list(first)}: values must be finite in {dtype}")
    return array


def as_states(stack: Stack, initial_state: Any, sequences: int) -> tuple[ndarray, ...]:
    """The initial states, one [L, B, H] a state; none for zeros."""
    if initial_state is None:
        return ()
    names = CELLS[stack.cell].states
    values = initial_state if isinstance(initial_state, tuple | list) else (initial_state,)
    if len(values) != len(names):
        raise ValueError(
            f"initial_state has {len(values)} parts: {stack.cell} needs {len(names)}, ({', '.join(names)})"
        )
    shape = (stack.depth, sequences, stack.hidden_size)
    return tuple(
        as_array(value, f"initial_state {name}", stack.dtype, shape, "[L, B, H]")
        for value, name in zip(values, names, strict=True)
    )


def _result(stack, experiment, swept, cotangents: Cotangents, sequences: int) -> GradientTrace:
    with np.errstate(divide="ignore"):
        squares = np.zeros(sequences)
        np.add.at(squares, cotangents.at, np.square(cotangents.values.astype(np.float64)).sum(axis=1))
        log10_cotangent = 0.5 * np.log10(squares)
    return GradientTrace(stack, experiment, swept.log10_norms, log10_cotangent, cotangents.steps, _first(swept))


def _first(swept) -> NonFinite | None:
    """Where the first non-finite number arose: forward the earliest step, in the adjoint the latest."""
    if (earliest := swept.non_finite.min()) != NEVER:
        layer, sequence = (int(i) for i in np.argwhere(swept.non_finite == earliest)[0])
        return NonFinite("forward", layer, int(earliest), sequence)
    undefined = np.isnan(swept.log10_norms).any(axis=3)
    if not undefined.any():
        return None
    step = int(np.flatnonzero(undefined.any(axis=(0, 2)))[-1])
    layer, sequence = (int(i) for i in np.argwhere(undefined[:, step])[-1])
    return NonFinite("adjoint", layer, step, sequence)


def size_of(experiment: Experiment) -> Size:
    """What decides the cost of an Experiment's trace."""
    e = experiment
    inputs = input_size_of(e)
    return Size(e.cell, e.depth, e.hidden_size, inputs, e.steps, e.batch_size, e.batch_size, e.dtype)


def estimate(experiment: Experiment):
    """The engine's Plan of an Experiment's trace: its `bytes` at the peak and its `multiply_adds`."""
    return plan(size_of(experiment))


def _bytes_of_values(e: Experiment) -> int:
    """What a loss on many steps' states needs beside the trace: all values of the forward pass, and the scores."""
    cell = CELLS[e.cell]
    numbers = e.depth * e.hidden_size * (len(cell.states) + len(cell.saved)) + 4 * output_size_of(e)
    return e.steps * e.batch_size * numbers * np.dtype(e.dtype).itemsize


def refuse_too_large(experiment: Experiment, limit: int | None = None) -> None:
    """Raises ValueError, naming the settings, if the trace needs more than `limit` bytes (default: `memory_limit`)."""
    limit = memory_limit() if limit is None else limit
    needed = estimate(experiment).bytes
    if needs_states(experiment) and loss_steps_of(experiment)[0] < experiment.steps - 1:
        needed += _bytes_of_values(experiment)
    if needed > limit:
        e = experiment
        raise ValueError(
            f"steps = {e.steps}, batch_size = {e.batch_size}, hidden_size = {e.hidden_size}, depth = {e.depth} need "
            f"{needed / 2**30:.1f} GB; at most {limit / 2**30:.1f} GB are allowed: "
            "lower steps, batch_size, hidden_size or depth"
        )
