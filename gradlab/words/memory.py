"""Sentences about the curse of memory: how violently a unit reacts to its weight, and what a remedy leaves of that."""

import math

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
)


def of_curse(table: pd.DataFrame, eigenvalue: float) -> str:
    """How long the unit remembers, and how far a small change of its weight moves its state."""
    found = _at(table, NAIVE, eigenvalue)
    moved = MOVED * math.sqrt(found.loc[SENSITIVITY, "measured"] / found.loc[VARIANCE, "measured"])
    text = _(
        "λ = {eigenvalue} remembers for about {length} steps. No gradient explodes: ∂h_T/∂h_t is λ to the power of the "
        "lag, at most 1. Yet E (dh/dλ)² is **{measured}** (formula: {predicted}): moving λ by {by} moves the state by "
        "**{moved}** of its standard deviation."
    )
    values = _values(found, SENSITIVITY) | {"by": str(MOVED), "moved": _percent(moved)}
    return text.format(eigenvalue=f"{eigenvalue:g}", length=f"{1 / (1 - eigenvalue):,.0f}", **values)


def of_remedy(table: pd.DataFrame, eigenvalue: float) -> str:
    """What normalising the input and another parameter leave."""
    found = _at(table, REMEDY, eigenvalue)
    moved = MOVED * math.sqrt(found.loc[NORMALISED, "measured"] / found.loc[VARIANCE, "measured"])
    text = _(
        "With the input times √(1 − λ²) and λ = exp(−exp ν), E (dh/dν)² is **{measured}** (formula: {predicted}): "
        "moving ν by {by} moves the state by {moved} of its standard deviation."
    )
    return text.format(by=MOVED, moved=_percent(moved), **_values(found, NORMALISED))


def _at(table: pd.DataFrame, parametrization: str, eigenvalue: float) -> pd.DataFrame:
    rows = table[(table["parametrization"] == parametrization) & (table["eigenvalue"] == eigenvalue)]
    return rows.set_index("quantity")


def _values(found: pd.DataFrame, quantity: str) -> dict[str, str]:
    return {name: number(math.log10(found.loc[quantity, name])) for name in ("measured", "predicted")}


def _percent(share: float) -> str:
    return f"{rounded(100 * share)} %"
