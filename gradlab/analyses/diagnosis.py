"""What a trace means, in plain words; every number in them is computed from the trace.

The rule: the fitted rate (`GradientTrace.rate`) of the batch's mean log10 norm, in decades per 100 steps. Below -1 the
gradient is "vanishing", above +1 "exploding", else "steady". Where it is exactly zero at the first step it is "zero",
and where a pass was not finite or there is no line to fit, "undefined". Steps are counted back from the last loss.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from gradlab.analyses.traces import GradientTrace, mean
from gradlab.cells import CELLS

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
    steps_to_float32_zero: (
        float  # back from the last loss, to where float32 prints entries of equal size as 0; inf: never
    )
    steps_to_float32_norm_zero: (
        float  # to where float32's .norm() prints 0, as the squares of such entries do; inf: never
    )
    measured: bool  # whether the first of the two lies within the trace (else the fitted line was continued)
    sentence: str
    rule: str = RULE


def diagnose(trace: GradientTrace, state: str = "h", layer: int = 0) -> Diagnosis:
    """Diagnoses one layer and state of a trace. Raises ValueError for a state or layer that the stack does not have."""
    if not 0 <= layer < trace.stack.depth:
        raise ValueError(f"layer = {layer} is not there: the stack has layers 0 to {trace.stack.depth - 1}")
    last_loss = int(trace.loss_steps.max(initial=0))
    norms = trace.log10_norm(state)[layer, last_loss::-1]  # [steps back from the last loss, B]
    values = mean(norms)
    rates = trace.rate()
    fitted = rates[(rates.layer == layer) & (rates.state == state)].iloc[0]
    rate = float(fitted.decades_per_step)
    at_loss = float(fitted.intercept) + rate * (trace.steps - 1 - last_loss)
    verdict = _verdict(values, rate)
    half_life = math.inf if rate == 0 else -LOG10_2 / rate
    H = trace.stack.hidden_size
    equal = 0.5 * math.log10(H)  # the norm of H equal entries beside one of them
    zero, measured = _reaches(values, FLOAT32_ZERO + equal, rate, at_loss)
    squares = FLOAT32_SQUARE_ZERO if H > 1 else FLOAT32_ZERO  # of one entry alone torch takes the magnitude
    norm_zero, norm_measured = _reaches(values, squares + equal, rate, at_loss)
    if verdict == "undefined":
        said = _why_undefined(trace, values)
    elif verdict == "zero":
        said = _how_much_is_zero(norms)
    else:
        said = _sentence(verdict, rate, half_life, norm_zero, norm_measured)
    sentence = f"{CELLS[trace.cell].title}, layer {layer}, {state}: {said}"
    return Diagnosis(trace.cell, layer, state, verdict, 100 * rate, half_life, zero, norm_zero, measured, sentence)


def _verdict(values: np.ndarray, rate: float) -> str:
    if np.isnan(values).any():
        return "undefined"
    if np.isneginf(values[-1]):
        return "zero"
    if math.isnan(rate):
        return "undefined"
    decades = 100 * rate
    if abs(decades) <= DECADES_PER_100_STEPS:
        return "steady"
    return "vanishing" if decades < 0 else "exploding"


def _reaches(values: np.ndarray, level: float, rate: float, at_loss: float) -> tuple[float, bool]:
    """(the steps back from which log10 norms stay at or below the level, whether seen or by continuing the line)."""
    above = np.flatnonzero(~(values <= level))
    last_above = int(above[-1]) if len(above) else -1
    if last_above + 1 < len(values):
        return float(last_above + 1), True
    if rate < 0:
        return float(max(len(values), math.ceil((level - at_loss) / rate))), False
    return math.inf, False


def _why_undefined(trace: GradientTrace, values: np.ndarray) -> str:
    if np.isnan(values).any():
        return f"undefined. {trace.non_finite.sentence if trace.non_finite else ''}".strip()
    return "undefined. A gradient arrives at fewer than two steps: there is no line to fit."


def _how_much_is_zero(norms: np.ndarray) -> str:
    """norms [steps back, B], all -inf at the end in at least one sequence."""
    alive = ~np.isneginf(norms)
    zero = ~alive[-1]
    sequences = "" if zero.all() else f" in {zero.sum()} of {len(zero)} sequences"
    reached = alive[:, zero].any(axis=1)
    if not reached.any():
        return f"no gradient arrives at all{sequences}: it is exactly zero."
    return f"the gradient is exactly zero from {np.flatnonzero(reached)[-1] + 1} steps back on{sequences}."


def _sentence(verdict: str, rate: float, half_life: float, zero: float, measured: bool) -> str:
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
