"""What a trace means, in plain words; every number in them is computed from the trace.

The rule: the fitted rate (`GradientTrace.rate`) of the batch's mean log10 norm, in decades per 100 steps. Below -1 the
gradient is "vanishing", above +1 "exploding", else "steady".
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gradlab.cells import CELLS
from gradlab.traces import GradientTrace, mean

DECADES_PER_100_STEPS = 1.0
RULE = (
    f"Vanishing: more than {DECADES_PER_100_STEPS:g} decade lost per 100 steps, by a straight line through the last "
    "three quarters of the lags; exploding: more than that gained; steady: between."
)
LOG10_2 = math.log10(2)
FLOAT32_ZERO = -150 * LOG10_2  # half of the smallest subnormal, 2^-149: rounds to 0
FLOAT32_SQUARE_ZERO = -75 * LOG10_2  # an entry whose square rounds to 0


@dataclass(frozen=True)
class Diagnosis:
    """One layer's and state's gradient flow."""

    cell: str
    layer: int
    state: str
    verdict: str  # "vanishing" | "exploding" | "steady" | "zero" | "undefined"
    decades_per_100_steps: float  # negative where the gradient shrinks on its way back
    half_life: float  # steps in which it halves; negative: in which it doubles; infinite where it keeps
    steps_to_float32_zero: float  # lag from which float32 would print 0 for every entry; infinite if never
    steps_to_float32_norm_zero: (
        float  # lag from which float32's .norm() would print 0, as its squares do; infinite if never
    )
    measured: bool  # whether the first of the two lies within the trace (else the fitted line was continued)
    sentence: str
    rule: str = RULE


def diagnose(trace: GradientTrace, state: str = "h", layer: int = 0) -> Diagnosis:
    """Reads one layer's flow off a trace. Raises ValueError for a state or layer that the stack does not have."""
    if not 0 <= layer < trace.stack.depth:
        raise ValueError(f"layer = {layer} is not there: the stack has layers 0 to {trace.stack.depth - 1}")
    values = mean(trace.log10_norm(state)[layer])
    rates = trace.rate()
    fitted = rates[(rates.layer == layer) & (rates.state == state)].iloc[0]
    rate, intercept = float(fitted.decades_per_step), float(fitted.intercept)
    verdict = _verdict(values[: int(trace.loss_steps.max(initial=0)) + 1], rate)
    half_life = math.inf if rate == 0 else -LOG10_2 / rate
    zero, measured = _reaches(values, FLOAT32_ZERO, rate, intercept)
    entry = FLOAT32_SQUARE_ZERO + 0.5 * math.log10(trace.stack.hidden_size)  # the norm of H such entries
    norm_zero, norm_measured = _reaches(values, entry, rate, intercept)
    sentence = f"{CELLS[trace.cell].title}, layer {layer}, {state}: " + _sentence(
        trace, verdict, rate, half_life, norm_zero, norm_measured
    )
    return Diagnosis(trace.cell, layer, state, verdict, 100 * rate, half_life, zero, norm_zero, measured, sentence)


def _verdict(values: np.ndarray, rate: float) -> str:
    if np.isnan(values).any():
        return "undefined"
    if math.isnan(rate):
        return "zero"
    decades = 100 * rate
    if abs(decades) <= DECADES_PER_100_STEPS:
        return "steady"
    return "vanishing" if decades < 0 else "exploding"


def _reaches(values: np.ndarray, level: float, rate: float, intercept: float) -> tuple[float, bool]:
    """(the lag from which log10 norms stay below the level, whether it was seen or the fitted line continued)."""
    backwards = values[::-1]
    above = np.flatnonzero(~(backwards < level))
    last_above = int(above[-1]) if len(above) else -1
    if last_above + 1 < len(backwards):
        return float(last_above + 1), True
    if rate < 0:
        return float(max(len(backwards), math.ceil((level - intercept) / rate))), False
    return math.inf, False


def _sentence(trace, verdict: str, rate: float, half_life: float, zero: float, measured: bool) -> str:
    if verdict == "undefined":
        return f"undefined. {trace.non_finite.sentence if trace.non_finite else ''}".strip()
    if verdict == "zero":
        return "no gradient arrives at all: it is exactly zero."
    if verdict == "steady":
        if rate == 0:
            return "steady. The gradient's norm does not change on its way back."
        way = "loses" if rate < 0 else "gains"
        return f"steady. The gradient {way} {abs(100 * rate):.2g} decades per 100 steps."
    if verdict == "exploding":
        return (
            f"exploding. The gradient gains {100 * rate:.3g} decades per 100 steps: "
            f"it doubles every {-half_life:.3g} steps."
        )
    where = f"from {zero:.0f} steps back on" if measured else f"after some {zero:.0f} steps, if it goes on like this"
    return (
        f"vanishing. The gradient loses {-100 * rate:.3g} decades per 100 steps: it halves every {half_life:.3g} steps,"
        f" and float32 would print its norm as 0 {where}."
    )
