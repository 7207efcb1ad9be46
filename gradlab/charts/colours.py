"""The colours, the same everywhere: of cells, of gates, and of what is not data, in light and dark.

They are Okabe and Ito's, which the colour-blind tell apart; the dark theme (key True) has each one shade lighter.
"""

from __future__ import annotations

from functools import cache
from itertools import count, islice
from typing import NamedTuple

import numpy as np

from gradlab.cells import CELLS

CELL_COLOURS = {
    False: {
        "rnn": "#D55E00",
        "gru": "#009E73",
        "lstm": "#0072B2",
        "rnn_relu": "#A5568A",
        "rnn_linear": "#6E6E6E",
    },
    True: {
        "rnn": "#FF8A3D",
        "gru": "#2CCB9B",
        "lstm": "#56B4E9",
        "rnn_relu": "#E39AC6",
        "rnn_linear": "#B4B4B4",
    },
}
CARD_COLOURS = {  # the nearest by its name in config.toml; of every other cell grey
    "rnn": "orange",
    "gru": "green",
    "lstm": "blue",
    "rnn_relu": "violet",
}
# Other cells and gates are coloured in the order in which they are registered: hues a golden angle apart, so that any
# number of them are spread over the circle, but for the hues of the cells above; lightness and chroma in OKLCH.
GOLDEN_ANGLE = 180 * (3 - 5**0.5)
FIRST_HUE = 300.0
TAKEN_HUES = (46.0, 166.0, 244.0, 344.0)  # RNN, GRU, LSTM, RNN (ReLU)
NEAR = 20.0  # degrees between hues that look like one colour
LIGHTNESS = {False: (0.49, 0.565, 0.64), True: (0.73, 0.80, 0.87)}  # in turn: near hues are 5, 8 or 13 steps apart
CHROMA = 0.13
# Gates are never drawn beside cells; their colours are Okabe and Ito's others.
GATE_COLOURS = {
    False: {
        "input": "#E69F00",
        "reset": "#E69F00",
        "forget": "#3A8FC4",
        "update": "#3A8FC4",
        "candidate": "#B8578F",
        "output": "#5A5A5A",
    },
    True: {
        "input": "#FFC247",
        "reset": "#FFC247",
        "forget": "#7CC8F2",
        "update": "#7CC8F2",
        "candidate": "#EBA3CC",
        "output": "#C4C4C4",
    },
}


OKLAB_TO_CONES = np.array(
    [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.2914855480]]
)
CONES_TO_SRGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


class Ink(NamedTuple):
    """The colours that are not data."""

    paper: str
    text: str
    muted: str
    grid: str
    rule: str
    alarm: str


INKS = {
    False: Ink("#FFFFFF", "#1F2430", "#5C6370", "#ECEEF1", "#8A919E", "#B3261E"),
    True: Ink("#0E1117", "#F2F4F8", "#A8B0BD", "#232936", "#7B8494", "#FF8A80"),
}


def cell_colour(name: str, dark: bool) -> str:
    """The colour of a cell, the same on every chart."""
    if name in CELL_COLOURS[dark]:
        return CELL_COLOURS[dark][name]
    return _contrast(name, [cell for cell in CELLS if cell not in CELL_COLOURS[dark]], dark)


def gate_colour(name: str, dark: bool) -> str:
    """The colour of a gate on charts of one cell."""
    if name in GATE_COLOURS[dark]:
        return GATE_COLOURS[dark][name]
    others = [gate for cell in CELLS.values() for gate in cell.pre_activations if gate not in GATE_COLOURS[dark]]
    return _contrast(name, others, dark)


def _contrast(name: str, others: list[str], dark: bool) -> str:
    """The colour of a name by its place among those that have no colour of their own."""
    return generated(others.index(name) if name in others else len(others), dark)


@cache
def generated(number: int, dark: bool) -> str:
    """The colour with this number, from 0, in the sequence of hues that no cell has."""
    free = (step for step in count() if not _is_taken(FIRST_HUE + step * GOLDEN_ANGLE))
    step = next(islice(free, number, None))
    return oklch(LIGHTNESS[dark][step % 3], CHROMA, FIRST_HUE + step * GOLDEN_ANGLE)


def _is_taken(hue: float) -> bool:
    return any(abs((hue - taken + 180) % 360 - 180) < NEAR for taken in TAKEN_HUES)


def oklch(lightness: float, chroma: float, hue: float) -> str:
    """The sRGB colour of OKLCH coordinates (Ottosson 2020), with less chroma where the screen has none so vivid."""
    angle = np.radians(hue)
    for share in np.linspace(1, 0, 101):
        a, b = share * chroma * np.cos(angle), share * chroma * np.sin(angle)
        cones = (OKLAB_TO_CONES @ (lightness, a, b)) ** 3
        linear = CONES_TO_SRGB @ cones
        if ((linear >= 0) & (linear <= 1)).all():
            break
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear.clip(0) ** (1 / 2.4) - 0.055)
    return "#" + "".join(f"{round(255 * channel):02X}" for channel in curved.clip(0, 1))
