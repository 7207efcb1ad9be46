"""Training: the loss, clipping, and how the gradient's reach changes with the updates.

    curve     cell, update, log10_value, log10_mean      a quantity and its running mean, log10
    reach     cell, update, update_end, lag, lag_end, log10_relative      one cell: update × lag
    flow      cell, layer, state, step, lag, log10_relative      the traces at one update

Rules are labelled levels such as a baseline: columns log10_value, label.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import altair as alt
import numpy as np
import pandas as pd

from gradlab.charts import annotations, axes, colours, theme
from gradlab.charts.picture import Domains, Picture, Rows, in_parts
from gradlab.words.languages import _
from gradlab.words.numbers import POWER_LABEL, number

CURVE_COLUMNS = ("cell", "update", "log10_value", "log10_mean")
RULE_COLUMNS = ("log10_value", "label")
REACH_COLUMNS = ("cell", "update", "update_end", "lag", "lag_end", "log10_relative")
FLOW_COLUMNS = ("cell", "layer", "state", "step", "lag", "log10_relative")
FEW_DECADES = 3  # in view, up to which the axis needs numbers between the powers of ten
_VALUE = "(isValid(datum.log10_mean) ? format(pow(10, datum.log10_mean), '.3~g') : {undefined})"
CLOSE = 0.1  # of the decades shown: rules that are nearer have no room for a name between them
PLAIN_LABEL = "format(pow(10, datum.value), '.2~g')"


def curve(
    table: pd.DataFrame,
    rules: pd.DataFrame,
    updates: int,
    *,
    quantity: str,
    pins: pd.DataFrame | None = None,
    title: str = "",
    subtitle: str = "",
    dark: bool = False,
    width: int | str = "container",
    height: int = 300,
) -> alt.LayerChart:
    """One line per cell from update 0 to `updates`: every value faint, the running mean bold; rules at the levels.

    pins    curves of other runs, with a column `pin`, the name of each: grey, the running mean alone
    """
    theme.refuse_empty(table)
    domain = curve_domain(table if pins is None else pd.concat([table, pins]), rules)
    data = {"curves": table[list(CURVE_COLUMNS)], "ends": ends(table), "rules": rules, "pins": pins}
    layers = _curve_layers(data, present(table), domain, updates, quantity, dark)
    return theme.finished(layers, title, subtitle, dark, width, height)


def live_curve(
    cells: tuple[str, ...],
    domain: tuple[float, float],
    rules: pd.DataFrame,
    updates: int,
    *,
    quantity: str,
    pins: pd.DataFrame | None = None,
    dark: bool = False,
    width: int | str = "container",
    height: int = 300,
) -> alt.LayerChart:
    """`curve` of tables that come later, again and again, as its datasets curves and ends."""
    data = {"curves": alt.NamedData("curves"), "ends": alt.NamedData("ends"), "rules": rules, "pins": pins}
    layers = _curve_layers(data, cells, domain, updates, quantity, dark)
    return theme.finished(layers, "", "", dark, width, height)


def present(table: pd.DataFrame) -> tuple[str, ...]:
    """The cells of a table."""
    return tuple(dict.fromkeys(table["cell"]))


def ends(table: pd.DataFrame) -> pd.DataFrame:
    """The last row of every cell."""
    return table[list(CURVE_COLUMNS)].groupby("cell", sort=False).tail(1)


def curve_domain(table: pd.DataFrame, rules: pd.DataFrame) -> tuple[float, float]:
    """The decades to show, in quarters, so that a curve that grows seldom changes them."""
    shown = pd.concat([table["log10_value"], rules["log10_value"]])
    shown = shown[np.isfinite(shown)]
    low, high = (float(shown.min()), float(shown.max())) if len(shown) else (-1.0, 0.0)
    return math.floor(4 * low - 0.4) / 4, math.ceil(4 * high + 0.6) / 4


def _curve_layers(
    data: dict, cells: tuple[str, ...], domain: tuple[float, float], updates: int, quantity: str, dark: bool
) -> list[alt.Chart]:
    ink = colours.INKS[dark]
    low, high = domain
    scale = alt.Scale(domain=[low, high], nice=False, zero=False)
    label = PLAIN_LABEL if high - low < FEW_DECADES else POWER_LABEL
    count = 5 if high - low < FEW_DECADES else axes.ticks("height", 45, high - low)
    y = alt.Y("log10_value:Q", scale=scale, axis=alt.Axis(title=_(quantity), labelExpr=label, tickCount=count))
    mean = alt.Y("log10_mean:Q", scale=scale)
    x = alt.X(
        "update:Q",
        scale=alt.Scale(domain=[0, updates], nice=False),
        axis=alt.Axis(title=_("update"), format=",d", tickCount=axes.ticks("width", 75, updates)),
    )
    colour = theme.cells_encoding(pd.DataFrame({"cell": cells}), dark)
    rule_x = alt.XValue("width")
    name: dict[str, Any] = {"align": "right", "dx": -4, "fontSize": 11, "color": ink.muted}
    name["baseline"] = alt.ExprRef("datum.below ? 'top' : 'bottom'")
    name["dy"] = alt.ExprRef("datum.below ? 5 : -5")
    titles = json.dumps({cell: theme.cell_title(cell) for cell in cells})
    when, what = (json.dumps(text, ensure_ascii=False) for text in (_(", update "), f": {_(quantity)} "))
    written = _VALUE.format(undefined=json.dumps(_("not finite"), ensure_ascii=False))
    says = f"{titles}[datum.cell] + {when} + format(datum.update, ',d') + {what} + {written}"
    rules, curves, last = (
        alt.Chart(_named_apart(data["rules"], high - low)),
        alt.Chart(data["curves"]),
        alt.Chart(data["ends"]),
    )
    ghosts, names = [], []
    if data["pins"] is not None:
        grey, places = map(alt.Chart, _pinned(data["pins"], updates))
        line = grey.mark_line(color=ink.muted, strokeWidth=1.8, opacity=0.85, clip=True)
        ghosts = [line.encode(x=x, y=mean, detail=alt.Detail("name:N"))]
        at: dict[str, Any] = {"align": "left", "dy": -9, "fontSize": 11}
        paper = places.mark_text(color=ink.paper, stroke=ink.paper, strokeWidth=4, opacity=0.9, **at)
        marks = (paper, places.mark_text(color=ink.text, **at))
        names = [mark.encode(x=x, y=mean, text=alt.Text("name:N")) for mark in marks]
    return [
        *ghosts,
        rules.mark_rule(color=ink.rule, strokeDash=[4, 3]).encode(y=y),
        curves.mark_line(strokeWidth=1, opacity=0.3, clip=True).encode(x=x, y=y, color=colour),
        curves.mark_line(strokeWidth=2.5, clip=True).encode(x=x, y=mean, color=colour),
        last.mark_point(filled=True, opacity=1, size=60).encode(x=x, y=mean, color=colour),
        curves.transform_calculate(says=says)
        .mark_point(filled=True, opacity=0, size=250, clip=True)
        .encode(x=x, y=mean, tooltip=alt.Tooltip("says:N")),
        rules.mark_text(**name, stroke=ink.paper, strokeWidth=4).encode(x=rule_x, y=y, text=alt.Text("label:N")),
        rules.mark_text(**name).encode(x=rule_x, y=y, text=alt.Text("label:N")),
        *names,
    ]


def _pinned(pins: pd.DataFrame, updates: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Running means of other runs, as far as the picture goes, and a place for the name of each, apart from others."""
    named = pins["pin"] + " " + pins["cell"].map(theme.cell_title)
    drawn = pins[list(CURVE_COLUMNS)].assign(name=named)[pins["update"] <= updates]
    lines = list(dict(iter(drawn.groupby("name", sort=False))).values())
    places = [line.iloc[[int((0.2 + 0.15 * (n % 5)) * (len(line) - 1))]] for n, line in enumerate(lines)]
    return drawn, pd.concat(places, ignore_index=True)


def _named_apart(rules: pd.DataFrame, span: float) -> pd.DataFrame:
    """Rules with `below`: a name stands below its rule where that leaves it no room above, beside the name before."""
    falling, below = rules.sort_values("log10_value", ascending=False), [False]
    for gap in -falling["log10_value"].diff().iloc[1:]:
        below.append(bool(gap < (2 if below[-1] else 1) * CLOSE * span))
    return falling.assign(below=below[: len(falling)])


def reach_domain(tables: Iterable[pd.DataFrame]) -> list[float]:
    """The decades that several maps of reach share."""
    return axes.decades_domain([table["log10_relative"] for table in tables])


def reach(
    table: pd.DataFrame,
    domain: list[float],
    *,
    state: str = "h",
    title: str = "",
    subtitle: str = "",
    dark: bool = False,
    width: int | str = "container",
    height: int = 260,
) -> alt.LayerChart:
    """Update × lag of one cell: how bright a column stays towards the top is how far back the gradient reaches."""
    theme.refuse_empty(table)
    last, highest = int(table["update_end"].max()), int(table["lag"].max())
    x = alt.X(
        "update:Q",
        scale=alt.Scale(domain=[0, last], nice=False),
        axis=alt.Axis(title=_("update"), format=",d", tickCount=axes.ticks("width", 75, last)),
    )
    y = alt.Y(
        "lag:Q",
        scale=alt.Scale(domain=[-1, highest], nice=False),
        axis=alt.Axis(title=_(axes.LAG), format=",d", tickCount=axes.ticks("height", 45, highest), grid=False),
    )
    legend = alt.Legend(
        title=_("norm of ∂L/∂{state}, relative").format(state=state), labelExpr=POWER_LABEL, titleOrient="top",
        tickCount=int(min(4, domain[1] - domain[0])), gradientLength=180, gradientThickness=10,
    )  # fmt: skip
    colour = alt.Color("log10_relative:Q", scale=alt.Scale(scheme="cividis", domain=domain, clamp=True), legend=legend)
    tips = [
        alt.Tooltip("update:Q", title=_("update"), format=",d"),
        alt.Tooltip("lag:Q", title=_("up to lag"), format=",d"),
        alt.Tooltip("size:N", title=_("relative to the injected gradient")),
    ]
    finite = table.loc[np.isfinite(table["log10_relative"]), list(REACH_COLUMNS)]
    rects = annotations.with_number(alt.Chart(finite), "log10_relative").mark_rect(x2Offset=1, y2Offset=1).encode(
        x=x, x2=alt.X2("update_end"), y=y, y2=alt.Y2("lag_end"), color=colour, tooltip=tips
    )  # fmt: skip
    return theme.finished([rects], title, subtitle, dark, width, height)


class FlowLook(NamedTuple):
    """What decides how traces are drawn, beside their rows."""

    lines: tuple[tuple[str, int, str], ...]  # cell, layer, state
    dark: bool

    @property
    def table(self) -> pd.DataFrame:
        """The keys of the lines, one row each."""
        return pd.DataFrame(self.lines, columns=["cell", "layer", "state"])


def _flow(table: pd.DataFrame, domain: list[float], *, state: str = "all", dark: bool = False) -> Picture:
    theme.refuse_empty(table)
    drawn = _of_state(table[list(FLOW_COLUMNS)], state)
    drawn = drawn.assign(log10_relative=drawn["log10_relative"].where(np.isfinite(drawn["log10_relative"])))
    lags = [int(drawn["lag"].min()), int(drawn["lag"].max())]
    named = drawn.assign(line=theme.line_names(drawn))
    rows = {
        "lines": drawn,
        annotations.READ: annotations.readings(named, "step", "line", "log10_relative", number),
        "lags": pd.DataFrame({"lag": lags}),
    }
    lines = drawn[["cell", "layer", "state"]].drop_duplicates().itertuples(index=False, name=None)
    domains = {"norms": domain, "steps": [int(drawn["step"].min()), int(drawn["step"].max())], "lags": lags}
    return Picture(_flow_layers, FlowLook(tuple(lines), dark), rows, domains, dark, 300, two_x_axes=True)


@in_parts(_flow)
def flow(
    table: pd.DataFrame,
    domain: list[float],
    *,
    state: str = "all",
    title: str = "",
    subtitle: str = "",
    dark: bool = False,
    width: int | str = "container",
    height: int = 300,
) -> alt.LayerChart:
    """The traces at one update, on a given range of decades, so that two updates can stand side by side.

    state    the lines to draw, of cells that do not have it those of h; "all" for every line
    """
    return _flow(table, domain, state=state, dark=dark).chart(title, subtitle, width, height)


def _flow_layers(rows: Rows, domains: Domains, look: FlowLook) -> list[alt.Chart]:
    table = look.table
    named = table["state"].iloc[0] if table["state"].nunique() == 1 else "s"
    titles = [_("norm of {gradients}").format(gradients=f"∂L/∂{named}"), _("relative to the injected gradient")]
    line = alt.Chart(rows["lines"]).mark_line().encode(
        x=axes.along(domains["steps"], _(axes.BACKWARDS)),
        y=axes.decades("log10_relative", domains["norms"], titles),
        strokeDash=theme.dash(table["state"], legend=True),
        color=theme.cells_encoding(table, look.dark),
        opacity=theme.shade(table["layer"], look.dark),
        strokeWidth=theme.width(table["layer"], look.dark, 2.5),
        detail=theme.LINE,
    )  # fmt: skip
    says = annotations.pointer(rows[annotations.READ], axes.along(domains["steps"]), look.dark)
    return [line, says, axes.back(domains["lags"], rows["lags"])]


def _of_state(table: pd.DataFrame, state: str) -> pd.DataFrame:
    if state == "all":
        return table
    having = set(table.loc[table["state"] == state, "cell"])
    shown = [state if cell in having else "h" for cell in table["cell"]]
    return table[table["state"] == shown]
