"""The colours, the same everywhere: of cells, of gates, and of what is not data, in light and dark.

They are Okabe and Ito's, which the colour-blind tell apart; the dark theme (key True) has each one shade lighter.
"""

from __future__ import annotations

from typing import NamedTuple

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
# Cells and gates without a colour of their own take these in turn, in the order in which they are registered.
CONTRAST_COLOURS = {
    False: ("#6A51A3", "#8F7A00", "#3D3D3D", "#C27BA0", "#9E7BC9", "#8A5A2B", "#999999", "#5B7083"),
    True: ("#B39DDB", "#E0CC4A", "#E8E8E8", "#F0B3D0", "#D1B8F0", "#D9A066", "#9A9A9A", "#A9BCCB"),
}
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
    """The contrast colour of a name by its place among those that have no colour of their own."""
    palette = CONTRAST_COLOURS[dark]
    return palette[(others.index(name) if name in others else len(others)) % len(palette)]
