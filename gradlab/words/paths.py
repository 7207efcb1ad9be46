"""Sentences of the pages that ask why: every number is read from the records and tables given."""

import math
from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.analyses.paths import ChangeOver, Microscope, Passes, Summary, Textbook
from gradlab.cells import CELLS, SATURATED
from gradlab.cells.contract import additive_name, keep_of
from gradlab.settings.conflicts import bias_to_keep
from gradlab.settings.initializations import gate_at_rest, kept_at_rest
from gradlab.settings.subject import Subject
from gradlab.words.flow import NOTHING_INJECTED
from gradlab.words.how_to_read import Reading
from gradlab.words.languages import N_, _
from gradlab.words.numbers import counted, number, rounded, signed, states_called, up_to_one
from gradlab.words.routes import line_title

VERDICTS = {True: N_(":green[**holds**]"), False: N_(":red[**does not hold**]"), None: N_(":gray[**cannot be said**]")}
COMPARED = ("rnn", "lstm", "gru", "lstm_squashed")  # the last is the control


def _nothing(log10_total: float) -> str:
    """Why no path has a share of the gradient."""
    return _("nothing arrives") if log10_total == -math.inf else _("the gradient is not finite")


def percent(share: float) -> str:
    """A finite share in words: tiny ones as powers of ten."""
    if 0 < abs(share) < 5e-4:
        return ("−" if share < 0 else "") + number(math.log10(abs(share)))
    return f"{share:.1%}".replace("-", "−")


def networks_compared(subjects: Sequence[Subject]) -> str:
    """What the networks of the first picture have in common, and what the control is."""
    if any("initialization" in subject.unused() for subject in subjects):  # weights that were learned
        return _("Gradients of h, bottom layer. A cell that was not trained has initial weights.")
    return _(
        "Gradients of h, bottom layer; all networks read the same input and are drawn from the same seed. The squashed "
        "LSTM is the control: gates and weights of the LSTM, but with a tanh around its additive update."
    )


def what_parts_are(subject: Subject) -> str:
    """Which gradient the second and third figure show, and what its parts are called."""
    state = additive_name(CELLS[subject.settings.cell])
    text = _(
        "From here on: the last loss's gradient alone, of {state} in the bottom layer. Lag: steps back from there. "
        "Direct: came back by the additive update and never passed through the recurrent weight U; order k: passed "
        "through U k times; rest: more often. Parts are vectors: they add up, their norms do not, and a share below 0 "
        "points against the total."
    )
    return text.format(state=state)


def resting_gate(subject: Subject, summary: Summary) -> str:
    """The resting value of the gate that keeps, under its bias, and the measured half-life of the direct path."""
    if summary.half_life is None:
        return ""
    text = (
        _("The direct path of this network loses nothing.")
        if not math.isfinite(summary.half_life)
        else _("The direct path of this network halves every **{steps}** of lag.")
        if summary.half_life > 0
        else _("The direct path of this network doubles every **{steps}** of lag.")
    )
    measured = text.format(steps=_steps(summary.half_life) if math.isfinite(summary.half_life) else "")
    cell = CELLS[subject.settings.cell]
    if "keep_bias" in subject.unused():
        return measured
    bias = bias_to_keep(subject.settings)
    if bias is None:
        rests = _("Default keep-gate bias, around 0: the gate's resting value is near σ(0) = 0.5.")
        return f"{rests} {measured}"
    gate = gate_at_rest(cell, bias)
    sigma = "σ(b) = " if math.isclose(gate, 1 / (1 + math.exp(-bias))) else ""  # a hard gate has another
    keep = kept_at_rest(cell, bias) if keep_of(cell) else gate
    kept = "" if math.isclose(gate, keep) else _(", of which the cell, at rest, makes a factor of {keep}")
    text = (
        _(
            "A keep-gate bias of {bias} puts the gate's resting value at {value}{kept}, which alone would halve the "
            "direct path every **{steps}**."
        )
        if keep < 1
        else _(
            "A keep-gate bias of {bias} puts the gate's resting value at {value}{kept}, which alone would lose nothing."
        )
    )
    alone = _steps(math.log(2) / math.log(keep)) if keep < 1 else ""
    value, kept = f"{sigma}{up_to_one(gate, 3)}", kept.format(keep=f"{keep:.3f}")
    return f"{text.format(bias=f'{bias:g}', value=value, kept=kept, steps=alone)} {measured}"


def of_parts(summary: Summary) -> str:
    """Where the gradient changes over from around U to through it."""
    if math.isnan(summary.share["direct"]):
        text = _("{cell}, lag {lag}: {why}.")
        why = _nothing(summary.log10_norm["total"])
        text = text.format(cell=CELLS[summary.cell].title, lag=summary.lag, why=why)
        return f"{text} {change_over(summary.change_over)}" if summary.change_over.known else text
    share = percent(summary.share["direct"])
    text = _(
        "{cell}, lag {lag}: the direct path makes up **{share}** of what arrives (its norm is {direct}, that of the "
        "total {total})."
    )
    norms = {name: number(summary.log10_norm[name]) for name in ("direct", "total")}
    sentences = [text.format(cell=CELLS[summary.cell].title, lag=summary.lag, share=share, **norms)]
    largest = summary.largest
    if largest is not None and not summary.carries:
        text = _by_passes(
            largest,
            _("The largest share, {share}, passed through U once."),
            _("The largest share, {share}, passed through U {times} times."),
            _("The largest share, {share}, passed through U more than {times} times."),
        )
        sentences.append(text.format(share=percent(summary.share[largest]), times=_times(summary, largest)))
    return " ".join([*sentences, change_over(summary.change_over)])


def of_norms(summary: Summary) -> str:
    """The norms of the whole, of the direct path and of the largest part that passed U."""
    norms = summary.log10_norm
    through = norms.drop(index=["total", "direct"])
    through = through[through > -math.inf]
    text = _("{cell}, lag {lag}: the norm of the total is {total}, that of the direct path {direct}.")
    sizes = {name: number(norms[name]) for name in ("total", "direct")}
    sentence = text.format(cell=CELLS[summary.cell].title, lag=summary.lag, **sizes)
    if through.empty:
        return sentence
    largest = str(through.idxmax())
    rest = _by_passes(
        largest,
        _("Of the parts through U the largest, {norm}, passed it once."),
        _("Of the parts through U the largest, {norm}, passed it {times} times."),
        _("Of the parts through U the largest, {norm}, passed it more than {times} times."),
    )
    return f"{sentence} {rest.format(norm=number(through[largest]), times=_times(summary, largest))}"


def _by_passes(part: str, once: str, several: str, more: str) -> str:
    """The text for how often a part passed U: "order 1", another order, or "rest", what all orders leave."""
    return {"order 1": once, "rest": more}.get(part, several)


def _times(summary: Summary, part: str) -> str:
    """How often a part passed U; of the rest, what it passed it more than."""
    return str(len(summary.share) - 3) if part == "rest" else part.split()[-1]  # beside direct, rest and total


def of_passes(passes: Sequence[Passes]) -> str:
    """How often what arrives has passed U, and how often it took the addition instead, for every cell."""
    first = passes[0]
    pieces = [_passes(one) for one in passes]
    text = _("How the gradient came back over {steps}, on average.").format(steps=counted(first.lag, "step"))
    return " ".join([text, *pieces])


def _passes(one: Passes) -> str:
    name = f"{CELLS[one.cell].title}, {one.state}"
    if math.isnan(one.through):
        return _("{name}: nothing arrives.").format(name=name)
    text = _(", without {sequences} in which nothing arrives")
    without = text.format(sequences=counted(one.left_out, "sequence")) if one.left_out else ""
    if one.cancels:
        range_ = [*dict.fromkeys(f"{passes:.1f}".replace("-", "−") for passes in (one.least, one.most))]
        text = _(
            "{name}: parts of opposite sign cancel, so the mean over paths, {times} times through U by sequence, is no "
            "number of steps{without}."
        )
        times = range_[0] if len(range_) == 1 else _("{low} to {high}").format(low=range_[0], high=range_[1])
        return text.format(name=name, times=times, without=without)
    if one.additions < 0.05:
        text = _("{name}: through U at every step, by addition at none{without}.")
        return text.format(name=name, without=without)
    text = _("{name}: **{through}** times through U, **{added}** times by addition{without}.")
    counts = {"through": f"{one.through:.1f}", "added": f"{one.additions:.1f}"}
    return text.format(name=name, without=without, **counts)


HOW_TO_READ_PASSES = Reading(
    r"\sum_k k \, \frac{\langle g_k, g \rangle}{\langle g, g \rangle},\qquad g = \sum_k g_k,\quad"
    r" g_k \text{ passed } U \; k \text{ times}",
    N_(
        "Every path back takes, at each step, either the recurrent weight U or the additive update. Each bar is the "
        "whole way back: how many of its steps went through U, and how many by addition, as a mean over all paths "
        "weighted by their share of what arrives. A gradient that passes U five times in a hundred steps was added "
        "ninety-five times."
    ),
    N_("the longer part of a bar: did the gradient come back through U, or by addition?"),
)


def change_over(change: ChangeOver) -> str:
    """The lag from which on less than half of the gradient takes the direct path."""
    if not change.known:
        return _("Nothing arrives from any earlier step.")
    all_known = change.known == change.lags
    if change.around == change.known:
        text = (
            _("At every lag most of the gradient goes around U.")
            if all_known
            else _("At all {known} of {lags} lags from which some arrives, most of the gradient goes around U.")
        )
    elif not change.around:
        text = (
            _("At every lag most of the gradient goes through U and not around it.")
            if all_known
            else _(
                "At all {known} of {lags} lags from which some arrives, most of the gradient goes through U and not "
                "around it."
            )
        )
    elif change.lag is None:
        text = _("At {around} of {known} lags most of the gradient goes around U, at the others through it.")
    else:
        text = (
            _("From lag {lag} on, most of the gradient goes through U and not around it.")
            if all_known
            else _("From lag {lag} on, as far as some arrives, most of the gradient goes through U and not around it.")
        )
    return text.format(known=change.known, lags=change.lags, around=change.around, lag=change.lag)


def at_biases(table: pd.DataFrame) -> str:
    """The direct share at several biases of the gate that keeps."""
    lag = int(table["lag"].iloc[0])
    none, some = _("at {bias} {why}"), _("at {bias} **{share}** (norm {direct} of {total})")
    pieces = [
        none.format(bias=f"{bias:g}", why=_nothing(total))
        if math.isnan(share)
        else some.format(bias=f"{bias:g}", share=percent(share), direct=number(direct), total=number(total))
        for bias, share, direct, total in table[["bias", "share", "log10_direct", "log10_total"]].to_numpy(float)
    ]
    text = _("Share of the direct path in what arrives from lag {lag}, by keep-gate bias: {shares}.")
    return text.format(lag=lag, shares="; ".join(pieces))


def textbook(subject: Subject, summary: Summary, judged: Textbook) -> list[str]:
    """Textbook claims about such a cell, each with whether it holds here and the numbers that decide."""
    cell, lag, found = CELLS[summary.cell], summary.lag, judged.diagnosis
    rate = _(", {rate} decades per 100 steps").format(rate=signed(found.decades_per_100_steps))
    left = _("; {left} is left at step 0").format(left=number(found.log10_left)) if found.log10_left < math.inf else ""
    text = _("“The {cell}'s gradient does not vanish”: that of {state} is {verdict}{rate}{left}.")
    said = text.format(
        cell=cell.title, state=states_called(found.state), verdict=_(found.verdict),
        rate="" if math.isnan(found.decades_per_100_steps) else rate, left=left,
    )  # fmt: skip
    sentences = [(judged.keeps, said)]
    if keep_of(cell) is not None:
        sentences.insert(0, (judged.product, _gates_product(subject, summary)))
    if summary.cell != "rnn":
        text = (
            _(
                "“It keeps more than the RNN”: {left} of the last loss's gradient, against {left_rnn} ({state} against "
                "the RNN's h), at lag {lag}."
            )
            if len(cell.states) > 1
            else _(
                "“It keeps more than the RNN”: {left} of the last loss's gradient, against {left_rnn}, at lag {lag}."
            )
        )
        left, left_rnn = number(judged.log10_left), number(judged.log10_left_rnn)
        said = text.format(left=left, left_rnn=left_rnn, state=states_called(found.state), lag=lag)
        sentences.append((judged.more, said))
    return [f"{_(VERDICTS[holds])} {claim}" for holds, claim in sentences]


def _gates_product(subject: Subject, summary: Summary) -> str:
    state = additive_name(CELLS[summary.cell])
    claim = (
        _("“∂{state}_T/∂{state}_t is the product of the forget gates”")
        if summary.cell == "lstm"
        else _("“∂{state}_T/∂{state}_t is the product of the gates that keep the state”")
    )
    claim = claim.format(state=state)
    if summary.lag == 0:
        return _("{claim}: the loss enters at step 0 alone, so nothing comes back.").format(claim=claim)
    if math.isnan(summary.share["direct"]):
        text = _("{claim}: at lag {lag} the gradient is exactly zero or not finite, so no path has a share of it.")
        return text.format(claim=claim, lag=summary.lag)
    text = (
        _("{claim}: that product is the direct path; it makes up {share} of the gradient at lag {lag}.")
        if subject.settings.depth == 1
        else _("{claim}: the direct path is made of such products; it makes up {share} of the gradient at lag {lag}.")
    )
    return text.format(claim=claim, share=percent(summary.share["direct"]), lag=summary.lag)


def of_cuts(left: pd.DataFrame, cell: str, lag: int) -> str:
    """What each cut of one cell leaves at a lag."""
    at = left[(left["lag"] == lag) & (left["cell"] == cell)].set_index("path")["log10_relative"]
    cuts = [f"{line_title(str(path))}: **{number(value)}**" for path, value in at.items() if path != "total"]
    whole = _("Of the last loss's gradient, **{left}** arrives from lag {lag} by all routes")
    return f"{'; '.join([whole.format(left=number(at['total']), lag=lag), *cuts])}."


def of_one_unit(table: pd.DataFrame, weight: float, gate: float) -> str:
    """Both powers at the far end, and how far the engine is from them."""
    first = table[table["step"] == 0].set_index("cell")
    finite = table[np.isfinite(table["log10_formula"])]
    off = float((finite["log10_norm"] - finite["log10_formula"]).abs().max()) * math.log(10)
    lag = int(first["lag"].iloc[0])
    alone, gated = (number(first["log10_norm"][cell]) for cell in ("rnn_linear", "gru"))
    text = _(
        "{steps} back the weight {weight} alone leaves {alone} of the gradient; behind a gate of {gate} it leaves "
        "{gated}. Computed and formula differ by at most {off}, relative."
    )
    differ = number(math.log10(off)) if off else _("nothing")
    steps, values = counted(lag, "step"), {"weight": f"{weight:g}", "gate": f"{gate:g}"}
    return text.format(steps=steps, alone=alone, gated=gated, off=differ, **values)


def one_unit_title(weight: float, gate: float, steps: int) -> str:
    text = _("One unit over {steps}: w = {weight}, gate z = {gate}")
    return text.format(steps=counted(steps, "step"), weight=f"{weight:g}", gate=f"{gate:g}")


def of_units(scope: Microscope) -> str:
    """The longest and the shortest memory, and how many gates are saturated."""
    units = scope.units
    longest, shortest = units.iloc[0], units.iloc[-1]
    shares = {gate: units[f"{gate}_saturated"].mean() for gate in CELLS[scope.cell].gates}
    gates = "; ".join(f"{_(name)} {share:.0%}" for name, share in shares.items())
    if longest["half_life"] == shortest["half_life"]:
        text = _("{cell}, layer {layer}: the direct path of every unit {fate}.")
    else:
        text = _(
            "{cell}, layer {layer}: the direct path of unit {unit}, the longest memory, {fate}; that of unit "
            "{other}, the shortest, {fate_of_other}."
        )
    units = {"unit": int(longest["unit"]), "other": int(shortest["unit"])}
    fates = {"fate": _fate(longest["half_life"]), "fate_of_other": _fate(shortest["half_life"])}
    text = text.format(cell=CELLS[scope.cell].title, layer=scope.layer, **units, **fates)
    low, high = SATURATED
    more = _("Gates below {low} or above {high}: {gates}.") if gates else _("It has no gates.")
    return f"{text} {more.format(low=f'{low:g}', high=f'{high:g}', gates=gates)}"


def of_quantity(scope: Microscope, quantity: str) -> str:
    """The range of a quantity over all units and steps, and its mean; of logarithms, the range of what they are of."""
    values = scope.values[quantity][np.isfinite(scope.values[quantity])]
    if not len(values):
        return _("{quantity} is finite nowhere.").format(quantity=_(quantity))
    if quantity.startswith("log10 "):
        low, high = (number(float(end)) for end in (values.min(), values.max()))
        text = _("The size of a unit's {quantity} runs from {low} to {high} over units and steps.")
        return text.format(quantity=_(quantity.removeprefix("log10 ")), low=low, high=high)
    most = float(np.abs(values).max()) or 1.0
    mean = (values / most).mean() * most  # a sum of large values may overflow
    low, mean, high = (f"{value:.2g}".replace("-", "−") for value in (values.min(), mean, values.max()))
    text = _("{quantity} runs from {low} to {high} over units and steps; its mean is {mean}.")
    return text.format(quantity=_(quantity), low=low, high=high, mean=mean)


def of_unit(scope: Microscope, unit: int) -> str:
    """One unit in a sentence."""
    units = scope.units
    row = units[units["unit"] == unit].iloc[0]
    gradient = scope.values["log10 gradient"][:, unit]
    text = _(
        "Unit {unit} ranks {rank} of {units} by memory; its direct path {fate}. The size of its gradient is {last} "
        "at the last step and {first} at the first."
    )
    sizes = {"last": number(gradient[-1]), "first": number(gradient[0])}
    return text.format(unit=unit, rank=int(row["rank"]) + 1, units=len(units), fate=_fate(row["half_life"]), **sizes)


def of_quantities(scope: Microscope, unit: int, quantities: Sequence[str]) -> str:
    """The range of some quantities of one unit over the steps; of logarithms, that of what they are of."""
    ranges = ", ".join(_range(quantity, scope.values[quantity][:, unit]) for quantity in quantities)
    steps = counted(len(scope.values[quantities[0]]), "step")
    return _("Unit {unit} over {steps}: {ranges}.").format(unit=unit, steps=steps, ranges=ranges)


def _range(quantity: str, values: ndarray) -> str:
    values, name = values[np.isfinite(values)], _(quantity.removeprefix("log10 "))
    if not len(values):
        return _("{quantity} finite nowhere").format(quantity=name)
    is_log = quantity.startswith("log10 ")
    ends = (float(end) for end in (values.min(), values.max()))
    low, high = (number(end) if is_log else f"{end:.2g}".replace("-", "−") for end in ends)
    return _("{quantity} from {low} to {high}").format(quantity=name, low=low, high=high)


def _fate(half_life: float) -> str:
    """How a path of this half-life decays or grows."""
    if half_life == 0:
        return _("keeps nothing")
    if not math.isfinite(half_life):
        return _("loses nothing")
    text = _("halves in **{steps}**") if half_life > 0 else _("doubles in **{steps}**")
    return text.format(steps=_steps(half_life))


def _steps(half_life: float) -> str:
    return counted(rounded(abs(half_life)), "step")


def of_edges(table: pd.DataFrame, loss_steps: Collection[int]) -> str:
    """How the horizontal flow divides at the earliest step shown; the loss enters at the steps given."""
    step, lag = int(table["step"].min()), int(table["lag"].max())
    at = table[(table["step"] == step) & (table["layer"] == 0)]
    if not len(loss_steps):
        return _(NOTHING_INJECTED)
    if "recurrent" not in set(at["edge"]):
        text = (
            _("Step {step} is the last: the loss enters here.")
            if step in loss_steps
            else _("Step {step} is the last: the loss enters at earlier steps alone.")
        )
        return text.format(step=step)
    if step > max(loss_steps):
        text = _("The loss enters at step {step} at the latest: at the steps shown there is no gradient.")
        return text.format(step=max(loss_steps))
    state = additive_name(CELLS[str(table["cell"].iloc[0])])
    sizes = at.set_index(["edge", "state"])["log10_relative"]
    text = _(
        "Lag {lag}, bottom layer: of the injected gradient, {through} comes back to h through U and {added} to "
        "{state} by the additive path."
    )
    through, added = number(sizes["recurrent", "h"]), number(sizes["direct", state])
    return text.format(lag=lag, through=through, added=added, state=state)
