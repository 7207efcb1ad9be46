"""`gradlab sweep`: its rows are the library's, its axes what Experiment reads, and what it refuses."""

from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest

from gradlab import Experiment
from gradlab.sweeps import points, sweep

SMALL = ("--steps", "12", "--hidden-size", "3", "--batch-size", "1", "--processes", "1")
BASE = Experiment(steps=12, hidden_size=3, batch_size=1)


def test_the_rows_are_those_of_the_library(read):
    found = read("sweep", "--over", "gain=0.5:1.5:3", "--over", "cell=rnn,gru", "--seeds", "2", *SMALL)
    axes = {"gain": [0.5, 1.0, 1.5], "cell": ["rnn", "gru"]}
    with ThreadPoolExecutor(1) as executor:
        expected = sweep(BASE, axes, "rate", 2, executor=executor)
    pd.testing.assert_frame_equal(pd.DataFrame(found), expected)


def test_single_points_begin_at_the_seed_and_a_value_of_none_is_called_so(call, tmp_path):
    line = ("--over", "keep_bias=none,3", "--seeds", "2", "--seed", "7", "--points", "--table", "points.csv", *SMALL)
    assert call("sweep", *line).exit_code == 0
    found = pd.read_csv(tmp_path / "points.csv", keep_default_na=False, comment="#")
    with ThreadPoolExecutor(1) as executor:
        expected = points(BASE, {"keep_bias": [None, 3.0]}, "rate", [7, 8], executor)
    assert found["keep_bias"].tolist() == ["none", "none", "3.0", "3.0"]
    assert found["seed"].tolist() == [7, 8, 7, 8]
    assert found["value"].astype(float).tolist() == pytest.approx(expected["value"].tolist())


def test_a_range_of_whole_numbers_is_of_whole_numbers(read):
    found = read("sweep", "--over", "steps=10:13:4", "--seeds", "1", *SMALL[2:])
    assert [row["steps"] for row in found] == [10, 11, 12, 13]


def test_a_store_is_not_measured_again_and_a_function_of_a_module_is_a_measure(call, tmp_path):
    (tmp_path / "counted_measure.py").write_text(
        "from pathlib import Path\n"
        "def of_gain(experiment):\n"
        "    with Path('calls.txt').open('a') as file:\n"
        "        file.write('x')\n"
        "    return 2 * experiment.gain\n"
    )
    line = ("sweep", "--over", "gain=1,2", "--measure", "counted_measure:of_gain", "--seeds", "2", "--store", "kept")
    assert call(*line, *SMALL).exit_code == 0
    again = call(*line, *SMALL, "--json")
    assert '"median": 4.0' in again.stdout
    assert (tmp_path / "calls.txt").read_text() == "xxxx"


def test_a_point_that_could_not_be_measured_is_an_exit_code(call):
    result = call(
        "sweep", "--over", "loss_step=3,20", "--loss", "step", "--over", "steps=12,30", "--seeds", "1", *SMALL[2:]
    )
    assert result.exit_code == 1
    assert "loss_step = 20" in result.stdout


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("--over", "gian=1"), "did you mean gain"),
        (("--over", "gain"), "has no values"),
        (("--over", "gain=20"), "gain = '20' is not allowed: use a number from 0 to 10"),
        (("--over", "gain=0:1:x"), "is no range: use NAME=FROM:TO:COUNT"),
        (("--over", "seed=1,2"), "use --seed and --seeds"),
        (("--over", "gain=1", "--measure", "speed"), "measure = 'speed' is not known: use one of rate"),
        (("--over", "gain=1", "--measure", "nowhere:f"), "No module named 'nowhere'"),
        (("--over", "gain=1", "--cluster", "tcp://127.0.0.1:1"), "exclude each other"),
        ((), "Missing option '--over'"),
    ],
)
def test_what_is_no_sweep_is_refused_with_what_is_allowed(call, line, said):
    result = call("sweep", *line, *SMALL)
    assert result.exit_code == 2
    assert said in result.stderr
