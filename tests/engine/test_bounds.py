"""Memory is never touched out of bounds: the kernels with numba's bounds checking on, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

OUT_OF_RANGE = """
import numba
import numpy as np

from gradlab.cells import CELLS
from gradlab.engine.kernels import affine
from gradlab.engine.lanes import load, load_pre_activations, store, store_rows
from gradlab.engine.products import multiply, pack


@numba.njit
def read(array, at):
    return load(array, (0, at)) is None


@numba.njit
def write(array, at):
    store(array, (0, at), 1.0)


@numba.njit
def read_rows(cell, array, t, j):
    return len(load_pre_activations(cell, array, (t, j)))


@numba.njit
def write_rows(array, t, j):
    store_rows(array, (t, j), (1.0, 2.0))


@numba.njit
def product(out, at, begin, a, panels, rows, depth):
    multiply(out, at, 8, begin, 0, 8, a, 0, 8, rows, panels, depth, 8)


def refused(function, *arguments):
    try:
        function(*arguments)
    except IndexError:
        return True
    return False


array, rows = np.zeros((2, 16)), np.zeros((3, 4, 16))
vector, panels = np.zeros(16), pack(np.zeros((8, 8)))
lstm = CELLS["lstm"]()
within = [
    (read, array, 8), (write, array, 0), (read_rows, lstm, rows, 2, 8), (write_rows, rows, 1, 8),
    (product, vector, 0, vector, vector, panels, 2, 8), (affine, vector, 0, 8, panels, np.zeros(8), np.zeros((2, 8))),
]
beyond = [
    (read, array, 9), (read, array, 16), (write, array, 12), (write, array, 10**6),
    (read_rows, lstm, rows, 3, 0), (read_rows, lstm, rows, 0, 9), (read_rows, lstm, np.zeros((3, 3, 16)), 0, 0),
    (write_rows, rows, 3, 0), (write_rows, rows, 0, 9), (write_rows, np.zeros((3, 1, 16)), 0, 0),
    (product, vector, 1, vector, vector, panels, 2, 8), (product, vector, 0, vector, vector, panels, 3, 8),
    (product, vector, 0, vector, vector, panels, 1, 9), (product, vector, 0, np.zeros(15), vector, panels, 2, 8),
    (product, vector, 0, vector, np.zeros(7), panels, 1, 8),
    (affine, vector, 8, 8, panels, np.zeros(8), np.zeros((2, 8))),
    (affine, vector, 0, 8, panels, np.zeros(7), np.zeros((2, 8))),
]
print("within", [refused(*call) for call in within])
print("beyond", [refused(*call) for call in beyond])
"""


def checked(tmp_path, *arguments):
    """A Python process with bounds checking on and a kernel cache of its own."""
    environment = os.environ | {"NUMBA_BOUNDSCHECK": "1", "GRADLAB_CACHE": str(tmp_path)}
    environment["NUMBA_OPT"] = "0"  # which compiles in half the time, and takes no check away
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600, check=False)


@pytest.mark.slow
def test_an_access_out_of_range_is_seen_where_bounds_are_checked(tmp_path):
    done = checked(tmp_path, "-c", OUT_OF_RANGE)
    assert done.returncode == 0, done.stderr
    within, beyond = done.stdout.splitlines()
    assert "True" not in within
    assert "False" not in beyond


@pytest.mark.slow
def test_the_kernels_own_tests_pass_where_bounds_are_checked(tmp_path):
    sweeps = [
        f"tests/engine/test_sweep.py::{name}"
        for cell in ("rnn", "lstm", "gru", "lstm_peephole", "min_gru")  # one or two states, the fewest and most rows
        for name in (
            f"test_every_state_gradient_of_every_layer_and_step_is_autograds[{cell}-3]",
            f"test_chunks_that_are_computed_again_on_the_way_back_change_nothing[{cell}-3]",
            f"test_several_cotangents_over_one_forward_pass_give_what_each_gives_alone[{cell}]",
            f"test_parameter_input_and_initial_state_gradients_are_autograds[{cell}]",
        )
    ]
    single = "test_weights_of_any_magnitude_give_finite_norms_or_say_where_they_do_not[lstm-float32]"
    chosen = [*sweeps, f"tests/engine/test_sweep.py::{single}", "tests/engine/test_products.py"]
    done = checked(tmp_path, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", *chosen)
    assert done.returncode == 0, done.stdout[-4000:]
    assert any(tmp_path.rglob("*.nbc")), "the kernels were not compiled anew"
