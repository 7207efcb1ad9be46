"""Where the loss enters, as cotangents: ∂L/∂h_t of the top layer by the loss alone.

Every function of `LOSSES` takes `shape` = (T, B, H) and a numpy Generator and returns a float64 array [T, B, H]: at
each step of its `steps(T, ...)` a direction that is uniform on the unit sphere, one for each sequence, so what the loss
puts in at a step has norm 1. `half_square` alone reads `states` [T, B, H] instead, the top layer's h_t after step t,
and its attribute `needs_states` is True. With a readout the same steps get its gradient instead.

The five sequence types are losses too. Their attribute `reads(T, ...)` is how many leading steps have an input; the
steps behind read zeros of the same size. What places a loss: `loss_step`, `loss_steps`, `reads` and `writes`.

A long sequence is mostly zeros: the attribute `entries(shape, generator, states)` gives the values at the m loss steps
alone, [m, B, H].
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

import numpy as np
from numpy import ndarray
from numpy.random import Generator

Shape = tuple[int, int, int]


def _directions(shape: tuple[int, ...], generator: Generator) -> ndarray:
    """Random vectors along the last axis, each of norm 1."""
    direction = generator.standard_normal(shape)
    direction /= np.sqrt(np.einsum("...i,...i->...", direction, direction))[
        ..., None
    ]  # squares in no array of their own
    return direction


def all_steps(steps: int, **_) -> int:
    """Every step has an input."""
    return steps


def first_step(steps: int, **_) -> int:
    """Only the first step has an input."""
    return 1


def source(steps: int, *, reads: int | None = None, writes: int | None = None, **_) -> int:
    """n of the delayed type: `reads`, or what `writes` leaves, or half of the sequence."""
    if reads is not None:
        return reads
    return steps - writes if writes is not None else steps // 2


def _placed(
    reads: Callable[..., int] = all_steps,
) -> Callable[[Callable[..., range | list[int]]], Callable[..., ndarray]]:
    """A function that says at which steps the loss enters becomes a loss that puts directions of norm 1 in there."""

    def loss(place: Callable[..., range | list[int]]) -> Callable[..., ndarray]:
        @wraps(place)
        def entering(shape: Shape, generator: Generator, *, states: ndarray | None = None, **where) -> ndarray:
            at = place(shape[0], **where)
            cotangents = np.zeros(shape)
            cotangents[at] = entering.entries((len(at), *shape[1:]), generator)
            return cotangents

        entering.steps, entering.reads, entering.needs_states = place, reads, False
        entering.entries = lambda shape, generator, states=None: _directions(shape, generator)
        return entering

    return loss


@_placed()
def last(steps: int, **_) -> list[int]:
    """A random direction of norm 1 at the last step: it isolates propagation."""
    return [steps - 1]


@_placed()
def every(steps: int, **_) -> range:
    """A random direction of norm 1 at every step, each its own: fresh gradient enters everywhere."""
    return range(steps)


@_placed()
def step(steps: int, *, loss_step: int | None = None, **_) -> list[int]:
    """A random direction of norm 1 at one chosen step (the middle one unless chosen)."""
    at = steps // 2 if loss_step is None else loss_step
    if not 0 <= at < steps:
        raise ValueError(f"loss_step = {at} lies outside the sequence: use 0 to {steps - 1}")
    return [at]


@_placed()
def steps(steps: int, *, loss_steps: str | None = None, **_) -> list[int]:
    """A random direction of norm 1 at each of any set of steps (the ends of the four quarters unless chosen)."""
    if loss_steps is None:
        return sorted({max(steps * quarter // 4 - 1, 0) for quarter in (1, 2, 3, 4)})
    chosen = step_set(loss_steps)
    if chosen[-1] >= steps:
        raise ValueError(f"loss_steps = {loss_steps!r} goes beyond the sequence: use 0 to {steps - 1}")
    return chosen


@_placed(first_step)
def one_to_one(steps: int, **_) -> list[int]:
    """One-to-one: one input and one output, both at the first step; the steps after it are idle."""
    return [0]


@_placed(first_step)
def one_to_many(steps: int, **_) -> range:
    """One-to-many, as in captioning: input at the first step, then zeros of the same size; a loss at every step."""
    return range(steps)


@_placed()
def many_to_one(steps: int, **_) -> list[int]:
    """Many-to-one, as in sentiment: input at every step, one loss at the last."""
    return [steps - 1]


@_placed()
def many_to_many(steps: int, **_) -> range:
    """Many-to-many, synchronous, as in frame labelling: input and loss at every step."""
    return range(steps)


@_placed(source)
def many_to_many_delayed(steps: int, **where) -> range:
    """Many-to-many, delayed, as in translation: reads n steps, then writes m, with a loss at each of the m."""
    return range(source(steps, **where), steps)


def half_square(shape: Shape, generator: Generator, *, states: ndarray | None = None, **_) -> ndarray:
    """½‖h‖² of the top layer at the last step; the cotangent is that state itself."""
    cotangents = np.zeros(shape)
    cotangents[-1:] = _last_state((1, *shape[1:]), generator, states)
    return cotangents


def _last_state(shape: Shape, generator: Generator, states: ndarray | None = None) -> ndarray:
    if states is None:
        raise ValueError("loss = 'half_square' needs the top layer's states [T, B, H]: run the forward pass first")
    return states[-1:]


half_square.steps, half_square.reads, half_square.needs_states = last.steps, all_steps, True
half_square.entries = _last_state


def step_set(text: str) -> list[int]:
    """The steps that "9, 49, 90-99" names, in order, each once. Raises ValueError for anything else."""
    found: set[int] = set()
    for part in text.split(","):
        first, dash, end = part.strip().partition("-")
        if not all(number.isascii() and number.isdigit() and len(number) < 8 for number in (first, end or "0")):
            raise ValueError(f"{part.strip()!r} is neither a step nor a range of steps such as 90-99")
        low, high = int(first), int(end) if dash and end else int(first)
        if (dash and not end) or high < low:
            raise ValueError(f"{part.strip()!r} is not a range from a lower to a higher step")
        found.update(range(low, high + 1))
    return sorted(found)


def clipped(text: str, last: int) -> str:
    """The same steps and ranges, none beyond the step `last`: what lies beyond is moved there."""
    parts = [part.strip().split("-") for part in text.split(",")]
    return ", ".join("-".join(str(min(int(number), last)) for number in part) for part in parts)


LOSSES: dict[str, Callable[..., ndarray]] = {
    "last": last,
    "half_square": half_square,
    "every": every,
    "step": step,
    "steps": steps,
    "one_to_one": one_to_one,
    "one_to_many": one_to_many,
    "many_to_one": many_to_one,
    "many_to_many": many_to_many,
    "many_to_many_delayed": many_to_many_delayed,
}
