"""Keras's files: what is read of them gives the outputs that Keras gives, on its torch backend.

Files of Keras 1, of 2 and of its CuDNN layers, which no Keras writes any more, are made by h5py as those wrote them;
their outputs are Keras 3's of the same weights, and torch's, whose parameters are cuDNN's.
"""

import io
import json
import os
import zipfile

import numpy as np
import psutil
import pytest
import torch
from torch import nn

from gradlab.checkpoints import load
from tests.checkpoints.forward import forward

os.environ.setdefault("KERAS_BACKEND", "torch")
h5py = pytest.importorskip("h5py")
keras = pytest.importorskip("keras")
pytestmark = [
    pytest.mark.skipif(keras.backend.backend() != "torch", reason="Keras on its torch backend is the judge"),
    pytest.mark.filterwarnings("ignore"),  # of Keras, about its own older format
]
L = keras.layers
T, B, X, H = 8, 2, 3, 5


def sequence(*layers):
    model = keras.Sequential([keras.Input((T, X)), *layers])
    draw = np.random.default_rng(0)
    model.set_weights([0.6 * draw.standard_normal(array.shape) for array in model.get_weights()])
    return model


def functional():
    x = keras.Input((T, X))
    low = L.LSTM(H, return_sequences=True, name="low")(x)
    high = L.LSTM(4, return_sequences=True, name="high")(L.Dropout(0.5)(low))
    return redrawn(keras.Model(x, high))


def redrawn(model):
    draw = np.random.default_rng(1)
    model.set_weights([0.6 * draw.standard_normal(array.shape) for array in model.get_weights()])
    return model


def nested():
    inner = keras.Sequential([keras.Input((T, X)), L.GRU(H, return_sequences=True)], name="inner")
    return redrawn(keras.Sequential([keras.Input((T, X)), L.Dense(X), L.Dropout(0.1), inner]))


ON = {"return_sequences": True}
MODELS = {
    # model, cell, name
    "two layers": (lambda: sequence(L.LSTM(7, **ON), L.Dropout(0.3), L.LSTM(H, name="top", **ON)), "lstm"),
    "no bias": (lambda: sequence(L.LSTM(H, use_bias=False, **ON)), "lstm"),
    "hard": (lambda: sequence(L.LSTM(H, recurrent_activation="hard_sigmoid", **ON)), "lstm_hard"),
    "gru": (lambda: sequence(L.GRU(H, **ON)), "gru"),
    "gru no bias": (lambda: sequence(L.GRU(H, use_bias=False, **ON)), "gru"),
    "gru hard": (lambda: sequence(L.GRU(H, recurrent_activation="hard_sigmoid", **ON)), "gru_hard"),
    "gru reset before": (lambda: sequence(L.GRU(H, reset_after=False, **ON)), "gru_reset_before"),
    "rnn": (lambda: sequence(L.SimpleRNN(H, **ON), L.SimpleRNN(H, **ON)), "rnn"),
    "rnn relu": (lambda: sequence(L.SimpleRNN(H, activation="relu", **ON)), "rnn_relu"),
    "rnn linear": (lambda: sequence(L.SimpleRNN(H, activation=None, **ON)), "rnn_linear"),
    "both directions": (lambda: sequence(L.Bidirectional(L.LSTM(H, **ON)), L.Bidirectional(L.LSTM(4, **ON))), "lstm"),
    "both directions, gru": (lambda: sequence(L.Bidirectional(L.GRU(H, **ON))), "gru"),
    "RNN of a cell": (lambda: sequence(L.RNN(L.LSTMCell(H), **ON)), "lstm"),
    "functional": (functional, "lstm"),
}


def outputs(model):
    x = np.random.default_rng(5).standard_normal((T, B, X)).astype("float32")
    return x, np.asarray(keras.ops.convert_to_numpy(model(x.transpose(1, 0, 2)))).transpose(1, 0, 2)


def assert_same_outputs(checkpoint, model, cell):
    x, expected = outputs(model)
    (network,) = checkpoint.stacks.values()
    assert network.cell == cell
    assert np.abs(forward(network, x) - expected).max() < 3e-6 * max(1.0, np.abs(expected).max())


@pytest.mark.parametrize("by_path", [False, True])
@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize("name", MODELS)
def test_a_model_gives_the_outputs_of_keras(name, ending, by_path, tmp_path):
    make, cell = MODELS[name]
    model, path = make(), tmp_path / f"model{ending}"
    model.save(path)
    assert_same_outputs(load(path if by_path else path.read_bytes()), model, cell)


@pytest.mark.parametrize(
    "name", [name for name in MODELS if name not in ("two layers", "rnn", "both directions", "functional")]
)
def test_weights_alone_give_them_where_the_cell_is_said(name, tmp_path):
    make, cell = MODELS[name]
    model, path = make(), tmp_path / "model.weights.h5"
    model.save_weights(path)
    with pytest.raises(ValueError, match=rf'several ways.*activations.*cell="{cell}"'):
        load(path)
    assert_same_outputs(load(path, cell), model, cell)


def test_weights_alone_are_layers_apart(tmp_path):
    path = tmp_path / "model.weights.h5"
    MODELS["two layers"][0]().save_weights(path)
    assert list(load(path, "lstm").stacks) == ["layers/lstm", "layers/lstm_1"]
    with pytest.raises(ValueError, match="layers/lstm_1 can be read"):
        load(path, {"layers/lstm": "lstm_hard"})


def test_a_model_inside_of_a_model_is_read(tmp_path):
    path = tmp_path / "model.keras"
    nested().save(path)
    checkpoint = load(path)
    assert list(checkpoint.stacks) == ["inner/gru"] or [name.partition("/")[0] for name in checkpoint.stacks] == [
        "inner"
    ]
    model = keras.models.load_model(path)
    x = np.random.default_rng(5).standard_normal((T, B, X)).astype("float32")
    expected = np.asarray(keras.ops.convert_to_numpy(model.get_layer("inner")(x.transpose(1, 0, 2)))).transpose(1, 0, 2)
    (network,) = checkpoint.stacks.values()
    assert np.abs(forward(network, x) - expected).max() < 3e-6
    assert checkpoint.table["ignored"].str.contains("Dense is no recurrent layer").any()


def test_layers_with_something_between_them_are_apart(tmp_path):
    path = tmp_path / "model.keras"
    sequence(L.LSTM(H, name="a", **ON), L.Dense(H), L.LSTM(H, name="b", **ON)).save(path)
    assert list(load(path).stacks) == ["a", "b"]


# Keras 1, Keras 2 and CuDNN


def hdf5(groups, attributes, top="model_weights"):
    """A file of Keras 1 or 2: layers' arrays by name, in order."""
    file = io.BytesIO()
    with h5py.File(file, "w") as root:
        for name, value in attributes.items():
            root.attrs[name] = value
        weights = root.create_group(top) if top else root
        weights.attrs["layer_names"] = [name.encode() for name in groups]
        for name, arrays in groups.items():
            group = weights.create_group(name)
            group.attrs["weight_names"] = [path.encode() for path in arrays]
            for path, array in arrays.items():
                group.create_dataset(path, data=array)
    return file.getvalue()


def config_of(kind, **options):
    layer = {"class_name": kind, "config": {"name": "layer", "units": H, "return_sequences": True, **options}}
    return json.dumps({"class_name": "Sequential", "config": {"name": "model", "layers": [layer]}})


def slope_of_a_fifth(x):
    return keras.ops.clip(0.2 * x + 0.5, 0, 1)


@pytest.mark.parametrize(
    ("layer", "gates", "cell"),
    [
        (lambda: L.LSTM(H, recurrent_activation=slope_of_a_fifth, **ON), "icfo", "lstm_hard"),
        (lambda: L.LSTM(H, **ON), "icfo", "lstm"),
        (lambda: L.GRU(H, reset_after=False, **ON), "zrh", "gru_reset_before"),
    ],
)
def test_keras_1_holds_every_gate_apart(layer, gates, cell):
    model = sequence(layer())
    kernel, recurrent, bias = model.get_weights()
    place = {gate: number for number, gate in enumerate("ifco" if len(gates) == 4 else "zrh")}
    arrays = {}
    for gate in gates:
        columns = slice(place[gate] * H, (place[gate] + 1) * H)
        arrays |= {f"layer_W_{gate}": kernel[:, columns], f"layer_U_{gate}": recurrent[:, columns],
                   f"layer_b_{gate}": bias[columns]}  # fmt: skip
    inner = "hard_sigmoid" if cell == "lstm_hard" else "sigmoid"
    kind = "LSTM" if len(gates) == 4 else "GRU"
    options = {
        "output_dim": H,
        "activation": "tanh",
        "inner_activation": inner,
        "name": "layer",
        "return_sequences": True,
    }
    config = json.dumps({"class_name": "Sequential", "config": [{"class_name": kind, "config": options}]})
    data = hdf5({"layer": arrays}, {"model_config": config, "keras_version": b"1.2.2"})
    assert_same_outputs(load(data), model, cell)


@pytest.mark.parametrize(
    ("layer", "options", "cell"),
    [
        (lambda: L.LSTM(H, recurrent_activation=slope_of_a_fifth, **ON), {"recurrent_activation": "hard_sigmoid"},
         "lstm_hard"),
        (lambda: L.GRU(H, reset_after=False, **ON), {"recurrent_activation": "sigmoid"}, "gru_reset_before"),
        (lambda: L.GRU(H, recurrent_activation=slope_of_a_fifth, **ON),
         {"recurrent_activation": "hard_sigmoid", "reset_after": True}, "gru_hard"),
    ],
)  # fmt: skip
def test_keras_2_has_its_own_slope_and_defaults(layer, options, cell):
    model = sequence(layer())
    names = ("layer/kernel:0", "layer/recurrent_kernel:0", "layer/bias:0")
    arrays = dict(zip(names, model.get_weights(), strict=True))
    kind = type(model.layers[-1]).__name__
    attributes = {"model_config": config_of(kind, activation="tanh", **options), "keras_version": b"2.2.4"}
    assert_same_outputs(load(hdf5({"layer": arrays}, attributes)), model, cell)
    if "hard" in cell:
        del attributes["keras_version"]
        with pytest.raises(ValueError, match="slope 1/5 in Keras 1 and 2 and 1/6 in Keras 3"):
            load(hdf5({"layer": arrays}, attributes))
    top = hdf5({"layer": arrays}, {}, top="")
    with pytest.raises(ValueError, match="several ways"):
        load(top)
    assert_same_outputs(load(top, cell), model, cell)


@pytest.mark.parametrize(
    ("made", "kind", "file_order"), [(nn.LSTM, "CuDNNLSTM", (0, 1, 2, 3)), (nn.GRU, "CuDNNGRU", (1, 0, 2))]
)
@pytest.mark.parametrize("with_config", [True, False])
def test_cudnn_layers_hold_each_gates_bytes_as_torch_does(made, kind, file_order, with_config):
    torch.manual_seed(2)
    module = made(X, H).double()
    W, U, b_W, b_U = (tensor.detach().numpy() for tensor in module.parameters())

    def gates(array):
        return [array[gate * H : (gate + 1) * H] for gate in file_order]

    # CuDNNLSTM passes kernel[:, :units], flattened, to cuDNN as a matrix [units, X]
    arrays = {
        "layer/kernel:0": np.concatenate([block.reshape(X, H) for block in gates(W)], axis=1),
        "layer/recurrent_kernel:0": np.concatenate([block.reshape(H, H) for block in gates(U)], axis=1),
        "layer/bias:0": np.concatenate([*gates(b_W), *gates(b_U)]),
    }
    attributes = {"model_config": config_of(kind), "keras_version": b"2.2.4"} if with_config else {}
    checkpoint = load(hdf5({"layer": arrays}, attributes))
    assert checkpoint.table["bias"].tolist() == ["two"]
    (stack,) = checkpoint.stacks.values()
    x = np.random.default_rng(0).standard_normal((T, B, X))
    with torch.no_grad():
        expected = module(torch.from_numpy(x))[0].numpy()
    assert np.abs(forward(stack, x) - expected).max() < 1e-12


# refused

REFUSED = {
    "softsign": (lambda: sequence(L.LSTM(H, activation="softsign")), r"activation = 'softsign'"),
    "gate": (lambda: sequence(L.GRU(H, recurrent_activation="tanh")), r"recurrent_activation = 'tanh'"),
    "hard, reset before": (lambda: sequence(L.GRU(H, reset_after=False, recurrent_activation="hard_sigmoid")),
                           r"beside reset_after = False"),
    "backwards": (lambda: sequence(L.LSTM(H, go_backwards=True)), r"go_backwards = True"),
    "sum": (lambda: sequence(L.Bidirectional(L.LSTM(H), merge_mode="sum")), r"merge_mode = 'sum'"),
    "stacked cells": (lambda: sequence(L.RNN([L.LSTMCell(H), L.LSTMCell(H)])), r"RNN of StackedRNNCells"),
    "dense": (lambda: sequence(L.Dense(H)), r"Dense is no recurrent layer"),
}  # fmt: skip


@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize("name", REFUSED)
def test_an_option_that_no_cell_has_is_refused_by_its_name(name, ending, tmp_path):
    make, says = REFUSED[name]
    path = tmp_path / f"model{ending}"
    make().save(path)
    with pytest.raises(ValueError, match=says):
        load(path)


def lstm_file(change=None, **attributes):
    """A file of Keras 2 with one LSTM; `change` alters what h5py has open."""
    shapes = {"kernel": (X, 4 * H), "recurrent_kernel": (H, 4 * H), "bias": (4 * H,)}
    arrays = {f"layer/{name}:0": np.ones(shape, "float32") for name, shape in shapes.items()}
    config = config_of("LSTM", activation="tanh", recurrent_activation="sigmoid")
    file = io.BytesIO(hdf5({"layer": arrays}, {"model_config": config, "keras_version": b"2.2.4", **attributes}))
    if change is not None:
        with h5py.File(file, "r+") as root:
            change(root, root["model_weights/layer/layer"])
    return file.getvalue()


def replaced(name, make):
    def change(root, group):
        del group[name]
        make(root, group, name)

    return lstm_file(change)


def poisoned(root, group):
    group["kernel:0"][1, 2] = np.inf


def circle(root, group):
    root["model_weights/layer/again"] = root["model_weights"]


def archive(entries):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in entries.items():
            made.writestr(name, data)
    return file.getvalue()


ATTACKS = {
    "infinite": (lambda: lstm_file(poisoned), r"kernel:0 is inf at \[1, 2\]"),
    "link to a file": (lambda: replaced("bias:0", lambda r, g, n: g.__setitem__(
        n, h5py.ExternalLink("/etc/passwd", "/"))), r"not in it"),
    "link to nowhere": (lambda: replaced("bias:0", lambda r, g, n: g.__setitem__(n, h5py.SoftLink("/nowhere"))),
                        r"not in it"),
    "bytes of a file": (lambda: replaced("bias:0", lambda r, g, n: g.create_dataset(
        n, (4 * H,), "float32", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])), r"another file"),
    "empty and huge": (lambda: replaced("kernel:0", lambda r, g, n: g.create_dataset(
        n, (2**33, 4 * H), "float32", chunks=(1024, 4 * H))), r"holds 0 bytes"),
    "bomb": (lambda: replaced("kernel:0", lambda r, g, n: g.create_dataset(
        n, (2**20, 4 * H), "float32", data=np.zeros((2**20, 4 * H), "float32"), compression="gzip")), r"is damaged"),
    "text": (lambda: replaced("bias:0", lambda r, g, n: g.create_dataset(n, data=[b"x"] * 4 * H)), r"no number|\|S1"),
    "integers": (lambda: replaced("bias:0", lambda r, g, n: g.create_dataset(n, data=np.ones(4 * H, "int8"))), r"int8"),
    "shape": (lambda: replaced("bias:0", lambda r, g, n: g.create_dataset(n, data=np.ones(H, "float32"))),
              r"bias:0 has shape \[5\]: \[20\]"),
    "truncated": (lambda: lstm_file()[:-300], r"truncated|not in it"),
    "no JSON": (lambda: lstm_file(model_config="{"), r"model_config is damaged"),
    "nested JSON": (lambda: lstm_file(model_config="[" * 50_000), r"model_config is damaged"),
    "no weights": (lambda: archive({"config.json": "{}", "other.h5": b""}), r"no model\.weights\.h5"),
    "damaged weights": (lambda: archive({"config.json": "{}", "model.weights.h5": b"x" * 99}), r"truncated or damaged"),
    "bomb in the archive": (lambda: archive({"config.json": "{}", "model.weights.h5": bytes(2**26)}), r"unpacks to"),
    "only its head": (lambda: b"\x89HDF\r\n\x1a\n" + bytes(32), r"truncated or damaged"),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_ends_in_a_sentence_and_in_little_memory(attack):
    make, says = ATTACKS[attack]
    data = make()
    before = psutil.Process().memory_info().rss
    with pytest.raises(ValueError, match=says) as refused:
        load(data)
    assert psutil.Process().memory_info().rss - before < 2**27
    assert "\n" not in str(refused.value)


def test_groups_in_a_circle_are_walked_once():
    assert list(load(lstm_file(circle)).stacks) == ["layer"]


def test_code_in_a_model_is_not_built(tmp_path):
    model = keras.Sequential(
        [keras.Input((T, X)), L.LSTM(H), L.Lambda(lambda x: exec("raise SystemExit"), output_shape=(H,))]
    )
    path = tmp_path / "model.keras"
    model.save(path)
    table = load(path).table
    assert table["ignored"].tolist() == ["", "Lambda is no recurrent layer"]


def test_a_file_with_any_byte_changed_ends_in_a_sentence_or_in_weights():
    data, generator = lstm_file(), np.random.default_rng(0)
    for at in generator.integers(0, len(data), 200):
        changed = bytearray(data)
        changed[at] ^= int(generator.integers(1, 256))
        try:
            load(bytes(changed))
        except ValueError:
            continue
