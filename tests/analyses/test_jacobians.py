"""Product and step Jacobians against autograd's own, against known answers, and the law that they compose."""

import importlib

import numpy as np
import pytest
import torch

from gradlab.analyses.jacobians import (
    BOUND,
    LAG_COLUMNS,
    RANDOM_COTANGENT,
    SINGULAR_COLUMNS,
    SINGULAR_VALUE,
    STEEPEST,
    farthest,
    product_jacobians,
    random_unit,
    singular_values_by_lag,
    step_jacobians,
)
from gradlab.analyses.traces import trace
from gradlab.cells import CELLS
from gradlab.engine.reference import unroll
from gradlab.network.stack import Layer, Stack
from tests.networks import drawn_case

JACOBIANS = importlib.import_module("gradlab.analyses.jacobians.products")
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


@pytest.mark.parametrize("depth", [1, pytest.param(3, marks=pytest.mark.slow)])
@pytest.mark.parametrize("cell", CELLS)
def test_products_and_steps_are_autograds(cell, depth):
    T, sequence = 5, 1
    case = drawn_case(cell, depth, H=5, X=3, T=T, B=3, seed=depth)
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
    monkeypatch.setattr(JACOBIANS, "BLOCK_BYTES", 1)
    assert close(step_jacobians(case.stack, case.inputs, case.initial_state), steps)
    for blocks in ([slice(0, 8), slice(8, 26)], [slice(0, 8), slice(8, 16), slice(16, 26)]):
        monkeypatch.setattr(JACOBIANS, "blocks_of", lambda n, work, blocks=blocks: blocks)
        together = product_jacobians(case.stack, case.inputs, case.initial_state)
        for t in range(20):
            assert close(together.at(t), alone.at(t))


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("n", [1, 7, 8, 17, 64])
def test_the_blocks_of_threads_are_all_rows_once_and_none_is_empty(n, threads, monkeypatch):
    monkeypatch.setenv("GRADLAB_THREADS", str(threads))
    blocks = JACOBIANS.blocks_of(n, 10**12)
    assert [row for block in blocks for row in range(n)[block]] == list(range(n))
    assert all(block.start < block.stop and block.start % 8 == 0 for block in blocks)
    assert len(blocks) == min(threads, max(n // 8, 1))


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


def of_quantity(table, quantity):
    return table[table["quantity"] == quantity]


@pytest.mark.parametrize("seed", [0, 1])
def test_an_orthogonal_linear_net_keeps_every_direction_at_every_lag_and_reaches_its_bound(seed):
    Q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((9, 9)))
    table = singular_values_by_lag(linear(Q), np.zeros((300, 1, 1)), most=50, seed=seed)
    assert tuple(table.columns) == LAG_COLUMNS
    assert set(table["quantity"]) == {SINGULAR_VALUE, RANDOM_COTANGENT, BOUND}
    assert table["resolved"].all()
    assert np.abs(table["log10_value"]).max() < 1e-10
    assert set(table["lag"]) >= {0, 1, 299}
    assert table["step"].nunique() == 50


def test_a_linear_net_has_the_singular_values_of_the_power_of_its_weight():
    U = np.random.default_rng(3).standard_normal((5, 5)) / 2
    table = of_quantity(singular_values_by_lag(linear(U), np.zeros((7, 1, 1))), SINGULAR_VALUE)
    for lag, own in table.groupby("lag"):
        expected = np.log10(np.linalg.svd(np.linalg.matrix_power(U, lag), compute_uv=False))
        assert np.abs(own["log10_value"].to_numpy() - expected)[own["resolved"]].max() < 1e-9, lag


@pytest.mark.parametrize("gain", [0.5, 1.0, 2.5])
@pytest.mark.parametrize("cell", STEEPEST)
def test_no_singular_value_and_no_cotangent_exceeds_the_bound(cell, gain):
    case = drawn_case(cell, depth=1, H=8, T=40, B=1, gain=gain, seed=5)
    table = singular_values_by_lag(case.stack, case.inputs, case.initial_state)
    bound = of_quantity(table, BOUND).set_index("step")["log10_value"]
    sigma = np.linalg.svd(case.stack.layers[0].U, compute_uv=False)[0]
    assert bound[0] == pytest.approx(39 * np.log10(sigma), abs=1e-12)
    for quantity in (SINGULAR_VALUE, RANDOM_COTANGENT):
        own = of_quantity(table, quantity)
        assert (own["log10_value"].to_numpy() <= bound[own["step"]].to_numpy() + 1e-10).all()


@pytest.mark.parametrize(("cell", "depth"), [("lstm", 1), ("gru", 1), ("leaky", 1), ("rnn", 2)])
def test_cells_and_stacks_of_which_the_bound_says_nothing_have_none(cell, depth):
    case = drawn_case(cell, depth=depth, H=4, T=5, B=1)
    table = singular_values_by_lag(case.stack, case.inputs)
    assert BOUND not in set(table["quantity"])
    assert farthest(table).bound is None


def test_in_a_stack_a_power_of_the_largest_norm_of_both_layers_is_no_bound():
    case = drawn_case("rnn_linear", depth=2, H=4, T=3, B=1)
    layers = [layer._replace(U=0.1 * np.eye(4), W=5 * np.eye(4)[:, : layer.W.shape[1]]) for layer in case.stack.layers]
    table = singular_values_by_lag(Stack("rnn_linear", tuple(layers)), case.inputs)
    assert farthest(table).largest > 2 * np.log10(0.1), "the lower layer reaches the upper one's last step through W"


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("cell", ["lstm", "lstm_peephole", "gru"])
def test_h_alone_is_autograds_block(cell, depth):
    H, T = 5, 6
    case = drawn_case(cell, depth=depth, H=H, X=3, T=T, B=1, seed=8)
    table = singular_values_by_lag(case.stack, case.inputs, case.initial_state, of="h")
    kinds = len(CELLS[cell].states)
    own = np.arange(depth * kinds * H).reshape(depth, kinds, H)[:, 0].ravel()
    v = random_unit(depth * H)
    for step in range(T - 1):
        block = by_autograd(case, 0, step + 1)[np.ix_(own, own)]
        at = table[table["step"] == step]
        found, expected = of_quantity(at, SINGULAR_VALUE), np.linalg.svd(block, compute_uv=False)
        wide = found["resolved"].to_numpy()
        assert len(wide) == depth * H
        assert np.abs(found["log10_value"].to_numpy() - np.log10(expected))[wide].max() < 1e-8
        seen = of_quantity(at, RANDOM_COTANGENT)["log10_value"].item()
        assert seen == pytest.approx(np.log10(np.linalg.norm(block.T @ v)), abs=1e-10)


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_what_a_random_cotangent_sees_is_the_trace_of_that_loss(cell):
    case = drawn_case(cell, depth=1, H=6, T=20, B=1, seed=1)
    cotangents = np.zeros((20, 1, 6))
    cotangents[-1, 0] = random_unit(6, seed=4)
    norms = trace(case.stack, case.inputs, cotangents, case.initial_state).log10_norm("h")[0, :, 0]
    table = singular_values_by_lag(case.stack, case.inputs, case.initial_state, of="h", seed=4)
    assert np.abs(of_quantity(table, RANDOM_COTANGENT)["log10_value"].to_numpy() - norms).max() < 1e-10


def test_squares_of_what_random_cotangents_see_average_to_the_mean_square_of_the_singular_values():
    case = drawn_case("lstm", depth=1, H=3, T=6, B=1, seed=2)
    seen = []
    for seed in range(400):
        table = singular_values_by_lag(case.stack, case.inputs, seed=seed, most=3)
        seen.append(of_quantity(table, RANDOM_COTANGENT)["log10_value"].iloc[0])
    expected = 10 ** (2 * product_jacobians(case.stack, case.inputs).log10_norms()[0]) / 6
    assert np.mean(10 ** (2 * np.array(seen))) == pytest.approx(expected, rel=0.15)  # 400 draws


def test_what_is_farthest_is_read_off_the_table():
    lag = 4
    table = singular_values_by_lag(linear(np.diag([0.9, 0.8, 1e-5])), np.zeros((lag + 1, 1, 1)))
    found = farthest(table)
    assert (found.lag, found.count, found.resolved, found.keep_half) == (4, 3, 2, 1)
    assert found.largest == pytest.approx(4 * np.log10(0.9)), "0.66; the second is 0.41"
    assert found.smallest == pytest.approx(4 * np.log10(0.8))
    assert found.bound == pytest.approx(found.largest)


@pytest.mark.parametrize("side", ["row", "column"])
def test_singular_values_of_whole_rows_or_columns_of_zeros_are_exactly_zero_and_not_called_resolved(side):
    U = np.random.default_rng(0).standard_normal((6, 6))
    (U if side == "row" else U.T)[[2, 4]] = 0
    table = of_quantity(singular_values_by_lag(linear(U), np.zeros((9, 1, 1))), SINGULAR_VALUE)
    back = table[table["lag"] > 0]
    zero = back["index"] >= 4
    assert np.isneginf(back["log10_value"][zero]).all()
    assert np.isfinite(back["log10_value"][~zero]).all()
    assert not back["resolved"][zero].any()


def test_what_keeps_a_half_exactly_keeps_no_more_than_a_half():
    table = singular_values_by_lag(linear(np.diag([0.9, 0.5, 0.0])), np.zeros((2, 1, 1)))
    assert (farthest(table).keep_half, farthest(table).zero) == (1, 1)


def test_a_short_sequence_an_overflow_and_exact_zeros_have_a_table():
    one = singular_values_by_lag(linear(np.eye(2)), np.zeros((1, 1, 1)))
    assert one["log10_value"].tolist() == [0.0] * 4
    zeros = singular_values_by_lag(linear(np.zeros((2, 2))), np.zeros((3, 1, 1)))
    assert (of_quantity(zeros, BOUND)["log10_value"].to_numpy() == [-np.inf, -np.inf, 0.0]).all()
    assert farthest(zeros).resolved == 0
    growth = Stack("rnn_relu", (Layer(np.ones((3, 1)), 1e60 * np.eye(3), np.zeros(3), np.zeros(3)),))
    assert np.isnan(farthest(singular_values_by_lag(growth, np.ones((8, 1, 1)))).largest)


def test_what_a_table_by_lag_cannot_be_of_is_refused():
    with pytest.raises(ValueError, match="of = 'c' is not allowed: use 'state' or 'h'"):
        singular_values_by_lag(linear(np.eye(2)), np.zeros((3, 1, 1)), of="c")
    with pytest.raises(ValueError, match="most = 2"):
        singular_values_by_lag(linear(np.eye(2)), np.zeros((3, 1, 1)), most=2)


def test_what_does_not_fit_is_refused_by_name(monkeypatch):
    case = drawn_case("lstm", depth=1, H=4, X=3, T=6, B=2)
    with pytest.raises(ValueError, match=r"inputs has shape \(6, 2\)"):
        product_jacobians(case.stack, case.inputs[..., 0])
    with pytest.raises(ValueError, match="sequence = 2 is not allowed: use a whole number from 0 to 1"):
        product_jacobians(case.stack, case.inputs, sequence=2)
    with pytest.raises(ValueError, match="initial_state has 1 parts"):
        step_jacobians(case.stack, case.inputs, case.initial_state[0])
    for steps in ([6], [-1, 3], [3, 6]):
        with pytest.raises(ValueError, match="use 0 to 5"):
            product_jacobians(case.stack, case.inputs).singular_values(steps=steps)
    monkeypatch.setattr(PLAN, "memory_limit", lambda: 1000)
    for jacobians in (product_jacobians, step_jacobians):
        with pytest.raises(ValueError, match="lower steps, "):
            jacobians(case.stack, case.inputs)


def test_a_value_below_n_times_the_precision_is_lost_to_rounding():
    """diag(1, σ) with σ between one and two units in the last place of 1: of two numbers that is lost."""
    for ratio, resolved in ((3e-16, False), (6e-16, True)):
        U, none = np.diag([1.0, ratio]), np.zeros(2)
        stack = Stack("rnn_linear", (Layer(np.eye(2), U, none, none),))
        values = product_jacobians(stack, np.zeros((3, 1, 2))).singular_values([1])
        assert values["resolved"].to_list() == [True, resolved]


def test_an_overflow_of_the_top_layer_alone_is_one_of_the_whole_state():
    """The lower layer keeps 1e308, ten times which the upper one would have."""
    none, one = np.zeros(1), np.ones((1, 1))
    stack = Stack("rnn_relu", (Layer(one, 0 * one, none, none), Layer(10 * one, one, none, none)))
    inputs = np.zeros((5, 1, 1))
    inputs[2] = 1e308
    assert product_jacobians(stack, inputs).non_finite
    steps = step_jacobians(stack, inputs)
    assert np.isfinite(steps[:2]).all()
    assert np.isnan(steps[3:]).all()  # the state before is not finite in one of its two numbers


@pytest.mark.parametrize("step", [0, 3, 5])
def test_an_overflow_at_any_step_the_last_included_leaves_jacobians_undefined(step):
    inputs, none = np.zeros((6, 1, 1)), np.zeros(1)
    inputs[step] = 1e308
    stack = Stack("rnn_relu", (Layer(np.full((1, 1), 10.0), np.ones((1, 1)), none, none),))
    assert product_jacobians(stack, inputs).non_finite
    assert not product_jacobians(stack, 0 * inputs).non_finite
