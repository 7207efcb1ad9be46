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
    "keras": 1,
    "flax": 1,
    "orthogonal_fused": 1,
    "kaiming_uniform": 2,
    "lecun_normal": 1,
    "uniform": 0.08**2 / 3 * H,
    "rotation": 1,
    "ring": (0.9**2 + 0.999**2) / 2,
    "sparse": 1,
    "antisymmetric": 1,
    "unit_keep": 1 / 3,
    "chrono": 1 / 3,
    "uniform_gate": 1 / 3,
    "rising_floors": 1 / 3,
}
UNIFORM = {  # bound times √H
    "pytorch": 1,
    "xavier_uniform": math.sqrt(3),
    "kaiming_uniform": math.sqrt(6),
    "uniform": 0.08 * math.sqrt(H),
    "unit_keep": 1,
    "chrono": 1,
    "uniform_gate": 1,
    "rising_floors": 1,
}
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


# Laws of whole layers


def layer_of(name, cell="lstm", H=64, X=48, length=100, seed=0):
    law = INITIALIZATIONS[name]
    reads = getattr(law, "reads_length", False)
    return law(LayerShape(cell, H, X, length if reads else None, 1.0, 0), streams(seed))


def blocks(layer, cell):
    """U of each gate, [G, H, H]."""
    return layer.U.reshape(len(CELLS[cell].pre_activations), -1, layer.U.shape[1])


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("name", ["orthogonal_fused", "keras"])
def test_all_gates_at_once_are_orthogonal_and_a_gate_alone_is_not(name, cell):
    U = layer_of(name, cell).U
    assert np.abs(U.T @ U - np.eye(64)).max() < 1e-13
    singular = np.linalg.svd(blocks(layer_of(name, cell), cell), compute_uv=False)
    gates = len(singular)
    assert singular.max() <= 1 + 1e-12
    if gates > 1:
        assert (singular**2).mean() == pytest.approx(1 / gates, abs=1e-12)  # the gates share the whole
        assert singular.min() < 0.1


def test_the_gates_of_a_fused_lstm_of_64_units_have_the_singular_values_that_are_known():
    """Gates share the singular values of a whole: each has from .002-.04 to .82-.86 of it."""
    singular = np.array(
        [np.linalg.svd(blocks(layer_of("orthogonal_fused", seed=seed), "lstm"), compute_uv=False) for seed in range(8)]
    )
    largest, smallest = singular[..., 0], singular[..., -1]
    assert 0.80 < largest.min() < largest.max() < 0.90
    assert smallest.max() < 0.06


@pytest.mark.parametrize(("cell", "gates"), [("rnn", 1), ("gru", 3), ("lstm", 4)])
def test_keras_draws_w_over_all_gates_at_once_and_sets_the_biases(cell, gates):
    """keras.layers: kernel_initializer glorot_uniform of [X, gates·H]; bias_initializer zeros, unit_forget_bias."""
    H, X = 64, 48
    layer, limit = layer_of("keras", cell, H, X), math.sqrt(6 / (X + gates * H))
    W = torch.from_numpy(layer.W)
    assert 0.99 * limit < W.abs().max() <= limit
    assert largest_gap(W, lambda w: (w / limit + 1) / 2) < threshold(W.numel())
    for gate in CELLS[cell].pre_activations:
        assert (biases_of(layer, cell, gate) == (gate == "forget")).all()


def test_jax_draws_w_cut_off_at_two_deviations_with_the_variance_of_its_inputs():
    """flax.linen: kernel_init lecun_normal, recurrent_kernel_init orthogonal, bias_init zeros, each for a gate."""
    layer, scale = layer_of("flax", "lstm", X=100), 0.87962566103423978
    cut_off = torch.special.ndtr(torch.tensor(2.0, dtype=torch.float64))

    def cumulative(w):  # of a normal number within two deviations
        return (torch.special.ndtr(w * scale) - (1 - cut_off)) / (2 * cut_off - 1)

    W = 10 * torch.from_numpy(layer.W)
    assert W.abs().max() <= 2 / scale
    assert W.var().item() == pytest.approx(1, rel=0.03)
    assert largest_gap(W, cumulative) < threshold(W.numel())
    assert largest_gap(drawn("lecun_normal") * math.sqrt(H), cumulative) < threshold(H * H)
    for block in blocks(layer, "lstm"):
        assert np.abs(block.T @ block - np.eye(64)).max() < 1e-13
    assert not layer.b_W.any()
    assert not layer.b_U.any()


@pytest.mark.parametrize("size", [1, 2, 7, 64])
def test_a_rotation_has_all_eigenvalues_on_the_circle_and_a_ring_within_its_bounds(size):
    moduli = torch.linalg.eigvals(drawn("rotation", size)).abs()
    assert torch.allclose(moduli, torch.ones(size, dtype=torch.float64), rtol=0, atol=1e-12)
    U = drawn("rotation", size)
    assert torch.allclose(U @ U.T, torch.eye(size, dtype=torch.float64), rtol=0, atol=1e-12)
    moduli = torch.linalg.eigvals(drawn("ring", size)).abs()
    assert moduli.min() >= 0.9 - 1e-12
    assert moduli.max() <= 0.999 + 1e-12


def test_eigenvalues_are_spread_evenly_over_angles_and_over_the_area_of_the_ring():
    for name in ("rotation", "ring"):
        angles = torch.linalg.eigvals(drawn(name)).angle()
        above = angles[angles > 0]  # of conjugate pairs one each
        assert largest_gap(above, lambda angle: angle / math.pi) < threshold(len(above)), name
        cosines, sines = drawn(name).diagonal()[::2], drawn(name).diagonal(-1)[::2]
        turns = torch.atan2(sines, cosines)  # the eigenvalues of either sense are the same
        assert largest_gap(turns, lambda angle: angle / (2 * math.pi) + 0.5) < threshold(len(turns)), name
    squares = torch.linalg.eigvals(drawn("ring")).abs().square().sort().values[::2]
    assert largest_gap(squares, lambda s: (s - 0.81) / (0.999**2 - 0.81)) < threshold(len(squares))


@pytest.mark.parametrize("size", [3, 15, 16, 400])
def test_a_sparse_law_has_fifteen_weights_into_each_unit_at_places_that_differ(size):
    U = drawn("sparse", size)
    assert ((U != 0).sum(dim=1) == min(15, size)).all()
    if size == 400:
        assert largest_gap(U[U != 0] * math.sqrt(15), torch.special.ndtr) < threshold(15 * size)
        columns = (U != 0).sum(dim=0).to(torch.float64)
        assert columns.var().item() == pytest.approx(15 * (1 - 15 / 400), rel=0.35)  # places are drawn row by row
        assert torch.linalg.eigvals(U).abs().max().item() == pytest.approx(1, rel=0.1)


def test_an_antisymmetric_law_has_imaginary_eigenvalues_and_with_a_small_step_the_known_radius():
    U = drawn("antisymmetric", 64)
    assert torch.equal(U, -U.T)
    assert torch.linalg.eigvals(U).real.abs().max() < 1e-12
    assert drawn("antisymmetric").square().mean().item() * H == pytest.approx(1, rel=0.03)
    # h + ε U h turns and grows by √(1 + ε² σ²); Chang et al.'s M of variance 1/H is this law times √2
    radii = []
    for seed in range(40):
        M = math.sqrt(2) * drawn("antisymmetric", 64, seed)
        radii.append(torch.linalg.eigvals(torch.eye(64, dtype=torch.float64) + 0.1 * M).abs().max().item())
        assert radii[-1] == pytest.approx(math.hypot(1, 0.1 * torch.linalg.matrix_norm(M, 2).item()), abs=1e-12)
    assert np.mean(radii) == pytest.approx(1.036, abs=0.002)  # known of one draw; they spread by some .003


@pytest.mark.parametrize(
    ("cell", "gate", "sign"), [("lstm", "forget", 1), ("gru", "update", 1), ("min_gru", "update", -1)]
)
def test_biases_that_keep_stand_on_the_gate_that_keeps_with_its_sign(cell, gate, sign):
    n = 800
    one, spread, even = (layer_of(name, cell, n, 3, 1000) for name in ("unit_keep", "chrono", "uniform_gate"))
    assert (biases_of(one, cell, gate) == sign).all()
    longest = torch.from_numpy(sign * biases_of(spread, cell, gate)).exp()
    assert largest_gap(longest, lambda u: (u - 1) / 998) < threshold(n)
    kept = torch.from_numpy(sign * biases_of(even, cell, gate)).sigmoid()
    assert largest_gap(kept, lambda f: (f - 1 / n) / (1 - 2 / n)) < threshold(n)
    assert 1 / n <= kept.min()
    assert kept.max() <= 1 - 1 / n
    if "input" in CELLS[cell].pre_activations:
        assert np.array_equal(biases_of(spread, cell, "input"), -biases_of(spread, cell, gate))
    usual = layer_of("pytorch", cell, n, 3)
    for layer in (one, spread, even):
        assert np.array_equal(layer.U, usual.U)
        assert np.array_equal(layer.W, usual.W)


@pytest.mark.parametrize("cell", ["lstm", "gru", "min_gru", "minimal_gated"])
def test_rising_floors_give_each_layer_the_resting_gate_of_an_hgrn_at_its_start(cell):
    L, e = 4, Experiment(cell=cell, depth=4, hidden_size=40, input_size=3, steps=5)
    floors = torch.zeros(L, 1, dtype=torch.float64).softmax(0).cumsum(0) - 1 / L  # as its authors write them
    ours = e.replace(initialization="rising_floors").network().layers
    for layer, usual, floor in zip(ours, e.network().layers, floors, strict=True):
        kept = [_at_rest(cell, layer), _at_rest(cell, usual)]
        torch.testing.assert_close(kept[0], floor + (1 - floor) * kept[1], rtol=0, atol=1e-12)
        assert (kept[0] >= floor).all()
        assert np.array_equal(layer.U, usual.U)
    assert kept[0].mean() > 0.8 > kept[1].mean() + 0.2, "the highest layer keeps more than PyTorch's"


def _at_rest(cell, layer):
    """∂s'/∂s of the additive state by autograd, [H]: what a step from zeros, without input, keeps of it."""
    kind, H = CELLS[cell], layer.U.shape[1]
    states = [torch.zeros(H, dtype=torch.float64, requires_grad=True) for _ in kind.states]
    a_x, a_h = (torch.from_numpy(bias).reshape(-1, H) for bias in (layer.b_W, layer.b_U))
    new, _ = kind.step(tuple(a_x), tuple(a_h), kind.record(*states))
    place = kind.states.index("c") if "c" in kind.states else 0
    return torch.autograd.grad(new[place].sum(), states[place])[0]


@pytest.mark.parametrize("name", ["unit_keep", "chrono", "uniform_gate", "rising_floors"])
def test_a_cell_that_keeps_by_no_gate_is_as_pytorch_draws_it(name):
    for found, usual in zip(layer_of(name, "rnn"), layer_of("pytorch", "rnn"), strict=True):
        assert np.array_equal(found, usual)


def test_sutskevers_uniform_law_holds_for_every_parameter_whatever_the_size():
    for size in (8, 200):
        layer = layer_of("uniform", "lstm", size)
        for part in layer:
            assert np.abs(part).max() <= 0.08
            assert part.std() == pytest.approx(0.08 / math.sqrt(3), rel=0.25)


def test_a_scaled_identity_is_a_hundredth_of_it_without_biases():
    layer = layer_of("scaled_identity", "lstm", 5)
    assert np.array_equal(layer.U, 0.01 * np.tile(np.eye(5), (4, 1)))
    assert not layer.b_W.any()


@pytest.mark.parametrize("name", INITIALIZATIONS)
def test_a_keep_bias_that_is_asked_for_takes_the_place_of_the_laws(name):
    for cell, gate in (("lstm", "forget"), ("gru", "update")):
        e = Experiment(cell=cell, initialization=name, hidden_size=6, depth=2, keep_bias=2.5, steps=50)
        for layer in e.network().layers:
            assert (biases_of(layer, cell, gate) == 2.5).all()


@pytest.mark.parametrize("name", INITIALIZATIONS)
def test_what_a_cell_does_not_read_is_zero_under_every_law(name):
    """The gates of a minimal GRU and LSTM read no h; a peephole is one weight for each unit, which stands in b_W."""
    for cell in ("min_gru", "min_lstm"):
        for layer in Experiment(cell=cell, depth=2, hidden_size=6, initialization=name, keep_bias=2.0).network().layers:
            assert not layer.U.any()
            assert not layer.b_U.any()
    for layer in Experiment(cell="lstm_peephole", depth=2, hidden_size=6, initialization=name).network().layers:
        for gate in ("peephole_input", "peephole_forget", "peephole_output"):
            rows = gate_rows("lstm_peephole", gate, 6)
            assert not any(part[rows].any() for part in (layer.W, layer.U, layer.b_U))
