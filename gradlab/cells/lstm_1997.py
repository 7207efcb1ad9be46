"""Long short-term memory as first published (Hochreiter & Schmidhuber 1997): the cell state never decays.

(1)  i, o = σ(a_i), σ(a_o)      gates, a = (W x + b_W) + (U h + b_U)
     g    = tanh(a_g)           candidate
(2)  c'   = c + i g             cell state: the constant error carousel
(3)  h'   = o tanh c'           hidden state

Departures from the paper: it squashes with 4σ - 2 and 2σ - 1 where here it is tanh, and it cuts the gradient at the
gates, where here all of it is kept.
"""

from typing import NamedTuple

from gradlab.cells.activations import sigmoids, tanh
from gradlab.cells.states import HiddenAndCell


class LSTM1997(NamedTuple):
    """The LSTM without a forget gate: its direct path multiplies by exactly 1."""

    title = "LSTM 1997 (no forget gate)"
    pre_activations = ("input", "candidate", "output")
    gates = ("input", "output")
    record = HiddenAndCell
    states = record._fields
    saved = (
        "input", "candidate", "output", "tanh_c", "not_input", "candidate_slope", "not_output", "tanh_c_slope",
    )  # fmt: skip

    @staticmethod
    def step(a_x, a_h, state):
        i, not_i = sigmoids(a_x[0] + a_h[0])  # (1)
        g, g_slope = tanh(a_x[1] + a_h[1])
        o, not_o = sigmoids(a_x[2] + a_h[2])
        c = state.c + i * g  # (2)
        tanh_c, tanh_c_slope = tanh(c)
        h = o * tanh_c  # (3)
        return HiddenAndCell(h, c), (i, g, o, tanh_c, not_i, g_slope, not_o, tanh_c_slope)

    @staticmethod
    def adjoint(saved, state, new, new_bar):
        i, g, o, tanh_c, not_i, g_slope, not_o, tanh_c_slope = saved
        o_bar = new_bar.h * tanh_c  # (3)
        c_bar = new_bar.c + new_bar.h * o * tanh_c_slope
        i_bar = c_bar * g  # (2)
        g_bar = c_bar * i
        a_bar = (i_bar * i * not_i, g_bar * g_slope, o_bar * o * not_o)  # (1)
        return a_bar, a_bar, HiddenAndCell(0 * new_bar.h, c_bar), HiddenAndCell(new_bar.h, c_bar)

    @staticmethod
    def keep(saved, new):
        return 1 + 0 * saved[0]
