"""The curse of memory: how violently a unit's state reacts to its parameter, against the length of its memory.

`sensitivities` reads parametrization, eigenvalue, measured, standard_error and predicted, as
`gradlab.remembering.curse_and_remedy` gives them, of the rows of its sensitivities.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import altair as alt
import numpy as np
import pandas as pd

from gradlab.charts import axes, colours, theme
from gradlab.charts.picture import Domains, Picture, Rows, in_parts
from gradlab.words.languages import N_, _
from gradlab.words.numbers import number

COLUMNS = ("parametrization", "quantity", "eigenvalue", "measured", "standard_error", "predicted")
NAIVE, REMEDY = "as it stands", "normalised"
NAMES = {NAIVE: N_("as it stands: E (dh/dλ)²"), REMEDY: N_("normalised: E (dh/dν)²")}
ERRORS = 2.0  # standard errors that a bar spans to each side
LOWEST = 1e-3  # of the mean, where a bar would reach below 0


class Look(NamedTuple):
    """What decides how the picture is drawn, beside its rows."""

    lengths: tuple[float, ...]
    dark: bool


def _sensitivities(table: pd.DataFrame, *, at: float, dark: bool = False) -> Picture:
    theme.refuse_empty(table)
    drawn = pd.DataFrame(
        {
            "name": table["parametrization"].map(_names()),
            "eigenvalue": table["eigenvalue"],
            "length": 1 / (1 - table["eigenvalue"]),  # steps of memory
            "log10_predicted": np.log10(table["predicted"]),
            "log10_measured": np.log10(table["measured"]),
        }
    )
    reach = ERRORS * table["standard_error"] / table["measured"]
    drawn = drawn.assign(**{name: drawn[f"log10_{name}"].map(number) for name in ("measured", "predicted")})
    drawn["log10_low"] = drawn["log10_measured"] + np.log10((1 - reach).clip(lower=LOWEST))
    drawn["log10_high"] = drawn["log10_measured"] + np.log10(1 + reach)
    here = drawn[drawn["eigenvalue"] == at]
    rows = {"lines": drawn, "here": here, "at": pd.DataFrame({"length": [1 / (1 - at)]})}
    domains = {"squares": axes.decades_domain([drawn["log10_low"], drawn["log10_high"]])}
    lengths = tuple(float(length) for length in dict.fromkeys(drawn["length"].round(6)))
    return Picture(_layers, Look(lengths, dark), rows, domains, dark, 400, held=("squares",))


@in_parts(_sensitivities)
def sensitivities(
    table: pd.DataFrame,
    *,
    at: float,
    title: str = "",
    subtitle: str = "",
    dark: bool = False,
    width: int | str = "container",
    height: int = 400,
) -> alt.LayerChart:
    """The formulas as lines and what is measured as dots, of both parametrizations; a rule at the eigenvalue `at`."""
    return _sensitivities(table, at=at, dark=dark).chart(title, subtitle, width, height)


def _names() -> dict[str, str]:
    """The names of the lines in the language that is spoken."""
    return {parametrization: _(name) for parametrization, name in NAMES.items()}


def _layers(rows: Rows, domains: Domains, look: Look) -> list[alt.Chart]:
    ink, names = colours.INKS[look.dark], list(_names().values())
    scale = alt.Scale(domain=names, range=[ink.alarm, colours.cell_colour("lstm", look.dark)])
    colour = alt.Color("name:N", scale=scale, legend=alt.Legend(title=None, symbolOpacity=1, columns=1, labelLimit=300))
    x = _along(look.lengths)
    y = axes.decades("log10_predicted", domains["squares"], [_("mean square of the sensitivity")])
    tips = [
        alt.Tooltip("name:N", title=_("parametrization")),
        alt.Tooltip("eigenvalue:Q", title="λ", format="~g"),
        alt.Tooltip("length:Q", title=_("memory, steps"), format=",.0f"),
        alt.Tooltip("measured:N", title=_("measured")),
        alt.Tooltip("predicted:N", title=_("formula")),
    ]
    rule = alt.Chart(rows["at"]).mark_rule(color=ink.rule, strokeWidth=1.4)
    lines = alt.Chart(rows["lines"]).mark_line(strokeWidth=2.6)
    bars = alt.Chart(rows["lines"]).mark_rule(strokeWidth=1.4)
    dots = alt.Chart(rows["lines"]).mark_point(filled=True, size=45, opacity=1)
    large = alt.Chart(rows["here"]).mark_point(filled=True, size=170, opacity=1)
    return [
        rule.encode(x=x),
        lines.encode(x=x, y=y, color=colour),
        bars.encode(x=x, y=alt.Y("log10_low:Q"), y2=alt.Y2("log10_high:Q"), color=colour),
        *(marks.encode(x=x, y=alt.Y("log10_measured:Q"), color=colour, tooltip=tips) for marks in (dots, large)),
    ]


def _along(lengths: Sequence[float]) -> alt.X:
    scale = alt.Scale(type="log", domain=[min(lengths), max(lengths)], nice=False, padding=8)
    axis = alt.Axis(title=_("length of memory, 1/(1 − λ) steps"), values=[*lengths], format=",.0f")
    return alt.X("length:Q", scale=scale, axis=axis)
