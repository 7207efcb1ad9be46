"""Initial weights: the spectra of the recurrent weight U and the gates' biases, one stack at a time.

    singular_values    reads  layer, gate, index, singular_value
    eigenvalues        reads  layer, gate, real, imaginary, modulus
    gate_biases        reads  layer, gate, unit, effective_bias

Colour is the gate here, because one cell is shown at a time; depth of shade is the layer, as everywhere.
"""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from gradlab.charts import axes, colours, theme

SINGULAR_COLUMNS = ("layer", "gate", "index", "singular_value")
EIGEN_COLUMNS = ("layer", "gate", "real", "imaginary", "modulus")
BIAS_COLUMNS = ("layer", "gate", "unit", "effective_bias")

_ANGLES = np.linspace(0, 2 * np.pi, 181)
SYMBOL_SIZES = {"stroke": 220, "circle": 70, "square": 90}
UNIT_CIRCLE = pd.DataFrame({"real": np.cos(_ANGLES), "imaginary": np.sin(_ANGLES), "order": range(len(_ANGLES))})


def singular_values(
    table: pd.DataFrame,
    *,
    title: str = "",
    subtitle: str = "",
    dark: bool = False,
    width: int | str = "container",
    height: int = 340,
) -> alt.LayerChart:
    """Singular values, one line per layer and gate, with a rule at 1: the length is preserved."""
    theme.refuse_empty(table)
    tips = [
        alt.Tooltip("gate:N"),
        alt.Tooltip("layer:O"),
        alt.Tooltip("index:Q", title="index k"),
        alt.Tooltip("singular_value:Q", title="σ", format=".4f"),
    ]
    last = int(table["index"].max())
    chart = alt.Chart(table[list(SINGULAR_COLUMNS)])
    values = (chart.mark_line(strokeWidth=1.8) if last else chart.mark_point(filled=True)).encode(
        x=alt.X(
            "index:Q",
            scale=alt.Scale(domain=[0, max(last, 1)], nice=False),
            axis=alt.Axis(title="index k, largest first", format="d", tickCount=axes.ticks("width", 75, max(last, 1))),
        ),
        y=alt.Y(
            "singular_value:Q",
            scale=alt.Scale(domain=alt.DomainUnionWith(unionWith=[0, 1.1])),
            axis=alt.Axis(title="singular value of U", tickCount=6),
        ),
        color=_gates(table, dark, "stroke"),
        opacity=theme.shade(table["layer"], legend=True),
        tooltip=tips,
    )
    return theme.finished([_rule_at_one(dark), values], title, subtitle, dark, width, height)


def eigenvalues(
    table: pd.DataFrame, *, title: str = "", subtitle: str = "", dark: bool = False, side: int = 270
) -> alt.LayerChart:
    """Eigenvalues in the complex plane with the unit circle: inside it directions shrink, outside they grow.

    The plane is `side` pixels square, so that the circle is round; it does not stretch with the page.
    """
    theme.refuse_empty(table)
    reach = 1.1 * max(1.0, float(table["modulus"].max()))
    ink = colours.INKS[dark]
    scale = alt.Scale(domain=[-reach, reach], nice=False)
    real = alt.X("real:Q", scale=scale, axis=alt.Axis(title="real part of λ", tickCount=5, grid=True))
    imaginary = alt.Y("imaginary:Q", scale=scale, axis=alt.Axis(title="imaginary part of λ", tickCount=5))
    circle = (
        alt.Chart(UNIT_CIRCLE)
        .mark_line(color=ink.rule, strokeWidth=1.2)
        .encode(x=real, y=imaginary, order=alt.Order("order:Q"))
    )
    tips = [
        alt.Tooltip("gate:N"),
        alt.Tooltip("layer:O"),
        alt.Tooltip("real:Q", title="Re λ", format=".4f"),
        alt.Tooltip("imaginary:Q", title="Im λ", format=".4f"),
        alt.Tooltip("modulus:Q", title="|λ|", format=".4f"),
    ]
    points = (
        alt.Chart(table[list(EIGEN_COLUMNS)])
        .mark_point(filled=True, size=22)
        .encode(
            x=real,
            y=imaginary,
            color=_gates(table, dark, "circle"),
            opacity=theme.shade(table["layer"], True, "circle"),
            tooltip=tips,
        )
    )
    return theme.finished([circle, points], title, subtitle, dark, side, side, autosize="pad")


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
    theme.refuse_empty(table)
    bars = (
        alt.Chart(table[list(BIAS_COLUMNS)])
        .mark_bar(binSpacing=0.5)
        .encode(
            x=alt.X(
                "effective_bias:Q",
                bin=alt.Bin(maxbins=30),
                axis=alt.Axis(title="effective bias b_W + b_U", labelFlush=False),
            ),
            y=alt.Y("count():Q", stack="zero", axis=alt.Axis(title="units", tickMinStep=1, format="d", tickCount=5)),
            color=_gates(table, dark, "square"),
            tooltip=[
                alt.Tooltip("gate:N"),
                alt.Tooltip("effective_bias:Q", bin=alt.Bin(maxbins=30), title="effective bias"),
                alt.Tooltip("count():Q", title="units", format="d"),
            ],
        )
    )
    return theme.finished([bars], title, subtitle, dark, width, height)


def _gates(table: pd.DataFrame, dark: bool, symbol: str) -> alt.Color:
    """Colour is the gate."""
    gates = theme.present(table["gate"], colours.GATE_COLOURS[dark])
    scale = alt.Scale(domain=gates, range=[colours.gate_colour(gate, dark) for gate in gates])
    legend = (
        alt.Legend(title="gate", symbolType=symbol, symbolOpacity=1, symbolSize=SYMBOL_SIZES[symbol], columns=2)
        if len(gates) > 1
        else None
    )
    return alt.Color("gate:N", scale=scale, legend=legend)


def _rule_at_one(dark: bool) -> alt.Chart:
    rule = alt.Chart(pd.DataFrame({"singular_value": [1.0]})).mark_rule(
        color=colours.INKS[dark].rule, strokeDash=[2, 3]
    )
    return rule.encode(y=alt.Y("singular_value:Q"))
