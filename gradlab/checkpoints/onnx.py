"""`.onnx`: LSTM, GRU and RNN nodes, also inside of If, Loop and Scan. Their weights must be constants.

The rows of an LSTM's weights stand in the order i o f c, those of a GRU's in z r h; P, the peepholes, in i o f. A
constant may stand behind operators that only move values (`MOVES`): they are folded by onnx's reference. A file of
weights beside the graph is never opened. A node that reads another's Y as it is stands above it in one stack.

(Operators LSTM, GRU and RNN of the ONNX specification, versions 7 to 22.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy import ndarray

from gradlab.cells.lstm_hard import SLOPE
from gradlab.checkpoints.contents import Contents, Part, finite
from gradlab.checkpoints.source import Source
from gradlab.checkpoints.wire import refuse_many_messages
from gradlab.network.layer import DTYPES, Layer
from gradlab.network.modules import Held

INSTALL = "onnx is not installed, which reads this format: pip install --group onnx (or pip install onnx)"
MOVES = ("Identity", "Slice", "Concat", "Unsqueeze", "Squeeze", "Transpose", "Reshape", "Cast", "Split")
PASSES = ("Identity", "Dropout")  # what a value passes unchanged when nobody trains
RECURRENT = {"LSTM": "i o f c (ONNX)", "GRU": "z r h (ONNX)", "RNN": "one"}
ORDER = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}  # of the cell's pre-activations among the file's
GATES = {"LSTM": (0, 1, 3), "GRU": (0, 1), "RNN": ()}  # in the cell's order: those of the first activation
DEFAULTS = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}
CELLS_BY = {
    ("LSTM", "Sigmoid", "Tanh", "Tanh"): "lstm",
    ("LSTM", "HardSigmoid", "Tanh", "Tanh"): "lstm_hard",
    ("GRU", "Sigmoid", "Tanh"): "gru",
    ("GRU", "HardSigmoid", "Tanh"): "gru_hard",
    ("RNN", "Tanh"): "rnn",
    ("RNN", "Relu"): "rnn_relu",
}
DIRECTIONS = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
SECOND_TAGS = b"\x12\x1a\x22\x28\x32\x3a\x42"  # of the fields that follow the version in a ModelProto


class NotReadError(ValueError):
    """A node that no cell here is: the reason."""


def is_onnx(source: Source) -> bool:
    """By the file's name, or by its first field, a small version number, and the tag of a second."""
    head = source.head(3)
    return source.suffix == ".onnx" or (head[:1] == b"\x08" and 0 < head[1] < 32 and head[2] in SECOND_TAGS)


def contents(source: Source) -> Contents:
    """The recurrent nodes of a file. Raises ImportError without onnx, ValueError for a damaged file."""
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError:
        raise ImportError(INSTALL) from None
    with source.open() as file:
        data = file.read()
    refuse_many_messages(data)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except (DecodeError, ValueError) as error:
        raise ValueError(f"the ONNX file is truncated or damaged: {str(error)[:100]}") from None
    del data
    versions = {entry.domain: entry.version for entry in model.opset_import} or {"": 1}
    parts: dict[str, Part] = {}
    ignored: dict[str, str] = {}
    try:
        for node, scope in _nodes_of(Scope(model.graph, versions, source.size)):
            name = _unique(node.name or "".join(node.output[:1]) or node.op_type, {*parts, *ignored})
            try:
                part = _part(node, scope, name)
            except NotReadError as error:
                ignored[name] = str(error)
                continue
            if (under := _under(node, scope, part, parts)) is not None:
                del parts[under.name]
                part = part._replace(name=f"{under.name}+{name}", levels=(*under.levels, *part.levels))
            parts[part.name] = part
            if node.output and node.output[0]:
                scope.gives[node.output[0]] = part.name
    except RecursionError:
        raise ValueError("the ONNX graph nests deeper than can be read") from None
    if not parts and not ignored:
        ignored["the graph"] = _without_nodes(model.graph)
    return Contents("onnx", tuple(parts.values()), tuple(ignored.items()))


@dataclass
class Scope:
    """A graph, and what it sees of the graphs around it."""

    graph: Any  # onnx.GraphProto
    versions: dict[str, int]  # of the operators, by domain
    most_bytes: int  # of a constant: that of the file
    outer: Scope | None = None
    constants: dict[str, ndarray] = field(default_factory=dict)  # those that were asked for
    gives: dict[str, str] = field(default_factory=dict)  # the part whose Y a name is

    def __post_init__(self) -> None:
        _refuse_bytes(self.graph)
        self.initializers = {tensor.name: tensor for tensor in self.graph.initializer}
        self.makers = {output: node for node in self.graph.node for output in node.output if output}
        self.inputs = {value.name for value in self.graph.input}
        self.shapes = {  # of values, as far as the file says them; 0 where a size is known only when the graph runs
            value.name: [size.dim_value for size in value.type.tensor_type.shape.dim]
            for value in (*self.graph.value_info, *self.graph.input)
        }

    def constant(self, name: str) -> ndarray:
        """The value of a name. Raises NotReadError where it is no constant, or not folded, with what makes it."""
        if name not in self.constants:
            self.constants[name] = self._evaluated(name)
        return self.constants[name]

    def _evaluated(self, name: str) -> ndarray:
        if name in self.initializers:
            return _array(self.initializers[name])
        node = self.makers.get(name)
        if node is None:
            if name in self.inputs or self.outer is None:
                raise NotReadError(f"{name} is an input of the graph and no constant: it has no weights of its own")
            return self.outer.constant(name)
        if node.op_type == "Constant":
            return _of_constant(node)
        if "uantize" in node.op_type:
            raise NotReadError(f"{name} is quantized ({node.op_type}): export the float model")
        if node.op_type not in MOVES or node.domain not in ("", "ai.onnx"):
            raise NotReadError(f"{name} is computed by {node.op_type}, which is not folded: export it as a constant")
        feeds = {entry: self.constant(entry) for entry in node.input if entry}
        if node.op_type == "Concat" and sum(array.nbytes for array in feeds.values()) > self.most_bytes + 2**16:
            raise NotReadError(f"{name} is longer than the whole file: it is put together of repeated constants")
        from onnx.reference import ReferenceEvaluator

        try:
            results = ReferenceEvaluator(node, opsets=self.versions).run(None, feeds)
        except Exception as error:  # of whatever kind wrong axes end in
            raise NotReadError(f"{name} cannot be folded: {type(error).__name__} in {node.op_type}") from None
        assert isinstance(results, list)
        return np.asarray(results[list(node.output).index(name)])

    def value(self, name: str) -> ndarray | None:
        """The constant, None where it is none."""
        try:
            return self.constant(name)
        except NotReadError:
            return None


def _refuse_bytes(graph: Any) -> None:
    """Raises ValueError for names that are no text, which protobuf then gives as bytes."""
    texts = [text for node in graph.node for text in (node.op_type, node.name, node.domain, *node.input, *node.output)]
    texts += [entry.name for entry in (*graph.initializer, *graph.input, *graph.value_info)]
    texts += [attribute.name for node in graph.node for attribute in node.attribute]
    if any(isinstance(text, bytes) for text in texts):
        raise ValueError("the ONNX file is truncated or damaged: a name in it is no text")


def _array(tensor: Any) -> ndarray:
    """A tensor's values. Raises ValueError where they lie in another file or do not fit the shape."""
    from onnx import numpy_helper

    if tensor.data_location or tensor.external_data:
        raise ValueError(
            f"{tensor.name[:60]} lies in another file, which is not opened: export with the weights inside"
        )
    try:
        return numpy_helper.to_array(tensor)
    except Exception as error:  # of whatever kind a damaged tensor ends in
        raise ValueError(f"{tensor.name[:60]} is damaged: {str(error)[:100]}") from None


def _of_constant(node: Any) -> ndarray:
    if not node.attribute:
        raise NotReadError(f"{node.output[0]} is a constant without a value: export it as a tensor")
    attribute = node.attribute[0]
    kind = attribute.name
    if kind == "value":
        return _array(attribute.t)
    if kind in ("value_float", "value_int"):
        return np.asarray(attribute.f if kind == "value_float" else attribute.i)
    if kind in ("value_floats", "value_ints"):
        return np.asarray(attribute.floats if kind == "value_floats" else attribute.ints)
    raise NotReadError(f"{node.output[0]} is a constant of {kind}, which is not read: export it as a tensor")


def _nodes_of(scope: Scope) -> Iterator[tuple[Any, Scope]]:
    """Every recurrent node, quantized ones too, and the graph it is in, depth first."""
    for node in scope.graph.node:
        if node.op_type in RECURRENT or ("uantize" in node.op_type and "LSTM" in node.op_type):
            yield node, scope
        for attribute in node.attribute:
            for graph in [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]:
                yield from _nodes_of(Scope(graph, scope.versions, scope.most_bytes, scope))


def _part(node: Any, scope: Scope, name: str) -> Part:
    """A node as a part of one layer. Raises NotReadError for what no cell here is, by the name of the option."""
    kind = node.op_type
    if kind not in RECURRENT:
        raise NotReadError(f"{kind} is quantized, and no gradient passes whole numbers: export the float model")
    options = {attribute.name: attribute for attribute in node.attribute}
    direction = options["direction"].s.decode("utf-8", "replace") if "direction" in options else "forward"
    if direction not in DIRECTIONS:
        raise NotReadError(f"direction = {direction!r} is not known: use one of {', '.join(DIRECTIONS)}")
    for option, of in (("clip", "f"), ("input_forget", "i")):
        if option in options and getattr(options[option], of):
            raise NotReadError(f"{option} = {getattr(options[option], of)} is of no cell: export the node without it")
    directions = DIRECTIONS[direction]
    cell, slopes = _cell(kind, options, len(directions))
    names = [*node.input, "", "", "", "", "", "", "", ""]
    arrays = {}
    for letter, place in (("W", 1), ("R", 2), ("B", 3), ("P", 7)):
        if names[place]:
            arrays[letter] = scope.constant(names[place])
    if "P" in arrays and kind != "LSTM":
        del arrays["P"]
    if "W" not in arrays or "R" not in arrays:
        raise NotReadError(f"{kind} without W or R is no node of ONNX")
    precision = _refuse_shapes(kind, arrays, names, len(directions))
    if "P" in arrays and not any(arrays["P"].flat):
        del arrays["P"]
    if "P" in arrays:
        if cell != "lstm":
            raise NotReadError("peepholes, P, beside HardSigmoid gates are of no cell")
        cell = "lstm_peephole"
    level = tuple(_held(kind, arrays, number, slopes[number], reverse) for number, reverse in enumerate(directions))
    bias = "two" if "B" in arrays else "none"
    return Part(name, cell, (level,), RECURRENT[kind], bias, precision, _left_out(names, scope))


def _cell(kind: str, options: Any, count: int) -> tuple[str, list[float]]:
    """(the cell, the slope of the gates of each direction). Raises NotReadError for what is of no cell, by its name."""
    wanted = DEFAULTS[kind]
    activations = list(wanted) * count
    if "activations" in options:
        activations = [str(value, "utf-8", "replace") for value in options["activations"].strings]
    known: dict[str, str] = {"sigmoid": "Sigmoid", "tanh": "Tanh", "relu": "Relu", "hardsigmoid": "HardSigmoid"}
    activations = [known.get(activation.lower(), activation) for activation in activations]
    if len(activations) != len(wanted) * count:
        raise NotReadError(f"activations = {activations} are {len(activations)}: {len(wanted) * count} are needed")
    alphas = list(options["activation_alpha"].floats) if "activation_alpha" in options else []
    betas = list(options["activation_beta"].floats) if "activation_beta" in options else []
    cells, slopes = set(), []
    for start in range(0, len(activations), len(wanted)):
        of_direction: tuple[str, ...] = tuple(activations[start : start + len(wanted)])
        cell = CELLS_BY.get((kind, *of_direction))
        if cell is None:
            raise NotReadError(f"activations = {', '.join(of_direction)} of {kind} are of no cell")
        slope = SLOPE
        if of_direction[0] == "HardSigmoid":
            slope = alphas.pop(0) if alphas else SLOPE
            slope = SLOPE if np.float32(slope) == np.float32(SLOPE) else slope
            beta = betas.pop(0) if betas else 0.5
            if beta != 0.5:
                raise NotReadError(f"activation_beta = {beta:g} of HardSigmoid is of no cell: use 0.5")
        cells.add(cell)
        slopes.append(slope)
    if len(cells) > 1:
        raise NotReadError(f"activations = {', '.join(activations)} differ between the directions")
    cell = cells.pop()
    if kind == "GRU" and not ("linear_before_reset" in options and options["linear_before_reset"].i):
        if cell == "gru_hard":
            raise NotReadError("activations = HardSigmoid beside linear_before_reset = 0 are of no cell")
        cell = "gru_reset_before"
    return cell, slopes


def _refuse_shapes(kind: str, arrays: dict[str, ndarray], names: list[str], directions: int) -> str:
    """The precision where it is half. Raises ValueError for shapes that do not fit, dtypes and values that none has."""
    gates, R = len(ORDER[kind]), arrays["R"]
    H = R.shape[-1] if R.ndim == 3 else 0
    columns = arrays["W"].shape[-1] if arrays["W"].ndim == 3 else 0
    wanted = {
        "W": (directions, gates * H, columns), "R": (directions, gates * H, H), "B": (directions, 2 * gates * H),
        "P": (directions, 3 * H),
    }  # fmt: skip
    dtypes = {array.dtype.name for array in arrays.values()}
    for letter, array in arrays.items():
        name = names[{"W": 1, "R": 2, "B": 3, "P": 7}[letter]]
        if array.shape != wanted[letter] or 0 in array.shape:
            raise ValueError(
                f"{name}, {letter} of {kind}, has shape {list(array.shape)}: {list(wanted[letter])} is needed"
            )
        if array.dtype.name not in (*DTYPES, "float16", "bfloat16") or len(dtypes) > 1:
            raise ValueError(f"{name}, {letter} of {kind}, is {array.dtype.name} beside {', '.join(sorted(dtypes))}: "
                             "use one dtype, float32 or float64")  # fmt: skip
        half = array.dtype.name not in DTYPES
        arrays[letter] = finite(array.astype(np.float32) if half else array, name)
    (dtype,) = dtypes
    return "" if dtype in DTYPES else dtype


def _held(kind: str, arrays: dict[str, ndarray], number: int, slope: float, reverse: bool) -> Held:
    """One direction, its gates in the cell's order, those of a hard sigmoid of another slope scaled to the cell's."""
    R = arrays["R"][number]
    H = R.shape[1]
    scale = np.ones((len(ORDER[kind]), 1), R.dtype)
    if slope != SLOPE:
        scale[list(GATES[kind])] = slope / SLOPE

    def ordered(array: ndarray) -> ndarray:
        of_gates = array.reshape(len(ORDER[kind]), H, -1)[list(ORDER[kind])]
        return (of_gates * scale[:, :, None]).reshape(array.shape)

    both = arrays["B"][number] if "B" in arrays else np.zeros(2 * len(R), R.dtype)
    layer = Layer(*(ordered(array) for array in (arrays["W"][number], R, both[: len(R)], both[len(R) :])))
    if "P" not in arrays:
        return Held(layer, reverse)
    i, o, f = arrays["P"][number].reshape(3, H)
    nothing = np.zeros(3 * H, R.dtype)
    W, U = (np.concatenate([array, np.zeros((3 * H, array.shape[1]), R.dtype)]) for array in layer[:2])
    return Held(Layer(W, U, np.concatenate([layer.b_W, i, f, o]), np.concatenate([layer.b_U, nothing])), reverse)


def _left_out(names: list[str], scope: Scope) -> str:
    """What a stack does not hold of a node."""
    said = []
    if names[4]:
        said.append("sequence_lens: pass lengths to the trace")
    states = [name for name in names[5:7] if name and not _is_zero(name, scope)]
    if states:
        said.append(f"the initial state ({', '.join(states)}): pass initial_state to the trace")
    return "; ".join(said)


def _is_zero(name: str, scope: Scope) -> bool:
    """Whether a state is a constant 0, also where its batch is only known when the graph runs."""
    node = scope.makers.get(name)
    if node is not None and node.op_type == "Expand":
        name = node.input[0]
    if node is not None and node.op_type == "ConstantOfShape":
        return not any(np.any(_array(attribute.t)) for attribute in node.attribute)
    value = scope.value(name)
    return value is not None and not np.any(value)


def _under(node: Any, scope: Scope, part: Part, parts: dict[str, Part]) -> Part | None:
    """The part whose Y a node reads as it is: [T, directions, B, H] with its directions side by side."""
    name, moves = node.input[0], []
    while name not in scope.gives:
        maker = scope.makers.get(name)
        if maker is None or not maker.input:
            return None
        if maker.op_type not in PASSES:
            moves.append(maker)
        name = maker.input[0]
        if len(moves) > 2:
            return None
    under = parts.get(scope.gives[name])
    if under is None or under.cell != part.cell or under.precision != part.precision:
        return None
    layers = [held.layer for held in under.levels[-1]]
    width = part.levels[0][0].layer.W.shape[1]
    if sum(layer.U.shape[1] for layer in layers) != width or layers[0].U.dtype != part.levels[0][0].layer.U.dtype:
        return None
    kinds = [move.op_type for move in reversed(moves)]
    if kinds == ["Squeeze"] and len(layers) == 1:
        axes = scope.value(moves[0].input[1]) if len(moves[0].input) > 1 else _ints(moves[0], "axes")
        return under if axes is not None and list(axes) == [1] else None
    if kinds == ["Transpose", "Reshape"] and _ints(moves[1], "perm") == [0, 2, 1, 3]:
        shape = scope.value(moves[0].input[1])
        return under if shape is not None and _keeps_steps(list(shape), moves[1], scope, width) else None
    return None


def _keeps_steps(shape: list[int], transpose: Any, scope: Scope, width: int) -> bool:
    """Whether a reshape of [T, B, directions, H] gives [T, B, width]: by zeros, which keep a size, or known sizes."""
    if len(shape) != 3 or shape[2] not in (-1, width):
        return False
    known = scope.shapes.get(transpose.output[0], [])[:2]
    turned = scope.shapes.get(transpose.input[0], [])  # [T, directions, B, H]
    known = known or turned[:1] + turned[2:3]
    return shape[:2] == [0, 0] or (shape[:2] == known and 0 not in known)


def _ints(node: Any, name: str) -> list[int]:
    return next((list(attribute.ints) for attribute in node.attribute if attribute.name == name), [])


def _without_nodes(graph: Any) -> str:
    kinds = ", ".join(sorted({node.op_type for node in graph.node})[:8])
    return (
        f"it has no LSTM, GRU or RNN node, but {kinds or 'no node'}: an unrolled cell is not recognized, save the "
        "weights of its model"
    )


def _unique(name: str, taken: set[str]) -> str:
    number, wanted = 2, name
    while wanted in taken:
        wanted, number = f"{name} {number}", number + 1
    return wanted
