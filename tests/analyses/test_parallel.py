"""Newton iterations for a whole trajectory against the run step by step, a loop in numpy, and what is known of them."""

import numpy as np
import pytest
import torch

import gradlab
from gradlab.analyses.parallel import ITERATION_COLUMNS, parallel
from gradlab.cells import CELLS
from gradlab.engine.reference import unroll
from gradlab.network.stack import Layer, Stack
from tests.networks import drawn_case


def tanh_network(gain, H=64, seed=0):
    U = gain / np.sqrt(H) * np.random.default_rng(seed).standard_normal((H, H))
    return Stack("rnn", (Layer(0.1 * np.eye(H), U, np.zeros(H), np.zeros(H)),))


def noise(T, H, seed=0):
    return np.random.default_rng(100 + seed).standard_normal((T, 1, H))


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_the_states_are_those_of_a_run_step_by_step(cell, depth):
    case = drawn_case(cell, depth, H=5, X=3, T=40, B=2, seed=1)
    found = parallel(case.stack, case.inputs, case.initial_state, sequence=1)
    expected = step_by_step(case, 1)
    assert np.abs(found.states - expected).max() < 1e-7
    assert found.iterations is not None
    assert found.iterations <= 40


def step_by_step(case, sequence):
    start = [torch.from_numpy(value) for value in case.initial_state]
    return [
        np.concatenate([value.detach().numpy()[sequence] for layer in states for value in layer])
        for states in unroll(case.stack, case.inputs, start)
    ]


@pytest.mark.parametrize("gain", [0.5, 1.0, 1.6])
def test_it_takes_as_many_iterations_as_a_loop_in_numpy(gain):
    stack, x = tanh_network(gain, H=12), noise(60, 12)
    U, h, right = stack.layers[0].U, np.zeros(12), []
    for step in x[:, 0]:
        h = np.tanh(U @ h + 0.1 * step)
        right.append(h)
    guess, errors, leading = np.zeros((60, 12)), [], []
    while not errors or errors[-1] > 1e-8:
        errors.append(np.abs(guess - right).max())
        leading.append(next((t for t, off in enumerate(np.abs(guess - right).max(axis=1)) if off > 1e-8), 60))
        before, change, following = np.concatenate([np.zeros((1, 12)), guess[:-1]]), np.zeros(12), []
        for step, old, now in zip(x[:, 0], before, guess, strict=True):
            new = np.tanh(U @ old + 0.1 * step)
            following.append(new + (1 - new**2) * (U @ change))
            change = following[-1] - now
        guess = np.array(following)
    found = parallel(stack, x)
    assert found.iterations == len(errors) - 1
    assert found.right_steps.tolist() == leading
    near = (np.array(errors) < 0.1) & (np.array(errors) > 1e-10)  # where an iteration takes all but a square of them
    assert near.sum() >= 2
    assert found.errors[near] == pytest.approx(np.array(errors)[near], rel=0.1)


def test_a_linear_network_is_solved_at_once_whatever_its_gain():
    for gain in (0.5, 1.5):
        Q, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((8, 8)))
        stack = Stack("rnn_linear", (Layer(np.eye(8), gain * Q, np.zeros(8), np.zeros(8)),))
        assert parallel(stack, noise(30, 8), tolerance=1e-6, most=1).iterations == 1


@pytest.mark.slow
@pytest.mark.parametrize(("gain", "fewest", "most"), [(0.5, 3, 3), (0.8, 4, 4), (1.0, 9, 12), (1.2, 12, 21)])
def test_calm_networks_of_64_units_take_few_iterations_over_256_steps_as_is_known(gain, fewest, most):
    for seed in range(2):
        assert fewest <= parallel(tanh_network(gain, seed=seed), noise(256, 64, seed)).iterations <= most


@pytest.mark.slow
def test_the_more_chaotic_a_network_the_less_is_saved():
    stacks = [tanh_network(gain, H=32, seed=1) for gain in (0.5, 1.0, 1.5, 2.0, 4.0)]
    counts = [parallel(stack, noise(128, 32)).iterations for stack in stacks]
    assert counts == sorted(counts)
    assert counts[-1] > 100
    exponents = [gradlab.jacobians.lyapunov_exponents(stack, noise(2000, 32), count=1)[0] for stack in stacks]
    assert [count < 16 for count in counts] == [exponent < 0 for exponent in exponents]


@pytest.mark.parametrize("gain", [0.9, 3.0])
def test_after_k_iterations_the_first_k_states_are_right(gain):
    found = parallel(tanh_network(gain, H=16), noise(40, 16))
    assert (found.right_steps >= np.minimum(np.arange(len(found.right_steps)), 40)).all()
    assert found.right_steps[-1] == 40
    table = found.table
    assert tuple(table.columns) == ITERATION_COLUMNS
    assert len(table) == found.iterations + 1


def test_what_is_not_right_after_the_most_iterations_has_no_number_of_them():
    found = parallel(tanh_network(4.0, H=16), noise(60, 16), most=5)
    assert found.iterations is None
    assert len(found.errors) == 6
    growth = Stack("rnn_relu", (Layer(np.ones((2, 1)), 1e60 * np.eye(2), np.zeros(2), np.zeros(2)),))
    assert parallel(growth, np.ones((8, 1, 1))).iterations is None


@pytest.mark.parametrize(
    ("options", "sentence"),
    [({"tolerance": 0.0}, "tolerance = 0.0"), ({"tolerance": np.nan}, "tolerance = nan"), ({"most": 0}, "most = 0")],
)
def test_what_cannot_be_asked_for_is_refused_by_name(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        parallel(tanh_network(1.0, H=4), noise(5, 4), **options)
