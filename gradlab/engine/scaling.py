"""Numbers kept as v · 2^e, v near 1, so that neither long decay nor long growth leaves the floating-point range.

All factors are powers of two, so nothing is rounded; what lies more than some 2^-1000 (float32: 2^-120) below the
largest entry is lost. Arrays are flat here; a run of them starts at `start`.
"""

import math

from numpy import ndarray

from gradlab.engine.inner import register_jitable
from gradlab.engine.lanes import broadcast, lane_sum, lanes_in, larger_magnitude, largest_lane, load, store

NOTHING = -(2**62)  # the exponent of an exact zero
LOG10_2 = math.log10(2)
_NEAR_ONE = 2.0**20  # a largest entry within this factor of 1 needs no rescaling


@register_jitable
def lost(values: ndarray) -> int:
    """The power of two below which a share of a sum is as good as nothing: its entries would become subnormal."""
    return -96 if values.itemsize == 4 else -960


@register_jitable
def power(shift: int) -> float:
    """2^shift for shift ≤ 0, 0 far below; the shift of what needs none costs no call."""
    return 1.0 if shift == 0 else math.ldexp(1.0, max(shift, -2000))


@register_jitable
def largest_and_squares(values: ndarray, start: int, count: int) -> tuple[float, float]:
    """(largest magnitude, sum of squares) of values[start : start + count]; the first is NaN if any is."""
    largest = broadcast(values, 0.0)
    squares = broadcast(values, 0.0)
    for j in range(start, start + count, lanes_in(values)):
        value = load(values, (j,))
        largest = larger_magnitude(largest, value)
        squares = squares + value * value
    return largest_lane(largest), lane_sum(squares)


@register_jitable
def rescale(values: ndarray, start: int, count: int, exponent: int) -> None:
    """Multiplies values[start : start + count] by 2^-exponent, in two halves, each of which is a normal number."""
    half = exponent // 2
    one = math.ldexp(1.0, -half)
    other = math.ldexp(1.0, half - exponent)
    for j in range(start, start + count, lanes_in(values)):
        store(values, (j,), load(values, (j,)) * one * other)


@register_jitable
def normalise(values: ndarray, start: int, count: int, exponent: int) -> int:
    """Brings the largest entry near 1 by an exact power of two; returns the new exponent (`NOTHING` if all are 0)."""
    largest, _ = largest_and_squares(values, start, count)
    if largest == 0.0:
        return NOTHING
    if 1 / _NEAR_ONE < largest < _NEAR_ONE or not largest < math.inf:
        return exponent
    shift = math.frexp(largest)[1]
    rescale(values, start, count, shift)
    return exponent + shift


@register_jitable
def log10_norm(values: ndarray, start: int, count: int, exponent: int) -> float:
    """log10 of the norm of values[start : start + count] · 2^exponent; -inf if all are 0, NaN if any is not finite."""
    largest, squares = largest_and_squares(values, start, count)
    if largest == 0.0:
        return -math.inf
    if not largest < math.inf:
        return math.nan
    if not 1 / _NEAR_ONE < largest < _NEAR_ONE:
        shift = math.frexp(largest)[1]  # the squares may have left the range
        rescale(values, start, count, shift)
        _, squares = largest_and_squares(values, start, count)
        rescale(values, start, count, -shift)
        exponent += shift
    return 0.5 * math.log10(squares) + LOG10_2 * exponent
