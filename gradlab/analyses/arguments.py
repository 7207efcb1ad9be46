"""Arrays as people pass them: read as the network's module has its axes, in its dtype, checked, or refused by name."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy import ndarray

from gradlab.cells import KNOWN
from gradlab.engine import Cotangents, Episodes, is_finite
from gradlab.network.arrays import ArrayLike, Lengths, StatesLike, on_the_cpu
from gradlab.network.stack import Net, Stack


def as_sequence(
    network: Stack | Net,
    inputs: ArrayLike | None,
    cotangents: ArrayLike | None,
    output: tuple[int, str],
    lengths: Lengths | None,
    ends_only: bool,
) -> tuple[ndarray, ndarray]:
    """Inputs [T, B, X] and cotangents [T, B, outputs] of arrays whose axes stand as the network's module reads them.

    output       how many outputs there are, and their letter in messages
    ends_only    no cotangents at the outputs
    """
    first, second = ("B", "T") if network.batch_first else ("T", "B")
    if lengths is not None:
        inputs = without_padding(inputs, lengths, network.batch_first)
    x = as_array(inputs, "inputs", network.dtype, (None, None, network.input_size), f"[{first}, {second}, X]")
    count, letter = output
    shape = (*x.shape[:2], count)
    given = np.zeros(shape, network.dtype) if ends_only else cotangents
    dense = as_array(given, "cotangents", network.dtype, shape, f"[{first}, {second}, {letter}]")
    if network.batch_first:
        x, dense = (np.ascontiguousarray(array.swapaxes(0, 1)) for array in (x, dense))
    return x, dense


def as_array(
    value: ArrayLike | Lengths | None, name: str, dtype: np.dtype, shape: Sequence[int | None], letters: str
) -> ndarray:
    """A numpy array or torch tensor as a contiguous array of `dtype`, checked for its shape and for finiteness."""
    if value is None:
        raise ValueError(f"{name} is missing: pass an array {letters}")
    array = on_the_cpu(value, name)
    wanted = ", ".join("any" if size is None else str(size) for size in shape)
    if array.ndim != len(shape) or any(w is not None and w != s for w, s in zip(shape, array.shape, strict=True)):
        other = (array.shape[1], array.shape[0], *array.shape[2:]) if array.ndim > 1 else ()
        fits = len(other) == len(shape) and all(w in (None, s) for w, s in zip(shape, other, strict=True))
        swapped = fits and "T" in letters
        hint = ": its first two axes are the other way round, transpose(0, 1) puts them right" if swapped else ""
        raise ValueError(f"{name} has shape {array.shape}: {letters} = ({wanted}) is needed{hint}")
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


def as_states(
    stack: Stack, given: StatesLike | None, sequences: int, called: str = "initial_state"
) -> tuple[ndarray, ...]:
    """The initial states, or cotangents of the last ones, one [L, B, H] per state; none for zeros."""
    if given is None:
        return ()
    names = KNOWN[stack.cell].states
    values = given if isinstance(given, Sequence) else (given,)
    if len(values) != len(names):
        raise ValueError(f"{called} has {len(values)} parts: {stack.cell} needs {len(names)}, ({', '.join(names)})")
    shape = (stack.depth, sequences, stack.hidden_size)
    return tuple(
        as_array(value, f"{called} {name}", stack.dtype, shape, "[L, B, H]")
        for value, name in zip(values, names, strict=True)
    )


def as_episodes(
    resets: ArrayLike | None, lengths: Lengths | None, steps: int, sequences: int, batch_first: bool
) -> Episodes | None:
    """Resets and lengths, checked; None where every sequence is one of all steps."""
    if resets is None and lengths is None:
        return None
    begins, ends = np.zeros((steps, sequences), bool), np.full(sequences, steps)
    if resets is not None:
        shape = (sequences, steps) if batch_first else (steps, sequences)
        given = as_array(resets, "resets", np.dtype(float), shape, "[B, T]" if batch_first else "[T, B]")
        if not np.isin(given, (0, 1)).all():
            first = tuple(int(i) for i in np.argwhere(~np.isin(given, (0, 1)))[0])
            raise ValueError(f"resets is {given[first]:g} at {list(first)}: use 1 where an episode begins, else 0")
        begins = np.ascontiguousarray((given.T if batch_first else given) == 1)
    if lengths is not None:
        given = as_array(lengths, "lengths", np.dtype(float), (sequences,), "[B]")
        outside = np.flatnonzero((given < 1) | (given > steps) | (given != np.floor(given)))
        if len(outside):
            raise ValueError(
                f"lengths is {given[outside[0]]:g} at [{outside[0]}]: use a whole number from 1 to {steps}"
            )
        ends = given.astype(np.int64)
    if not begins.any() and (ends == steps).all():
        return None
    return Episodes(begins, ends)


def without_padding(inputs: ArrayLike | None, lengths: Lengths, batch_first: bool) -> ArrayLike | None:
    """Inputs with zeros at the steps that do not exist: whatever stands there is never read."""
    if inputs is None:
        return inputs
    array, ends = on_the_cpu(inputs, "inputs"), on_the_cpu(lengths, "lengths")
    axis = 1 if batch_first else 0
    if array.ndim != 3 or array.dtype.kind not in "fiub" or ends.shape != (array.shape[1 - axis],):
        return array  # refused where it is checked
    behind = np.arange(array.shape[axis])[:, None] >= ends
    return np.where((behind.T if batch_first else behind)[..., None], 0, array)


def sparse(cotangents: ndarray) -> Cotangents:
    """Only the steps and sequences of [T, B, H] at which something enters."""
    enters = cotangents.any(axis=2)
    steps, at = np.nonzero(enters)
    values = cotangents.reshape(enters.size, -1) if len(at) == enters.size else cotangents[steps, at]
    return Cotangents(steps, at, values, cotangents.shape[1])


def refuse_swapped(stack: Stack, x: ndarray, states: Sequence[StatesLike | None], lengths: Any) -> None:
    """Raises ValueError where states or lengths are of T sequences: inputs came the other way round."""
    T, B, _ = x.shape
    parts = [part for given in states for part in (given if isinstance(given, Sequence) else (given,))]
    said = [part.shape[1] for part in parts if part is not None and np.ndim(part) == 3]
    said += [] if lengths is None or np.ndim(lengths) != 1 else [len(lengths)]
    if said and all(count == T for count in said):
        letters = "[B, T, X]" if stack.batch_first else "[T, B, X]"
        raise ValueError(
            f"inputs is read as {letters}, since batch_first = {stack.batch_first}: {B} sequences of {T} steps, but "
            f"the states or lengths given are of {T}: [L, B, H] = ({stack.depth}, {B}, {stack.hidden_size}) is needed. "
            "If the inputs came the other way round, transpose(0, 1) turns them and the cotangents"
        )


def refuse_behind_the_end(loss: Cotangents, lengths: ndarray, batch_first: bool) -> None:
    """Raises ValueError where a loss enters at a step that its sequence does not have."""
    behind = np.flatnonzero(loss.steps >= lengths[loss.at])
    if not len(behind):
        return
    step, b = int(loss.steps[behind[0]]), int(loss.at[behind[0]])
    place = [b, step] if batch_first else [step, b]
    raise ValueError(
        f"cotangents is not zero at {place}, but sequence {b} has lengths = {lengths[b]}: mask the loss there"
    )


def whole_number(name: str, value: Any, low: int, high: int | None = None) -> int:
    """An argument that counts or chooses. Raises ValueError for what is no whole number of the range."""
    number = int(value) if isinstance(value, Integral) and not isinstance(value, bool) else low - 1
    if number < low or (high is not None and number > high):
        wanted = f"from {low} to {high}" if high is not None else f"of {low} or more"
        raise ValueError(f"{name} = {value!r} is not allowed: use a whole number {wanted}")
    return number
