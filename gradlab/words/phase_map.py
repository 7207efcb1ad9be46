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
from gradlab.words.numbers import counted, listed, rounded, signed
from gradlab.words.subjects import setting_name, setting_value

HOW_TO_READ = Reading(
    r"\text{rate} = 100\,\frac{d}{d\,\text{lag}} \log_{10} \left\lVert \frac{\partial L}{\partial s_t} \right\rVert_2"
    r"\qquad\text{the last loss's gradient in the bottom layer, by a straight line}",
    "Each place is a network with its two settings, drawn at several seeds; its colour is the median rate. Blue: the "
    "gradient vanishes on its way back; orange: it explodes; pale, between them, is where it keeps its size. Crosses "
    "have no rate. The ring is the present network. The dashed line is theory's border, of an infinitely large network "
    "near its origin, without a fit: what a network of this size with input does is the colour.",
)
TITLES = {"keep_bias": "gain × keep-gate bias", "steps": "gain × steps", "depth": "depth × initialization"}
CLICK = "Click a place to open its network in Gradient flow. With the keyboard: choose its settings above, and open"
NO_LAW = "Theory has no border for {what}: what is drawn is measured alone."
FULL = "This server measures as many maps as it takes at once. Try it again in a minute."


def headline(found: PhaseMap) -> str:
    """At how many places the gradient keeps its size, vanishes, explodes."""
    plan, median = found.plan, found.table["median"].to_numpy(float)
    columns, rows, seeds = plan.shape
    rated = median[np.isfinite(median)]
    kept, lost, grown = np.abs(rated) <= DECADES, rated < -DECADES, rated > DECADES
    parts = [f"it vanishes at {_share(lost, median)}", f"explodes at {_share(grown, median)}"]
    if none := len(median) - len(rated):
        parts.append(f"has no rate at {_share(np.ones(none, bool), median)}")
    spans = " × ".join(_span(plan, name) for name in (plan.x, plan.y))
    how_many = f"{columns} × {rows} networks at {counted(seeds, 'seed')}"
    return (
        f"{plan.base.title}, {spans} ({how_many}): **the gradient keeps its size at {_share(kept, median)}** of the "
        f"places, within a factor of 10 per 100 steps; {listed(parts)}."
    )


def crossing(found: PhaseMap, settings: Experiment) -> str:
    """Between which two values the rate passes 0 beside the present network, and how far seeds differ."""
    plan, table = found.plan, found.table
    said = f"{_of_depth(found)} {_spread(found)}" if plan.of == "depth" else _spread(found)
    if plan.of == "depth":
        return said
    along, fixed = (plan.y, plan.x) if plan.of == "keep_bias" else (plan.x, plan.y)
    present = getattr(settings, fixed)
    beside = min(plan.axes[fixed], key=lambda value: abs(value - present))
    line = table[table[fixed] == beside]
    at, rate = line[along].to_numpy(float), line["median"].to_numpy(float)
    signs = [n for n in range(len(rate) - 1) if rate[n] < 0 <= rate[n + 1] or rate[n + 1] < 0 <= rate[n]]
    where = f"At {_said(fixed, beside)}"
    if not signs:
        side = "nowhere" if not np.isfinite(rate).any() else f"stays {'below' if np.nanmax(rate) < 0 else 'above'} 0"
        return f"{where} the rate {side if side.startswith('stays') else 'is defined nowhere'}. {said}"
    low, high = at[signs[0]], at[signs[0] + 1]
    return f"{where} **the rate passes 0 between {_said(along, low)} and {setting_value(float(high))}**. {said}"


def here(settings: Experiment, plan: Plan, diagnosis: Diagnosis) -> str:
    """The present network's own rate."""
    values = [_said(name, getattr(settings, name)) for name in (plan.x, plan.y)]
    rate = diagnosis.decades_per_100_steps
    said = "no rate" if math.isnan(rate) else f"{signed(rate)} decades per 100 steps ({diagnosis.verdict})"
    return f"The present network, {listed(values)}: {said}."


def of_theory(plan: Plan, border: pd.DataFrame) -> str:
    """What the dashed line is, and where it holds; or that there is none."""
    law = law_of(plan.base.cell)
    if law is None:
        return NO_LAW.format(what=f"the {plan.base.title}")
    if plan.of == "depth":
        return NO_LAW.format(what="stacks of layers")
    if border.empty:
        return "Theory's border lies beyond this map, or the biases of a gate differ between units, where it has none."
    return f"Dashed: theory's border. It holds for: {law.holds} ({law.source})."


def where(workers: int | None, processes: int, no_cluster: bool) -> str:
    """Where a map is measured."""
    if workers is not None:
        return f"Measured on a cluster of {counted(workers, 'worker')}."
    lost = "The cluster of this server does not answer. " if no_cluster else ""
    return f"{lost}Measured by {counted(processes, 'process').replace('processs', 'processes')} of this server."


def waiting(ahead: int) -> str:
    """Of a map whose turn it is not."""
    return f"waits for {counted(ahead, 'other map')}"


def _of_depth(found: PhaseMap) -> str:
    """How many initializations keep the gradient at the least depth and at the largest."""
    table, depths = found.table, found.plan.axes["depth"]
    kept = {
        depth: list(table.loc[(table["depth"] == depth) & (table["median"].abs() <= DECADES), "initialization"])
        for depth in (depths[0], depths[-1])
    }
    said = []
    for depth, names in kept.items():
        some = f" ({listed([title(name) for name in names])})" if 0 < len(names) <= 4 else ""
        said.append(f"at a depth of {depth} by {counted(len(names), 'initialization')}{some}")
    return f"The gradient is kept {listed(said)}."


def _spread(found: PhaseMap) -> str:
    if found.plan.shape[2] < 2:
        return ""
    width = (found.table["highest"] - found.table["lowest"]).dropna()
    if width.empty:
        return ""
    place = found.table.loc[int(str(width.idxmax()))]
    at = listed([_said(name, place[name]) for name in (found.plan.x, found.plan.y)])
    seeds = counted(found.plan.shape[2], "seed")
    return (
        f"Over {seeds} the rate of a place differs by {rounded(float(width.median()))} decades in the median, by "
        f"{rounded(float(width.max()))} at most ({at})."
    )


def _share(chosen: np.ndarray, of: np.ndarray) -> str:
    share = chosen.sum() / len(of)
    return "less than 1%" if 0 < share < 0.005 else f"{share:.0%}"


def _span(plan: Plan, name: str) -> str:
    values = plan.axes[name]
    if isinstance(values[0], str):
        return f"{len(values)} {setting_name(name)}s"
    return f"{setting_name(name)} {_plain(values[0])} to {_plain(values[-1])}"


def _said(name: str, value: object) -> str:
    if value is None:
        return f"{setting_name(name)} default"
    return f"{setting_name(name)} {title(str(value)) if name in CHOICES else _plain(value)}"


def _plain(value: object) -> str:
    return setting_value(value).replace("-", "−")


def cell_without_gate(cell: str) -> str:
    """Why the map of gain × steps is drawn instead of that of the bias."""
    return f"{CELLS[cell].title} has no gate that keeps its old state, so its map is gain × steps."
