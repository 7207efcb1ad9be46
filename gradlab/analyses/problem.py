"""What an analysis is called with: an Experiment's own stack, inputs and loss, or arrays; checked, and small enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import Any

import numpy as np
from numpy import ndarray

from gradlab import engine
from gradlab.cells import CELLS
from gradlab.engine import Cotangents, Plan, Size, Sweep, is_finite, plan_in_slices
from gradlab.network.stack import Stack
from gradlab.settings.drawing import (
    cotangents_of,
    entries_of,
    input_size_of,
    inputs_of,
    loss_steps_of,
    needs_states,
    output_size_of,
)
from gradlab.settings.experiment import Experiment


@dataclass(frozen=True, eq=False)
class Gathered:
    """What every analysis starts from."""

    stack: Stack
    experiment: Experiment | None
    inputs: ndarray  # [T, B, X]
    loss: Cotangents  # what enters, and where
    initial_state: tuple[ndarray, ...]  # one [L, B, H] a state, or none for zeros

    @cached_property
    def cotangents(self) -> ndarray:
        """The loss's cotangents at every step, [T, B, H], mostly zeros: for short sequences."""
        T, B, _ = self.inputs.shape
        dense = np.zeros((T, B, self.stack.hidden_size), self.stack.dtype)
        dense[self.loss.steps, self.loss.at] = self.loss.values
        return dense


def gathered(subject: Experiment | Stack, inputs: Any, cotangents: Any, initial_state: Any) -> Gathered:
    """The arguments of `gradlab.trace`, checked and in the stack's dtype. Raises ValueError as it says."""
    if isinstance(subject, Experiment):
        if inputs is not None or cotangents is not None or initial_state is not None:
            raise ValueError("an Experiment has its own inputs and loss: pass a Stack to choose inputs or cotangents")
        refuse_too_large(subject)
        stack = Stack.from_experiment(subject)
        drawn = inputs_of(subject)
        return Gathered(stack, subject, drawn, loss_of(subject, stack, drawn), ())
    if not isinstance(subject, Stack):
        raise TypeError(f"{type(subject).__name__} is neither an Experiment nor a Stack: see Stack.from_torch")
    given = as_array(inputs, "inputs", subject.dtype, (None, None, subject.input_size), "[T, B, X]")
    T, B, _ = given.shape
    dense = as_array(cotangents, "cotangents", subject.dtype, (T, B, subject.hidden_size), "[T, B, H]")
    states = as_states(subject, initial_state, B)
    L, H, X = subject.depth, subject.hidden_size, subject.input_size
    needed = plan_in_slices(Size(subject.cell, L, H, X, T, B, B, subject.dtype)).bytes
    engine.refuse_too_large(
        needed, f"inputs of T = {T} steps and B = {B} sequences, H = {H} units, depth = {L}", "T or B"
    )
    return Gathered(subject, None, given, sparse(dense), states)


def entering(experiment: Experiment, stack: Stack, inputs: ndarray) -> ndarray:
    """∂L/∂h_t of the top layer by the Experiment's loss alone, [T, B, H]; a forward pass comes first where needed."""
    return cotangents_of(experiment, _states_read(experiment, stack, inputs))


def loss_of(experiment: Experiment, stack: Stack, inputs: ndarray) -> Cotangents:
    """The same as entries; those of exactly zero are left out."""
    values = entries_of(experiment, _states_read(experiment, stack, inputs))
    m, B, H = values.shape
    steps, at = np.repeat(loss_steps_of(experiment), B), np.tile(np.arange(B), m)
    values = values.reshape(m * B, H)
    enters = values.any(axis=1)
    if not enters.all():
        steps, at, values = steps[enters], at[enters], values[enters]
    return Cotangents(steps, at, values, B)


def _states_read(experiment: Experiment, stack: Stack, inputs: ndarray) -> ndarray | None:
    """The top layer's h that the loss reads, from its first step on at least; None where it reads none."""
    if not needs_states(experiment):
        return None
    run = Sweep(stack, inputs)
    run.forward()
    if loss_steps_of(experiment)[0] == experiment.steps - 1:
        return run.last_states[-1, :, 0][None]
    return run.top_h()


def sparse(cotangents: ndarray) -> Cotangents:
    """Only the steps and sequences of [T, B, H] at which something enters."""
    enters = cotangents.any(axis=2)
    steps, at = np.nonzero(enters)
    values = cotangents.reshape(enters.size, -1) if len(at) == enters.size else cotangents[steps, at]
    return Cotangents(steps, at, values, cotangents.shape[1])


def as_array(value: Any, name: str, dtype: np.dtype, shape: Sequence[int | None], letters: str) -> ndarray:
    """A numpy array or torch tensor as a contiguous array of `dtype`, checked for its shape and for finiteness."""
    if value is None:
        raise ValueError(f"{name} is missing: pass an array {letters}")
    array = _on_the_cpu(value, name)
    wanted = ", ".join("any" if size is None else str(size) for size in shape)
    if array.ndim != len(shape) or any(w is not None and w != s for w, s in zip(shape, array.shape, strict=True)):
        raise ValueError(f"{name} has shape {array.shape}: {letters} = ({wanted}) is needed")
    if array.dtype.kind not in "fiub" or 0 in array.shape:
        raise ValueError(
            f"{name} has dtype {array.dtype} and shape {array.shape}: real numbers, at least one, are needed"
        )
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused as such
        array = np.ascontiguousarray(array, dtype)
    if not is_finite(array):
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(f"{name} is {array[first]} at {list(first)}: values must be finite in {dtype}")
    return array


def _on_the_cpu(value: Any, name: str) -> ndarray:
    """A numpy array of whatever was given; half precisions, which numpy lacks, become float64."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.double() if value.is_floating_point() else value
    try:
        return np.asarray(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} cannot be read as an array: {error}") from error


def whole_number(name: str, value: Any, low: int, high: int | None = None) -> int:
    """An argument that counts or chooses. Raises ValueError for what is no whole number of the range."""
    is_whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not is_whole or value < low or (high is not None and value > high):
        wanted = f"from {low} to {high}" if high is not None else f"of {low} or more"
        raise ValueError(f"{name} = {value!r} is not allowed: use a whole number {wanted}")
    return int(value)


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


def size_of(experiment: Experiment) -> Size:
    """What decides the cost of an Experiment's trace."""
    e = experiment
    inputs = input_size_of(e)
    return Size(e.cell, e.depth, e.hidden_size, inputs, e.steps, e.batch_size, e.batch_size, e.dtype)


def estimate(experiment: Experiment) -> Plan:
    """The engine's Plan of an Experiment's trace: its `bytes` at the peak and its `multiply_adds`."""
    found = plan_in_slices(size_of(experiment))
    return found._replace(bytes=found.bytes + _bytes_of_loss(experiment))


def _bytes_of_loss(e: Experiment) -> int:
    """What the loss's entries need beside the sweep; where they depend on states, those and the readout's scores."""
    item, steps = np.dtype(e.dtype).itemsize, loss_steps_of(e)
    entries = len(steps) * e.batch_size * (item * e.hidden_size + 16)
    if not needs_states(e) or steps[0] == e.steps - 1:
        return entries
    return entries + e.steps * e.batch_size * item * (2 * e.hidden_size + 4 * output_size_of(e))


def refuse_too_large(experiment: Experiment, limit: int | None = None) -> None:
    """Raises TooLarge, naming the settings, if the trace needs more than `limit` bytes (default: `memory_limit`)."""
    e = experiment
    what = f"steps = {e.steps}, batch_size = {e.batch_size}, hidden_size = {e.hidden_size}, depth = {e.depth}"
    engine.refuse_too_large(estimate(e).bytes, what, "steps, batch_size, hidden_size or depth", limit)
