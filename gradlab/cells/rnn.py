"""Elman's recurrent network (Elman 1990), with three activations φ: tanh, max(·, 0) and the identity.

(1)  a  = (W x + b_W) + (U h + b_U)      pre-activation
(2)  h' = φ(a)                           hidden state

The same U multiplies at every step: ∂h'/∂h = diag(φ'(a)) U, and nothing is added.
"""

from typing import NamedTuple

from gradlab.cells.activations import is_positive, relu, tanh
from gradlab.cells.states import Hidden


class RNN(NamedTuple):
    """φ = tanh; PyTorch's `nn.RNN`."""

    title = "RNN"
    pre_activations = ("candidate",)
    gates = ()
    record = Hidden
    states = record._fields
    saved = ("slope",)

    @staticmethod
    def step(a_x, a_h, state):
        h, slope = tanh(a_x[0] + a_h[0])  # (1) (2)
        return Hidden(h), (slope,)

    @staticmethod
    def adjoint(saved, state, new, new_bar):
        a_bar = new_bar.h * saved[0]  # (2)
        return (a_bar,), (a_bar,), Hidden(0 * new_bar.h), new_bar  # (1)


class RectifiedRNN(NamedTuple):
    """φ = max(·, 0); `nn.RNN(nonlinearity="relu")`; with the identity as U: Le et al. 2015, arXiv 1504.00941."""

    title = "RNN (ReLU)"
    pre_activations = ("candidate",)
    gates = ()
    record = Hidden
    states = record._fields
    saved = ()

    @staticmethod
    def step(a_x, a_h, state):
        h = relu(a_x[0] + a_h[0])  # (1) (2)
        return Hidden(h), ()

    @staticmethod
    def adjoint(saved, state, new, new_bar):
        a_bar = new_bar.h * is_positive(new.h)  # (2)
        return (a_bar,), (a_bar,), Hidden(0 * new_bar.h), new_bar  # (1)


class LinearRNN(NamedTuple):
    """φ = identity: ∂h_T/∂h_t is the matrix power U^(T-t), so every result can be had in closed form."""

    title = "RNN (linear)"
    pre_activations = ("candidate",)
    gates = ()
    record = Hidden
    states = record._fields
    saved = ()

    @staticmethod
    def step(a_x, a_h, state):
        h = a_x[0] + a_h[0]  # (1) (2)
        return Hidden(h), ()

    @staticmethod
    def adjoint(saved, state, new, new_bar):
        a_bar = new_bar.h  # (2)
        return (a_bar,), (a_bar,), Hidden(0 * new_bar.h), new_bar  # (1)
