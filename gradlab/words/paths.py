"""Sentences of the pages that ask why: every number is read from the records and tables given."""

import math
from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from gradlab.analyses.paths import ChangeOver, Microscope, Passes, Summary, Textbook
from gradlab.cells import CELLS, SATURATED
from gradlab.cells.contract import additive_name, keep_of
from gradlab.settings.conflicts import bias_to_keep
from gradlab.settings.initializations import gate_at_rest, kept_at_rest
from gradlab.settings.subject import Subject
from gradlab.words.flow import NOTHING_INJECTED
from gradlab.words.how_to_read import Reading
from gradlab.words.numbers import counted, number, rounded, signed, up_to_one
from gradlab.words.routes import line_title

VERDICTS = {True: ":green[**holds**]", False: ":red[**does not hold**]", None: ":gray[**cannot be said**]"}
COMPARED = ("rnn", "lstm", "gru", "lstm_squashed")  # the last is the control


def _nothing(log10_total: float) -> str:
    """Why no path has a share of the gradient."""
    return "nothing arrives" if log10_total == -math.inf else "the gradient is not finite"


def percent(share: float) -> str:
    """A finite share in words: tiny ones as powers of ten."""
    if 0 < abs(share) < 5e-4:
        return ("−" if share < 0 else "") + number(math.log10(abs(share)))
    return f"{share:.1%}".replace("-", "−")


def networks_compared(subjects: Sequence[Subject]) -> str:
    """What the networks of the first picture have in common, and what the control is."""
    if any("initialization" in subject.unused() for subject in subjects):  # weights that were learned
        return "Gradients of h, bottom layer. A cell that was not trained has initial weights."
    return (
        "Gradients of h, bottom layer; all networks read the same input and are drawn from the same seed. The squashed "
        "LSTM is the control: gates and weights of the LSTM, but with a tanh around its additive update."
    )


def what_parts_are(subject: Subject) -> str:
    """Which gradient the second and third figure show, and what its parts are called."""
    state = additive_name(CELLS[subject.settings.cell])
    return (
        f"From here on: the last loss's gradient alone, of {state} in the bottom layer. Lag: steps back from there. "
        "Direct: came back by "
        "the additive update and never passed through the recurrent weight U; order k: passed through U k times; rest: "
        "more often. Parts are vectors: they add up, their norms do not, and a share below 0 points against the total."
    )


def resting_gate(subject: Subject, summary: Summary) -> str:
    """The resting value of the gate that keeps, under its bias, and the measured half-life of the direct path."""
    if summary.half_life is None:
        return ""
    does = "halves" if summary.half_life > 0 else "doubles"
    fate = f"{does} every **{_steps(summary.half_life)}** of lag"
    measured = f"direct path of this network {fate if math.isfinite(summary.half_life) else 'loses nothing'}."
    cell = CELLS[subject.settings.cell]
    if "keep_bias" in subject.unused():
        return f"The {measured}"
    bias = bias_to_keep(subject.settings)
    if bias is None:
        return f"Default keep-gate bias, around 0: the gate's resting value is near σ(0) = 0.5. The {measured}"
    gate = gate_at_rest(cell, bias)
    sigma = "σ(b) = " if math.isclose(gate, 1 / (1 + math.exp(-bias))) else ""  # a hard gate has another
    keep = kept_at_rest(cell, bias) if keep_of(cell) else gate
    kept = "" if math.isclose(gate, keep) else f", of which the cell, at rest, makes a factor of {keep:.3f}"
    alone = f"halve the direct path every **{_steps(math.log(2) / math.log(keep))}**" if keep < 1 else "lose nothing"
    rests = f"A keep-gate bias of {bias:g} puts the gate's resting value at {sigma}{up_to_one(gate, 3)}{kept}"
    return f"{rests}, which alone would {alone}. The {measured}"


def of_parts(summary: Summary) -> str:
    """Where the gradient changes over from around U to through it."""
    orders = len(summary.share) - 3  # beside direct, rest and total
    if math.isnan(summary.share["direct"]):
        text = f"{CELLS[summary.cell].title}, lag {summary.lag}: {_nothing(summary.log10_norm['total'])}."
        return f"{text} {change_over(summary.change_over)}" if summary.change_over.known else text
    share = percent(summary.share["direct"])
    text = (
        f"{CELLS[summary.cell].title}, lag {summary.lag}: the direct path makes up **{share}** of "
        f"what arrives (its norm is {number(summary.log10_norm['direct'])}, that of the total "
        f"{number(summary.log10_norm['total'])}). "
    )
    largest = summary.largest
    if largest is not None and not summary.carries:
        how = f"more than {orders} times" if largest == "rest" else f"{largest.split()[-1]} times"
        text += f"The largest share, {percent(summary.share[largest])}, passed through U {how}. "
    return text + change_over(summary.change_over)


def of_passes(passes: Sequence[Passes]) -> str:
    """How often what arrives has passed U, and how often it took the addition instead, for every cell."""
    first = passes[0]
    pieces = [_passes(one) for one in passes]
    return f"How the gradient came back over {counted(first.lag, 'step')}, on average. {' '.join(pieces)}"


def _passes(one: Passes) -> str:
    name = f"{CELLS[one.cell].title}, {one.state}"
    if math.isnan(one.through):
        return f"{name}: nothing arrives."
    without = f", without {counted(one.left_out, 'sequence')} in which nothing arrives" if one.left_out else ""
    if one.cancels:
        range_ = dict.fromkeys(f"{passes:.1f}".replace("-", "−") for passes in (one.least, one.most))
        return (
            f"{name}: parts of opposite sign cancel, so the mean over paths, {' to '.join(range_)} times through U by "
            f"sequence, is no number of steps{without}."
        )
    if one.additions < 0.05:
        return f"{name}: through U at every step, by addition at none{without}."
    times = f"**{one.through:.1f}** times through U, **{one.additions:.1f}** times by addition"
    return f"{name}: {times}{without}."


HOW_TO_READ_PASSES = Reading(
    r"\sum_k k \, \frac{\langle g_k, g \rangle}{\langle g, g \rangle},\qquad g = \sum_k g_k,\quad"
    r" g_k \text{ passed } U \; k \text{ times}",
    "Every path back takes, at each step, either the recurrent weight U or the additive update. Each bar is the whole "
    "way back: how many of its steps went through U, and how many by addition, as a mean over all paths weighted by "
    "their share of what arrives. A gradient that passes U five times in a hundred steps was added ninety-five times.",
)


def change_over(change: ChangeOver) -> str:
    """The lag from which on less than half of the gradient takes the direct path."""
    if not change.known:
        return "Nothing arrives from any earlier step."
    all_known = change.known == change.lags
    every_lag = "At every lag" if all_known else f"At all {change.known} of {change.lags} lags from which some arrives,"
    if change.around == change.known:
        return f"{every_lag} most of the gradient goes around U."
    if not change.around:
        return f"{every_lag} most of the gradient goes through U and not around it."
    if change.lag is None:
        return (
            f"At {change.around} of {change.known} lags most of the gradient goes around U, at the others through it."
        )
    far = "" if all_known else ", as far as some arrives"
    return f"From lag {change.lag} on{far}, most of the gradient goes through U and not around it."


def at_biases(table: pd.DataFrame) -> str:
    """The direct share at several biases of the gate that keeps."""
    lag = int(table["lag"].iloc[0])
    pieces = [
        f"at {bias:g} {_nothing(total)}"
        if math.isnan(share)
        else f"at {bias:g} **{percent(share)}** (norm {number(direct)} of {number(total)})"
        for bias, share, direct, total in table[["bias", "share", "log10_direct", "log10_total"]].to_numpy(float)
    ]
    return f"Share of the direct path in what arrives from lag {lag}, by keep-gate bias: {'; '.join(pieces)}."


def textbook(subject: Subject, summary: Summary, judged: Textbook) -> list[str]:
    """Textbook claims about such a cell, each with whether it holds here and the numbers that decide."""
    cell, lag, found = CELLS[summary.cell], summary.lag, judged.diagnosis
    rate = (
        ""
        if math.isnan(found.decades_per_100_steps)
        else f", {signed(found.decades_per_100_steps)} decades per 100 steps"
    )
    left = f"; {number(found.log10_left)} is left at step 0" if found.log10_left < math.inf else ""
    sentences = [
        (
            judged.keeps,
            f"“The {cell.title}'s gradient does not vanish”: that of {found.state} is {found.verdict}{rate}{left}.",
        )
    ]
    if keep_of(cell) is not None:
        sentences.insert(0, (judged.product, _gates_product(subject, summary)))
    if summary.cell != "rnn":
        kept = f"{number(judged.log10_left)} of the last loss's gradient, against {number(judged.log10_left_rnn)}"
        whole = f" ({found.state} against the RNN's h)" if len(cell.states) > 1 else ""
        sentences.append((judged.more, f"“It keeps more than the RNN”: {kept}{whole}, at lag {lag}."))
    return [f"{VERDICTS[holds]} {claim}" for holds, claim in sentences]


def _gates_product(subject: Subject, summary: Summary) -> str:
    state = additive_name(CELLS[summary.cell])
    gates = "forget gates" if summary.cell == "lstm" else "gates that keep the state"
    alone = subject.settings.depth == 1
    paths = "that product is the direct path" if alone else "the direct path is made of such products"
    claim = f"“∂{state}_T/∂{state}_t is the product of the {gates}”"
    if summary.lag == 0:
        return f"{claim}: the loss enters at step 0 alone, so nothing comes back."
    if math.isnan(summary.share["direct"]):
        return (
            f"{claim}: at lag {summary.lag} the gradient is exactly zero or not finite, so no path has a share of it."
        )
    return f"{claim}: {paths}; it makes up {percent(summary.share['direct'])} of the gradient at lag {summary.lag}."


def of_cuts(left: pd.DataFrame, cell: str, lag: int) -> str:
    """What each cut of one cell leaves at a lag."""
    at = left[(left["lag"] == lag) & (left["cell"] == cell)].set_index("path")["log10_relative"]
    cuts = [f"{line_title(str(path))}: **{number(value)}**" for path, value in at.items() if path != "total"]
    whole = f"Of the last loss's gradient, **{number(at['total'])}** arrives from lag {lag} by all routes"
    return f"{whole}; {'; '.join(cuts)}." if cuts else f"{whole}."


def of_one_unit(table: pd.DataFrame, weight: float, gate: float) -> str:
    """Both powers at the far end, and how far the engine is from them."""
    first = table[table["step"] == 0].set_index("cell")
    finite = table[np.isfinite(table["log10_formula"])]
    off = float((finite["log10_norm"] - finite["log10_formula"]).abs().max()) * math.log(10)
    lag = int(first["lag"].iloc[0])
    alone, gated = (number(first["log10_norm"][cell]) for cell in ("rnn_linear", "gru"))
    return (
        f"{counted(lag, 'step')} back the weight {weight:g} alone leaves {alone} of the gradient; behind a gate of "
        f"{gate:g} it leaves {gated}. Computed and formula differ by at most "
        f"{number(math.log10(off)) if off else 'nothing'}, relative."
    )


def one_unit_title(weight: float, gate: float, steps: int) -> str:
    return f"One unit over {counted(steps, 'step')}: w = {weight:g}, gate z = {gate:g}"


def of_units(scope: Microscope) -> str:
    """The longest and the shortest memory, and how many gates are saturated."""
    units = scope.units
    longest, shortest = units.iloc[0], units.iloc[-1]
    shares = {gate: units[f"{gate}_saturated"].mean() for gate in CELLS[scope.cell].gates}
    gates = "; ".join(f"{name} {share:.0%}" for name, share in shares.items())
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


def of_quantity(scope: Microscope, quantity: str) -> str:
    """The range of a quantity over all units and steps, and its mean; of logarithms, the range of what they are of."""
    values = scope.values[quantity][np.isfinite(scope.values[quantity])]
    if not len(values):
        return f"{quantity} is finite nowhere."
    if quantity.startswith("log10 "):
        low, high = (number(float(end)) for end in (values.min(), values.max()))
        return f"The size of a unit's {quantity.removeprefix('log10 ')} runs from {low} to {high} over units and steps."
    most = float(np.abs(values).max()) or 1.0
    mean = (values / most).mean() * most  # a sum of large values may overflow
    low, mean, high = (f"{value:.2g}".replace("-", "−") for value in (values.min(), mean, values.max()))
    return f"{quantity} runs from {low} to {high} over units and steps; its mean is {mean}."


def of_unit(scope: Microscope, unit: int) -> str:
    """One unit in a sentence."""
    units = scope.units
    row = units[units["unit"] == unit].iloc[0]
    gradient = scope.values["log10 gradient"][:, unit]
    return (
        f"Unit {unit} ranks {int(row['rank']) + 1} of {len(units)} by memory; its direct path "
        f"{_fate(row['half_life'])}. The size of its gradient is {number(gradient[-1])} at the last step and "
        f"{number(gradient[0])} at the first."
    )


def _fate(half_life: float) -> str:
    """How a path of this half-life decays or grows."""
    if half_life == 0:
        return "keeps nothing"
    if not math.isfinite(half_life):
        return "loses nothing"
    return f"{'halves' if half_life > 0 else 'doubles'} in **{_steps(half_life)}**"


def _steps(half_life: float) -> str:
    return counted(rounded(abs(half_life)), "step")


def of_edges(table: pd.DataFrame, loss_steps: Collection[int]) -> str:
    """How the horizontal flow divides at the earliest step shown; the loss enters at the steps given."""
    step, lag = int(table["step"].min()), int(table["lag"].max())
    at = table[(table["step"] == step) & (table["layer"] == 0)]
    if not len(loss_steps):
        return NOTHING_INJECTED
    if "recurrent" not in set(at["edge"]):
        return f"Step {step} is the last: the loss enters {'here' if step in loss_steps else 'at earlier steps alone'}."
    if step > max(loss_steps):
        return f"The loss enters at step {max(loss_steps)} at the latest: at the steps shown there is no gradient."
    state = additive_name(CELLS[str(table["cell"].iloc[0])])
    sizes = at.set_index(["edge", "state"])["log10_relative"]
    return (
        f"Lag {lag}, bottom layer: of the injected gradient, {number(sizes['recurrent', 'h'])} comes back to h through "
        f"U and {number(sizes['direct', state])} to {state} by the additive path."
    )
