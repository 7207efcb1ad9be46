"""Draws of the recurrent weight against their theory, and laws of whole layers that are made of smaller ones."""

import math

import numpy as np
import pytest
import torch

from gradlab.cells import CELLS
from gradlab.network.stack import gate_rows
from gradlab.settings.catalogue import meaning
from gradlab.settings.drawing import streams
from gradlab.settings.experiment import Experiment
from gradlab.settings.initializations import (
    INITIALIZATIONS,
    LayerShape,
    length_law,
    orthogonal,
    with_biases,
    with_gain,
    zeros,
)

H = 400
RANDOM = {  # variance of an entry times H
    "pytorch": 1 / 3,
    "xavier_uniform": 1,
    "xavier_normal": 1,
    "kaiming": 2,
    "gaussian": 1,
    "orthogonal": 1,
}
UNIFORM = {"pytorch": 1, "xavier_uniform": math.sqrt(3)}  # bound times √H
RELATED = ("identity", "irnn")
NORMAL = {"xavier_normal": 1, "kaiming": math.sqrt(2), "gaussian": 1}  # standard deviation times √H


def drawn(name, size=H, seed=1):
    """U of a cell with one gate."""
    random = streams(0)._replace(recurrent=torch.Generator().manual_seed(seed))
    return torch.from_numpy(INITIALIZATIONS[name](LayerShape("rnn", size, 1, 2, 1.0, 0), random).U)


def largest_gap(sample, cumulative):
    """Kolmogorov-Smirnov statistic: the largest gap between a sample's and a law's distribution functions."""
    ordered = sample.flatten().sort().values
    n = len(ordered)
    expected = cumulative(ordered)
    above = (torch.arange(1, n + 1) / n - expected).max()
    below = (expected - torch.arange(n) / n).max()
    return max(above.item(), below.item())


def threshold(n):
    """A sample of n from the law itself exceeds this once in 10,000 times: √(ln(2·10⁴)/2n)."""
    return math.sqrt(math.log(2e4) / (2 * n))


@pytest.mark.parametrize("name", INITIALIZATIONS)
def test_a_draw_is_float64_and_decided_by_the_generator(name):
    first, again = drawn(name), drawn(name)
    assert first.shape == (H, H)
    assert first.dtype == torch.float64
    assert torch.equal(first, again)
    if name in RANDOM:
        assert not torch.equal(first, drawn(name, seed=2))


@pytest.mark.parametrize("name", INITIALIZATIONS)
def test_a_draw_leaves_the_global_random_state_alone(name):
    before = torch.get_rng_state()
    drawn(name, size=8)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("name", "variance"), RANDOM.items())
def test_entries_have_mean_zero_and_the_variance_of_the_theory(name, variance):
    U = drawn(name) * math.sqrt(H)
    assert abs(U.mean().item()) < 5 * math.sqrt(variance) / H  # five standard errors of H² entries
    assert U.var().item() == pytest.approx(variance, rel=0.02)


@pytest.mark.parametrize(("name", "bound"), UNIFORM.items())
def test_uniform_draws_fill_their_interval_evenly(name, bound):
    U = drawn(name) * math.sqrt(H)
    assert U.abs().max() <= bound
    assert largest_gap(U, lambda x: (x / bound + 1) / 2) < threshold(H * H)


@pytest.mark.parametrize(("name", "deviation"), NORMAL.items())
def test_normal_draws_follow_the_normal_law(name, deviation):
    U = drawn(name) * math.sqrt(H)
    assert largest_gap(U, lambda x: torch.special.ndtr(x / deviation)) < threshold(H * H)


def test_the_check_of_a_law_refuses_a_law_off_by_two_percent():
    U = drawn("gaussian") * math.sqrt(H)
    assert largest_gap(U, lambda x: torch.special.ndtr(x / 1.02)) > threshold(H * H)


@pytest.mark.parametrize("size", [1, 2, 64])
def test_orthogonal_is_orthogonal(size):
    U = drawn("orthogonal", size)
    assert torch.allclose(U @ U.T, torch.eye(size, dtype=torch.float64), rtol=0, atol=1e-13)


def test_orthogonal_takes_rotations_and_reflections_alike():
    signs = [torch.det(drawn("orthogonal", 3, seed)).sign().item() for seed in range(200)]
    assert abs(sum(signs)) < 60  # four standard deviations of 200 fair signs


def test_identity_and_zeros_are_what_they_say():
    assert torch.equal(drawn("identity"), torch.eye(H, dtype=torch.float64))
    assert not drawn("zeros").any()
    plain, irnn = (INITIALIZATIONS[name](LayerShape("lstm", 5, 3, None, 1.0, 0), streams(0)) for name in RELATED)
    assert np.array_equal(irnn.U, plain.U)
    assert np.array_equal(irnn.U, np.tile(np.eye(5), (4, 1)))
    assert plain.b_W.any()
    assert not irnn.b_W.any()
    assert not irnn.b_U.any()


@pytest.mark.parametrize(("name", "radius"), [("pytorch", 1 / math.sqrt(3)), ("gaussian", 1.0)])
def test_the_spectral_radius_tends_to_the_gain_and_the_spectral_norm_to_twice_it(name, radius):
    U = drawn(name)
    assert torch.linalg.eigvals(U).abs().max().item() == pytest.approx(radius, rel=0.1)
    assert torch.linalg.matrix_norm(U, 2).item() == pytest.approx(2 * radius, rel=0.03)


@length_law
def chrono(shape, random):
    """Forget biases ln U(1, T - 1) and input biases their negative (Tallec & Ollivier 2018)."""
    layer = orthogonal(shape, random)
    bias = torch.empty(shape.hidden_size, dtype=torch.float64)
    bias = bias.uniform_(1, shape.steps - 1, generator=random.weights).log().numpy()
    return with_biases(layer, shape, {"forget": bias, "input": -bias})


def unit_forget(shape, random):
    """Keras's default: orthogonal, biases at 0 but for the forget gate's at 1 (Jozefowicz et al. 2015)."""
    return with_biases(orthogonal(shape, random), shape, dict.fromkeys(shape.biased, 0.0) | {"forget": 1.0})


def biases_of(layer, cell, gate):
    rows = gate_rows(cell, gate, layer.U.shape[1])
    return layer.b_W[rows] + layer.b_U[rows]


def test_a_chrono_initialization_is_one_function_and_one_line(monkeypatch):
    monkeypatch.setitem(INITIALIZATIONS, "chrono", chrono)
    e = Experiment(cell="lstm", initialization="chrono", hidden_size=400, steps=1000, depth=2, gain=0.5)
    usual = e.replace(initialization="orthogonal").network()
    assert meaning("initialization", "chrono") == chrono.__doc__
    for layer in e.network().layers:
        forget = biases_of(layer, "lstm", "forget")
        assert np.array_equal(biases_of(layer, "lstm", "input"), -forget)
        spread = np.sort(np.exp(forget))  # uniform on 1 to T - 1
        assert np.abs(spread - np.linspace(1, 999, 400)).max() < 1000 * threshold(400)
    first, like = e.network().layers[0], usual.layers[0]
    assert np.array_equal(first.U, like.U)
    assert np.array_equal(first.W, like.W)
    assert np.array_equal(biases_of(first, "lstm", "output"), biases_of(like, "lstm", "output"))


def test_a_chrono_initialization_knows_the_length_and_yields_to_a_forget_bias_that_is_asked_for(monkeypatch):
    monkeypatch.setitem(INITIALIZATIONS, "chrono", chrono)
    e = Experiment(initialization="chrono", hidden_size=64, steps=20)
    assert np.exp(biases_of(e.network().layers[0], "lstm", "forget")).max() < 19
    assert np.exp(biases_of(e.replace(steps=500).network().layers[0], "lstm", "forget")).max() > 400
    layer = e.replace(forget_bias=2).network().layers[0]
    assert (biases_of(layer, "lstm", "forget") == 2).all()
    assert (biases_of(layer, "lstm", "input") != -2).all()


@pytest.mark.parametrize("cell", CELLS)
def test_a_unit_forget_initialization_is_one_function_and_one_line(monkeypatch, cell):
    monkeypatch.setitem(INITIALIZATIONS, "unit_forget", unit_forget)
    layer = Experiment(cell=cell, initialization="unit_forget", hidden_size=5).network().layers[0]
    peepholes = Experiment(cell=cell, hidden_size=5).network().layers[0]
    for gate in CELLS[cell].pre_activations:
        rows = gate_rows(cell, gate, 5)
        expected = 1 if gate == "forget" else 0
        if gate.startswith("peephole"):  # weights, which no bias law reaches
            assert np.array_equal(layer.b_W[rows], peepholes.b_W[rows])
            assert layer.b_W[rows].any()
        else:
            assert (layer.b_W[rows] + layer.b_U[rows] == expected).all(), gate


def test_a_law_written_by_hand_gets_the_gain_by_its_wrapper():
    def ones(shape, random):
        return zeros(shape, random)._replace(U=np.ones((shape.hidden_size, shape.hidden_size)))

    shape = LayerShape("rnn", 3, 2, 10, 0.25, 0)
    assert (with_gain(ones)(shape, streams(0)).U == 0.25).all()


def test_every_law_of_the_registry_draws_a_layer_that_the_cell_takes_and_multiplies_u_by_the_gain():
    for name, law in INITIALIZATIONS.items():
        plain, scaled = (law(LayerShape("lstm", 6, 4, 10, gain, 0), streams(3)) for gain in (1.0, 1.5))
        assert [part.shape for part in plain] == [(24, 4), (24, 6), (24,), (24,)], name
        assert all(part.dtype == np.float64 for part in plain), name
        assert np.array_equal(scaled.U, 1.5 * plain.U), name
        assert np.array_equal(scaled.W, plain.W), name


@pytest.mark.parametrize("size", [1, 2, 3])
def test_input_weights_and_biases_fill_plus_minus_one_over_root_h(size):
    layer = INITIALIZATIONS["orthogonal"](LayerShape("lstm", size, 3000, None, 1.0, 0), streams(5))
    biases = [INITIALIZATIONS["zeros"](LayerShape("rnn", size, 1, None, 1.0, 0), streams(n)).b_W for n in range(400)]
    for sample, near in ((layer.W, 0.99), (np.array(biases), 0.97)):
        assert near < sample.max() * math.sqrt(size) <= 1
        assert near < -sample.min() * math.sqrt(size) <= 1
