"""Sentences about a phase map: where the gradient keeps its size, where the border is, and what theory says of it."""

import math

import numpy as np
import pandas as pd

from gradlab.analyses.diagnosis import DECADES, Diagnosis
from gradlab.cells import CELLS
from gradlab.settings.catalogue import CHOICES, title
from gradlab.settings.experiment import Experiment
from gradlab.sweeps.maps import PhaseMap, Plan, law_of
from gradlab.words.how_to_read import Reading
from gradlab.words.initializations import aside
from gradlab.words.languages import N_, _
from gradlab.words.numbers import counted, listed, rounded, signed
from gradlab.words.subjects import setting_name, setting_value

HOW_TO_READ = Reading(
    r"\text{rate} = 100\,\frac{d}{d\,\text{lag}} \log_{10} \left\lVert \frac{\partial L}{\partial s_t} \right\rVert_2"
    r"\qquad\text{the last loss's gradient in the bottom layer, by a straight line}",
    N_(
        "Each place is a network with its two settings, drawn at several seeds; its colour is the median rate. Blue: "
        "the gradient vanishes on its way back; orange: it explodes; pale, between them, is where it keeps its size. "
        "Crosses have no rate. The ring is the present network. The dashed line is theory's border, of an infinitely "
        "large network near its origin, without a fit: what a network of this size with input does is the colour."
    ),
    N_("the pale strip between blue and orange: on which side of it is the ring, the present network?"),
)
TITLES = {
    "keep_bias": N_("gain × keep-gate bias"),
    "steps": N_("gain × steps"),
    "depth": N_("depth × initialization"),
}
CLICK = N_("Click a place to open its network in Gradient flow. With the keyboard: choose its settings above, and open")
FULL = N_("This server measures as many maps as it takes at once. Try it again in a minute.")


def called(of: str) -> str:
    """A map's name, by that of MAPS."""
    return _(TITLES[of])


def headline(found: PhaseMap) -> str:
    """At how many places the gradient keeps its size, vanishes, explodes."""
    plan, median = found.plan, found.table["median"].to_numpy(float)
    columns, rows, seeds = plan.shape
    is_rated = np.isfinite(median)
    rate = np.where(is_rated, median, np.nan)
    shares = {"lost": _share(rate < -DECADES), "grown": _share(rate > DECADES), "none": _share(~is_rated)}
    if is_rated.all():
        others = _("it vanishes at {lost} and explodes at {grown}")
    else:
        others = _("it vanishes at {lost}, explodes at {grown} and has no rate at {none}")
    text = _(
        "{cell}, {spans} ({columns} × {rows} networks at {seeds}): **the gradient keeps its size at {kept}** of the "
        "places, within a factor of 10 per 100 steps; {others}."
    )
    spans = " × ".join(_span(plan, name) for name in (plan.x, plan.y))
    size = {"columns": columns, "rows": rows, "seeds": counted(seeds, "seed")}
    return text.format(
        cell=plan.base.title, spans=spans, kept=_share(np.abs(rate) <= DECADES), others=others.format(**shares), **size
    )


def crossing(found: PhaseMap, settings: Experiment) -> str:
    """Between which two values the rate passes 0 beside the present network, and how far seeds differ."""
    first = _of_depth(found) if found.plan.of == "depth" else _crossing(found, settings)
    return " ".join(filter(None, (first, _spread(found))))


def _crossing(found: PhaseMap, settings: Experiment) -> str:
    plan, table = found.plan, found.table
    along, fixed = (plan.y, plan.x) if plan.of == "keep_bias" else (plan.x, plan.y)
    present = getattr(settings, fixed)
    beside = min(plan.axes[fixed], key=lambda value: abs(value - present))
    line = table[table[fixed] == beside]
    at, rate = line[along].to_numpy(float), line["median"].to_numpy(float)
    signs = [n for n in range(len(rate) - 1) if rate[n] < 0 <= rate[n + 1] or rate[n + 1] < 0 <= rate[n]]
    if signs:
        text = _("At {place} **the rate passes 0 between {low} and {high}**.")
        low, high = at[signs[0]], at[signs[0] + 1]
        return text.format(place=_said(fixed, beside), low=_said(along, low), high=_plain(float(high)))
    if not np.isfinite(rate).any():
        text = _("At {place} the rate is defined nowhere.")
    elif np.nanmax(rate) < 0:
        text = _("At {place} the rate stays below 0.")
    else:
        text = _("At {place} the rate stays above 0.")
    return text.format(place=_said(fixed, beside))


def here(settings: Experiment, plan: Plan, diagnosis: Diagnosis) -> str:
    """The present network's own rate."""
    values = listed([_said(name, getattr(settings, name)) for name in (plan.x, plan.y)])
    rate = diagnosis.decades_per_100_steps
    if math.isnan(rate):
        return _("The present network, {values}: no rate.").format(values=values)
    text = _("The present network, {values}: {rate} decades per 100 steps ({verdict}).")
    return text.format(values=values, rate=signed(rate), verdict=_(diagnosis.verdict))


def of_theory(plan: Plan, border: pd.DataFrame) -> str:
    """What the dashed line is, and where it holds; or that there is none."""
    law = law_of(plan.base.cell)
    if law is None:
        text = _("Theory has no border for the {cell}: what is drawn is measured alone.")
        return text.format(cell=plan.base.title)
    if plan.of == "depth":
        return _("Theory has no border for stacks of layers: what is drawn is measured alone.")
    if border.empty:
        return _(
            "Theory's border lies beyond this map, or the biases of a gate differ between units, where it has none."
        )
    text = _("Dashed: theory's border. It holds for: {where} ({source}).")
    return text.format(where=_(law.holds), source=_(law.source))


def where(workers: int | None, processes: int, no_cluster: bool) -> str:
    """Where a map is measured."""
    if workers is not None:
        return _("Measured on a cluster of {workers}.").format(workers=counted(workers, "worker"))
    here = _("Measured by {processes} of this server.").format(processes=counted(processes, "process"))
    return " ".join([_("The cluster of this server does not answer."), here]) if no_cluster else here


def waiting(ahead: int) -> str:
    """Of a map whose turn it is not."""
    return _("waits for {maps}").format(maps=counted(ahead, "other map"))


def _of_depth(found: PhaseMap) -> str:
    """How many initializations keep the gradient at the least depth and at the largest."""
    table, depths = found.table, found.plan.axes["depth"]

    def keep(depth: int) -> str:
        kept = table.loc[(table["depth"] == depth) & (table["median"].abs() <= DECADES), "initialization"]
        return counted(len(kept), "initialization") + aside([title(name) for name in kept])

    text = _("The gradient is kept at a depth of {first} by {shallow} and at a depth of {last} by {deep}.")
    first, last = depths[0], depths[-1]
    return text.format(first=first, shallow=keep(first), last=last, deep=keep(last))


def _spread(found: PhaseMap) -> str:
    if found.plan.shape[2] < 2:
        return ""
    width = (found.table["highest"] - found.table["lowest"]).dropna()
    if width.empty:
        return ""
    place = found.table.loc[int(str(width.idxmax()))]
    text = _("Over {seeds} the rate of a place differs by {median} decades in the median, by {most} at most ({place}).")
    return text.format(
        seeds=counted(found.plan.shape[2], "seed"),
        median=rounded(float(width.median())),
        most=rounded(float(width.max())),
        place=listed([_said(name, place[name]) for name in (found.plan.x, found.plan.y)]),
    )


def _share(chosen: np.ndarray) -> str:
    share = chosen.mean()
    return _("less than 1%") if 0 < share < 0.005 else f"{share:.0%}"


def _span(plan: Plan, name: str) -> str:
    values = plan.axes[name]
    if isinstance(values[0], str):
        return counted(len(values), name)
    span = _("{low} to {high}").format(low=_plain(values[0]), high=_plain(values[-1]))
    return f"{setting_name(name)} {span}"


def _said(name: str, value: object) -> str:
    called = _("default") if value is None else title(str(value)) if name in CHOICES else _plain(value)
    return f"{setting_name(name)} {called}"


def _plain(value: object) -> str:
    return setting_value(value).replace("-", "−")


def cell_without_gate(cell: str) -> str:
    """Why the map of gain × steps is drawn instead of that of the bias."""
    text = _("{cell} has no gate that keeps its old state, so its map is gain × steps.")
    return text.format(cell=CELLS[cell].title)
