"""The sweep against finite differences of the forward pass: an oracle that knows no adjoint at all."""

import numpy as np
import pytest

from gradlab.analyses.arguments import sparse
from gradlab.cells import CELLS
from gradlab.engine import Nudge, finite_difference, sweep, times_power
from tests.networks import drawn_case

ALLOWED = 1e-9  # of the gradient's norm
ROUNDING = 2e-11  # of the loss, over the size of the nudge
INTO = {"h": "totals", "a_x": "a_x_bar"}


def differences(case, layer, step, into, seed=0):
    """(derivative along a random direction by the sweep, the Difference along it, the gradient's norm)."""
    swept = sweep(case.stack, case.inputs, sparse(case.cotangents), keep=("totals", "a_x_bar"))
    part = swept.adjoints[layer]
    kept = getattr(part, INTO[into])[step]
    gradient = times_power(kept[:, 0] if into == "h" else kept, part.exponents[step]).reshape(len(kept), -1)
    direction = np.random.default_rng(seed).standard_normal(gradient.shape)
    direction /= np.linalg.norm(direction)
    found = (gradient * direction).sum()
    nudge = Nudge(layer, step, into, direction)
    expected = finite_difference(case.stack, case.inputs, case.cotangents, nudge)
    return found, expected, np.linalg.norm(gradient)


@pytest.mark.parametrize("into", INTO)
@pytest.mark.parametrize("depth", [1, pytest.param(3, marks=pytest.mark.slow)])
@pytest.mark.parametrize("cell", CELLS)
def test_the_loss_changes_along_any_nudge_as_the_gradient_says(cell, depth, into):
    for layer in range(depth):
        for step in (0, 2, 6):
            case = drawn_case(cell, depth, H=9, X=4, T=7, B=3, seed=step, initial=False)
            case.cotangents[-1] += 1  # so that something reaches every step
            found, expected, size = differences(case, layer, step, into)
            assert abs(found - expected.value) < ALLOWED * size + ROUNDING, (layer, step)
            assert abs(found - expected.value) <= expected.error + 1e-15  # its own estimate holds


@pytest.mark.parametrize("cell", CELLS)
def test_a_gradient_off_by_a_twentieth_of_a_percent_is_seen_by_finite_differences(cell):
    case = drawn_case(cell, depth=2, H=9, T=7, B=3, initial=False)
    case.cotangents[-1] += 1
    for into in INTO:
        found, expected, size = differences(case, 0, 3, into)
        assert abs(1.0005 * found - expected.value) > 10 * (expected.error + ALLOWED * size)


def test_halving_the_size_divides_the_extrapolated_error_by_sixteen():
    case = drawn_case("rnn", depth=1, H=9, T=7, B=1, initial=False, gain=2)
    case.cotangents[-1] += 1
    nudge = Nudge(0, 3, "a_x", np.ones((1, 9)) / 3)
    right = finite_difference(case.stack, case.inputs, case.cotangents, nudge).value
    wide, narrow = (
        finite_difference(case.stack, case.inputs, case.cotangents, nudge, sizes=(size,)) for size in (0.08, 0.04)
    )
    assert abs(wide.value - right) / abs(narrow.value - right) == pytest.approx(16, rel=0.3)
    assert abs(narrow.value - right) < narrow.error
