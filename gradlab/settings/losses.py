"""Loss placements, and the gradient that a loss injects there: ∂L/∂h_t of the top layer by the loss alone.

A `Loss` called with `shape` = (T, B, H) and a numpy Generator gives a float64 array [T, B, H]: at each of its steps a
direction that is uniform on the unit sphere, one for each sequence, so the gradient injected at a step has norm 1.
`half_square` alone reads `states` [T, B, H] instead, the top layer's h_t after step t. With a readout the same steps
get its gradient instead.

The five sequence types are losses too: they also say how many leading steps have an input; the later steps read zeros
of the same size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from gradlab.settings.step_sets import StepSet
from gradlab.words.languages import N_


class Placement(NamedTuple):
    """The settings that place a loss, each None where it is left open; every loss reads those that concern it."""

    loss_step: int | None = None
    loss_steps: str | None = None
    reads: int | None = None
    writes: int | None = None


OPEN = Placement()


def directions(shape: tuple[int, int, int], generator: Generator, states: ndarray | None = None) -> ndarray:
    """Random vectors along the last axis, each of norm 1; `states` are not read."""
    direction = generator.standard_normal(shape)
    squares = np.einsum("...i,...i->...", direction, direction)  # in no array of their own
    direction /= np.sqrt(squares)[..., None]
    return direction


def last_state(shape: tuple[int, int, int], generator: Generator, states: ndarray | None = None) -> ndarray:
    """The top layer's last state, which is the gradient of ½‖h‖². Raises ValueError where states are not given."""
    if states is None:
        raise ValueError("loss = 'half_square' needs the top layer's states [T, B, H]: run the forward pass first")
    return states[-1:]


def all_steps(steps: int, placement: Placement) -> int:
    """Every step has an input."""
    return steps


def first_step(steps: int, placement: Placement) -> int:
    """Only the first step has an input."""
    return 1


def source(steps: int, placement: Placement) -> int:
    """n of the delayed type: `reads`, or what `writes` leaves, or half of the sequence."""
    if placement.reads is not None:
        return placement.reads
    return steps - placement.writes if placement.writes is not None else steps // 2


@dataclass(frozen=True)
class Loss:
    """Where a loss enters, what it injects there, and how many leading steps have an input."""

    steps: Callable[[int, Placement], Sequence[int] | ndarray]  # of T: the m loss steps, in order
    meaning: str
    reads: Callable[[int, Placement], int] = all_steps  # of T: how many leading steps have an input
    entries: Callable[..., ndarray] = directions  # (shape, generator, states): values at the loss steps, [m, B, H]
    needs_states: bool = False
    placed_by: frozenset[str] = frozenset()  # the settings that place it: of a Placement it sees no others

    def __call__(
        self,
        shape: tuple[int, int, int],
        generator: Generator,
        states: ndarray | None = None,
        placement: Placement = OPEN,
    ) -> ndarray:
        """∂L/∂h_t by the loss alone at every step, [T, B, H]; `entries` are the values at the loss steps alone."""
        T, B, H = shape
        at = self.steps(T, placement)
        cotangents = np.zeros(shape)
        cotangents[at] = self.entries((len(at), B, H), generator, states)
        return cotangents


def first(steps: int, placement: Placement) -> Sequence[int]:
    """The first step alone."""
    return [0]


def last(steps: int, placement: Placement) -> Sequence[int]:
    """The last step alone."""
    return [steps - 1]


def every(steps: int, placement: Placement) -> Sequence[int]:
    """Every step."""
    return range(steps)


def chosen_step(steps: int, placement: Placement) -> Sequence[int]:
    """`loss_step`, or the middle step. Raises ValueError for a step outside the sequence."""
    at = steps // 2 if placement.loss_step is None else placement.loss_step
    if not 0 <= at < steps:
        raise ValueError(f"loss_step = {at} lies outside the sequence: use 0 to {steps - 1}")
    return [at]


def chosen_steps(steps: int, placement: Placement) -> Sequence[int] | ndarray:
    """`loss_steps`, or the ends of the four quarters. Raises ValueError for steps beyond the sequence."""
    if placement.loss_steps is None:
        return sorted({max(steps * quarter // 4 - 1, 0) for quarter in (1, 2, 3, 4)})
    chosen = StepSet.parse(placement.loss_steps)
    if chosen.last >= steps:
        raise ValueError(f"loss_steps = {placement.loss_steps!r} goes beyond the sequence: use 0 to {steps - 1}")
    return chosen.array


def behind_the_source(steps: int, placement: Placement) -> Sequence[int]:
    """The steps that the delayed type writes."""
    return range(source(steps, placement), steps)


LOSSES: dict[str, Loss] = {
    "last": Loss(last, N_("A random direction of norm 1 at the last step: it isolates propagation.")),
    "half_square": Loss(
        last,
        N_("½‖h‖² of the top layer at the last step; the cotangent is that state itself."),
        entries=last_state,
        needs_states=True,
    ),
    "every": Loss(every, N_("An independent random unit vector at every step: gradient is injected everywhere.")),
    "step": Loss(
        chosen_step,
        N_("A random direction of norm 1 at one chosen step (the middle one unless chosen)."),
        placed_by=frozenset({"loss_step"}),
    ),
    "steps": Loss(
        chosen_steps,
        N_("A random direction of norm 1 at each of any set of steps (the ends of the four quarters unless chosen)."),
        placed_by=frozenset({"loss_steps"}),
    ),
    "one_to_one": Loss(
        first,
        N_("One-to-one: one input and one output, both at the first step; the steps after it are idle."),
        reads=first_step,
    ),
    "one_to_many": Loss(
        every,
        N_(
            "One-to-many, as in captioning: input at the first step, then zeros of the same size; a loss at every step."
        ),
        reads=first_step,
    ),
    "many_to_one": Loss(last, N_("Many-to-one, as in sentiment: input at every step, one loss at the last.")),
    "many_to_many": Loss(every, N_("Many-to-many, synchronous, as in frame labelling: input and loss at every step.")),
    "many_to_many_delayed": Loss(
        behind_the_source,
        N_("Many-to-many, delayed, as in translation: reads n steps, then writes m, with a loss at each of the m."),
        reads=source,
        placed_by=frozenset({"reads", "writes"}),
    ),
}
