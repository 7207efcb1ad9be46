"""Gradient norm against step: the loss at the right, the gradient travelling left.

`lines` and `opening` read a trace's table, one row per cell, layer, state and step:

    cell, layer, state, step, lag
    log10_relative, log10_relative_min, log10_relative_max     mean and range over the batch, relative to the loss's own
    log10_norm, log10_norm_min, log10_norm_max                 the same, absolute

    pin                        where traces are compared: see gradlab.charts.ghosts

-inf (exactly zero) is drawn as a mark on the bottom edge; NaN (undefined) leaves a gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import altair as alt
import numpy as np
import pandas as pd

from gradlab.cells import state_names
from gradlab.charts import annotations, axes, ghosts, theme
from gradlab.charts.picture import Domains, Picture, Rows, has, in_parts
from gradlab.words.languages import N_, _
from gradlab.words.numbers import listed

KEYS = ("cell", "layer", "state", "step", "lag")
RELATIVE = ("log10_relative", "log10_relative_min", "log10_relative_max")
ABSOLUTE = ("log10_norm", "log10_norm_min", "log10_norm_max")
COLUMNS = (*KEYS, *RELATIVE, *ABSOLUTE)
PATH_DASHES = {N_("all losses"): [1, 0], N_("last loss"): [6, 4]}
STEP = N_("step t")
CHANNELS = {"cell": "color", "layer": "opacity", "state": "strokeDash"}  # whose legends are clicked
NEAR_THE_TOP = 0.15  # of the drawn range: above a line there a name would stand on the axis
MOST_NAMES = 6  # more names than this find no room at the ends of their lines, and legends take their place
MOST_BANDS = 8  # bands over the batch of more lines than this would hide the lines


def columns_drawn(relative: bool) -> tuple[str, ...]:
    """The columns of which lines and bands are drawn."""
    return RELATIVE if relative else ABSOLUTE


class Look(NamedTuple):
    """What decides how a picture of lines is drawn, beside its rows: equal looks have equal specifications."""

    lines: tuple[tuple[str, int, str], ...]  # cell, layer, state
    relative: bool
    named: bool  # at the lines' left ends, and not in legends
    first_picture: bool
    dark: bool
    pinned: ghosts.Pinned = ghosts.Pinned()

    @property
    def table(self) -> pd.DataFrame:
        """The keys of the lines, one row each."""
        return pd.DataFrame(self.lines, columns=list(KEYS[:3]))


def _lines(
    table: pd.DataFrame,
    *,
    relative: bool = True,
    ends: pd.DataFrame | None = None,
    marks: pd.DataFrame | None = None,
    pins: pd.DataFrame | None = None,
    spread: bool = False,
    dark: bool = False,
) -> Picture:
    return _picture(table, relative, ends, marks, None, pins, False, dark, spread)


@in_parts(_lines)
def lines(
    table: pd.DataFrame,
    *,
    relative: bool = True,
    title: str = "",
    subtitle: str = "",
    ends: pd.DataFrame | None = None,
    marks: pd.DataFrame | None = None,
    pins: pd.DataFrame | None = None,
    spread: bool = False,
    dark: bool = False,
    width: int | str = "container",
    height: int | None = None,
) -> alt.LayerChart:
    """One line per cell, layer and state, with bands over the batch, float32's limits and a hover naming each line.

    ends    where lines are named at their left end instead of in legends: columns annotations.END_COLUMNS, `label_at`
            in the drawn column's log10
    marks   steps to point out, such as where the forward pass ceased to be finite: columns annotations.MARK_COLUMNS
    pins    how the pins of compared traces are named, and where: columns ghosts.NAME_COLUMNS
    spread  whether the pins have bands too, as over many seeds
    """
    picture = _lines(table, relative=relative, ends=ends, marks=marks, pins=pins, spread=spread, dark=dark)
    return picture.chart(title, subtitle, width, height)


def _opening(
    table: pd.DataFrame,
    ends: pd.DataFrame,
    *,
    relative: bool = True,
    marks: pd.DataFrame | None = None,
    promised: pd.DataFrame | None = None,
    pins: pd.DataFrame | None = None,
    dark: bool = False,
) -> Picture:
    return _picture(table, relative, ends, marks, promised, pins, True, dark)


@in_parts(_opening)
def opening(
    table: pd.DataFrame,
    ends: pd.DataFrame,
    *,
    relative: bool = True,
    title: str = "",
    subtitle: str = "",
    marks: pd.DataFrame | None = None,
    promised: pd.DataFrame | None = None,
    pins: pd.DataFrame | None = None,
    dark: bool = False,
    width: int | str = "container",
    height: int | None = None,
) -> alt.LayerChart:
    """The first picture: one bold line per cell, named at its end; one layer and one state; the rest as `lines`.

    promised    rows of a trace that another setting gives, with a `label` that says which: a thin dashed line
    """
    picture = _opening(table, ends, relative=relative, marks=marks, promised=promised, pins=pins, dark=dark)
    return picture.chart(title, subtitle, width, height)


def propagation(
    table: pd.DataFrame,
    *,
    title: str = "",
    subtitle: str = "",
    dark: bool = False,
    width: int | str = "container",
    height: int = 320,
) -> alt.LayerChart:
    """What arrives (all losses, solid) beside how one injection propagates (the last loss, dashed): cell, path, step,
    lag and log10_norm of one layer."""
    theme.refuse_empty(table)
    drawn = table[["cell", "path", "step", "lag", "log10_norm"]]
    drawn = drawn.assign(log10_norm=drawn["log10_norm"].where(np.isfinite(drawn["log10_norm"])))
    paths = list(PATH_DASHES)
    scale = alt.Scale(domain=paths, range=[PATH_DASHES[path] for path in paths])
    key = theme.named(paths, _("gradient of"), symbolOpacity=1)
    domain = axes.decades_domain([drawn["log10_norm"]])
    line = (
        alt.Chart(drawn)
        .mark_line(strokeWidth=2)
        .encode(
            x=axes.steps(int(table["step"].min()), int(table["step"].max()), _("step t")),
            y=axes.decades("log10_norm", domain, [_("norm of the whole state's gradient")]),
            color=theme.cells_encoding(table, dark),
            strokeDash=alt.StrokeDash("path:N", scale=scale, legend=key),
            detail=[alt.Detail("cell:N"), alt.Detail("path:N")],
        )
    )
    limits, lags = annotations.limit_rows(domain), axes.lags(int(table["lag"].min()), int(table["lag"].max()))
    layers = [*annotations.float32_limits(limits, dark), line, lags]
    return theme.finished(layers, title, subtitle, dark, width, height, two_x_axes=True)


def _picture(
    table: pd.DataFrame,
    relative: bool,
    ends: pd.DataFrame | None,
    marks: pd.DataFrame | None,
    promised: pd.DataFrame | None,
    pins: pd.DataFrame | None,
    first_picture: bool,
    dark: bool,
    spread: bool = False,
) -> Picture:
    """Every row that is drawn, the domains of its axes, and how. Raises ValueError for a table without rows."""
    theme.refuse_empty(table)
    names = columns_drawn(relative)
    mean = names[0]
    is_absolute = not relative or (table[mean] - table[ABSOLUTE[0]]).abs().max() < annotations.SAME
    table, others = ghosts.split(table)
    of_ghosts = names if spread else names[:1]
    ghost = ghosts.rows(table, others, of_ghosts)
    columns = {name: table[name].to_numpy() for name in (*KEYS, *names)}
    finite = {name: np.where(np.isfinite(columns[name]), columns[name], np.nan) for name in names}
    drawn = pd.DataFrame(columns | finite)
    first, last = min([int(columns["step"].min()), *ghost["step"]]), int(columns["step"].max())
    lags = [int(columns["lag"].min()), max([int(columns["lag"].max()), *ghost["lag"]])]
    other = pd.DataFrame({name: [] for name in ("cell", "step", mean, "label")}) if promised is None else promised
    other = other.loc[np.isfinite(other[mean].to_numpy()), ["cell", "step", mean, "label"]]
    domain = axes.decades_domain([*finite.values(), other[mean], *(ghost[name] for name in of_ghosts)])
    zeros = table[np.isneginf(columns[mean])]
    named = ends if ends is not None and 0 < len(ends) <= MOST_NAMES else None
    labelled = pd.DataFrame({name: [] for name in (*annotations.END_COLUMNS, "label")})
    if named is not None:
        labelled = named[list(annotations.END_COLUMNS)].assign(label=annotations.broken(theme.line_names(named)))
    limits = annotations.limit_rows(domain)
    rows = {
        "lines": drawn,
        "limits": limits if is_absolute else limits.iloc[:0],
        "zeros": annotations.zero_rows(zeros),
        "last zero": annotations.last_zero(zeros, last),
        "marks": annotations.mark_rows(marks, last),
        "promised": other,
        "promise": _promise(other, mean, domain),
        "ends": labelled,
        annotations.READ: annotations.hover_rows(table, mean, ghost),
        "lags": pd.DataFrame({"lag": lags}),
    }
    keys = tuple(table[list(KEYS[:3])].drop_duplicates().itertuples(index=False, name=None))
    look = Look(keys, relative, bool(len(labelled)), first_picture, dark)
    if len(ghost):
        rows |= {"ghosts": ghost.drop(columns="lag"), "ghost names": ghosts.name_rows(table, pins)}
        look = look._replace(pinned=ghosts.Pinned.of(ghost, of_ghosts[1:]))
    domains = {"norms": domain, "steps": [first, last], "lags": lags}
    height = 400 if first_picture else 440
    if not (first_picture and ends is not None and len(ends) <= MOST_NAMES):
        height += theme.legend_room(table)
    return Picture(_layers, look, rows, domains, dark, height, held=("norms", "steps"), two_x_axes=True)


def _layers(rows: Rows, domains: Domains, look: Look) -> list[alt.Chart]:
    mean, low, high = columns_drawn(look.relative)
    table, dark = look.table, look.dark
    x = axes.along(domains["steps"])
    labels = annotations.broken(theme.line_names(table)) if look.named else None
    shown, legends = _legends(table, look.named)
    colour = theme.cells_encoding(table, dark, legend=not look.named)
    dash = theme.dash(pd.Series([*table["state"], *look.pinned.states]), legend=not look.named)
    band = (
        alt.Chart(rows["lines"])
        .mark_area()
        .encode(
            x=x,
            y=axes.decades(low, domains["norms"], []),
            y2=alt.Y2(high),
            color=colour,
            opacity=_when(shown, 0.14, 0),
            detail=theme.LINE,
        )
    )
    line = (
        alt.Chart(rows["lines"])
        .mark_line()
        .encode(
            x=axes.along(domains["steps"], _(axes.BACKWARDS if look.first_picture else STEP), bool(look.pinned.names)),
            y=axes.decades(mean, domains["norms"], _title(table, mean), offset=annotations.gutter(labels)),
            color=colour,
            opacity=_shade(table, shown, dark, legend=not look.named),
            strokeWidth=theme.width(table["layer"], dark, 4.0 if look.first_picture else 2.0, legend=not look.named),
            strokeDash=dash,
        )
    )
    dimmed = _when(shown, 0.9, theme.DIMMED)
    zeros = rows["zeros"], rows["last zero"]
    layers = [
        *(annotations.float32_limits(rows["limits"], dark) if has(rows["limits"]) else []),
        *(_promised(rows, mean, x, colour) if has(rows["promised"]) else []),
        *([band] if len(look.lines) <= MOST_BANDS else []),
        *(_ghosts(rows, mean, x, dash, look) if look.pinned.names else []),
        line,
        *(ghosts.names(alt.Chart(rows["ghost names"]), x, dark) if look.pinned.names else []),
        *(annotations.exact_zeros(*zeros, x, colour, dimmed, dark) if has(rows["zeros"]) else []),
        *(annotations.marked_steps(rows["marks"], x, dark) if has(rows["marks"]) else []),
        *([annotations.end_labels(rows["ends"], x, colour)] if look.named else []),
        *annotations.hover(rows[annotations.READ], rows["lines"], mean, x, colour, dark),
        axes.back(domains["lags"], rows["lags"]),
    ]
    return theme.with_legends(layers, legends)


def _ghosts(rows: Rows, mean: str, x: alt.X, dash: alt.StrokeDash, look: Look) -> list[alt.Chart]:
    """The pins' lines; the first pin's once more, for when it is shown alone."""
    drawn = alt.Chart(rows["ghosts"])
    width, y = 2.0 if look.first_picture else 1.4, alt.Y(f"{mean}:Q")
    return ghosts.layers(drawn, y, x, dash, look.pinned, width, look.dark)


def _promise(other: pd.DataFrame, mean: str, domain: Sequence[float]) -> pd.DataFrame:
    """The left end of what is promised; its name stands below it where the picture ends soon above."""
    first = other.iloc[[int(other["step"].to_numpy().argmin())]] if len(other) else other
    return first.assign(below=domain[1] - first[mean] < NEAR_THE_TOP * (domain[1] - domain[0]))


def _promised(rows: Rows, mean: str, x: alt.X, colour: alt.Color) -> list[alt.Chart]:
    """What another setting gives: a thin dashed line in its cell's colour, and at its left end which setting."""
    y = alt.Y(f"{mean}:Q")
    line = alt.Chart(rows["promised"]).mark_line(strokeWidth=1.5, strokeDash=[3, 4], opacity=0.9)
    place: dict[str, Any] = {"baseline": alt.ExprRef("datum.below ? 'top' : 'bottom'")}
    place["dy"] = alt.ExprRef("datum.below ? 5 : -4")
    name = alt.Chart(rows["promise"]).mark_text(align="left", dx=4, fontSize=12, **place)
    text = alt.Text("label:N")
    return [line.encode(x=x, y=y, color=colour), name.encode(x=x, y=y, color=colour, text=text)]


def _title(table: pd.DataFrame, mean: str) -> list[str]:
    states = theme.present(table["state"], state_names())
    norm = _("norm of {gradients}").format(gradients=listed([f"∂L/∂{state}" for state in states]))
    return [norm, _("relative to the injected gradient")] if mean in RELATIVE else [norm]


def _when(shown: dict | None, value: float, otherwise: float) -> alt.OpacityValue:
    """Opacity of what the legends leave selected, and of what they put aside."""
    if shown is None:
        return alt.OpacityValue(value)
    return alt.OpacityValue(otherwise, condition={"test": shown, "value": value})


def _legends(table: pd.DataFrame, named: bool) -> tuple[dict | None, dict[str, alt.Parameter]]:
    """By channel, a legend to click for each of cell, layer and state that varies: what is clicked is shown, the rest
    dimmed."""
    varied = [field for field in ("cell", "layer", "state") if table[field].nunique() > 1 and not named]
    params = {CHANNELS[field]: theme.clicked(f"{field}_shown", field) for field in varied}
    return {"and": [{"param": param.name} for param in params.values()]} if params else None, params


def _shade(table: pd.DataFrame, shown: dict | None, dark: bool, legend: bool) -> alt.Opacity | alt.OpacityValue:
    shade = theme.shade(table["layer"], dark, legend)
    if shown is None:
        return shade
    scaled: Any = shade.to_dict()
    return alt.OpacityValue(theme.DIMMED, condition={"test": shown, **scaled})
