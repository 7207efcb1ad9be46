"""Curves of a training under way, for charts that fetch them: `app.py` answers at /live/TOKEN/COLUMN with `rows`.

A page that is run again twice a second costs the browser about half a processor, for Streamlit then looks at every
widget anew; two charts that fetch their points cost a tenth of one. An address is known to the job's visitor alone.
"""

import math
import secrets
from collections.abc import Iterator
from operator import attrgetter
from weakref import WeakKeyDictionary, WeakValueDictionary

import numpy as np
from numpy import ndarray

from gradlab.ui.training.job import Job

COLUMNS = ("loss", "gradient_norm")
BUCKETS = 30  # of a curve, each with its least and largest value: the browser draws them anew at every look
LOOK_EVERY = 0.45  # seconds

_jobs: WeakValueDictionary[str, Job] = WeakValueDictionary()
_tokens: WeakKeyDictionary[Job, str] = WeakKeyDictionary()


def address(job: Job, column: str) -> str:
    """Where a page finds the curves, relative to its own address."""
    token = _tokens.setdefault(job, secrets.token_urlsafe(16))
    _jobs[token] = job
    return f"live/{token}/{column}"


def rows(token: str, column: str) -> str:
    """The job's curves and their ends as JSON, and a look at the job; no rows of a job that is no more.

    It is asked for several times a second beside a training, so it is plain arrays and strings.
    """
    job = _jobs.get(token)
    if job is None or column not in COLUMNS:
        return "[]"
    job.looked_at()
    found = []
    for run, records, values in zip(job.runs, job.records, measured(job, column), strict=True):
        cell, first = run.experiment.cell, records[0].update
        at = drawn(values)
        lines = [
            f'"cell":"{cell}","update":{first + i},"log10_value":{_number(value)},"log10_mean":{_number(mean)}'
            for i, value, mean in zip(at.tolist(), *curve(values, at), strict=True)
        ]
        found += [f'{{"dataset":"curves",{line}}}' for line in lines] + [f'{{"dataset":"ends",{lines[-1]}}}']
    return f"[{','.join(found)}]"


def measured(job: Job, column: str) -> list[ndarray]:
    """A column of the records of every run so far."""
    return [np.fromiter(map(attrgetter(column), list(records)), float) for records in job.records]


def curve(values: ndarray, at: ndarray) -> tuple[ndarray, ndarray]:
    """log10 of positive values and of their mean over a fortieth of the run, as `gradlab.training.curve`, at some rows.

    Each mean is a sum of its own: a running one would carry the rounding of a huge value on to all that follow it.
    """
    window = max(1, len(values) // 40)
    means = np.array([values[max(0, i + 1 - window) : i + 1].mean() for i in at.tolist()])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log10(values[at]), np.log10(means)


def drawn(values: ndarray) -> ndarray:
    """Where the least and the largest value of every bucket are, and the first and the last of all."""
    if len(values) <= 2 * BUCKETS:
        return np.arange(len(values))
    edges = np.arange(BUCKETS + 1) * len(values) // BUCKETS
    return np.unique([0, *_extremes(values, edges), len(values) - 1])


def _extremes(values: ndarray, edges: ndarray) -> Iterator[int]:
    for a, b in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        yield a + int(values[a:b].argmin())
        yield a + int(values[a:b].argmax())


def _number(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else "null"
