"""The itemised matrix: loss step × state step, and what its rows and their sum look like.

`matrix` and `band` read bins of pairs, one row per bin, of one cell, layer and state:

    loss_step, loss_step_end, step, step_end     a bin's first steps and one past its last
    log10_norm                                   mean log10 ‖∂ℓ_{t'}/∂s_t‖

`matrix` and `losses_and_sum` read the total, one row per step of the sequence, its ends among them: step, log10_norm;
`losses_and_sum` also some rows of the matrix themselves: loss_step, step, log10_norm. `band` reads the corners of what
a truncation keeps: loss_step, first (the earliest state that the loss reaches).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import altair as alt
import numpy as np
import pandas as pd

from gradlab.charts import annotations, axes
from gradlab.charts.colours import INKS, cell_colour
from gradlab.charts.picture import Domains, Picture, Rows, in_parts
from gradlab.words.languages import N_, _
from gradlab.words.numbers import POWER_LABEL, number

BIN_COLUMNS = ("loss_step", "loss_step_end", "step", "step_end", "log10_norm")
ROW_COLUMNS = ("loss_step", "step", "log10_norm")
TOTAL_COLUMNS = ("step", "log10_norm")
OUTLINE_COLUMNS = ("loss_step", "first")
SPLIT = 0.60  # of the height is the matrix, the rest the chosen row's curve
STATE_STEP = N_("state step t")  # of every layer: Vega-Lite draws no axis where one layer says that there is none
BAND_PIXELS = 340  # the height of a matrix beside the curves of what is lost
SEAM = 1  # pixels by which a bin reaches into the next


class MatrixLook(NamedTuple):
    """What decides how a matrix is drawn, beside its rows."""

    cell: str
    state: str
    last: int  # step
    rows: tuple[int, ...]  # the range of the loss steps
    marked: int  # the loss step of the row that is marked at first
    dark: bool


def _matrix(bins: pd.DataFrame, total: pd.DataFrame, *, cell: str, domain: list[float], state: str = "h",
            dark: bool = False) -> Picture:  # fmt: skip
    last, marked = int(total["step"].max()), int(bins["loss_step"].max())
    look = MatrixLook(cell, state, last, tuple(_rows(bins)), marked, dark)
    rows = {
        "bins": _saying(bins[list(BIN_COLUMNS)], state),
        "edges": bins[["loss_step", "loss_step_end"]].drop_duplicates(),
        "total": total.loc[np.isfinite(total["log10_norm"]), list(TOTAL_COLUMNS)],
        "names": pd.DataFrame({"name": [_("— the marked row"), _("- - sum of all rows")], "line": [0, 1]}),
    }
    return Picture(_matrix_layers, look, rows, {"colours": domain}, dark, 520, held=("colours",), two_y_axes=True)


@in_parts(_matrix)
def matrix(
    bins: pd.DataFrame,
    total: pd.DataFrame,
    *,
    cell: str,
    domain: list[float],
    state: str = "h",
    title: str = "",
    subtitle: str = "",
    dark: bool = False,
    width: int | str = "container",
    height: int = 520,
) -> alt.LayerChart:
    """Above the matrix; below the row under the pointer as a curve, beside the sum of all rows.

    domain   log10 range of the colours and of the curves, the same for every cell
    """
    picture = _matrix(bins, total, cell=cell, domain=domain, state=state, dark=dark)
    return picture.chart(title, subtitle, width, height)


def _matrix_layers(rows: Rows, domains: Domains, look: MatrixLook) -> list[alt.Chart]:
    ink, row_colour, domain = INKS[look.dark], cell_colour(look.cell, look.dark), domains["colours"]
    above = [alt.ExprRef(f"height * {SPLIT}"), alt.ExprRef("0")]
    below = [alt.ExprRef("height"), alt.ExprRef(f"height * {SPLIT + 0.07}")]
    chosen = alt.selection_point(
        name="row",
        fields=["loss_step"],
        on="pointerover",
        clear=False,
        empty=False,
        value=[{"loss_step": look.marked}],
    )
    heat = _heat(rows["bins"], look.last, list(look.rows), domain, above, look.state).add_params(chosen)
    row_scale = alt.Scale(domain=list(look.rows), nice=False, range=above)
    marked = (
        alt.Chart(rows["edges"])
        .mark_rect(fillOpacity=0, stroke=ink.text, strokeWidth=1.5)
        .encode(
            x=alt.XValue(0),
            x2=alt.X2Value("width"),
            y=alt.Y("loss_step:Q", scale=row_scale, axis=None),
            y2=alt.Y2("loss_step_end:Q"),
        )
        .transform_filter(chosen)
    )
    scale = alt.Scale(domain=axes.ends(domain), nice=False, zero=False, range=below, clamp=True)
    axis = alt.Axis(title=_("norm"), labelExpr=POWER_LABEL, tickCount=axes.ticks("height", 110, axes.span(domain)),
                    orient="left")  # fmt: skip
    curves = {name: alt.Y("log10_norm:Q", scale=scale, axis=drawn) for name, drawn in (("first", axis), ("rest", None))}
    x = axes.steps(0, look.last + 1, _(STATE_STEP))
    row = alt.Chart(rows["bins"]).mark_line(color=row_colour, strokeWidth=2.5, clip=True)
    whole = alt.Chart(rows["total"]).mark_line(color=ink.text, strokeWidth=2, strokeDash=[4, 3], clip=True)
    above_the_axis = alt.ExprRef("-4 - 14 * datum.line")
    names = alt.Chart(rows["names"]).mark_text(fontSize=11, align="right", baseline="bottom", dx=-4, dy=above_the_axis)
    name_colour = alt.Color("line:O", scale=alt.Scale(domain=[0, 1], range=[row_colour, ink.text]), legend=None)
    return [
        heat,
        marked,
        whole.encode(x=x, y=curves["first"]),
        row.encode(x=x, y=curves["rest"]).transform_filter(chosen),
        names.encode(x=alt.XValue("width"), y=alt.YValue("height"), text=alt.Text("name:N"), color=name_colour),
    ]


def _saying(bins: pd.DataFrame, state: str) -> pd.DataFrame:
    """The bins, each with what the pointer says there."""
    text = _("From the loss at step {loss} to {state} at step {step}: {size}")
    says = [
        text.format(loss=f"{loss:,}", state=state, step=f"{step:,}", size=number(log10))
        for loss, step, log10 in bins[["loss_step", "step", "log10_norm"]].itertuples(index=False, name=None)
    ]
    return bins.assign(says=says)


def _heat(bins: Any, last: int, rows: list[int], domain: axes.Domain, place: list | None, state: str) -> alt.Chart:
    legend = alt.Legend(
        title=_("norm of ∂ℓ/∂{state}, the loss at t', the state at t").format(state=state),
        labelExpr=POWER_LABEL,
        tickCount=alt.ExprRef(f"max(1, min(4, floor({axes.span(domain)})))"),
        gradientLength=200,
        gradientThickness=10,
        titleOrient="top",
        titleLimit=280,
    )
    return (
        alt.Chart(bins)
        .mark_rect(x2Offset=SEAM, y2Offset=-SEAM)
        .encode(
            x=axes.steps(0, last + 1, _(STATE_STEP)),
            x2=alt.X2("step_end:Q"),
            y=_loss_steps("loss_step", rows, place),
            y2=alt.Y2("loss_step_end:Q"),
            color=alt.Color(
                "log10_norm:Q",
                scale=alt.Scale(scheme="cividis", domain=axes.ends(domain), nice=False, clamp=True),
                legend=legend,
            ),
            tooltip=alt.Tooltip("says:N"),
        )
    )


def _rows(bins: pd.DataFrame) -> list[int]:
    """The range of the rows that there are."""
    return [int(bins["loss_step"].min()), int(bins["loss_step_end"].max())]


def _loss_steps(column: str, rows: list[int], place: list | None) -> alt.Y:
    scale = alt.Scale(domain=rows, nice=False)
    if place is not None:
        scale["range"] = place
    count = axes.ticks("height", 75, max(rows[1] - rows[0] - 1, 1))
    axis = alt.Axis(title=_("loss step t'"), format=",d", tickCount=count, grid=False)
    return alt.Y(f"{column}:Q", scale=scale, axis=axis)


class BandLook(NamedTuple):
    """What decides how a shaded matrix is drawn, beside its rows."""

    state: str
    last: int  # step
    rows: tuple[int, ...]  # the range of the loss steps
    dark: bool


def _band(bins: pd.DataFrame, outline: pd.DataFrame, *, domain: list[float], state: str = "h",
          dark: bool = False) -> Picture:  # fmt: skip
    corner = pd.Series(range(len(outline)))
    # two corners at one height would be joined in either order, so the upper of a span stands a hair below its end
    corners = outline.assign(corner=corner, loss_step=outline["loss_step"] - 1e-3 * (corner % 2))
    look = BandLook(state, int(outline["loss_step"].max()) - 1, tuple(_rows(bins)), dark)
    rows = {"bins": _saying(bins[list(BIN_COLUMNS)], state), "corners": corners}
    return Picture(_band_layers, look, rows, {"colours": domain}, dark, BAND_PIXELS, held=("colours",))


@in_parts(_band)
def band(
    bins: pd.DataFrame,
    outline: pd.DataFrame,
    *,
    domain: list[float],
    state: str = "h",
    title: str = "",
    subtitle: str = "",
    dark: bool = False,
    width: int | str = "container",
    height: int = BAND_PIXELS,
) -> alt.LayerChart:
    """The matrix, shaded where a truncation drops pairs: outside its `outline`."""
    return _band(bins, outline, domain=domain, state=state, dark=dark).chart(title, subtitle, width, height)


def _band_layers(rows: Rows, domains: Domains, look: BandLook) -> list[alt.Chart]:
    ink, steps = INKS[look.dark], list(look.rows)
    y, x = _loss_steps("loss_step", steps, None), _across("first", look.last)
    shade = alt.Chart(rows["corners"]).mark_area(color=ink.paper, opacity=0.82, orient="horizontal", clip=True)
    edge = alt.Chart(rows["corners"]).mark_line(color=ink.alarm, strokeWidth=2, clip=True)
    return [
        _heat(rows["bins"], look.last, steps, domains["colours"], None, look.state),
        shade.encode(x=x, x2=alt.X2Datum(0), y=y),
        edge.encode(x=x, y=y, order=alt.Order("corner:Q")),
    ]


def _across(column: str, last: int) -> alt.X:
    """The state steps, the axis the same as the matrix's."""
    axis = alt.Axis(title=_(STATE_STEP), format=",d", tickCount=axes.ticks("width", 75, last + 1))
    return alt.X(f"{column}:Q", scale=alt.Scale(domain=[0, last + 1], nice=False), axis=axis)


class SumLook(NamedTuple):
    """What decides how individual losses and their sum are drawn, beside their rows."""

    cell: str
    state: str
    dark: bool


def _losses_and_sum(rows: pd.DataFrame, total: pd.DataFrame, *, cell: str, domain: list[float], state: str = "h",
                    dark: bool = False) -> Picture:  # fmt: skip
    finite = rows.loc[np.isfinite(rows["log10_norm"]), list(ROW_COLUMNS)]
    last, total = int(total["step"].max()), total.loc[np.isfinite(total["log10_norm"]), list(TOTAL_COLUMNS)]
    named = [_("loss at {step}").format(step=f"{step:,}") for step in finite["loss_step"]]
    lines = [finite.assign(line=named), total.assign(line=_("all losses"))]
    drawn = {
        "losses": finite,
        "total": total,
        "name": total.nsmallest(1, "step"),
        annotations.READ: annotations.readings(pd.concat(lines), "step", "line", "log10_norm", number),
    }
    domains = {"norms": domain, "steps": [0, last]}
    return Picture(_sum_layers, SumLook(cell, state, dark), drawn, domains, dark, 330, held=("norms", "steps"))


@in_parts(_losses_and_sum)
def losses_and_sum(
    rows: pd.DataFrame,
    total: pd.DataFrame,
    *,
    cell: str,
    domain: list[float],
    state: str = "h",
    title: str = "",
    subtitle: str = "",
    dark: bool = False,
    width: int | str = "container",
    height: int = 330,
) -> alt.LayerChart:
    """The gradients of some individual losses, each falling from its step, and the sum over all losses above them."""
    picture = _losses_and_sum(rows, total, cell=cell, domain=domain, state=state, dark=dark)
    return picture.chart(title, subtitle, width, height)


def _sum_layers(rows: Rows, domains: Domains, look: SumLook) -> list[alt.Chart]:
    ink, x = INKS[look.dark], axes.along(domains["steps"], _(STATE_STEP))
    y = axes.decades(
        "log10_norm", domains["norms"], [_("norm of ∂ℓ/∂{state} and ∂L/∂{state}").format(state=look.state)]
    )
    individual = alt.Chart(rows["losses"]).mark_line(
        color=cell_colour(look.cell, look.dark), strokeWidth=1.6, clip=True
    )
    whole = alt.Chart(rows["total"]).mark_line(color=ink.text, strokeWidth=3)
    label = alt.Chart(rows["name"]).mark_text(
        text=_("sum over all losses"), align="left", baseline="bottom", dx=4, dy=-7, fontSize=13, fontWeight=600,
        color=ink.text,
    )  # fmt: skip
    return [
        individual.encode(x=x, y=y, detail=alt.Detail("loss_step:N")),
        whole.encode(x=x, y=y),
        label.encode(x=x, y=y),
        annotations.pointer(rows[annotations.READ], x, look.dark),
    ]
