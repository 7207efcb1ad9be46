"""The check passes where the engine is right, and fails where an adjoint is wrong by a twentieth of a percent."""

import importlib
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
from gradlab.engine import sweep, times_power
from gradlab.network.stack import Layer, Stack
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
        # a hundred times what one change of the last digits does is below that, but for the cell without a forget gate
        most = 2 * ALLOWED[dtype] if cell == "lstm_1997" else ALLOWED[dtype]
        assert table.allowed[: len(states)].between(ALLOWED[dtype], most).all()
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
    assert told == pytest.approx(np.arange(1, len(told) + 1) / len(told)), "no step counts more than another"


@pytest.mark.parametrize("after", [5, 50, 100, 200])  # in autograd's runs there and back, and in the differences
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
    assert chaotic.passed
    assert chaotic.table.allowed[0] <= 1e-6, "no more is allowed of float64, whatever rounding does"
    assert chaotic.size.steps < 200
    assert f"first {chaotic.size.steps} steps" in chaotic.sentence
    assert "Over more steps rounding alone would change the gradients" in chaotic.sentence


def test_what_float32_rounds_away_is_left_out_and_counted():
    """Gains of 8 multiply float32's rounding at every step: of many of this network's gradients no digit is left."""
    found = passes(SMALL.replace(cell="rnn", gain=8, initialization="gaussian", dtype="float32", depth=2))
    by_autograd = found.table[found.table.check == "autograd"]
    steps = found.size.steps
    assert (by_autograd.compared < 2 * steps * 2).all()
    of, compared = 2 * steps * 2, found.table.compared[0]
    assert f" Of {of - compared} of {of} gradients rounding leaves too few digits: they are left out." in found.sentence
    passes(SMALL.replace(cell="lstm_coupled", forget_bias=20, depth=2))


def test_most_finite_differences_are_good_enough_to_be_compared_at_the_defaults():
    table = check(Experiment(depth=2)).table
    rows = table[table.check == "finite differences"]
    assert (rows.compared >= 6).all()  # of 2 layers × 4 lags
    assert (rows.largest_error < ALLOWED_DIFFERENCE).all()


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
    environment = os.environ | {"GRADLAB_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(tmp_path)}
    environment["NUMBA_OPT"] = "0"  # which compiles in half the time
    command = [sys.executable, "-c", RUN, *WRONG]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    for cell, rows in json.loads(done.stdout).items():
        assert not rows["autograd ∂L/∂h"], cell
        assert not all(passed for row, passed in rows.items() if row.startswith("finite")), cell


MODULE = importlib.import_module("gradlab.analyses.check")
LINEAR = SMALL.replace(cell="rnn_linear", initialization="orthogonal", steps=12)


@pytest.fixture
def spoilt(monkeypatch):
    """Runs a check of an engine whose ∂L/∂s_t a function has changed."""

    def run(case, change):
        def wrong(*arguments, **options):
            swept = sweep(*arguments, **options)
            spoilt = (
                part._replace(
                    totals=change(times_power(part.totals, part.exponents)),
                    a_x_bar=times_power(part.a_x_bar, part.exponents),
                    exponents=0 * part.exponents,
                )
                for part in swept.adjoints
            )
            return swept._replace(adjoints=tuple(spoilt))

        monkeypatch.setattr(MODULE, "sweep", wrong)
        return check(*(case if isinstance(case, tuple) else (case,))).table.set_index(["check", "quantity"])

    return run


@pytest.mark.parametrize(
    ("dtype", "off", "autograd", "differences"),
    [
        ("float64", 5e-11, True, True),
        ("float64", 2e-10, False, True),
        ("float64", 1e-6, False, True),
        ("float64", 1e-5, False, False),
        ("float32", 5e-4, True, False),
        ("float32", 2e-3, False, False),
    ],
)
def test_a_gradient_that_is_off_by_a_factor_fails_exactly_where_that_is_more_than_allowed(
    spoilt, dtype, off, autograd, differences
):
    """Differences are of float64 whatever the setting, and allow twice a millionth."""
    e = SMALL.replace(steps=8, loss="step", loss_step=1, dtype=dtype)  # few lags: differences take the time
    table = spoilt(e, lambda totals: totals * (1 + off))
    of_autograd, of_differences = table.loc["autograd"], table.loc["finite differences"]
    assert (of_autograd.passed == autograd).all()
    assert of_autograd.largest_error.to_numpy() == pytest.approx(off, rel=0.02)
    assert of_differences.passed["∂L/∂h"] == differences
    assert of_differences.passed["∂L/∂a (pre-activations)"], "it was not changed"
    assert of_differences.allowed.to_numpy() == pytest.approx(2e-6)


@pytest.mark.parametrize("size", [1e-6, 1e6])
def test_errors_are_relative_whatever_the_size_of_the_loss(spoilt, size):
    e = LINEAR.replace(steps=8)
    cotangents = np.zeros((8, 2, 8))
    cotangents[1] = size
    case = e.network(), e.sequence()[:8], cotangents
    table = spoilt(case, lambda totals: totals * (1 + 1e-4)).loc[("finite differences", "∂L/∂h")]
    assert 1e-5 < table.largest_error <= 1e-4 * (1 + 1e-3)
    assert spoilt(case, lambda totals: totals).passed.all()


def test_only_differences_that_are_good_enough_are_compared():
    """A gradient that a step makes smaller by 10^8 is 10^8 times less than the terms of the loss, and their rounding
    divided by the nudge is more than a millionth of it."""
    rows = check(LINEAR.replace(gain=1e-8)).table.set_index("check")
    assert (rows.compared["finite differences"] == 1).all(), "at the loss's own step"
    assert (rows.compared["autograd"] == 12 * 2).all()


def test_where_no_difference_is_good_a_gradient_that_is_off_by_more_than_their_error_fails(spoilt):
    """States of 10^10 leave the loss, and so its differences, some six digits; a third of the gradient is missed."""
    cotangents = np.zeros((8, 2, 8))
    cotangents[-1] = 1
    case = LINEAR.network(), 1e10 * LINEAR.sequence()[:8], cotangents
    row = "finite differences", "∂L/∂h"
    for factor in (1, 3):
        table = spoilt(case, lambda totals, factor=factor: factor * totals).loc[row]
        assert table.passed == (factor == 1)
        assert table.compared == 4


@pytest.mark.parametrize("at", [0, 3, -1])
def test_one_wrong_gradient_among_all_is_enough(spoilt, at):
    def change(totals):
        totals = totals.copy()
        totals[at, 1, 0, 2] += 1e-3
        return totals

    assert not spoilt(LINEAR, change).loc["autograd"].passed.any()


def test_what_is_exactly_zero_must_be_exactly_zero(spoilt):
    """Of zero weights nothing comes back beyond the loss's own step."""
    zeros = SMALL.replace(cell="rnn", initialization="zeros", steps=8, loss="step", loss_step=1)
    assert spoilt(zeros, lambda totals: totals).passed.all()
    assert not spoilt(zeros, lambda totals: totals + 1e-250).loc["autograd"].passed.any()


@pytest.mark.parametrize(("loss_step", "lags"), [(0, 1), (1, 2), (2, 3), (4, 3), (5, 4), (7, 4)])
def test_differences_are_taken_at_lags_0_1_2_and_5_as_far_as_there_are_steps(loss_step, lags):
    table = check(LINEAR.replace(loss="step", loss_step=loss_step)).table.set_index("check")
    assert (table.compared["finite differences"] == lags).all()


def test_a_check_without_any_loss_finds_nothing_and_passes():
    stack, inputs = LINEAR.network(), LINEAR.sequence()
    for steps in (12, 1):
        without = check(stack, inputs[:steps], np.zeros((steps, 2, 8)))
        assert without.passed
        assert (without.table.largest_error == 0).all()


def test_a_state_whose_gradients_are_all_lost_is_left_out_and_counted():
    """Weights of 10^5 cancel in the output gate, of which float32 then has two digits: ∂L/∂c has no more of them, all
    of it being multiplied by that gate's last value. ∂L/∂h is the loss's own gradient, and zero before it."""
    H, T = 4, 8
    W, cotangents = np.zeros((4 * H, 2)), np.zeros((T, 1, H))
    W[3 * H :], cotangents[-1] = (1e5, -1e5), 1
    layer = (W, np.zeros((4 * H, H)), np.zeros(4 * H), np.zeros(4 * H))
    stack = Stack("lstm", (Layer(*(part.astype(np.float32) for part in layer)),))
    found = check(stack, np.ones((T, 1, 2), np.float32), cotangents.astype(np.float32))
    assert found.table.compared[:2].tolist() == [T, 0]
    assert found.sentence.endswith(f"Of {T} of {2 * T} gradients rounding leaves too few digits: they are left out.")


def test_a_sequence_that_overflows_beside_one_that_does_not_shortens_the_check():
    """A state that grows tenfold a step leaves float32 after 38 steps; without input and bias it stays 0."""
    (layer,) = LINEAR.replace(gain=10).network("float32").layers
    stack = Stack("rnn_linear", (layer._replace(b_W=0 * layer.b_W, b_U=0 * layer.b_U),))
    inputs, cotangents = np.ones((60, 2, 16), np.float32), np.zeros((60, 2, 8), np.float32)
    inputs[:, 1], cotangents[-1] = 0, 1
    assert check(stack, inputs, cotangents).size.steps == 30


def test_a_single_sequence_and_layer_are_named():
    assert "first 12 steps of 1 sequences, one layer, in float64." in check(LINEAR.replace(batch_size=1)).sentence


def test_steps_are_halved_until_what_grows_tenfold_a_step_fits_into_float32_and_are_eight_at_least():
    e = LINEAR.replace(steps=200, gain=10, dtype="float32")
    assert check(e).size.steps == 25, "38 steps fit"
    assert check(e.replace(steps=30)).size.steps == 30
    chaotic = e.replace(cell="rnn", initialization="gaussian", hidden_size=16)
    assert check(chaotic).size.steps == 8


@pytest.mark.parametrize("initialization", ["pytorch", "identity"])  # whose ones are powers of two
@pytest.mark.parametrize(("dtype", "bits"), [("float64", np.int64), ("float32", np.int32)])
def test_a_nudged_weight_is_the_next_number_of_its_dtype_either_way_and_zeros_stay(initialization, dtype, bits):
    """Neighbours have patterns of bits that differ by 1."""
    stack = SMALL.replace(initialization=initialization, cell="lstm").network(dtype)
    for layer, nudged in zip(stack.layers, MODULE._nudged(stack).layers, strict=True):
        for part, moved in zip(layer, nudged, strict=True):
            assert moved.dtype == np.float64
            assert (moved.astype(dtype) == moved).all()
            off = moved.astype(dtype).view(bits).astype(np.int64) - part.view(bits)
            assert (off[part == 0] == 0).all()
            assert {*off[part != 0]} == ({-1, 1} if part.any() else set())


def test_the_check_does_not_depend_on_the_state_of_any_generator():
    np.random.seed(1)
    first = check(SMALL).table
    np.random.seed(2)
    assert first.equals(check(SMALL).table)
