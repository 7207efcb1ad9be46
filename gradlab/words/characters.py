"""Sentences about a character model that reads a text."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from gradlab.words.numbers import counted, number

LOSS = "Loss by update."
EXPECTATIONS = "The likeliest next characters."


def reach(table: pd.DataFrame) -> str:
    """The gradient of a prediction at the nearest and the farthest character, and how many float32 could hold."""
    values = table["log10_gradient"].to_numpy()
    held = int((values > math.log10(np.finfo(np.float32).tiny)).sum())
    return (
        f"The gradient of this prediction at the last character is {number(values[-1])}, at the first, "
        f"{counted(len(table) - 1, 'character')} earlier, {number(values[0])}; {held} of {len(table)} gradients are "
        "above float32's smallest normal number."
    )


def unit(number_of_unit: int, layer: int) -> str:
    return f"Unit {number_of_unit} of layer {layer} over the text."
