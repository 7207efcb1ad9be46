"""Instructive starting points, each with a sentence why. A setting that a preset leaves out takes its default."""

from typing import Any, NamedTuple


class Preset(NamedTuple):
    settings: dict[str, Any]
    why: str


PRESETS = {
    "PyTorch defaults": Preset(
        {},
        "Gates alone do not keep the gradient: with PyTorch's defaults the LSTM and the GRU vanish too, only slower.",
    ),
    "Open the keep gate": Preset(
        {"keep_bias": 3.0},
        "A large bias holds the gate that keeps the old state near 1: the LSTM's gradient stays, and the GRU's shrinks "
        "far less than by default.",
    ),
    "Orthogonal": Preset(
        {"cells": ("rnn_linear", "rnn", "lstm"), "initialization": "orthogonal"},
        "An orthogonal recurrent weight preserves norms, so the linear RNN's gradient neither grows nor shrinks; "
        "tanh's slope, below 1, still shrinks the RNN's. The LSTM's shrinks most: its gates, near 0.5, matter more "
        "than its recurrent weights.",
    ),
    "Exploding": Preset(
        {"cells": ("rnn_linear", "rnn", "lstm"), "initialization": "gaussian", "gain": 1.5},
        "A gain above 1 makes the linear RNN's gradient explode; tanh saturates, so the RNN's grows far less.",
    ),
    "IRNN": Preset(
        {"cells": ("rnn_relu", "rnn", "lstm"), "initialization": "irnn"},
        "Identity as recurrent weight, no biases and ReLU (Le et al. 2015): a unit that is on passes the gradient "
        "unchanged, and one that is off passes nothing.",
    ),
    "A loss at every step": Preset(
        {"loss": "every"},
        "Gradient is injected at every step, so the curves stay flat, yet the gradient of each loss still vanishes.",
    ),
    "Real text": Preset(
        {"inputs": "text", "keep_bias": 1.0},
        "The same cells reading English prose, one character per step: type or paste your own under Sequence.",
    ),
}
FIRST = ("PyTorch defaults", "Open the keep gate", "Orthogonal", "Exploding")  # above the opening picture
