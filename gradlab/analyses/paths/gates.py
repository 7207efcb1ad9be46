"""What the gates do: over all units, step by step; and one sequence under the microscope, unit by unit.

A gate is a σ (the cell's `gates`), saturated below 0.1 or above 0.9 (`gradlab.cells.SATURATED`). Candidates have
statistics too, but no such bounds.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.analyses.arguments import sparse, whole_number
from gradlab.analyses.memory import TABLE_ROW, dense_bytes, item_of, kept_bytes, values_bytes
from gradlab.analyses.paths.run import forward, starts
from gradlab.analyses.problem import SIZES_TO_LOWER, Need, Problem, analysis, problem_of, sizes, without_loss, work_of
from gradlab.cells import CELLS, SATURATED
from gradlab.cells.contract import Cell, additive_state, peepholes_of
from gradlab.engine import Progress, log10_norms, plan
from gradlab.engine.progress import part_of, silent
from gradlab.network.arrays import ArrayLike, StatesLike
from gradlab.network.stack import Stack
from gradlab.settings.inputs import vocabulary
from gradlab.settings.meant import knows_its_options
from gradlab.settings.subject import Subject
from gradlab.words.languages import _

QUANTILES = {"q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95}
QUANTILE_WORK, MICROSCOPE_WORK = 1000, 3000  # multiply-adds a number
BLOCK_NUMBERS = 2**20  # of which statistics are taken at once: some tens of milliseconds
STATISTICS_COLUMNS = ("cell", "layer", "step", "lag", "gate", "mean", *QUANTILES, "saturated_low", "saturated_high")
UNITS_COLUMNS = ("cell", "layer", "sequence", "unit", "step", "lag", "quantity", "value")


def drawn_gates(cell: str) -> tuple[str, ...]:
    """The gates and candidates that a cell keeps of every step, in its own order."""
    one = CELLS[cell]
    weights = peepholes_of(one).values()
    return tuple(name for name in one.saved if name in {*one.gates, *one.pre_activations} - {*weights})


def _need_of_statistics(problem: Problem) -> Need:
    size = problem.size
    rows = size.depth * size.steps * len(drawn_gates(size.cell))
    planned, numbers = plan(size), rows * size.sequences * size.hidden_size
    peak = planned.bytes + values_bytes(size) + rows * TABLE_ROW
    work = work_of(planned) + QUANTILE_WORK * numbers
    return Need(peak, _("all states and gates of {sizes}").format(sizes=sizes(size)), SIZES_TO_LOWER, work)


@analysis(_need_of_statistics, reads=("network", "sequence", "numerics"))
def gate_statistics(
    subject: Subject | Stack | Problem,
    inputs: ArrayLike | None = None,
    cotangents: ArrayLike | None = None,
    initial_state: StatesLike | None = None,
    *,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Mean, quantiles and saturated shares of every gate over units and batch: one row per layer, gate and step.

    Columns `STATISTICS_COLUMNS`; saturated_low and _high are shares of units and sequences, NaN for candidates.
    Cells without gates give no rows. Arguments and errors as in `gradlab.trace`; cotangents change nothing.
    """
    problem = without_loss(subject, inputs, cotangents, initial_state)
    problem.refuse(_need_of_statistics(problem))
    cell, T = problem.cell, problem.size.steps
    names = drawn_gates(cell)
    if not names:
        return pd.DataFrame(columns=list(STATISTICS_COLUMNS))
    report = progress or silent
    sweep = forward(problem, slice(None), problem.size.sequences, part_of(report, 0, 0.2))
    _states, saved = sweep.values(part_of(report, 0.2, 0.3))
    parts = []
    for layer in range(problem.size.depth):
        for name in names:
            values, gated = saved[layer, :, :, CELLS[cell].saved.index(name)], name in CELLS[cell].gates
            columns = {"cell": cell, "layer": layer, "step": np.arange(T), "lag": T - 1 - np.arange(T), "gate": name}
            share = len(parts) / (problem.size.depth * len(names)), 1 / (problem.size.depth * len(names))
            columns |= _statistics(values, part_of(report, 0.3 + 0.7 * share[0], 0.3 + 0.7 * sum(share)))
            if not gated:
                columns |= {"saturated_low": np.nan, "saturated_high": np.nan}
            parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)[list(STATISTICS_COLUMNS)]


def _statistics(values: ndarray, progress: Progress) -> dict[str, ndarray]:
    """Mean, quantiles and saturated shares of values [T, B, H] at every step, some steps at a time."""
    T, low, high = len(values), *SATURATED
    found = {name: np.empty(T) for name in ("mean", *QUANTILES, "saturated_low", "saturated_high")}
    block = max(1, BLOCK_NUMBERS // values[0].size)
    for first in range(0, T, block):
        progress(first / T)
        some, steps = values[first : first + block], slice(first, first + block)
        some = some.reshape(len(some), -1)
        for name, quantile in zip(QUANTILES, np.quantile(some, [*QUANTILES.values()], axis=1), strict=True):
            found[name][steps] = quantile
        found["mean"][steps] = some.mean(axis=1)
        found["saturated_low"][steps], found["saturated_high"][steps] = (
            (some < low).mean(axis=1), (some > high).mean(axis=1),
        )  # fmt: skip
    return found


class Microscope(NamedTuple):
    """Every unit of one layer over one sequence."""

    cell: str
    layer: int
    sequence: int
    values: dict[str, ndarray]  # quantity → [T, H]

    def __repr__(self) -> str:
        steps, units = next(iter(self.values.values())).shape
        return f"Microscope({self.cell}, layer {self.layer}, sequence {self.sequence}, {units} units, {steps} steps)"

    @property
    def half_life(self) -> ndarray:
        """Steps in which a unit's direct path halves, from the geometric mean of its factor over the steps, [H].

        Infinite where nothing is lost, 0 where nothing is kept, negative where the direct path grows.
        """
        with np.errstate(divide="ignore"):
            return np.where(np.isneginf(self._kept()), 0.0, 1 / (0.0 - self._kept()))

    @property
    def units(self) -> pd.DataFrame:
        """One row per unit, longest memory first: unit, rank, half_life, and each gate's mean and saturated share."""
        order = np.lexsort((np.arange(len(self.half_life)), -self._kept()))
        columns = {"unit": order, "rank": np.arange(len(order)), "half_life": self.half_life[order]}
        for name, values in self.values.items():
            if name in CELLS[self.cell].gates:
                outside = (values < SATURATED[0]) | (values > SATURATED[1])
                columns |= {
                    f"{name}_mean": values.mean(axis=0)[order],
                    f"{name}_saturated": outside.mean(axis=0)[order],
                }
        return pd.DataFrame(columns)

    @property
    def by_memory(self) -> tuple[int, ...]:
        """The units, that of the longest memory first."""
        return tuple(self.units["unit"].tolist())

    @property
    def longest(self) -> int:
        """The unit of the longest memory."""
        return self.by_memory[0]

    def _kept(self) -> ndarray:
        """Mean log2 of the direct path's factor, [H]."""
        with np.errstate(divide="ignore"):
            return np.log2(np.abs(self.values["direct factor"])).mean(axis=0)

    @property
    def table(self) -> pd.DataFrame:
        """Tidy: one row per quantity, unit and step, columns `UNITS_COLUMNS`."""
        return unit_values(self, list(self.values))

    @property
    def panels(self) -> dict[str, tuple[str, ...]]:
        """The quantities that share an axis: the states, the gates with the direct factor, the gradient."""
        states = CELLS[self.cell].states
        gates = tuple(name for name in self.values if name not in (*states, "log10 gradient"))
        return {"state": states, "gates": gates, "log10 |∂L/∂s|": ("log10 gradient",)}


@knows_its_options
def unit_values(scope: Microscope, quantities: Sequence[str], unit: int | None = None) -> pd.DataFrame:
    """The rows of `scope.table` of some quantities, of all units or of one; no others are made.

    Raises ValueError for a quantity or a unit that is not there.
    """
    for name in quantities:
        if name not in scope.values:
            raise ValueError(f"quantity {name!r} is not there: use {', '.join(scope.values)}")
    T, H = next(iter(scope.values.values())).shape
    units = np.arange(H) if unit is None else np.array([whole_number("unit", unit, 0, H - 1)])
    of, step = np.tile(units, T), np.repeat(np.arange(T), len(units))
    named = {"cell": scope.cell, "layer": scope.layer, "sequence": scope.sequence}
    parts = [
        pd.DataFrame(
            named
            | {"unit": of, "step": step, "lag": T - 1 - step, "quantity": name}
            | {"value": scope.values[name][:, units].ravel()}
        )
        for name in quantities
    ]
    return pd.concat(parts, ignore_index=True)[list(UNITS_COLUMNS)]


def _need_of_letters(problem: Problem, sequence: int = 0) -> Need:
    size = problem.size
    drawn = 8 * size.steps * (1.3 * size.sequences * size.input_size)
    return Need(
        int(drawn),
        _("the input of {sizes}").format(sizes=sizes(size)),
        SIZES_TO_LOWER,
        size.steps * size.sequences * size.input_size,
    )


@analysis(_need_of_letters, reads=("sequence", "numerics", "input_size"))
def letters(
    subject: Subject | Stack | Problem, inputs: ArrayLike | None = None, *, sequence: int = 0
) -> pd.Series | None:
    """The characters that a sequence reads, by step; a space where it reads none. None where the input is no text."""
    problem = without_loss(subject, inputs)
    settings = problem.settings
    if settings is None or settings.inputs != "text":
        return None
    read = problem.inputs[:, whole_number("sequence", sequence, 0, problem.size.sequences - 1)]
    known = np.array([*vocabulary(settings.text), " "], object)  # numpy's own texts drop a NUL
    return pd.Series(known[np.where(read.any(axis=1), read.argmax(axis=1), len(known) - 1)])


def _need_of_sequence(problem: Problem, layer: int = 0, sequence: int = 0) -> Need:
    size = problem.size._replace(sequences=1, rows=1)
    of_layer = item_of(size) * size.steps * size.hidden_size
    planned, cell = plan(size), CELLS[size.cell]
    made = values_bytes(size) + kept_bytes(size, len(cell.states)) + dense_bytes(problem.size) + 10 * of_layer
    work = work_of(planned) + MICROSCOPE_WORK * size.steps * size.hidden_size
    return Need(
        planned.bytes + made, _("all units of one sequence: {sizes}").format(sizes=sizes(size)), SIZES_TO_LOWER, work
    )


@analysis(_need_of_sequence)
def microscope(
    subject: Subject | Stack | Problem,
    inputs: ArrayLike | None = None,
    cotangents: ArrayLike | None = None,
    initial_state: StatesLike | None = None,
    *,
    layer: int = 0,
    sequence: int = 0,
    progress: Progress | None = None,
) -> Microscope:
    """All units of a layer over one sequence: states, gates, direct-path factor and gradient at every step.

    The quantities are the cell's states (h, c, …) after the step, its gates and candidate by name, and

        direct factor     ∂s'/∂s of the additive state s (c, else h) along the direct path of that step: f, z, …
        log10 gradient    log10 |∂L/∂s_t| of the unit's own additive state, -inf where it is exactly zero

    Other arguments and errors as in `gradlab.trace`; ValueError for a layer or sequence that is not there.
    """
    problem = problem_of(subject, inputs, cotangents, initial_state)
    problem.refuse(_need_of_sequence(problem))
    layer = whole_number("layer", layer, 0, problem.size.depth - 1)
    sequence = whole_number("sequence", sequence, 0, problem.size.sequences - 1)
    stack, cell = problem.stack, CELLS[problem.cell]
    own = slice(sequence, sequence + 1)
    report = progress or silent
    sweep = forward(problem, own, 1, part_of(report, 0, 0.2))
    states, saved = (values[layer, :, 0] for values in sweep.values(part_of(report, 0.2, 0.3)))
    loss, of_adjoint = sparse(problem.cotangents[:, own]), part_of(report, 0.3, 0.8)
    adjoints = sweep.adjoint(loss, keep=("totals",), progress=of_adjoint).adjoints[layer]
    before = np.concatenate([starts(problem)[layer, sequence][None], states[:-1]])
    values = {state: states[:, kind] for kind, state in enumerate(cell.states)}
    values |= {name: saved[:, cell.saved.index(name)] for name in drawn_gates(stack.cell)}
    values["direct factor"] = direct_factor(cell, saved, before, states)
    values["log10 gradient"] = log10_norms(adjoints.totals[:, 0, additive_state(cell), :, None], adjoints.exponents)
    return Microscope(stack.cell, layer, sequence, values)


def direct_factor(cell: Cell, saved: ndarray, before: ndarray, after: ndarray) -> ndarray:
    """∂s'/∂s along the direct path, [T, H]; saved [T, V, H], states before and after the steps [T, S, H]."""
    record = cell.record
    old, new = (record(*values.swapaxes(0, 1)) for values in (before, after))
    place = additive_state(cell)
    seed = record(*(np.full_like(value, kind == place) for kind, value in enumerate(new)))
    with np.errstate(invalid="ignore"):  # NaN from where the forward pass overflowed
        return cell.adjoint(tuple(saved.swapaxes(0, 1)), old, new, seed)[2][place]
