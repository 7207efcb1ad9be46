"""Sentences about traces: how much of the gradient arrives, and where a pass left the finite numbers."""

import math
from collections.abc import Sequence

import pandas as pd

from gradlab.analyses.diagnosis import Diagnosis
from gradlab.analyses.traces import GradientTrace
from gradlab.cells import CELLS
from gradlab.words.numbers import listed, number


def title(trace: GradientTrace) -> str:
    return CELLS[trace.cell].title


def names(traces: Sequence[GradientTrace]) -> str:
    """The cells compared, as a phrase."""
    return listed([title(trace) for trace in traces])


def arriving(trace: GradientTrace) -> float:
    """log10 of what reaches h at step 0 of the bottom layer, relative to the injected gradient, mean over the batch."""
    return float(trace.log10_relative("h")[0, 0].mean())


def opening(traces: Sequence[GradientTrace]) -> str:
    """How much of the injected gradient reaches the first step of the bottom layer, for every cell."""
    first = traces[0]
    steps = set(first.loss_steps.tolist())
    losses, last_loss = len(steps), max(steps, default=0)
    remaining = ", ".join(f"{title(trace)} {number(arriving(trace))}" for trace in traces)
    if losses != 1:
        where = " of the bottom layer" if first.stack.depth > 1 else ""
        entering = f"The loss enters at {losses} of {first.steps} steps"
        return f"{entering}. Remaining at step 0{where}, relative to the injected gradient: {remaining}."
    at = "the last step" if last_loss == first.steps - 1 else f"step {last_loss}"
    where = " in the bottom layer" if first.stack.depth > 1 else ""
    return f"Of the gradient injected at {at}, this much remains{where} {last_loss} steps earlier: {remaining}."


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
    """Decades per 100 steps, for a card."""
    decades = diagnosis.decades_per_100_steps
    if math.isnan(decades):
        return "no rate"
    return f"{decades:+.2g} :small[decades per 100 steps]".replace("-", "−")


def half_life(diagnosis: Diagnosis) -> str:
    """How fast it halves or doubles, for a card."""
    steps = diagnosis.half_life
    if not math.isfinite(steps):
        return "keeps its size"
    return f"{'halves' if steps > 0 else 'doubles'} every {abs(steps):.3g} steps"
