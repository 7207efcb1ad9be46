"""Initial weights: the spectra of the recurrent weight U and the gates' biases, one stack at a time.

    singular_values    reads  layer, gate, index, singular_value
    eigenvalues        reads  layer, gate, real, imaginary, modulus
    gate_biases        reads  layer, gate, unit, effective_bias

Colour is the gate here, because one cell is shown at a time; depth of shade is the layer, as everywhere.
"""

from __future__ import annotations

from typing import NamedTuple

import altair as alt
import numpy as np
import pandas as pd

from gradlab.charts import axes, colours, theme
from gradlab.charts.picture import Domains, Picture, Rows, in_parts
from gradlab.words.languages import _

SINGULAR_COLUMNS = ("layer", "gate", "index", "singular_value")
EIGEN_COLUMNS = ("layer", "gate", "real", "imaginary", "modulus")
BIAS_COLUMNS = ("layer", "gate", "unit", "effective_bias")

_ANGLES = np.linspace(0, 2 * np.pi, 181)
SYMBOL_SIZES = {"stroke": 220, "circle": 70, "square": 90}
UNIT_CIRCLE = pd.DataFrame({"real": np.cos(_ANGLES), "imaginary": np.sin(_ANGLES), "order": range(len(_ANGLES))})


class Look(NamedTuple):
    """What decides how a picture of weights is drawn, beside its rows."""

    gates: tuple[str, ...]
    layers: tuple[int, ...]
    dark: bool
    last: int = 0  # index of the smallest singular value


def _look(table: pd.DataFrame, dark: bool) -> Look:
    theme.refuse_empty(table)
    gates = theme.present(table["gate"], colours.GATE_COLOURS[dark])
    return Look(tuple(gates), tuple(map(int, dict.fromkeys(table["layer"]))), dark)


def _singular_values(table: pd.DataFrame, *, scale_with: pd.DataFrame | None = None, dark: bool = False) -> Picture:
    look = _look(table, dark)._replace(last=int(table["index"].max()))
    domains = {"values": [0.0, max([1.1, *_both(table, scale_with, "singular_value")])]}
    rows = {"values": _said(table, SINGULAR_COLUMNS), "one": pd.DataFrame({"singular_value": [1.0]})}
    return Picture(_singular_layers, look, rows, domains, dark, 340, held=("values",))


@in_parts(_singular_values)
def singular_values(
    table: pd.DataFrame,
    *,
    scale_with: pd.DataFrame | None = None,
    title: str = "",
    subtitle: str = "",
    dark: bool = False,
    width: int | str = "container",
    height: int = 340,
) -> alt.LayerChart:
    """Singular values, one line per layer and gate, with a rule at 1: the length is preserved.

    scale_with    rows of a picture beside it, which has the same scale
    """
    return _singular_values(table, scale_with=scale_with, dark=dark).chart(title, subtitle, width, height)


def _singular_layers(rows: Rows, domains: Domains, look: Look) -> list[alt.Chart]:
    tips = [
        alt.Tooltip("said:N", title=_("gate")),
        alt.Tooltip("layer:O", title=_("layer")),
        alt.Tooltip("index:Q", title=_("index k")),
        alt.Tooltip("singular_value:Q", title="σ", format=".4f"),
    ]
    chart, last = alt.Chart(rows["values"]), max(look.last, 1)
    layers = pd.Series(look.layers)
    lines = chart.mark_line().encode(strokeWidth=theme.width(layers, look.dark, 1.8))
    values = (lines if look.last else chart.mark_point(filled=True)).encode(
        x=alt.X(
            "index:Q",
            scale=alt.Scale(domain=[0, last], nice=False),
            axis=alt.Axis(title=_("index k, largest first"), format="d", tickCount=axes.ticks("width", 75, last)),
        ),
        y=alt.Y(
            "singular_value:Q",
            scale=alt.Scale(domain=axes.ends(domains["values"]), nice=True),
            axis=alt.Axis(title=_("singular value of U"), tickCount=6),
        ),
        color=_gates(look, "stroke"),
        opacity=theme.shade(layers, look.dark),
        tooltip=tips,
    )
    rule = alt.Chart(rows["one"]).mark_rule(color=colours.INKS[look.dark].rule, strokeDash=[2, 3])
    return [rule.encode(y=alt.Y("singular_value:Q")), values]


def _eigenvalues(
    table: pd.DataFrame, *, scale_with: pd.DataFrame | None = None, dark: bool = False, side: int = 270
) -> Picture:
    look, reach = _look(table, dark), 1.1 * max([1.0, *_both(table, scale_with, "modulus")])
    rows = {"circle": UNIT_CIRCLE, "points": _said(table, EIGEN_COLUMNS)}
    return Picture(_eigen_layers, look, rows, {"plane": [-reach, reach]}, dark, side, held=("plane",), side=side)


@in_parts(_eigenvalues)
def eigenvalues(
    table: pd.DataFrame,
    *,
    scale_with: pd.DataFrame | None = None,
    title: str = "",
    subtitle: str = "",
    dark: bool = False,
    side: int = 270,
) -> alt.LayerChart:
    """Eigenvalues in the complex plane with the unit circle: inside it directions shrink, outside they grow.

    The plane is `side` pixels square, so that the circle is round; it does not stretch with the page. `scale_with` has
    the rows of a picture beside it, which shows the same part of the plane.
    """
    return _eigenvalues(table, scale_with=scale_with, dark=dark, side=side).chart(title, subtitle)


def _eigen_layers(rows: Rows, domains: Domains, look: Look) -> list[alt.Chart]:
    scale = alt.Scale(domain=axes.ends(domains["plane"]), nice=False)
    real = alt.X("real:Q", scale=scale, axis=alt.Axis(title=_("real part of λ"), tickCount=5, grid=True))
    imaginary = alt.Y("imaginary:Q", scale=scale, axis=alt.Axis(title=_("imaginary part of λ"), tickCount=5))
    circle = alt.Chart(rows["circle"]).mark_line(color=colours.INKS[look.dark].rule, strokeWidth=1.2)
    tips = [
        alt.Tooltip("said:N", title=_("gate")),
        alt.Tooltip("layer:O", title=_("layer")),
        alt.Tooltip("real:Q", title="Re λ", format=".4f"),
        alt.Tooltip("imaginary:Q", title="Im λ", format=".4f"),
        alt.Tooltip("modulus:Q", title="|λ|", format=".4f"),
    ]
    points = alt.Chart(rows["points"]).mark_point(filled=True, size=22)
    shade = theme.shade(pd.Series(look.layers), look.dark, symbol="circle")
    return [
        circle.encode(x=real, y=imaginary, order=alt.Order("order:Q")),
        points.encode(x=real, y=imaginary, color=_gates(look, "circle"), opacity=shade, tooltip=tips),
    ]


def _gate_biases(table: pd.DataFrame, *, dark: bool = False) -> Picture:
    look = _look(table, dark)
    return Picture(_bias_layers, look, {"biases": _said(table, BIAS_COLUMNS)}, {}, dark, 340)


@in_parts(_gate_biases)
def gate_biases(
    table: pd.DataFrame,
    *,
    title: str = "",
    subtitle: str = "",
    dark: bool = False,
    width: int | str = "container",
    height: int = 340,
) -> alt.LayerChart:
    """How the effective biases of each gate's units are spread, all layers together."""
    return _gate_biases(table, dark=dark).chart(title, subtitle, width, height)


def _bias_layers(rows: Rows, domains: Domains, look: Look) -> list[alt.Chart]:
    bars = (
        alt.Chart(rows["biases"])
        .mark_bar(binSpacing=0.5)
        .encode(
            x=alt.X(
                "effective_bias:Q",
                bin=alt.Bin(maxbins=30),
                axis=alt.Axis(title=_("effective bias b_W + b_U")),
            ),
            y=alt.Y("count():Q", stack="zero", axis=alt.Axis(title=_("units"), tickMinStep=1, format="d", tickCount=5)),
            color=_gates(look, "square"),
            tooltip=[
                alt.Tooltip("said:N", title=_("gate")),
                alt.Tooltip("effective_bias:Q", bin=alt.Bin(maxbins=30), title=_("effective bias")),
                alt.Tooltip("count():Q", title=_("units"), format="d"),
            ],
        )
    )
    return [bars]


def _said(table: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    """These columns, and what the pointer calls the gate."""
    return table[list(columns)].assign(said=table["gate"].map(_))


def _both(table: pd.DataFrame, other: pd.DataFrame | None, column: str) -> list[float]:
    """The largest value of a column here, and in a picture beside this one."""
    return [float(rows[column].max()) for rows in (table, other) if rows is not None and len(rows)]


def _gates(look: Look, symbol: str) -> alt.Color:
    """Colour is the gate."""
    gates = list(look.gates)
    scale = alt.Scale(domain=gates, range=[colours.gate_colour(gate, look.dark) for gate in gates])
    legend = (
        theme.named(gates, _("gate"), symbolType=symbol, symbolOpacity=1, symbolSize=SYMBOL_SIZES[symbol], columns=2)
        if len(gates) > 1
        else None
    )
    return alt.Color("gate:N", scale=scale, legend=legend)
