"""One unit with one weight, where every gradient can be had by hand; and the same unit behind a gate.

    without    h' = w h                                  ∂h_T/∂h_t = w^lag
    gated      h' = z h + (1 - z) tanh(r w h)            ∂h_T/∂h_t = (z + (1 - z) r w)^lag at h = 0

The first is a linear RNN, the second a GRU, both with one unit, no input and h = 0; the gates stand at the σ of their
biases, r at `RESET`.
"""

from numbers import Real

import numpy as np
import pandas as pd

from gradlab.analyses.arguments import whole_number
from gradlab.analyses.traces import trace
from gradlab.network.stack import Layer, Stack

SCALAR_COLUMNS = ("cell", "step", "lag", "log10_norm", "log10_formula")
WIDE_OPEN = 20.0  # the reset gate's bias
RESET = 1 / (1 + np.exp(-WIDE_OPEN))


def one_unit(weight: float, gate: float, steps: int) -> pd.DataFrame:
    """|∂h_T/∂h_t| of both units as computed by the engine, and by the formula: columns `SCALAR_COLUMNS`, as log10.

    weight w of any size, gate z strictly between 0 and 1, steps T; ValueError for others.
    """
    for name, value in (("weight", weight), ("gate", gate)):
        if not isinstance(value, Real) or not np.isfinite(value):
            raise ValueError(f"{name} = {value!r} is not allowed: use a finite number")
    if not 0 < gate < 1:
        raise ValueError(f"gate = {gate} is not allowed: use a number between 0 and 1, without these two")
    steps = whole_number("steps", steps, 1)
    one = np.ones((1, 1))
    none = np.zeros(1)
    alone = Stack("rnn_linear", (Layer(0 * one, weight * one, none, none),))
    recurrent = np.array([[0.0], [0.0], [weight]])
    gated = Stack("gru", (Layer(0 * recurrent, recurrent, np.array([WIDE_OPEN, _logit(gate), 0]), np.zeros(3)),))
    cotangents = np.zeros((steps, 1, 1))
    cotangents[-1] = 1
    lag = np.arange(steps)[::-1]
    tables = []
    for stack, factor in ((alone, weight), (gated, gate + (1 - gate) * RESET * weight)):
        with np.errstate(divide="ignore", invalid="ignore"):
            formula = np.where(lag == 0, 0.0, lag * np.log10(abs(factor)))
        computed = trace(stack, np.zeros((steps, 1, 1)), cotangents).log10_norm("h")[0, :, 0]
        columns = {"cell": stack.cell, "step": np.arange(steps), "lag": lag, "log10_norm": computed}
        tables.append(pd.DataFrame(columns | {"log10_formula": formula}))
    return pd.concat(tables, ignore_index=True)[list(SCALAR_COLUMNS)]


def _logit(gate: float) -> float:
    return float(np.log(gate / (1 - gate)))
