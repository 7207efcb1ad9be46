"""The check passes where the engine is right, and fails where an adjoint is wrong by a twentieth of a percent."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gradlab import Experiment, check
from gradlab.analyses.check import ALLOWED, ALLOWED_DIFFERENCE, CHECK_COLUMNS, FEWEST_STEPS, TOO_MUCH
from gradlab.cells import CELLS
from gradlab.settings.initializations import INITIALIZATIONS
from gradlab.settings.inputs import INPUTS
from gradlab.settings.losses import LOSSES

ROOT = Path(__file__).resolve().parents[2]
MAIN = ("rnn", "lstm", "gru")  # the others: slow
SMALL = Experiment(hidden_size=8, steps=30, batch_size=2)


def passes(e):
    """Runs the check; what fails is shown as the table."""
    found = check(e)
    assert found.passed, found.table.to_string()
    return found


@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "cell", [cell if cell in MAIN else pytest.param(cell, marks=pytest.mark.slow) for cell in CELLS]
)
def test_every_cell_passes_at_its_defaults_with_the_stated_tolerances(cell, dtype):
    found = passes(Experiment(cell=cell, dtype=dtype, depth=2, hidden_size=16))
    table = found.table
    assert tuple(table.columns) == CHECK_COLUMNS
    states = [f"∂L/∂{state}" for state in CELLS[cell].states]
    assert table.quantity.tolist() == [*states, "∂L/∂h", "∂L/∂a (pre-activations)"]
    steps = found.size.steps
    assert f"Compared on the first {steps} steps of 2 sequences, all 2 layers" in found.sentence
    assert (table.compared[: len(states)] > steps).all()
    if dtype == "float64":
        assert steps == 200
        assert (table.allowed[: len(states)] == ALLOWED[dtype]).all()
        assert (table.compared[: len(states)] == 2 * steps * 2).all()  # layers, steps, sequences
        assert "left out" not in found.sentence


def test_the_check_tells_how_far_it_is_after_every_step_of_every_run():
    told = []
    found = check(SMALL.replace(depth=2), progress=told.append)
    assert found.passed
    assert told == sorted(told)
    assert told[0] < 0.01
    assert told[-1] == pytest.approx(1)
    assert max(np.diff(told)) < 0.01


@pytest.mark.parametrize("after", [5, 50, 100, 1000])  # in autograd's runs there and back, and in the differences
def test_what_is_raised_by_the_one_told_ends_the_check(after):
    class Stop(BaseException):
        pass

    told = []

    def stopping(share):
        told.append(share)
        if len(told) == after:
            raise Stop

    with pytest.raises(Stop):
        check(SMALL, progress=stopping)
    assert len(told) == after


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("cell", ["lstm", pytest.param("rnn", marks=pytest.mark.slow)])
def test_every_loss_passes(cell, loss):
    passes(SMALL.replace(cell=cell, loss=loss, depth=2))


@pytest.mark.parametrize("inputs", INPUTS)
def test_every_input_passes(inputs):
    passes(SMALL.replace(cell="gru", inputs=inputs))


@pytest.mark.slow
@pytest.mark.parametrize("initialization", INITIALIZATIONS)
@pytest.mark.parametrize("cell", ["lstm", "rnn_relu"])
def test_every_initialization_passes(initialization, cell):
    passes(SMALL.replace(cell=cell, initialization=initialization))


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        {"cell": "rnn", "gain": 5},  # chaotic
        {"cell": "gru", "gain": 10},
        {"cell": "lstm", "gain": 10, "dtype": "float32"},
        {"cell": "rnn", "gain": 10, "hidden_size": 1},  # saturated: autograd's own slopes keep few digits
        {"cell": "rnn", "gain": 10, "hidden_size": 2, "depth": 2},
        {"cell": "lstm", "gain": 10, "hidden_size": 1},  # its c gradient is exactly zero, in autograd too
        {"cell": "rnn_relu", "gain": 10},  # exploding
        {"cell": "rnn_relu", "gain": 10, "dtype": "float32"},  # overflowing
        {"cell": "rnn_linear", "gain": 10, "dtype": "float32"},
        {"cell": "rnn_relu", "hidden_size": 1, "loss": "half_square"},  # no gradient at all
        {"cell": "rnn", "steps": 2, "loss": "step", "loss_step": 0},
    ],
    ids=str,
)
def test_chaotic_saturated_exploding_and_dead_settings_pass_over_the_steps_that_can_be_compared(settings):
    found = passes(Experiment(**{"hidden_size": 64, "initialization": "gaussian"} | settings))
    dtype = found.size.dtype
    by_autograd = found.table[found.table.check == "autograd"]
    assert (by_autograd.allowed <= TOO_MUCH[dtype]).all()
    assert (by_autograd.compared > 0).all()
    assert found.size.steps >= min(FEWEST_STEPS, settings.get("steps", FEWEST_STEPS))


def test_the_sentence_says_when_fewer_steps_are_compared_and_why():
    calm, chaotic = check(SMALL), check(Experiment(cell="rnn", gain=5, initialization="gaussian"))
    assert "rounding alone" not in calm.sentence
    assert chaotic.size.steps < 200
    assert f"first {chaotic.size.steps} steps" in chaotic.sentence
    assert "Over more steps rounding alone would change the gradients" in chaotic.sentence


def test_what_float32_rounds_away_is_left_out_and_counted():
    """Gains of 8 multiply float32's rounding at every step: of many of this network's gradients no digit is left."""
    found = passes(SMALL.replace(cell="rnn", gain=8, initialization="gaussian", dtype="float32", depth=2))
    by_autograd = found.table[found.table.check == "autograd"]
    steps = found.size.steps
    assert (by_autograd.compared < 2 * steps * 2).all()
    assert f"of {2 * steps * 2} gradients rounding leaves too few digits: they are left out." in found.sentence
    passes(SMALL.replace(cell="lstm_coupled", forget_bias=20, depth=2))


def test_most_finite_differences_are_good_enough_to_be_compared_at_the_defaults():
    table = check(Experiment(depth=2)).table
    rows = table[table.check == "finite differences"]
    assert (rows.compared >= 6).all()  # of 2 layers × 4 lags
    assert (rows.largest_error < ALLOWED_DIFFERENCE["float64"]).all()


WRONG = {  # one term of each adjoint, a twentieth of a percent too large
    "rnn": ("rnn.py", "a_bar = new_bar.h * saved[0]", "a_bar = 1.0005 * new_bar.h * saved[0]"),
    "lstm": ("lstm.py", "f_bar = c_bar * state.c", "f_bar = 1.0005 * c_bar * state.c"),
    "gru": ("gru.py", "r_bar = a_n_bar * a_hn", "r_bar = 1.0005 * a_n_bar * a_hn"),
    "rnn_relu": ("rnn.py", "a_bar = new_bar.h * is_positive(new.h)", "a_bar = 1.0005 * new_bar.h * is_positive(new.h)"),
    "rnn_linear": ("rnn.py", "a_bar = new_bar.h  # (2)", "a_bar = 1.0005 * new_bar.h  # (2)"),
}

RUN = """
import json, sys
from gradlab import Experiment, check
found = {}
for cell in sys.argv[1:]:
    table = check(Experiment(cell=cell, hidden_size=8, steps=20, batch_size=2, initialization="orthogonal")).table
    found[cell] = {f"{row.check} {row.quantity}": row.passed for row in table.itertuples()}
print(json.dumps(found))
"""


@pytest.mark.slow
def test_an_adjoint_off_by_a_twentieth_of_a_percent_fails_against_autograd_and_finite_differences(tmp_path):
    """In a copy of the package whose cells' adjoints are wrong, compiled and run by a process of its own."""
    shutil.copytree(ROOT / "gradlab", tmp_path / "gradlab", ignore=shutil.ignore_patterns("__pycache__"))
    for name, right, wrong in WRONG.values():
        path = tmp_path / "gradlab" / "cells" / name
        source = path.read_text()
        assert source.count(right) == 1, f"{name} no longer has {right!r} once"
        path.write_text(source.replace(right, wrong))
    environment = {**os.environ, "GRADLAB_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", RUN, *WRONG]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    for cell, rows in json.loads(done.stdout).items():
        assert not rows["autograd ∂L/∂h"], cell
        assert not all(passed for row, passed in rows.items() if row.startswith("finite")), cell


def test_the_check_does_not_depend_on_the_state_of_any_generator():
    np.random.seed(1)
    first = check(SMALL).table
    np.random.seed(2)
    assert first.equals(check(SMALL).table)
