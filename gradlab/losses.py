"""Where the loss enters, as cotangents: ∂L/∂h_t of the top layer by the loss alone.

Every function takes `shape` = (T, B, H) and a numpy Generator and returns a float64 array [T, B, H]. `loss_step` is
read by `step` alone; `states` [T, B, H], the top layer's h_t after step t, by `half_square` alone, whose attribute
`needs_states` is True.

A direction is uniform on the unit sphere, one for each sequence, so what the loss puts in has norm 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy import ndarray
from numpy.random import Generator

Shape = tuple[int, int, int]


def _directions(shape: tuple[int, ...], generator: Generator) -> ndarray:
    """Random vectors along the last axis, each of norm 1."""
    direction = generator.standard_normal(shape)
    return direction / np.linalg.norm(direction, axis=-1, keepdims=True)


def last(shape: Shape, generator: Generator, *, states: ndarray | None = None, loss_step: int | None = None) -> ndarray:
    """A random direction of norm 1 at the last step: it isolates propagation."""
    return step(shape, generator, loss_step=shape[0] - 1)


def half_square(
    shape: Shape, generator: Generator, *, states: ndarray | None = None, loss_step: int | None = None
) -> ndarray:
    """½‖h‖² of the top layer at the last step; the cotangent is that state itself."""
    if states is None:
        raise ValueError("loss = 'half_square' needs the top layer's states [T, B, H]: run the forward pass first")
    cotangents = np.zeros(shape)
    cotangents[-1] = states[-1]
    return cotangents


def every(
    shape: Shape, generator: Generator, *, states: ndarray | None = None, loss_step: int | None = None
) -> ndarray:
    """A random direction of norm 1 at every step, each its own: fresh gradient enters everywhere."""
    return _directions(shape, generator)


def step(shape: Shape, generator: Generator, *, states: ndarray | None = None, loss_step: int | None = None) -> ndarray:
    """A random direction of norm 1 at one chosen step (the middle one unless chosen)."""
    steps = shape[0]
    at = steps // 2 if loss_step is None else loss_step
    if not 0 <= at < steps:
        raise ValueError(f"loss_step = {at} lies outside the sequence: use 0 to {steps - 1}")
    cotangents = np.zeros(shape)
    cotangents[at] = _directions(shape[1:], generator)
    return cotangents


LOSSES: dict[str, Callable[..., ndarray]] = {
    "last": last,
    "half_square": half_square,
    "every": every,
    "step": step,
}

for loss in LOSSES.values():
    loss.needs_states = loss is half_square
