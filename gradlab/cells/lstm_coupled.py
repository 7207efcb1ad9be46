"""Long short-term memory with coupled gates (Greff et al. 2017, arXiv 1503.04069, "CIFG"): new content replaces old.

(1)  f, o = σ(a_f), σ(a_o)          gates, a = (W x + b_W) + (U h + b_U);   i = 1 - f
     g    = tanh(a_g)               candidate
(2)  c'   = f c + (1 - f) g         cell state: a weighted mean, so |c| stays below 1
(3)  h'   = o tanh c'               hidden state
"""

from typing import NamedTuple

from gradlab.cells.activations import sigmoids, tanh
from gradlab.cells.states import HiddenAndCell


class CoupledLSTM(NamedTuple):
    """The LSTM whose input gate is 1 - f."""

    title = "LSTM (coupled gates)"
    pre_activations = ("forget", "candidate", "output")
    gates = ("forget", "output")
    keep_gate = ("forget", 1)
    record = HiddenAndCell
    states = record._fields
    saved = (
        "forget", "candidate", "output", "tanh_c", "not_forget", "candidate_slope", "not_output", "tanh_c_slope",
    )  # fmt: skip

    @staticmethod
    def step(a_x, a_h, state):
        f, not_f = sigmoids(a_x[0] + a_h[0])  # (1)
        g, g_slope = tanh(a_x[1] + a_h[1])
        o, not_o = sigmoids(a_x[2] + a_h[2])
        c = f * state.c + not_f * g  # (2)
        tanh_c, tanh_c_slope = tanh(c)
        h = o * tanh_c  # (3)
        return HiddenAndCell(h, c), (f, g, o, tanh_c, not_f, g_slope, not_o, tanh_c_slope)

    @staticmethod
    def adjoint(saved, state, new, new_bar):
        f, g, o, tanh_c, not_f, g_slope, not_o, tanh_c_slope = saved
        o_bar = new_bar.h * tanh_c  # (3)
        c_bar = new_bar.c + new_bar.h * o * tanh_c_slope
        f_bar = c_bar * (state.c - g)  # (2)
        g_bar = c_bar * not_f
        a_bar = (f_bar * f * not_f, g_bar * g_slope, o_bar * o * not_o)  # (1)
        return a_bar, a_bar, HiddenAndCell(0 * new_bar.h, c_bar * f), HiddenAndCell(new_bar.h, c_bar)

    @staticmethod
    def keep(saved, new):
        return saved[0]
