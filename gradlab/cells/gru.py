"""Gated recurrent unit, PyTorch's form: reset after the product with U, update gate z keeps the *old* state.

(1)  r, z = σ(a_r), σ(a_z)                                  gates, a = (W x + b_W) + (U h + b_U)
(2)  n    = tanh((W_n x + b_Wn) + r (U_n h + b_Un))         candidate
(3)  h'   = (1 - z) n + z h                                 hidden state: the additive update

Cho et al. 2014 (arXiv 1406.1078) reset before the product, U (r h). Papers and libraries differ in whether z or 1 - z
keeps the old state: here z near 1 *keeps*.
"""

from typing import NamedTuple

from gradlab.cells.activations import sigmoids, tanh
from gradlab.cells.states import Hidden


class GRU(NamedTuple):
    """PyTorch's `nn.GRU`."""

    title = "GRU"
    pre_activations = ("reset", "update", "candidate")
    gates = ("reset", "update")
    keep_gate = ("update", 1)
    record = Hidden
    states = record._fields
    saved = (
        "reset", "update", "candidate", "recurrent_candidate", "not_reset", "not_update", "candidate_slope",
    )  # fmt: skip

    @staticmethod
    def step(a_x, a_h, state):
        r, not_r = sigmoids(a_x[0] + a_h[0])  # (1)
        z, not_z = sigmoids(a_x[1] + a_h[1])
        n, n_slope = tanh(a_x[2] + r * a_h[2])  # (2)
        h = not_z * n + z * state.h  # (3)
        return Hidden(h), (r, z, n, a_h[2], not_r, not_z, n_slope)

    @staticmethod
    def adjoint(saved, state, new, new_bar):
        r, z, n, a_hn, not_r, not_z, n_slope = saved
        n_bar = new_bar.h * not_z  # (3)
        z_bar = new_bar.h * (state.h - n)
        a_n_bar = n_bar * n_slope  # (2)
        r_bar = a_n_bar * a_hn
        a_r_bar = r_bar * r * not_r  # (1)
        a_z_bar = z_bar * z * not_z
        return (a_r_bar, a_z_bar, a_n_bar), (a_r_bar, a_z_bar, a_n_bar * r), Hidden(new_bar.h * z), new_bar

    @staticmethod
    def keep(saved, new):
        return saved[1]
