"""Sentences about traces: how much of the gradient arrives, and where a pass left the finite numbers."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from gradlab.analyses.diagnosis import Diagnosis
from gradlab.analyses.traces import ALL, LAST, GradientTrace
from gradlab.cells import CELLS
from gradlab.words.numbers import counted, every, listed, number

NOTHING_INJECTED = "Nothing is injected: at these settings the loss has no gradient, so none arrives anywhere."


def title(trace: GradientTrace) -> str:
    return CELLS[trace.cell].title


def names(traces: Sequence[GradientTrace]) -> str:
    """The cells compared, as a phrase."""
    return listed([title(trace) for trace in traces])


def arriving(trace: GradientTrace, losses: str = ALL) -> float:
    """log10 of what reaches h at step 0 of the bottom layer, relative to what those losses inject.

    Mean over the sequences in which it is not exactly zero; -inf where it is zero in all.
    """
    left = trace.log10_relative("h", losses)[0, 0]
    alive = ~np.isneginf(left)
    return float(left[alive].mean()) if alive.any() else -math.inf


def remaining(traces: Sequence[GradientTrace], losses: str = ALL) -> str:
    """What is left of the gradient at step 0 of the bottom layer, for every cell."""
    parts = []
    for trace in traces:
        zero = np.isneginf(trace.log10_relative("h", losses)[0, 0])
        some = f" (exactly 0 in {zero.sum()} of {len(zero)} sequences)" if zero.any() and not zero.all() else ""
        parts.append(f"{title(trace)} {number(arriving(trace, losses))}{some}")
    return ", ".join(parts)


def several_losses(traces: Sequence[GradientTrace]) -> bool:
    """Whether the loss enters at more than one step."""
    return any(len(set(trace.loss_steps.tolist())) > 1 for trace in traces)


def opening(traces: Sequence[GradientTrace]) -> str:
    """How much of the injected gradient reaches h at the first step of the bottom layer, for every cell."""
    first = traces[0]
    steps = set(first.loss_steps.tolist())
    last_loss = max(steps, default=0)
    layer = " in the bottom layer" if first.stack.depth > 1 else ""
    if not steps:
        return NOTHING_INJECTED
    if len(steps) > 1:
        return (
            f"The loss enters at {len(steps)} of {first.steps} steps. Of the last loss's gradient, injected at step "
            f"{last_loss}, this much is left{layer} at step 0: {remaining(traces, LAST)}. Of all losses together, "
            f"relative to all that they inject: {remaining(traces)}."
        )
    at = "the last step" if last_loss == first.steps - 1 else f"step {last_loss}"
    if last_loss == 0:
        return (
            f"The loss enters at step 0 alone, so no gradient goes back through time. There it is: {remaining(traces)}."
        )
    earlier = f"{counted(last_loss, 'step')} earlier"
    return f"Of the gradient injected at {at}, this much remains{layer} {earlier}: {remaining(traces)}."


def without_state(state: str) -> str:
    """What is shown where no cell compared has the state that is asked for."""
    having = [cell.title for cell in CELLS.values() if state in cell.states]
    return f"None of the cells compared has a state {state}, so h is shown: add the {having[0]} under Network."


def non_finite(traces: Sequence[GradientTrace]) -> list[str]:
    """One sentence for every trace whose passes left the finite numbers."""
    return [f"{title(trace)}: {trace.non_finite.sentence}" for trace in traces if trace.non_finite]


def marks(traces: Sequence[GradientTrace]) -> pd.DataFrame:
    """The steps at which a pass left the finite numbers, as marks: columns step and label."""
    overflowed = [trace for trace in traces if trace.non_finite]
    labels = [f"{title(trace)}: {trace.non_finite.pass_} pass overflows" for trace in overflowed if trace.non_finite]
    return pd.DataFrame({"step": [trace.non_finite.step for trace in overflowed if trace.non_finite], "label": labels})


def rate(diagnosis: Diagnosis) -> str:
    """Decades per 100 steps of propagation, for a card."""
    decades, margin = diagnosis.decades_per_100_steps, diagnosis.half_width
    if math.isnan(decades):
        return "no rate"
    interval = f" ± {margin:.1g}" if margin >= 0.05 * abs(decades) and margin > 0 else ""
    return f"{decades:+.3g}{interval} :small[decades per 100 steps]".replace("-", "−")


def half_life(diagnosis: Diagnosis) -> str:
    """How fast it halves or doubles, or why that is not said, for a card."""
    steps = diagnosis.half_life
    if diagnosis.verdict == "zero":
        return "exactly 0 at step 0"
    if math.isnan(steps) or diagnosis.verdict == "undefined":
        return "not known"
    if math.isinf(steps):
        return "keeps its size"
    return f"{'halves' if steps > 0 else 'doubles'} {every(f'{abs(steps):.3g}', 'step')}"
