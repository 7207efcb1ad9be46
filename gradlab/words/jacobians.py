"""Sentences about product Jacobians: how many directions of the gradient survive."""

import math

from gradlab.analyses.jacobians import STEEPEST, Farthest, numbers_of
from gradlab.settings.subject import Subject
from gradlab.words.how_to_read import Reading
from gradlab.words.numbers import counted, number

BLOCKS = {"full state": "state", "h alone": "h"}  # what the page offers, as `singular_values_by_lag` calls it
HOW_TO_READ = Reading(
    r"J_t = \frac{\partial s_T}{\partial s_t} = A_T A_{T-1} \cdots A_{t+1},\qquad \sigma_k(J_t),\qquad"
    r" \sigma_1(J_t) \le \big(\gamma\, \sigma_1(U)\big)^{T-t}",
    "One thin line per singular value: the factor by which the gradient along one direction grows or shrinks going "
    "back; at lag 0 all are 1. Where lines spread, few directions carry the gradient. The bold line is the norm of "
    "one random unit cotangent carried back, ‖Jᵀv‖. Values below n·ε times the largest of their step are lost to "
    "rounding and left out, so small ones end early. The dashed bound, the spectral norm of U to the power of the "
    "lag, holds for one layer φ(W x + U h + b) with |φ'| ≤ γ (Pascanu et al. 2013); other cells have none.",
)


def of_singular_values(subject: Subject, block: str, farthest: Farthest) -> str:
    """The range of the singular values at the farthest lag, and their bound."""
    symbol = "h" if block == "h" else "s"
    jacobian = f"∂{symbol}_T/∂{symbol}_t, {counted(farthest.lag, 'step')} back"
    if math.isnan(farthest.largest):
        return f"{subject.title}: {jacobian} is undefined, since the forward pass overflows."
    if not farthest.resolved:
        return f"{subject.title}: {jacobian} is exactly 0: no direction arrives. {_bound(subject, farthest)}"
    below = farthest.count - farthest.resolved - farthest.zero
    rest = "".join(
        f"; {some} of {farthest.count} are {what}"
        for some, what in ((farthest.zero, "exactly 0"), (below, "lost to rounding"))
        if some
    )
    return (
        f"{subject.title}: the singular values of {jacobian}, run from **{number(farthest.largest)}** down to "
        f"{number(farthest.smallest)}{rest}. Directions that keep more than half their norm: **{farthest.keep_half} of "
        f"{farthest.count}**. A random cotangent keeps {number(farthest.cotangent)}. {_bound(subject, farthest)}"
    )


def _bound(subject: Subject, farthest: Farthest) -> str:
    if farthest.bound is not None:
        return f"The spectral norm of U bounds them all by {number(farthest.bound)}."
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
