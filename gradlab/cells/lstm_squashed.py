"""A control experiment: the LSTM with one thing changed, its cell state squashed at every step instead of added up.

(1)  i, f, o = σ(a_i), σ(a_f), σ(a_o)     gates, a = (W x + b_W) + (U h + b_U)
     g       = tanh(a_g)                  candidate
(2)  c' = tanh(f c + i g)                 cell state: the LSTM's, through a tanh
(3)  h' = o tanh c'                       hidden state

Same gates, same weights, same number of parameters; what the LSTM loses by it is the effect of addition.
"""

from typing import NamedTuple

from gradlab.cells.activations import sigmoids, tanh
from gradlab.cells.states import HiddenAndCell


class SquashedLSTM(NamedTuple):
    """The LSTM with c' = tanh(f c + i g): its direct path multiplies by f (1 - c'²)."""

    title = "LSTM (squashed update)"
    pre_activations = ("input", "forget", "candidate", "output")
    gates = ("input", "forget", "output")
    keep_gate = ("forget", 1)
    record = HiddenAndCell
    states = record._fields
    saved = (
        "input", "forget", "candidate", "output", "tanh_c",
        "not_input", "not_forget", "candidate_slope", "not_output", "tanh_c_slope", "c_slope",
    )  # fmt: skip

    @staticmethod
    def step(a_x, a_h, state):
        i, not_i = sigmoids(a_x[0] + a_h[0])  # (1)
        f, not_f = sigmoids(a_x[1] + a_h[1])
        g, g_slope = tanh(a_x[2] + a_h[2])
        o, not_o = sigmoids(a_x[3] + a_h[3])
        c, c_slope = tanh(f * state.c + i * g)  # (2)
        tanh_c, tanh_c_slope = tanh(c)
        h = o * tanh_c  # (3)
        return HiddenAndCell(h, c), (i, f, g, o, tanh_c, not_i, not_f, g_slope, not_o, tanh_c_slope, c_slope)

    @staticmethod
    def adjoint(saved, state, new, new_bar):
        i, f, g, o, tanh_c, not_i, not_f, g_slope, not_o, tanh_c_slope, c_slope = saved
        o_bar = new_bar.h * tanh_c  # (3)
        c_bar = new_bar.c + new_bar.h * o * tanh_c_slope
        sum_bar = c_bar * c_slope  # (2)
        i_bar = sum_bar * g
        f_bar = sum_bar * state.c
        g_bar = sum_bar * i
        a_bar = (i_bar * i * not_i, f_bar * f * not_f, g_bar * g_slope, o_bar * o * not_o)  # (1)
        return a_bar, a_bar, HiddenAndCell(0 * new_bar.h, sum_bar * f), HiddenAndCell(new_bar.h, c_bar)

    @staticmethod
    def keep(saved, new):
        return saved[1] * saved[10]
