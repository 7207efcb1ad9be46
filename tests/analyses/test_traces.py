"""Traces in cases with a known answer, at any length and magnitude; and what is refused before the work begins."""

import importlib
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gradlab import Experiment, Stack, estimate, trace
from gradlab.analyses.arguments import sparse
from gradlab.analyses.frames import log10_entered
from gradlab.analyses.problem import problem_of, refuse_too_large
from gradlab.analyses.traces import RATE_COLUMNS, TABLE_COLUMNS
from gradlab.cells import CELLS
from gradlab.engine import autograd, sweep
from gradlab.network.stack import Layer, gate_rows
from gradlab.settings.drawing import cotangents_of, inputs_of
from gradlab.settings.initializations import INITIALIZATIONS
from tests.networks import drawn_case, drawn_stack, log10_norms

PLAN = importlib.import_module("gradlab.engine.plan")

LOG10_2 = math.log10(2)


def plain_stack(cell, U, W=None, b=None, depth=1):
    """Layers with one U, W (0 unless given) and bias (0 unless given), all float64."""
    U = np.asarray(U, float)
    rows, H = U.shape
    layer = Layer(np.zeros((rows, H)) if W is None else W, U, np.zeros(rows) if b is None else b, np.zeros(rows))
    return Stack(cell, (layer,) * depth)


def last_step(T, B, H, value=None, seed=0):
    """A cotangent at the last step alone: random directions of norm 1, or the given value."""
    cotangents = np.zeros((T, B, H))
    direction = np.random.default_rng(seed).standard_normal((B, H))
    cotangents[-1] = direction / np.linalg.norm(direction, axis=1, keepdims=True) if value is None else value
    return cotangents


def left(stack, T, inputs=None, initial_state=None, state="h", B=1):
    """log10 of what is left of a unit cotangent at every lag, [T, B], the lowest layer."""
    H, X = stack.hidden_size, stack.input_size
    given = np.zeros((T, B, X)) if inputs is None else inputs
    return trace(stack, given, last_step(T, B, H), initial_state).log10_norm(state)[0, ::-1]


# closed forms (numbers as in the list of exact identities)


def test_a_linear_rnns_gradient_is_the_power_of_its_matrix():
    random = np.random.default_rng(0)
    H, T = 7, 60
    U = random.standard_normal((H, H)) / np.sqrt(H)
    cotangents = last_step(T, 1, H)
    found = trace(plain_stack("rnn_linear", U), np.zeros((T, 1, H)), cotangents).log10_norm("h")[0, ::-1, 0]
    powers = [np.linalg.norm(cotangents[-1, 0] @ np.linalg.matrix_power(U, lag)) for lag in range(T)]
    assert np.abs(found - np.log10(powers)).max() < 1e-11


@pytest.mark.parametrize(("u", "after_100"), [(0.9, 2.656e-5), (1.1, 13780.6)])
def test_a_scalar_linear_rnn_keeps_its_weight_to_the_power_of_the_lag(u, after_100):
    found = left(plain_stack("rnn_linear", [[u]]), 101)[:, 0]
    assert np.abs(found - np.arange(101) * math.log10(u)).max() < 1e-12
    assert 10 ** found[100] == pytest.approx(after_100, rel=1e-4)


@pytest.mark.parametrize("gain", [0.5, 1.0, 2.0])
def test_an_orthogonal_linear_rnn_changes_the_norm_by_its_gain_alone(gain):
    T = 2001
    e = Experiment(
        cell="rnn_linear", initialization="orthogonal", gain=gain, hidden_size=32, steps=T, batch_size=2, inputs="zero"
    )
    found = trace(e).log10_norm("h")[0, ::-1]
    exact = np.arange(T)[:, None] * math.log10(gain)
    assert np.abs(found - exact).max() < 1e-12


def test_a_rectified_rnn_with_the_identity_keeps_the_norm_exactly():
    found = left(plain_stack("rnn_relu", np.eye(20)), 1001, initial_state=np.full((1, 1, 20), 0.3))
    assert np.abs(found - found[0]).max() == 0


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.integers(1, 20), st.floats(0.05, 3), st.sampled_from(["rnn", "rnn_relu"]))
def test_no_gradient_exceeds_the_spectral_norm_to_the_power_of_the_lag(seed, H, gain, cell):
    """Pascanu et al. 2013, eq. 6-7, with γ = 1 for tanh and the rectifier."""
    random = np.random.default_rng(seed)
    stack = drawn_stack(cell, 1, H, 3, random, gain=gain)
    T = 30
    found = left(stack, T, random.standard_normal((T, 2, 3)), B=2)
    bound = np.arange(T)[:, None] * math.log10(np.linalg.norm(stack.layers[0].U, 2))
    assert (found <= bound + 1e-12).all()


@pytest.mark.parametrize("bias", [0.0, 1.0, 2.0, 5.0, -3.0])
def test_a_zero_weight_lstm_keeps_the_forget_gate_to_the_power_of_the_lag(bias):
    H, T = 6, 51
    b = np.zeros(4 * H)
    b[gate_rows("lstm", "forget", H)] = bias
    found = left(plain_stack("lstm", np.zeros((4 * H, H)), np.zeros((4 * H, H)), b), T, state="c")[:, 0]
    sigma = 1 / (1 + math.exp(-bias))
    assert np.abs(found - found[0] - np.arange(T) * math.log10(sigma)).max() < 1e-12
    if bias == 1:
        assert 10 ** (found[50] - found[0]) == pytest.approx(1.576192e-7, rel=1e-6)
    h = left(plain_stack("lstm", np.zeros((4 * H, H)), np.zeros((4 * H, H)), b), T)[:, 0]
    assert h[0] == pytest.approx(0, abs=1e-15)
    assert np.isneginf(h[1:]).all()  # h comes back through U alone, and U is zero


@pytest.mark.parametrize("bias", [0.0, 1.0, -2.0])
def test_a_zero_weight_gru_keeps_the_update_gate_to_the_power_of_the_lag(bias):
    H, T = 6, 51
    b = np.zeros(3 * H)
    b[gate_rows("gru", "update", H)] = bias
    found = left(plain_stack("gru", np.zeros((3 * H, H)), np.zeros((3 * H, H)), b), T)[:, 0]
    assert np.abs(found + np.arange(T) * math.log10(1 + math.exp(-bias))).max() < 1e-12


@pytest.mark.parametrize(
    ("cell", "forget_bias", "kept"),
    [("rnn", None, 9e-27), ("gru", None, 1.7e-20), ("lstm", None, 1.1e-20), ("lstm", 1.0, 1.3e-7), ("lstm", 3.0, 1.7)],
)
def test_default_networks_keep_what_is_said_of_them_after_100_steps(cell, forget_bias, kept):
    settings = Experiment(cell=cell, forget_bias=forget_bias, hidden_size=128, steps=101, batch_size=2)
    norms = [trace(settings.replace(seed=seed)).log10_norm(CELLS[cell].states[-1])[0] for seed in range(6)]
    decades = np.array([(of_seed[0] - of_seed[-1]).mean() for of_seed in norms])
    scatter = decades.std(ddof=1)
    assert scatter < 2
    assert abs(decades.mean() - math.log10(kept)) < 3 * scatter


# any length, any magnitude


def test_a_linear_rnn_of_gain_2_over_20000_steps_reads_6020_decades_while_its_forward_pass_overflows():
    T = 20_000
    e = Experiment(
        cell="rnn_linear", initialization="orthogonal", gain=2, hidden_size=16, steps=T, batch_size=2, inputs="zero"
    )
    result = trace(e)
    lags = np.arange(T)[::-1, None]
    assert np.abs(result.log10_norm("h")[0] - lags * LOG10_2).max() < 1e-10
    assert result.log10_norm("h")[0, 0, 0] == pytest.approx(6020.3, abs=0.05)
    assert result.non_finite.pass_ == "forward"
    assert result.non_finite.step == pytest.approx(1024, abs=8)  # 2^1024 is the first power beyond float64
    assert f"step {result.non_finite.step} of layer 0" in result.non_finite.sentence


def test_a_default_rnn_over_5000_steps_has_a_finite_norm_at_every_step():
    result = trace(Experiment(cell="rnn", hidden_size=64, steps=5000, batch_size=2))
    norms = result.log10_norm("h")[0]
    assert np.isfinite(norms).all()
    assert ((norms[0] > -1450) & (norms[0] < -1150)).all()
    assert result.non_finite is None


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_growth_and_decay_beyond_any_floating_point_number_are_counted_exactly(dtype):
    for exponent in (-30, 30):
        U = (2.0**exponent * np.eye(5)).astype(dtype)
        layer = Layer(np.zeros((5, 2), dtype), U, np.zeros(5, dtype), np.zeros(5, dtype))
        T = 400
        norms = trace(Stack("rnn_linear", (layer,)), np.zeros((T, 1, 2)), last_step(T, 1, 5)).log10_norm("h")
        assert np.abs(norms[0, ::-1, 0] - exponent * LOG10_2 * np.arange(T)).max() < 1e-7 * T


@pytest.mark.parametrize("exponent", [-300, -200, 200, 300])
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_huge_and_tiny_cotangents_move_the_norms_and_leave_the_relative_ones(cell, exponent):
    case = drawn_case(cell, depth=2, H=9, T=30, B=3, seed=1, losses=6)
    plain = trace(case.stack, case.inputs, case.cotangents)
    scaled = trace(case.stack, case.inputs, case.cotangents * 10.0**exponent)
    for state in CELLS[cell].states:
        finite = np.isfinite(plain.log10_norm(state))
        moved = scaled.log10_norm(state)[finite] - plain.log10_norm(state)[finite]
        assert np.abs(moved - exponent).max() < 1e-10
        assert np.abs(scaled.log10_relative(state)[finite] - plain.log10_relative(state)[finite]).max() < 1e-10
        assert np.isneginf(scaled.log10_norm(state)[~finite]).all()
    assert np.isfinite(scaled.table.log10_relative_max).sum() > 10


def test_layers_whose_gradients_lie_thousands_of_decades_apart_are_both_measured():
    """The upper layer's gradient vanishes by 10^-10 a step; what the lower one gets of it, it keeps."""
    H, T = 4, 500
    zero = np.zeros(H)
    small, eye = 1e-10 * np.eye(H), np.eye(H)
    stack = Stack("rnn_linear", (Layer(eye, eye, zero, zero), Layer(1e-200 * eye, small, zero, zero)))
    result = trace(stack, np.zeros((T, 1, H)), last_step(T, 1, H))
    lags = np.arange(T)[::-1]
    assert np.abs(result.log10_norm("h")[1, :, 0] + 10.0 * lags).max() < 1e-9
    assert np.abs(result.log10_norm("h")[0, :, 0] + 200).max() < 1e-9  # Σ_k 1e-10^k, carried back by the identity


def test_exact_zeros_are_minus_infinity_and_nothing_else_is():
    """A rectified unit dies; a loss in the middle leaves the later steps without gradient."""
    T, H = 10, 3
    cotangents = np.zeros((T, 1, H))
    cotangents[6] = 1
    inputs = np.ones((T, 1, H))
    inputs[3] = -100  # every unit is off at step 3
    norms = trace(plain_stack("rnn_relu", 0.5 * np.eye(H), np.eye(H)), inputs, cotangents).log10_norm("h")[0, :, 0]
    assert np.isneginf(norms).tolist() == [True] * 3 + [False] * 4 + [True] * 3
    assert norms[6] == pytest.approx(math.log10(math.sqrt(3)))
    assert norms[3] == pytest.approx(math.log10(math.sqrt(3)) - 3 * LOG10_2)


def test_the_smallest_weights_and_cotangents_are_not_taken_for_zero():
    """2^-1022 is the smallest normal number, 2^-1074 the smallest of all."""
    stack = plain_stack("rnn_linear", [[2.0**-1022]])
    norms = trace(stack, np.zeros((4, 1, 1)), last_step(4, 1, 1, 2.0**-1074)).log10_norm("h")[0, ::-1, 0]
    assert np.allclose(norms, -LOG10_2 * (1074 + 1022 * np.arange(4)), rtol=1e-13)


@pytest.mark.parametrize(("depth", "dtype"), [(1, "float64"), (3, "float64"), (2, "float32")])
def test_an_overflowing_rectified_rnn_is_reported_where_numpys_own_loop_overflows(depth, dtype):
    e = Experiment(
        cell="rnn_relu", depth=depth, gain=3, initialization="gaussian", hidden_size=24, steps=1500, batch_size=2,
        dtype=dtype,
    )  # fmt: skip
    result = trace(e)
    stack = result.stack
    h = [np.zeros((2, 24), dtype) for _ in range(depth)]
    first = None
    for t, x in enumerate(inputs_of(e)):
        for layer, (W, U, b_W, b_U) in enumerate(stack.layers):
            with np.errstate(over="ignore", invalid="ignore"):
                x = h[layer] = np.maximum(x @ W.T + b_W + h[layer] @ U.T + b_U, 0)
            if first is None and not np.isfinite(x).all():
                first = layer, t, int(np.flatnonzero(~np.isfinite(x).all(axis=1))[0])
        if first:
            break
    found = result.non_finite
    assert (found.layer, found.step, found.sequence) == first
    assert np.isnan(result.log10_norm("h")).any()
    assert "overflows" in found.sentence


@pytest.mark.parametrize("objective", ["cross_entropy", "squared_error"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_readouts_loss_on_states_that_overflowed_is_undefined_and_reported(objective, dtype):
    e = Experiment(
        cell="rnn_linear", gain=10, initialization="gaussian", hidden_size=6, steps=700, batch_size=2, loss="every",
        objective=objective, dtype=dtype,
    )  # fmt: skip
    result = trace(e)
    assert result.non_finite.pass_ == "forward"
    assert np.isnan(result.log10_norm("h")[0, 0]).all()
    assert result.table.log10_relative.isna().any()


def test_an_adjoint_that_one_step_throws_out_of_range_is_reported():
    U = np.full((4, 4), 1e308)
    result = trace(plain_stack("rnn_linear", U), np.zeros((5, 1, 4)), last_step(5, 1, 4, 1.0))
    assert (result.non_finite.pass_, result.non_finite.step) == ("adjoint", 3)
    assert np.isnan(result.log10_norm("h")[0, :4]).all()
    assert np.isfinite(result.log10_norm("h")[0, 4]).all()
    assert "step 3 of layer 0" in result.non_finite.sentence


def test_an_adjoint_s_overflow_is_reported_in_the_layer_and_sequence_where_it_arose():
    """The top layer's second sequence overflows; the layer below gets it from there, at the same step."""
    top = Layer(np.eye(2), np.full((2, 2), 1e308), np.zeros(2), np.zeros(2))
    stack = Stack("rnn_linear", (Layer(np.eye(2), np.eye(2), np.zeros(2), np.zeros(2)), top))
    cotangents = np.zeros((4, 3, 2))
    cotangents[3, 1] = 1
    found = trace(stack, np.zeros((4, 3, 2)), cotangents)
    assert np.isnan(found.log10_norm("h")[:, 2, 1]).all()
    assert (found.non_finite.layer, found.non_finite.step, found.non_finite.sequence) == (1, 2, 1)


@pytest.mark.parametrize("size", [1e-200, 1e-160, 1e200, 1e160])
def test_what_enters_is_measured_at_sizes_whose_squares_leave_the_range(size):
    T, H = 6, 3
    cotangents = np.zeros((T, 2, H))
    cotangents[1:, 0], cotangents[-1, 1] = size, size
    found = trace(plain_stack("rnn_linear", 0.5 * np.eye(H)), np.zeros((T, 2, H)), cotangents)
    exact = [math.log10(size) + 0.5 * math.log10(count) for count in (5 * H, H)]
    assert found.log10_cotangent == pytest.approx(exact, abs=1e-12)
    assert found.log10_cotangent_last == pytest.approx([math.log10(size) + 0.5 * math.log10(H)] * 2, abs=1e-12)


@pytest.mark.parametrize("size", [1e-200, 1.0, 1e200])
def test_what_enters_at_very_many_steps_is_counted_to_the_last(size):
    entered = log10_entered(sparse(np.full((40_000, 1, 1), size)), 1)
    assert entered == pytest.approx([math.log10(size) + 0.5 * math.log10(40_000)], abs=1e-9)


@pytest.mark.parametrize("steps", [100, 3000])
def test_the_last_loss_alone_rides_on_the_same_passes_and_the_sum_is_what_it_was(steps):
    """In several chunks too; an adjoint of another call gives both."""
    e = Experiment(cell="lstm", depth=2, hidden_size=12, steps=steps, batch_size=3, loss="every")
    found, problem = trace(e), problem_of(e)
    swept = sweep(problem.stack, problem.inputs, problem.loss)
    assert np.abs(found.log10_norms - swept.log10_norms).max() < 1e-12
    last = np.zeros_like(problem.cotangents)
    last[-1] = problem.cotangents[-1]
    alone = trace(problem.stack, problem.inputs, last)
    assert np.abs(found.log10_norms_last - alone.log10_norms).max() < 1e-9
    assert np.abs(found.log10_cotangent_last - alone.log10_cotangent).max() < 1e-12


def test_the_table_of_propagation_has_both_paths_of_the_whole_state():
    e = Experiment(cell="lstm", hidden_size=5, steps=9, loss="every", depth=2)
    found = trace(e)
    table = found.propagation
    assert tuple(table.columns) == TABLE_COLUMNS
    for path, losses in (("all losses", "all"), ("last loss", "last")):
        rows = table[(table["path"] == path) & (table["layer"] == 1)]
        assert set(rows["state"]) == {"h and c"}
        assert rows["log10_norm"].to_numpy() == pytest.approx(found.log10_norm("all", losses)[1].mean(axis=-1))
    with pytest.raises(ValueError, match="losses = 'first' is not allowed: use all or last"):
        found.log10_norm("h", "first")


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("initialization", INITIALIZATIONS)
def test_any_initialization_gives_autograds_norms_wherever_float64_can_hold_them(cell, initialization):
    e = Experiment(
        cell=cell, initialization=initialization, depth=2, hidden_size=13, steps=40, batch_size=2, loss="every"
    )
    result = trace(e)
    expected = log10_norms(autograd(result.stack, inputs_of(e), cotangents_of(e)))
    assert np.abs(result.log10_norms - expected).max() < 1e-10


# what is given, and what is refused


def test_torch_tensors_and_numpy_arrays_of_any_real_kind_give_the_same_trace():
    case = drawn_case("gru", H=5, T=8, B=2)
    inputs = np.round(case.inputs)
    expected = trace(case.stack, inputs, case.cotangents, case.initial_state[0]).log10_norms
    tensors = [torch.tensor(array, requires_grad=True) for array in (inputs, case.cotangents, case.initial_state[0])]
    assert np.array_equal(trace(case.stack, *tensors).log10_norms, expected)
    tensor = torch.tensor(inputs)
    kinds = [inputs.astype(int), inputs.tolist(), np.asfortranarray(inputs), inputs.astype("float16")]
    for kind in (*kinds, tensor.bfloat16(), tensor.int(), tensor.float().transpose(0, 1).contiguous().transpose(0, 1)):
        found = trace(case.stack, kind, case.cotangents, [case.initial_state[0]]).log10_norms
        assert np.array_equal(found, expected), type(kind)


def test_the_initial_state_is_where_the_network_begins():
    case = drawn_case("lstm", depth=2, H=5, T=9, B=2, seed=4)
    expected = log10_norms(autograd(case.stack, case.inputs, case.cotangents, case.initial_state))
    found = trace(case.stack, case.inputs, case.cotangents, case.initial_state).log10_norms
    finite = np.isfinite(expected)
    assert np.abs(found[finite] - expected[finite]).max() < 1e-10
    without = trace(case.stack, case.inputs, case.cotangents).log10_norms
    assert np.abs(without[finite] - found[finite]).max() > 1e-3


def test_arguments_are_left_as_they_were():
    case = drawn_case("lstm", depth=2, H=9, T=9, B=2)
    before = [array.copy() for array in (case.inputs, case.cotangents, *case.initial_state, *case.stack.layers[1])]
    first = trace(case.stack, case.inputs, case.cotangents, case.initial_state)
    kept = first.log10_norms.copy()
    trace(case.stack, -case.inputs, -case.cotangents)
    after = [case.inputs, case.cotangents, *case.initial_state, *case.stack.layers[1]]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert np.array_equal(first.log10_norms, kept, equal_nan=True)  # nor does a later trace touch an earlier one


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": None}, r"inputs is missing: pass an array \[T, B, X\]"),
        ({"inputs": np.zeros((8, 2))}, r"inputs has shape \(8, 2\).*\[T, B, X\] = \(any, any, 3\)"),
        ({"inputs": np.zeros((8, 2, 4))}, r"inputs has shape \(8, 2, 4\).*\(any, any, 3\)"),
        ({"inputs": np.zeros((0, 2, 3))}, r"inputs has .*shape \(0, 2, 3\).*at least one"),
        ({"inputs": np.zeros((8, 2, 3), complex)}, r"inputs has dtype complex128"),
        ({"inputs": np.full((8, 2, 3), "a")}, r"inputs has dtype <U1"),
        ({"inputs": [[[1, 2, 3]], [[1]]]}, r"inputs cannot be read as an array"),
        ({"cotangents": np.zeros((7, 2, 5))}, r"cotangents has shape \(7, 2, 5\).*\(8, 2, 5\)"),
        ({"cotangents": np.zeros((8, 2, 6))}, r"cotangents has shape .*\(8, 2, 5\)"),
        ({"initial_state": np.zeros((1, 2, 5))}, r"initial_state has 1 parts: lstm needs 2, \(h, c\)"),
        ({"initial_state": [np.zeros((1, 2, 5))] * 3}, r"initial_state has 3 parts"),
        ({"initial_state": [np.zeros((1, 2, 5)), np.zeros((2, 5))]}, r"initial_state c has shape \(2, 5\)"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_its_name_its_shape_and_what_is_needed(change, message):
    given = {"inputs": np.zeros((8, 2, 3)), "cotangents": np.zeros((8, 2, 5))} | change
    with pytest.raises(ValueError, match=message):
        trace(drawn_stack("lstm", 1, 5, 3, np.random.default_rng(0)), **given)


@pytest.mark.parametrize("name", ["inputs", "cotangents", "initial_state h", "initial_state c"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_values_that_are_not_finite_are_refused_with_the_first_offending_index(name, value):
    case = drawn_case("lstm", H=5, T=8, B=2, dtype="float32")
    arrays = {"inputs": case.inputs, "cotangents": case.cotangents}
    arrays |= {"initial_state h": case.initial_state[0], "initial_state c": case.initial_state[1]}
    arrays = {key: array.astype(float) for key, array in arrays.items()}
    at = (0, 1, 2)
    arrays[name][at] = value
    arrays[name][0, 1, 3 if name != "inputs" else 2] = value
    with pytest.raises(ValueError, match=rf"{name} is -?(inf|nan) at \[0, 1, 2\].*finite in float32"):
        trace(
            case.stack, arrays["inputs"], arrays["cotangents"], (arrays["initial_state h"], arrays["initial_state c"])
        )


def test_an_experiment_takes_no_arrays_and_what_is_no_stack_is_named():
    with pytest.raises(ValueError, match="pass a Stack to choose"):
        trace(Experiment(), np.zeros((2, 1, 16)))
    with pytest.raises(TypeError, match=r"LSTM is neither an Experiment nor a Stack: see Stack\.from_torch"):
        trace(torch.nn.LSTM(3, 5), np.zeros((2, 1, 3)))


def test_a_state_that_the_cell_does_not_have_is_refused():
    result = trace(Experiment(cell="gru", steps=3, hidden_size=4))
    with pytest.raises(ValueError, match="state = 'c' is not a state of gru: use h"):
        result.log10_norm("c")


def test_what_needs_more_memory_than_allowed_is_refused_with_the_settings_to_lower(monkeypatch):
    e = Experiment(hidden_size=256, steps=100_000, batch_size=64, depth=2)
    needed = estimate(e).bytes
    refuse_too_large(e, limit=needed)
    settings = r"steps = 100000, batch_size = 64, hidden_size = 256, depth = 2 need .* GB; at most .* GB are allowed"
    with pytest.raises(ValueError, match=settings + ": lower steps, batch_size, hidden_size or depth"):
        refuse_too_large(e, limit=needed - 1)
    monkeypatch.setattr(PLAN, "memory_limit", lambda: 1000)
    case = drawn_case("rnn", H=5, T=8)
    with pytest.raises(ValueError, match="are allowed: lower steps"):
        trace(Experiment())
    with pytest.raises(ValueError, match=r"steps = 8, batch_size = 2, hidden_size = 5, depth = 1 .*: lower steps"):
        trace(case.stack, case.inputs, case.cotangents)


def test_the_loss_of_half_the_square_puts_in_the_last_state_itself():
    for batch_size in (2, 48):  # in one piece, and in slices of the batch
        e = Experiment(cell="gru", loss="half_square", hidden_size=128, steps=150, batch_size=batch_size)
        result = trace(e)
        assert np.abs(result.log10_norm("h")[-1, -1] - result.log10_cotangent).max() < 1e-12
        assert np.abs(result.log10_relative("h")[-1, -1]).max() < 1e-12


# tables


@pytest.mark.parametrize("cell", ["lstm", "rnn"])
def test_the_table_has_a_row_a_layer_state_and_step_with_the_batchs_mean_and_range(cell):
    case = drawn_case(cell, depth=3, H=5, T=7, B=4)
    case.cotangents[-1] = 1
    result = trace(case.stack, case.inputs, case.cotangents)
    table, states = result.table, CELLS[cell].states
    assert tuple(table.columns) == TABLE_COLUMNS
    assert len(table) == 3 * 7 * len(states)
    assert set(table.cell) == {cell}
    assert set(table.path) == {"total"}
    assert (table.lag == 6 - table.step).all()
    for row in table.itertuples():
        values = result.log10_norm(row.state)[row.layer, row.step]
        relative = result.log10_relative(row.state)[row.layer, row.step]
        for name, of in (("log10_norm", values), ("log10_relative", relative)):
            found = [getattr(row, name + end) for end in ("", "_min", "_max")]
            assert np.array_equal(found, [of.mean(), of.min(), of.max()])


def test_relative_norms_count_what_the_loss_puts_in_at_all_steps():
    case = drawn_case("rnn", H=5, T=7, B=3)
    result = trace(case.stack, case.inputs, case.cotangents)
    entered = np.log10(np.sqrt((case.cotangents**2).sum(axis=(0, 2))))
    _, steps, sequences = np.nonzero(np.isfinite(result.log10_norm("h")))
    at = (0, steps, sequences)
    assert np.abs(result.log10_norm("h")[at] - entered[sequences] - result.log10_relative("h")[at]).max() < 1e-12


@pytest.mark.parametrize("losses", ["all", "last"])
@pytest.mark.parametrize("state", ["h", "c", "all"])
def test_what_is_said_of_some_losses_and_states_is_relative_to_what_these_losses_inject(state, losses):
    case = drawn_case("lstm", depth=2, H=5, T=7, B=3)
    case.cotangents[:] = np.random.default_rng(0).standard_normal(case.cotangents.shape)
    case.cotangents[6, 0] = 0
    result = trace(case.stack, case.inputs, case.cotangents, case.initial_state)
    last = np.array([5, 6, 6])
    squares = (case.cotangents**2).sum(axis=2)
    injected = {"all": squares.sum(axis=0), "last": squares[last, range(3)]}
    assert result.last_loss.tolist() == last.tolist()
    expected = result.log10_norm(state, losses)[:, 0] - np.log10(injected[losses]) / 2
    assert result.log10_relative(state, losses)[:, 0] == pytest.approx(expected, abs=1e-12)
    for layer in (0, 1):
        assert result.at_start(state, losses, layer) == pytest.approx(expected[layer], abs=1e-12)
    assert np.array_equal(result.at_start(state, losses), result.at_start(state, losses, 0))
    assert np.array_equal(result.way_back(state).at_start, result.log10_norm(state, "last")[0, 0])
    parts = [10 ** result.log10_initial(name, losses) for name in (("h", "c") if state == "all" else (state,))]
    assert 10 ** result.log10_initial(state, losses) == pytest.approx(np.sqrt(sum(part**2 for part in parts)))


def test_a_sequence_without_a_loss_has_no_gradient_in_any_column_and_no_nan():
    case = drawn_case("lstm", H=5, T=7, B=2)
    case.cotangents[:, 1] = 0
    result = trace(case.stack, case.inputs, case.cotangents)
    assert np.isneginf(result.log10_relative("c")[:, :, 1]).all()
    assert (result.table.left_out >= 1).all()
    alone = trace(case.stack, case.inputs[:, :1], case.cotangents[:, :1]).table
    assert result.table.log10_relative.to_numpy() == pytest.approx(alone.log10_relative.to_numpy(), abs=1e-12)
    assert np.isfinite(alone.log10_relative).any()
    assert not result.table.isna().any(axis=None)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.floats(0.3, 3), st.integers(2, 400), st.integers(0, 400))
def test_the_rate_of_a_scalar_linear_rnn_is_the_log_of_its_weight_wherever_the_loss_is(u, T, loss):
    loss = min(loss, T - 1)
    cotangents = np.zeros((T, 1, 1))
    cotangents[loss] = 1
    rates = trace(plain_stack("rnn_linear", [[u]]), np.zeros((T, 1, 1)), cotangents).rate()
    assert tuple(rates.columns) == RATE_COLUMNS
    rate = rates.iloc[0]
    if loss == 0:  # one point is no line
        assert math.isnan(rate.decades_per_step)
        return
    assert rate.decades_per_step == pytest.approx(math.log10(u), abs=1e-10)
    assert rate.intercept == pytest.approx(-(T - 1 - loss) * math.log10(u), abs=1e-8)
    assert rate.rms_residual < 1e-8
    assert (rate.lag_from, rate.lag_to) == (T - 1 - loss + (math.ceil(0.25 * loss) if loss > 1 else 0), T - 1)


def test_a_rate_is_fitted_for_every_layer_and_state():
    rates = trace(Experiment(cell="lstm", depth=3, hidden_size=8, steps=50)).rate()
    assert [(row.layer, row.state) for row in rates.itertuples()] == [(n, s) for n in range(3) for s in ("h", "c")]
    assert np.isfinite(rates.decades_per_step).all()
