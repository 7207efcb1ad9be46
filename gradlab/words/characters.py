"""Sentences about a character model that reads a text."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from gradlab.words.languages import _
from gradlab.words.numbers import counted, number


def reach(table: pd.DataFrame) -> str:
    """The gradient of a prediction at the nearest and the farthest character, and how many float32 could hold."""
    values = table["log10_gradient"].to_numpy()
    held = int((values > math.log10(np.finfo(np.float32).tiny)).sum())
    text = _(
        "The gradient of this prediction at the last character is {last}, at the first, {characters} earlier, {first}; "
        "{held} of {all} gradients are above float32's smallest normal number."
    )
    earlier, ends = counted(len(table) - 1, "character"), {"last": number(values[-1]), "first": number(values[0])}
    return text.format(characters=earlier, held=held, all=len(table), **ends)


def expectations(table: pd.DataFrame) -> str:
    """How likely the characters that follow are taken to be, and how often one is the likeliest."""
    right = table[(table["following"] != "") & (table["symbol"] == table["following"])]
    text = _(
        "The character that follows has a probability of {probability} on average, and is the likeliest after {some} "
        "of {characters}."
    )
    probability, likeliest = f"{right['probability'].mean():.2g}", (right["rank"] == 0).sum()
    return text.format(probability=probability, some=likeliest, characters=counted(len(right), "character"))


def unit(number_of_unit: int, layer: int, table: pd.DataFrame) -> str:
    """One unit over a text: the range of its values."""
    low, high = (f"{end:.2g}".replace("-", "−") for end in (table["value"].min(), table["value"].max()))
    text = _("Unit {unit} of layer {layer} over the text: from {low} to {high}.")
    return text.format(unit=number_of_unit, layer=layer, low=low, high=high)
