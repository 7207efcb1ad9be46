"""Long short-term memory with peepholes (Gers & Schmidhuber 2000; Graves 2013, arXiv 1308.0850): gates see the cell.

(1)  i, f = σ(a_i + p_i c), σ(a_f + p_f c)      gates, a = (W x + b_W) + (U h + b_U);  p one weight a unit
     g    = tanh(a_g)                           candidate
(2)  c'   = f c + i g                           cell state: the additive update
(3)  o    = σ(a_o + p_o c')                     output gate: sees the new cell state
(4)  h'   = o tanh c'                           hidden state

A peephole weight stands in b_W, as the bias of a pre-activation whose rows of W and U are zero.
A path through a peephole passes no U, so it belongs to the *direct* path: ∂c'/∂c is then not f alone
but f + c f (1 - f) p_f + g i (1 - i) p_i.
"""

from typing import NamedTuple

from gradlab.cells.activations import sigmoids, tanh
from gradlab.cells.states import HiddenAndCell


class PeepholeLSTM(NamedTuple):
    """The LSTM whose gates also see the cell state."""

    title = "LSTM (peepholes)"
    pre_activations = ("input", "forget", "candidate", "output", "peephole_input", "peephole_forget", "peephole_output")
    peepholes = (("input", "peephole_input"), ("forget", "peephole_forget"), ("output", "peephole_output"))
    gates = ("input", "forget", "output")
    keep_gate = ("forget", 1)
    record = HiddenAndCell
    states = record._fields
    saved = (
        "input", "forget", "candidate", "output", "tanh_c", "peephole_input", "peephole_forget", "peephole_output",
        "not_input", "not_forget", "candidate_slope", "not_output", "tanh_c_slope",
    )  # fmt: skip

    @staticmethod
    def step(a_x, a_h, state):
        p_i, p_f, p_o = a_x[4] + a_h[4], a_x[5] + a_h[5], a_x[6] + a_h[6]
        i, not_i = sigmoids(a_x[0] + a_h[0] + p_i * state.c)  # (1)
        f, not_f = sigmoids(a_x[1] + a_h[1] + p_f * state.c)
        g, g_slope = tanh(a_x[2] + a_h[2])
        c = f * state.c + i * g  # (2)
        o, not_o = sigmoids(a_x[3] + a_h[3] + p_o * c)  # (3)
        tanh_c, tanh_c_slope = tanh(c)
        h = o * tanh_c  # (4)
        slopes = (not_i, not_f, g_slope, not_o, tanh_c_slope)
        return HiddenAndCell(h, c), (i, f, g, o, tanh_c, p_i, p_f, p_o, *slopes)

    @staticmethod
    def adjoint(saved, state, new, new_bar):
        i, f, g, o, tanh_c, p_i, p_f, p_o, not_i, not_f, g_slope, not_o, tanh_c_slope = saved
        a_o_bar = new_bar.h * tanh_c * o * not_o  # (4) (3)
        c_bar = new_bar.c + (new_bar.h * o * tanh_c_slope + a_o_bar * p_o)
        a_i_bar = c_bar * g * i * not_i  # (2) (1)
        a_f_bar = c_bar * state.c * f * not_f
        a_g_bar = c_bar * i * g_slope
        direct = c_bar * f + a_i_bar * p_i + a_f_bar * p_f
        a_bar = (a_i_bar, a_f_bar, a_g_bar, a_o_bar, a_i_bar * state.c, a_f_bar * state.c, a_o_bar * new.c)
        return a_bar, a_bar, HiddenAndCell(0 * new_bar.h, direct), HiddenAndCell(new_bar.h, c_bar)
