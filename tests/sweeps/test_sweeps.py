"""Sweeps: every point once, whatever happens to workers and coordinator; and what they measure."""

import json
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gradlab import Experiment, diagnose, trace
from gradlab.analyses.jacobians import lyapunov_exponents
from gradlab.sweeps import MEASURES, POINT_COLUMNS, SPREAD_COLUMNS, coarse_to_fine, points, read, spread, sweep
from gradlab.sweeps.grid import Grid
from tests.sweeps import measures
from tests.sweeps.coordinator import AXES as KILLED_AXES
from tests.sweeps.coordinator import BASE

ROOT = Path(__file__).resolve().parents[2]
AXES = {"gain": [0.5, 1.0, 2.0], "steps": [5, 9]}


@pytest.fixture
def threads():
    with ThreadPoolExecutor(2) as executor:
        yield executor


def expected_of(gain, steps, seed):
    return gain * 100 + steps + seed / 10


def test_a_sweep_has_a_row_of_the_spread_for_every_combination_in_the_order_of_the_axes(threads):
    table = sweep(BASE, AXES, measures.of_settings, seeds=[3, 8, 4, 40], executor=threads)
    assert tuple(table.columns) == ("gain", "steps", *SPREAD_COLUMNS)
    assert list(zip(table["gain"], table["steps"], strict=True)) == [
        (g, s) for g in AXES["gain"] for s in AXES["steps"]
    ]
    for row in table.itertuples():
        values = np.sort([expected_of(row.gain, row.steps, seed) for seed in (3, 8, 4, 40)])
        assert table.loc[row.Index, "count"] == 4  # a tuple has a method of this name
        assert (row.lowest, row.highest) == (values[0], values[-1])
        assert row.median == pytest.approx((values[1] + values[2]) / 2)
        assert row.lower_quartile == pytest.approx(values[0] + 0.75 * (values[1] - values[0]))
        assert row.upper_quartile == pytest.approx(values[2] + 0.25 * (values[3] - values[2]))
        assert row.not_measured == 0


def test_points_are_every_seed_at_every_setting(threads):
    table = points(BASE, AXES, measures.of_settings, seeds=2, executor=threads)
    assert tuple(table.columns) == ("gain", "steps", *POINT_COLUMNS)
    assert len(table) == 12
    assert (table["status"] == "done").all()
    assert table["value"].tolist() == [
        expected_of(*place) for place in table[["gain", "steps", "seed"]].values.tolist()
    ]


def test_a_point_that_raises_and_one_whose_settings_do_not_fit_fail_with_the_reason(threads):
    table = points(BASE, {"gain": [1.0, 2.0, 11.0]}, measures.raising, seeds=1, executor=threads)
    assert table["status"].tolist() == ["done", "failed", "failed"]
    assert table["reason"].iloc[1] == "ValueError: no measure at a gain of 2"
    assert table["reason"].iloc[2].startswith("gain = 11.0 is not allowed: use a number from 0 to 10")
    assert table["value"].isna().tolist() == [False, True, True]
    whole = spread(table)
    assert whole["not_measured"].tolist() == [0, 1, 1]
    assert whole["reason"].tolist() == table["reason"].tolist()
    assert whole["median"].isna().tolist() == [False, True, True]


def test_infinite_values_have_a_spread(threads):
    table = pd.DataFrame({"gain": 1.0, "seed": range(4), "value": [-np.inf, 1.0, 2.0, np.nan], "status": "done"})
    row = spread(table.assign(reason="", seconds=0.0)).iloc[0]
    assert (row["count"], row["lowest"], row["median"], row["highest"]) == (3, -np.inf, 1.0, 2.0)


@pytest.mark.slow
def test_processes_give_the_same_bits_as_this_one(tmp_path):
    e = Experiment(cell="lstm", hidden_size=8, steps=60, batch_size=2)
    axes = {"initialization": ["pytorch", "chrono"], "gain": [0.5, 1.5]}
    table = points(e, axes, "rate", seeds=2, store=tmp_path)
    assert (table["status"] == "done").all()
    for row in table.itertuples():
        here = e.replace(initialization=row.initialization, gain=row.gain, seed=row.seed)
        assert row.value == diagnose(trace(here)).decades_per_100_steps
    kept = read(tmp_path).sort_values(["initialization", "gain", "seed"], ascending=[False, True, True])
    assert kept["value"].tolist() == table["value"].tolist()


@pytest.mark.slow
def test_the_point_that_kills_its_worker_is_found_and_all_others_are_measured(tmp_path):
    axes = {"gain": [0.5, 1.0, 1.5, 2.0, 2.5]}
    table = points(BASE, axes, measures.killing, seeds=4, store=tmp_path)
    killed = table[table["status"] == "killed"]
    assert killed[["gain", "seed"]].values.tolist() == [[2.0, 1]]
    assert "killed" in killed["reason"].iloc[0]
    others = table[table["status"] == "done"]
    assert len(others) == 19
    assert others["value"].tolist() == [expected_of(gain, 5, seed) for gain, seed in others[["gain", "seed"]].values]
    again = points(BASE, axes, measures.killing, seeds=4, store=tmp_path, executor=unused)  # it is not tried again
    pd.testing.assert_frame_equal(again, table)


def unused():
    raise AssertionError("everything is in the store")


@pytest.mark.slow
def test_a_worker_that_dies_by_no_fault_of_its_point_costs_nothing(tmp_path):
    measure = partial(measures.once_killed, folder=str(tmp_path))
    table = points(BASE, {"gain": [0.5, 2.0]}, measure, seeds=3)
    assert (table["status"] == "done").all()
    assert (tmp_path / "killed").exists()


@pytest.mark.slow
def test_a_callers_pool_that_breaks_cannot_be_replaced_and_keeps_what_is_stored(tmp_path):
    with ProcessPoolExecutor(1, get_context("spawn")) as pool, pytest.raises(RuntimeError, match="pass a function"):
        points(BASE, {"gain": [0.5, 2.0, 2.5]}, measures.killing, seeds=2, executor=pool, store=tmp_path, in_flight=1)
    assert 0 < len(read(tmp_path)) < 6


@pytest.mark.slow
def test_a_killed_coordinator_is_resumed_and_measures_no_point_again_that_it_had_stored(tmp_path):
    store, notes = tmp_path / "store", tmp_path / "notes"
    notes.mkdir()
    command = [sys.executable, "-m", "tests.sweeps.coordinator", str(store), str(notes)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline and (not store.is_dir() or len(read(store)) < 5):
        time.sleep(0.05)
    process.kill()
    process.wait()
    stored = len(read(store))
    assert 5 <= stored < 20
    workers = {int(note.name.split("-")[-1]) for note in notes.iterdir()}
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and any(map(running, workers)):
        time.sleep(0.1)
    assert not any(map(running, workers))  # they end with their coordinator
    with next(store.iterdir()).open("ab") as file:
        file.write(b'{"sweep": 1, "torn')
    before = len(list(notes.iterdir()))
    with ThreadPoolExecutor(2) as executor:
        measure = partial(measures.noted, folder=str(notes), seconds=0.2)
        table = points(BASE, KILLED_AXES, measure, seeds=4, store=store, executor=executor)
    assert len(list(notes.iterdir())) - before == 20 - stored
    assert (table["status"] == "done").all()
    assert table["value"].tolist() == [expected_of(g, 5, seed) for g in KILLED_AXES["gain"] for seed in range(4)]
    assert len(read(store)) == 20


def running(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().split(")")[1].split()[0] != "Z"
    except OSError:
        return False


def test_what_is_stored_is_not_measured_again_and_a_wider_grid_measures_what_is_missing(tmp_path, threads):
    notes = tmp_path / "notes"
    notes.mkdir()
    measure, store = partial(measures.noted, folder=str(notes)), tmp_path / "store"
    first = points(BASE, {"gain": [1.0, 2.0]}, measure, seeds=2, executor=threads, store=store)
    assert len(list(notes.iterdir())) == 4
    wider = points(BASE, {"gain": [2.0, 0.5, 1.0, 2.0]}, measure, seeds=3, executor=threads, store=store)
    assert len(list(notes.iterdir())) == 9  # gains of 2 and 2 are one
    pd.testing.assert_frame_equal(
        wider[wider["gain"].isin([1.0]) & (wider["seed"] < 2)].reset_index(drop=True),
        first[first["gain"] == 1.0].reset_index(drop=True),
    )
    other = points(BASE.replace(steps=6), {"gain": [1.0]}, measure, seeds=1, executor=threads, store=store)
    assert len(list(notes.iterdir())) == 10
    assert other["value"].iloc[0] == expected_of(1.0, 6, 0)


def test_a_record_is_one_line_that_says_all_and_pandas_reads_it(tmp_path, threads):
    points(BASE, {"gain": [1.0, 2.0]}, measures.raising, seeds=1, executor=threads, store=tmp_path)
    (path,) = tmp_path.iterdir()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert {line["status"] for line in lines} == {"done", "failed"}
    for line in lines:
        assert Experiment(**line["settings"]) == BASE.replace(gain=line["axes"]["gain"], seed=0)
        assert line["measure"] == "tests.sweeps.measures.raising"
    assert len(pd.read_json(path, lines=True)) == 2
    assert read(tmp_path)["value"].isna().sum() == 1


def test_a_torn_last_line_is_passed_over_and_a_wrong_line_is_named(tmp_path, threads):
    points(BASE, {"gain": [1.0, 2.0]}, measures.of_settings, seeds=1, executor=threads, store=tmp_path)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    assert len(read(tmp_path)) == 1
    path.write_bytes(b"no record\n" + whole)
    with pytest.raises(ValueError, match="line 1, is no record of a sweep: b'no record'"):
        read(tmp_path)


class Cancelled(Exception):
    pass


def test_progress_rises_to_one_and_what_it_raises_ends_the_sweep_within_a_second(threads):
    heard = []
    points(BASE, {"gain": [1.0, 1.5, 2.0]}, measures.slow, seeds=3, executor=threads, progress=heard.append)
    assert heard == sorted(heard)
    assert 0 <= heard[0] < 0.5
    assert any(0 < fraction < 1 for fraction in heard)
    assert heard[-1] == 1
    raised = []

    def cancel(fraction):
        if fraction > 0.1:
            raised.append(time.monotonic())
            raise Cancelled

    with pytest.raises(Cancelled):
        points(BASE, {"gain": list(np.linspace(0, 5, 60))}, measures.slow, executor=threads, progress=cancel)
    assert time.monotonic() - raised[0] < 1


@pytest.mark.slow
def test_a_cancelled_sweep_ends_its_processes(tmp_path):
    measure = partial(measures.noted, folder=str(tmp_path), seconds=30.0)
    raised = []

    def cancel(fraction):
        if len(list(tmp_path.iterdir())) >= 1:
            raised.append(time.monotonic())
            raise Cancelled

    with pytest.raises(Cancelled):
        points(BASE, {"gain": [1.0, 2.0, 3.0]}, measure, progress=cancel)
    assert time.monotonic() - raised[0] < 1
    workers = {int(note.name.split("-")[-1]) for note in tmp_path.iterdir()}
    time.sleep(1)
    assert not any(map(running, workers))


@pytest.mark.parametrize("sizes", [(1,), (5,), (21, 21), (4, 3, 7)])
def test_coarse_to_fine_has_every_place_once_and_its_beginning_spans_the_grid(sizes):
    places = coarse_to_fine(sizes)
    assert sorted(places) == [tuple(index) for index in np.ndindex(*sizes)]
    if sizes == (21, 21):
        first = np.array(places[:4])
        assert (np.ptp(first, axis=0) == 16).all()
        assert (np.diff(np.unique(np.array(places[:36])[:, 0])) == 4).all()  # every fourth: 6 × 6


def test_a_coordinators_share_is_below_a_millisecond_a_point():
    grid = Grid.of(BASE, {"gain": list(np.linspace(0, 5, 40)), "keep_bias": list(np.linspace(0, 5, 25))}, 1, "measure")
    begun = time.process_time()
    keys = {point.key for point in grid.coarse_to_fine()}
    assert len(keys) == 1000
    assert time.process_time() - begun < 1.0


# What is measured


def test_measures_are_what_the_library_gives():
    e = Experiment(cell="lstm", hidden_size=8, steps=80, batch_size=2, keep_bias=1.0)
    found = diagnose(trace(e))
    assert MEASURES["rate"](e) == found.decades_per_100_steps
    assert MEASURES["half_life"](e) == found.half_life
    assert MEASURES["decades_left"](e) == found.log10_left
    assert MEASURES["lyapunov"](e) == lyapunov_exponents(e, count=1, discard=16)[0]


def test_decades_left_at_a_lag_are_those_of_a_power_and_of_the_whole_state():
    e = Experiment(cell="rnn_linear", initialization="orthogonal", gain=0.9, hidden_size=8, steps=40, batch_size=3)
    for lag in (0, 7, 39):
        assert MEASURES["decades_left"](e, lag=lag) == pytest.approx(lag * np.log10(0.9), abs=1e-10)
    e = Experiment(cell="lstm", hidden_size=8, steps=40, batch_size=1)
    h, c = (10 ** trace(e).log10_norm(state)[0, :, 0] for state in "hc")
    whole = np.hypot(h, c)
    left = MEASURES["decades_left"]
    assert left(e, lag=10) == pytest.approx(np.log10(whole[29]), abs=1e-10)  # of a random direction of length 1
    assert left(e, lag=39) == pytest.approx(left(e), abs=1e-10)
    with pytest.raises(ValueError, match="lag = 40 lies beyond the 39 steps"):
        left(e, lag=40)


def test_saturation_is_the_share_of_gates_beyond_the_bounds():
    open_wide = Experiment(cell="gru", initialization="zeros", inputs="zero", hidden_size=6, steps=10, keep_bias=5.0)
    assert MEASURES["saturation"](open_wide) == pytest.approx(0.5)  # the update gate; the reset gate is at rest
    assert np.isnan(MEASURES["saturation"](Experiment(cell="rnn", hidden_size=4, steps=10)))


@pytest.mark.slow
def test_a_task_is_solved_after_some_updates_or_never():
    easy = Experiment(cell="gru", hidden_size=16, steps=8, batch_size=32)
    at = MEASURES["updates_to_solve"](easy, task="parity", updates=3)
    assert at == np.inf
    at = MEASURES["updates_to_solve"](easy, task="adding", updates=600)
    assert 10 <= at < 600


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"axes": {"gian": [1.0]}}, "'gian' is not a setting that can be swept: did you mean gain"),
        ({"axes": {"seed": [1]}}, "pass seeds"),
        ({"axes": {"gain": []}}, r"gain = \[\] has no values"),
        ({"axes": {"cell": "lstm"}}, "cell = 'lstm' has no values"),
        ({"seeds": 0}, "seeds = 0 is not allowed"),
        ({"measure": "speed"}, "measure = 'speed' is not known: use one of rate"),
        ({"measure": lambda e: 1.0}, "define it at the top of a module"),
        ({"in_flight": 0}, "in_flight = 0"),
    ],
)
def test_what_is_no_sweep_is_refused_before_any_work(options, sentence):
    asked = {"axes": {"gain": [1.0]}, "measure": "rate", "executor": unused} | options
    with pytest.raises(ValueError, match=sentence):
        sweep(BASE, **asked)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match="is no folder"):
        read(tmp_path / "missing")
    assert not list(tmp_path.iterdir())
