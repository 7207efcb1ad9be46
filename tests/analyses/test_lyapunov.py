"""Lyapunov exponents against determinants by formula, known answers, mean-field theory and the gradient's growth."""

import importlib

import numpy as np
import pytest

from gradlab.analyses.jacobians import (
    EXPONENT_COLUMNS,
    kaplan_yorke_dimension,
    log_determinants,
    lyapunov_exponents,
    lyapunov_spectrum,
    step_jacobians,
    step_logarithms,
    unstable_directions,
)
from gradlab.analyses.traces import trace
from gradlab.cells import CELLS
from gradlab.engine.reference import unroll
from gradlab.network.stack import Layer, Stack
from gradlab.settings.experiment import Experiment
from tests.networks import drawn_case

LYAPUNOV = importlib.import_module("gradlab.analyses.jacobians.lyapunov")
PLAN = importlib.import_module("gradlab.engine.plan")
INVERTIBLE = [name for name in CELLS if name not in ("rnn_relu", "min_gru", "min_lstm", "lstm_hard", "gru_hard")]


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def linear(U):
    H = len(U)
    return Stack("rnn_linear", (Layer(np.zeros((H, 1)), U, np.zeros(H), np.zeros(H)),))


def by_formula(stack, inputs, initial_state):
    """ln |det A_t| of one layer, [T], from a forward pass in numpy."""
    W, U, b_W, b_U = stack.layers[0]
    h, *c = (state[0, 0] for state in initial_state)
    found = []
    for x in inputs[:, 0]:
        a = W @ x + b_W + U @ h + b_U
        if stack.cell == "rnn":
            h = np.tanh(a)
            found.append(np.linalg.slogdet(U)[1] + np.log(1 - h**2).sum())
            continue
        i, f, g, o = np.split(a, 4)
        c = [sigmoid(f) * c[0] + sigmoid(i) * np.tanh(g)]
        h = sigmoid(o) * np.tanh(c[0])
        of_output = np.abs(np.tanh(c[0]) * sigmoid(o) * (1 - sigmoid(o)))
        found.append(np.log(sigmoid(f)).sum() + np.log(of_output).sum() + np.linalg.slogdet(np.split(U, 4)[3])[1])
    return np.array(found)


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
@pytest.mark.parametrize("discard", [0, 37])
def test_the_sum_of_the_spectrum_is_the_mean_log_determinant_of_the_formula(cell, discard):
    case = drawn_case(cell, H=12, T=150, B=1, seed=3, gain=1.5)
    expected = by_formula(case.stack, case.inputs, case.initial_state)
    assert np.abs(log_determinants(case.stack, case.inputs, case.initial_state) - expected).max() < 1e-9
    exponents = lyapunov_exponents(case.stack, case.inputs, case.initial_state, discard=discard)
    assert len(exponents) == 12 * len(CELLS[cell].states)
    assert exponents.sum() == pytest.approx(
        expected[discard:].mean(), rel=1e-7
    )  # the smallest keep a third of their digits


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("cell", INVERTIBLE)
def test_the_sum_of_the_spectrum_is_the_mean_log_determinant_of_the_steps(cell, depth):
    case = drawn_case(cell, depth, H=6, T=80, B=2, seed=5)
    exponents = lyapunov_exponents(case.stack, case.inputs, case.initial_state, sequence=1)
    expected = log_determinants(case.stack, case.inputs, case.initial_state, sequence=1).mean()
    assert np.isfinite(expected)
    assert exponents.sum() == pytest.approx(expected, rel=1e-7)
    assert (np.diff(exponents) <= 0).all()


@pytest.mark.parametrize("bias", [0.0, 1.0, 3.0])
def test_an_lstm_without_weights_has_the_logarithm_of_its_forget_gate_and_loses_h(bias):
    H = 5
    b_W = np.zeros(4 * H)
    b_W[H : 2 * H] = bias
    stack = Stack("lstm", (Layer(np.zeros((4 * H, 1)), np.zeros((4 * H, H)), b_W, np.zeros(4 * H)),))
    exponents = lyapunov_exponents(stack, np.zeros((200, 1, 1)))
    assert exponents[:H] == pytest.approx(np.log(sigmoid(bias)), abs=1e-12)
    assert np.isneginf(exponents[H:]).all()


@pytest.mark.parametrize("gain", [1e-3, 0.7, 1.0, 30.0])
def test_an_orthogonal_linear_net_has_the_logarithm_of_its_gain_n_times(gain):
    Q, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((9, 9)))
    exponents = lyapunov_exponents(linear(gain * Q), np.zeros((3000, 1, 1)))  # products beyond the range of numbers
    assert exponents == pytest.approx(np.log(gain), abs=1e-12)
    assert unstable_directions(exponents) == 9 * (gain > 1)


def test_a_linear_net_has_the_logarithms_of_the_moduli_of_its_eigenvalues():
    moduli, (Q, _) = np.array([2.0, 1.2, 0.9, 0.3, 1e-4]), np.linalg.qr(np.random.default_rng(1).random((5, 5)))
    U = Q @ (np.diag(moduli) + 0.1 * np.triu(np.ones((5, 5)), 1)) @ Q.T
    exponents = lyapunov_exponents(linear(U), np.zeros((400, 1, 1)))
    assert exponents == pytest.approx(np.log(moduli), abs=1e-3)
    assert lyapunov_exponents(linear(U), np.zeros((400, 1, 1)), count=2) == pytest.approx(np.log(moduli[:2]), abs=1e-3)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_the_exponents_are_those_of_explicit_step_jacobians_decomposed_at_every_step(cell, monkeypatch):
    case = drawn_case(cell, depth=2, H=5, T=120, B=1, seed=2, gain=2)
    steps = step_jacobians(case.stack, case.inputs, case.initial_state)
    monkeypatch.setattr(LYAPUNOV, "SETTLED_OVER", 0.0)
    Q, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((len(steps[0]), 4)))
    sums = np.zeros(4)
    for step in steps[:19:-1]:
        Q, R = np.linalg.qr(step.T @ Q)
        sums += np.log(np.abs(np.diag(R)))
    found = lyapunov_exponents(case.stack, case.inputs, case.initial_state, 4, 20)
    assert found == pytest.approx(np.sort(sums / 100)[::-1], abs=1e-9)
    monkeypatch.setattr(LYAPUNOV, "LONGEST", 1)
    assert lyapunov_exponents(case.stack, case.inputs, case.initial_state, 4, 20) == pytest.approx(found, abs=1e-9)


def test_columns_decomposed_in_halves_have_the_same_exponents(monkeypatch):
    case = drawn_case("lstm", depth=1, H=20, T=80, B=1, seed=4, gain=2)
    whole = lyapunov_exponents(case.stack, case.inputs, case.initial_state)  # 40 columns
    for at_once in (1, 5, 40):
        monkeypatch.setattr(LYAPUNOV, "COLUMNS_AT_ONCE", at_once)
        found = lyapunov_exponents(case.stack, case.inputs, case.initial_state)
        assert found == pytest.approx(whole, abs=1e-6)
    U = np.random.default_rng(0).standard_normal((40, 40))
    U[33:] = 0
    monkeypatch.setattr(LYAPUNOV, "COLUMNS_AT_ONCE", 4)
    assert np.isneginf(lyapunov_exponents(linear(U), np.zeros((30, 1, 1)))).sum() == 7


@pytest.mark.parametrize(("cell", "gain"), [("rnn", 2.0), ("lstm", 1.0), ("lstm", 4.0), ("gru", 1.0)])
def test_the_gradient_grows_by_the_largest_exponent(cell, gain):
    T = 3000
    e = Experiment(cell=cell, hidden_size=32, steps=T, batch_size=1, gain=gain)
    norms = trace(e).log10_norm("h")[0, :, 0] * np.log(10)
    growth = (norms[0] - norms[-300]) / (T - 300)
    assert lyapunov_exponents(e, count=1)[0] == pytest.approx(growth, abs=5e-3)


@pytest.mark.slow
def test_a_stack_has_the_exponents_of_each_of_its_layers():
    case = drawn_case("lstm", depth=2, H=4, T=1500, B=1, seed=9)
    lower, upper = (Stack("lstm", (layer,)) for layer in case.stack.layers)
    h = np.array([float_of(states[-1].h) for states in unroll(lower, case.inputs)])  # what the upper one reads
    of_layers = [lyapunov_exponents(lower, case.inputs), lyapunov_exponents(upper, h)]
    together = np.sort(np.concatenate(of_layers))[::-1]
    assert lyapunov_exponents(case.stack, case.inputs) == pytest.approx(together, abs=0.02)
    assert lyapunov_exponents(case.stack, case.inputs, count=1)[0] == pytest.approx(together[0], abs=5e-3)


def float_of(tensor):
    return tensor.detach().numpy()


def random_tanh(gain, H, seed, strength=0.0):
    """U_ij ~ N(0, gain²/H); each unit reads an input of its own, times the strength."""
    U = gain * np.random.default_rng(seed).standard_normal((H, H)) / np.sqrt(H)
    W = strength * np.eye(H) if strength else np.zeros((H, 1))
    return Stack("rnn", (Layer(W, U, np.zeros(H), np.zeros(H)),))


# Not at a gain of 1.2: even 2048 units leave many networks on a limit cycle, whose exponent is 0
@pytest.mark.slow
@pytest.mark.parametrize(("gain", "expected"), [(1.1, 0.005069), (1.5, 0.065217), (3, 0.310249), (5, 0.532428)])
def test_a_large_random_tanh_network_has_the_exponent_of_mean_field_theory(gain, expected):
    H, random = 512, np.random.default_rng(4)
    found = [
        lyapunov_exponents(random_tanh(gain, H, seed), np.zeros((900, 1, 1)), random.standard_normal((1, 1, H)), 1, 200)
        for seed in range(3)
    ]
    assert np.mean(found) == pytest.approx(expected, abs=0.01)


@pytest.mark.slow
def test_input_calms_chaos_as_mean_field_theory_has_it():
    inputs = np.random.default_rng(0).standard_normal((700, 1, 512))
    found = lyapunov_exponents(random_tanh(1.5, 512, 1, strength=1.0), inputs, count=1, discard=100)
    assert found[0] == pytest.approx(-0.14183, abs=0.01)


def test_below_the_onset_the_exponent_is_the_logarithm_of_the_spectral_radius_of_that_very_matrix():
    stack = random_tanh(0.9, 64, 3)
    radius = np.abs(np.linalg.eigvals(stack.layers[0].U)).max()
    found = lyapunov_exponents(stack, np.zeros((6000, 1, 1)), np.full((1, 1, 64), 0.1), 1, 2000)
    assert found[0] == pytest.approx(np.log(radius), abs=2e-3)


@pytest.mark.parametrize("seed", range(3))
def test_directions_that_a_singular_weight_loses_have_an_exponent_of_minus_infinity(seed):
    U = np.random.default_rng(seed).standard_normal((6, 6))
    U[4:] = 0
    exponents = lyapunov_exponents(linear(U), np.zeros((50, 1, 1)))
    assert np.isneginf(exponents).tolist() == [False] * 4 + [True] * 2
    assert np.isneginf(log_determinants(linear(U), np.zeros((50, 1, 1)))).all()


def test_of_a_network_that_keeps_nothing_every_direction_is_lost():
    assert np.isneginf(lyapunov_exponents(linear(np.zeros((4, 4))), np.ones((20, 1, 1)))).all()


def test_a_step_has_no_determinant_from_where_one_of_its_layers_has_overflowed():
    """The upper layer's unit is 1, 10^60, … 10^300, and then beyond float64; the lower one's halves."""
    one, nothing = np.ones((1, 1)), np.zeros(1)
    stack = Stack("rnn_relu", tuple(Layer(one, factor * one, nothing, nothing) for factor in (0.5, 1e60)))
    determinants, diagonals = step_logarithms(stack, np.ones((9, 1, 1)))
    assert determinants[:6] == pytest.approx(np.log(0.5) + np.log(1e60))
    assert diagonals[:6] == pytest.approx(np.tile(np.log([0.5, 1e60]), (6, 1)))
    assert np.isnan(determinants[6:]).all()
    assert np.isnan(diagonals[7:]).all()


def test_logarithms_of_the_first_sequence_are_given_unless_another_is_named():
    case = drawn_case("rnn", H=4, T=12, B=2, seed=3)
    arrays = case.stack, case.inputs, case.initial_state
    first = step_logarithms(case.stack, case.inputs[:, :1], [state[:, :1] for state in case.initial_state])
    for part, of_first, of_second in zip(
        step_logarithms(*arrays), first, step_logarithms(*arrays, sequence=1), strict=True
    ):
        assert part == pytest.approx(of_first, abs=1e-12)
        assert np.abs(part - of_second).max() > 1e-3


def test_the_dimension_of_known_spectra():
    assert kaplan_yorke_dimension([0.906, 0.0, -14.572]) == pytest.approx(2.0622, abs=1e-4)  # Lorenz's system
    assert kaplan_yorke_dimension([0.42, -1.62]) == pytest.approx(1.2593, abs=1e-4)  # Hénon's map
    assert kaplan_yorke_dimension([-0.1, -0.2]) == 0
    assert kaplan_yorke_dimension([0.3, 0.1]) == 2
    assert kaplan_yorke_dimension([0.5, -np.inf]) == 1
    assert unstable_directions([0.906, 0.0, -14.572]) == 1
    assert unstable_directions([-np.inf]) == 0


@pytest.mark.parametrize("wrong", [[0.1, 0.2], [0.5, 0.1, 0.3], [], [[0.2, 0.1]], [np.nan, -1.0]])
def test_what_is_no_spectrum_has_no_dimension(wrong):
    for measure in (kaplan_yorke_dimension, unstable_directions):
        with pytest.raises(ValueError, match="descending order"):
            measure(wrong)


def test_the_table_is_the_spectrum_with_its_running_sums():
    e = Experiment(cell="lstm", hidden_size=4, steps=40, batch_size=2)
    table, exponents = (
        lyapunov_spectrum(e, count=5, discard=3, sequence=1),
        lyapunov_exponents(e, None, None, 5, 3, sequence=1),
    )
    assert tuple(table.columns) == EXPONENT_COLUMNS
    assert np.array_equal(table["exponent"], exponents)
    assert np.array_equal(table["running_sum"], np.cumsum(exponents))
    assert table["index"].tolist() == [0, 1, 2, 3, 4]


def test_float32_keeps_its_digits():
    case = drawn_case("lstm", depth=1, H=8, T=300, B=1, seed=7)
    single = Stack("lstm", tuple(Layer(*(part.astype("float32") for part in layer)) for layer in case.stack.layers))
    double = lyapunov_exponents(case.stack, case.inputs)
    assert lyapunov_exponents(single, case.inputs.astype("float32")) == pytest.approx(double, abs=2e-3)


def test_an_overflow_leaves_no_exponent():
    growth = Stack("rnn_relu", (Layer(np.ones((3, 1)), 1e60 * np.eye(3), np.zeros(3), np.zeros(3)),))
    assert np.isnan(lyapunov_exponents(growth, np.ones((8, 1, 1)))).all()


def test_what_cannot_be_measured_is_refused_by_name(monkeypatch):
    case = drawn_case("lstm", H=4, T=20, B=1)
    for arguments, sentence in (
        ((0,), "count = 0 is not allowed: use a whole number from 1 to 8"),
        ((9,), "count = 9"),
        ((None, 20), "discard = 20 is not allowed: use a whole number from 0 to 19"),
        ((None, -1), "discard = -1"),
    ):
        with pytest.raises(ValueError, match=sentence):
            lyapunov_exponents(case.stack, case.inputs, case.initial_state, *arguments)
    monkeypatch.setattr(PLAN, "memory_limit", lambda: 10)
    with pytest.raises(ValueError, match="lower steps, "):
        lyapunov_exponents(case.stack, case.inputs)
