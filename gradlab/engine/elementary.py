"""exp, σ, tanh with their slopes and max(·, 0) on `Lanes`, by + − × ÷ alone so that every lane is computed at once.

    e^y = 2^n e^r,    n = round(y / ln 2),    r = y - n ln 2 in [-ln 2 / 2, ln 2 / 2]

ln 2 is subtracted in two parts, so that r is exact to a rounding, and e^r - 1 is its Taylor series, cut where the next
term is below half a unit in the last place. `MAXIMAL_ERROR` is held against 50 digits over the whole range of arguments
by `tests/engine/test_elementary.py`.
"""

from math import factorial, log

from gradlab.cells import activations
from gradlab.engine.inner import overload, register_jitable
from gradlab.engine.lanes import Lanes, polynomial, power_of_two, where_greater

# in units of the precision (2^-52, 2^-23), relative to the exact value where that is a normal number
MAXIMAL_ERROR = {"sigmoid": 2.0, "its complement": 2.0, "tanh": 2.0, "its slope": 4.0}

_LOG2_E = 1 / log(2)
_LN2 = {64: (6.93147180369123816490e-01, 1.90821492927058770002e-10), 32: (0.693359375, -2.12194440054690583e-4)}
_ROUNDER = {64: 1.5 * 2.0**52, 32: 1.5 * 2.0**23}  # adding it, then taking it away, rounds to a whole number
_TERMS = {64: 13, 32: 7}


def _exponential_minus_one(bits):
    """(y) -> (e^r - 1, n) for one precision."""
    high, low = _LN2[bits]
    rounder = _ROUNDER[bits]
    series = polynomial([1 / factorial(k) for k in range(2, _TERMS[bits] + 1)])

    @register_jitable
    def reduced(y):
        n = (y * _LOG2_E + rounder) - rounder
        r = (y - n * high) - n * low
        return r + (r * r) * series(r), n

    return reduced


_REDUCED = {bits: _exponential_minus_one(bits) for bits in (32, 64)}


def _falling(bits):
    """(y ≤ 0) -> (e^y, e^y - 1), both without cancellation, for one precision."""
    reduced, rounder = _REDUCED[bits], _ROUNDER[bits]
    least = {64: -746.0, 32: -105.0}[bits]  # below it e^y is 0 to rounding

    @register_jitable
    def falling(y):
        y = where_greater(-y, -least, least, y)  # NaN stays
        p, n = reduced(y)
        half = (n * 0.5 + rounder) - rounder  # 2^n itself may lie outside the normal numbers
        first, second = power_of_two(half), power_of_two(n - half)
        scale = first * second
        return (1.0 + p) * first * second, p * scale + (scale - 1.0)

    return falling


_FALLING = {bits: _falling(bits) for bits in (32, 64)}


@overload(activations.sigmoids)
def _(x):
    if isinstance(x, Lanes):
        falling = _FALLING[x.scalar.bitwidth]

        def sigmoids(x):
            e, _ = falling(where_greater(x, 0.0, -x, x))  # e^-|x|
            larger = 1.0 / (1.0 + e)
            smaller = e * larger
            return where_greater(x, 0.0, larger, smaller), where_greater(x, 0.0, smaller, larger)

        return sigmoids
    return None


@overload(activations.tanh)
def _(x):
    if isinstance(x, Lanes):
        falling = _FALLING[x.scalar.bitwidth]

        def tanh(x):
            e, minus_one = falling(where_greater(x, 0.0, -(x + x), x + x))  # e^-2|x|
            inverse = 1.0 / (1.0 + e)
            size = minus_one / (minus_one + 2.0)  # -tanh |x|, without cancellation near 0
            return where_greater(x, 0.0, -size, size), 4.0 * e * inverse * inverse

        return tanh
    return None


@overload(activations.relu)
def _(x):
    if isinstance(x, Lanes):
        return lambda x: where_greater(-x, 0.0, 0.0, x)
    return None


@overload(activations.is_positive)
def _(x):
    if isinstance(x, Lanes):
        return lambda x: where_greater(x, 0.0, 1.0, 0.0) + 0 * x
    return None
