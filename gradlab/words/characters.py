"""Sentences about a character model that reads a text."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from gradlab.words.numbers import counted, number


def reach(table: pd.DataFrame) -> str:
    """The gradient of a prediction at the nearest and the farthest character, and how many float32 could hold."""
    values = table["log10_gradient"].to_numpy()
    held = int((values > math.log10(np.finfo(np.float32).tiny)).sum())
    return (
        f"The gradient of this prediction at the last character is {number(values[-1])}, at the first, "
        f"{counted(len(table) - 1, 'character')} earlier, {number(values[0])}; {held} of {len(table)} gradients are "
        "above float32's smallest normal number."
    )


def expectations(table: pd.DataFrame) -> str:
    """How likely the characters that follow are taken to be, and how often one is the likeliest."""
    right = table[(table["following"] != "") & (table["symbol"] == table["following"])]
    return (
        f"The character that follows has a probability of {right['probability'].mean():.2g} on average, and is the "
        f"likeliest after {(right['rank'] == 0).sum()} of {counted(len(right), 'character')}."
    )


def unit(number_of_unit: int, layer: int, table: pd.DataFrame) -> str:
    """One unit over a text: the range of its values."""
    low, high = (f"{end:.2g}".replace("-", "−") for end in (table["value"].min(), table["value"].max()))
    return f"Unit {number_of_unit} of layer {layer} over the text: from {low} to {high}."
