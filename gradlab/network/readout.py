"""A readout on the top layer and the losses of its output: the gradient a trained network's loss injects.

o_t = V h_t + b_V                                     scores, Y of them
squared error       ℓ_t = ½ ‖o_t - y_t‖²              ∂ℓ_t/∂o_t = o_t - y_t
cross-entropy       ℓ_t = -log softmax(o_t)[y_t]      ∂ℓ_t/∂o_t = softmax(o_t) - onehot(y_t)
L = Σ_t Σ_b ℓ_t                                       a sum over loss steps and sequences, not a mean

∂L/∂h_t by the loss alone = Vᵀ ∂ℓ_t/∂o_t              ∂L/∂V = Σ_t Σ_b ∂ℓ_t/∂o_t h_tᵀ        ∂L/∂b_V = Σ_t Σ_b ∂ℓ_t/∂o_t
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy import ndarray
from numpy.random import Generator


class Readout(NamedTuple):
    """The readout weight and bias."""

    V: ndarray  # [Y, H]
    b_V: ndarray  # [Y]


class Read(NamedTuple):
    """Losses on a readout at m loss steps, and their gradients."""

    losses: ndarray  # [m, B]  ℓ_t
    cotangents: ndarray  # [m, B, H]  ∂L/∂h_t by the loss alone
    readout_bar: Readout  # ∂L/∂V, ∂L/∂b_V


def drawn(output_size: int, hidden_size: int, generator: Generator) -> Readout:
    """V and b_V as PyTorch's nn.Linear draws them, U(-1/√H, 1/√H), in float64."""
    bound = 1 / np.sqrt(hidden_size)
    V = generator.uniform(-bound, bound, (output_size, hidden_size))
    return Readout(V, generator.uniform(-bound, bound, output_size))


def squared_error(scores: ndarray, targets: ndarray) -> tuple[ndarray, ndarray]:
    """½ ‖o - y‖² of a readout V; targets are drawn from N(0, 1), or the one-hot next character of a text."""
    error = scores - targets
    return 0.5 * np.square(error).sum(axis=-1), error


def cross_entropy(scores: ndarray, targets: ndarray) -> tuple[ndarray, ndarray]:
    """Softmax cross-entropy of a readout V; targets are drawn evenly, or the next character of a text."""
    shifted = scores - scores.max(axis=-1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    log_softmax = shifted - log_sum
    return -(targets * log_softmax).sum(axis=-1), np.exp(log_softmax) - targets


def direction(scores: ndarray, targets: ndarray) -> tuple[ndarray, ndarray]:
    """No readout: a random unit vector is the gradient injected at each loss step."""
    raise ValueError("objective = 'direction' has no readout: its cotangents do not depend on states")


OBJECTIVES: dict[str, Callable[[ndarray, ndarray], tuple[ndarray, ndarray]]] = {
    "direction": direction,
    "cross_entropy": cross_entropy,
    "squared_error": squared_error,
}


def read(readout: Readout, objective: str, states: ndarray, targets: ndarray) -> Read:
    """Losses and gradients at m loss steps.

    states [m, B, H], the top layer's h_t there; targets [m, B, Y], one-hot for cross-entropy; any one dtype.
    Raises ValueError for an objective without a readout.
    """
    with np.errstate(all="ignore"):  # the loss on an overflowed state is no number either; the trace says where it was
        losses, scores_bar = OBJECTIVES[objective](states @ readout.V.T + readout.b_V, targets)
        V_bar = np.einsum("tby,tbh->yh", scores_bar, states)
        return Read(losses, scores_bar @ readout.V, Readout(V_bar, scores_bar.sum(axis=(0, 1))))


def drawn_targets(objective: str, steps: int, sequences: int, output_size: int, generator: Generator) -> ndarray:
    """Targets [T, B, Y] in float64: one-hot classes drawn evenly for cross-entropy, N(0, 1) for squared error."""
    if objective == "cross_entropy":
        return np.eye(output_size)[generator.integers(output_size, size=(steps, sequences))]
    return generator.standard_normal((steps, sequences, output_size))
