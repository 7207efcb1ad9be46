"""ONNX files: what is read of a node gives the outputs that onnxruntime gives of the file."""

import io
from itertools import pairwise

import numpy as np
import psutil
import pytest
import torch
from torch import nn

from gradlab.checkpoints import load
from tests.checkpoints.forward import forward

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
helper, numpy_helper, TensorProto = onnx.helper, onnx.numpy_helper, onnx.TensorProto

T, B, X, H = 7, 2, 3, 5
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
FLOAT = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}


def weights(kind, directions=1, peepholes=False, dtype="float32", inputs=X, seed=0):
    draw = np.random.default_rng(seed)
    rows = GATES[kind] * H
    shapes = {"W": (directions, rows, inputs), "R": (directions, rows, H), "B": (directions, 2 * rows)}
    shapes |= {"P": (directions, 3 * H)} if peepholes else {}
    return {name: 0.5 * draw.standard_normal(shape).astype(dtype) for name, shape in shapes.items()}


def node_of(kind, peepholes=False, x="x", y="y", prefix="", **options):
    names = [x, *(f"{prefix}{letter}" for letter in "WRB"), "", "", *([""] if kind == "LSTM" else [])]
    names += [f"{prefix}P"] if peepholes else []
    return helper.make_node(kind, names, [y], name=f"{prefix}node", hidden_size=H, **options)


def model_of(nodes, tensors, outputs=("y",), dtype="float32", opset=17):
    graph = helper.make_graph(
        nodes, "graph", [helper.make_tensor_value_info("x", FLOAT[dtype], [T, B, X])],
        [helper.make_tensor_value_info(name, FLOAT[dtype], None) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in tensors.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def run(model, output="y", dtype="float32"):
    """Outputs of onnxruntime, [T, B, directions · H]."""
    x = np.random.default_rng(9).standard_normal((T, B, X)).astype(dtype)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (y,) = session.run([output], {"x": x})
    return x, y if y.ndim == 3 else y.transpose(0, 2, 1, 3).reshape(T, B, -1)


def assert_same_outputs(model, output="y", cell=None):
    checkpoint = load(model.SerializeToString())
    x, expected = run(model, output)
    (network,) = checkpoint.stacks.values()
    assert cell is None or checkpoint.table["cell"].tolist() == [cell]
    assert np.abs(forward(network, x) - expected).max() < 2e-6 * max(1.0, np.abs(expected).max())
    return checkpoint


NODES = {
    "lstm": ("LSTM", {}, "lstm"),
    "lstm, peepholes": ("LSTM", {"peepholes": True}, "lstm_peephole"),
    "lstm, hard": ("LSTM", {"activations": ["HardSigmoid", "Tanh", "Tanh"]}, "lstm_hard"),
    "lstm, hard, slope 0.3": ("LSTM", {"activations": ["HardSigmoid", "Tanh", "Tanh"], "activation_alpha": [0.3]},
                              "lstm_hard"),
    "gru, reset before": ("GRU", {}, "gru_reset_before"),
    "gru, reset after": ("GRU", {"linear_before_reset": 1}, "gru"),
    "gru, hard": ("GRU", {"linear_before_reset": 1, "activations": ["HardSigmoid", "Tanh"]}, "gru_hard"),
    "rnn": ("RNN", {}, "rnn"),
    "rnn, relu": ("RNN", {"activations": ["Relu"]}, "rnn_relu"),
}  # fmt: skip


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("name", NODES)
def test_a_node_gives_the_outputs_of_onnxruntime(name, direction):
    kind, options, cell = NODES[name]
    count = 1 + (direction == "bidirectional")
    options = {key: value * count if isinstance(value, list) else value for key, value in options.items()}
    tensors = weights(kind, count, options.get("peepholes", False))
    assert_same_outputs(model_of([node_of(kind, direction=direction, **options)], tensors), cell=cell)


def test_double_precision_is_kept():
    # onnxruntime has no recurrent node in float64: the numbers are the file's, and the float32 test says how they lie
    tensors = weights("LSTM", dtype="float64")
    (stack,) = load(model_of([node_of("LSTM")], tensors, dtype="float64").SerializeToString()).stacks.values()
    (single,) = load(model_of([node_of("LSTM")], weights("LSTM")).SerializeToString()).stacks.values()
    assert stack.dtype == "float64"
    assert all(np.array_equal(a.astype("float32"), b) for a, b in zip(stack.layers[0], single.layers[0], strict=True))


def test_weights_behind_operators_that_move_values_are_folded():
    t = weights("LSTM")
    tensors = {
        "top": t["W"][0, : 2 * H], "bottom": t["W"][0, 2 * H :], "turned": np.ascontiguousarray(t["R"][0].T),
        "long": np.concatenate([np.ones(3, "float32"), t["B"][0]]),
        "zero": np.array([0]), "three": np.array([3]), "end": np.array([99]),
    }  # fmt: skip
    nodes = [
        helper.make_node("Concat", ["top", "bottom"], ["whole"], axis=0),
        helper.make_node("Unsqueeze", ["whole", "zero"], ["W"]),
        helper.make_node("Transpose", ["turned"], ["back"], perm=[1, 0]),
        helper.make_node("Unsqueeze", ["back", "zero"], ["same"]),
        helper.make_node("Identity", ["same"], ["R"]),
        helper.make_node("Slice", ["long", "three", "end", "zero"], ["cut"]),
        helper.make_node("Unsqueeze", ["cut", "zero"], ["B"]),
        node_of("LSTM"),
    ]
    assert_same_outputs(model_of(nodes, tensors), cell="lstm")


def test_nodes_in_the_branches_of_an_if_see_the_weights_around_them():
    branches = []
    tensors = {"yes": np.array(True)}
    for place, kind in enumerate(("LSTM", "LSTM")):
        prefix = f"{place}_"
        tensors |= {prefix + name: array for name, array in weights(kind, seed=place).items()}
        output = helper.make_tensor_value_info(f"{prefix}y", TensorProto.FLOAT, None)
        branches.append(helper.make_graph([node_of(kind, prefix=prefix, y=f"{prefix}y")], prefix, [], [output]))
    chosen = helper.make_node("If", ["yes"], ["y"], then_branch=branches[0], else_branch=branches[1])
    model = model_of([chosen], tensors)
    stacks = load(model.SerializeToString()).stacks
    assert list(stacks) == ["1_node", "0_node"] or list(stacks) == ["0_node", "1_node"]
    x, expected = run(model)
    assert np.abs(forward(stacks["0_node"], x) - expected).max() < 2e-6
    assert np.abs(forward(stacks["1_node"], x) - expected).max() > 1e-2


def test_a_node_in_the_body_of_a_loop_is_read():
    tensors = {"once": np.array(1), "yes": np.array(True)}
    inner = [numpy_helper.from_array(array, name) for name, array in weights("GRU").items()]
    body = helper.make_graph(
        [node_of("GRU", x="x", y="inside", linear_before_reset=1), helper.make_node("Identity", ["go"], ["goes"])],
        "body",
        [helper.make_tensor_value_info("i", TensorProto.INT64, []),
         helper.make_tensor_value_info("go", TensorProto.BOOL, [])],
        [helper.make_tensor_value_info("goes", TensorProto.BOOL, []),
         helper.make_tensor_value_info("inside", TensorProto.FLOAT, None)],
        inner,
    )  # fmt: skip
    nodes = [helper.make_node("Loop", ["once", "yes"], ["scanned"], body=body),
             helper.make_node("Squeeze", ["scanned", "zero"], ["y"])]  # fmt: skip
    assert_same_outputs(model_of(nodes, tensors | {"zero": np.array([0])}), cell="gru")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dynamo", [False, True])
@pytest.mark.parametrize(
    ("made", "options", "cell"),
    [
        (nn.LSTM, {"num_layers": 3}, "lstm"),
        (nn.GRU, {"num_layers": 2}, "gru"),
        (nn.LSTM, {"num_layers": 2, "bidirectional": True}, "lstm"),
        (nn.GRU, {"bias": False}, "gru"),
    ],
)
def test_torchs_exports_are_one_stack(made, options, cell, dynamo):
    if dynamo:
        pytest.importorskip("onnxscript")
    torch.manual_seed(1)
    module, file = made(X, H, **options).eval(), io.BytesIO()
    x = torch.randn(T, B, X)
    torch.onnx.export(module, (x,), file, dynamo=dynamo, verbose=False, external_data=False)
    checkpoint = load(file.getvalue())
    assert checkpoint.table["layers"].tolist() == [options.get("num_layers", 1)]
    (network,) = checkpoint.stacks.values()
    assert network.cell == cell
    with torch.no_grad():
        expected = module(x)[0].numpy()
    assert np.abs(forward(network, x.numpy()) - expected).max() < 2e-6


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_torchs_export_of_an_rnn_is_a_node_or_unrolled_and_refused():
    torch.manual_seed(1)
    module, x = nn.RNN(X, H, nonlinearity="relu").eval(), torch.randn(T, B, X)
    file = io.BytesIO()
    torch.onnx.export(module, (x,), file, dynamo=False)
    (network,) = load(file.getvalue()).stacks.values()
    with torch.no_grad():
        assert np.abs(forward(network, x.numpy()) - module(x)[0].numpy()).max() < 2e-6
    pytest.importorskip("onnxscript")
    file = io.BytesIO()
    torch.onnx.export(module, (x,), file, dynamo=True, verbose=False, external_data=False)
    with pytest.raises(ValueError, match=r"no LSTM, GRU or RNN node, but .*MatMul"):
        load(file.getvalue())


def test_nodes_with_something_between_them_are_apart():
    tensors = {**{f"a{n}": a for n, a in weights("LSTM").items()}, "one": np.array([1]),
               **{f"b{n}": a for n, a in weights("LSTM", inputs=H, seed=1).items()}}  # fmt: skip
    lower, upper = node_of("LSTM", prefix="a", y="low"), node_of("LSTM", prefix="b", x="between")
    moved = helper.make_node("Squeeze", ["low", "one"], ["flat"])
    plain = [lower, moved, helper.make_node("Identity", ["flat"], ["between"]), upper]
    assert list(assert_same_outputs(model_of(plain, tensors)).stacks) == ["anode+bnode"]
    rectified = [lower, moved, helper.make_node("Relu", ["flat"], ["between"]), upper]
    assert list(load(model_of(rectified, tensors).SerializeToString()).stacks) == ["anode", "bnode"]


def test_what_a_stack_leaves_out_of_a_node_is_said():
    tensors = weights("LSTM") | {"h": np.ones((1, B, H), "float32"), "n": np.array([T, T - 1], "int32"),
                                 "c": np.zeros((1, B, H), "float32")}  # fmt: skip
    node = helper.make_node("LSTM", ["x", "W", "R", "B", "n", "h", "c"], ["y"], hidden_size=H)
    (said,) = load(model_of([node], tensors).SerializeToString()).table["ignored"]
    assert "sequence_lens" in said
    assert "(h)" in said


REFUSED = {
    "clip": ("LSTM", {"clip": 3.0}, r"clip = 3\.0"),
    "input_forget": ("LSTM", {"input_forget": 1}, r"input_forget = 1"),
    "softsign": ("LSTM", {"activations": ["Sigmoid", "Softsign", "Tanh"]}, r"Softsign"),
    "elu": ("RNN", {"activations": ["Elu"]}, r"Elu"),
    "beta": ("LSTM", {"activations": ["HardSigmoid", "Tanh", "Tanh"], "activation_beta": [0.4]}, r"activation_beta"),
    "hard, reset before": ("GRU", {"activations": ["HardSigmoid", "Tanh"]}, r"HardSigmoid beside linear_before_reset"),
    "two directions": ("RNN", {"direction": "bidirectional", "activations": ["Tanh", "Relu"]}, r"differ between"),
    "direction": ("RNN", {"direction": "sideways"}, r"direction = 'sideways'"),
}


@pytest.mark.parametrize("option", REFUSED)
def test_an_option_that_no_cell_has_is_refused_by_its_name(option):
    kind, options, says = REFUSED[option]
    count = 1 + (options.get("direction") == "bidirectional")
    with pytest.raises(ValueError, match=says):
        load(model_of([node_of(kind, **options)], weights(kind, count)).SerializeToString())


@pytest.mark.filterwarnings("ignore")
def test_quantized_nodes_are_refused(tmp_path):
    quantization = pytest.importorskip("onnxruntime.quantization")
    onnx.save(model_of([node_of("LSTM")], weights("LSTM")), tmp_path / "float.onnx")
    quantization.quantize_dynamic(tmp_path / "float.onnx", tmp_path / "whole.onnx", op_types_to_quantize=["LSTM"])
    with pytest.raises(ValueError, match="quantized"):
        load(tmp_path / "whole.onnx")
    tensors = weights("RNN")
    whole = tensors | {"W": (10 * tensors["W"]).astype("int8"), "scale": np.float32(0.1)}
    whole["whole"] = whole.pop("W")
    nodes = [helper.make_node("DequantizeLinear", ["whole", "scale"], ["W"]), node_of("RNN")]
    with pytest.raises(ValueError, match=r"W is quantized \(DequantizeLinear\)"):
        load(model_of(nodes, whole).SerializeToString())


def test_weights_that_are_no_constants_are_refused():
    tensors = weights("RNN")
    nodes = [helper.make_node("Sin", ["W0"], ["W"]), node_of("RNN")]
    with pytest.raises(ValueError, match="W is computed by Sin"):
        load(model_of(nodes, {"W0": tensors.pop("W"), **tensors}).SerializeToString())


def test_an_unrolled_cell_is_refused():
    with pytest.raises(ValueError, match="no LSTM, GRU or RNN node, but Tanh"):
        load(model_of([helper.make_node("Tanh", ["x"], ["y"])], {}).SerializeToString())


def test_values_and_shapes_that_do_not_fit_are_refused_by_name():
    tensors = weights("LSTM")
    tensors["R"][0, 3, 2] = np.nan
    with pytest.raises(ValueError, match=r"R is nan at \[0, 3, 2\]"):
        load(model_of([node_of("LSTM")], tensors).SerializeToString())
    with pytest.raises(ValueError, match=r"B, B of GRU, has shape"):
        load(model_of([node_of("GRU")], weights("GRU") | {"B": np.ones((1, 7), "float32")}).SerializeToString())
    with pytest.raises(ValueError, match=r"float16"):
        load(model_of([node_of("GRU")], weights("GRU") | {"B": np.ones((1, 30), "float16")}).SerializeToString())


def test_weights_beside_the_file_are_never_opened(tmp_path):
    model = model_of([node_of("RNN")], weights("RNN"))
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(ValueError, match="another file, which is not opened"):
        load(tmp_path / "m.onnx")


def delimited(number, payload):
    length, data = len(payload), b""
    while length > 127:
        data, length = data + bytes([length & 127 | 128]), length >> 7
    return bytes([number << 3 | 2]) + data + bytes([length]) + payload


def doubled(count):
    """A constant that is put together of itself again and again."""
    names = ["W0", *(f"W{n}" for n in range(1, count)), "W"]
    nodes = [helper.make_node("Concat", [below, below], [above], axis=2) for below, above in pairwise(names)]
    tensors = weights("RNN")
    return model_of([*nodes, node_of("RNN")], {"W0": tensors.pop("W"), **tensors}).SerializeToString()


def deep(count):
    """A graph in an If in a graph, and so on."""
    graph = b""
    for _ in range(count):
        graph = delimited(1, delimited(4, b"If") + delimited(5, delimited(6, graph)))
    return b"\x08\x08" + delimited(7, graph)


ATTACKS = {
    "empty nodes": (lambda: b"\x08\x08" + delimited(7, b"\x0a\x00" * 2**22), "more than 1048576 fields"),
    "empty attributes": (lambda: b"\x08\x08" + delimited(7, delimited(1, b"\x2a\x00" * 2**22)), "more than"),
    "empty values": (lambda: b"\x08\x08" + delimited(7, delimited(11, b"\x0a\x00" * 2**23)), "more than"),
    "length beyond the end": (lambda: b"\x08\x08\x3a\xff\xff\xff\xff\x7f" + bytes(64), "beyond the end"),
    "endless number": (lambda: b"\x08\x08" + b"\x3a" + b"\xff" * 64, "no end"),
    "truncated": (lambda: model_of([node_of("RNN")], weights("RNN")).SerializeToString()[:-100], "truncated or dam"),
    "doubled": (lambda: doubled(40), "longer than the whole file"),
    "in a circle": (lambda: model_of([helper.make_node("Identity", ["W"], ["W"]), node_of("RNN")],
                                     {n: a for n, a in weights("RNN").items() if n != "W"}).SerializeToString(),
                    "nests deeper"),
    "deep": (lambda: deep(3000), "damaged"),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_ends_in_a_sentence_and_in_little_memory(attack):
    make, says = ATTACKS[attack]
    data = make()
    before = psutil.Process().memory_info().rss
    with pytest.raises(ValueError, match=says):
        load(data)
    assert psutil.Process().memory_info().rss - before < 2**28
