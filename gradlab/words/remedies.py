"""Sentences about remedies: what is changed, and what would be left."""

import pandas as pd

from gradlab.words.languages import N_, _
from gradlab.words.numbers import number

NAMES = {"keep_bias": N_("keep-gate bias"), "initialization": N_("weights")}
NONE = N_("None of the changes that are tried here applies to this network.")


def before(why_not: str) -> str:
    """What becomes of the settings before the change: of a button, in its help."""
    if why_not:
        return _("The settings before are not pinned: {why}").format(why=why_not)
    return _("Pins the settings before the change, so that both lie on the chart.")


def remedy(row: pd.Series) -> str:
    """One change in a line: "keep-gate bias 3: 0.36 is left, steady"."""
    pairs = zip(row["setting"].split(" and "), row["value"].split(" and "), strict=True)
    change = ", ".join(f"{_(NAMES[setting])} {value}" for setting, value in pairs)
    text = _("{change}: {left} is left, {verdict}")
    return text.format(change=change, left=number(row["log10_left"]), verdict=_(row["verdict"]))
