"""Numbers as text."""

import math
from collections.abc import Sequence


def power_of_ten(log10_value: float) -> str:
    """A number written from its log10, at any size: -1300.4 gives "4.0e-1301"; -inf "exactly 0"; NaN "not finite"."""
    if math.isnan(log10_value):
        return "not finite"
    if log10_value == -math.inf:
        return "exactly 0"
    exponent = math.floor(log10_value)
    mantissa = f"{10 ** (log10_value - exponent):.1f}"
    return f"{mantissa}e{exponent:+d}" if mantissa != "10.0" else f"1.0e{exponent + 1:+d}"


def number(log10_value: float) -> str:
    """A power of ten in a sentence, where no line breaks behind its minus."""
    return power_of_ten(log10_value).replace("e-", "e−")


def listed(names: Sequence[str]) -> str:
    """Names as a phrase: "RNN, LSTM and GRU"."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
