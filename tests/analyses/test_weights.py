"""Initial weights: spectra, biases and counts against linear algebra and torch."""

import numpy as np
import pytest
from torch import nn

from gradlab.analyses.weights import eigenvalues, gate_biases, parameter_counts, singular_values
from gradlab.cells import CELLS
from gradlab.cells.contract import without
from gradlab.network.stack import Layer, Stack, gate_rows
from gradlab.settings.experiment import Experiment
from gradlab.words.weights import of_biases, of_eigenvalues, of_singular_values, of_weights

H = 6
COLUMNS = {
    singular_values: ["cell", "layer", "gate", "index", "singular_value"],
    eigenvalues: ["cell", "layer", "gate", "real", "imaginary", "modulus"],
    gate_biases: ["cell", "layer", "gate", "unit", "effective_bias"],
    parameter_counts: ["cell", "layer", "parameter", "count"],
}


def built(cell, **settings):
    return Stack.from_experiment(Experiment(cell=cell, depth=3, hidden_size=H, input_size=4, **settings))


def by_gate(table, column):
    """One column as lists, keyed by layer and gate."""
    return {key: part[column].to_numpy() for key, part in table.groupby(["layer", "gate"], sort=False)}


def scalars(cell, U):
    """One layer with hidden size 2 whose every gate has the recurrent block U, no input weight and no bias."""
    gates = len(CELLS[cell].pre_activations)
    return Stack(
        cell, (Layer(np.zeros((2 * gates, 1)), np.tile(U, (gates, 1)), np.zeros(2 * gates), np.zeros(2 * gates)),)
    )


@pytest.mark.parametrize("analysis", COLUMNS)
@pytest.mark.parametrize("cell", CELLS)
def test_a_table_has_its_columns_and_every_layer(analysis, cell):
    table = analysis(built(cell))
    assert list(table.columns) == COLUMNS[analysis]
    assert set(table["cell"]) == {cell}
    assert sorted(set(table["layer"])) == [0, 1, 2]
    assert table.index.is_unique
    if "gate" in table:
        assert len(table) == 3 * len(CELLS[cell].pre_activations) * H
        assert tuple(dict.fromkeys(table["gate"])) == CELLS[cell].pre_activations


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_an_orthogonal_block_has_every_singular_value_and_modulus_at_the_gain(cell, dtype):
    stack = built(cell, initialization="orthogonal", gain=1.25, dtype=dtype)
    tolerance = 1e-12 if dtype == "float64" else 1e-6  # the weights themselves are rounded
    unread = without(CELLS[cell], "U")  # gates without a recurrent weight have singular values of 0
    expected = np.where(singular_values(stack)["gate"].isin(unread), 0, 1.25)
    assert singular_values(stack)["singular_value"].to_numpy() == pytest.approx(expected, rel=tolerance)
    assert eigenvalues(stack)["modulus"].to_numpy() == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize("cell", CELLS)
def test_singular_values_fall_and_their_squares_sum_to_the_blocks(cell):
    stack = built(cell)
    for (number, gate), values in by_gate(singular_values(stack), "singular_value").items():
        block = stack.layers[number].U[gate_rows(cell, gate, H)]
        assert (np.diff(values) <= 0).all()
        assert np.sum(values**2) == pytest.approx(np.sum(block**2), rel=1e-12)
        assert values[0] == pytest.approx(np.linalg.norm(block, 2), rel=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_eigenvalues_sum_to_the_trace_and_multiply_to_the_determinant(cell):
    stack = built(cell)
    table = eigenvalues(stack)
    assert table["modulus"].to_numpy() == pytest.approx(np.hypot(table["real"], table["imaginary"]), rel=1e-14)
    imaginary = by_gate(table, "imaginary")
    for (number, gate), real in by_gate(table, "real").items():
        block = stack.layers[number].U[gate_rows(cell, gate, H)]
        values = real + 1j * imaginary[number, gate]
        assert values.sum() == pytest.approx(np.trace(block), abs=1e-13)
        assert values.prod() == pytest.approx(np.linalg.det(block), abs=1e-13)


def test_a_turn_by_a_quarter_has_eigenvalues_plus_and_minus_i():
    table = eigenvalues(scalars("rnn", np.array([[0.0, -1.0], [1.0, 0.0]])))
    assert table["real"].to_numpy() == pytest.approx([0, 0], abs=1e-15)
    assert sorted(table["imaginary"]) == pytest.approx([-1, 1], rel=1e-15)


def test_a_shear_has_a_spectral_norm_above_its_spectral_radius():
    stack = scalars("gru", np.array([[1.0, 1.0], [0.0, 1.0]]))
    assert eigenvalues(stack)["modulus"].max() == pytest.approx(1, abs=1e-7)  # a double eigenvalue: half the digits
    assert singular_values(stack)["singular_value"].max() == pytest.approx((1 + np.sqrt(5)) / 2, rel=1e-14)


@pytest.mark.parametrize("cell", CELLS)
def test_an_effective_bias_is_the_sum_of_pytorchs_two(cell):
    stack = built(cell)
    for (number, gate), values in by_gate(gate_biases(stack), "effective_bias").items():
        rows = gate_rows(cell, gate, H)
        assert np.array_equal(values, stack.layers[number].b_W[rows] + stack.layers[number].b_U[rows])


def test_the_forget_bias_of_the_settings_is_the_effective_one_on_every_layer():
    table = gate_biases(built("lstm", forget_bias=3))
    assert (table.loc[table["gate"] == "forget", "effective_bias"] == 3).all()
    assert (table.loc[table["gate"] != "forget", "effective_bias"].abs() < 1).all()


@pytest.mark.parametrize(("cell", "kind"), [("rnn", nn.RNN), ("lstm", nn.LSTM), ("gru", nn.GRU)])
def test_parameter_counts_are_torchs(cell, kind):
    module = kind(4, H, num_layers=3)
    table = parameter_counts(built(cell))
    assert table["count"].sum() == sum(p.numel() for p in module.parameters()) == built(cell).parameter_count
    expected = [p.numel() for p in module.parameters()]  # torch's order: weight_ih, weight_hh, bias_ih, bias_hh
    assert table["count"].tolist() == expected
    assert table["parameter"].tolist() == ["W", "U", "b_W", "b_U"] * 3


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_the_sentence_has_the_largest_norm_and_radius_over_all_layers_and_gates_and_every_parameter(cell):
    e = Experiment(cell=cell, depth=3, hidden_size=H, input_size=4)
    said = of_weights(e, singular_values(e), eigenvalues(e), parameter_counts(e))
    layers = e.network().layers
    blocks = [block for layer in layers for block in layer.U.reshape(-1, H, H)]
    norm = max(np.linalg.norm(block, 2) for block in blocks)
    radius = max(np.abs(np.linalg.eigvals(block)).max() for block in blocks)
    assert f"3 layers of {H} units, {sum(part.size for layer in layers for part in layer):,} parameters." in said
    assert said.endswith(f"spectral norm is {norm:.3g} and the largest spectral radius {radius:.3g}.")


def test_each_picture_of_weights_says_what_it_shows_itself():
    e = Experiment(cell="gru", depth=2, hidden_size=H, input_size=4, gain=1.5, keep_bias=2.0)
    layers = e.network().layers
    blocks = [block for layer in layers for block in layer.U.reshape(-1, H, H)]
    values = np.concatenate([np.linalg.svd(block, compute_uv=False) for block in blocks])
    moduli = np.abs(np.concatenate([np.linalg.eigvals(block) for block in blocks]))
    assert f"from {values.min():.3g} to {values.max():.3g}" in of_singular_values(singular_values(e))
    assert of_singular_values(singular_values(e)).endswith(f"; {(values > 1).sum()} of {6 * H} are above 1.")
    outside = f"is {moduli.max():.3g}; {(moduli > 1).sum()} of {6 * H} lie outside"
    assert outside in of_eigenvalues(eigenvalues(e))
    biases = np.stack([(layer.b_W + layer.b_U).reshape(3, H) for layer in layers])
    said = of_biases(gate_biases(e))
    mean = {name: f"{biases[:, n].mean():.2g}".replace("-", "−") for n, name in enumerate(CELLS["gru"].pre_activations)}
    assert all(f"{name} {value}" in said for name, value in mean.items())
    assert f"between {biases.min():.2g} and {biases.max():.2g}.".replace("-", "−") in said
