"""Sentences about traces: how much of the gradient arrives, and where a pass left the finite numbers."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from gradlab.analyses.batch import of_batch
from gradlab.analyses.diagnosis import Diagnosis
from gradlab.analyses.traces import ALL, LAST, GradientTrace, whole_state
from gradlab.cells import CELLS
from gradlab.words.languages import N_, _
from gradlab.words.numbers import counted, every, listed, number, rounded, signed, states_called

OTHER = 1.0  # decades: what a state holds is told apart from what all hold together
DECADE = N_("A decade is a factor of 10.")
NOTHING_INJECTED = N_("Nothing is injected: at these settings the loss has no gradient, so none arrives anywhere.")


def title(trace: GradientTrace) -> str:
    return CELLS[trace.cell].title


def names(traces: Sequence[GradientTrace]) -> str:
    """The cells compared, as a phrase."""
    return listed([title(trace) for trace in traces])


def arriving(trace: GradientTrace, losses: str = ALL, state: str = "h") -> float:
    """log10 of what reaches a state, or all, at step 0 of the bottom layer, relative to what those losses inject.

    Mean over the sequences in which it is neither exactly zero nor undefined; -inf where it is zero in all.
    """
    return float(of_batch(trace.at_start(state, losses)).mean)


def remaining(traces: Sequence[GradientTrace], losses: str = ALL) -> str:
    """What is left of the gradient in h at step 0 of the bottom layer, for every cell.

    Where all states of a cell together hold another amount, a decade off at least, that is said too.
    """
    parts = []
    for trace in traces:
        in_h, in_all = (arriving(trace, losses, state) for state in ("h", ALL))
        left = trace.at_start("h", losses)
        is_other = not math.isnan(in_all) and in_all - in_h > OTHER
        whole = f"{states_called(whole_state(trace.cell))}: {number(in_all)}" if is_other else ""
        text = _("{what} in {some} of {all} sequences")
        missing = (
            text.format(what=what, some=some.sum(), all=len(left)) if some.any() and not some.all() else ""
            for what, some in ((_("exactly 0"), np.isneginf(left)), (_("not finite"), np.isnan(left)))
        )
        aside = "; ".join(filter(None, (whole, *missing)))
        parts.append(f"{title(trace)} {number(in_h)}{f' ({aside})' if aside else ''}")
    return ", ".join(parts)


def by_layer(traces: Sequence[GradientTrace]) -> str:
    """What is left of the gradient in h at step 0, of the bottom layer and of the top one, for every cell."""
    if not any(len(trace.loss_steps) for trace in traces):
        return _(NOTHING_INJECTED)
    parts = []
    for trace in traces:
        layers = list(dict.fromkeys((0, trace.stack.depth - 1)))
        left = (number(float(of_batch(trace.at_start("h", ALL, layer)).mean)) for layer in layers)
        text = _("layer {layer}: {left}")
        each = [text.format(layer=layer, left=size) for layer, size in zip(layers, left, strict=True)]
        parts.append(f"{title(trace)} {', '.join(each)}")
    text = _("Left in h at step 0, relative to the injected gradient: {parts}.")
    return text.format(parts="; ".join(parts))


def several_losses(traces: Sequence[GradientTrace]) -> bool:
    """Whether the loss enters at more than one step."""
    return any(len(set(trace.loss_steps.tolist())) > 1 for trace in traces)


def opening(traces: Sequence[GradientTrace]) -> str:
    """How much of the injected gradient reaches h at the first step of the bottom layer, for every cell."""
    alike: dict[tuple[int, ...], list[GradientTrace]] = {}
    for trace in traces:  # a loss may inject nothing into the states that one of the cells has
        alike.setdefault(tuple(sorted(set(trace.loss_steps.tolist()))), []).append(trace)
    return " ".join(_opening(steps, some, len(alike) == 1) for steps, some in alike.items())


def _opening(loss_steps: Sequence[int], traces: Sequence[GradientTrace], is_all: bool) -> str:
    """The sentence about cells into which the loss injects at the same steps."""
    if not loss_steps:
        return (
            _(NOTHING_INJECTED)
            if is_all
            else _("{cells}: nothing is injected, since the loss has no gradient there.").format(cells=names(traces))
        )
    first, last_loss = traces[0], loss_steps[-1]
    place = _("h of the bottom layer") if first.stack.depth > 1 else "h"
    if len(loss_steps) > 1:
        text = _(
            "The loss enters at {losses} of {steps} steps. So much of the last loss's gradient, injected at step "
            "{last}, is left in {place} at step 0: {of_last}. All losses together leave, relative to all that they "
            "inject: {of_all}."
        )
        kept = {"of_last": remaining(traces, LAST), "of_all": remaining(traces)}
        return text.format(losses=len(loss_steps), steps=first.steps, last=last_loss, place=place, **kept)
    if last_loss == 0:
        text = _(
            "The loss enters at step 0 alone, so no gradient goes back through time. In {place} it is there: {kept}."
        )
        return text.format(place=place, kept=remaining(traces))
    at = _("the last step") if last_loss == first.steps - 1 else _("step {step}").format(step=last_loss)
    text = _("So much of the gradient injected at {at} remains in {place} {steps} earlier: {kept}.")
    return text.format(at=at, place=place, steps=counted(last_loss, "step"), kept=remaining(traces))


def without_state(state: str) -> str:
    """What is shown where no cell compared has the state that is asked for."""
    having = [cell.title for cell in CELLS.values() if state in cell.states]
    text = _("None of the cells compared has a state {state}, so h is shown: add the {cell} under Network.")
    return text.format(state=state, cell=having[0])


def non_finite(traces: Sequence[GradientTrace]) -> list[str]:
    """One sentence for every trace whose passes left the finite numbers."""
    return [f"{title(trace)}: {trace.non_finite.sentence}" for trace in traces if trace.non_finite]


def marks(traces: Sequence[GradientTrace]) -> pd.DataFrame:
    """The steps at which a pass left the finite numbers, as marks: columns step and label."""
    overflowed = [trace for trace in traces if trace.non_finite]
    passes = {"forward": _("{cell}: forward pass overflows"), "adjoint": _("{cell}: adjoint pass overflows")}
    labels = [passes[trace.non_finite.pass_].format(cell=title(trace)) for trace in overflowed if trace.non_finite]
    return pd.DataFrame({"step": [trace.non_finite.step for trace in overflowed if trace.non_finite], "label": labels})


def rate(diagnosis: Diagnosis) -> str:
    """Decades per 100 steps of propagation, for a card."""
    decades, margin = diagnosis.decades_per_100_steps, diagnosis.half_width
    if math.isnan(decades) or diagnosis.verdict == "zero":
        return _("no rate")
    unit = _("decades per 100 steps")
    size = f"{margin:.1g}" if 1e-3 <= margin < 9.5 else rounded(round(margin) if margin >= 9.5 else margin)
    interval = f" ± {size}" if margin >= 0.05 * abs(decades) and margin > 0 else ""
    return f"{signed(decades)}{interval} :small[{unit}]"


def half_life(diagnosis: Diagnosis) -> str:
    """How fast it halves or doubles, how little a steady one changes, or why that is not said, for a card."""
    length = diagnosis.half_life
    if diagnosis.verdict == "zero":
        return _("exactly 0 at step 0")
    if math.isnan(length) or diagnosis.verdict == "undefined":
        return _("not known")
    if math.isinf(length):
        return _("keeps its size")
    if diagnosis.verdict == "steady":
        factor = abs(diagnosis.decades_per_100_steps) / 100 * diagnosis.length
        return _("within a factor of {factor}").format(factor=number(factor))
    text = _("halves {often}") if length > 0 else _("doubles {often}")
    return text.format(often=every(rounded(abs(length)), "step"))
