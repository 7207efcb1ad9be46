"""Phase maps: the rate of the gradient over two settings at once, with what theory says of the border.

    MAPS            which two settings: "keep_bias", gain × keep-gate bias; "steps", gain × steps;
                    "depth", depth × initialization
    phase_map       the whole map, measured here
    Plan            a map's base, axes and seeds: what `points` takes, wherever it is measured
    Measured        what has been measured of a plan so far, coarse to fine
    critical_gain   the gain at which theory sees the border, for the cells of which it has one (`law_of`)

A map's table has a row per place: its two settings, then `SPREAD_COLUMNS` of the rate, decades per 100 steps
(`gradlab.sweeps.MEASURES["rate"]`).
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.analyses import theory
from gradlab.analyses.arguments import whole_number
from gradlab.analyses.problem import Need, Problem, analysis
from gradlab.analyses.seeds import MOST_SEEDS
from gradlab.cells import CELLS
from gradlab.cells.contract import keep_gate_of
from gradlab.engine import Progress
from gradlab.network.stack import gate_rows
from gradlab.settings.catalogue import bounds, choices, default
from gradlab.settings.experiment import Experiment
from gradlab.settings.subject import Subject
from gradlab.sweeps.grid import Point
from gradlab.sweeps.running import DONE, Answer, Here
from gradlab.sweeps.sweep import SPREAD_COLUMNS, points

MEASURE = "rate"
MOST_SIZE = 201
GAINS, BIASES = (0.0, 3.0), (-4.0, 6.0)
STEPS = (20, 400)
ALIKE = 0.5  # deviation of a gate's biases up to which theory's "the same for all units" is taken to hold


class Axes(NamedTuple):
    """Which two settings a map is over."""

    x: str
    y: str


MAPS: dict[str, Axes] = {
    "keep_bias": Axes("gain", "keep_bias"),
    "steps": Axes("gain", "steps"),
    "depth": Axes("depth", "initialization"),
}
BORDER_COLUMNS = ("x", "y")


@dataclass(frozen=True)
class Plan:
    """What is measured."""

    of: str  # a name of MAPS
    base: Experiment  # the other settings; those of the axes at their defaults
    axes: Mapping[str, tuple[Any, ...]]  # x, then y
    seeds: tuple[int, ...]

    @classmethod
    def of_settings(cls, settings: Experiment, of: str = "keep_bias", size: int = 21, seeds: int = 3) -> Plan:
        """A map with so many places a side, but for depth × initialization, which has one for each.

        Raises ValueError for a map that is not known, for the bias of a cell without a gate that keeps, and for a size
        below 2 or above 201.
        """
        if of not in MAPS:
            raise ValueError(f"of = {of!r} is not a map: use one of {', '.join(MAPS)}")
        if of == "keep_bias" and keep_gate_of(CELLS[settings.cell]) is None:
            raise ValueError(f"of = 'keep_bias': {settings.title} has no gate that keeps its old state; use 'steps'")
        whole_number("size", size, 2, MOST_SIZE)
        whole_number("seeds", seeds, 1, MOST_SEEDS)
        x, y = MAPS[of]
        axes = {x: _values(x, size), y: _values(y, size)}
        swept = {x, y} | ({"forget_bias"} if of == "keep_bias" else set())
        base = settings.replace(**{name: default(name) for name in swept - {"steps"}}, seed=default("seed"))
        if of == "steps":
            base = base.shortened(STEPS[0]).replace(steps=default("steps"))
        return cls(of, base, axes, tuple((settings.seed + n) % (int(bounds("seed")[1]) + 1) for n in range(seeds)))

    @property
    def x(self) -> str:
        return MAPS[self.of].x

    @property
    def y(self) -> str:
        return MAPS[self.of].y

    @property
    def shape(self) -> tuple[int, int, int]:
        """Places along x and y, and seeds."""
        return len(self.axes[self.x]), len(self.axes[self.y]), len(self.seeds)

    def __len__(self) -> int:
        return int(np.prod(self.shape))

    def largest(self) -> Experiment:
        """The network of the axes' upper ends: no point takes more memory."""
        upper = {name: max(values) for name, values in self.axes.items() if name != "initialization"}
        return self.base.replace(**upper)


class Measured:
    """The answers to a plan's points, as they come."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self.count = 0
        self._values = np.full(plan.shape, np.nan)
        self._answered, self._done = np.zeros((2, *plan.shape), bool)
        self._reasons: dict[tuple[int, int], str] = {}
        self._places = [{value: n for n, value in enumerate(values)} for values in (*plan.axes.values(), plan.seeds)]

    def take(self, point: Point, answer: Answer) -> None:
        """A point's answer: `on_point` of `points`."""
        values = (point.axes[self.plan.x], point.axes[self.plan.y], point.seed)
        i, j, n = (places[value] for places, value in zip(self._places, values, strict=True))
        place = i, j, n
        self.count += not self._answered[place]
        self._answered[place], self._done[place] = True, answer.status == DONE
        self._values[place] = answer.value
        if answer.reason:
            self._reasons.setdefault((i, j), answer.reason)

    @property
    def table(self) -> pd.DataFrame:
        """A row per place, the x's values slowest: the two settings, then `SPREAD_COLUMNS`."""
        defined = np.isfinite(self._values)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of places without a value, which stay NaN
            quantiles = np.nanquantile(np.where(defined, self._values, np.nan), (0.5, 0.25, 0.75, 0, 1), axis=2)
        columns = dict(zip(SPREAD_COLUMNS[1:6], quantiles, strict=True))
        columns = {"count": defined.sum(axis=2), **columns, "not_measured": (self._answered & ~self._done).sum(axis=2)}
        return self._settings().assign(
            **{name: values.ravel() for name, values in columns.items()}, reason=self._texts()
        )

    @property
    def coarse(self) -> pd.DataFrame:
        """`table`, where places that no seed has been measured at have the median of the nearest coarser one."""
        table, there = self.table, np.asarray(self._answered.any(axis=2))
        median = table["median"].to_numpy().reshape(there.shape).copy()
        step, (columns, rows, _) = 1, self.plan.shape
        while not there.all() and step < 2 * max(columns, rows):
            step *= 2
            x, y = (np.arange(count) // step * step for count in (columns, rows))
            found, has = median[np.ix_(x, y)], there[np.ix_(x, y)]
            fill = has & ~there
            median[fill], there = found[fill], there | fill
        return table.assign(median=median.ravel())

    def _settings(self) -> pd.DataFrame:
        x, y = (self.plan.axes[name] for name in (self.plan.x, self.plan.y))
        return pd.DataFrame({self.plan.x: [a for a in x for _ in y], self.plan.y: [b for _ in x for b in y]})

    def _texts(self) -> list[str]:
        columns, rows, _ = self.plan.shape
        return [self._reasons.get((i, j), "") for i in range(columns) for j in range(rows)]


@dataclass(frozen=True, eq=False, repr=False)
class PhaseMap:
    """A map that is measured."""

    plan: Plan
    table: pd.DataFrame

    def __repr__(self) -> str:
        columns, rows, seeds = self.plan.shape
        return f"PhaseMap({self.plan.base.title}, {self.plan.x} × {self.plan.y}, {columns} × {rows}, {seeds} seeds)"

    @property
    def border(self) -> pd.DataFrame:
        """Where theory sees the border: rows `BORDER_COLUMNS`, values of the two settings; none where it has none."""
        return border(self.plan)


def _need(problem: Problem, of: str = "keep_bias", size: int = 21, seeds: int = 3) -> Need:
    """As many traces of the largest network at once as processes, and the values."""
    settings = problem.source.settings
    assert settings is not None
    plan = Plan.of_settings(settings, of, size, seeds)
    largest = plan.largest()
    one = Problem(largest.size, largest).trace_need
    mean = one.work if of == "keep_bias" else one.work / 2
    values = 100 * len(plan)
    return one._replace(bytes=(os.cpu_count() or 1) * one.bytes + values, work=len(plan) * mean, kept=values)


@analysis(_need)
def phase_map(
    subject: Subject, of: str = "keep_bias", size: int = 21, seeds: int = 3, *, progress: Progress | None = None
) -> PhaseMap:
    """Measures the rate at every place of a map, one point after the other; `points` of a plan does so in processes.

    subject    its settings, but for those of the map's axes; the first seed is its own
    of         a name of MAPS
    size       places a side
    seeds      networks at every place

    Raises ValueError as `Plan.of_settings` does, and where more memory would be needed than there is.
    """
    problem = Problem(subject.size, subject)
    problem.refuse(_need(problem, of, size, seeds))
    plan = Plan.of_settings(subject.settings, of, size, seeds)
    measured = Measured(plan)
    points(plan.base, plan.axes, MEASURE, plan.seeds, Here, progress=progress, in_flight=1, on_point=measured.take)
    return PhaseMap(plan, measured.table)


class Origin(NamedTuple):
    """What theory takes from a network's own weights, drawn at a gain of 1."""

    own_gain: float  # of the block of U that decides: √(Σ U²/H)
    biases: dict[str, float]  # by gate, the mean over the units
    strength: float  # root mean square of what enters, W x + b


def origin(settings: Experiment) -> Origin | None:
    """What theory takes of the bottom layer; None where no law is known for the cell, where U is 0, and where the
    biases of a gate differ between units."""
    if settings.cell not in OF_CELLS:
        return None
    layer, H, cell = settings.replace(gain=1.0).network("float64").layers[0], settings.hidden_size, settings.cell
    gate, biases, _ = OF_CELLS[cell]
    own = float(np.sqrt((layer.U[gate_rows(cell, gate, H)] ** 2).sum() / H))
    effective = {name: (layer.b_W + layer.b_U)[gate_rows(cell, name, H)] for name in biases}
    if own == 0 or any(bias.std() > ALIKE for bias in effective.values()):
        return None
    entering = settings.sequence() @ layer.W.T + layer.b_W + layer.b_U if cell == "rnn" else np.zeros(1)
    means = {name: float(bias.mean()) for name, bias in effective.items()}
    return Origin(own, means, float(np.sqrt((entering.astype(np.float64) ** 2).mean())))


def critical_gain(settings: Experiment) -> float | None:
    """The setting `gain` at which theory sees an origin lose its stability, or the RNN's λ_1 pass 0; None without."""
    found = origin(settings)
    return None if found is None else _critical(settings.cell, found)


def _critical(cell: str, found: Origin) -> float | None:
    if cell != "rnn":
        return OF_CELLS[cell][2](*found.biases.values()) / found.own_gain
    try:
        return theory.critical_gain(found.strength) / found.own_gain
    except ValueError:  # what enters is so strong that no gain is enough
        return None


OF_CELLS: dict[str, tuple[str, tuple[str, ...], Any]] = {  # whose U decides, the biases on which the law depends, it
    "rnn": ("candidate", (), theory.critical_gain),
    "lstm": ("candidate", ("forget", "input", "output"), theory.critical_gain_lstm),
    "gru": ("candidate", ("reset",), theory.critical_gain_gru),
}


def law_of(cell: str) -> theory.Law | None:
    """Where the border of a cell's maps holds, and where it comes from; None where there is none."""
    return theory.LAWS[OF_CELLS[cell][2].__name__] if cell in OF_CELLS else None


def border(plan: Plan) -> pd.DataFrame:
    """Theory's border over a map of gains, within its range: rows `BORDER_COLUMNS`, from the lowest y up."""
    cell, found = plan.base.cell, origin(plan.base.replace(seed=plan.seeds[0])) if plan.x == "gain" else None
    if found is None:
        return pd.DataFrame([], columns=list(BORDER_COLUMNS), dtype=float)
    low, high = bounds_of(plan.axes["gain"])
    rows, gate = [], keep_gate_of(CELLS[cell])
    for other in np.linspace(*bounds_of(plan.axes[plan.y]), 2 if plan.y == "steps" else 101):
        here = found
        if plan.y == "keep_bias" and gate is not None and gate[0] in found.biases:
            here = found._replace(biases=found.biases | {gate[0]: gate[1] * float(other)})
        gain = _critical(cell, here)
        if gain is not None and low <= gain <= high:
            rows.append((gain, float(other)))
    return pd.DataFrame(rows, columns=list(BORDER_COLUMNS), dtype=float)


def bounds_of(values: tuple[Any, ...] | ndarray) -> tuple[float, float]:
    """The lowest and the highest of an axis's numbers."""
    return float(min(values)), float(max(values))


def _values(name: str, size: int) -> tuple[Any, ...]:
    match name:
        case "gain":
            return tuple(round(float(value), 6) for value in np.linspace(*GAINS, size))
        case "keep_bias":
            return tuple(round(float(value), 6) for value in np.linspace(*BIASES, size))
        case "steps":
            return tuple(dict.fromkeys(int(value) for value in np.linspace(*STEPS, size).round()))
        case "depth":
            return tuple(range(1, int(bounds("depth")[1]) + 1))
    return tuple(choices(name))


def place_of(settings: Experiment, plan: Plan) -> tuple[Any, Any] | None:
    """Where the present network lies on a map; None where that is beyond it. A bias that the initialization draws
    counts as its mean over the units."""
    values = []
    for name in (plan.x, plan.y):
        value = getattr(settings, name)
        if name == "keep_bias" and value is None:
            gate = keep_gate_of(CELLS[settings.cell])
            assert gate is not None
            layer = settings.network("float64").layers[0]
            drawn = (layer.b_W + layer.b_U)[gate_rows(settings.cell, gate[0], settings.hidden_size)]
            value = gate[1] * round(float(drawn.mean()), 3)
        axis = plan.axes[name]
        if value not in axis if isinstance(value, str) else not axis[0] <= value <= axis[-1]:
            return None
        values.append(value)
    return values[0], values[1]
