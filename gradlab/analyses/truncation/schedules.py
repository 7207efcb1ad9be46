"""Truncated back-propagation as a schedule: which pairs receive gradient, what share that is, and what it saves.

    full       one back-propagation over all T steps
    chunks     the sequence in chunks of k2 steps: the state is carried on, the gradient is cut (`detach`)
    windows    every k1 steps the losses of the last k1 steps go back over the last k2 ≥ k1 steps
               (Williams & Peng 1990, BPTT(k2; k1)); with k1 = k2 these are the chunks, but for a last, shorter one

A schedule is a list of spans: the losses at steps first_loss … end-1 reach the states at steps first … end-1 and none
before. Within a span nothing is changed, so a pair (t', t) has its full gradient or none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.analyses.batch import of_batch
from gradlab.analyses.itemised import Pairs, with_rows
from gradlab.analyses.problem import SIZES_TO_LOWER, Need, Problem, analysis, sizes, without_loss
from gradlab.cells import CELLS
from gradlab.engine import Size
from gradlab.network.arrays import ArrayLike
from gradlab.network.stack import Stack
from gradlab.settings.catalogue import TRUNCATIONS
from gradlab.settings.conflicts import stride, window
from gradlab.settings.experiment import Experiment
from gradlab.settings.subject import Subject

COST_COLUMNS = ("k1", "k2", "stored_steps", "bytes", "multiply_adds", "share_of_bytes", "share_of_multiply_adds")
SHARE_COLUMNS = ("lag", "share", "kept", "kept_min", "kept_max")
BEYOND_COLUMNS = ("cell", "window", "lost", "lost_min", "lost_max")
OUTLINE_COLUMNS = ("loss_step", "first")


class Span(NamedTuple):
    """Losses at steps first_loss … end-1 go back over the states of steps first … end-1."""

    first: int
    first_loss: int
    end: int


class Schedule(NamedTuple):
    """One way to truncate, over any number of steps; `k2` is ignored where `kind` is full, `k1` but for windows."""

    kind: str
    k1: int = 1
    k2: int = 1

    @classmethod
    def of(cls, experiment: Experiment) -> Schedule:
        """The truncation that an Experiment names."""
        return cls(experiment.truncation, stride(experiment), window(experiment))

    def spans(self, steps: int) -> list[Span]:
        """Every back-propagation of the schedule, in order. Raises ValueError for a schedule that does not fit."""
        self._check(steps)
        if self.kind == "full":
            return [Span(0, 0, steps)]
        if self.kind == "chunks":
            return [Span(first, first, min(first + self.k2, steps)) for first in range(0, steps, self.k2)]
        ends = [(first, min(first + self.k1, steps)) for first in range(0, steps, self.k1)]
        return [Span(max(end - self.k2, 0), first, end) for first, end in ends]

    def of_length(self, k2: int) -> Schedule:
        """The same kind and ratio k1 : k2 with another length; of a full one, windows half their length apart."""
        often = 0.5 if self.kind == "full" else self.k1 / self.k2
        return Schedule("chunks" if self.kind == "chunks" else "windows", max(1, round(often * k2)), k2)

    @property
    def in_lowest_terms(self) -> Schedule:
        """The shortest of the same kind and ratio k1 : k2."""
        common = math.gcd(self.k1, self.k2)
        return self._replace(k1=self.k1 // common, k2=self.k2 // common)

    def first_states(self, steps: int) -> ndarray:
        """For each loss step, the earliest state that its gradient reaches, [T]."""
        first = np.empty(steps, np.int64)
        for span in self.spans(steps):
            first[span.first_loss : span.end] = span.first
        return first

    def outline(self, steps: int) -> pd.DataFrame:
        """The earliest state that each loss reaches, from corner to corner of the spans: columns `OUTLINE_COLUMNS`."""
        corners = [(step, span.first) for span in self.spans(steps) for step in (span.first_loss, span.end)]
        return pd.DataFrame(corners, columns=list(OUTLINE_COLUMNS))

    def _check(self, steps: int) -> None:
        if self.kind not in TRUNCATIONS:
            raise ValueError(f"kind = {self.kind!r} is not a truncation: use one of {', '.join(TRUNCATIONS)}")
        if self.kind != "full" and not 1 <= self.k2 <= steps:
            raise ValueError(f"k2 = {self.k2} is not a window of a sequence of {steps} steps: use 1 to {steps}")
        if self.kind == "windows" and not 1 <= self.k1 <= self.k2:
            raise ValueError(
                f"k1 = {self.k1} must be 1 to k2 = {self.k2}: losses before the window would reach no state"
            )


def with_window(subject: Subject) -> Subject:
    """The subject with many losses and a truncation: windows of the default lengths where it has none."""
    many = with_rows(subject)
    return many.replace(truncation="windows") if many.settings.truncation == "full" else many


def windows_of(schedule: Schedule, steps: int, most: int = 12) -> tuple[Schedule, ...]:
    """At most `most` + 1 windows up to the whole sequence, with k1 : k2 as in the schedule."""
    often = 1.0 if schedule.kind == "chunks" else schedule.k1 / schedule.k2
    strides = np.unique(np.geomspace(1, max(steps * often, 1), most).round().astype(int))
    lengths = {min(max(round(k1 / often), 1), steps): int(k1) for k1 in strides} | {steps: max(int(steps * often), 1)}
    return tuple(Schedule(schedule.kind, k1, k2) for k2, k1 in lengths.items())


def several(schedules: Sequence[Schedule]) -> Sequence[Schedule]:
    """The schedules. Raises ValueError for a single one, which Python would take for a sequence of its parts."""
    if isinstance(schedules, Schedule):
        raise ValueError(f"schedules = {schedules!r} is a single schedule: pass a list of schedules")
    return schedules


def receives(schedule: Schedule, steps: int) -> ndarray:
    """Which pairs receive gradient, [T, T]: True at (t', t) where the loss at t' reaches the state at t."""
    step = np.arange(steps)
    return (step >= schedule.first_states(steps)[:, None]) & (step <= step[:, None])


def _need(problem: Problem, schedules: Sequence[Schedule] = (), steps: int | None = None) -> Need:
    """Sizes alone are counted."""
    return Need(0, sizes(problem.size), SIZES_TO_LOWER)


@analysis(_need, reads=("network", "sequence", "dtype"), only_plain=False)
def cost(
    subject: Subject | Stack | Problem,
    inputs: ArrayLike | None = None,
    *,
    schedules: Sequence[Schedule],
    steps: int | None = None,
    sequences: int = 1,
) -> pd.DataFrame:
    """Memory and work by count, columns `COST_COLUMNS`; shares are of full back-propagation.

    inputs              as `gradlab.trace` takes them, or an Experiment alone
    steps, sequences    of a Stack, in place of inputs
    stored_steps        the most steps whose values wait for a back-propagation at one time: the longest span
    bytes               of those values: the states and what each cell keeps, of every layer and sequence
    multiply_adds       of the matrix products: one forward pass over T steps, and for every step of every span the
                        adjoint's product and the outer product of the parameter gradient
    """
    if isinstance(subject, Stack) and steps is not None:
        kept = subject.cell, subject.depth, subject.hidden_size, subject.input_size
        size = Size(*kept, steps, sequences, sequences, subject.dtype.name)
    else:
        size = without_loss(subject, inputs).size
    cell, H = CELLS[size.cell], size.hidden_size
    item = np.dtype(size.dtype).itemsize
    a_step = size.sequences * size.depth * H * (len(cell.states) + len(cell.saved)) * item
    rows = len(cell.pre_activations) * H
    into = rows * size.input_size  # weights of the lowest layer's W
    weights = size.sequences * (into + rows * H * (2 * size.depth - 1))
    back = 2 * weights - size.sequences * into  # nothing goes back to the inputs

    def counted(schedule: Schedule) -> tuple[int, int, int]:
        lengths = [span.end - span.first for span in schedule.spans(size.steps)]
        return max(lengths), max(lengths) * a_step, size.steps * weights + sum(lengths) * back

    _, full_bytes, full_work = counted(Schedule("full"))
    table = []
    for schedule in several(schedules):
        stored, held, work = counted(schedule)
        table.append((schedule.k1, schedule.k2, stored, held, work, held / full_bytes, work / full_work))
    return pd.DataFrame(table, columns=list(COST_COLUMNS))


def share_by_lag(pairs: Pairs, layer: int = 0, state: str = "h") -> pd.DataFrame:
    """How much of all gradient that reaches a layer's states came from each lag, columns `SHARE_COLUMNS`.

    lag          t' - t of a pair
    share        Σ ‖∂ℓ_{t'}/∂s_t‖ over the pairs of that lag, as a share of the sum over all pairs; mean over the
                 sequences in which the sum is neither zero nor undefined
    kept         the shares of all lags up to this one: what a window of lag + 1 steps behind each loss keeps, and its
                 range over the same sequences

    Norms are summed, so parts that would cancel are counted in full. NaN where a pass was not finite.
    """
    norms = pairs.norms(layer, state)  # [K, T, B]
    sizes = _sizes(norms)
    by_lag = np.zeros(norms.shape[1:])  # [lag, B]
    for loss_step, row in zip(pairs.loss_steps, sizes, strict=True):
        by_lag[: loss_step + 1] += row[loss_step::-1]
    by_lag = by_lag[: pairs.loss_steps.max(initial=0) + 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = by_lag / by_lag.sum(axis=0)
    kept = share.cumsum(axis=0)
    columns = (np.arange(len(share)), of_batch(share).mean, *of_batch(kept)[:3])
    return pd.DataFrame(dict(zip(SHARE_COLUMNS, columns, strict=True)))


def beyond(pairs: Pairs, layer: int = 0, state: str = "h") -> pd.DataFrame:
    """The share of all gradient reaching a layer's states that windows lose, columns `BEYOND_COLUMNS`.

    window              K: a loss reaches back over its own step and K - 1 before
    lost, _min, _max    1 - kept of `share_by_lag`; mean and range over the batch
    state               of a cell that does not have it, h
    """
    lags = share_by_lag(pairs, layer, state)
    names = {"lost": "kept", "lost_min": "kept_max", "lost_max": "kept_min"}
    shares = {name: (1 - lags[column]).clip(lower=0) for name, column in names.items()}
    return pd.DataFrame({"cell": pairs.cell, "window": lags["lag"] + 1} | shares)


def kept_by(pairs: Pairs, schedule: Schedule, layer: int = 0, state: str = "h") -> ndarray:
    """The share of all gradient reaching a layer's states that a schedule keeps, of each sequence, [B]."""
    norms = pairs.norms(layer, state)
    inside = receives(schedule, norms.shape[1])[pairs.loss_steps]
    sizes = _sizes(norms)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (sizes * inside[:, :, None]).sum(axis=(0, 1)) / sizes.sum(axis=(0, 1))


def _sizes(log10_norms: ndarray) -> ndarray:
    """Norms [K, T, B] relative to each sequence's largest, whatever their size; zeros where all of them are."""
    largest = log10_norms.max(axis=(0, 1), initial=-np.inf)
    with np.errstate(invalid="ignore"):
        return 10.0 ** (log10_norms - np.where(np.isneginf(largest), 0, largest))
