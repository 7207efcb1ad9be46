"""Sentences about product Jacobians: how many directions of the gradient survive."""

import math

from gradlab.analyses.jacobians import STEEPEST, Farthest, numbers_of
from gradlab.settings.subject import Subject
from gradlab.words.how_to_read import Reading
from gradlab.words.languages import N_, _
from gradlab.words.numbers import counted, number

BLOCKS = {"full state": "state", "h alone": "h"}  # what the page offers, as `singular_values_by_lag` calls it
TITLES = {"state": N_("Product Jacobians of the full state"), "h": N_("Product Jacobians of the h alone")}
HOW_TO_READ = Reading(
    r"J_t = \frac{\partial s_T}{\partial s_t} = A_T A_{T-1} \cdots A_{t+1},\qquad \sigma_k(J_t),\qquad"
    r" \sigma_1(J_t) \le \big(\gamma\, \sigma_1(U)\big)^{T-t}",
    N_(
        "One thin line per singular value: the factor by which the gradient along one direction grows or shrinks going "
        "back; at lag 0 all are 1. Where lines spread, few directions carry the gradient. The bold line is the norm of "
        "one random unit cotangent carried back, ‖Jᵀv‖. Values below n·ε times the largest of their step are lost to "
        "rounding and left out, so small ones end early. The dashed bound, the spectral norm of U to the power of the "
        "lag, holds for one layer φ(W x + U h + b) with |φ'| ≤ γ (Pascanu et al. 2013); other cells have none."
    ),
    N_("how fast the lines fan out: the wider they spread, the fewer directions carry the gradient."),
)


def of_singular_values(subject: Subject, block: str, farthest: Farthest) -> str:
    """The range of the singular values at the farthest lag, and their bound."""
    symbol = "h" if block == "h" else "s"
    jacobian = _("∂{s}_T/∂{s}_t, {steps} back").format(s=symbol, steps=counted(farthest.lag, "step"))
    if math.isnan(farthest.largest):
        text = _("{cell}: {jacobian} is undefined, since the forward pass overflows.")
        return text.format(cell=subject.title, jacobian=jacobian)
    if not farthest.resolved:
        text = _("{cell}: {jacobian} is exactly 0: no direction arrives. {bound}")
        return text.format(cell=subject.title, jacobian=jacobian, bound=_bound(subject, farthest))
    below = farthest.count - farthest.resolved - farthest.zero
    lost = ((farthest.zero, _("; {some} of {all} are exactly 0")), (below, _("; {some} of {all} are lost to rounding")))
    text = _(
        "{cell}: the singular values of {jacobian}, run from **{largest}** down to {smallest}{rest}. Directions that "
        "keep more than half their norm: **{some} of {all}**. A random cotangent keeps {kept}. {bound}"
    )
    return text.format(
        cell=subject.title, jacobian=jacobian, largest=number(farthest.largest), smallest=number(farthest.smallest),
        rest="".join(of.format(some=some, all=farthest.count) for some, of in lost if some), some=farthest.keep_half,
        all=farthest.count, kept=number(farthest.cotangent), bound=_bound(subject, farthest),
    )  # fmt: skip


def _bound(subject: Subject, farthest: Farthest) -> str:
    if farthest.bound is not None:
        return _("The spectral norm of U bounds them all by {bound}.").format(bound=number(farthest.bound))
    if subject.settings.cell in STEEPEST:
        return _("No bound is drawn: a power of the spectral norm of U bounds one layer, not a stack.")
    text = _("No bound is drawn: a power of the spectral norm of U does not bound the {cell}.")
    return text.format(cell=subject.title)


def size_of_block(subject: Subject, block: str) -> str:
    """What the matrix is, for a caption."""
    layers = subject.settings.depth
    if block == "state":
        size = numbers_of(subject.size)
        text = _("All states of {layers} after a step, taken as independent: {size} × {size} numbers.")
    else:
        size = layers * subject.settings.hidden_size
        text = _("The states h of {layers} after a step, others held fixed: {size} × {size} numbers.")
    return text.format(layers=_layers(layers), size=size)


def _layers(count: int) -> str:
    return _("the layer") if count == 1 else _("all {count} layers").format(count=count)
