"""Predictions against known figures and against simulation of what they are about."""

import inspect
import math

import numpy as np
import pytest

from gradlab.analyses import theory
from gradlab.analyses.jacobians import lyapunov_exponents, step_jacobians
from gradlab.analyses.remembering import (
    BOTH_COLUMNS,
    CURSE_COLUMNS,
    NAIVE,
    NORMALISED,
    REMEDY,
    SENSITIVITY,
    VARIANCE,
    curse_and_remedy,
    curse_of_memory,
    normalised_memory,
)
from gradlab.analyses.traces import trace
from gradlab.cells import CELLS
from gradlab.network.stack import Layer, Stack, gate_rows
from gradlab.settings.experiment import Experiment
from tests.networks import drawn_case

PUBLIC = [
    name
    for name, value in vars(theory).items()
    if inspect.isfunction(value) and value.__module__ == theory.__name__ and not name.startswith("_")
]


def gaussian(H, gain, seed=0):
    return gain * np.random.default_rng(seed).standard_normal((H, H)) / np.sqrt(H)


def network(cell, blocks, H, biases):
    """A network without input, every gate with its block of U and its bias."""
    gates = CELLS[cell].pre_activations
    b_W = np.repeat([float(biases.get(gate, 0)) for gate in gates], H)
    none = np.zeros((len(b_W), 1))
    return Stack(cell, (Layer(none, np.concatenate([blocks[gate] for gate in gates]), b_W, 0 * b_W),))


def origin_radius(stack):
    """The largest modulus of an eigenvalue of the step Jacobian at the origin."""
    return np.abs(np.linalg.eigvals(step_jacobians(stack, np.zeros((1, 1, 1)))[0])).max()


def test_every_prediction_says_where_it_holds_and_where_it_comes_from():
    assert set(theory.LAWS) == set(PUBLIC) - {"mean_field_of", "band"}  # a reading of `mean_field`, and a measurement
    for law in theory.LAWS.values():
        assert law.holds
        assert law.source


@pytest.mark.parametrize(
    ("gain", "strength", "variance", "exponent"),
    [
        (1.1, 0, 0.112750, 0.005069),
        (1.2, 0, 0.249513, 0.016476),
        (1.5, 0, 0.793354, 0.065217),
        (3, 0, 6.305391, 0.310249),
        (5, 0, 20.699367, 0.532428),
        (1.5, 1, None, -0.14183),
        (0.5, 0, 0, np.log(0.5)),
        (1, 0, 0, 0),
        (1e4, 0, None, 0.5 * np.log(1e4 * 4 / 3 / np.sqrt(2 * np.pi))),  # E sech⁴(√q z) → 4/3 / √(2π q), and q → g²
    ],
)
def test_mean_field_theory_has_its_known_figures(gain, strength, variance, exponent):
    found = theory.mean_field(gain, strength)
    assert found.exponent == pytest.approx(exponent, abs=1e-4 if gain == 1e4 else 5.1e-6)
    if variance is not None:
        assert found.variance == pytest.approx(variance, abs=5.1e-7)


@pytest.mark.slow
@pytest.mark.parametrize(("gain", "strength"), [(3.0, 0.0), (1.5, 1.0), (4.0, 2.0)])
def test_large_networks_have_the_variance_and_the_exponent_of_mean_field_theory(gain, strength):
    H, T = 512, 600
    found = theory.band(gain, strength, hidden_size=H, steps=T, seeds=6)["exponent"].mean()
    expected = theory.mean_field(gain, strength)
    assert found == pytest.approx(expected.exponent, abs=0.01)
    random, U = np.random.default_rng(5), gaussian(H, gain)
    h, squares = random.standard_normal(H), []
    for step in range(T):
        a = U @ np.tanh(h) + strength * random.standard_normal(H)
        h = a
        if step > T // 3:
            squares.append((a**2).mean())
    assert np.mean(squares) == pytest.approx(expected.variance, rel=0.03)


@pytest.mark.slow
def test_at_the_critical_gain_of_an_input_a_large_network_is_neither_calm_nor_chaotic():
    gain = theory.critical_gain(1.0)
    assert theory.mean_field(gain, 1.0).exponent == pytest.approx(0, abs=1e-9)
    assert abs(theory.band(gain, 1.0, hidden_size=512, steps=600, seeds=2)["exponent"].mean()) < 0.01
    assert theory.critical_gain(0.0) == 1
    assert 1 < theory.critical_gain(0.1) < theory.critical_gain(0.5) < gain


@pytest.mark.slow
@pytest.mark.parametrize("gain", [2.0, 5.0])
def test_a_drawn_network_is_read_as_its_gain_and_what_enters(gain):
    e = Experiment(cell="rnn", hidden_size=512, steps=500, batch_size=2, gain=gain)
    predicted = theory.mean_field_of(e, sequence=1)
    assert lyapunov_exponents(e, None, None, 1, 100, sequence=1)[0] == pytest.approx(predicted.exponent, abs=0.02)
    stack = e.network()
    by_hand = theory.mean_field_of(stack, e.sequence(), sequence=1)
    assert by_hand == predicted
    assert theory.mean_field_of(e, sequence=0) != predicted  # another sequence enters


def test_a_network_s_gain_and_strength_are_the_sizes_of_its_weights_and_of_what_enters():
    case = drawn_case("rnn", H=5, T=7, B=2, gain=3.0)
    W, U, b_W, b_U = case.stack.layers[0]
    for sequence in (0, 1):
        entering = [W @ x + b_W + b_U for x in case.inputs[:, sequence]]
        expected = theory.mean_field(np.linalg.norm(U) / np.sqrt(5), np.linalg.norm(entering) / np.sqrt(35))
        assert theory.mean_field_of(case.stack, case.inputs, sequence=sequence) == pytest.approx(expected)
    assert theory.mean_field_of(case.stack, case.inputs) != theory.mean_field_of(case.stack, case.inputs, sequence=1)
    assert theory.mean_field_of(case.stack, case.inputs) == theory.mean_field_of(case.stack, case.inputs, sequence=0)
    with pytest.raises(ValueError, match="sequence = 2 is not allowed: use a whole number from 0 to 1"):
        theory.mean_field_of(case.stack, case.inputs, sequence=2)


def test_small_networks_scatter_as_they_are_known_to():
    for H, mean, deviation in ((32, -0.035, 0.078), (128, 0.033, 0.021)):
        table = theory.band(1.5, hidden_size=H, steps=1200, seeds=24)
        assert tuple(table.columns) == theory.BAND_COLUMNS
        assert table["exponent"].mean() == pytest.approx(mean, abs=4 * deviation / np.sqrt(24))
        assert deviation / 2 < table["exponent"].std() < 2 * deviation


def test_the_logarithms_of_one_matrix_are_the_growth_and_its_bound():
    """Pascanu et al.'s printed condition is false: radius 0 below, and yet a first step of norm 16."""
    W = np.array([[8.0, 8.0], [-8.0, -8.0]])
    assert theory.log_spectral_radius(W) < -15  # of a double zero, known to the root of the precision
    assert theory.log_spectral_norm(W) == pytest.approx(np.log(16))
    for seed in range(3):
        U = gaussian(20, 0.8, seed)
        growth = np.linalg.slogdet(U)[1] / 20  # the mean of all exponents
        power = np.linalg.norm(np.linalg.matrix_power(U, 400) @ np.ones(20))
        assert growth < theory.log_spectral_radius(U) <= theory.log_spectral_norm(U)
        assert np.log(power) / 400 == pytest.approx(theory.log_spectral_radius(U), abs=0.02)


def test_one_shared_matrix_leaves_the_fresh_ones_at_about_the_root_of_its_size():
    for H, draws in ((64, 400), (256, 60)):
        steps, growth = round(theory.shared_steps(H)), []
        for seed in range(draws):
            v, U, squares = np.eye(H)[0], gaussian(H, 1.0, seed), []
            for _ in range(4 * steps):
                v = U @ v
                squares.append(v @ v)
            growth.append(squares)
        mean = np.mean(growth, axis=0)
        assert mean[steps // 2 - 1] == pytest.approx(1, abs=0.12)
        assert 0.9 < mean[steps - 1] < 1.5  # of 64: 1.08 at 8 steps
        assert mean[2 * steps - 1] > 1.7  # 2.6 at 16
        assert mean[4 * steps - 1] > 30  # 211 at 32


@pytest.mark.slow
@pytest.mark.parametrize("bias", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_at_the_critical_gain_the_origin_is_at_the_edge(cell, bias):
    H = 400
    if cell == "lstm":
        critical, biases = theory.critical_gain_lstm(bias, 0.5, -0.3), {"forget": bias, "input": 0.5, "output": -0.3}
    else:
        critical, biases = theory.critical_gain_gru(bias), {"reset": bias, "update": 1.7}
    for factor, low, high in ((1.0, 0.96, 1.06), (0.5, 0.0, 0.97), (1.6, 1.05, 9)):
        blocks = {gate: gaussian(H, 1, number) for number, gate in enumerate(CELLS[cell].pre_activations)}
        blocks["candidate"] *= factor * critical
        assert low < origin_radius(network(cell, blocks, H, biases)) < high, factor


def test_critical_gains_of_biases_at_zero_and_one_are_those_that_are_known():
    assert theory.critical_gain_lstm(0) == pytest.approx(2)
    assert theory.critical_gain_lstm(1) == pytest.approx(1.0758, abs=5e-5)
    assert theory.critical_gain_gru() == pytest.approx(2)


@pytest.mark.parametrize(
    ("bias", "expected"), [(0, 1.0), (1, 2.213), (2, 5.461), (3, 14.266), (4, 38.190), (5, 103.218)]
)
def test_a_gates_half_life_is_known_and_is_the_engines(bias, expected):
    assert theory.half_life(bias) == pytest.approx(expected, abs=5e-4)
    stack = network("lstm", {gate: np.zeros((2, 2)) for gate in CELLS["lstm"].pre_activations}, 2, {"forget": bias})
    cotangents = np.zeros((60, 1, 2))
    cotangents[-1] = 1
    norms = trace(stack, np.zeros((60, 1, 1)), cotangents).log10_norm("c")[0, :, 0]
    assert (norms[-1] - norms[0]) / 59 * theory.half_life(bias) == pytest.approx(np.log10(2), rel=1e-9)


def test_a_gate_that_is_open_to_rounding_keeps_for_ever():
    assert theory.half_life(800.0) == np.inf
    assert theory.half_life(-800.0) == pytest.approx(np.log(2) / 800)


def kept_at_rest(name, **settings):
    e = Experiment(cell="lstm", initialization=name, hidden_size=1024, input_size=1, batch_size=1, **settings)
    rows, gates = gate_rows("lstm", "forget", 1024), []
    for seed in range(3):
        layer = e.replace(seed=seed).network().layers[0]
        gates.append(1 / (1 + np.exp(-(layer.b_W + layer.b_U)[rows])))
    return np.concatenate(gates)


def test_the_mean_powers_of_chrono_gates_are_those_of_their_draws():
    kept = kept_at_rest("chrono", steps=100)
    for lag, expected in ((1, 0.960081), (10, 0.732589), (50, 0.330204), (100, 0.149648)):
        assert theory.chrono_moment(lag, 100) == pytest.approx(expected, abs=5.1e-7)
        error = (kept**lag).std() / np.sqrt(len(kept))
        assert (kept**lag).mean() == pytest.approx(expected, abs=4 * error)
    assert theory.chrono_moment(0, 100) == pytest.approx(1)


def test_the_mean_powers_of_uniform_gates_are_those_of_their_draws_and_a_power_law():
    kept = kept_at_rest("uniform_gate")
    for lag in (1, 10, 100):
        error = (kept**lag).std() / np.sqrt(len(kept))
        assert (kept**lag).mean() == pytest.approx(theory.uniform_gate_moment(lag, 1024), abs=4 * error)
        assert theory.uniform_gate_moment(0, lag + 2) == pytest.approx(1)
        assert theory.uniform_gate_moment(lag, 10**6) == pytest.approx(1 / (lag + 1), rel=2e-4)


def test_the_mean_powers_of_a_ring_are_those_of_its_eigenvalues():
    e = Experiment(cell="rnn", initialization="ring", hidden_size=1024, input_size=1, batch_size=1)
    moduli = np.abs(np.linalg.eigvals(e.network().layers[0].U))[::2]
    for lag, expected in ((10, 0.625561), (100, 0.094176), (1000, 0.003896)):
        assert theory.ring_moment(lag) == pytest.approx(expected, abs=5.1e-7)
        error = (moduli**lag).std() / np.sqrt(len(moduli))
        assert (moduli**lag).mean() == pytest.approx(expected, abs=4 * error)


# The curse of memory


@pytest.mark.parametrize(
    ("eigenvalue", "sensitivity", "normalised"),
    [(0.9, 263.9, 0.4508), (0.99, 251_263, 0.4950), (0.999, 2.501e8, 0.4995)],
)
def test_the_curse_of_memory_has_its_known_figures(eigenvalue, sensitivity, normalised):
    assert theory.memory_sensitivity(eigenvalue) == pytest.approx(sensitivity, rel=2e-4)
    assert theory.memory_variance(eigenvalue) == pytest.approx(1 / (1 - eigenvalue**2))
    assert theory.normalised_sensitivity(eigenvalue) == pytest.approx(normalised, abs=6e-5)


def test_the_engine_measures_the_curse_of_memory():
    eigenvalues = (0.5, -0.8, 0.9, 0.99)
    table = curse_of_memory(eigenvalues, sequences=600, seed=3)
    assert tuple(table.columns) == CURSE_COLUMNS
    assert table["eigenvalue"].tolist() == 2 * list(eigenvalues)
    apart = (table["measured"] - table["predicted"]) / table["standard_error"]
    assert np.abs(apart).max() < 4
    assert (table["standard_error"] < 0.12 * table["predicted"]).all()
    exact = (1 + 0.99**2) / (1 - 0.99**2) ** 3
    assert table.loc[table["quantity"] == SENSITIVITY, "predicted"].iloc[-1] == pytest.approx(exact)
    assert set(table["quantity"]) == {VARIANCE, SENSITIVITY}


def test_the_measured_curse_is_the_mean_of_as_many_recurrences_as_are_asked_for():
    """h' = λ h + x and its derivative s' = λ s + h, step by step, over 12 memories of the longest λ, of either sign."""
    values, random = np.array([0.3, -0.65]), np.random.default_rng(5)
    steps = math.ceil(12 / 0.35)
    inputs = random.standard_normal((steps, 10, 1))  # so few at once
    h, slope = np.zeros((2, 10, 2))
    for x in inputs:
        h, slope = values * h + x, values * slope + h
    table = curse_of_memory([0.3, -0.65], sequences=10, seed=5)
    for quantity, samples in (("E h²", h**2), ("E (dh/dλ)²", slope**2)):
        rows = table[table["quantity"] == quantity]
        assert rows["eigenvalue"].tolist() == values.tolist()
        assert rows["measured"].to_numpy() == pytest.approx(samples.mean(axis=0))
        assert rows["standard_error"].to_numpy() == pytest.approx(samples.std(axis=0, ddof=1) / np.sqrt(10))
    assert len(curse_of_memory([0.3], sequences=2)) == 2
    with pytest.raises(ValueError, match="sequences = 1"):
        curse_of_memory([0.3], sequences=1)


def test_its_slope_is_the_difference_of_two_networks():
    """dh_T/dλ of each sequence by finite differences of a loop."""
    x = np.random.default_rng(3).standard_normal((24, 8, 1))  # 12 / (1 - .5) steps, the first sequences of the seed

    def last(eigenvalue):
        h = 0
        for step in x[:, :, 0]:
            h = eigenvalue * h + step
        return h

    slope = (last(0.5 + 1e-6) - last(0.5 - 1e-6)) / 2e-6
    table = curse_of_memory([0.5], sequences=8, seed=3)
    assert table["measured"].tolist() == pytest.approx([np.mean(last(0.5) ** 2), np.mean(slope**2)], rel=1e-6)


def test_the_normalised_unit_s_slope_is_the_difference_of_two_networks_whose_input_keeps_its_factor():
    """dh_T/dν of each sequence by finite differences of a loop, γ held."""
    eigenvalue, x = 0.6, np.random.default_rng(4).standard_normal((30, 6, 1))  # 12 / (1 - .6) steps
    nu, factor = np.log(-np.log(eigenvalue)), np.sqrt(1 - eigenvalue**2)

    def last(at):
        h = 0
        for step in x[:, :, 0]:
            h = np.exp(-np.exp(at)) * h + factor * step
        return h

    slope = (last(nu + 1e-6) - last(nu - 1e-6)) / 2e-6
    table = normalised_memory([eigenvalue], sequences=6, seed=4)
    assert table["measured"].tolist() == pytest.approx([np.mean(last(nu) ** 2), np.mean(slope**2)], rel=1e-6)
    assert table["quantity"].tolist() == [VARIANCE, NORMALISED]
    assert table["predicted"].tolist() == [1.0, theory.normalised_sensitivity(eigenvalue)]


def test_curse_and_remedy_are_those_of_each_eigenvalue_alone():
    both = curse_and_remedy([0.5, 0.9], sequences=20, seed=1)
    assert tuple(both.columns) == BOTH_COLUMNS
    for name, of_one in ((NAIVE, curse_of_memory), (REMEDY, normalised_memory)):
        for eigenvalue in (0.5, 0.9):
            rows = both[(both["parametrization"] == name) & (both["eigenvalue"] == eigenvalue)]
            alone = of_one([eigenvalue], sequences=20, seed=1)
            assert rows[list(CURSE_COLUMNS)].reset_index(drop=True).equals(alone)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: theory.mean_field(-1.0), "gain = -1.0 is not allowed"),
        (lambda: theory.mean_field(1.0, np.inf), "strength = inf"),
        (lambda: theory.critical_gain(1e9), "lower it"),
        (lambda: theory.log_spectral_radius(np.ones((2, 3))), r"U has shape \(2, 3\)"),
        (lambda: theory.log_spectral_norm(np.array([[1.0, np.nan], [0.0, 1.0]])), "use a square matrix of finite"),
        (lambda: theory.mean_field_of(Experiment(cell="lstm", steps=5)), "one layer of the tanh RNN"),
        (lambda: theory.mean_field_of(Experiment(cell="rnn", depth=2, steps=5)), "one layer of the tanh RNN"),
        (lambda: theory.ring_moment(3, 0.9, 0.5), "use 0 ≤ low < high"),
        (lambda: theory.chrono_moment(3, 2), "steps = 2"),
        (lambda: theory.uniform_gate_moment(3, 2), "hidden_size = 2"),
        (lambda: theory.memory_variance(1.0), "eigenvalue = 1.0"),
        (lambda: theory.normalised_sensitivity(-0.5), "eigenvalue = -0.5"),
        (lambda: curse_of_memory([1.0]), "use numbers between -1 and 1"),
        (lambda: normalised_memory([-0.5]), "use numbers between 0 and 1"),
        (lambda: curse_and_remedy([]), "eigenvalues is empty"),
        (lambda: curse_of_memory([]), "use numbers between -1 and 1"),
        (lambda: curse_of_memory([1 - 1e-9]), "at most 1000000 are allowed"),
    ],
)
def test_what_theory_says_nothing_of_is_refused_by_name(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
