"""Leaky recurrent network (Jaeger et al. 2007; Bengio et al. 2013, arXiv 1212.0901): addition without a gate.

(1)  n  = tanh(a)                  a = (W x + b_W) + (U h + b_U)
(2)  h' = (1 - α) h + α n          hidden state: a fixed part is kept at every step

α is the same for all units and steps: `LEAK`. Around U, the gradient keeps 1 - α a step.
"""

from typing import NamedTuple

from gradlab.cells.activations import tanh
from gradlab.cells.states import Hidden

LEAK = 0.1  # α: a time constant of ten steps


class LeakyRNN(NamedTuple):
    """The tanh RNN that moves a tenth of the way at every step."""

    title = "leaky RNN"
    pre_activations = ("candidate",)
    gates = ()
    record = Hidden
    states = record._fields
    saved = ("candidate", "candidate_slope")

    @staticmethod
    def step(a_x, a_h, state):
        n, n_slope = tanh(a_x[0] + a_h[0])  # (1)
        h = (1 - LEAK) * state.h + LEAK * n  # (2)
        return Hidden(h), (n, n_slope)

    @staticmethod
    def adjoint(saved, state, new, new_bar):
        _, n_slope = saved
        n_bar = LEAK * new_bar.h  # (2)
        a_bar = n_bar * n_slope  # (1)
        return (a_bar,), (a_bar,), Hidden((1 - LEAK) * new_bar.h), new_bar

    @staticmethod
    def keep(saved, new):
        return (1 - LEAK) + 0 * saved[0]
