"""Phase maps: their places are those of `sweep`, coarse to fine; the border is theory's; and the pool of a server."""

import os
import time
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
import pandas as pd
import pytest

from gradlab import Experiment
from gradlab.settings.initializations import INITIALIZATIONS
from gradlab.sweeps import MEASURES, points, sweep
from gradlab.sweeps.grid import Grid
from gradlab.sweeps.maps import Measured, Plan, border, critical_gain, law_of, phase_map, place_of
from gradlab.sweeps.pool import KilledWorker, Pool
from gradlab.sweeps.running import Answer
from tests.sweeps import measures

SMALL = Experiment(cell="lstm", hidden_size=4, input_size=2, steps=12, batch_size=1, seed=2, gain=1.5, keep_bias=1.0)


def test_a_map_is_the_sweep_of_its_two_settings_whatever_these_are_now():
    found = phase_map(SMALL, "keep_bias", 3, 2)
    base = SMALL.replace(gain=1.0, keep_bias=None)
    axes = {"gain": [0.0, 1.5, 3.0], "keep_bias": [-4.0, 1.0, 6.0]}
    with ThreadPoolExecutor(1) as executor:
        expected = sweep(base, axes, "rate", [2, 3], executor=executor)
    pd.testing.assert_frame_equal(found.table, expected, check_dtype=False)


def test_a_map_of_the_steps_fits_a_loss_that_stands_late():
    e = SMALL.replace(steps=400, loss="step", loss_step=350)
    plan = Plan.of_settings(e, "steps", 3, 1)
    assert plan.axes["steps"] == (20, 210, 400)
    assert all(plan.base.replace(steps=steps).loss_step < 20 for steps in plan.axes["steps"])


def test_a_map_of_the_depth_has_every_initialization():
    plan = Plan.of_settings(SMALL, "depth", 21, 1)
    assert plan.axes == {"depth": (1, 2, 3, 4, 5, 6, 7, 8), "initialization": tuple(INITIALIZATIONS)}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"of": "weights"}, "of = 'weights' is not a map: use one of keep_bias, steps, depth"),
        ({"size": 1}, "size = 1"),
        ({"seeds": 0}, "seeds = 0"),
    ],
)
def test_what_is_no_map_is_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        Plan.of_settings(SMALL, **options)
    with pytest.raises(ValueError, match="no gate that keeps"):
        Plan.of_settings(SMALL.replace(cell="rnn"), "keep_bias")


def test_a_place_without_an_answer_has_the_colour_of_the_nearest_coarser_one():
    plan = Plan.of_settings(SMALL, "keep_bias", 5, 1)
    measured, told = Measured(plan), {}

    def first_four(point, answer):
        if len(told) < 4:
            told[point.axes["gain"], point.axes["keep_bias"]] = answer.value
            measured.take(point, answer)

    with ThreadPoolExecutor(1) as executor:
        points(plan.base, plan.axes, measures.of_settings, plan.seeds, executor, in_flight=1, on_point=first_four)
    assert measured.count == 4
    gains, biases = plan.axes["gain"], plan.axes["keep_bias"]
    assert set(told) == {(g, b) for g in (gains[0], gains[4]) for b in (biases[0], biases[4])}
    shown = measured.coarse.set_index(["gain", "keep_bias"])["median"]
    assert shown.notna().all()
    for (gain, bias), value in shown.items():
        corner = (gains[gains.index(gain) // 4 * 4], biases[biases.index(bias) // 4 * 4])
        assert value == told[corner]


def test_a_point_that_could_not_be_measured_is_counted_with_its_reason():
    plan = Plan.of_settings(SMALL, "keep_bias", 2, 2)
    measured = Measured(plan)
    with ThreadPoolExecutor(1) as executor:
        points(plan.base, plan.axes, measures.of_settings, plan.seeds, executor, on_point=measured.take)
    point = Grid.of(plan.base, plan.axes, plan.seeds, "rate").point([0.0, -4.0], plan.seeds[0])
    measured.take(point, Answer("failed", float("nan"), "too much", 0.0))
    row = measured.table.iloc[0]
    assert (row["not_measured"], row["reason"], measured.table["count"].tolist()) == (1, "too much", [1, 2, 2, 2])


def test_the_border_of_the_lstm_is_that_of_its_linearized_step():
    e = Experiment(cell="lstm", hidden_size=256, initialization="gaussian", inputs="zero", seed=1)
    e = e.replace(keep_bias=1.0)
    gain = critical_gain(e)
    layer = e.network("float64").layers[0]
    i, f, g, o = (slice(n * 256, (n + 1) * 256) for n in range(4))
    b = layer.b_W + layer.b_U

    def gate(rows):
        return 1 / (1 + np.exp(-b[rows].mean()))

    eigenvalues = np.linalg.eigvals(gate(f) * np.eye(256) + gate(i) * gate(o) * gain * layer.U[g])
    assert np.abs(eigenvalues).max() == pytest.approx(1.0, abs=0.03)  # H is not infinite
    assert gain == pytest.approx(4 * (1 - 1 / (1 + np.exp(-1))), rel=0.1)


def test_the_border_of_the_rnn_is_where_its_measured_rate_passes_0():
    e = Experiment(cell="rnn", hidden_size=128, batch_size=2, steps=400)
    gain = critical_gain(e)
    assert MEASURES["rate"](e.replace(gain=0.85 * gain)) < 0 < MEASURES["rate"](e.replace(gain=1.2 * gain))


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_the_border_over_biases_is_the_critical_gain_at_each(cell):
    settings = SMALL.replace(cell=cell, hidden_size=32, initialization="gaussian")
    plan = Plan.of_settings(settings, "keep_bias", 5, 1)
    line = border(plan)
    assert len(line) > 10
    for gain, bias in line.iloc[::20].itertuples(index=False):
        there = plan.base.replace(seed=plan.seeds[0], keep_bias=bias)
        assert gain == pytest.approx(critical_gain(there))
    assert line["x"].between(0, 3).all()


def test_there_is_no_border_where_theory_has_none():
    assert law_of("lstm_peephole") is None
    assert critical_gain(SMALL.replace(cell="lstm_peephole")) is None
    assert critical_gain(SMALL.replace(initialization="zeros")) is None
    assert critical_gain(SMALL.replace(initialization="chrono", keep_bias=None, hidden_size=32)) is None
    assert border(Plan.of_settings(SMALL, "depth", 3, 1)).empty


def test_the_present_network_has_its_place_on_the_map():
    plan = Plan.of_settings(SMALL, "keep_bias", 5, 1)
    assert place_of(SMALL, plan) == (1.5, 1.0)
    assert place_of(SMALL.replace(gain=9.0), plan) is None
    gain, bias = place_of(SMALL.replace(keep_bias=None, hidden_size=64), plan)
    assert (gain, bias) == (1.5, pytest.approx(0.0, abs=0.1))  # PyTorch draws it around 0


# The pool of a server


@pytest.fixture
def pool():
    pool = Pool(1)
    yield pool
    pool.end()


@pytest.mark.slow
def test_a_process_of_the_pool_that_dies_costs_its_own_call_alone(pool, tmp_path):
    assert pool.pids == []
    first = pool.submit(os.getpid).result(60)
    assert [first] == pool.pids != [os.getpid()]
    with pytest.raises(ValueError, match="no measure at a gain of 2"):
        pool.submit(measures.raising, SMALL.replace(gain=2.0)).result(60)
    with pytest.raises(KilledWorker):
        pool.submit(measures.killing, SMALL.replace(gain=2.0, seed=1)).result(60)
    assert pool.submit(os.getpid).result(60) not in (first, os.getpid())
    table = points(SMALL, {"gain": [1.0, 2.0]}, measures.killing, [1, 2], pool, in_flight=2)
    assert table["status"].tolist() == ["done", "done", "killed", "done"]


@pytest.mark.slow
def test_an_ended_pool_has_no_process_and_begins_again_with_the_next_call(pool):
    before = pool.submit(os.getpid).result(60)
    running, waiting = pool.submit(time.sleep, 60), pool.submit(os.getpid)
    deadline = time.monotonic() + 60
    while not running.running() and time.monotonic() < deadline:
        time.sleep(0.01)
    begun = time.monotonic()
    pool.end()
    wait([running], 30)
    assert time.monotonic() - begun < 10
    assert isinstance(running.exception(), KilledWorker)
    assert waiting.cancelled()
    assert pool.submit(os.getpid).result(60) != before
