"""`sweep` and `points`: a grid of settings × seeds, measured, as tidy tables."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

import numpy as np
import pandas as pd

from gradlab.analyses.arguments import whole_number
from gradlab.engine import Progress
from gradlab.engine.progress import silent
from gradlab.settings.experiment import Experiment
from gradlab.sweeps.grid import Grid, Point
from gradlab.sweeps.measures import Measure, named
from gradlab.sweeps.running import DONE, FAILED, Answer, Workers, run
from gradlab.sweeps.store import Store
from gradlab.version import VERSION

POINT_COLUMNS = ("seed", "value", "status", "reason", "seconds")
STORED_EACH = 500  # stored points, after which progress is told
SPREAD_COLUMNS = (
    "count", "median", "lower_quartile", "upper_quartile", "lowest", "highest", "not_measured", "reason",
)  # fmt: skip


def sweep(
    base: Experiment,
    axes: Mapping[str, Sequence[Any]],
    measure: str | Measure,
    seeds: int | Sequence[int] = 3,
    executor: Executor | Callable[[], Executor] | None = None,
    store: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    in_flight: int | None = None,
) -> pd.DataFrame:
    """The spread over seeds of a measure at every combination of settings: one row each, in the order of the axes.

    base         the other settings
    axes         setting -> its values
    measure      a name of MEASURES, or a function of an Experiment that gives a number, defined at a module's top
    seeds        how many, from 0, or which
    executor     of `concurrent.futures`: a pool of processes, one per core, if None; dask's `Client.get_executor()`; or
                 a function that makes an executor, which is called again where it breaks
    store        a folder: what is there is not measured again, and each answer is written as it comes
    progress     called with the fraction done, ten times a second; an exception it raises ends the sweep at once
    in_flight    points submitted at a time; two per core if None. Few, for all are suspects when a worker dies

    Columns: the axes, then `SPREAD_COLUMNS`: count of seeds that were measured and defined, the median, quartiles and
    extremes of their values in the measure's unit, how many were not measured, and why the first of them was not.
    Raises ValueError for what is no grid or no measure. Settings that do not fit are points that failed.
    """
    return spread(points(base, axes, measure, seeds, executor, store, progress, in_flight))


def points(
    base: Experiment,
    axes: Mapping[str, Sequence[Any]],
    measure: str | Measure,
    seeds: int | Sequence[int] = 3,
    executor: Executor | Callable[[], Executor] | None = None,
    store: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    in_flight: int | None = None,
    on_point: Callable[[Point, Answer], None] | None = None,
) -> pd.DataFrame:
    """Every point of a `sweep`, one row each: the axes, then `POINT_COLUMNS`; arguments and errors as there.

    value      NaN unless done
    status     "done"; "failed": it raised, `reason` says what; "killed": it ends its worker, also when it runs alone
    seconds    in the worker; NaN where it did not say

    on_point   called with each point and its answer, those of the store too
    """
    name, function = named(measure)
    grid = Grid.of(base, axes, seeds, name)
    window = 2 * (os.cpu_count() or 1) if in_flight is None else whole_number("in_flight", in_flight, 1)
    kept = None if store is None else Store(store)
    answers = {} if kept is None else {record["key"]: _answer_of(record) for record in kept.records()}
    report, finished = progress or silent, 0

    def seen(point: Point, answer: Answer) -> None:
        nonlocal finished
        finished += 1
        if on_point is not None:
            on_point(point, answer)

    def answered(point: Point, answer: Answer) -> None:
        answers[point.key] = answer
        seen(point, answer)
        if kept is not None:
            about = {"key": point.key, "gradlab": VERSION, "measure": name, "settings": point.settings}
            kept.append(about | {"axes": point.axes, "seed": point.seed} | answer._asdict())

    def missing() -> Iterator[Point]:
        asked = set()
        for point in grid.coarse_to_fine():
            if point.key in asked:
                continue
            asked.add(point.key)
            if point.key in answers:
                seen(point, answers[point.key])
                if finished % STORED_EACH == 0:
                    report(finished / len(grid))
            elif point.refusal:
                answered(point, Answer(FAILED, float("nan"), point.refusal, 0.0))
            else:
                yield point

    waiting = missing()
    try:
        first = next(waiting, None)
        if first is not None:  # else no executor is made
            _measure(first, waiting, function, executor, window, answered, lambda: report(finished / len(grid)))
        report(1.0)
    finally:
        if kept is not None:
            kept.close()
    rows = [(*point.axes.values(), point.seed, *answers[point.key]) for point in grid.in_order()]
    return pd.DataFrame(rows, columns=[*grid.axes, "seed", *Answer._fields])[[*grid.axes, *POINT_COLUMNS]]


def _answer_of(record: dict[str, Any]) -> Answer:
    """The answer that a record holds."""
    return Answer(*(record[name] for name in Answer._fields))


def _measure(
    first: Point,
    waiting: Iterator[Point],
    measure: Measure,
    executor: Executor | Callable[[], Executor] | None,
    window: int,
    answered: Callable[[Point, Answer], None],
    look: Callable[[], None],
) -> None:
    def every() -> Iterator[Point]:
        yield first
        yield from waiting

    workers, whole = Workers(executor), False
    try:
        run(every(), measure, workers, window, answered, look)
        whole = True
    finally:
        workers.close(at_once=not whole)


def spread(table: pd.DataFrame) -> pd.DataFrame:
    """A table of `points` over its seeds, as `sweep` gives it."""
    axes = [column for column in table.columns if column not in POINT_COLUMNS]
    groups = table.groupby(axes, sort=False, dropna=False) if axes else [((), table)]
    rows = []
    for values, group in groups:
        measured = group.loc[group["status"] == DONE, "value"].dropna().to_numpy(float)
        others = group[group["status"] != DONE]
        quantiles = [_quantile(measured, q) for q in (0.5, 0.25, 0.75, 0, 1)]
        reason = others["reason"].iloc[0] if len(others) else ""
        rows.append((*values, len(measured), *quantiles, len(others), reason))
    return pd.DataFrame(rows, columns=[*axes, *SPREAD_COLUMNS])


def _quantile(values: np.ndarray, q: float) -> float:
    """Linear between two values; one of them where they are not finite."""
    if not len(values):
        return float("nan")
    return float(np.quantile(values, q, method="linear" if np.isfinite(values).all() else "inverted_cdf"))
