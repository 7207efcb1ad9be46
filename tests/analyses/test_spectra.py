"""Spectra beside their predictions: known matrices, gates by hand, the settings' own gain, theory's crossing."""

import numpy as np
import pytest
import torch

from gradlab import parallel
from gradlab.analyses import spectra, theory
from gradlab.analyses.jacobians import lyapunov_exponents, step_jacobians, step_logarithms
from gradlab.analyses.spectra import LINEAR, MEAN_FIELD, MEASURED, UNITS, calming, newton_by_factor, spectrum
from gradlab.network.stack import Layer, Stack
from gradlab.settings.experiment import Experiment

SMALL = Experiment(cell="lstm", hidden_size=8, input_size=3, steps=120, batch_size=2, seed=2)


def linear(U):
    H = len(U)
    return Stack("rnn_linear", (Layer(np.zeros((H, 1)), U, np.zeros(H), np.zeros(H)),))


def test_a_linear_network_has_the_logarithms_of_its_eigenvalues_as_exponents():
    U = np.diag([2.0, 0.9, 0.4, 0.1])
    found = spectrum(linear(U), np.zeros((400, 1, 1)))
    assert found.prediction == LINEAR
    np.testing.assert_allclose(found.exponents, np.log(np.diag(U)), atol=1e-12)
    np.testing.assert_allclose(found.predicted, np.log(np.diag(U)), atol=1e-12)
    assert (found.unstable, found.steps) == (1, 360)
    assert found.dimension == pytest.approx(2 + (np.log(2.0) + np.log(0.9)) / -np.log(0.4))
    assert found.determinants == pytest.approx(np.log(np.linalg.det(U)))
    assert np.isnan(found.mean_field)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_all_exponents_sum_to_the_mean_determinant_of_the_steps_that_are_measured(cell):
    e = SMALL.replace(cell=cell)
    found, jacobians = spectrum(e), step_jacobians(e)
    measured = np.linalg.slogdet(jacobians[e.steps - found.steps :]).logabsdet
    assert found.determinants == pytest.approx(measured.mean(), rel=1e-12)
    assert found.total == pytest.approx(measured.mean(), rel=1e-6)
    np.testing.assert_array_equal(np.diff(found.predicted) <= 0, True)
    rows = found.table
    assert rows["quantity"].value_counts()[MEASURED] == len(jacobians[0])
    assert (MEAN_FIELD in set(rows["quantity"])) == (cell == "rnn")
    if cell == "rnn":
        assert rows.loc[rows["quantity"] == MEAN_FIELD, "exponent"].item() == theory.mean_field_of(e).exponent


def test_the_units_of_an_lstm_alone_have_the_mean_logarithms_of_their_forget_gates():
    found = spectrum(SMALL)
    (layer,), H = SMALL.network().layers, SMALL.hidden_size
    lstm = torch.nn.LSTMCell(3, H, dtype=torch.float64)
    for name, part in zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), layer, strict=True):
        getattr(lstm, name).data = torch.from_numpy(part)
    h, c, gates = torch.zeros(1, H, dtype=torch.float64), torch.zeros(1, H, dtype=torch.float64), []
    for x in torch.from_numpy(SMALL.sequence()[:, :1]):
        a = x @ lstm.weight_ih.T + lstm.bias_ih + h @ lstm.weight_hh.T + lstm.bias_hh
        gates.append(a[0, H : 2 * H].sigmoid().log())  # PyTorch's order: i, f, g, o
        h, c = lstm(x, (h, c))
    of_gates = torch.stack(gates)[-found.steps :].mean(dim=0).detach().numpy()
    assert found.prediction == UNITS
    np.testing.assert_allclose(found.predicted, np.sort(of_gates)[::-1], rtol=1e-10)


def test_the_diagonals_are_those_of_the_step_jacobians_and_undefined_where_the_state_overflows():
    e = SMALL.replace(cell="gru", depth=2, steps=9)
    found = step_logarithms(e)
    np.testing.assert_allclose(np.exp(found.diagonals), np.abs(np.diagonal(step_jacobians(e), axis1=1, axis2=2)))
    wild = step_logarithms(linear(np.diag([1e200, 0.5])), np.ones((4, 1, 1)), np.ones((1, 1, 2)))
    assert np.isnan(wild.determinants).tolist() == [False, False, True, True]


def test_newton_iterations_of_a_factor_are_those_of_the_setting_gain():
    e = SMALL.replace(cell="rnn", hidden_size=12, steps=50)
    table = newton_by_factor(e, factors=(0.5, 1.0, 4.0)).set_index("factor")
    for factor, row in table.iterrows():
        own = e.replace(gain=float(factor))
        assert row["iterations"] == parallel(own).iterations
        assert row["exponent"] == pytest.approx(lyapunov_exponents(own, count=1, discard=5)[0], rel=1e-9)
    assert table["iterations"].is_monotonic_increasing
    assert (table["steps"] == 50).all()
    assert (newton_by_factor(e.replace(steps=200), factors=(0.5,))["steps"] == spectra.NEWTON_STEPS).all()


def test_input_calms_a_chaotic_network_as_theory_has_it():
    table = calming(1.5, (0.0, 1.0, 3.0), hidden_size=32, steps=60, seeds=2)
    field = table[table["quantity"] == MEAN_FIELD].set_index("strength")["exponent"]
    assert field[0.0] == pytest.approx(0.065217, abs=5e-7)
    assert field[1.0] == pytest.approx(-0.14183, abs=5e-6)
    measured = table[table["quantity"] == MEASURED].groupby("strength")
    assert measured["seed"].nunique().tolist() == [2, 2, 2]
    assert measured["exponent"].max()[3.0] < measured["exponent"].min()[1.0] < measured["exponent"].min()[0.0]


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: newton_by_factor(SMALL, factors=()), r"factors = \(\) is not allowed"),
        (lambda: newton_by_factor(SMALL, factors=(np.inf,)), "use finite numbers"),
        (lambda: calming(strengths=()), "strengths is empty"),
        (lambda: calming(-1.0), "gain = -1.0"),
        (lambda: spectrum(SMALL, sequence=5), "sequence = 5"),
    ],
)
def test_what_cannot_be_computed_is_refused_by_name(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
