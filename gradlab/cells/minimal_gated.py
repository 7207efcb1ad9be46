"""Minimal gated unit (Zhou et al. 2016, arXiv 1603.09420): one gate does the work of the GRU's two.

(1)  z  = σ(a_z)                                            gate, a = (W x + b_W) + (U h + b_U)
(2)  n  = tanh((W_n x + b_Wn) + z (U_n h + b_Un))           candidate
(3)  h' = (1 - z) h + z n                                   hidden state: the additive update

The paper calls z "forget gate" and writes f; since z near 1 *replaces* the old state, where the LSTM's forget gate near
1 keeps it, it is named update here. The paper gates before the product, U (z h); here it is after it, as in PyTorch's
GRU.
"""

from typing import NamedTuple

from gradlab.cells.activations import sigmoids, tanh
from gradlab.cells.states import Hidden


class MinimalGatedUnit(NamedTuple):
    """The GRU with one gate in place of two."""

    title = "minimal gated unit"
    pre_activations = ("update", "candidate")
    gates = ("update",)
    keep_gate = ("update", -1)
    record = Hidden
    states = record._fields
    saved = ("update", "candidate", "recurrent_candidate", "not_update", "candidate_slope")

    @staticmethod
    def step(a_x, a_h, state):
        z, not_z = sigmoids(a_x[0] + a_h[0])  # (1)
        n, n_slope = tanh(a_x[1] + z * a_h[1])  # (2)
        h = not_z * state.h + z * n  # (3)
        return Hidden(h), (z, n, a_h[1], not_z, n_slope)

    @staticmethod
    def adjoint(saved, state, new, new_bar):
        z, n, a_hn, not_z, n_slope = saved
        a_n_bar = new_bar.h * z * n_slope  # (3) (2)
        z_bar = new_bar.h * (n - state.h) + a_n_bar * a_hn
        a_z_bar = z_bar * z * not_z  # (1)
        return (a_z_bar, a_n_bar), (a_z_bar, a_n_bar * z), Hidden(new_bar.h * not_z), new_bar

    @staticmethod
    def keep(saved, new):
        return saved[3]
