"""Lyapunov spectra and what decides them.

    exponents    reads  cell, quantity, index, exponent              gradlab.spectra.spectrum(...).table
    newton       reads  cell, factor, iterations, steps, exponent    gradlab.spectra.newton_by_factor
    calming      reads  quantity, strength, seed, exponent           gradlab.spectra.calming

Exponents are in nats a step. Colour is the cell; what theory predicts is dashed, in a muted colour; above the rule at 0
directions grow.
"""

from __future__ import annotations

from typing import NamedTuple

import altair as alt
import numpy as np
import pandas as pd

from gradlab.charts import axes, colours, theme
from gradlab.charts.picture import Domains, Picture, Rows, in_parts
from gradlab.words.languages import N_, _

SPECTRUM_COLUMNS = ("cell", "quantity", "index", "exponent")
NEWTON_COLUMNS = ("cell", "factor", "iterations", "steps", "exponent")
CALMING_COLUMNS = ("quantity", "strength", "seed", "exponent")
MEASURED, MEAN_FIELD = "measured", "mean field"
ABOUT_ZERO = (-0.1, 0.1)  # nats a step, always in view
NAMES = {
    MEASURED: N_("measured"),
    "eigenvalues of U": N_("eigenvalues of U"),
    "each unit alone": N_("each unit alone"),
    MEAN_FIELD: N_("mean field"),
}
ALONE = {MEAN_FIELD: N_("mean field, λ₁ alone: the diamond")}
HEIGHT = 340


class Look(NamedTuple):
    """What decides how the spectrum is drawn, beside its rows."""

    cell: str
    quantities: tuple[str, ...]
    dark: bool
    is_one: bool  # a single direction, which is no line


def _exponents(table: pd.DataFrame, *, scale_with: pd.DataFrame | None = None, dark: bool = False) -> Picture:
    theme.refuse_empty(table)
    drawn = table[list(SPECTRUM_COLUMNS)].assign(exponent=_finite(table["exponent"]), said=_said(table))
    names = theme.present(table["quantity"], (MEASURED,))
    others = [] if scale_with is None else [_finite(scale_with["exponent"])]
    tables = (table,) if scale_with is None else (table, scale_with)
    last = max(int(one["index"].max()) for one in tables)
    rows = {name: drawn[drawn["quantity"] == name] for name in names}
    rows["zero"] = pd.DataFrame({"exponent": [0.0]})
    domains = {"exponents": _about_zero([drawn["exponent"], *others]), "indices": [1, max(last, 2)]}
    look = Look(str(table["cell"].iloc[0]), tuple(names), dark, int(table["index"].max()) == 1)
    return Picture(_exponent_layers, look, rows, domains, dark, HEIGHT, held=("exponents",))


@in_parts(_exponents)
def exponents(
    table: pd.DataFrame,
    *,
    scale_with: pd.DataFrame | None = None,
    title: str = "",
    subtitle: str = "",
    dark: bool = False,
    width: int | str = "container",
    height: int = HEIGHT,
) -> alt.LayerChart:
    """All exponents, the largest first, beside their prediction; a diamond where theory has the largest alone.

    scale_with    rows of a picture beside it, which has the same scales
    """
    return _exponents(table, scale_with=scale_with, dark=dark).chart(title, subtitle, width, height)


def _exponent_layers(rows: Rows, domains: Domains, look: Look) -> list[alt.Chart]:
    ink, names = colours.INKS[look.dark], list(look.quantities)
    shown = dict.fromkeys(names, ink.muted) | {MEASURED: colours.cell_colour(look.cell, look.dark)}
    shown[MEAN_FIELD] = ink.text
    key = theme.named({name: (NAMES | ALONE)[name] for name in names}, symbolOpacity=1, columns=1)
    colour = alt.Color("quantity:N", scale=alt.Scale(domain=names, range=[shown[name] for name in names]), legend=key)
    dashes = [[1, 0] if name == MEASURED else [6, 4] for name in names]
    dash = alt.StrokeDash("quantity:N", scale=alt.Scale(domain=names, range=dashes), legend=key)
    ticks = axes.ticks("width", 75, axes.span(domains["indices"]))
    x = alt.X(
        "index:Q",
        scale=alt.Scale(domain=axes.ends(domains["indices"]), nice=False, padding=6),
        axis=alt.Axis(title=_("index i, largest first"), format="d", tickCount=ticks),
    )
    y = _y(domains["exponents"], _("Lyapunov exponent, nats a step"))
    tips = [
        alt.Tooltip("said:N", title=_("quantity")),
        alt.Tooltip("index:Q", title=_("index i"), format="d"),
        alt.Tooltip("exponent:Q", title=_("nats a step"), format=".4f"),
    ]
    layers = [alt.Chart(rows["zero"]).mark_rule(color=ink.rule, strokeDash=[2, 3]).encode(y=y)]
    for name in names:
        chart = alt.Chart(rows[name])
        if name == MEAN_FIELD:
            mark = chart.mark_point(shape="diamond", filled=True, size=130, opacity=1)
        elif look.is_one:
            mark = chart.mark_point(filled=name == MEASURED, size=70, opacity=1)
        else:
            mark = chart.mark_line(strokeWidth=2.6 if name == MEASURED else 1.6).encode(strokeDash=dash)
        layers.append(mark.encode(x=x, y=y, color=colour, tooltip=tips))
    return layers


def newton(
    table: pd.DataFrame,
    *,
    title: str = "",
    subtitle: str = "",
    dark: bool = False,
    width: int | str = "container",
    height: int = HEIGHT,
) -> alt.LayerChart:
    """Newton iterations against the factor on U, the largest exponent over them; shaded where it is above 0."""
    theme.refuse_empty(table)
    ink, cell = colours.INKS[dark], colours.cell_colour(str(table["cell"].iloc[0]), dark)
    drawn = table[list(NEWTON_COLUMNS)].assign(exponent=_finite(table["exponent"]))
    steps, factors = int(table["steps"].iloc[0]), table["factor"]
    across = alt.Scale(type="log", domain=[float(factors.min()), float(factors.max())], nice=False)
    x = alt.X(
        "factor:Q",
        scale=across,
        axis=alt.Axis(title=_("factor on U (1: the network shown)"), values=[*map(float, factors)], format="~g"),
    )
    tips = [
        alt.Tooltip("factor:Q", title=_("factor on U"), format="~g"),
        alt.Tooltip("iterations:Q", title=_("iterations"), format="d"),
        alt.Tooltip("exponent:Q", title=_("λ₁, nats a step"), format=".4f"),
    ]
    most = alt.Y(
        "iterations:Q",
        scale=alt.Scale(domain=[0, steps], nice=False),
        axis=alt.Axis(
            title=_("Newton iterations for {steps} steps").format(steps=steps), titleColor=cell, format="d", tickCount=5
        ),
    )
    across_zero = alt.Scale(domain=_about_zero([drawn["exponent"]]), nice=False, padding=8)
    axis = alt.Axis(title=_("λ₁, nats a step (dashed)"), orient="right", grid=False, tickCount=5)
    rate = alt.Y("exponent:Q", scale=across_zero, axis=axis)
    on_rate = alt.Y("exponent:Q", scale=across_zero, axis=None)
    shade = alt.Chart(_growing(drawn)).mark_rect(color=ink.rule, opacity=0.14)
    bars = alt.Chart(drawn).mark_line(color=cell, strokeWidth=2.6, point={"size": 50, "filled": True, "color": cell})
    line = alt.Chart(drawn).mark_line(color=ink.text, strokeWidth=1.8, strokeDash=[6, 4])
    zero = alt.Chart(pd.DataFrame({"exponent": [0.0]})).mark_rule(color=ink.rule, strokeDash=[2, 3])
    rates = [zero.encode(y=on_rate), line.encode(x=x, y=rate, tooltip=tips)]
    area = shade.encode(x=alt.X("begin:Q", scale=across), x2=alt.X2("end:Q"))
    layers = [area, *rates, bars.encode(x=x, y=most, tooltip=tips)]
    return theme.finished(layers, title, subtitle, dark, width, height, two_y_axes=True)


def _growing(table: pd.DataFrame) -> pd.DataFrame:
    """The factors between which the largest exponent is above 0: passes of 0 are read off the line."""
    found, spans, begin = table.dropna(subset=["exponent"]), [], None
    logs, values = np.log(found["factor"].to_numpy()), found["exponent"].to_numpy()
    for place, value in enumerate(values):
        if (value > 0) == (begin is not None):
            continue
        at = logs[place]
        if place:
            before = values[place - 1]
            at = logs[place - 1] + (at - logs[place - 1]) * before / (before - value)
        if begin is None:
            begin = at
        else:
            spans.append((begin, at))
            begin = None
    if begin is not None:
        spans.append((begin, logs[-1]))
    return pd.DataFrame(np.exp(np.array(spans).reshape(-1, 2)), columns=["begin", "end"])


def calming(
    table: pd.DataFrame,
    *,
    title: str = "",
    subtitle: str = "",
    dark: bool = False,
    width: int | str = "container",
    height: int = HEIGHT,
) -> alt.LayerChart:
    """A dot for each network, and the line that theory has for infinite size; above 0 the network is chaotic."""
    theme.refuse_empty(table)
    ink = colours.INKS[dark]
    drawn = table[list(CALMING_COLUMNS)].assign(exponent=_finite(table["exponent"]), said=_said(table))
    names = theme.present(table["quantity"], (MEASURED,))
    shown = {MEASURED: colours.cell_colour("rnn", dark), MEAN_FIELD: ink.text}
    scale = alt.Scale(domain=names, range=[shown[name] for name in names])
    colour = alt.Color("quantity:N", scale=scale, legend=theme.named(names, symbolOpacity=1))
    x = alt.X(
        "strength:Q",
        axis=alt.Axis(title=_("strength s of the input"), tickCount=7),
        scale=alt.Scale(nice=False, padding=8),
    )
    y = _y(_about_zero([drawn["exponent"]]), _("λ₁, nats a step"))
    tips = [
        alt.Tooltip("said:N", title=_("quantity")),
        alt.Tooltip("strength:Q", title=_("strength s")),
        alt.Tooltip("exponent:Q", title=_("λ₁, nats a step"), format=".4f"),
    ]
    zero = alt.Chart(pd.DataFrame({"exponent": [0.0]})).mark_rule(color=ink.rule, strokeDash=[2, 3])
    line = alt.Chart(drawn[drawn["quantity"] == MEAN_FIELD]).mark_line(strokeWidth=1.8, strokeDash=[6, 4])
    dots = alt.Chart(drawn[drawn["quantity"] == MEASURED]).mark_point(filled=True, size=42, opacity=0.75)
    layers = [zero.encode(y=y), *(mark.encode(x=x, y=y, color=colour, tooltip=tips) for mark in (line, dots))]
    return theme.finished(layers, title, subtitle, dark, width, height)


def _said(table: pd.DataFrame) -> pd.Series:
    """What the pointer calls each quantity."""
    return table["quantity"].map({name: _(text) for name, text in NAMES.items()})


def _finite(values: pd.Series) -> pd.Series:
    return values.where(np.isfinite(values))


def _about_zero(columns: list[pd.Series]) -> list[float]:
    """The range of the values that are finite, with 0 in view."""
    finite = [column.dropna() for column in columns]
    return [
        float(min([ABOUT_ZERO[0], *(column.min() for column in finite if len(column))])),
        float(max([ABOUT_ZERO[1], *(column.max() for column in finite if len(column))])),
    ]


def _y(domain: axes.Domain, title: str) -> alt.Y:
    scale = alt.Scale(domain=axes.ends(domain), nice=False, zero=False, padding=8)
    return alt.Y("exponent:Q", scale=scale, axis=alt.Axis(title=title, tickCount=6))
