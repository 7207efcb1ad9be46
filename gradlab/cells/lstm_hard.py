"""Long short-term memory with hard-sigmoid gates (Keras's `hard_sigmoid`, ONNX's HardSigmoid): fully open or closed.

(1)  i, f, o = s(a_i), s(a_f), s(a_o)     gates, a = (W x + b_W) + (U h + b_U);  s(a) = min(max(a/5 + 1/2, 0), 1)
     g       = tanh(a_g)                  candidate
(2)  c' = f c + i g                       cell state: the additive update
(3)  h' = o tanh c'                       hidden state

Beyond a = ±5/2 a gate is exactly 0 or 1, and no gradient passes through it. Torch's and Keras 3's form has the slope
1/6 in the place of 1/5: that is this cell with the gates' rows of W, U and the biases times 5/6.
"""

from typing import NamedTuple

from gradlab.cells.activations import is_positive, relu, tanh
from gradlab.cells.states import HiddenAndCell

SLOPE = 0.2


class HardLSTM(NamedTuple):
    """`LSTM` with piecewise linear gates."""

    title = "LSTM (hard gates)"
    pre_activations = ("input", "forget", "candidate", "output")
    gates = ("input", "forget", "output")
    keep_gate = ("forget", 1)
    record = HiddenAndCell
    states = record._fields
    saved = (
        "input", "forget", "candidate", "output", "tanh_c",
        "input_slope", "forget_slope", "candidate_slope", "output_slope", "tanh_c_slope",
    )  # fmt: skip

    @staticmethod
    def step(a_x, a_h, state):
        i_line = SLOPE * (a_x[0] + a_h[0]) + 0.5  # (1)
        f_line = SLOPE * (a_x[1] + a_h[1]) + 0.5
        o_line = SLOPE * (a_x[3] + a_h[3]) + 0.5
        i = 1 - relu(1 - relu(i_line))  # of an infinite line too
        f = 1 - relu(1 - relu(f_line))
        o = 1 - relu(1 - relu(o_line))
        i_slope = SLOPE * is_positive(i) * is_positive(1 - i)
        f_slope = SLOPE * is_positive(f) * is_positive(1 - f)
        o_slope = SLOPE * is_positive(o) * is_positive(1 - o)
        g, g_slope = tanh(a_x[2] + a_h[2])
        c = f * state.c + i * g  # (2)
        tanh_c, tanh_c_slope = tanh(c)
        h = o * tanh_c  # (3)
        return HiddenAndCell(h, c), (i, f, g, o, tanh_c, i_slope, f_slope, g_slope, o_slope, tanh_c_slope)

    @staticmethod
    def adjoint(saved, state, new, new_bar):
        i, f, g, o, tanh_c, i_slope, f_slope, g_slope, o_slope, tanh_c_slope = saved
        o_bar = new_bar.h * tanh_c  # (3)
        c_bar = new_bar.c + new_bar.h * o * tanh_c_slope
        i_bar = c_bar * g  # (2)
        f_bar = c_bar * state.c
        g_bar = c_bar * i
        a_bar = (i_bar * i_slope, f_bar * f_slope, g_bar * g_slope, o_bar * o_slope)  # (1)
        return a_bar, a_bar, HiddenAndCell(0 * new_bar.h, c_bar * f), HiddenAndCell(new_bar.h, c_bar)

    @staticmethod
    def keep(saved, new):
        return saved[1]
