"""Sentences about the curse of memory: how violently a unit reacts to its weight, and what a remedy leaves of that."""

import math
from typing import NamedTuple

import pandas as pd

from gradlab.analyses.remembering import NAIVE, NORMALISED, REMEDY, SENSITIVITY, VARIANCE
from gradlab.words.how_to_read import Reading
from gradlab.words.languages import N_, _
from gradlab.words.numbers import number, rounded

MOVED = 0.001  # of λ, or of ν
HOW_TO_READ = Reading(
    r"h_t = \lambda h_{t-1} + x_t:\;\;"
    r" \mathrm{E}\Big(\frac{dh}{d\lambda}\Big)^2 = \frac{1 + \lambda^2}{(1 - \lambda^2)^3}"
    r"\qquad h_t = \lambda h_{t-1} + \sqrt{1 - \lambda^2}\,x_t,\; \lambda = e^{-e^\nu}:\;\;"
    r" \mathrm{E}\Big(\frac{dh}{d\nu}\Big)^2 \to \tfrac12",
    N_(
        "How much the state of one linear unit moves with its parameter, mean square over white inputs of variance 1. "
        "Lines: the formula; dots: the engine's adjoint, with bars of two standard errors. As it stands the "
        "sensitivity grows with the cube of the memory; with the input normalised and λ = exp(−exp ν) it stays "
        "(Zucchet & Orvieto 2024). The factor √(1 − λ²) is held while λ moves."
    ),
    N_("the right end: one line climbs with the memory, the other stays level."),
)


def of_curse(table: pd.DataFrame, eigenvalue: float) -> str:
    """How long the unit remembers, and how far a small change of its weight moves its state."""
    values = _values(_found(table, NAIVE, eigenvalue, SENSITIVITY))
    text = _(
        "λ = {eigenvalue} remembers for about {length} steps. No gradient explodes: ∂h_T/∂h_t is λ to the power of the "
        "lag, at most 1. Yet E (dh/dλ)² is **{measured}** (formula: {predicted}): moving λ by {by} moves the state by "
        "**{moved}** of its standard deviation."
    )
    return text.format(eigenvalue=f"{eigenvalue:g}", length=f"{1 / (1 - eigenvalue):,.0f}", **values)


def of_remedy(table: pd.DataFrame, eigenvalue: float) -> str:
    """What normalising the input and another parameter leave."""
    text = _(
        "With the input times √(1 − λ²) and λ = exp(−exp ν), E (dh/dν)² is **{measured}** (formula: {predicted}): "
        "moving ν by {by} moves the state by {moved} of its standard deviation."
    )
    return text.format(**_values(_found(table, REMEDY, eigenvalue, NORMALISED)))


class _Found(NamedTuple):
    """What was measured of one parametrization at one eigenvalue."""

    sensitivity: float
    predicted: float
    moved: float  # by how much of its standard deviation the state moves with `MOVED`


def _found(table: pd.DataFrame, parametrization: str, eigenvalue: float, quantity: str) -> _Found:
    rows = table[(table["parametrization"] == parametrization) & (table["eigenvalue"] == eigenvalue)]
    values = rows.set_index("quantity")[["measured", "predicted"]].astype(float).T.to_dict()
    sensitivity = values[quantity]["measured"]
    moved = MOVED * math.sqrt(sensitivity / values[VARIANCE]["measured"])
    return _Found(sensitivity, values[quantity]["predicted"], moved)


def _values(found: _Found) -> dict[str, str]:
    """The fields of a sentence."""
    sizes = {"measured": number(math.log10(found.sensitivity)), "predicted": number(math.log10(found.predicted))}
    return sizes | {"by": str(MOVED), "moved": _percent(found.moved)}


def _percent(share: float) -> str:
    return f"{rounded(100 * share)}%"
