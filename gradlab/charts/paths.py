"""The gradient by path: its parts as lines and as stacked shares, what cuts leave, and one unit by hand.

`parts` and `left` read rows of a trace's table whose column `path` names the line:

    path, step, lag, log10_norm or log10_relative       means over the batch; -inf exactly zero, NaN undefined

`shares` reads path, step, lag, share; `by_hand` reads cell, step, lag, log10_norm, log10_formula.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import altair as alt
import numpy as np
import pandas as pd

from gradlab.charts import annotations, axes, colours, theme
from gradlab.charts.picture import Domains, Picture, Rows, has, in_parts
from gradlab.words.languages import N_, _
from gradlab.words.routes import line_title, part_title

COLUMNS = ("cell", "layer", "state", "path", "step", "lag", "log10_norm", "log10_relative")
SHARE_COLUMNS = ("path", "step", "lag", "share")
BY_HAND_COLUMNS = ("cell", "step", "lag", "log10_norm", "log10_formula")
SHARES_SHOWN = [-0.25, 1.25]  # parts that cancel can be larger than the whole: they leave the picture
# Orders by rank, from warm to dark: never beside cells, but beside the direct path in its cell's colour.
ORDERS = {
    False: ("#E69F00", "#EE8434", "#E4695B", "#CC5179", "#AA4089", "#84378F", "#5C318C", "#3B2A78"),
    True: ("#FFC247", "#FF9E57", "#FA7F77", "#EA6C99", "#CF62B4", "#AD62C8", "#8C68D2", "#7471D6"),
}
STROKE = 1.8  # of most lines
NO_DOTS = pd.DataFrame({"path": [], "step": [], "log10_norm": []})
# Of lines after a cut: colours of none of the cells that stand on the same page.
CUTS = {False: ("#8F7A00", "#3D3D3D", "#8A5A3C", "#4F8078"), True: ("#E0CC4A", "#E8E8E8", "#D2A27E", "#9FC3CC")}


def parts(table: pd.DataFrame, *, relative: bool = True, title: str = "", subtitle: str = "", dark: bool = False,
          width: int | str = "container", height: int = 380) -> alt.LayerChart:  # fmt: skip
    """One line per part; the total behind them, wide and pale."""
    names = theme.present(table["path"], ())
    shown = _part_colours(names, table["cell"].iloc[0], dark)
    picture = _lines(table, names, shown, {"total": 7.0, "direct": 3.5}, relative, dark)
    return picture.chart(title, subtitle, width, height)


def shares(table: pd.DataFrame, *, title: str = "", subtitle: str = "", dark: bool = False,
           width: int | str = "container", height: int = 300, cell: str = "lstm") -> alt.LayerChart:  # fmt: skip
    """Signed shares of the parts, stacked: they sum to 1 at every step; negative ones hang below 0."""
    theme.refuse_empty(table)
    names = theme.present(table["path"], ())
    shown = _part_colours(names, cell, dark)
    drawn = table[list(SHARE_COLUMNS)].assign(rank=table["path"].map(names.index), path=table["path"].map(part_title))
    first, last = int(table["step"].min()), int(table["step"].max())
    scale = alt.Scale(domain=[*map(part_title, names)], range=[shown[name] for name in names])
    area = (
        alt.Chart(drawn[np.isfinite(drawn["share"])])
        .mark_area(clip=True, opacity=0.9)
        .encode(
            x=axes.steps(first, last, _("step t")),
            y=alt.Y(
                "share:Q",
                stack="zero",
                scale=alt.Scale(domain=SHARES_SHOWN, nice=False),
                axis=alt.Axis(title=_("share of ∂L/∂s"), format="%", values=[0, 0.25, 0.5, 0.75, 1]),
            ),
            color=alt.Color("path:N", scale=scale, legend=alt.Legend(title=None, symbolType="square", columns=3)),
            order=alt.Order("rank:Q"),
            tooltip=[
                alt.Tooltip("path:N", title=_("path")),
                alt.Tooltip("lag:Q", title=_("lag"), format=",d"),
                alt.Tooltip("share:Q", title=_("share"), format=".1%"),
            ],
        )
    )
    rule = alt.Chart(pd.DataFrame({"whole": [0.0, 1.0]})).mark_rule(color=colours.INKS[dark].text, strokeWidth=1)
    lags = axes.lags(int(table["lag"].min()), int(table["lag"].max()))
    return theme.finished(
        [area, rule.encode(y=alt.Y("whole:Q")), lags], title, subtitle, dark, width, height, two_x_axes=True
    )


def left(table: pd.DataFrame, *, relative: bool = True, title: str = "", subtitle: str = "", dark: bool = False,
         width: int | str = "container", height: int = 380) -> alt.LayerChart:  # fmt: skip
    """What is left of a cell's gradient after each cut, beside the whole of it and of other cells.

    A line whose `path` is "total" has its cell's colour and name; the others are named in words.
    """
    whole = table["path"] == "total"
    names = np.where(whole, table["cell"].map(theme.cell_title), table["path"].map(line_title))
    drawn = table.assign(path=names)
    order = theme.present(drawn["path"], ())
    cells = dict(zip(names[whole], table.loc[whole, "cell"], strict=True))
    cuts = [name for name in order if name not in cells]
    shown = {name: colours.cell_colour(cells[name], dark) for name in cells}
    shown |= {name: CUTS[dark][number % len(CUTS[dark])] for number, name in enumerate(cuts)}
    strokes = dict.fromkeys(cuts, 3.0)
    return _lines(drawn, order, shown, strokes, relative, dark).chart(title, subtitle, width, height)


def _by_hand(table: pd.DataFrame, *, dark: bool = False) -> Picture:
    names = {"rnn_linear": N_("one weight"), "gru": N_("behind a gate")}
    drawn = table.assign(path=table["cell"].map(names), layer=0, state="h")
    shown = {"one weight": colours.cell_colour("rnn", dark), "behind a gate": colours.cell_colour("gru", dark)}
    every = max(1, len(drawn) // 2 // 25)
    some = drawn[(drawn["lag"] % every == 0) & np.isfinite(drawn["log10_norm"])]
    formula = drawn.assign(log10_norm=drawn["log10_formula"])
    return _lines(formula, list(shown), shown, {}, False, dark, dots=some[["path", "step", "log10_norm"]])


@in_parts(_by_hand)
def by_hand(table: pd.DataFrame, *, title: str = "", subtitle: str = "", dark: bool = False,
            width: int | str = "container", height: int = 380) -> alt.LayerChart:  # fmt: skip
    """The computed gradient as dots on the line that the formula gives, for the unit alone and behind its gate."""
    return _by_hand(table, dark=dark).chart(title, subtitle, width, height)


def _part_colours(names: list[str], cell: str, dark: bool) -> dict[str, str]:
    ink = colours.INKS[dark]
    fixed = {"total": ink.rule, "rest": ink.muted, "direct": colours.cell_colour(cell, dark)}
    orders = [name for name in names if name not in fixed]
    ramp = ORDERS[dark]
    return {name: fixed.get(name) or ramp[orders.index(name) % len(ramp)] for name in names}


class Look(NamedTuple):
    """What decides how lines by path are drawn, beside their rows."""

    names: tuple[str, ...]
    colours: tuple[str, ...]
    strokes: tuple[float, ...]  # of the names
    relative: bool
    dark: bool


def _lines(table: pd.DataFrame, names: list[str], shown: Mapping[str, str], strokes: Mapping[str, float],
           relative: bool, dark: bool, dots: pd.DataFrame | None = None) -> Picture:  # fmt: skip
    """One line per path on an axis of powers of ten, with exact zeros, a clickable legend and a hover naming all.

    dots    columns path, step, log10_norm: marks on the lines
    """
    theme.refuse_empty(table)
    value = "log10_relative" if relative else "log10_norm"
    table = table.reset_index(drop=True).assign(cell=table["path"].to_numpy(), layer=0, state="")  # lines are paths
    drawn = table[["cell", "layer", "state", "step", "lag", value]]
    few = _few(drawn[np.isneginf(drawn[value])])
    few, table, drawn = (rows.assign(cell=rows["cell"].map(part_title)) for rows in (few, table, drawn))
    drawn = drawn.assign(**{value: drawn[value].where(np.isfinite(drawn[value]))})
    first, last = int(table["step"].min()), int(table["step"].max())
    lags = [int(table["lag"].min()), int(table["lag"].max())]
    widths = tuple(strokes.get(name, STROKE) for name in names)
    own = {width: [part_title(name) for name in names if strokes.get(name, STROKE) == width] for width in widths}
    rows = {f"lines {width}": drawn[drawn["cell"].isin(chosen)] for width, chosen in own.items()}
    rows |= {
        "dots": NO_DOTS if dots is None else dots.assign(path=dots["path"].map(part_title)),
        "zeros": annotations.zero_rows(few),
        "last zero": annotations.last_zero(few, last),
        "drawn": drawn,
        annotations.READ: annotations.hover_rows(table, value),
        "lags": pd.DataFrame({"lag": lags}),
    }
    look = Look(tuple(map(part_title, names)), tuple(shown[name] for name in names), widths, relative, dark)
    domains = {"norms": axes.decades_domain([drawn[value]]), "steps": [first, last], "lags": lags}
    return Picture(_layers, look, rows, domains, dark, 380, held=("norms", "steps"), two_x_axes=True)


def _layers(rows: Rows, domains: Domains, look: Look) -> list[alt.Chart]:
    value = "log10_relative" if look.relative else "log10_norm"
    x = axes.along(domains["steps"])
    scale = alt.Scale(domain=list(look.names), range=list(look.colours))
    clicked = theme.clicked("path_shown", "cell")
    columns = 3 if max(map(len, look.names)) <= 8 else 1
    key = alt.Legend(title=None, symbolOpacity=1, columns=columns, labelLimit=300)
    colour: Any = alt.Color("cell:N", scale=scale, legend=key)
    visible = alt.OpacityValue(theme.DIMMED, condition={"param": clicked.name, "value": 1})
    y_title = [_("norm of ∂L/∂s"), *([_("relative to the injected gradient")] if look.relative else [])]
    layers = []
    for stroke in sorted(set(look.strokes), reverse=True):
        pale = 0.35 if stroke > 5 else 1
        opacity = alt.OpacityValue(theme.DIMMED, condition={"param": clicked.name, "value": pale})
        line = alt.Chart(rows[f"lines {stroke}"]).mark_line(strokeWidth=stroke)
        layers.append(
            line.encode(
                x=x if layers else axes.along(domains["steps"], _("step t")),
                y=axes.decades(value, domains["norms"], y_title),
                color=colour,
                opacity=opacity,
                detail=theme.LINE,
            )
        )
        if len(layers) == 1 and has(rows["dots"]):
            dots = alt.Chart(rows["dots"]).mark_point(size=60, filled=True, opacity=1)
            layers.append(dots.encode(x=x, y=alt.Y(f"{value}:Q"), color=alt.Color("path:N", scale=scale)))
    if has(rows["zeros"]):
        layers += annotations.exact_zeros(rows["zeros"], rows["last zero"], x, colour, visible, look.dark)
    layers += annotations.hover(rows[annotations.READ], rows["drawn"], value, x, colour, look.dark)
    layers.append(axes.back(domains["lags"], rows["lags"]))
    return theme.with_legends(layers, {"color": clicked})


def _few(zeros: pd.DataFrame) -> pd.DataFrame:
    """Marks of at most 3 lines, since more rows would hide the others; orders begin with zeros, which say nothing."""
    some = zeros[~zeros["cell"].str.startswith("order ") & (zeros["cell"] != "rest")]
    return some[some["cell"].isin(list(dict.fromkeys(some["cell"]))[:3])]
