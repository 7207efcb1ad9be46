"""Files of torch, safetensors and numpy: what is read of them gives the outputs of the module that was saved."""

import io

import numpy as np
import pytest
import torch
from safetensors.torch import save as save_tensors
from torch import nn

import gradlab
from gradlab.checkpoints import load
from gradlab.training import Recipe, Run
from gradlab.training import checkpoints as runs
from tests.checkpoints.forward import forward

X, H, T, B = 3, 5, 9, 2
MODULES = {
    "lstm": (nn.LSTM, {"num_layers": 2}, None),
    "gru": (nn.GRU, {"num_layers": 2}, None),
    "tanh": (nn.RNN, {}, "rnn"),
    "relu": (nn.RNN, {"nonlinearity": "relu", "num_layers": 2}, "rnn_relu"),
    "no bias": (nn.GRU, {"bias": False}, None),
    "both directions": (nn.LSTM, {"bidirectional": True, "num_layers": 2}, None),
    "projection": (nn.LSTM, {"proj_size": 2, "num_layers": 2, "bidirectional": True}, None),
}


def module_of(kind):
    torch.manual_seed(3)
    made, options, cell = MODULES[kind]
    return made(X, H, **options).double(), cell


def torch_zip(tensors):
    file = io.BytesIO()
    torch.save(tensors, file)
    return file.getvalue()


def torch_legacy(tensors):
    file = io.BytesIO()
    torch.save(tensors, file, _use_new_zipfile_serialization=False)
    return file.getvalue()


def npz(tensors):
    file = io.BytesIO()
    np.savez(file, **{name: tensor.numpy() for name, tensor in tensors.items()})
    return file.getvalue()


def compressed_npz(tensors):
    file = io.BytesIO()
    np.savez_compressed(file, **{name: tensor.numpy() for name, tensor in tensors.items()})
    return file.getvalue()


FORMATS = {
    "torch zip": torch_zip, "torch legacy": torch_legacy, "safetensors": save_tensors, "npz": npz,
    "compressed": compressed_npz,
}  # fmt: skip


def assert_same_outputs(network, module, tolerance=1e-12):
    x = np.random.default_rng(0).standard_normal((T, B, X))
    with torch.no_grad():
        expected = module(torch.from_numpy(x).to(next(module.parameters()).dtype))[0].double().numpy()
    assert np.abs(forward(network, x) - expected).max() < tolerance


@pytest.mark.parametrize("by_path", [False, True])
@pytest.mark.parametrize("kind", MODULES)
@pytest.mark.parametrize("file_format", FORMATS)
def test_a_file_gives_the_outputs_of_the_module_that_was_saved(kind, file_format, by_path, tmp_path):
    module, cell = module_of(kind)
    data = FORMATS[file_format]({f"encoder.rnn.{name}": tensor for name, tensor in module.state_dict().items()})
    path = tmp_path / "weights"
    path.write_bytes(data)
    checkpoint = load(path if by_path else data, cell)
    assert checkpoint.format == file_format.replace("compressed", "npz")
    assert_same_outputs(checkpoint.stacks["encoder.rnn"], module)


@pytest.mark.parametrize("form", [torch_zip, torch_legacy])
def test_weights_are_read_at_any_depth_beside_numbers_and_an_optimizers_state(form):
    module, _ = module_of("lstm")
    optimizer = torch.optim.Adam(module.parameters())
    sum(parameter.sum() for parameter in module.parameters()).backward()
    optimizer.step()
    saved = {"step": 7, "args": {"lr": 0.1, "name": "x"}, "state": [{"model_state": {"lstm": module.state_dict()}}],
             "optimizer_state": optimizer.state_dict()}  # fmt: skip
    checkpoint = load(form(saved))
    assert list(checkpoint.stacks) == ["state.0.model_state.lstm"]
    assert_same_outputs(checkpoint.stacks["state.0.model_state.lstm"], module)
    assert checkpoint.table["ignored"].str.contains("no recurrent layer").any()


@pytest.mark.parametrize(("kind", "cell"), [(nn.LSTMCell, "lstm"), (nn.GRUCell, "gru")])
def test_a_cell_has_names_without_numbers(kind, cell):
    torch.manual_seed(0)
    single = kind(X, H).double()
    layer = {"lstm": nn.LSTM, "gru": nn.GRU}[cell](X, H).double()
    layer.load_state_dict({f"{name}_l0": tensor for name, tensor in single.state_dict().items()})
    checkpoint = load(save_tensors({f"lstm_cell.{name}": tensor for name, tensor in single.state_dict().items()}))
    assert_same_outputs(checkpoint.stacks["lstm_cell"], layer)


def test_short_names_are_read_behind_an_underscore():
    module, _ = module_of("gru")
    short = {"weight": "w", "bias": "b"}
    tensors = {f"enc_{short[name.split('_')[0]]}_{name.split('_')[1]}": tensor
               for name, tensor in module.state_dict().items() if name.endswith("_l0")}  # fmt: skip
    single = nn.GRU(X, H).double()
    single.load_state_dict({name: module.state_dict()[name] for name in single.state_dict()})
    assert_same_outputs(load(npz(tensors)).stacks["enc"], single)


def test_names_without_a_prefix_are_a_part_without_a_name():
    module, _ = module_of("lstm")
    assert_same_outputs(load(torch_zip(module.state_dict())).stacks[""], module)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("form", [torch_zip, torch_legacy, save_tensors])
def test_half_precision_is_copied_in_float32_and_said(dtype, form):
    module, _ = module_of("lstm")
    half = {f"lstm.{name}": tensor.to(dtype) for name, tensor in module.state_dict().items()}
    module.load_state_dict({name.removeprefix("lstm."): tensor for name, tensor in half.items()})
    checkpoint = load(form(half))
    stack = checkpoint.stacks["lstm"]
    assert (stack.dtype.name, stack.precision) == ("float32", str(dtype).removeprefix("torch."))
    assert checkpoint.table["dtype"][0] == stack.precision
    assert_same_outputs(stack, module, 1e-5)


def test_the_trace_is_that_of_the_module():
    module, _ = module_of("lstm")
    stack = load(torch_zip({"lstm": module.state_dict()})).stacks["lstm"]
    x, g = (np.random.default_rng(seed).standard_normal((T, B, size)) for seed, size in ((0, X), (1, H)))
    found, expected = (gradlab.trace(of, x, g).log10_norm("c") for of in (stack, gradlab.Stack.from_torch(module)))
    assert np.array_equal(found, expected)


def test_the_table_says_what_was_found():
    module, _ = module_of("both directions")
    rows = load(save_tensors({f"rnn.{name}": tensor for name, tensor in module.state_dict().items()}
                             | {"head.weight": torch.ones(2, 2)})).table  # fmt: skip
    part, other = rows.to_dict("records")
    assert part == {
        "name": "rnn", "cell": "lstm", "layers": 2, "input_size": X, "hidden_sizes": f"{H}, {H}", "directions": "both",
        "gate_order": "i f g o (PyTorch)", "bias": "two", "dtype": "float64", "ignored": "",
    }  # fmt: skip
    assert (other["name"], other["cell"]) == ("head", "")


@pytest.mark.parametrize("cell", ["gru", "lstm_peephole", "min_lstm"])
def test_a_run_of_gradlab_says_its_cell(cell):
    run = Run(gradlab.Experiment(cell=cell, hidden_size=4, steps=8, batch_size=2), "adding", Recipe(updates=2))
    (stack,) = load(runs.save(run)).stacks.values()
    assert stack.cell == cell
    x = np.random.default_rng(0).standard_normal((T, B, run.network.recurrent.layers[0].W.shape[1]))
    expected = run.network.recurrent(torch.from_numpy(x).to(run.network.readout.weight.dtype))[0].detach().numpy()
    assert np.abs(forward(stack, x) - expected).max() < 1e-5


def test_what_can_be_read_in_two_ways_is_asked_about():
    module, _ = module_of("relu")
    data = torch_zip({"a": module.state_dict(), "b": module_of("lstm")[0].state_dict()})
    with pytest.raises(ValueError, match=r'a can be read in several ways.*activation.*cell="rnn" or cell="rnn_relu"'):
        load(data)
    assert_same_outputs(load(data, "rnn_relu").stacks["a"], module)
    assert [stack.cell for stack in load(data, {"a": "rnn"}).stacks.values()] == ["rnn", "lstm"]


def test_a_gru_with_one_bias_is_asked_about():
    module, _ = module_of("gru")
    tensors = {name: tensor for name, tensor in module.state_dict().items() if not name.startswith("bias_hh")}
    with pytest.raises(ValueError, match=r'one.*cell="gru" or cell="gru_reset_before"'):
        load(torch_zip({"x": tensors}))
    assert load(torch_zip({"x": tensors}), "gru_reset_before").stacks["x"].cell == "gru_reset_before"


@pytest.mark.parametrize(("cell", "what"), [
    ("gru", "fits no part"), ("grü", "not known"), ({"other": "lstm"}, "'other' fits no part"),
    ({"lstm": "gru"}, "does not fit lstm"),
])  # fmt: skip
def test_a_cell_that_is_not_there_is_refused(cell, what):
    with pytest.raises(ValueError, match=what):
        load(torch_zip({"lstm": module_of("lstm")[0].state_dict()}), cell)
