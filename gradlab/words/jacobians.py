"""Sentences about product Jacobians: how many directions of the gradient survive."""

import math

from gradlab.analyses.jacobians import STEEPEST, Farthest, numbers_of
from gradlab.settings.subject import Subject
from gradlab.words.numbers import number

BLOCKS = {"full state": "state", "h alone": "h"}  # what the page offers, as `singular_values_by_lag` calls it


def of_singular_values(subject: Subject, block: str, found: Farthest) -> str:
    """How long the directions of the state are at the farthest lag, and what is said of a bound."""
    symbol = "h" if block == "h" else "s"
    jacobian = f"∂{symbol}_T/∂{symbol}_t, {found.lag} steps back"
    if math.isnan(found.largest):
        return f"{subject.title}: {jacobian} is undefined, since the forward pass overflows."
    if not found.resolved:
        return f"{subject.title}: {jacobian} is exactly 0: no direction arrives. {_bound(subject, found)}"
    below = found.count - found.resolved
    rest = f"; {below} of {found.count} lie below what rounding leaves" if below else ""
    return (
        f"{subject.title}: the singular values of {jacobian}, run from **{number(found.largest)}** down to "
        f"{number(found.smallest)}{rest}. Directions that keep more than half of their length: **{found.keep_half} of "
        f"{found.count}**. A random cotangent keeps {number(found.cotangent)}. {_bound(subject, found)}"
    )


def _bound(subject: Subject, found: Farthest) -> str:
    if found.bound is not None:
        return f"The spectral norm of U bounds them all by {number(found.bound)}."
    if subject.settings.cell in STEEPEST:
        return "No bound is drawn: a power of the spectral norm of U bounds one layer, not a stack."
    return f"No bound is drawn: a power of the spectral norm of U does not bound the {subject.title}."


def size_of_block(subject: Subject, block: str) -> str:
    """What the matrix is, for a caption."""
    layers = subject.settings.depth
    if block == "state":
        size = numbers_of(subject.size)
        return f"All states of {_layers(layers)} after a step, taken as independent: {size} × {size} numbers."
    size = layers * subject.settings.hidden_size
    return f"The states h of {_layers(layers)} after a step, others held fixed: {size} × {size} numbers."


def _layers(count: int) -> str:
    return "the layer" if count == 1 else f"all {count} layers"
