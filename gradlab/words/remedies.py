"""Sentences about remedies: what is changed, and what would be left."""

import pandas as pd

from gradlab.words.languages import _
from gradlab.words.numbers import number

NAMES = {"keep_bias": "keep-gate bias", "initialization": "weights"}
NONE = "None of the changes that are tried here applies to this network."


def before(why_not: str) -> str:
    """What becomes of the settings before the change: of a button, in its help."""
    if why_not:
        return _("The settings before are not pinned: {why}").format(why=why_not)
    return _("Pins the settings before the change, so that both lie on the chart.")


def remedy(row: pd.Series) -> str:
    """One change in a line: "keep-gate bias 3: 0.36 is left, steady"."""
    pairs = zip(row["setting"].split(" and "), row["value"].split(" and "), strict=True)
    change = ", ".join(f"{NAMES[setting]} {value}" for setting, value in pairs)
    return f"{change}: {number(row['log10_left'])} is left, {row['verdict']}"
