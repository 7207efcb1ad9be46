"""What a truncation window costs and saves. All tables are tidy, one row per cell and window.

lost       cell, window, lost, lost_min, lost_max        share of the gradient beyond a window; mean and range
angle      cell, layer, k1, k2, cosine, relative_error   of the truncated parameter gradient to the full one
savings    k2, share_of_bytes, share_of_multiply_adds    of the full
"""

from __future__ import annotations

from typing import Any, NamedTuple

import altair as alt
import numpy as np
import pandas as pd

from gradlab.charts import annotations, theme
from gradlab.charts.colours import INKS
from gradlab.charts.picture import Domains, Picture, Rows, in_parts
from gradlab.words.languages import N_, _

LOST_COLUMNS = ("cell", "window", "lost", "lost_min", "lost_max")
ANGLE_COLUMNS = ("cell", "layer", "k1", "k2", "cosine", "relative_error")
SAVING_COLUMNS = ("k2", "share_of_bytes", "share_of_multiply_adds")
SAVED = {"share_of_bytes": N_("memory"), "share_of_multiply_adds": N_("multiply-adds")}
ROOM = 1.12  # of the full height: above it stands the name of the chosen window
TICKS = [0, 0.2, 0.4, 0.6, 0.8, 1]


class Look(NamedTuple):
    """What decides how lost gradients are drawn, beside their rows."""

    cells: tuple[str, ...]
    longest: int
    dark: bool


def _lost(table: pd.DataFrame, chosen: int, *, dark: bool = False) -> Picture:
    longest = int(table["window"].max())
    look = Look(tuple(dict.fromkeys(table["cell"])), longest, dark)
    named = table.assign(cell=table["cell"].map(theme.cell_title))
    says = annotations.readings(
        named, "window", "cell", "lost", lambda share: _("{share} missed").format(share=f"{share:.3%}")
    )
    rows = {"lines": table[list(LOST_COLUMNS)], annotations.READ: says, "chosen": _chosen_rows(chosen, longest)}
    return Picture(_lost_layers, look, rows, {}, dark, 340)


@in_parts(_lost)
def lost(table: pd.DataFrame, chosen: int, *, title: str = "", subtitle: str = "", dark: bool = False,
         width: int | str = "container", height: int = 340) -> alt.LayerChart:  # fmt: skip
    """Share of the gradient that comes from further back than a window, one line per cell, the chosen window marked."""
    return _lost(table, chosen, dark=dark).chart(title, subtitle, width, height)


def _lost_layers(rows: Rows, domains: Domains, look: Look) -> list[alt.Chart]:
    x = _windows("window", look.longest, _("window, steps"))
    y = _share("lost", _("share of the gradient missed"))
    colour = theme.cells_encoding(pd.DataFrame({"cell": look.cells}), look.dark)
    chart = alt.Chart(rows["lines"])
    low = _share("lost_min", _("share of the gradient missed"))
    area = chart.mark_area(opacity=0.14).encode(x=x, y=low, y2=alt.Y2("lost_max:Q"), color=colour)
    line = chart.mark_line(strokeWidth=3).encode(x=x, y=y, color=colour)
    pointer = annotations.pointer(rows[annotations.READ], x, look.dark, "window")
    return [area, line, pointer, *_chosen(rows["chosen"], x, look.dark)]


def angle(table: pd.DataFrame, chosen: int, *, title: str = "", subtitle: str = "", dark: bool = False,
          width: int | str = "container", height: int = 340) -> alt.LayerChart:  # fmt: skip
    """Cosine between truncated and full parameter gradient against the window, one line per cell and layer."""
    finite = table[np.isfinite(table["cosine"])]
    x = _windows("k2", table["k2"].max(), _("window k2, steps"))
    low = min(0.0, float(finite["cosine"].min())) if len(finite) else 0.0
    y = alt.Y(
        "cosine:Q", scale=alt.Scale(domain=[low, ROOM], nice=False), axis=alt.Axis(title=_("cosine"), values=TICKS)
    )
    colour = theme.cells_encoding(table, dark)
    lines = [alt.Detail("cell:N"), alt.Detail("layer:O")]
    tips = [
        alt.Tooltip("cell:N", title=_("cell")),
        alt.Tooltip("layer:O", title=_("layer")),
        alt.Tooltip("k1:Q", format=",d"),
        alt.Tooltip("k2:Q", format=",d"),
        alt.Tooltip("cosine:Q", title=_("cosine"), format=".6f"),
        alt.Tooltip("relative_error:Q", title=_("relative error"), format=".3g"),
    ]
    shade, stroke = theme.shade(table["layer"], dark), theme.width(table["layer"], dark, 2.5)
    line = alt.Chart(finite).mark_line()
    line = line.encode(x=x, y=y, color=colour, opacity=shade, strokeWidth=stroke, detail=lines)
    dots = alt.Chart(finite).mark_point(filled=True, size=55)
    dots = dots.encode(x=x, y=y, color=colour, opacity=shade, tooltip=tips)
    return theme.finished(
        [line, dots, *_chosen(_chosen_rows(chosen, int(table["k2"].max())), x, dark)],
        title,
        subtitle,
        dark,
        width,
        height,
    )


def savings(table: pd.DataFrame, chosen: int, *, title: str = "", subtitle: str = "", dark: bool = False,
            width: int | str = "container", height: int = 300) -> alt.LayerChart:  # fmt: skip
    """Memory and multiply-adds by count, as shares of full back-propagation, against the window."""
    ink = INKS[dark]
    names = {column: _(name) for column, name in SAVED.items()}
    table = table[list(SAVING_COLUMNS)].rename(columns=names).melt("k2", var_name="what", value_name="share")
    x = _windows("k2", table["k2"].max(), _("window k2, steps"))
    y = alt.Y(
        "share:Q",
        scale=alt.Scale(domain=[0, ROOM * float(table["share"].max())], nice=False),
        axis=alt.Axis(title=_("share of full"), format=".0%", tickCount=5),
    )
    dash = alt.StrokeDash(
        "what:N",
        scale=alt.Scale(domain=[*names.values()], range=[[1, 0], [6, 4]]),
        legend=alt.Legend(title=None, symbolStrokeColor=ink.text),
    )
    line = alt.Chart(table).mark_line(color=ink.text, strokeWidth=2.5).encode(x=x, y=y, strokeDash=dash)
    dots = alt.Chart(table).mark_point(filled=True, size=50, color=ink.text).encode(x=x, y=y)
    says = annotations.readings(
        table, "k2", "what", "share", lambda share: _("{share} of full").format(share=f"{share:.1%}")
    )
    pointer = annotations.pointer(says, x, dark, "k2")
    layers = [line, dots, pointer, *_chosen(_chosen_rows(chosen, int(table["k2"].max())), x, dark)]
    return theme.finished(layers, title, subtitle, dark, width, height)


def _windows(column: str, longest: int, title: str) -> alt.X:
    """The axis of windows, logarithmic: a window is at least 1."""
    ticks = [n for k in range(7) for n in (10**k, 2 * 10**k, 5 * 10**k) if n <= longest]
    axis = alt.Axis(title=title, format=",d", values=ticks, grid=False)
    return alt.X(f"{column}:Q", scale=alt.Scale(type="log", domain=[1, int(max(longest, 2))], nice=False), axis=axis)


def _share(column: str, title: str) -> alt.Y:
    axis = alt.Axis(title=title, format=".0%", values=TICKS)
    return alt.Y(f"{column}:Q", scale=alt.Scale(domain=[0, ROOM], nice=False), axis=axis)


def _chosen_rows(window: int, longest: int) -> pd.DataFrame:
    """The chosen window, and whether its name has more room at its left."""
    columns = {"window": [window], "k2": [window], "label": [f"k2 = {window}"], "late": [window * window > longest]}
    return pd.DataFrame(columns)


def _chosen(at: Any, x: alt.X, dark: bool) -> list[alt.Chart]:
    """A rule at the window of `_chosen_rows`, with its name; `x` is the axis of a column of theirs."""
    ink = INKS[dark]
    place: dict[str, Any] = {
        "align": alt.ExprRef("datum.late ? 'right' : 'left'"),
        "dx": alt.ExprRef("datum.late ? -5 : 5"),
        "baseline": "top",
        "dy": 2,
    }
    rule = alt.Chart(at).mark_rule(color=ink.alarm, strokeWidth=1.5).encode(x=x)
    name = alt.Chart(at).mark_text(color=ink.alarm, fontWeight=600, **place)
    return [rule, name.encode(x=x, y=alt.YValue(0), text=alt.Text("label:N"))]
