"""Pins beside the present lines: grey ghosts, each named where it runs, and one of them alone in its colours.

A table of compared traces has a column `pin`: "now" of the present settings, else a pin's name. Names of pins are rows
with NAME_COLUMNS, as `gradlab.analyses.thinning.pin_names` gives them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import altair as alt
import numpy as np
import pandas as pd

from gradlab.charts import colours, theme

NOW = "now"
NAME_COLUMNS = ("pin", "lag", "label", "label_at", "above", "left", "room")
KEYS = ["pin", "cell", "layer", "state"]
ALONE = "alone"  # name of the layer that a page shows while nothing else of the lines is
GHOSTS = "ghosts"
OPACITY, BAND = 0.85, 0.16


def split(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows of the present settings, and those of the pins."""
    if "pin" not in table:
        return table, table.iloc[:0].assign(pin="")
    is_now = table["pin"] == NOW
    return table[is_now], table[~is_now]


def rows(now: pd.DataFrame, pins: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Every pin's lines, at the steps of the present ones that lie as far from the end; `same` where they are these.

    columns    the norm that is drawn, and where bands are drawn their lower and upper ends
    """
    mean = columns[0]
    if pins.empty:
        return pd.DataFrame(columns=[*KEYS, "lag", *columns, "step", "same"], dtype=float)
    drawn = pins[[*KEYS, "lag", *columns]]
    same = np.zeros(len(drawn), bool)
    its_places: dict[Any, Any] = dict(now.groupby(KEYS[1:], sort=False).indices)
    pairs = [(drawn[name].to_numpy(), now[name].to_numpy()) for name in ("lag", mean)]
    places_of: dict[Any, Any] = dict(drawn.groupby(KEYS, sort=False).indices)
    for (_, *key), places in places_of.items():
        its = its_places.get(tuple(key))
        same[places] = its is not None and all(
            np.array_equal(ghost[places], line[its], equal_nan=True) for ghost, line in pairs
        )
    found = drawn.assign(step=last_step(now) - drawn["lag"], same=same)
    return found.assign(**{name: found[name].where(np.isfinite(found[name])) for name in columns})


def name_rows(now: pd.DataFrame, names: pd.DataFrame | None) -> pd.DataFrame:
    """Names of pins at the same steps."""
    if names is None:
        return pd.DataFrame({name: [] for name in ("step", *NAME_COLUMNS)})
    return names[list(NAME_COLUMNS)].assign(step=last_step(now) - names["lag"])


def last_step(now: pd.DataFrame) -> int:
    """The step from which lags count."""
    return int((now["step"] + now["lag"]).iloc[0])


class Pinned(NamedTuple):
    """What decides how pins are drawn, beside their rows."""

    names: tuple[str, ...] = ()  # of the pins that have lines
    cells: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    band: tuple[str, ...] = ()  # columns of its lower and upper end, where bands are drawn

    @classmethod
    def of(cls, drawn: pd.DataFrame, band: Sequence[str]) -> Pinned:
        return cls(*(tuple(drawn[name].unique()) for name in ("pin", "cell", "state")), band=tuple(band))


def layers(
    drawn: alt.Chart, y: alt.Y, x: alt.X, dash: alt.StrokeDash, pinned: Pinned, width: float, dark: bool
) -> list[alt.Chart]:
    """The ghosts, and the first pin's lines in their cells' colours, unseen until they are alone.

    drawn    a chart of rows of `rows`
    width    of a ghost, pixels
    """
    ink = colours.INKS[dark]
    line = [alt.Detail("pin:N"), *theme.LINE]
    ghost = drawn.mark_line(color=ink.muted, strokeWidth=width, opacity=OPACITY).transform_filter("!datum.same")
    alone = drawn.mark_line(strokeWidth=2 * width, opacity=0, style=theme.POINTER)
    each = [{"test": f"datum.cell === {cell!r}", "value": colours.cell_colour(cell, dark)} for cell in pinned.cells]
    colour = alt.ColorValue(ink.text, condition=each)
    bands = []
    if pinned.band:
        low, high = pinned.band
        area = drawn.mark_area(color=ink.muted, opacity=BAND).transform_filter("!datum.same")
        bands.append(area.encode(x=x, y=alt.Y(f"{low}:Q"), y2=alt.Y2(high), detail=line))
    return [
        *bands,
        ghost.encode(x=x, y=y, detail=line, strokeDash=dash).properties(name=GHOSTS),
        alone.transform_filter(f"datum.pin === {pinned.names[0]!r}")
        .encode(x=x, y=y, detail=line, strokeDash=dash, color=colour)
        .properties(name=ALONE),
    ]


def names(named: alt.Chart, x: alt.X, dark: bool) -> list[alt.Chart]:
    """The names of `name_rows` beside their lines, on paper of their own where other lines run."""
    ink = colours.INKS[dark]
    place: dict[str, Any] = {"fontSize": 12, "limit": alt.ExprRef("datum.room * width - 8")}
    place |= {"align": alt.ExprRef("datum.left ? 'right' : 'left'"), "dx": alt.ExprRef("datum.left ? -4 : 4")}
    place |= {"baseline": alt.ExprRef("datum.above ? 'bottom' : 'top'"), "dy": alt.ExprRef("datum.above ? -4 : 5")}
    paper = named.mark_text(color=ink.paper, stroke=ink.paper, strokeWidth=3, strokeJoin="round", opacity=0.8, **place)
    y, text = alt.Y("label_at:Q"), alt.Text("label:N")
    return [one.encode(x=x, y=y, text=text) for one in (paper, named.mark_text(color=ink.text, **place))]
