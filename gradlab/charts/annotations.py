"""What stands beside the lines of a trace: float32's limits, exact zeros, marked steps, names, and the hover."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any
from unicodedata import east_asian_width

import altair as alt
import numpy as np
import pandas as pd

from gradlab.charts import colours, theme
from gradlab.words.languages import N_, _
from gradlab.words.numbers import number, number_in_vega

END_COLUMNS = ("cell", "layer", "state", "step", "label_at")  # `label_at`: height of a line's name, log10
MARK_COLUMNS = ("step", "label")
LINE_KEYS = ["cell", "layer", "state"]
READ = "hover"  # the dataset that the pointer alone reads: places, and texts there (following.js)
MOST_READINGS = 400  # places at which the pointer speaks

_FLOAT32 = np.finfo(np.float32)
FLOAT32_LIMITS = (
    (math.log10(float(_FLOAT32.tiny)), N_("float32 loses digits below")),
    (math.log10(float(_FLOAT32.smallest_subnormal)), N_("float32's smallest number")),
)  # log10, name
CLOSE = 100  # decades in view, up to which there is room for a name between the two limits
FAR_BELOW = -500  # log10; where lines go this far down, the limits share a name at the left, where the lines are low
NAME_GAP = 7  # pixels between a line and its name
ZERO_PIXELS = 8  # height of the marks of exact zeros
SAME = 0.05  # decades; nearer than this, a relative norm is drawn as the norm itself


def limit_rows(domain: Sequence[float]) -> pd.DataFrame:
    """float32's limits that the drawn range of log10 norms reaches below: where, how named, and on which side."""
    lowest, highest = domain
    limits = [limit for limit in FLOAT32_LIMITS if limit[0] > lowest]
    is_far = lowest < FAR_BELOW
    names = ["", _("float32's limits")] if is_far else [_(limit[1]) for limit in limits]
    above = [not is_far and (n == 0 or highest - lowest < CLOSE) for n in range(len(limits))]
    columns = {"log10": [limit[0] for limit in limits], "label": names, "above": above, "far": [is_far] * len(limits)}
    return pd.DataFrame(columns)


def float32_limits(limits: Any, dark: bool) -> list[alt.Chart]:
    """Rules at float32's limits, each with its name."""
    ink = colours.INKS[dark]
    y = alt.Y("log10:Q")
    rules = alt.Chart(limits).mark_rule(color=ink.rule, strokeWidth=0.8, strokeDash=[2, 3]).encode(y=y)
    place: dict = {"align": alt.ExprRef("datum.far ? 'left' : 'right'"), "dx": alt.ExprRef("datum.far ? 4 : -2")}
    place["baseline"] = alt.ExprRef("datum.above ? 'bottom' : 'top'")
    place["dy"] = alt.ExprRef("datum.above ? -3 : 4")
    x = alt.XValue(alt.ExprRef("datum.far ? 0 : width"))
    names = alt.Chart(limits).mark_text(fontSize=11, color=ink.muted, **place)
    return [rules, names.encode(x=x, y=y, text=alt.Text("label:N"))]


def zero_rows(zeros: pd.DataFrame) -> pd.DataFrame:
    """Exact zeros with the rank of their cell."""
    columns = {name: zeros[name].to_numpy() for name in ("cell", "layer", "state", "step")}
    return pd.DataFrame(columns | {"rank": pd.factorize(columns["cell"])[0]})


def last_zero(zeros: pd.DataFrame, last: int) -> pd.DataFrame:
    """Where the zeros end, for their name: beyond it, or above it where it ends near the last step."""
    if zeros.empty:
        return pd.DataFrame({"step": [], "beyond": [], "rows": []})
    end = int(zeros["step"].max())
    return pd.DataFrame({"step": [end], "beyond": [end < 0.7 * last], "rows": [zeros["cell"].nunique()]})


def exact_zeros(
    zeros: Any, end: Any, x: alt.X, colour: alt.Color, opacity: alt.OpacityValue, dark: bool
) -> list[alt.Chart]:
    """Exact zeros, which a log axis lacks: rows of marks on the bottom edge, one per cell, labelled at the end.

    zeros, end    rows of `zero_rows` and of `last_zero`
    """
    edge, row = alt.YValue("height"), ZERO_PIXELS + 1
    offset = alt.ExprRef(f"-(datum.rank + 0.5) * {row}")
    look: dict[str, Any] = {"orient": "vertical", "size": ZERO_PIXELS, "thickness": 1.5, "yOffset": offset}
    ticks = alt.Chart(zeros).mark_tick(**look).encode(x=x, y=edge, color=colour, opacity=opacity, detail=theme.LINE)
    place: dict[str, Any] = {
        "align": alt.ExprRef("datum.beyond ? 'left' : 'right'"),
        "dx": alt.ExprRef("datum.beyond ? 6 : 0"),
        "dy": alt.ExprRef(f"datum.beyond ? -5 : -datum.rows * {row} - 8"),
    }
    name = alt.Chart(end).mark_text(text=_("exactly 0"), fontSize=11, color=colours.INKS[dark].text, **place)
    return [ticks, name.encode(x=x, y=edge)]


def mark_rows(marks: pd.DataFrame | None, last: int) -> pd.DataFrame:
    """Marked steps, their labels in short lines, and whether they stand in the right half."""
    if marks is None or marks.empty:
        return pd.DataFrame({"step": [], "label": [], "late": []})
    broken = ["\n".join(textwrap.wrap(label, 20)) for label in marks["label"]]
    return marks.assign(label=broken, late=marks["step"] > last / 2)


def marked_steps(marks: Any, x: alt.X, dark: bool) -> list[alt.Chart]:
    """Labelled vertical rules at rows of `mark_rows`; the label stands on the side that has more room."""
    alarm = colours.INKS[dark].alarm
    rules = alt.Chart(marks).mark_rule(color=alarm, strokeWidth=1.2).encode(x=x)
    place: dict[str, Any] = {
        "align": alt.ExprRef("datum.late ? 'right' : 'left'"),
        "dx": alt.ExprRef("datum.late ? -5 : 5"),
        "dy": 4,
    }
    names = alt.Chart(marks).mark_text(baseline="top", lineBreak="\n", color=alarm, **place)
    return [rules, names.encode(x=x, y=alt.YValue(0), text=alt.Text("label:N"))]


def with_number(chart: alt.Chart, column: str) -> alt.Chart:
    """The chart with a column `size`, for tooltips: the number as text whose log10 a column has."""
    return chart.transform_calculate(as_="size", calculate=number_in_vega(f"datum[{column!r}]"))


def broken(names: pd.Series) -> pd.Series:
    """Long names in several short lines, so that they leave the lines of a narrow chart some room."""
    return names.map(lambda name: "\n".join(_lines_of(str(name))))


def heights(cells: Iterable[str]) -> dict[str, int]:
    """How many lines the names of cells take, of those that take more than one."""
    found = {cell: len(_lines_of(theme.cell_title(cell))) for cell in cells}
    return {cell: lines for cell, lines in found.items() if lines > 1}


def _lines_of(name: str) -> list[str]:
    return textwrap.wrap(name, 9, break_long_words=False)


def gutter(labels: pd.Series | None) -> int:
    """Pixels between the axis and the lines that their names need, with a gap on each side."""
    if labels is None:
        return 0
    return NAME_GAP + 4 + max(round(_name_width(line)) for label in labels for line in label.split("\n"))


def _name_width(line: str) -> float:
    """At most so many pixels: capitals are wide, Hangul is as wide as high."""
    return sum(
        14.5 if east_asian_width(letter) in "WF" else 10.5 if letter.isupper() or not letter.isascii() else 8.5
        for letter in line
    )


def end_labels(ends: Any, x: alt.X, colour: alt.Color) -> alt.Chart:
    """Names at the left ends of the lines, in their colour: rows with END_COLUMNS and `label`."""
    style = {"align": "right", "dx": -NAME_GAP, "fontSize": 14, "lineHeight": 14, "fontWeight": 600, "lineBreak": "\n"}
    text = alt.Chart(ends).mark_text(baseline="middle", **style)
    return text.encode(x=x, y=alt.Y("label_at:Q"), text=alt.Text("label:N"), color=colour)


def hover_rows(table: pd.DataFrame, mean: str, ghosts: pd.DataFrame | None = None) -> pd.DataFrame:
    """A row per step that all lines have, with every line's value as text; of many steps `MOST_READINGS` at most. A
    thinned table has some in common.

    ghosts    rows of gradlab.charts.ghosts, which say theirs where they have such a step
    """
    steps, values, lags = (table[name].to_numpy() for name in ("step", mean, "lag"))
    every, first, counts = np.unique(steps, return_index=True, return_counts=True)
    chosen = np.flatnonzero(counts == counts.max())
    most = chosen[_spoken(len(chosen))]
    shared, columns = every[most], {}
    is_shared = np.isin(steps, shared)
    for name, line in _lines(table):
        chosen = line & is_shared
        texts = np.full(len(shared), None, dtype=object)
        texts[np.searchsorted(shared, steps[chosen])] = [number(value) for value in values[chosen]]
        columns[name] = texts
    if ghosts is not None and len(ghosts):
        columns |= _ghost_texts(table, ghosts, mean, shared)
    # Streamlit would add an index of numbers to the tooltip.
    return pd.DataFrame({"step": shared, "lag": lags[first[most]]} | columns, index=shared.astype(str))


def _ghost_texts(table: pd.DataFrame, ghosts: pd.DataFrame, mean: str, steps: np.ndarray) -> dict[str, list]:
    """What every pin's line says at some steps; None where it has none, or is not finite."""
    lines = [*ghosts.groupby(["pin", *LINE_KEYS], sort=False)]
    keys = pd.DataFrame([key for (_pin, *key), _line in lines], columns=LINE_KEYS)
    names = theme.line_names(pd.concat([table[LINE_KEYS].drop_duplicates(), keys])).iloc[-len(lines) :]
    texts = {}
    for ((pin, *_others), line), name in zip(lines, names, strict=True):
        chosen = line[line["step"].isin(steps) & np.isfinite(line[mean])]
        says = dict(zip(chosen["step"], map(number, chosen[mean]), strict=True))
        texts[f"{pin}, {name}"] = [says.get(step) for step in steps]
    return texts


def _lines(table: pd.DataFrame) -> Iterator[tuple[str, np.ndarray]]:
    """The name of every line of a table, and which rows are its own."""
    code = np.zeros(len(table), np.int64)
    for name in ("cell", "layer", "state"):
        numbers, found = pd.factorize(table[name])
        code = code * len(found) + numbers
    kinds, first = np.unique(code, return_index=True)
    names = theme.line_names(table.iloc[np.sort(first)])
    for name, kind in zip(names, kinds[np.argsort(first)], strict=True):
        yield name, code == kind


def _spoken(places: int) -> np.ndarray:
    """At which of some places the pointer speaks, evenly among them: at the first and at the last in any case."""
    return np.linspace(0, max(places - 1, 0), min(places, MOST_READINGS)).round().astype(int)


def readings(table: pd.DataFrame, at: str, line: str, value: str, write: Callable[[float], str]) -> pd.DataFrame:
    """What the pointer says where it is: one row per value of `at`, with every line's value there as a text `says`.

    `write` makes a value text. A thinned table has some values of `at` in common, which are those that count.
    """
    wide = table.pivot_table(index=at, columns=line, values=value, observed=True, dropna=False, sort=False)
    wide = wide[list(dict.fromkeys(table[line]))].sort_index()
    wide = wide.dropna(how="all")
    wide = wide.iloc[_spoken(len(wide))]
    says = [
        "\n".join(
            [
                f"{_(at)} {place:,}",
                *(f"{name}: {write(one)}" for name, one in zip(wide, row, strict=True) if one == one),
            ]
        )
        for place, row in zip(wide.index, wide.to_numpy(), strict=True)
    ]
    return pd.DataFrame({at: wide.index.to_numpy(), "says": says})


def pointer(says: Any, x: alt.X, dark: bool, field: str = "step") -> alt.Chart:
    """A rule that follows the pointer over rows of `readings` and says what they say; `field` is their first column."""
    near = alt.selection_point(
        name="near", nearest=True, on="pointerover", fields=[field], empty=False, clear="pointerout"
    )
    seen = alt.OpacityValue(0, condition={"param": near.name, "empty": False, "value": 0.9})
    # Where the nearest mark is sought, its row is one level deeper, and Vega-Lite reads a field from the upper one.
    text = alt.ExprRef("(datum.datum || datum).says")
    rule = alt.Chart(says).mark_rule(color=colours.INKS[dark].rule, style=theme.POINTER, tooltip=text)
    return rule.encode(x=x, opacity=seen).add_params(near)


def hover(wide: Any, drawn: Any, mean: str, x: alt.X, colour: alt.Color, dark: bool) -> list[alt.Chart]:
    """A rule that follows the pointer from step to step of `hover_rows` and names every line's value there."""
    near = alt.selection_point(
        name="near", nearest=True, on="pointerover", fields=["step"], empty=False, clear="pointerout"
    )
    seen = alt.OpacityValue(0, condition={"param": near.name, "empty": False, "value": 0.9})
    # The row itself is the tooltip: Vega-Lite finds no texts by a tooltip's fields where the nearest mark is sought.
    rule = (
        alt.Chart(wide)
        .mark_rule(color=colours.INKS[dark].rule, style=theme.POINTER, tooltip=alt.TooltipContent("data"), aria=False)
        .encode(x=x, opacity=seen)
        .add_params(near)
    )
    dots = alt.Chart(drawn).mark_point(filled=True, opacity=1, size=45, style=theme.POINTER).transform_filter(near)
    return [dots.encode(x=x, y=alt.Y(f"{mean}:Q"), color=colour, detail=theme.LINE), rule]
