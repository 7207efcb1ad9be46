"""How one injection's gradient goes back: straight lines through its log10 norms, one for each sequence.

Norms are counted in steps back from the sequence's last loss, where the injection itself is at 0. A line is fitted to
the last three quarters of the way, since in the first quarter directions have not settled yet; its slope is the rate.

How well a rate is known cannot be read from the scatter about the line as if its points were independent: a norm is a
product, so what one step adds stays in all that follow. The way is therefore cut into up to 8 blocks, whose own slopes
share next to nothing, and the interval is Student's, at 95 %, from their standard deviation (the method of batch means,
Law & Carson 1979).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from gradlab.analyses.batch import of_batch
from gradlab.analyses.spans import Spans

FITTED_FROM = 0.25  # of the way back
FEWEST_POINTS = 3  # two points always lie on a line
BLOCKS = 8
STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365)  # 97.5 % quantiles of t by degrees of freedom, from 1
ROUNDING = 1e-12  # a change that is no larger, relative to the norms' own size, is none


class Lines(NamedTuple):
    """A line for each sequence, NaN where there are too few points. Arrays [B], in decades and steps."""

    slope: ndarray  # decades per step back: negative where the gradient shrinks
    half_width: ndarray  # of the slope's 95 % interval
    intercept: ndarray  # the line at the loss
    first: ndarray  # steps back of the first point fitted, -1 where there is none
    last: ndarray  # and of the last one
    points: ndarray
    rms_residual: ndarray  # root mean square distance of the norms from the line


class Line(NamedTuple):
    """The mean of the lines of some sequences; NaN and 0 sequences where none of them has one."""

    slope: float
    half_width: float
    intercept: float
    first: int  # the earliest of the steps back at which a line begins
    last: int  # the latest at which one ends
    rms_residual: float  # over all sequences and points, each from its own line
    sequences: int


@dataclass(frozen=True, eq=False)
class Way:
    """One layer's and state's norms on their way back from each sequence's last loss."""

    norms: ndarray  # [K+1, B] log10, by steps back; NaN where undefined, and beyond a sequence's first step
    length: ndarray  # [B] steps from the last loss to step 0; -1 without a loss

    @cached_property
    def at_start(self) -> ndarray:
        """log10 norms at step 0, [B]; -inf where exactly zero, as in a sequence without a loss."""
        found = self.norms[np.maximum(self.length, 0), np.arange(len(self.length))]
        return np.where(self.length < 0, -np.inf, found)

    @cached_property
    def within(self) -> ndarray:
        """Which entries belong to a sequence's way, [K+1, B]."""
        return np.arange(len(self.norms))[:, None] <= self.length

    @cached_property
    def undefined(self) -> ndarray:
        """Whether some norm is not finite because a pass was not, [B]."""
        return np.any(np.isnan(self.norms) & self.within, axis=0)

    @cached_property
    def zero_from(self) -> ndarray:
        """Steps back from which on the gradient is exactly zero up to step 0, [B]; length + 1 where it is not there."""
        return first_of_the_rest(np.isneginf(self.norms), self.length)

    @cached_property
    def alive(self) -> ndarray:
        """Whether a gradient arrives at step 0, [B]: it is neither exactly zero nor undefined."""
        return (self.length >= 0) & ~self.undefined & ~np.isneginf(self.at_start)

    @cached_property
    def mean(self) -> ndarray:
        """log10 norms by steps back, [K+1]: their mean over the sequences alive, else over all that have a loss; NaN
        where none has."""
        chosen = self.alive if self.alive.any() else self.length >= 0
        if not chosen.any():
            return np.full(len(self.norms), np.nan)
        return of_batch(np.where(self.within, self.norms, np.nan)[:, chosen], self.within[:, chosen]).mean

    @cached_property
    def lines(self) -> Lines:
        """The lines of all sequences; none where the gradient is undefined."""
        return fitted(self.norms, self.within & ~self.undefined, self.length)

    def line(self) -> Line:
        """The mean line of the sequences alive; where there are none, of all."""
        line = mean_of(self.norms, self.lines, self.alive)
        return line if line.sequences or self.alive.any() else mean_of(self.norms, self.lines, ~self.undefined)


def way_back(norms: ndarray, last_loss: ndarray, spans: Spans | None = None) -> Way:
    """log10 norms [T, B] by step, by steps back from each sequence's last loss (-1: none); or from each span's to where
    that begins."""
    steps = len(norms)
    if spans is not None and not spans.are_sequences:
        length = np.where(last_loss < 0, -1, last_loss - spans.begin)
        at = last_loss[None] - np.arange(max(int(length.max(initial=0)), 0) + 1)[:, None]
        of_spans = norms[np.clip(at, 0, steps - 1), spans.sequence[None]]
        return Way(np.where(at >= spans.begin, of_spans, np.nan), length)
    longest = int(last_loss.max(initial=-1))
    if (last_loss == longest).all() and longest >= 0:
        return Way(norms[longest::-1], last_loss)
    at = last_loss[None] - np.arange(max(longest, 0) + 1)[:, None]
    found = np.take_along_axis(norms, np.clip(at, 0, steps - 1), axis=0)
    return Way(np.where(at >= 0, found, np.nan), last_loss)


def first_of_the_rest(holds: ndarray, length: ndarray) -> ndarray:
    """The row from which on a condition [K+1, B] holds up to row `length` of its column; length + 1 where it does not
    hold there."""
    rows = np.arange(len(holds))[:, None]
    fails = ~holds & (rows <= length)
    return np.where(fails, rows + 1, 0).max(axis=0, initial=0)


def fitted(norms: ndarray, within: ndarray, length: ndarray) -> Lines:
    """Lines through finite norms [K+1, B]: the last three quarters of the way, all where those are too few."""
    rows = np.arange(len(norms))[:, None]
    finite = np.isfinite(norms) & within
    settled = finite & (rows >= FITTED_FROM * length)
    chosen = np.where(settled.sum(axis=0) >= FEWEST_POINTS, settled, finite)
    sequences = norms.shape[1]
    slope, half, intercept, rms = (np.full(sequences, np.nan) for _ in range(4))
    first, last = np.full(sequences, -1), np.full(sequences, -1)
    for columns in _alike(chosen):
        x = np.flatnonzero(chosen[:, columns[0]])
        if len(x):
            first[columns], last[columns] = x[0], x[-1]
        if len(x) < FEWEST_POINTS:
            continue
        y = norms[np.ix_(x, columns)]
        slope[columns], intercept[columns] = least_squares(x, y)
        rms[columns] = np.sqrt(np.mean((y - slope[columns] * x[:, None] - intercept[columns]) ** 2, axis=0))
        half[columns] = half_width(_block_slopes(x, y))
    return Lines(slope, half, intercept, first, last, chosen.sum(axis=0), rms)


def mean_of(norms: ndarray, lines: Lines, chosen: ndarray) -> Line:
    """The mean line of the chosen sequences [B] that have one; its interval is that of their blocks' mean slopes."""
    chosen = np.flatnonzero(chosen & np.isfinite(lines.slope))
    if not len(chosen):
        return Line(np.nan, np.nan, np.nan, -1, -1, np.nan, 0)
    count = min(BLOCKS, int(lines.points[chosen].min()) - 1)
    slopes = np.empty((count, len(chosen)))
    for number, sequence in enumerate(chosen):
        values = norms[:, sequence]
        rows = np.arange(int(lines.first[sequence]), int(lines.last[sequence]) + 1)
        x = rows[np.isfinite(values[rows])]
        slopes[:, number] = _block_slopes(x, values[x, None], count)[:, 0]
    points = lines.points[chosen]
    return Line(
        float(lines.slope[chosen].mean()),
        float(half_width(slopes.mean(axis=1, keepdims=True))[0]),
        float(lines.intercept[chosen].mean()),
        int(lines.first[chosen].min()),
        int(lines.last[chosen].max()),
        float(np.sqrt((lines.rms_residual[chosen] ** 2 * points).sum() / points.sum())),
        len(chosen),
    )


def half_width(slopes: ndarray) -> ndarray:
    """Half of the 95 % interval of the mean of independent slopes [m, …], m from 2 to 8."""
    blocks = len(slopes)
    return STUDENT[blocks - 2] * slopes.std(axis=0, ddof=1) / np.sqrt(blocks)


def _alike(chosen: ndarray) -> list[ndarray]:
    """The columns of a mask, those that are equal together."""
    if (chosen == chosen[:, :1]).all():
        return [np.arange(chosen.shape[1])]
    _, groups = np.unique(chosen, axis=1, return_inverse=True)
    groups = groups.reshape(-1)
    return [np.flatnonzero(groups == group) for group in range(groups.max() + 1)]


def least_squares(x: ndarray, y: ndarray) -> tuple[ndarray, ndarray]:
    """Slopes and intercepts of lines through y [n, B] at x [n]; what changes by no more than rounding is constant."""
    centred = x - x.mean()
    slope = centred @ (y - y.mean(axis=0)) / (centred @ centred)
    slope[np.abs(slope) * np.ptp(x) < ROUNDING * np.maximum(1.0, np.abs(y).max(axis=0))] = 0.0
    return slope, y.mean(axis=0) - slope * x.mean()


def _block_slopes(x: ndarray, y: ndarray, count: int | None = None) -> ndarray:
    """What y [n, B] changes per step from end to end of up to 8 blocks of the points x [n], [m, B]."""
    edges = np.linspace(0, len(x) - 1, (count or min(BLOCKS, len(x) - 1)) + 1).round().astype(int)
    change = np.diff(y[edges], axis=0)
    change[np.abs(change) < ROUNDING * np.maximum(1.0, np.abs(y).max(axis=0))] = 0.0
    return change / np.diff(x[edges])[:, None]
