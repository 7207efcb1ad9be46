"""Sentences of the pages that ask why: every number in them is read off the tables they stand beside."""

import math

import numpy as np
import pandas as pd

from gradlab.cells import CELLS
from gradlab.charts.theme import power_of_ten
from gradlab.experiment import Experiment
from gradlab.paths import Microscope
from gradlab.ui.cached_paths import Parts

CARRIES = 0.95  # share from which the direct path may pass for the whole gradient
ROUTES = {"direct": "the additive path", "recurrent": "the recurrent weight U", "h to c": "h → c"}


def route_title(route: str) -> str:
    """What a route is called on a page."""
    return ROUTES.get(route, f"the {route.replace('_', ' ')} {'path' if route == 'candidate' else 'gate'}")


def number(log10_value: float) -> str:
    """A power of ten in a sentence, where no line breaks behind its minus."""
    return power_of_ten(log10_value).replace("e-", "e−")


def percent(share: float) -> str:
    """A share in words: tiny ones as powers of ten."""
    if not math.isfinite(share):
        return "no share (nothing arrives)"
    if 0 < abs(share) < 5e-4:
        return ("−" if share < 0 else "") + number(math.log10(abs(share)))
    return f"{share:.1%}".replace("-", "−")


def half_life(experiment: Experiment) -> str:
    """What the forget bias alone would give: σ(b) a step."""
    if "forget_bias" in experiment.unused():
        return ""
    if experiment.forget_bias is None:
        return "Forget bias as drawn, around 0: a gate at σ(0) = 0.5 halves the direct path at every step."
    keep = 1 / (1 + math.exp(-experiment.forget_bias))
    steps = math.log(2) / -math.log(keep) if keep < 1 else math.inf
    return (
        f"A forget bias of {experiment.forget_bias:g} sets the resting gate to σ(b) = {keep:.3f}: the direct path "
        f"halves every **{steps:.3g} steps**."
    )


def of_parts(experiment: Experiment, parts: Parts) -> str:
    """Where the gradient changes over from around U to through it."""
    at = parts.at_lag
    title = CELLS[experiment.cell].title
    share = at["share"]
    named = at["log10_norm"].drop(index="total")
    text = (
        f"{title}, lag {parts.lag}: the direct path carries **{percent(share['direct'])}** of what arrives "
        f"({number(at['log10_norm']['direct'])} of {number(at['log10_norm']['total'])}); "
    )
    largest = share.drop(index=["total", "direct"]).abs()
    if largest.notna().any() and share["direct"] < CARRIES:
        most = largest.idxmax()
        how = f"more than {len(named) - 2} times" if most == "rest" else f"{most.split()[-1]} times"
        text += f"the largest share, {percent(share[most])}, passed U {how}. "
    return text + change_over(parts)


def change_over(parts: Parts) -> str:
    """The smallest lag from which on the direct path has less than half."""
    direct = parts.shares[parts.shares["path"] == "direct"].sort_values("lag")
    below = direct.loc[(direct["share"] < 0.5) & (direct["lag"] > 0), "lag"]
    if below.empty:
        return "At every lag most of the gradient goes around U."
    return f"From lag {int(below.iloc[0])} on, most of the gradient goes through U and not around it."


def at_biases(table: pd.DataFrame) -> str:
    """The direct share at several forget biases."""
    lag = int(table["lag"].iloc[0])
    pieces = [
        f"at {row.bias:g} **{percent(row.share)}** ({number(row.log10_direct)} of {number(row.log10_total)})"
        for row in table.itertuples()
    ]
    return f"Share of the direct path in what arrives from lag {lag}, by forget bias: {'; '.join(pieces)}."


def textbook(experiment: Experiment, parts: Parts, rnn_left: float, verdict: str) -> list[tuple[bool, str]]:
    """Sentences that textbooks use, each with whether it holds at these settings and the numbers that decide."""
    at, lag = parts.at_lag, parts.lag
    title = CELLS[experiment.cell].title
    share = at["share"]["direct"]
    total = at["log10_relative"]["total"]
    gates = "∂c_T/∂c_t is the product of the forget gates"
    product = gates if experiment.cell == "lstm" else "the gradient is the product of the gates that keep the state"
    return [
        (
            share >= CARRIES,
            f"“{product}”: the product is the direct path, {percent(share)} of the gradient at lag {lag}.",
        ),
        (verdict in ("steady", "exploding"), f"“The {title}'s gradient does not vanish”: it is {verdict} here."),
        (total > rnn_left, f"“It keeps more than the RNN”: {number(total)} against {number(rnn_left)} at lag {lag}."),
    ]


def of_cuts(left: pd.DataFrame, lag: int) -> str:
    """What each cut leaves at a lag."""
    at = left[left["lag"] == lag].set_index("path")["log10_relative"]
    cuts = [f"{name}: {number(value)}" for name, value in at.items() if name != "total"]
    return f"At lag {lag} the whole is {number(at['total'])}. " + (f"Left {'; '.join(cuts)}." if cuts else "")


def of_one_unit(table: pd.DataFrame, weight: float, gate: float) -> str:
    """Both powers at the far end, and how far the engine is from them."""
    first = table[table["step"] == 0].set_index("cell")
    finite = table[np.isfinite(table["log10_formula"])]
    off = float((finite["log10_norm"] - finite["log10_formula"]).abs().max()) * math.log(10)
    lag = int(first["lag"].iloc[0])
    return (
        f"After {lag} steps the weight {weight:g} alone leaves {number(first['log10_norm']['rnn_linear'])}; "
        f"behind a gate "
        f"of {gate:g} it leaves {number(first['log10_norm']['gru'])}. Computed and formula differ by at most "
        f"{off:.0e}, "
        "relative."
    ).replace("e-", "e−")


def of_units(scope: Microscope) -> str:
    """The longest and the shortest memory, and how many gates are saturated."""
    units = scope.units
    longest, shortest = units.iloc[0], units.iloc[-1]
    saturated = {name.removesuffix("_saturated"): units[name].mean() for name in units if name.endswith("_saturated")}
    gates = "; ".join(f"{name} {share:.0%}" for name, share in saturated.items())
    text = (
        f"{CELLS[scope.cell].title}, layer {scope.layer}: the direct path of unit {int(longest['unit'])} halves in "
        f"**{_steps(longest['half_life'])}**, the longest; of unit {int(shortest['unit'])} in "
        f"{_steps(shortest['half_life'])}, the shortest."
    )
    return text + (f" Gates below 0.1 or above 0.9: {gates}." if gates else " It has no gates.")


def of_unit(scope: Microscope, unit: int) -> str:
    """One unit in a sentence."""
    row = scope.units.set_index("unit").loc[unit]
    gradient = scope.values["log10 gradient"][:, unit]
    return (
        f"Unit {unit} is number {int(row['rank']) + 1} of {len(scope.units)} by memory; its direct path halves in "
        f"{_steps(row['half_life'])}. The size of its own gradient is {number(gradient[-1])} at the last step and "
        f"{number(gradient[0])} at the first."
    )


def _steps(half_life: float) -> str:
    if half_life == 0:
        return "no time at all (nothing is kept)"
    return "no number of steps (nothing is lost)" if not math.isfinite(half_life) else f"{half_life:.3g} steps"


def of_edges(table: pd.DataFrame) -> str:
    """How the horizontal flow divides at the earliest step shown."""
    at = table[(table["step"] == table["step"].min()) & (table["layer"] == 0)].set_index("edge")["log10_relative"]
    lag = int(table["lag"].max())
    if "recurrent" not in at:
        return "The last step: the loss enters here."
    return (
        f"At lag {lag}, in the lowest layer, {number(at['recurrent'])} comes back through U and "
        f"{number(at['direct'])} by "
        f"the additive path."
    )
