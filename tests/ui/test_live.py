"""What a chart of a training under way gets when it asks."""

import gc
import json
import math

import numpy as np
import pandas as pd
import pytest
from starlette.requests import Request
from starlette.routing import Match

from app import ROUTES, curves
from gradlab.settings.experiment import Experiment
from gradlab.training import Recipe, Run, curve
from gradlab.training.tables import curve_at
from gradlab.ui.training import live
from gradlab.ui.training.job import Job

SMALL = Experiment(hidden_size=4, input_size=2, steps=8, batch_size=2)


@pytest.fixture
def job():
    job = Job([Run(SMALL.replace(cell=cell), "adding", Recipe(updates=300)) for cell in ("rnn", "gru")])
    for run, records in zip(job.runs, job.records, strict=True):
        records[:] = run.advance(200)
    return job


def asked(address: str) -> list[dict]:
    _, token, column = address.split("/")
    return json.loads(live.rows(token, column))


@pytest.mark.slow
@pytest.mark.parametrize("column", live.COLUMNS)
def test_the_rows_are_the_curves_that_are_drawn_when_the_job_stands_still(job, column):
    found = pd.DataFrame(asked(live.address(job, column)))
    whole = pd.concat([curve(table, column) for table in job.histories()], ignore_index=True)
    rows = found[found["dataset"] == "curves"].drop(columns="dataset")
    both = rows.merge(whole, on=["cell", "update"], suffixes=("", "_whole"))
    assert 100 < len(both) == len(rows) <= 2 * (2 * live.BUCKETS + 2)
    for name in ("log10_value", "log10_mean"):
        assert both[name].to_numpy() == pytest.approx(both[f"{name}_whole"].to_numpy(), abs=1e-4)
    for cell, own in rows.groupby("cell"):
        of_cell = whole[whole["cell"] == cell]["log10_value"]
        assert (own["log10_value"].min(), own["log10_value"].max()) == pytest.approx(
            (of_cell.min(), of_cell.max()), abs=1e-4
        )
        assert (own["update"].min(), own["update"].max()) == (0, 199)
    ends = found[found["dataset"] == "ends"]
    assert ends["update"].tolist() == [199, 199]
    assert ends["cell"].tolist() == ["rnn", "gru"]


def test_a_huge_value_is_gone_from_the_mean_once_it_is_out_of_the_window():
    values = np.ones(400)
    values[100] = 1e20
    _, mean = curve_at(values, np.array([99, 105, 115, 300]))
    assert mean.tolist() == pytest.approx([0.0, 19.0, 0.0, 0.0])


@pytest.mark.slow
@pytest.mark.parametrize("before", ["", "/lab", "/training", "/some/proxy/training"])
def test_a_chart_is_answered_wherever_the_page_is(job, before):
    path = f"{before}/{live.address(job, 'loss')}"
    scope = {"type": "http", "method": "GET", "path": path, "headers": []}
    params = next(child["path_params"] for match, child in (r.matches(scope) for r in ROUTES) if match is Match.FULL)
    answer = curves(Request(scope | {"path_params": params}))
    assert json.loads(answer.body) == asked(live.address(job, "loss"))


def test_a_value_that_is_not_finite_is_a_gap_and_no_error(job):
    job.records[0].append(job.records[0][-1]._replace(update=200, loss=math.inf))
    values = [row["log10_value"] for row in asked(live.address(job, "loss")) if row["update"] == 200]
    assert values
    assert set(values) == {None}


def test_an_address_is_the_jobs_own_and_ends_with_it(job):
    other = Job([Run(SMALL, "adding", Recipe(updates=3))])
    address = live.address(job, "loss")
    assert address == live.address(job, "loss") != live.address(other, "loss")
    assert asked(address)
    token = live.address(other, "loss").split("/")[1]
    assert json.loads(live.rows(token, "loss"))
    assert live.rows(token, "seconds") == live.rows("guessed", "loss") == "[]"
    del other
    gc.collect()
    assert live.rows(token, "loss") == "[]"
