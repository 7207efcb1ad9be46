"""Gated recurrent unit with hard-sigmoid gates (Keras's `hard_sigmoid`, ONNX's HardSigmoid), reset after the product.

(1)  r, z = s(a_r), s(a_z)                                  gates, a = (W x + b_W) + (U h + b_U)
(2)  n    = tanh((W_n x + b_Wn) + r (U_n h + b_Un))         candidate
(3)  h'   = (1 - z) n + z h                                 hidden state: the additive update

s(a) = min(max(a / 5 + 1/2, 0), 1), as in the LSTM with hard gates. Where z is exactly 1, the state is kept to the
last bit.
"""

from typing import NamedTuple

from gradlab.cells.activations import is_positive, relu, tanh
from gradlab.cells.states import Hidden

SLOPE = 0.2


class HardGRU(NamedTuple):
    """`GRU` with piecewise linear gates."""

    title = "GRU (hard gates)"
    pre_activations = ("reset", "update", "candidate")
    gates = ("reset", "update")
    keep_gate = ("update", 1)
    record = Hidden
    states = record._fields
    saved = (
        "reset", "update", "candidate", "recurrent_candidate", "reset_slope", "update_slope", "candidate_slope",
    )  # fmt: skip

    @staticmethod
    def step(a_x, a_h, state):
        r_line = SLOPE * (a_x[0] + a_h[0]) + 0.5  # (1)
        z_line = SLOPE * (a_x[1] + a_h[1]) + 0.5
        r = 1 - relu(1 - relu(r_line))  # of an infinite line too
        z = 1 - relu(1 - relu(z_line))
        r_slope = SLOPE * is_positive(r) * is_positive(1 - r)
        z_slope = SLOPE * is_positive(z) * is_positive(1 - z)
        n, n_slope = tanh(a_x[2] + r * a_h[2])  # (2)
        h = (1 - z) * n + z * state.h  # (3)
        return Hidden(h), (r, z, n, a_h[2], r_slope, z_slope, n_slope)

    @staticmethod
    def adjoint(saved, state, new, new_bar):
        r, z, n, a_hn, r_slope, z_slope, n_slope = saved
        n_bar = new_bar.h * (1 - z)  # (3)
        z_bar = new_bar.h * (state.h - n)
        a_n_bar = n_bar * n_slope  # (2)
        r_bar = a_n_bar * a_hn
        a_r_bar = r_bar * r_slope  # (1)
        a_z_bar = z_bar * z_slope
        return (a_r_bar, a_z_bar, a_n_bar), (a_r_bar, a_z_bar, a_n_bar * r), Hidden(new_bar.h * z), new_bar

    @staticmethod
    def keep(saved, new):
        return saved[1]
