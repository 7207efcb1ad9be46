"""What a sweep refuses before any kernel runs: each array's shape, dtype, indices and values, by its name.

Kernels address memory by these numbers, so nothing that does not fit may reach them. Values that a forward pass made,
initial states and cotangents, may be infinite or NaN where that pass overflowed: what depends on them is then NaN and
reported. Everything else has to be finite.
"""

import numpy as np
from numpy import ndarray

from gradlab.engine.records import NEVER, Adjoints, Cotangents, Episodes
from gradlab.network.stack import Stack


def refuse_inputs(stack: Stack, inputs: ndarray, initial_state: tuple[ndarray, ...], states: tuple[str, ...]) -> None:
    """Raises ValueError unless inputs are [T, B, X] and finite, and initial states none or one [L, B, H] each."""
    refuse_shapes(stack, inputs, initial_state, states)
    _refuse_values("inputs", inputs)


def refuse_shapes(stack: Stack, inputs: ndarray, initial_state: tuple[ndarray, ...], states: tuple[str, ...]) -> None:
    """`refuse_inputs` without a look at the values."""
    _refuse_array("inputs", inputs, (None, None, stack.input_size), "[T, B, X]", stack.dtype)
    if 0 in inputs.shape:
        raise ValueError(f"inputs has shape {inputs.shape}: at least one step of one sequence is needed")
    if len(initial_state) not in (0, len(states)):
        raise ValueError(f"initial_state has {len(initial_state)} parts: {len(states)} are needed, {', '.join(states)}")
    shape = (stack.depth, inputs.shape[1], stack.hidden_size)
    for name, value in zip(states, initial_state, strict=False):
        _refuse_array(f"initial_state {name}", value, shape, "[L, B, H]", stack.dtype)


def refuse_cotangents(c: Cotangents, non_finite: ndarray) -> None:
    """Raises ValueError for cotangents that are not finite where the forward pass was; non_finite [L, B]: its steps."""
    overflowed = (non_finite != NEVER).any(axis=0)
    of_rows = overflowed[np.arange(c.rows) % len(overflowed)]
    if not is_finite(c.values):
        _refuse_values("cotangents.values", np.where(of_rows[c.at, None], 0, c.values))
    if c.final is not None and not is_finite(c.final):
        _refuse_values("cotangents.final", np.where(of_rows[:, None, None], 0, c.final))


def refuse_places(c: Cotangents, steps: int, shape: tuple[int, int, int, int], dtype: np.dtype) -> None:
    """Raises ValueError unless cotangents fit a forward pass of `steps` steps over states of shape [L, B, S, H]."""
    depth, B, kinds, hidden = shape
    if c.rows < 1 or c.rows % B:
        raise ValueError(f"cotangents has rows = {c.rows}: a multiple of the {B} sequences is needed")
    m = len(c.values) if np.ndim(c.values) else 0
    _refuse_array("cotangents.values", c.values, (None, hidden), "[m, H]", dtype)
    for name, indices, end in (("steps", c.steps, steps), ("at", c.at, c.rows)):
        if indices.shape != (m,) or indices.dtype.kind not in "iu":
            got = f"shape {indices.shape} and dtype {indices.dtype}"
            raise ValueError(f"cotangents.{name} has {got}: whole numbers [m] = ({m}) are needed, one for each value")
        if m and (indices.min() < 0 or indices.max() >= end):
            outside = np.flatnonzero((indices < 0) | (indices >= end))
            raise ValueError(f"cotangents.{name} is {indices[outside[0]]} at [{outside[0]}]: use 0 to {end - 1}")
    _refuse_order(c)
    for name, powers, shape_of in (
        ("exponents", c.exponents, (m,)),
        ("final_exponents", c.final_exponents, (depth, c.rows)),
    ):
        if powers is not None and (powers.shape != shape_of or powers.dtype != np.int64):
            got = f"shape {powers.shape} and dtype {powers.dtype}"
            raise ValueError(f"cotangents.{name} has {got}: int64, {shape_of}, is needed")
    if c.final is not None:
        _refuse_array("cotangents.final", c.final, (depth, c.rows, kinds, hidden), "[L, N, S, H]", dtype)


def refuse_episodes(episodes: Episodes, steps: int, sequences: int) -> None:
    """Raises ValueError for resets that are not [T, B] of bool, or lengths that are not [B] from 1 to T."""
    resets, lengths = episodes
    if resets.shape != (steps, sequences) or resets.dtype != bool:
        got = f"shape {resets.shape} and dtype {resets.dtype}"
        raise ValueError(f"resets has {got}: bool, [T, B] = ({steps}, {sequences}), is needed")
    if lengths.shape != (sequences,) or lengths.dtype.kind not in "iu":
        got = f"shape {lengths.shape} and dtype {lengths.dtype}"
        raise ValueError(f"lengths has {got}: whole numbers, [B] = ({sequences}), are needed")
    outside = np.flatnonzero((lengths < 1) | (lengths > steps))
    if len(outside):
        raise ValueError(f"lengths is {lengths[outside[0]]} at [{outside[0]}]: use 1 to {steps}")


def refuse_wanted(keep, rows: int, sequences: int, routed: int, parameters: bool, routes: ndarray) -> None:
    """Raises ValueError for options that an adjoint does not have."""
    names = Adjoints._fields[:3]
    unknown = sorted(set(keep) - set(names))
    if unknown:
        raise ValueError(f"keep = {unknown[0]!r} is not kept by an adjoint: use {', '.join(names)}")
    if parameters and rows != sequences:
        raise ValueError(f"with_parameters takes one cotangent a sequence: rows = {rows} of {sequences} sequences")
    if routes.dtype != np.float64 or routes.shape not in ((0,), (routed,)):
        got = f"shape {routes.shape} and dtype {routes.dtype}"
        raise ValueError(f"routes has {got}: none, or {routed} factors in float64, are needed")


def _refuse_array(name: str, array: ndarray, shape: tuple[int | None, ...], letters: str, dtype: np.dtype) -> None:
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{name} is a {type(array).__name__}: a numpy array {letters} is needed")
    wanted = ", ".join("any" if size is None else str(size) for size in shape)
    if array.ndim != len(shape) or any(w not in (None, s) for w, s in zip(shape, array.shape, strict=True)):
        raise ValueError(f"{name} has shape {array.shape}: {letters} = ({wanted}) is needed")
    if array.dtype != dtype:
        raise ValueError(f"{name} has dtype {array.dtype}: the stack's, {dtype}, is needed")


def _refuse_values(name: str, array: ndarray) -> None:
    if not is_finite(array):
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(f"{name} is {array[first]} at {list(first)}: values must be finite")


def is_finite(array: ndarray) -> bool:
    """Whether all numbers are finite. A finite sum says so at once; one that overflowed says nothing."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(array.sum()) or np.isfinite(array).all())


def _refuse_order(c: Cotangents) -> None:
    """Entries are found by searching their steps, and of two in one place the first would be lost."""
    places = c.steps.astype(np.int64, copy=False) * c.rows + c.at
    if (places[1:] > places[:-1]).all():
        return
    back = np.flatnonzero(c.steps[1:] < c.steps[:-1])
    if len(back):
        i = back[0] + 1
        raise ValueError(f"cotangents.steps is {c.steps[i]} at [{i}] after {c.steps[i - 1]}: steps must not fall")
    order = np.argsort(places, kind="stable")
    twice = np.flatnonzero(places[order[1:]] == places[order[:-1]])
    if len(twice):
        i = order[twice[0] + 1]
        raise ValueError(f"cotangents has step {c.steps[i]}, row {c.at[i]} twice, again at [{i}]: add the two")
