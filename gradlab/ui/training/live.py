"""Curves of a training under way, for charts that fetch them: `app.py` answers at /live/TOKEN/COLUMN with `rows`.

A page that is run again twice a second costs the browser about half a processor, for Streamlit then re-checks every
widget; two charts that fetch their points cost a tenth of one. An address is known to the job's visitor alone.
"""

import math
import secrets
from functools import lru_cache
from operator import attrgetter
from weakref import WeakKeyDictionary, WeakValueDictionary

import numpy as np
import pandas as pd
import streamlit as st
from numpy import ndarray

from gradlab.charts import training
from gradlab.charts.polled import polled
from gradlab.training.tables import curve_at, extremes
from gradlab.ui.frame import settings
from gradlab.ui.training.job import Job
from gradlab.words.languages import _, current

COLUMNS = ("loss", "gradient_norm")
BUCKETS = 30  # of a curve, each with its least and largest value: the browser redraws them at every poll
POLL_EVERY = 0.45  # seconds
PIN_COLUMNS = (*training.CURVE_COLUMNS, "pin")

_jobs: WeakValueDictionary[str, Job] = WeakValueDictionary()
_tokens: WeakKeyDictionary[Job, str] = WeakKeyDictionary()


def address(job: Job, column: str) -> str:
    """Where a page finds the curves, relative to its own address."""
    token = _tokens.setdefault(job, secrets.token_urlsafe(16))
    _jobs[token] = job
    return f"live/{token}/{column}"


def rows(token: str, column: str) -> str:
    """The job's curves and their ends as JSON; no rows of a job that has gone.

    It is asked for several times a second beside a training, so it is plain arrays and strings.
    """
    job = _jobs.get(token)
    if job is None or column not in COLUMNS:
        return "[]"
    answer = []
    for run, records, values in zip(job.runs, job.records, measured(job, column), strict=True):
        cell, first = run.experiment.cell, records[0].update
        at = extremes(values, BUCKETS)
        lines = [
            f'"cell":"{cell}","update":{first + i},"log10_value":{_number(value)},"log10_mean":{_number(mean)}'
            for i, value, mean in zip(at.tolist(), *curve_at(values, at), strict=True)
        ]
        answer += [f'{{"dataset":"curves",{line}}}' for line in lines] + [f'{{"dataset":"ends",{lines[-1]}}}']
    return f"[{','.join(answer)}]"


def measured(job: Job, column: str) -> list[ndarray]:
    """A column of the records of every run so far."""
    return [np.fromiter(map(attrgetter(column), list(records)), float) for records in job.records]


def _number(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else "null"


def draw(job: Job, column: str, rules: pd.DataFrame, quantity: str, pins: pd.DataFrame | None = None) -> None:
    """Draws a chart that fetches its own points while the training runs; beside them the curves of pins."""
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.log10(np.concatenate(measured(job, column)))
    beside = [] if pins is None else [pins[["log10_value"]]]
    domain = training.curve_domain(pd.concat([pd.DataFrame({"log10_value": values}), *beside]), rules)
    names = tuple(dict.fromkeys(run.experiment.cell for run in job.runs))
    levels = tuple(rules.itertuples(index=False, name=None))
    dark = settings.dark()
    ghosts = () if pins is None else tuple(pins[list(PIN_COLUMNS)].itertuples(index=False, name=None))
    at = address(job, column)
    specification = _compiled(names, domain, levels, job.updates, quantity, dark, at, ghosts, current())
    # The browser keeps the chart that it has for the same specification and description.
    st.vega_lite_chart(
        specification, theme=None, width="stretch", alt=_("{quantity} by update").format(quantity=_(quantity))
    )


@lru_cache(maxsize=60)  # compiling takes some 80 ms; Streamlit's cache would make a copy every time
def _compiled(
    cells: tuple[str, ...], domain: tuple[float, float], levels: tuple, updates: int, quantity: str, dark: bool,
    address: str, ghosts: tuple, language: str,
) -> dict:  # fmt: skip
    rules = pd.DataFrame(levels, columns=list(training.RULE_COLUMNS))
    pins = pd.DataFrame(ghosts, columns=list(PIN_COLUMNS)) if ghosts else None
    chart = training.live_curve(cells, domain, rules, updates, quantity=quantity, pins=pins, dark=dark)
    return polled(chart, address, POLL_EVERY)
