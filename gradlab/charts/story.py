"""The pictures of the guided story: a few bold lines that are named where they end, on axes that hardly move.

`curves` reads path, step, lag, log10_relative: one line per path; -inf is exactly zero and drawn on the bottom edge.
`losses` reads path, update, loss: one line per cell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import altair as alt
import numpy as np
import pandas as pd

from gradlab.charts import annotations, axes, colours, theme
from gradlab.charts.picture import Domains, Picture, Rows, has, in_parts
from gradlab.words.languages import N_, _
from gradlab.words.numbers import number

COLUMNS = ("path", "step", "lag", "log10_relative")
END_COLUMNS = ("path", "step", "label_at")
LOSS_COLUMNS = ("path", "update", "loss")
HEIGHT = 400
# On a page the picture takes what its step leaves of the window, so that both are on one screen.
OF_WINDOW = "windowSize()[0] < 641 ? clamp(windowSize()[1] - 556, 180, 420) : clamp(windowSize()[1] - 300, 240, 640)"
BOLD, THIN = 4.0, 2.0
SOLID, DASHED, DOTTED = (1, 0), (7, 5), (2, 4)


class Style(NamedTuple):
    """How a line is drawn: in which cell's colour, or in a muted one where that is ""; how wide; dashed or not."""

    cell: str
    width: float = BOLD
    dash: tuple[int, int] = SOLID


STYLES = {
    "weight": Style("rnn"),
    "rnn": Style("rnn"),
    "same": Style("rnn_linear", THIN),
    "fresh": Style("rnn_linear", THIN, DASHED),
    "gradient": Style("rnn_relu"),
    "radius": Style("", THIN, DASHED),
    "determinant": Style("", THIN, DOTTED),
    "exploding": Style("", THIN, DASHED),
    "exploding clipped": Style("rnn_relu"),
    "vanishing": Style("", THIN, DASHED),
    "vanishing clipped": Style("rnn"),
    "drawn": Style("", THIN, DASHED),
    "held": Style("lstm"),
    "all": Style("", THIN, DASHED),
    "blocked": Style("lstm"),
    "lstm": Style("lstm"),
    "squashed": Style("lstm_squashed"),
    "product": Style("lstm", THIN, DASHED),
    "gru": Style("gru"),
    "window": Style("lstm"),
}


class Look(NamedTuple):
    """What decides how the lines are drawn, beside their rows."""

    paths: tuple[str, ...]
    names: tuple[str, ...]  # "" of a line that has none
    dark: bool


def _curves(
    table: pd.DataFrame,
    ends: pd.DataFrame,
    *,
    names: Mapping[str, str],
    span: Sequence[float],
    dark: bool = False,
) -> Picture:
    theme.refuse_empty(table)
    paths = [path for path in STYLES if path in set(table["path"])]
    drawn = table[list(COLUMNS)].assign(
        cell=table["path"], layer=0, state="", log10_relative=table["log10_relative"].where(
            np.isfinite(table["log10_relative"])
        )
    )  # fmt: skip
    zeros = table[np.isneginf(table["log10_relative"])].assign(cell=lambda rows: rows["path"], layer=0, state="")
    first, last = int(table["step"].min()), int(table["step"].max())
    domain = axes.decades_domain([drawn["log10_relative"], np.array(span, float)])
    labels = ends[ends["path"].isin(names)]
    rows = {
        **{f"line {path}": drawn[drawn["path"] == path] for path in paths},
        "limits": annotations.limit_rows(domain),
        "zeros": annotations.zero_rows(zeros),
        "last zero": annotations.last_zero(zeros, last),
        "ends": labels[list(END_COLUMNS)].assign(label=annotations.broken(labels["path"].map(dict(names)))),
        annotations.READ: _readings(drawn, names),
    }
    look = Look(tuple(paths), tuple(names.get(path, "") for path in paths), dark)
    domains = {"norms": domain, "steps": [first, last]}
    return Picture(_layers, look, rows, domains, dark, HEIGHT, held=("norms",), of_window=OF_WINDOW)


@in_parts(_curves)
def curves(
    table: pd.DataFrame,
    ends: pd.DataFrame,
    *,
    names: Mapping[str, str],
    span: Sequence[float],
    title: str = "",
    subtitle: str = "",
    dark: bool = False,
    width: int | str = "container",
    height: int | None = None,
) -> alt.LayerChart:
    """One line per path, named at its left end.

    ends     where the names stand: columns path, step, label_at
    names    of the paths
    span     decades that are always in view, so that a line that moves is seen to move
    """
    picture = _curves(table, ends, names=names, span=span, dark=dark)
    return picture.chart(title, subtitle, width, height)


def _layers(rows: Rows, domains: Domains, look: Look) -> list[alt.Chart]:
    ink = colours.INKS[look.dark]
    x = axes.along(domains["steps"], _(axes.BACKWARDS))
    shades = [
        colours.cell_colour(STYLES[path].cell, look.dark) if STYLES[path].cell else ink.muted for path in look.paths
    ]
    colour: Any = alt.Color("path:N", scale=alt.Scale(domain=list(look.paths), range=shades), legend=None)
    y_title = [_("remaining gradient")]
    gutter = annotations.gutter(annotations.broken(pd.Series(look.names)))
    limits = annotations.float32_limits(rows["limits"], look.dark) if has(rows["limits"]) else []
    lines = []
    for path in sorted(look.paths, key=lambda path: STYLES[path].width):
        style = STYLES[path]
        line = alt.Chart(rows[f"line {path}"]).mark_line(strokeWidth=style.width, strokeDash=list(style.dash))
        lines.append(
            line.encode(
                x=x,
                y=axes.decades("log10_relative", domains["norms"], y_title, offset=gutter),
                color=colour,
            )
        )
    zero_colour: Any = alt.Color("cell:N", scale=alt.Scale(domain=list(look.paths), range=shades), legend=None)
    zeros = annotations.exact_zeros(
        rows["zeros"], rows["last zero"], x, zero_colour, alt.OpacityValue(0.9), look.dark
    ) if has(rows["zeros"]) else []  # fmt: skip
    names = annotations.end_labels(rows["ends"], x, colour)
    return [
        *limits,
        *lines,
        *zeros,
        names,
        annotations.pointer(rows[annotations.READ], x, look.dark),
    ]


def _readings(drawn: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    named = drawn[drawn["path"].isin(names)]
    named = named.assign(line=named["path"].map(dict(names)))
    return annotations.readings(named, N_("step"), "line", "log10_relative", number)


class LossLook(NamedTuple):
    """What decides how the losses are drawn, beside their rows."""

    cells: tuple[str, ...]
    dark: bool


def _losses(table: pd.DataFrame, *, updates: int, level: float, name: str, dark: bool = False) -> Picture:
    theme.refuse_empty(table)
    cells = theme.present(table["path"], ())
    rows = {
        "losses": table[list(LOSS_COLUMNS)].assign(cell=table["path"]),
        "ends": table.groupby("path", sort=False).tail(1)[list(LOSS_COLUMNS)].assign(cell=lambda ends: ends["path"]),
        "level": pd.DataFrame({"loss": [level], "label": [name]}),
    }
    domains = {"updates": [0.0, float(updates)], "losses": [0.0, 1.25 * level]}
    look = LossLook(tuple(cells), dark)
    return Picture(_loss_layers, look, rows, domains, dark, HEIGHT, of_window=OF_WINDOW)


@in_parts(_losses)
def losses(
    table: pd.DataFrame,
    *,
    updates: int,
    level: float,
    name: str,
    title: str = "",
    subtitle: str = "",
    dark: bool = False,
    width: int | str = "container",
    height: int | None = None,
) -> alt.LayerChart:
    """The loss of every cell by update, up to the last of `updates`; `level` is a rule with its name."""
    picture = _losses(table, updates=updates, level=level, name=name, dark=dark)
    return picture.chart(title, subtitle, width, height)


def _loss_layers(rows: Rows, domains: Domains, look: LossLook) -> list[alt.Chart]:
    ink = colours.INKS[look.dark]
    x = alt.X(
        "update:Q",
        scale=alt.Scale(domain=axes.ends(domains["updates"]), nice=False),
        axis=alt.Axis(title=_("update"), format=",d", tickCount=axes.ticks("width", 75, axes.span(domains["updates"]))),
    )
    y = alt.Y(
        "loss:Q",
        scale=alt.Scale(domain=axes.ends(domains["losses"]), nice=False),
        axis=alt.Axis(title=_("loss"), tickCount=5),
    )
    colour = theme.cells_encoding(pd.DataFrame({"cell": look.cells}), look.dark)
    rule = alt.Chart(rows["level"]).mark_rule(color=ink.text, strokeDash=[6, 4]).encode(y=y)
    place = {"align": "right", "dx": -4, "dy": 6, "baseline": "top", "fontSize": 13, "color": ink.text}
    label = alt.Chart(rows["level"]).mark_text(**place).encode(x=alt.XValue("width"), y=y, text=alt.Text("label:N"))
    line = alt.Chart(rows["losses"]).mark_line(strokeWidth=BOLD, clip=True).encode(x=x, y=y, color=colour)
    dots = (
        alt.Chart(rows["ends"]).mark_point(filled=True, opacity=1, size=110, clip=True).encode(x=x, y=y, color=colour)
    )
    return [rule, line, dots, label]
