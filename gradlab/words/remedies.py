"""Sentences about remedies: what is changed, and what would be left."""

import pandas as pd

from gradlab.words.numbers import number

NAMES = {"keep_bias": "keep-gate bias", "initialization": "weights"}
NONE = "None of the changes that are tried here applies to this network."


def remedy(row: pd.Series) -> str:
    """One change in a line: "keep-gate bias 3: 0.36 is left, steady"."""
    pairs = zip(row["setting"].split(" and "), row["value"].split(" and "), strict=True)
    change = ", ".join(f"{NAMES[setting]} {value}" for setting, value in pairs)
    return f"{change}: {number(row['log10_left'])} is left, {row['verdict']}"
