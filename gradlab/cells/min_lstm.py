"""minLSTM (Feng et al. 2024, arXiv 2410.01201): gates and candidate see the input alone; both gates scaled to sum to 1.

(1)  i, f = σ(a_i), σ(a_f)            gates, a = W x + b_W
     n    = a_n                       candidate, linear
(2)  k    = f / (f + i)               what is kept; the rest, 1 - k = i / (f + i), is new
(3)  h'   = k h + (1 - k) n           hidden state: the additive update

There is no U, so the direct path is the whole gradient: ∂h_T/∂h_0 is the diagonal matrix Π k_t, exactly.
"""

from typing import NamedTuple

from gradlab.cells.activations import sigmoids
from gradlab.cells.states import Hidden


class MinLSTM(NamedTuple):
    """The LSTM without recurrent weights, output gate and cell state."""

    title = "minLSTM"
    pre_activations = ("input", "forget", "candidate")
    without_U = pre_activations
    gates = ("input", "forget", "kept")
    keep_gate = ("forget", 1)
    record = Hidden
    states = record._fields
    saved = ("input", "forget", "candidate", "kept", "not_input", "not_forget", "not_kept")

    @staticmethod
    def step(a_x, a_h, state):
        i, not_i = sigmoids(a_x[0])  # (1)
        f, not_f = sigmoids(a_x[1])
        n = a_x[2]
        k, not_k = f / (f + i), i / (f + i)  # (2)
        h = k * state.h + not_k * n  # (3)
        return Hidden(h), (i, f, n, k, not_i, not_f, not_k)

    @staticmethod
    def adjoint(saved, state, new, new_bar):
        _, _, n, k, not_i, not_f, not_k = saved
        k_bar = new_bar.h * (state.h - n)  # (3)
        n_bar = new_bar.h * not_k
        ratio_bar = k_bar * k * not_k  # (2)  of ln f - ln i, of which k is the σ
        a_bar = (-ratio_bar * not_i, ratio_bar * not_f, n_bar)  # (1)
        return a_bar, (0 * new_bar.h, 0 * new_bar.h, 0 * new_bar.h), Hidden(new_bar.h * k), new_bar

    @staticmethod
    def keep(saved, new):
        return saved[3]
