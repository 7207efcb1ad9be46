"""Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000), PyTorch's order of gates.

(1)  i, f, o = σ(a_i), σ(a_f), σ(a_o)     gates, a = (W x + b_W) + (U h + b_U)
     g       = tanh(a_g)                  candidate
(2)  c' = f c + i g                       cell state: the additive update
(3)  h' = o tanh c'                       hidden state

The slope of σ is σ(a) σ(-a): `not_input` … are the σ(-a), 1 - i to full precision; those of tanh are kept too.
"""

from typing import NamedTuple

from gradlab.cells.activations import sigmoids, tanh
from gradlab.cells.states import HiddenAndCell


class LSTM(NamedTuple):
    """PyTorch's `nn.LSTM`."""

    title = "LSTM"
    pre_activations = ("input", "forget", "candidate", "output")
    gates = ("input", "forget", "output")
    keep_gate = ("forget", 1)
    record = HiddenAndCell
    states = record._fields
    saved = (
        "input", "forget", "candidate", "output", "tanh_c",
        "not_input", "not_forget", "candidate_slope", "not_output", "tanh_c_slope",
    )  # fmt: skip

    @staticmethod
    def step(a_x, a_h, state):
        i, not_i = sigmoids(a_x[0] + a_h[0])  # (1)
        f, not_f = sigmoids(a_x[1] + a_h[1])
        g, g_slope = tanh(a_x[2] + a_h[2])
        o, not_o = sigmoids(a_x[3] + a_h[3])
        c = f * state.c + i * g  # (2)
        tanh_c, tanh_c_slope = tanh(c)
        h = o * tanh_c  # (3)
        return HiddenAndCell(h, c), (i, f, g, o, tanh_c, not_i, not_f, g_slope, not_o, tanh_c_slope)

    @staticmethod
    def adjoint(saved, state, new, new_bar):
        i, f, g, o, tanh_c, not_i, not_f, g_slope, not_o, tanh_c_slope = saved
        o_bar = new_bar.h * tanh_c  # (3)
        c_bar = new_bar.c + new_bar.h * o * tanh_c_slope
        i_bar = c_bar * g  # (2)
        f_bar = c_bar * state.c
        g_bar = c_bar * i
        a_bar = (i_bar * i * not_i, f_bar * f * not_f, g_bar * g_slope, o_bar * o * not_o)  # (1)
        return a_bar, a_bar, HiddenAndCell(0 * new_bar.h, c_bar * f), HiddenAndCell(new_bar.h, c_bar)

    @staticmethod
    def keep(saved, new):
        return saved[1]
