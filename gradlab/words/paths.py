"""Sentences of the pages that ask why: every number in them is read off the tables they stand beside."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from gradlab.analyses.paths import Microscope
from gradlab.cells import CELLS, SATURATED
from gradlab.cells.contract import additive_state, keep_of
from gradlab.settings.experiment import Experiment
from gradlab.settings.trained import Trained
from gradlab.ui.cached_paths import Parts
from gradlab.words.numbers import power_of_ten

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


def networks_compared(experiments: Sequence[Experiment]) -> str:
    """What the networks of the first picture have in common, and what the control is."""
    if any(isinstance(experiment, Trained) for experiment in experiments):
        return "Gradients of h, lowest layer. A cell that was not trained has initial weights."
    return (
        "Gradients of h, lowest layer; all read the same input and are drawn from the same seed. The squashed LSTM is "
        "the control: the LSTM's own gates and weights, but its sum goes through a tanh."
    )


def what_parts_are(experiment: Experiment) -> str:
    """The words of the second and third picture."""
    cell = CELLS[experiment.cell]
    state = cell.states[additive_state(cell)]
    return (
        f"From here on the gradient of {state} in the lowest layer. Lag: steps before the last. Direct: what came back "
        "by the additive update and never passed the recurrent weight U; order k: what passed U k times; rest: more "
        "often. Parts are vectors: they add up, their norms do not, and a share below 0 points against the whole."
    )


def resting_gate(experiment: Experiment, parts: Parts) -> str:
    """Where the forget bias alone would hold the gate, and how fast the direct path of this network really halves."""
    if parts.direct_half_life is None:
        return ""
    does = "halves" if parts.direct_half_life > 0 else "doubles"
    fate = f"{does} every **{_steps(parts.direct_half_life)}** of lag"
    measured = f"direct path of this network {fate if math.isfinite(parts.direct_half_life) else 'loses nothing'}."
    if "forget_bias" in experiment.unused():
        return f"The {measured}"
    if experiment.forget_bias is None:
        return f"Forget bias as drawn, around 0: a gate at rest stands near σ(0) = 0.5. The {measured}"
    keep = 1 / (1 + math.exp(-experiment.forget_bias))
    steps = math.log(2) / -math.log(keep) if keep < 1 else math.inf
    return (
        f"A forget bias of {experiment.forget_bias:g} rests the gate at σ(b) = {keep:.3f}, which alone would halve a "
        f"path every **{steps:.3g} steps**. The {measured}"
    )


def of_parts(experiment: Experiment, parts: Parts) -> str:
    """Where the gradient changes over from around U to through it."""
    at = parts.at_lag
    title = CELLS[experiment.cell].title
    share = at["share"]
    orders = len(at) - 3  # beside direct, rest and total
    text = (
        f"{title}, lag {parts.lag}: the direct path makes up **{percent(share['direct'])}** of what arrives "
        f"(its norm is {number(at['log10_norm']['direct'])}, that of the whole {number(at['log10_norm']['total'])}). "
    )
    largest = share.drop(index=["total", "direct"]).abs()
    if largest.notna().any() and share["direct"] < CARRIES:
        most = largest.idxmax()
        how = f"more than {orders} times" if most == "rest" else f"{most.split()[-1]} times"
        text += f"The largest share, {percent(share[most])}, passed U {how}. "
    return text + change_over(parts.direct)


def change_over(direct: pd.DataFrame) -> str:
    """The lag from which on the direct path has less than half at every lag; columns lag and share."""
    known = direct[direct["share"].notna() & (direct["lag"] > 0)]
    if known.empty:
        return "Nothing arrives from any earlier step."
    around = known.loc[known["share"] >= 0.5, "lag"]
    if len(around) == len(known):
        return "At every lag most of the gradient goes around U."
    if around.empty:
        return "At every lag most of the gradient goes through U and not around it."
    if around.max() == known["lag"].max():
        return f"At {len(around)} of {len(known)} lags most of the gradient goes around U, at the others through it."
    return f"From lag {int(around.max()) + 1} on, most of the gradient goes through U and not around it."


def at_biases(table: pd.DataFrame) -> str:
    """The direct share at several forget biases."""
    lag = int(table["lag"].iloc[0])
    pieces = [
        f"at {row.bias:g} **{percent(row.share)}** (norm {number(row.log10_direct)} of {number(row.log10_total)})"
        for row in table.itertuples()
    ]
    return f"Share of the direct path in what arrives from lag {lag}, by forget bias: {'; '.join(pieces)}."


def textbook(experiment: Experiment, parts: Parts, rnn_left: float, verdict: str) -> list[tuple[bool, str]]:
    """Sentences that textbooks use of such a cell, each with whether it holds here and the numbers that decide."""
    at, lag, cell = parts.at_lag, parts.lag, CELLS[experiment.cell]
    share, apart = at["share"]["direct"], at["log10_norm"]["total"] - at["log10_norm"]["direct"]
    total = at["log10_relative"]["total"]
    found = []
    if keep_of(cell) is not None:
        state = cell.states[additive_state(cell)]
        gates = "forget gates" if experiment.cell == "lstm" else "gates that keep the state"
        paths = "that product is the direct path" if experiment.depth == 1 else "the direct path, of such products,"
        verb = "" if experiment.depth == 1 else " is"
        found.append(
            (
                CARRIES <= share <= 1 / CARRIES and abs(apart) <= -math.log10(CARRIES),
                f"“∂{state}_T/∂{state}_t is the product of the {gates}”: {paths}{verb or ','} {percent(share)} of the "
                f"gradient at lag {lag}, with {10**-apart:.3g} times its norm.",
            )
        )
    found.append(
        (verdict in ("steady", "exploding"), f"“The {cell.title}'s gradient does not vanish”: h's is {verdict} here.")
    )
    if experiment.cell != "rnn":
        found.append(
            (
                total > rnn_left,
                f"“It keeps more than the RNN”: {number(total)} of what the loss put in, against {number(rnn_left)}, "
                f"at lag {lag}.",
            )
        )
    return found


def of_cuts(left: pd.DataFrame, lag: int) -> str:
    """What each cut leaves at a lag."""
    at = left[left["lag"] == lag].set_index("path")["log10_relative"]
    cuts = [f"{name}: **{number(value)}**" for name, value in at.items() if name != "total"]
    whole = f"Of what the loss put in, **{number(at['total'])}** arrives from lag {lag} by all routes"
    return f"{whole}; {'; '.join(cuts)}." if cuts else f"{whole}."


def of_one_unit(table: pd.DataFrame, weight: float, gate: float) -> str:
    """Both powers at the far end, and how far the engine is from them."""
    first = table[table["step"] == 0].set_index("cell")
    finite = table[np.isfinite(table["log10_formula"])]
    off = float((finite["log10_norm"] - finite["log10_formula"]).abs().max()) * math.log(10)
    lag = int(first["lag"].iloc[0])
    return (
        f"{lag} steps back the weight {weight:g} alone leaves {number(first['log10_norm']['rnn_linear'])} of the "
        f"gradient; behind a gate of {gate:g} it leaves {number(first['log10_norm']['gru'])}. Computed and formula "
        f"differ by at most {off:.0e}, relative."
    ).replace("e-", "e−")


def of_units(scope: Microscope) -> str:
    """The longest and the shortest memory, and how many gates are saturated."""
    units = scope.units
    longest, shortest = units.iloc[0], units.iloc[-1]
    saturated = {name.removesuffix("_saturated"): units[name].mean() for name in units if name.endswith("_saturated")}
    gates = "; ".join(f"{name} {share:.0%}" for name, share in saturated.items())
    title = f"{CELLS[scope.cell].title}, layer {scope.layer}"
    if longest["half_life"] == shortest["half_life"]:
        text = f"{title}: the direct path of every unit {_fate(longest['half_life'])}."
    else:
        text = (
            f"{title}: the direct path of unit {int(longest['unit'])}, the longest memory, "
            f"{_fate(longest['half_life'])}; that of unit {int(shortest['unit'])}, the shortest, "
            f"{_fate(shortest['half_life'])}."
        )
    low, high = SATURATED
    return text + (f" Gates below {low:g} or above {high:g}: {gates}." if gates else " It has no gates.")


def of_unit(scope: Microscope, unit: int) -> str:
    """One unit in a sentence."""
    row = scope.units.set_index("unit").loc[unit]
    gradient = scope.values["log10 gradient"][:, unit]
    return (
        f"Unit {unit} is number {int(row['rank']) + 1} of {len(scope.units)} by memory; its direct path "
        f"{_fate(row['half_life'])}. The size of its own gradient is {number(gradient[-1])} at the last step and "
        f"{number(gradient[0])} at the first."
    )


def _fate(half_life: float) -> str:
    """What becomes of a path of this half-life."""
    if half_life == 0:
        return "keeps nothing"
    if not math.isfinite(half_life):
        return "loses nothing"
    return f"{'halves' if half_life > 0 else 'doubles'} in **{_steps(half_life)}**"


def _steps(half_life: float) -> str:
    return f"{abs(half_life):.3g} steps"


def of_edges(table: pd.DataFrame) -> str:
    """How the horizontal flow divides at the earliest step shown."""
    at = table[(table["step"] == table["step"].min()) & (table["layer"] == 0)].set_index("edge")["log10_relative"]
    lag = int(table["lag"].max())
    if "recurrent" not in at:
        return "The last step: the loss enters here."
    cell = CELLS[str(table["cell"].iloc[0])]
    state = cell.states[additive_state(cell)]
    return (
        f"Lag {lag}, lowest layer: of what the loss put in, {number(at['recurrent'])} comes back to h through U and "
        f"{number(at['direct'])} to {state} by the additive path."
    )
