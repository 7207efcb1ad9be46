"""Weights: drawn from an Experiment, copied from a torch module; and separate random streams."""

import math
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from gradlab.cells import CELLS
from gradlab.cells.contract import keep_gate_of, keep_of, without
from gradlab.network.stack import PYTORCH_NAMES, Layer, Stack, gate_rows
from gradlab.settings.drawing import cotangents_of, input_size_of, inputs_of, streams
from gradlab.settings.experiment import Experiment
from gradlab.settings.initializations import INITIALIZATIONS, kept_at_rest
from gradlab.settings.inputs import INPUTS, default_text
from gradlab.settings.losses import LOSSES

X, H = 3, 5
SMALL = Experiment(hidden_size=H, input_size=X, steps=12, batch_size=2)
MODULES = {
    "rnn": [lambda **o: nn.RNN(X, H, **o), lambda **o: nn.RNNCell(X, H, **o)],
    "rnn_relu": [
        lambda **o: nn.RNN(X, H, nonlinearity="relu", **o),
        lambda **o: nn.RNNCell(X, H, nonlinearity="relu", **o),
    ],
    "lstm": [lambda **o: nn.LSTM(X, H, **o), lambda **o: nn.LSTMCell(X, H, **o)],
    "gru": [lambda **o: nn.GRU(X, H, **o), lambda **o: nn.GRUCell(X, H, **o)],
}
SEQUENCE = [(cell, makers[0]) for cell, makers in MODULES.items()]
SINGLE = [(cell, makers[1]) for cell, makers in MODULES.items()]


def arrays(stack):
    return [array for layer in stack.layers for array in layer]


def equal(stack, other):
    return all(np.array_equal(a, b) for a, b in zip(arrays(stack), arrays(other), strict=True))


def one_step(stack, x, h, c):
    """One step of the lowest layer by its cell's own equations: input [B, X], states [B, H] -> new h [B, H]."""
    layer, cell = Layer(*map(torch.from_numpy, stack.layers[0])), CELLS[stack.cell]
    rows = [gate_rows(stack.cell, gate, stack.hidden_size) for gate in cell.pre_activations]
    a_x, a_h = x @ layer.W.T + layer.b_W, h @ layer.U.T + layer.b_U
    state = (h, c) if "c" in cell.states else (h,)
    kind = type("State", (), dict(zip(cell.states, state, strict=True)))
    new, _ = cell.step(tuple(a_x[:, r] for r in rows), tuple(a_h[:, r] for r in rows), kind)
    return new.h


def two_sample_gap(first, second):
    """Kolmogorov-Smirnov statistic of two samples, and what equal laws exceed once in 10,000 times."""
    both = np.concatenate([first, second])
    parts = [np.searchsorted(np.sort(part), both, side="right") / len(part) for part in (first, second)]
    return np.abs(parts[0] - parts[1]).max(), math.sqrt(math.log(2e4) / 2 * (1 / len(first) + 1 / len(second)))


# drawn from an experiment


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_stack_has_the_shapes_and_the_dtype_of_its_experiment(cell, depth, dtype):
    stack = Stack.from_experiment(SMALL.replace(cell=cell, depth=depth, dtype=dtype))
    assert (stack.cell, stack.depth, stack.hidden_size, stack.input_size) == (cell, depth, H, X)
    assert stack.dtype == dtype
    rows = len(CELLS[cell].pre_activations) * H
    for number, layer in enumerate(stack.layers):
        assert [a.shape for a in layer] == [(rows, H if number else X), (rows, H), (rows,), (rows,)]
        assert all(a.dtype == dtype and a.flags.c_contiguous for a in layer)
    assert stack.parameter_count == sum(np.count_nonzero(a) for a in arrays(stack))  # rows a cell leaves at 0 are none


@pytest.mark.parametrize("cell", CELLS)
def test_both_precisions_see_the_same_draws(cell):
    e = SMALL.replace(cell=cell, depth=2, forget_bias=0.1, gain=1.1)
    double, single = Stack.from_experiment(e), Stack.from_experiment(e.replace(dtype="float32"))
    assert all(np.array_equal(d.astype("float32"), s) for d, s in zip(arrays(double), arrays(single), strict=True))
    assert all(
        (d != d.astype("float32")).any() for d in arrays(double) if d.any()
    )  # the draw itself is in double precision
    for of in (inputs_of, cotangents_of):
        assert np.array_equal(of(e).astype("float32"), of(e.replace(dtype="float32")))
        assert of(e.replace(dtype="float32")).dtype == np.float32


def test_the_same_experiment_gives_the_same_weights_and_another_seed_others():
    assert equal(Stack.from_experiment(SMALL), Stack.from_experiment(SMALL))
    assert not equal(Stack.from_experiment(SMALL), Stack.from_experiment(SMALL.replace(seed=1)))


def test_drawing_leaves_the_global_random_states_alone():
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    Stack.from_experiment(SMALL)
    inputs_of(SMALL)
    cotangents_of(SMALL)
    assert torch.equal(torch.get_rng_state(), torch_before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_the_default_weights_follow_pytorchs_law(cell):
    torch.manual_seed(0)
    theirs = Stack.from_torch({"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[cell](40, 80, num_layers=2))
    ours = Stack.from_experiment(Experiment(cell=cell, hidden_size=80, input_size=40, depth=2))
    bound = 1 / math.sqrt(80)
    for a, b in zip(arrays(ours), arrays(theirs), strict=True):
        gap, threshold = two_sample_gap(a.ravel(), b.ravel())
        assert gap < threshold
        assert np.abs(a).max() <= bound
        assert a.size < 1000 or np.abs(a).max() == pytest.approx(bound, rel=0.02)
    wider, threshold = two_sample_gap(1.05 * ours.layers[0].U.ravel(), theirs.layers[0].U.ravel())
    assert cell == "rnn" or wider > threshold  # the comparison sees 5 % where there are entries enough


def test_parameters_and_layers_are_drawn_independently():
    flat = [a.ravel()[:300] for a in arrays(Stack.from_experiment(Experiment(depth=3, hidden_size=100)))]
    correlation = np.corrcoef([a for a in flat if len(a) == 300]) - np.eye(len(flat))
    assert np.abs(correlation).max() < 5 / math.sqrt(300)


@pytest.mark.parametrize("initialization", ["pytorch", "gaussian", "orthogonal"])
def test_every_gate_has_a_draw_of_its_own(initialization):
    U = Stack.from_experiment(SMALL.replace(initialization=initialization)).layers[0].U.reshape(4, H, H)
    assert all(not np.allclose(U[i], U[j]) for i in range(4) for j in range(i))


BIASES = ("b_W", "b_U")
OTHER_PARTS = dict.fromkeys(("irnn", "scaled_identity", "unit_keep", "chrono", "uniform_gate", "rising_floors"), BIASES)
OTHER_PARTS |= dict.fromkeys(("keras", "flax", "uniform"), ("W", *BIASES))  # laws of more than U


@pytest.mark.parametrize("initialization", INITIALIZATIONS)
@pytest.mark.parametrize("cell", CELLS)
def test_the_initialization_and_the_gain_decide_the_recurrent_weight_alone(initialization, cell):
    e = SMALL.replace(cell=cell, depth=2, initialization=initialization)
    plain, doubled = Stack.from_experiment(e), Stack.from_experiment(e.replace(gain=2))
    default = Stack.from_experiment(e.replace(initialization="pytorch"))
    for layer, twice, usual in zip(plain.layers, doubled.layers, default.layers, strict=True):
        assert np.array_equal(twice.U, 2 * layer.U)
        for name in ("W", "b_W", "b_U"):
            assert np.array_equal(getattr(layer, name), getattr(twice, name))
            if name not in OTHER_PARTS.get(initialization, ()):
                assert np.array_equal(getattr(layer, name), getattr(usual, name))


def test_the_irnn_begins_without_biases_and_keeps_peepholes_and_a_forget_bias_that_is_asked_for():
    relu = Stack.from_experiment(Experiment(cell="rnn_relu", hidden_size=H, initialization="irnn", depth=2))
    for layer in relu.layers:
        assert np.array_equal(layer.U, np.eye(H))
        assert not layer.b_W.any()
        assert not layer.b_U.any()
    e = Experiment(cell="lstm_peephole", hidden_size=H, initialization="irnn", forget_bias=2.0)
    found, other = (
        (stack.layers[0].b_W + stack.layers[0].b_U).reshape(-1, H)
        for stack in (Stack.from_experiment(e), Stack.from_experiment(e.replace(initialization="identity")))
    )
    expected = {"input": 0, "forget": 2, "candidate": 0, "output": 0}
    for number, gate in enumerate(CELLS[e.cell].pre_activations):
        assert (found[number] == expected.get(gate, other[number])).all(), gate
    assert other.all()


@pytest.mark.parametrize("cell", CELLS)
def test_orthogonal_identity_and_zeros_hold_in_every_gate_of_every_layer(cell):
    expected = {"orthogonal": 0.81 * np.eye(H), "identity": 0.81 * np.eye(H), "zeros": np.zeros((H, H))}
    for initialization, product in expected.items():
        e = SMALL.replace(cell=cell, depth=3, initialization=initialization, gain=0.9)
        for layer in Stack.from_experiment(e).layers:
            for gate in CELLS[cell].pre_activations:
                block = layer.U[gate_rows(cell, gate, H)]
                if gate in without(CELLS[cell], "U"):
                    assert not block.any()
                    continue
                assert block.T @ block == pytest.approx(product, abs=1e-14)
                assert initialization != "identity" or np.array_equal(block, 0.9 * np.eye(H))


@pytest.mark.parametrize("bias", [-20.0, 0.0, 3.0])
def test_the_forget_bias_is_effective_on_every_layer_and_touches_nothing_else(bias):
    plain = Stack.from_experiment(SMALL.replace(depth=4))
    biased = Stack.from_experiment(SMALL.replace(depth=4, forget_bias=bias))
    forget = gate_rows("lstm", "forget", H)
    others = np.delete(np.arange(4 * H), np.arange(4 * H)[forget])
    for before, after in zip(plain.layers, biased.layers, strict=True):
        assert (after.b_W[forget] == bias).all()
        assert (after.b_U[forget] == 0).all()
        assert np.array_equal(before.W, after.W)
        assert np.array_equal(before.U, after.U)
        assert np.array_equal(before.b_W[others], after.b_W[others])
        assert np.array_equal(before.b_U[others], after.b_U[others])


@pytest.mark.parametrize("cell", [cell for cell in CELLS if "forget" not in CELLS[cell].pre_activations])
def test_a_forget_bias_changes_no_cell_without_a_forget_gate(cell):
    e = SMALL.replace(cell=cell)
    assert equal(Stack.from_experiment(e), Stack.from_experiment(e.replace(forget_bias=5)))


def test_the_rows_of_a_gate_are_pytorchs():
    assert [gate_rows("lstm", gate, 10).start for gate in ("input", "forget", "candidate", "output")] == [0, 10, 20, 30]
    assert gate_rows("gru", "candidate", 10) == slice(20, 30)
    with pytest.raises(ValueError, match="forget"):
        gate_rows("gru", "forget", 10)


# separate random streams


@pytest.mark.parametrize("inputs", INPUTS)
@pytest.mark.parametrize(
    "change",
    [
        {"cell": "gru"},
        {"depth": 3},
        {"initialization": "orthogonal"},
        {"gain": 2},
        {"forget_bias": 1},
        {"loss": "every"},
    ],
)
def test_what_the_network_is_does_not_change_what_it_reads(inputs, change):
    e = SMALL.replace(inputs=inputs)
    assert np.array_equal(inputs_of(e), inputs_of(e.replace(**change)))


@pytest.mark.parametrize("loss", [name for name in LOSSES if name != "half_square"])
@pytest.mark.parametrize("change", [{"cell": "gru"}, {"depth": 3}, {"gain": 2}, {"inputs": "text"}, {"input_size": 9}])
def test_neither_network_nor_input_changes_the_direction_of_the_loss(loss, change):
    e = SMALL.replace(loss=loss)
    assert np.array_equal(cotangents_of(e), cotangents_of(e.replace(**change)))


def test_the_direction_of_the_loss_is_not_the_first_input():
    e = SMALL.replace(input_size=H)
    first = inputs_of(e)[0] / np.linalg.norm(inputs_of(e)[0], axis=-1, keepdims=True)
    assert not np.allclose(cotangents_of(e)[-1], first)


@pytest.mark.parametrize("change", [{"inputs": "sines"}, {"loss": "every"}, {"steps": 99}, {"batch_size": 7}])
def test_neither_input_nor_loss_changes_the_weights(change):
    assert equal(Stack.from_experiment(SMALL), Stack.from_experiment(SMALL.replace(**change)))


@pytest.mark.parametrize("cell", CELLS)
def test_a_layer_more_leaves_the_layers_below_as_they_were(cell):
    e = SMALL.replace(cell=cell, depth=2)
    shallow, deep = Stack.from_experiment(e), Stack.from_experiment(e.replace(depth=5))
    assert equal(shallow, Stack(cell, deep.layers[:2]))


def test_the_streams_of_a_seed_differ_from_each_other_and_start_afresh():
    def draws(seed):
        s = streams(seed)
        weights = [torch.rand(4, generator=g, dtype=torch.float64).tolist() for g in (s.weights, s.recurrent)]
        return weights + [g.random(4).tolist() for g in (s.inputs, s.loss)]

    assert draws(7) == draws(7)
    everything = [tuple(part) for seed in (0, 1, 2**32 - 1) for part in draws(seed)]
    assert len(set(everything)) == len(everything)


# what an experiment feeds


def test_text_decides_the_size_of_the_input():
    e = SMALL.replace(inputs="text", text="한글 한글")
    assert input_size_of(e) == 3
    assert inputs_of(e).shape == (12, 2, 3)
    assert Stack.from_experiment(e).input_size == 3
    assert input_size_of(SMALL.replace(inputs="text")) == len(set(default_text()))
    assert input_size_of(SMALL) == X


@pytest.mark.parametrize("name", INPUTS)
def test_inputs_are_those_of_the_registry(name):
    e = SMALL.replace(inputs=name)
    assert np.array_equal(inputs_of(e), INPUTS[name](12, 2, X, streams(0).inputs))


def test_the_cotangents_are_those_of_the_loss_at_its_step():
    e = SMALL.replace(loss="step", loss_step=4)
    assert np.flatnonzero(cotangents_of(e).any(axis=(1, 2))).tolist() == [4]
    states = np.random.default_rng(0).standard_normal((12, 2, H))
    assert np.array_equal(cotangents_of(SMALL.replace(loss="half_square"), states)[-1], states[-1])
    with pytest.raises(ValueError, match="states"):
        cotangents_of(SMALL.replace(loss="half_square"))


# copied from a torch module


@pytest.mark.parametrize(("cell", "make"), SEQUENCE)
@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("bias", [True, False])
def test_a_module_of_layers_is_copied_number_by_number(cell, make, depth, batch_first, bias):
    module = make(num_layers=depth, batch_first=batch_first, bias=bias)
    stack = Stack.from_torch(module)
    assert (stack.cell, stack.depth, stack.input_size, stack.hidden_size) == (cell, depth, X, H)
    for number, layer in enumerate(stack.layers):
        for ours, theirs in PYTORCH_NAMES.items():
            expected = getattr(module, f"{theirs}_l{number}", torch.zeros(len(layer.U))).detach().numpy()
            assert np.array_equal(getattr(layer, ours), expected)
    assert not bias or stack.parameter_count == sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(("cell", "make"), SINGLE)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_single_cell_becomes_one_layer_with_its_numbers(cell, make, bias, dtype):
    module = make(bias=bias, dtype=dtype)
    stack = Stack.from_torch(module)
    assert (stack.cell, stack.depth) == (cell, 1)
    assert f"torch.{stack.dtype}" == str(dtype)
    for ours, theirs in PYTORCH_NAMES.items():
        parameter = getattr(module, theirs)
        expected = np.zeros(len(stack.layers[0].U)) if parameter is None else parameter.detach().numpy()
        assert np.array_equal(getattr(stack.layers[0], ours), expected)


@pytest.mark.parametrize(("cell", "make"), SINGLE)
@pytest.mark.parametrize("bias", [True, False])
def test_a_step_of_the_copied_cell_is_torchs(cell, make, bias):
    module = make(bias=bias, dtype=torch.float64)
    x, h, c = (torch.randn(2, n, dtype=torch.float64) for n in (X, H, H))
    theirs = module(x, (h, c))[0] if cell == "lstm" else module(x, h)
    ours = one_step(Stack.from_torch(module), x, h, c)
    assert ours.numpy() == pytest.approx(theirs.detach().numpy(), rel=1e-12)


def test_training_on_after_the_copy_does_not_change_it():
    module = nn.GRU(X, H)
    stack = Stack.from_torch(module)
    before = stack.layers[0].U.copy()
    module.weight_hh_l0.data += 1
    assert np.array_equal(stack.layers[0].U, before)


def test_a_stack_drawn_here_and_loaded_into_torch_comes_back():
    stack = Stack.from_experiment(SMALL.replace(depth=2, forget_bias=1))
    module = nn.LSTM(X, H, num_layers=2, dtype=torch.float64)
    names = [f"{name}_l{number}" for number in range(2) for name in PYTORCH_NAMES.values()]
    module.load_state_dict({n: torch.from_numpy(a) for n, a in zip(names, arrays(stack), strict=True)})
    assert equal(Stack.from_torch(module), stack)


@pytest.mark.parametrize("make", [nn.RNN, nn.LSTM, nn.GRU])
def test_active_dropout_is_refused_and_idle_dropout_is_not(make):
    module = make(X, H, num_layers=2, dropout=0.3)
    with pytest.raises(ValueError, match=r"dropout = 0\.3 active.*eval"):
        Stack.from_torch(module)
    assert Stack.from_torch(module.eval()).depth == 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns that dropout does nothing in one layer, which is the point
        assert Stack.from_torch(make(X, H, dropout=0.3)).depth == 1


def broken(value):
    module = nn.LSTM(X, H, num_layers=2)
    module.weight_hh_l1.data[7, 2] = value
    return module


@pytest.mark.parametrize(
    ("module", "error", "told"),
    [
        (nn.GRU(X, H, device="meta"), ValueError, "meta device"),
        (nn.Linear(X, H), TypeError, "Linear is not a recurrent module"),
        (nn.Sequential(nn.Linear(X, X), nn.GRU(X, H)), TypeError, "it holds .1 (GRU): pass one"),
        ("lstm.pt", TypeError, "str is not a recurrent module"),
        (broken(math.nan), ValueError, "layer 1: U (weight_hh_l1 in PyTorch) is nan at [7, 2]"),
        (broken(-math.inf), ValueError, "is -inf at [7, 2]"),
    ],
)
def test_what_is_not_supported_is_refused_and_named(module, error, told):
    with pytest.raises(error) as caught:
        Stack.from_torch(module)
    assert told in str(caught.value)


# put together by hand


def layer(rows=H, columns=X, dtype=np.float64, **other):
    parts = {"W": np.ones((rows, columns), dtype), "U": np.ones((rows, H), dtype)}
    parts |= {"b_W": np.ones(rows, dtype), "b_U": np.ones(rows, dtype)}
    return Layer(**parts | other)


@pytest.mark.parametrize(
    ("cell", "layers", "told"),
    [
        ("elman", (layer(),), "cell = 'elman' is not known: use one of rnn"),
        ("rnn", (), "at least one layer"),
        ("rnn", (layer(b_U=np.ones(H + 1)),), f"layer 0: b_U (bias_hh_l0 in PyTorch) has shape ({H + 1},)"),
        ("lstm", (layer(),), f"a lstm stack needs ({4 * H}, {X})"),
        ("rnn", (layer(), layer()), f"layer 1: W (weight_ih_l1 in PyTorch) has shape ({H}, {X})"),
        ("rnn", (layer(U=np.ones(H)),), "must be matrices"),
        ("rnn", (layer(dtype=np.int64),), "has dtype int64: use float64 or float32"),
        ("rnn", (layer(b_W=np.ones(H, np.float32)),), "b_W (bias_ih_l0 in PyTorch) has dtype float32"),
        ("rnn", (layer(b_W=np.array([1, 2, np.inf, 4, np.nan])),), "b_W (bias_ih_l0 in PyTorch) is inf at [2]"),
    ],
)
def test_a_stack_that_does_not_fit_together_is_refused_and_the_array_named(cell, layers, told):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 the message is compared below, in full
        Stack(cell, layers)
    assert told in str(caught.value)


def test_arrays_of_any_memory_order_become_contiguous():
    stack = Stack("rnn", (layer(), layer(columns=H, W=np.asfortranarray(np.arange(H * H, dtype=float).reshape(H, H)))))
    assert stack.layers[1].W.flags.c_contiguous
    assert stack.layers[1].W[0].tolist() == [0, 1, 2, 3, 4]


def test_a_stack_says_in_a_line_what_it_is():
    stack = Stack.from_experiment(Experiment(cell="lstm", depth=2, hidden_size=64, input_size=16))
    assert repr(stack) == "Stack(lstm, depth 2, 64 units, 16 inputs, float64)"
    assert repr(stack.layers[1]) == "Layer(64 units, 64 inputs, 256 rows, float64)"


@pytest.mark.parametrize("cell", [name for name, cell in CELLS.items() if keep_gate_of(cell)])
def test_the_keep_gate_bias_opens_the_gate_that_keeps_of_every_gated_cell_and_changes_nothing_else(cell):
    gate, sign = keep_gate_of(CELLS[cell])
    e = SMALL.replace(cell=cell, depth=2)
    plain, biased = Stack.from_experiment(e), Stack.from_experiment(e.replace(keep_bias=2.5))
    for before, after in zip(plain.layers, biased.layers, strict=True):
        rows = gate_rows(cell, gate, e.hidden_size)
        assert after.b_W[rows] + after.b_U[rows] == pytest.approx(sign * 2.5)
        others = np.setdiff1d(np.arange(len(before.b_W)), np.arange(len(before.b_W))[rows])
        assert np.array_equal(before.b_W[others], after.b_W[others])
        assert np.array_equal(before.W, after.W)
        assert np.array_equal(before.U, after.U)
    if keep_of(CELLS[cell]):
        assert kept_at_rest(CELLS[cell], 2.5) > kept_at_rest(CELLS[cell], 0.0) > kept_at_rest(CELLS[cell], -2.5)


@pytest.mark.parametrize("cell", CELLS)
def test_a_forget_bias_means_what_it_meant_and_gives_way_to_a_keep_gate_bias(cell):
    e = SMALL.replace(cell=cell)
    has_forget = "forget" in CELLS[cell].pre_activations
    old = Stack.from_experiment(e.replace(forget_bias=1.5))
    assert equal(old, Stack.from_experiment(e.replace(keep_bias=1.5) if has_forget else e))
    both = Stack.from_experiment(e.replace(forget_bias=1.5, keep_bias=-1.0))
    assert equal(both, Stack.from_experiment(e.replace(keep_bias=-1.0)))


@pytest.mark.parametrize("cell", [name for name, cell in CELLS.items() if keep_gate_of(cell) is None])
def test_cells_without_a_gate_that_keeps_have_no_keep_gate_bias(cell):
    e = SMALL.replace(cell=cell)
    assert "keep_bias" in e.unused()
    assert equal(Stack.from_experiment(e), Stack.from_experiment(e.replace(keep_bias=5.0)))
