"""Product Jacobians: what they do to lengths, against lag.

`stretches` reads cell, step, lag, quantity ("singular value", "random cotangent", "spectral-norm bound"), index,
log10_value and resolved, as `gradlab.jacobians.singular_values_by_lag` gives them.
"""

from __future__ import annotations

from typing import NamedTuple

import altair as alt
import numpy as np
import pandas as pd

from gradlab.charts import annotations, axes, colours, theme
from gradlab.charts.picture import Domains, Picture, Rows, in_parts
from gradlab.words.languages import N_, _

COLUMNS = ("cell", "step", "lag", "quantity", "index", "log10_value", "resolved")
WIDTHS = {N_("singular value"): 1.0, N_("random cotangent"): 3.0, N_("spectral-norm bound"): 1.8}
DASHES = {"singular value": [1, 0], "random cotangent": [1, 0], "spectral-norm bound": [6, 4]}


class Look(NamedTuple):
    """What decides how the picture is drawn, beside its rows."""

    cell: str
    quantities: tuple[str, ...]
    dark: bool


def _stretches(table: pd.DataFrame, *, scale_with: pd.DataFrame | None = None, dark: bool = False) -> Picture:
    theme.refuse_empty(table)
    shown = table["resolved"] & np.isfinite(table["log10_value"])
    said = table["quantity"].map(_)
    drawn = table[list(COLUMNS)].assign(log10_value=table["log10_value"].where(shown), said=said)
    look = Look(table["cell"].iloc[0], tuple(theme.present(table["quantity"], WIDTHS)), dark)
    rows = {name: drawn[drawn["quantity"] == name] for name in look.quantities}
    other = table.iloc[:0] if scale_with is None else scale_with
    others = other["log10_value"][other["resolved"]]
    lags = [int(table["lag"].min()), max([int(table["lag"].max()), *other["lag"]])]
    last = int(table["step"].iloc[0] + table["lag"].iloc[0])
    rows |= {"kept": pd.DataFrame({"log10_value": [0.0]}), "lags": pd.DataFrame({"lag": lags})}
    domains = {
        "factors": axes.decades_domain([drawn["log10_value"], others]),
        "steps": [last - lags[1], int(table["step"].max())],
        "lags": lags,
    }
    return Picture(_layers, look, rows, domains, dark, 460, held=("factors", "steps"), two_x_axes=True)


@in_parts(_stretches)
def stretches(
    table: pd.DataFrame,
    *,
    scale_with: pd.DataFrame | None = None,
    title: str = "",
    subtitle: str = "",
    dark: bool = False,
    width: int | str = "container",
    height: int = 460,
) -> alt.LayerChart:
    """A thin line per singular value, the rest in bold; values that rounding has decided are left out.

    scale_with    rows of a picture beside it, which has the same scales
    """
    return _stretches(table, scale_with=scale_with, dark=dark).chart(title, subtitle, width, height)


def _layers(rows: Rows, domains: Domains, look: Look) -> list[alt.Chart]:
    names, ink = list(look.quantities), colours.INKS[look.dark]
    cell = colours.cell_colour(look.cell, look.dark)
    range_ = {"singular value": cell, "random cotangent": ink.text, "spectral-norm bound": ink.muted}
    key = theme.named(names, symbolOpacity=1, columns=1)
    colour = alt.Color("quantity:N", scale=alt.Scale(domain=names, range=[range_[name] for name in names]), legend=key)
    dash = alt.StrokeDash(
        "quantity:N", scale=alt.Scale(domain=names, range=[DASHES[name] for name in names]), legend=key
    )
    tips = [
        alt.Tooltip("said:N", title=_("quantity")),
        alt.Tooltip("index:Q", title=_("index k"), format="d"),
        alt.Tooltip("step:Q", title=_("step"), format=",d"),
        alt.Tooltip("lag:Q", title=_("lag"), format=",d"),
        alt.Tooltip("size:N", title=_("factor")),
    ]
    rule = alt.Chart(rows["kept"]).mark_rule(color=ink.rule, strokeDash=[2, 3])
    layers = [rule.encode(y=alt.Y("log10_value:Q"))]
    for name in names:
        line = annotations.with_number(alt.Chart(rows[name]), "log10_value")
        line = line.mark_line(strokeWidth=WIDTHS[name], opacity=0.55 if name == "singular value" else 1)
        layers.append(
            line.encode(
                x=axes.along(domains["steps"], "" if len(layers) > 1 else _("step t"), goes_on=True),
                y=axes.decades("log10_value", domains["factors"], [_("factor by which a length changes")]),
                color=colour,
                strokeDash=dash,
                detail=alt.Detail("index:O"),
                tooltip=tips,
            )
        )
    return [*layers, axes.back(domains["lags"], rows["lags"])]
