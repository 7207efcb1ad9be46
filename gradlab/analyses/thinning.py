"""Fewer rows for the screen, without losing what a reader would see: extremes, spikes, ends of what is finite.

Tables are tidy: one row per step and line. A line is one value of the columns `by` (those of them that the table has).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.analyses.parts import Part, as_parts, first_and_last, joined, lines_in, together
from gradlab.cells import KNOWN
from gradlab.settings.pins import NOW

LINE = ("pin", "cell", "layer", "state", "path")
NORMS = (
    "log10_norm",
    "log10_norm_min",
    "log10_norm_max",
    "log10_relative",
    "log10_relative_min",
    "log10_relative_max",
)


NAMED_AT = (0.35, 0.45, 0.55, 0.65)  # shares of the longest lag: where lines of pins may be named
ENOUGH = 0.15  # share of the drawn range that a name beside a line takes at most
PAIR_BINS = ("loss_step", "loss_step_end", "step", "step_end", "log10_norm")
POINTS_ON_SCREEN, POINTS_TAKEN = 3000, 400_000  # of all lines of a picture: more make a slider slow, a PNG take 10 s
BINS_ON_SCREEN, CELLS_TAKEN = 512, 100_000  # steps of a line of a map; all cells of a map that leaves the screen


Rows = pd.DataFrame | Sequence[Part]  # of one tidy table


class Reduction(Protocol):
    """Fewer rows of a table, for the screen or for a picture that leaves it; frozen, so that it is part of a key.

    Of a table in parts none is made before it is reduced, one after the other, where a part is a line.
    """

    def on_screen(self, rows: Rows) -> pd.DataFrame: ...

    def taken(self, rows: Rows) -> pd.DataFrame: ...


@dataclass(frozen=True)
class AllRows:
    """Every row: small tables, and charts that count for themselves."""

    def on_screen(self, rows: Rows) -> pd.DataFrame:
        return together(rows)

    taken = on_screen


@dataclass(frozen=True)
class Lines:
    """`thin`, with so many points of all lines together."""

    columns: tuple[str, ...] = NORMS
    by: tuple[str, ...] = LINE
    x: str = "step"
    points: int = POINTS_ON_SCREEN

    def on_screen(self, rows: Rows) -> pd.DataFrame:
        return self._thinned(rows, self.points)

    def taken(self, rows: Rows) -> pd.DataFrame:
        return self._thinned(rows, POINTS_TAKEN)

    def _thinned(self, rows: Rows, points: int) -> pd.DataFrame:
        parts = as_parts(rows)
        if parts and self.x == "step" and lines_in(parts, self.by):
            each, span = max(points // len(parts), 100), first_and_last(parts)
            return joined(part.completed(thin(part.make(), each, self.x, self.columns, (), span)) for part in parts)
        table = together(parts)
        by = [name for name in self.by if name in table]
        lines = [line for _, line in table.groupby(by, sort=False, dropna=False)] if by and len(table) else [table]
        each, span = max(points // len(lines), 100), (table[self.x].min(), table[self.x].max())
        return joined(thin(line, each, self.x, self.columns, (), span) for line in lines)


@dataclass(frozen=True)
class StepBins:
    """`bin_steps`, for heat maps."""

    values: tuple[str, ...] = ("log10_norm", "log10_relative")
    by: tuple[str, ...] = LINE

    def on_screen(self, rows: Rows) -> pd.DataFrame:
        return self._binned(rows, BINS_ON_SCREEN, BINS_ON_SCREEN)

    def taken(self, rows: Rows) -> pd.DataFrame:
        return self._binned(rows, CELLS_TAKEN)

    def _binned(self, rows: Rows, cells: int, a_line: int | None = None) -> pd.DataFrame:
        """So many cells of all lines together, or of each."""
        parts = as_parts(rows)
        if not (parts and lines_in(parts, self.by)):
            table = together(parts)
            return bin_steps(table, a_line or cells // max(count_lines(table, self.by), 1), self.values, self.by)
        each, span = a_line or cells // len(parts), first_and_last(parts)
        return joined(self._line(part, bin_steps(part.make(), each, self.values, (), span)) for part in parts)

    def _line(self, part: Part, binned: pd.DataFrame) -> pd.DataFrame:
        line = {name: part.same[name] for name in self.by if name in part.columns}
        return binned.assign(**line)[[*line, *binned]]


@dataclass(frozen=True)
class EvenSteps:
    """Every line at the same, evenly spaced steps and at the first one: for stacked pictures."""

    steps: int = 400

    def on_screen(self, rows: Rows) -> pd.DataFrame:
        return self._spaced(together(rows), self.steps)

    def taken(self, rows: Rows) -> pd.DataFrame:
        table = together(rows)
        return self._spaced(table, POINTS_TAKEN // max(count_lines(table), 1))

    def _spaced(self, rows: pd.DataFrame, steps: int) -> pd.DataFrame:
        if rows.empty:
            return rows
        every = -(-(int(rows["lag"].max()) + 1) // steps)
        return rows[(rows["lag"] % every == 0) | (rows["step"] == 0)].reset_index(drop=True)


@dataclass(frozen=True)
class Wide:
    """A row per unit, in a given order, and a column per step, from the column `value`: for pictures of units."""

    units: tuple[int, ...]

    def on_screen(self, rows: Rows) -> pd.DataFrame:
        return together(rows).pivot(index="unit", columns="step", values="value").loc[list(self.units)]

    taken = on_screen


@dataclass(frozen=True)
class Between:
    """Steps first … last alone, reduced further by another reduction."""

    first: int
    last: int
    then: Reduction

    def on_screen(self, rows: Rows) -> pd.DataFrame:
        return self.then.on_screen(self._within(rows))

    def taken(self, rows: Rows) -> pd.DataFrame:
        return self.then.taken(self._within(rows))

    def _within(self, rows: Rows) -> pd.DataFrame:
        table = together(rows)
        return table[table["step"].between(self.first, self.last)].reset_index(drop=True)


@dataclass(frozen=True)
class PairBins:
    """`bin_pairs`, for itemised matrices."""

    bins: int = 100

    def on_screen(self, rows: Rows) -> pd.DataFrame:
        parts = as_parts(rows)
        return bin_pairs(parts[0].make() if len(parts) == 1 else together(parts), self.bins)

    taken = on_screen


def count_lines(rows: pd.DataFrame, by: Sequence[str] = LINE) -> int:
    """How many lines a table has."""
    return len(rows[[name for name in by if name in rows]].drop_duplicates())


def thin(
    table: pd.DataFrame,
    points: int = 1000,
    x: str = "step",
    columns: Sequence[str] = NORMS,
    by: Sequence[str] = LINE,
    span: tuple[float, float] | None = None,
) -> pd.DataFrame:
    """At most `points` rows per line, besides boundaries: the rows that a chart of that width needs.

    A quarter of `points` goes to an even grid of steps, the same in every table of the same range, so that a hover
    finds all lines there. The rest goes to the smallest and the largest value of each of `columns` in buckets of steps.
    Kept are also the first and last row of each line, and both rows of every boundary between finite, zero (-inf) and
    undefined (NaN). Rows are returned unchanged, ordered by line and x; a table that is small enough is returned whole.

    span    the smallest and the largest x of all tables that are drawn together; those of this one if None

    Raises ValueError where `points` has no room for one bucket: fewer than 4 + 4·len(columns).
    """
    columns = [name for name in columns if name in table]
    if points < 4 + 4 * len(columns):
        raise ValueError(f"points = {points}: at least {4 + 4 * len(columns)} are needed for {len(columns)} columns")
    by = [name for name in by if name in table]
    line = _numbered(table, by)
    order = np.lexsort((table[x].to_numpy(), line))
    if (order[1:] > order[:-1]).all():  # as it is of a long trace: then nothing is copied
        order = slice(None)
    line, position = line[order], table[x].to_numpy(dtype=np.float64)[order]
    if not len(table) or np.bincount(line).max() <= points:
        return table.iloc[order].reset_index(drop=True)

    values = [table[name].to_numpy(dtype=np.float64)[order] for name in columns]
    least, most = span or (position.min(), position.max())
    share = (position - least) / (most - least)
    grid = points // 4
    even = _starts(line * (grid + 1) + (share * grid).astype(np.int64)) | _starts(line) | np.r_[_starts(line)[1:], True]
    # Smooth lines have their extremes at the edges of a bucket, so the worst case would leave most of the points
    # unused: begin with many buckets and take fewer until the fullest line fits.
    buckets, fewest = points // 2, (points - grid - 3) // (2 * len(columns)) if columns else 1
    while True:
        kept = even | _extremes(line * (buckets + 1) + (share * buckets).astype(np.int64), values)
        if buckets <= fewest or np.bincount(line[kept]).max() <= points:
            break
        buckets = max(fewest, buckets * 3 // 4)
    kept |= np.logical_or.reduce([_boundaries(line, value) for value in values] or [even])
    return table.iloc[np.arange(len(table))[order][kept]].reset_index(drop=True)


def _numbered(table: pd.DataFrame, by: Sequence[str]) -> ndarray:
    """The number of each row's line, [N], in the order in which they come; a line is one value of all columns `by`."""
    number = np.zeros(len(table), np.int64)
    for name in by:
        values, kinds = pd.factorize(table[name], use_na_sentinel=False)
        number, _ = pd.factorize(number * len(kinds) + values)
    return number


def _starts(group: ndarray) -> ndarray:
    """True at the first row of every group. group [N], ascending, or none."""
    return np.r_[True, group[1:] != group[:-1]][: len(group)]


def _boundaries(line: ndarray, value: ndarray) -> ndarray:
    """True on both sides of every change between finite, -inf, +inf and NaN within a line."""
    kind = np.select([np.isfinite(value), np.isnan(value), value > 0], [0, 1, 2], 3)
    change = (kind[1:] != kind[:-1]) & (line[1:] == line[:-1])
    return np.r_[False, change] | np.r_[change, False]


def _extremes(group: ndarray, values: Sequence[ndarray]) -> ndarray:
    """True at the first smallest and the first largest finite value of each column in every group.

    Infinite values are kept where they border on finite ones (`_boundaries`).
    """
    starts = np.flatnonzero(_starts(group))
    lengths = np.diff(np.r_[starts, len(group)])
    which = np.repeat(np.arange(len(starts)), lengths)
    chosen = np.zeros(len(group), dtype=bool)
    for value in values:
        value = np.where(np.isfinite(value), value, np.nan)
        for extreme in (np.fmin, np.fmax):  # fmin and fmax pass over NaN
            hits = np.flatnonzero(value == np.repeat(extreme.reduceat(value, starts), lengths))
            chosen[hits[_starts(which[hits])]] = True
    return chosen


def bin_steps(
    table: pd.DataFrame,
    columns: int = 512,
    values: Sequence[str] = ("log10_norm", "log10_relative"),
    by: Sequence[str] = LINE,
    span: tuple[int, int] | None = None,
) -> pd.DataFrame:
    """At most `columns` bins of equally many steps per line (the last bin may be short), for heat maps.

    Returns the columns `by` and
        step, step_end       first step of the bin and one past its last
        lag, lag_end         lags of the same two ends: `lag` is the bin's largest, `lag_end` one below its smallest
        each of `values`     mean of the finite log10 values in the bin; -inf where all of them are exactly zero,
                             NaN where none is finite otherwise
        exact_zeros          steps of the bin that are exactly zero (-inf) in the first of `values`
        not_finite           steps of the bin that are undefined (NaN or +inf) there

    span    the first and the last step of all tables that are drawn together; those of this one if None
    """
    if columns < 1:
        raise ValueError(f"columns = {columns}: at least 1 is needed")
    by = [name for name in by if name in table]
    values = [name for name in values if name in table]
    first, last = span or (int(table["step"].min()), int(table["step"].max())) if len(table) else (0, 0)
    size = -(-(last + 1 - first) // columns)
    work = table[[*by, "step", "lag"]].assign(bin=(table["step"] - first) // size)
    for name in values:
        work[name] = table[name].where(np.isfinite(table[name]))
    work["exact_zeros"] = np.isneginf(table[values[0]])
    work["not_finite"] = ~(np.isfinite(table[values[0]]) | work["exact_zeros"])
    for name in values:
        work[f"zeros {name}"] = np.isneginf(table[name])
    groups = work.groupby([*by, "bin"], sort=False, dropna=False)
    binned = groups.agg(
        step=("step", "min"),
        step_end=("step", "max"),
        lag=("lag", "max"),
        lag_end=("lag", "min"),
        **{name: (name, "mean") for name in values},
        exact_zeros=("exact_zeros", "sum"),
        not_finite=("not_finite", "sum"),
        **{f"zeros {name}": (f"zeros {name}", "all") for name in values},
    ).reset_index()
    for name in values:
        binned[name] = binned[name].mask(binned[f"zeros {name}"], -np.inf)
    binned["step_end"] += 1
    binned["lag_end"] -= 1
    return binned.drop(columns=["bin", *(f"zeros {name}" for name in values)])


def bin_pairs(table: pd.DataFrame, most: int = 100) -> pd.DataFrame:
    """One layer's and state's itemised matrix in at most `most` bins of loss steps and of steps, for a picture.

    table    every pair of every loss step that is a row: columns loss_step, step (from 0), log10_norm

    Columns loss_step, loss_step_end, step, step_end (first of a bin and one past its last) and log10_norm: the mean
    of the bin's finite pairs. Bins without any are left out. Where rows were chosen, a bin of loss steps reaches to
    the next one. Raises ValueError for a table of several layers or states.
    """
    loss_steps, row = np.unique(table["loss_step"].to_numpy(), return_inverse=True)
    step = table["step"].to_numpy()
    K, T = len(loss_steps), int(step.max(initial=-1)) + 1
    if len(table) != K * T:
        raise ValueError(f"{len(table)} pairs are not {K} loss steps × {T} steps: choose one cell, layer and state")
    norms = np.empty((K, T))
    norms[row, step] = table["log10_norm"].to_numpy()
    if not len(table):
        return pd.DataFrame({name: table[name.removesuffix("_end")].head(0) for name in PAIR_BINS})
    size = -(-T // most)
    starts, columns = np.arange(0, K, -(-K // most)), np.arange(0, T, size)
    counted = np.isfinite(norms)
    sums = np.add.reduceat(np.add.reduceat(np.where(counted, norms, 0), starts, axis=0), columns, axis=1)
    counts = np.add.reduceat(np.add.reduceat(counted.astype(np.int64), starts, axis=0), columns, axis=1)
    which, column = np.nonzero(counts)
    edges = np.append(loss_steps[starts], loss_steps[-1] + 1)
    return pd.DataFrame(
        {
            "loss_step": edges[which],
            "loss_step_end": edges[which + 1],
            "step": columns[column],
            "step_end": np.minimum(columns[column] + size, T),
            "log10_norm": sums[which, column] / counts[which, column],
        }
    )


def line_ends(
    table: pd.DataFrame, relative: bool = True, gap: float = 0.1, heights: Mapping[str, int] | None = None
) -> pd.DataFrame:
    """Where each line ends at its lowest step, and where its label may stand so that no two labels touch.

    Returns the lines' columns, `step`, `lag`, log10_relative or log10_norm (the line's first finite value) and
    `label_at`: that value moved up or down so that labels are at least `gap` of the drawn range apart, for each line of
    text: `heights` has the cells whose labels are of more lines than one. A line without any finite value is left out,
    and of compared tables a pin's.
    """
    column = _drawn(relative)
    table = table[table["pin"] == NOW].drop(columns="pin") if "pin" in table else table
    by = [name for name in LINE if name in table]
    finite = table[np.isfinite(table[column].to_numpy())]
    values, line = finite[column].to_numpy(), _numbered(finite, by)
    order = np.lexsort((finite["step"].to_numpy(), line))
    first = order[_starts(line[order])]
    ends = finite[[*by, "step", "lag", column]].iloc[first[np.argsort(-values[first], kind="stable")]]
    ends = ends.reset_index(drop=True)
    room = gap * max(float(np.ptp(values)), 2.0) if len(finite) else 0.0
    lines = ends["cell"].map(heights or {}).fillna(1).to_numpy(float) if "cell" in by else np.ones(len(ends))
    return ends.assign(label_at=_spread(ends[column].to_numpy(), room * lines))


def pin_names(table: pd.DataFrame, labels: Mapping[str, str], relative: bool = True, gap: float = 0.07) -> pd.DataFrame:
    """Where the pins of compared tables are named beside their lines, and how.

    labels    what is said of each pin, once: beside its uppermost line; the others have its name and the cell
    gap       distance below which two lines of a pin have one name, as a share of the drawn range

    Returns pin, lag, label, label_at (log10), above: on which side of its line it stands, left: whether the line leaves
    it room there to the left, and room: the share of the picture's width on that side. A line that is the present one's
    is not named, nor one without any finite value.
    """
    lines = _lines_of(table, _drawn(relative))
    values = np.concatenate([line.values for line in lines] or [[0.0]])
    longest, decades = float(table["lag"].max()), max(float(np.ptp(values)), 2.0)
    heights = {at: np.array([line.near(at * longest)[1] for line in lines]) for at in NAMED_AT}
    present = {line.cell: line for line in lines if line.pin == NOW}
    names: list[_Name] = []
    for pin in dict.fromkeys(line.pin for line in lines if line.pin != NOW):
        own = [line for line in lines if line.pin == pin and not line.is_same(present.get(line.cell))]
        for near in _beside_each_other(own, 0.5 * longest, gap * decades):
            places = [place for line in near for place in _places(line, longest, decades, heights)]
            cells = tuple(line.cell for line in near)
            names.append(max(places, key=lambda scored: scored[0])[1]._replace(cells=cells))
    compared = table.loc[table["pin"] == NOW, "cell"].nunique()
    several = compared > 1 or any(name.cells != names[0].cells for name in names)
    said: set[str] = set()
    rows = []
    for name in names:
        cells = f" {', '.join(KNOWN[cell].title for cell in name.cells)}" if several else ""
        text = "" if name.pin in said else f": {labels[name.pin]}"
        said.add(name.pin)
        rows.append((name.pin, name.lag, f"{name.pin}{cells}{text}", *name[3:]))
    return pd.DataFrame(rows, columns=["pin", "lag", "label", *_Name._fields[3:]])


class _Name(NamedTuple):
    """Where a pin's line, or several of them, is named."""

    pin: str
    cells: tuple[str, ...]
    lag: int
    label_at: float
    above: bool
    left: bool
    room: float


class _Line(NamedTuple):
    """h of the bottom layer, where it is finite."""

    pin: str
    cell: str
    lags: ndarray
    values: ndarray

    def near(self, lag: float) -> tuple[int, float]:
        """The lag that is nearest to one, and the value there."""
        at = int(np.abs(self.lags - lag).argmin())
        return int(self.lags[at]), float(self.values[at])

    def is_same(self, other: _Line | None) -> bool:
        return other is not None and all(map(np.array_equal, self[2:], other[2:]))


def _lines_of(table: pd.DataFrame, column: str) -> list[_Line]:
    """The lines that a pin may be named beside, those of the present settings among them."""
    values, lags = table[column].to_numpy(), table["lag"].to_numpy()
    chosen = (table["layer"] == 0).to_numpy() & (table["state"] == "h").to_numpy() & np.isfinite(values)
    places = table[chosen].groupby(["pin", "cell"], sort=False).indices
    values, lags = values[chosen], lags[chosen]
    keys: list[Any] = [*places]
    return [_Line(str(pin), str(cell), lags[places[pin, cell]], values[places[pin, cell]]) for pin, cell in keys]


def _beside_each_other(lines: list[_Line], lag: float, gap: float) -> list[list[_Line]]:
    """Lines from above, those together that are nearer than `gap` to the next one at a lag."""
    groups: list[list[_Line]] = []
    last = math.inf
    for height, line in sorted(((line.near(lag)[1], line) for line in lines), key=lambda found: -found[0]):
        if last - height < gap:
            groups[-1].append(line)
        else:
            groups.append([line])
        last = height
    return groups


def _places(
    line: _Line, longest: float, decades: float, heights: Mapping[float, ndarray]
) -> Iterator[tuple[float, _Name]]:
    """Where a line may be named, near some lags above or below it, and how free each place is.

    heights    of all lines, by their share of the longest lag
    """
    for share, others in heights.items():
        lag, at = line.near(share * longest)
        falls_to_the_left = bool(line.values[line.lags <= lag].mean() >= at)
        for is_above, side in ((True, others[others > at] - at), (False, at - others[others < at])):
            free = min(float(side.min(initial=decades)) / decades, ENOUGH)
            is_left = is_above == falls_to_the_left
            room = 1 - lag / longest if is_left else lag / longest
            yield free + 0.1 * room, _Name(line.pin, (), lag, at, is_above, is_left, room)


def _drawn(relative: bool) -> str:
    return "log10_relative" if relative else "log10_norm"


def _spread(descending: ndarray, rooms: ndarray) -> ndarray:
    """The nearest places, in least squares, in the same order, each with its room around it. descending [N] → [N]."""
    # Subtracting the least allowed distances turns "room apart" into "not ascending": isotonic regression, by pooling.
    offsets = np.cumsum(rooms) - rooms / 2
    pools: list[list[float]] = []
    for value in descending + offsets:
        pools.append([value])
        while len(pools) > 1 and np.mean(pools[-1]) > np.mean(pools[-2]):
            last = pools.pop()
            pools[-1] += last
    return np.concatenate([[np.mean(pool)] * len(pool) for pool in pools] or [[]]) - offsets
