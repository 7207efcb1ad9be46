"""Every initialization at once: small panels on one scale, in the order of what is left of the gradient.

`panels` reads two tables of one cell. A row per initialization and step:

    initialization, step, lag
    log10_relative, log10_relative_min, log10_relative_max       mean and range over the seeds; -inf exactly zero

and `summary`, a row per initialization: `SUMMARY_COLUMNS`.

As many panels stand side by side as the picture has room for, which Vega works out from its width: they are places
within one frame, and what lies between 0 and 1 in a panel is moved there.
"""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from gradlab.charts import colours, theme
from gradlab.words.languages import _
from gradlab.words.numbers import number, signed

COLUMNS = (
    "initialization", "rank", "step", "lag", "log10_relative", "log10_relative_min", "log10_relative_max",
)  # fmt: skip
SUMMARY_COLUMNS = (
    "initialization", "title", "is_default", "rank", "verdict", "seeds", "of_seeds", "log10_left", "log10_left_min",
    "log10_left_max", "decades_per_100_steps",
)  # fmt: skip
CHOSEN = "initialization_chosen"  # the selection by a click
SCALED = 0.9  # share of the initializations that the scale reaches
MARGIN, FOOT = 40, 20  # pixels at the left, for powers of ten, and below, for steps
ABOVE, BESIDE, BELOW = 20, 14, 12  # pixels of a panel: its name, and the distance to its neighbours
HEIGHT = 760
MANY = "width < 460 ? 2 : width < 820 ? 3 : 4"  # panels side by side
TICKS = 3


def panels(
    table: pd.DataFrame,
    *,
    summary: pd.DataFrame,
    cell: str,
    in_use: str = "",
    pinned: pd.DataFrame | None = None,
    title: str = "",
    subtitle: str = "",
    dark: bool = False,
    width: int | str = "container",
    height: int = HEIGHT,
) -> alt.LayerChart:
    """A panel per initialization: its mean line and the range over the seeds, in the colour of the cell.

    in_use    the initialization of the present settings, whose panel has a frame
    pinned    rows like those of `table` of another network, drawn in grey behind
    """
    theme.refuse_empty(table)
    ink, colour = colours.INKS[dark], colours.cell_colour(cell, dark)
    low, high = _scale(summary)
    last, places = int(table["step"].max()), dict(zip(summary["initialization"], summary["rank"] - 1, strict=True))
    lines = _lines(table, places, low, high, last)
    behind = [] if pinned is None else [_behind(_lines(pinned, places, low, high, last), ink.muted)]
    layers = [
        _frames(summary, in_use, ink),
        *_levels(len(summary), low, high, ink),
        *behind,
        _at(alt.Chart(lines).mark_area(opacity=0.25, color=colour), "at", "low", "high").encode(
            detail=alt.Detail("place:O")
        ),
        _at(alt.Chart(lines).mark_line(strokeWidth=1.8, color=colour), "at", "value").encode(
            detail=alt.Detail("place:O")
        ),
        *_names(summary, in_use, ink),
        *_feet(len(summary), last, ink),
    ]
    layers[0] = layers[0].add_params(*_layout(len(summary)))
    chart = theme.finished(layers, title, subtitle, dark, width, height)
    chart.usermeta["tall"] = True  # panels below each other need their height on narrow paper too
    return chart


def _scale(summary: pd.DataFrame) -> tuple[float, float]:
    """Both ends: of what most initializations leave, and 1."""
    left = np.sort(summary["log10_left"][np.isfinite(summary["log10_left"])])
    rest = int((1 - SCALED) * len(left))
    inner = left[rest : len(left) - rest or None]
    return float(min([-1.0, *inner])), float(max([1.0, *inner]))


def _lines(table: pd.DataFrame, places: dict[str, int], low: float, high: float, last: int) -> pd.DataFrame:
    """Rows with what lies between 0 and 1 in a panel; nothing where a line leaves the scale."""
    mean, least, most = (
        (table[f"log10_relative{end}"].to_numpy(float) - low) / (high - low) for end in ("", "_min", "_max")
    )
    is_within = (mean >= 0) & (mean <= 1)
    return pd.DataFrame(
        {
            "place": table["initialization"].map(places).to_numpy(),
            "at": table["step"].to_numpy() / max(last, 1),
            "value": np.where(is_within, mean, np.nan),
            "low": np.where(np.isnan(least) | (most < 0), np.nan, least.clip(0, 1)),
            "high": np.where(np.isnan(most) | (most < 0), np.nan, most.clip(0, 1)),
        }
    )


def _layout(count: int) -> list[Any]:
    """The panels' places as parameters of the picture."""
    return [
        alt.param(name="across", expr=MANY),
        alt.param(name="panel_width", expr=f"(width - {MARGIN}) / ({MANY})"),
        alt.param(name="panel_height", expr=f"(height - {FOOT}) / ceil({count} / ({MANY}))"),
    ]


def _at(chart: alt.Chart, x: str, *y: str) -> alt.Chart:
    """The marks at these columns, numbers from 0 to 1 of the panel in the column `place`."""
    left = f"{MARGIN} + (datum.place % across) * panel_width + datum.{x} * (panel_width - {BESIDE})"
    top = f"floor(datum.place / across) * panel_height + {ABOVE}"
    moved = {"panel_x": f"({left}) / width"}
    for number_of, name in enumerate(y):
        share = f"({top} + (1 - datum.{name}) * (panel_height - {ABOVE + BELOW})) / height"
        moved[f"panel_y{number_of}"] = f"isValid(datum.{name}) ? {share} : null"
    for name, expression in moved.items():
        chart = chart.transform_calculate(as_=name, calculate=expression)
    where: dict[str, Any] = {"x": _inside("panel_x", alt.X), "y": _inside("panel_y0", alt.Y)}
    if len(y) > 1:
        where["y2"] = alt.Y2("panel_y1:Q")
    return chart.encode(**where)


def _inside(column: str, channel: Any) -> Any:
    scale = alt.Scale(domain=[0, 1], nice=False, zero=False, reverse=channel is alt.Y)
    return channel(f"{column}:Q", scale=scale, axis=None)


def _frames(summary: pd.DataFrame, in_use: str, ink: colours.Ink) -> alt.Chart:
    """What a click chooses and the pointer reads: the whole of a panel."""
    left, least, most = (summary[f"log10_left{end}"].map(number) for end in ("", "_min", "_max"))
    judged, between = _("{verdict}, {some} of {all} seeds"), _("{low} to {high}")
    rows = pd.DataFrame(
        {
            "place": summary["rank"] - 1,
            "initialization": summary["initialization"],
            "name": summary["title"],
            "is_default": summary["is_default"],
            "in_use": summary["initialization"] == in_use,
            "verdict": [
                judged.format(verdict=_(verdict), some=some, all=every)
                for verdict, some, every in summary[["verdict", "seeds", "of_seeds"]].to_numpy()
            ],
            "left": left,
            "range": [between.format(low=a, high=b) for a, b in zip(least, most, strict=True)],
            "rate": [
                _("no rate") if np.isnan(rate) else _("{rate} decades per 100 steps").format(rate=signed(rate))
                for rate in summary["decades_per_100_steps"]
            ],
            "zero": 0.0, "one": 1.0,
        }
    )  # fmt: skip
    pick = alt.selection_point(name=CHOSEN, fields=["initialization"], on="click", empty=False)
    frame = _at(alt.Chart(rows).mark_rect(cursor="pointer", cornerRadius=2), "zero", "zero", "one")
    right = f"({MARGIN} + (datum.place % across + 1) * panel_width - {BESIDE}) / width"
    return (
        frame.transform_calculate(as_="panel_x1", calculate=right)
        .encode(
            x2=alt.X2("panel_x1:Q"),
            fill=alt.FillValue("transparent", condition={"test": "datum.is_default", "value": ink.grid}),
            stroke=alt.StrokeValue(ink.rule, condition={"test": "datum.in_use", "value": ink.text}),
            strokeWidth=alt.StrokeWidthValue(0.5, condition={"test": "datum.in_use", "value": 2}),
            tooltip=[
                alt.Tooltip("name:N", title=_("initialization")),
                alt.Tooltip("verdict:N", title=_("gradient")),
                alt.Tooltip("left:N", title=_("left at step 0")),
                alt.Tooltip("range:N", title=_("over the seeds")),
                alt.Tooltip("rate:N", title=_("rate")),
            ],
        )
        .add_params(pick)
    )


def _levels(count: int, low: float, high: float, ink: colours.Ink) -> list[alt.Chart]:
    """The injected gradient's own size in every panel, and powers of ten at the left of each row."""
    step = max(1, round((high - low) / TICKS / 10) * 10 if high - low > 20 else round((high - low) / TICKS))
    powers = [p for p in np.arange(-step * TICKS * 2, step * TICKS * 2 + 1, step) if low <= p <= high]
    share = [(p - low) / (high - low) for p in powers]
    one = pd.DataFrame({"place": range(count), "level": (0 - low) / (high - low), "zero": 0.0, "one": 1.0})
    rule = _at(alt.Chart(one).mark_rule(color=ink.rule, strokeDash=[2, 3], strokeWidth=1), "zero", "level")
    right = f"({MARGIN} + (datum.place % across + 1) * panel_width - {BESIDE}) / width"
    rule = rule.transform_calculate(as_="panel_x1", calculate=right).encode(x2=alt.X2("panel_x1:Q"))
    ends = (min(powers), 0)  # which have room in a low panel too
    labels = pd.DataFrame(
        [
            (place, at, number(float(p)) if p else "1", p in ends)
            for place in range(count)
            for p, at in zip(powers, share, strict=True)
        ],
        columns=["place", "level", "label", "is_end"],
    ).assign(zero=0.0, label=lambda rows: rows["label"].str.replace("1.0\u00a0×\u00a0", "", regex=False))
    text = alt.Chart(labels).mark_text(align="right", baseline="middle", dx=-5, fontSize=11, color=ink.muted)
    text = _at(
        text.transform_filter("datum.place % across == 0 && (datum.is_end || panel_height > 90)"), "zero", "level"
    ).encode(text=alt.Text("label:N"))
    return [rule, text]


def _behind(lines: pd.DataFrame, colour: str) -> alt.Chart:
    """The lines of a pin."""
    return _at(alt.Chart(lines).mark_line(strokeWidth=1.4, color=colour, opacity=0.8), "at", "value").encode(
        detail=alt.Detail("place:O")
    )


def _names(summary: pd.DataFrame, in_use: str, ink: colours.Ink) -> list[alt.Chart]:
    """Each panel's name at its left, above, and what is left at its right."""
    rows = pd.DataFrame(
        {
            "place": summary["rank"] - 1,
            "name": summary["title"],
            "left": summary["log10_left"].map(number),
            "in_use": summary["initialization"] == in_use,
            "zero": 0.0,
            "one": 1.0,
        }
    )
    name = alt.Chart(rows).mark_text(
        align="left", baseline="bottom", dy=-3, fontSize=12, limit=alt.ExprRef(f"panel_width - {BESIDE} - 68")
    )
    name = _at(name, "zero", "one").encode(
        text=alt.Text("name:N"),
        color=alt.ColorValue(ink.text),
        opacity=alt.OpacityValue(0.9, condition={"test": "datum.in_use", "value": 1}),
    )
    left = alt.Chart(rows).mark_text(align="right", baseline="bottom", dy=-3, fontSize=12, color=ink.muted)
    return [name, _at(left, "one", "one").encode(text=alt.Text("left:N"))]


def _feet(count: int, last: int, ink: colours.Ink) -> list[alt.Chart]:
    """The first and the last step below the lowest panel of every column."""
    ends = pd.DataFrame(
        [(place, at, 0.0, text) for place in range(count) for at, text in ((0.0, _("step 0")), (1.0, f"{last:,}"))],
        columns=["place", "at", "zero", "label"],
    )
    found = []
    sides: tuple[tuple[float, Any], ...] = ((0.0, "left"), (1.0, "right"))
    for at, align in sides:
        text = alt.Chart(ends[ends["at"] == at]).mark_text(
            align=align, baseline="top", dy=3, fontSize=11, color=ink.muted
        )
        lowest = text.transform_filter(f"datum.place + across >= {count}")
        found.append(_at(lowest, "at", "zero").encode(text=alt.Text("label:N")))
    return found
