"""Product and step Jacobians against autograd's own, against known answers, and the law that they compose."""

import importlib

import numpy as np
import pytest
import torch

from gradlab.analyses.jacobians import SINGULAR_COLUMNS, product_jacobians, step_jacobians
from gradlab.cells import CELLS
from gradlab.engine.reference import unroll
from gradlab.network.stack import Layer, Stack
from tests.networks import drawn_case

JACOBIANS = importlib.import_module("gradlab.analyses.jacobians")
PLAN = importlib.import_module("gradlab.engine.plan")


def by_autograd(case, sequence, begin):
    """∂(last states)/∂(states before the step `begin`) [n, n] of one sequence, states as they are there."""
    own = slice(sequence, sequence + 1)
    inputs = case.inputs[:, own]
    start = [torch.from_numpy(value[:, own]) for value in case.initial_state]
    states = list(unroll(case.stack, inputs, start))
    if begin:
        layers = states[begin - 1]
        start = [torch.stack(kind) for kind in zip(*layers, strict=True)]
    at = torch.cat([value.detach() for value in start], dim=1).flatten()  # layer, state, unit

    def last(flat):
        parts = flat.reshape(case.stack.depth, len(start), 1, -1)
        *_, end = unroll(case.stack, inputs[begin:], [parts[:, kind] for kind in range(len(start))])
        return torch.cat([value for layer in end for value in layer], dim=1)[0]

    return torch.autograd.functional.jacobian(last, at).numpy()


def close(found, expected):
    return np.abs(found - expected).max() < 1e-12 * max(1, np.abs(expected).max())


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("cell", CELLS)
def test_products_and_steps_are_autograds(cell, depth):
    T, sequence = 5, 1
    case = drawn_case(cell, depth, H=5, X=3, T=T, B=2, seed=depth)
    found = product_jacobians(case.stack, case.inputs, case.initial_state, sequence)
    for step in range(T - 1):
        assert close(found.at(step), by_autograd(case, sequence, step + 1)), step
    n = depth * len(CELLS[cell].states) * 5
    assert np.array_equal(found.at(T - 1), np.eye(n))
    steps = step_jacobians(case.stack, case.inputs, case.initial_state, sequence)
    for t in range(T):
        until = case._replace(inputs=case.inputs[: t + 1])
        assert close(steps[t], by_autograd(until, sequence, t)), t


@pytest.mark.parametrize("cell", CELLS)
def test_products_compose_and_are_the_products_of_the_steps(cell):
    T, u = 30, 17
    case = drawn_case(cell, depth=2, H=9, T=T, B=1, seed=2)
    whole = product_jacobians(case.stack, case.inputs, case.initial_state)
    until = product_jacobians(case.stack, case.inputs[: u + 1], case.initial_state)
    steps = step_jacobians(case.stack, case.inputs, case.initial_state)
    for t in (0, 5, u):
        expected = whole.at(u) @ until.at(t)
        assert np.linalg.norm(whole.at(t) - expected) < 1e-12 * np.linalg.norm(expected)
        by_steps = np.linalg.multi_dot(steps[:t:-1])
        assert np.linalg.norm(whole.at(t) - by_steps) < 1e-12 * np.linalg.norm(by_steps)


def linear(U, W=None):
    H = len(U)
    return Stack("rnn_linear", (Layer(np.zeros((H, 1)) if W is None else W, U, np.zeros(H), np.zeros(H)),))


@pytest.mark.parametrize(("factor", "lag", "expected"), [(0.9, 100, 2.656e-5), (1.1, 100, 13780.6)])
def test_a_linear_unit_gives_its_factor_to_the_power_of_the_lag(factor, lag, expected):
    found = product_jacobians(linear(np.array([[factor]])), np.zeros((lag + 1, 1, 1)))
    assert found.at(0)[0, 0] == pytest.approx(factor**lag, rel=1e-12)
    assert found.at(0)[0, 0] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("gain", [1, 0.5, 3])
def test_an_orthogonal_linear_net_has_all_singular_values_gain_to_the_lag_beyond_the_range_of_numbers(gain):
    Q, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((9, 9)))
    T = 2000
    found = product_jacobians(linear(gain * Q), np.zeros((T, 1, 1)))
    table = found.singular_values()
    assert tuple(table.columns) == SINGULAR_COLUMNS
    assert len(table) == 9 * T
    assert table.resolved.all()
    assert np.abs(table.log10_singular_value - table.lag * np.log10(gain)).max() < 1e-10
    assert np.abs(found.log10_norms() - (np.arange(T)[::-1] * np.log10(gain) + np.log10(3))).max() < 1e-10
    assert (gain == 1) == bool(0 < np.abs(found.at(0)).max() < np.inf)  # as plain numbers they are 0 or infinite


def test_small_singular_values_that_rounding_has_taken_are_not_called_resolved():
    table = product_jacobians(linear(np.diag([2.0, 0.4])), np.zeros((61, 1, 1))).singular_values()
    first = table[table.step == 0]
    assert first.log10_singular_value.iloc[0] == pytest.approx(60 * np.log10(2), rel=1e-12)
    assert list(first.resolved) == [True, False]  # 5^60 apart
    assert table[table.lag == 10].resolved.all()


def test_the_singular_values_are_numpys_of_the_same_product():
    case = drawn_case("lstm", depth=1, H=6, T=12, B=1, seed=4)
    found = product_jacobians(case.stack, case.inputs, case.initial_state)
    table = found.singular_values(steps=[3, 0])
    assert list(table.step.unique()) == [3, 0]
    for step, own in table.groupby("step"):
        expected = np.log10(np.linalg.svd(found.at(step), compute_uv=False))
        assert np.abs(own.log10_singular_value.to_numpy() - expected)[own.resolved].max() < 1e-9


def test_rows_in_threads_and_steps_in_blocks_are_the_same_jacobians(monkeypatch):
    case = drawn_case("gru", depth=2, H=13, T=20, B=1, seed=6)
    alone = product_jacobians(case.stack, case.inputs, case.initial_state)
    steps = step_jacobians(case.stack, case.inputs, case.initial_state)
    monkeypatch.setattr(JACOBIANS, "_blocks", lambda n, work: [slice(0, 8), slice(8, 16), slice(16, n)])
    monkeypatch.setattr(JACOBIANS, "BLOCK_BYTES", 1)
    together = product_jacobians(case.stack, case.inputs, case.initial_state)
    for t in range(20):
        assert close(together.at(t), alone.at(t))
    assert close(step_jacobians(case.stack, case.inputs, case.initial_state), steps)


def test_float32_keeps_its_digits():
    case = drawn_case("lstm", depth=2, H=8, T=400, B=1, seed=7)
    single = [Layer(*(part.astype("float32") for part in layer)) for layer in case.stack.layers]
    double = product_jacobians(case.stack, case.inputs).log10_norms()
    found = product_jacobians(Stack("lstm", tuple(single)), case.inputs).log10_norms()
    assert np.abs(found - double).max() < 1e-3
    assert double.min() < -45  # beyond float32's range


def test_an_overflowing_forward_pass_is_said_and_leaves_what_does_not_depend_on_it():
    H = 3
    growth = Stack("rnn_relu", (Layer(np.ones((H, 1)), 1e60 * np.eye(H), np.zeros(H), np.zeros(H)),))
    inputs = np.ones((8, 1, 1))
    found = product_jacobians(growth, inputs)
    assert found.non_finite
    assert np.isnan(found.at(0)).any()
    assert np.isnan(found.singular_values(steps=[0]).log10_singular_value).all()
    steps = step_jacobians(growth, inputs)
    assert np.array_equal(steps[3], 1e60 * np.eye(H))
    assert np.isnan(steps[-1]).all()


def test_what_does_not_fit_is_refused_by_name(monkeypatch):
    case = drawn_case("lstm", depth=1, H=4, X=3, T=6, B=2)
    with pytest.raises(ValueError, match=r"inputs has shape \(6, 2\)"):
        product_jacobians(case.stack, case.inputs[..., 0])
    with pytest.raises(ValueError, match="sequence = 2 is not allowed: use a whole number from 0 to 1"):
        product_jacobians(case.stack, case.inputs, sequence=2)
    with pytest.raises(ValueError, match="initial_state has 1 parts"):
        step_jacobians(case.stack, case.inputs, case.initial_state[0])
    with pytest.raises(ValueError, match="use 0 to 5"):
        product_jacobians(case.stack, case.inputs).singular_values(steps=[6])
    monkeypatch.setattr(PLAN, "memory_limit", lambda: 1000)
    for jacobians in (product_jacobians, step_jacobians):
        with pytest.raises(ValueError, match="lower steps, "):
            jacobians(case.stack, case.inputs)
