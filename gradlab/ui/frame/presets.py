"""Instructive starting points, each with a sentence why. A setting that a preset leaves out takes its default."""

from typing import Any, NamedTuple

from gradlab.words.languages import N_


class Preset(NamedTuple):
    settings: dict[str, Any]
    why: str


PRESETS = {
    N_("PyTorch defaults"): Preset(
        {},
        N_(
            "Gates alone do not keep the gradient: with PyTorch's defaults the LSTM and the GRU vanish too, only "
            "slower."
        ),
    ),
    N_("Open the keep gate"): Preset(
        {"keep_bias": 3.0},
        N_(
            "A large bias holds the gate that keeps the old state near 1: the LSTM's gradient stays, and the GRU's "
            "shrinks far less than by default."
        ),
    ),
    N_("Orthogonal"): Preset(
        {"cells": ("rnn_linear", "rnn", "lstm"), "initialization": "orthogonal"},
        N_(
            "An orthogonal recurrent weight preserves norms, so the linear RNN's gradient neither grows nor shrinks; "
            "tanh's slope, below 1, still shrinks the RNN's. The LSTM's shrinks most: its gates, near 0.5, matter more "
            "than its recurrent weights."
        ),
    ),
    N_("Exploding"): Preset(
        {"cells": ("rnn_linear", "rnn", "lstm"), "initialization": "gaussian", "gain": 1.5},
        N_("A gain above 1 makes the linear RNN's gradient explode; tanh saturates, so the RNN's grows far less."),
    ),
    N_("IRNN"): Preset(
        {"cells": ("rnn_relu", "rnn", "lstm"), "initialization": "irnn"},
        N_(
            "Identity as recurrent weight, no biases and ReLU (Le et al. 2015): a unit that is on passes the gradient "
            "unchanged, and one that is off passes nothing."
        ),
    ),
    N_("A loss at every step"): Preset(
        {"loss": "every"},
        N_(
            "Gradient is injected at every step, so the curves stay flat, yet the gradient of each loss still vanishes."
        ),
    ),
    N_("Real text"): Preset(
        {"inputs": "text", "keep_bias": 1.0},
        N_("The same cells reading English prose, one character per step: type or paste your own under Sequence."),
    ),
}
FIRST = ("PyTorch defaults", "Open the keep gate", "Orthogonal", "Exploding")  # above the opening picture
