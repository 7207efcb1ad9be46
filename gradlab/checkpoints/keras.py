"""Keras: `.keras` and `.weights.h5` of Keras 3, `.h5` and `.hdf5` of Keras 1 and 2, CuDNN layers too.

    kernel [X, G·H]   recurrent_kernel [H, G·H]   bias [G·H], or [2, G·H] of a GRU that resets after the product

are the transposes of W, U and b. The columns of an LSTM stand in the order i f c o, those of a GRU in z r h. CuDNN
layers hold each gate's kernel as the bytes of its transpose, and two biases in one array of 2·G·H. Keras 1 held every
gate's weights apart. What the activations are stands in the configuration: a file of weights alone has none, so the
cell is asked for. `hard_sigmoid` has the slope 1/5 in Keras 1 and 2, 1/6 in Keras 3.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from gradlab.cells.lstm_hard import SLOPE
from gradlab.checkpoints import hdf5
from gradlab.checkpoints.contents import Cells, Contents, Entry, Part, decided, finite, one_dtype
from gradlab.checkpoints.source import Source
from gradlab.network.layer import Layer
from gradlab.network.modules import HALF, Held

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
MOST_CONFIG_BYTES = 2**24
KINDS = {"LSTM": 4, "CuDNNLSTM": 4, "GRU": 3, "CuDNNGRU": 3, "SimpleRNN": 1}  # gates by class
ORDERS = {4: "i f c o (Keras)", 3: "z r h (Keras)", 1: "one"}
ORDER = {4: (0, 1, 2, 3), 3: (1, 0, 2), 1: (0,)}  # of the cell's pre-activations among the file's
GATES = {4: (0, 1, 3), 3: (0, 1), 1: ()}  # in the cell's order: those of recurrent_activation
CELLS_BY = {
    (4, "tanh", "sigmoid"): "lstm",
    (4, "tanh", "hard_sigmoid"): "lstm_hard",
    (3, "tanh", "sigmoid"): "gru",
    (3, "tanh", "hard_sigmoid"): "gru_hard",
    (1, "tanh", ""): "rnn",
    (1, "relu", ""): "rnn_relu",
    (1, "linear", ""): "rnn_linear",
}
ASKED = {"one": {4: ("lstm", "lstm_hard"), 3: ("gru_reset_before",), 1: ("rnn", "rnn_relu", "rnn_linear")}}
ASKED["none"] = {**ASKED["one"], 3: ("gru", "gru_hard", "gru_reset_before")}
ASKED["two"] = {4: ("lstm",), 3: ("gru", "gru_hard")}
PASSES = {  # layers that change nothing when nobody trains
    "InputLayer", "Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout", "AlphaDropout",
    "ActivityRegularization",
}  # fmt: skip
ALONE = "the activations stand in no file of weights alone (a .keras file has them)"


class NotReadError(ValueError):
    """A layer that no cell here is: the reason."""


class Found(NamedTuple):
    """A layer of a configuration, and where its weights are."""

    name: str  # its path in the model
    kind: str  # its class
    options: Mapping[str, Any]
    group: str  # in the file
    reads: str | None  # the layer whose output it reads, where it reads one alone


class Weights(NamedTuple):
    """The arrays of one direction as the file has them."""

    kernel: ndarray  # [X, G·H]
    recurrent: ndarray  # [H, G·H]
    bias: ndarray | None


def is_keras(listed: Mapping[str, zipfile.ZipInfo]) -> bool:
    return CONFIG in listed and any(name.endswith(".h5") for name in listed)


def of_archive(source: Source, listed: Mapping[str, zipfile.ZipInfo]) -> Contents:
    """The recurrent layers of a `.keras` file. Raises ValueError for a damaged one; its code is never built."""
    if WEIGHTS not in listed:
        raise ValueError(
            f"the .keras archive has no {WEIGHTS}: weights in several files are not read, save them in one"
        )
    with source.open() as file, zipfile.ZipFile(file) as archive:

        def text(name: str) -> bytes:
            if listed[name].file_size > MOST_CONFIG_BYTES:
                raise ValueError(f"{name} has {listed[name].file_size} bytes: at most {MOST_CONFIG_BYTES} are read")
            return archive.read(name)

        try:
            config, metadata = text(CONFIG), text(METADATA) if METADATA in listed else b"{}"
            weights = archive.read(WEIGHTS)
        except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, RuntimeError) as error:
            raise ValueError(f"the .keras archive is truncated or damaged: {str(error)[:100]}") from None
    version = _json(metadata, METADATA).get("keras_version")
    with hdf5.opened(BytesIO(weights), len(weights)) as tree:
        layers = list(_layers(_json(config, CONFIG), tree))
        return _contents("keras", layers, tree, str(version or ""))


def of_file(source: Source, cells: Cells) -> Contents:
    """The recurrent layers of an HDF5 file, with a configuration or without."""
    with source.open() as file, hdf5.opened(file, source.size) as tree:
        root = tree.attributes[""]
        if "layer_names" not in root and "model_weights" not in tree.attributes:
            return _without_configuration("keras weights", _cells_of_keras_3(tree), tree, cells)
        top = "model_weights" if "model_weights" in tree.attributes else ""
        version = str(root.get("keras_version") or tree.attributes[top].get("keras_version") or "")
        if "model_config" not in root:
            return _without_configuration("keras h5 weights", _cells_of_keras_2(tree, top), tree, cells)
        layers = list(_layers(_json(str(root["model_config"]).encode(), "model_config"), tree, top))
        return _contents("keras h5", layers, tree, version)


def _json(text: bytes, name: str) -> dict:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"{name} is damaged: it is no JSON") from None
    if not isinstance(value, dict):
        raise ValueError(f"{name} is damaged: it is no dictionary")
    return value


def _layers(
    config: Mapping[str, Any], tree: hdf5.Tree, top: str | None = None, group: str = "", above: str = ""
) -> Iterator[Found]:
    """Every layer of a model's configuration, those of models inside of it too.

    top    the group of the weights in a file of Keras 1 or 2; None for the layout of Keras 3
    """
    inside = config.get("config")
    listed = inside.get("layers", ()) if isinstance(inside, Mapping) else inside  # a list in Keras 1
    counts: dict[str, int] = {}
    before = None
    containers = ("layers", "_layer_checkpoint_dependencies")
    for layer in listed if isinstance(listed, list) else ():
        kind, options = str(layer.get("class_name", "")), layer.get("config")
        if not isinstance(options, Mapping):
            continue
        own = str(options.get("name") or layer.get("name") or kind)
        name = f"{above}{own}"
        snake = _snake(kind)
        number = counts[snake] = counts.get(snake, -1) + 1
        path = f"{snake}_{number}" if number else snake
        if top is None:
            container = next((f"{group}{c}" for c in containers if f"{group}{c}" in tree.attributes), f"{group}layers")
            where = _named(tree, container, own) or f"{container}/{path}"
        else:
            where = f"{top}/{own}".lstrip("/")
        if "layers" in options or kind in ("Sequential", "Functional", "Model"):
            yield from _layers(layer, tree, top, f"{where}/", f"{name}/")
            before = None
            continue
        nodes = layer.get("inbound_nodes")
        reads = before if nodes is None else _single(nodes)
        reads = f"{above}{reads}" if reads and nodes is not None else reads
        yield Found(name, kind, options, where, reads)
        before = name


def _named(tree: hdf5.Tree, container: str, name: str) -> str | None:
    """The group of a layer of a name, where the file keeps it."""
    of_layer = re.compile(rf"{re.escape(container)}/[^/]+/vars")
    groups = (
        path for path in tree.attributes if of_layer.fullmatch(path) and tree.attributes[path].get("name") == name
    )
    path = next(groups, None)
    return None if path is None else path.removesuffix("/vars")


def _snake(kind: str) -> str:
    """As Keras names a class in a path: `GRU` gru, `SimpleRNN` simple_rnn, `CuDNNLSTM` cu_dnnlstm."""
    kind = re.sub(r"\W+", "", kind)
    kind = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", kind)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", kind).lower()


def _single(nodes: Any) -> str | None:
    """The one layer whose output a layer reads, None where there are several or it is used several times."""
    if not isinstance(nodes, list) or len(nodes) != 1:
        return None
    names: list[str] = []
    waiting = [nodes[0]]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            history = value.get("keras_history")
            if isinstance(history, list) and history:
                names.append(str(history[0]))
            else:
                waiting += [part for key, part in value.items() if key != "build_config"]
        elif isinstance(value, list):
            if len(value) >= 3 and isinstance(value[0], str) and isinstance(value[1], int):
                names.append(value[0])
            else:
                waiting += value
    return names[0] if len(names) == 1 else None


def _contents(called: str, layers: list[Found], tree: hdf5.Tree, version: str) -> Contents:
    """The layers as parts; those that read each other, through nothing that counts, as one."""
    parts: dict[str, Part] = {}
    ignored: list[tuple[str, str]] = []
    gives: dict[str, str] = {}  # the part whose sequence a layer gives
    for layer in layers:
        if layer.kind in PASSES and layer.reads in gives:
            gives[layer.name] = gives[layer.reads]
        if not _is_recurrent(layer):
            if layer.kind != "InputLayer":
                ignored.append((layer.name, f"{layer.kind} is no recurrent layer"))
            continue
        try:
            part = _part(layer, tree, version)
        except NotReadError as error:
            ignored.append((layer.name, str(error)))
            continue
        under = parts.get(gives.get(layer.reads or "", ""))
        if under is not None and _fits(under, part):
            del parts[under.name]
            part = part._replace(name=f"{under.name}+{part.name}", levels=(*under.levels, *part.levels))
        parts[part.name] = part
        if _inner(layer).get("return_sequences", False):
            gives[layer.name] = part.name
    return Contents(called, tuple(parts.values()), tuple(ignored))


def _fits(under: Part, part: Part) -> bool:
    width = sum(held.layer.U.shape[1] for held in under.levels[-1])
    of_part = part.levels[0][0].layer
    alike = (under.cell, under.precision, under.bias) == (part.cell, part.precision, part.bias)
    return alike and of_part.W.shape[1] == width and of_part.U.dtype == under.levels[0][0].layer.U.dtype


def _is_recurrent(layer: Found) -> bool:
    kind = layer.kind
    return kind in KINDS or kind in ("Bidirectional", "RNN", "TimeDistributed") or "LSTM" in kind or "GRU" in kind


def _inner(layer: Found) -> Mapping[str, Any]:
    """The options of a layer, or of the one that a wrapper holds."""
    inside = layer.options.get("layer")
    return inside.get("config", {}) if isinstance(inside, Mapping) else layer.options


def _part(layer: Found, tree: hdf5.Tree, version: str) -> Part:
    """A layer as a part. Raises NotReadError for what no cell here is, by the name of the option."""
    if layer.kind == "Bidirectional":
        inside = layer.options.get("layer")
        kind = str(inside.get("class_name")) if isinstance(inside, Mapping) else ""
        options = _inner(layer)
        if options.get("go_backwards"):
            raise NotReadError("go_backwards = True inside of Bidirectional is of no net here: build it without")
        if (merge := layer.options.get("merge_mode", "concat")) != "concat":
            raise NotReadError(f"merge_mode = {merge!r} is of no net here: only 'concat' is")
        directions = 2
    else:
        kind, options, directions = layer.kind, layer.options, 1
        if options.get("go_backwards"):
            raise NotReadError(
                "go_backwards = True turns its outputs too, as no net here does: turn the inputs instead"
            )
    if kind == "RNN":
        cell = options.get("cell")
        kind = str(cell.get("class_name", "")).removesuffix("Cell") if isinstance(cell, Mapping) else ""
        options = {**options, **cell.get("config", {})} if isinstance(cell, Mapping) else options
    if kind not in KINDS:
        called = layer.kind if layer.kind == kind else f"{layer.kind} of {kind or 'nothing'}"
        raise NotReadError(f"{called} is of no cell here: use LSTM, GRU or SimpleRNN")
    weights = _weights(layer, kind, tree, directions)
    cell, slope = _cell(kind, options, weights[0][0], version)
    return _of_weights(layer.name, cell, slope, KINDS[kind], kind.startswith("CuDNN"), *weights)


def _cell(kind: str, options: Mapping[str, Any], weights: Weights, version: str) -> tuple[str, float]:
    """(cell, slope of its hard gates). Raises NotReadError for an activation that no cell has, by its name."""
    gates = KINDS[kind]
    if kind.startswith("CuDNN"):
        return {4: "lstm", 3: "gru"}[gates], SLOPE
    activation = _activation(options.get("activation", "tanh"))
    gate = _activation(options.get("recurrent_activation", options.get("inner_activation", "sigmoid")))
    gate = "" if gates == 1 else gate
    cell = CELLS_BY.get((gates, activation, gate))
    if cell is None:
        beside = f" beside recurrent_activation = {gate!r}" if gate else ""
        raise NotReadError(f"activation = {activation!r}{beside} of {kind} is of no cell")
    if gates == 3:
        after = options.get("reset_after", weights.bias is not None and weights.bias.ndim == 2)
        if not after and cell == "gru_hard":
            raise NotReadError("recurrent_activation = 'hard_sigmoid' beside reset_after = False is of no cell")
        cell = cell if after else "gru_reset_before"
    if gate != "hard_sigmoid":
        return cell, SLOPE
    if not version[:1].isdigit():
        raise NotReadError(
            "recurrent_activation = 'hard_sigmoid' has the slope 1/5 in Keras 1 and 2 and 1/6 in Keras 3, and the file "
            "does not say which of them wrote it"
        )
    return cell, 1 / 6 if int(version.split(".")[0]) >= 3 else SLOPE


def _activation(value: Any) -> str:
    """The name of an activation, whichever way it is written."""
    if isinstance(value, Mapping):
        config = value.get("config")
        value = config if isinstance(config, str) else value.get("registered_name") or value.get("class_name")
    return "linear" if value is None else str(value)[:60]


def _weights(layer: Found, kind: str, tree: hdf5.Tree, directions: int) -> tuple[list[Weights], str]:
    """The arrays of each direction, forward first, and their precision where it is half."""
    names = _names(layer, tree)
    each = len(names) // directions
    if KINDS[kind] > 1 and each == 3 * KINDS[kind]:  # Keras 1: every gate apart
        return _of_keras_1(names, tree, kind)
    if each not in (2, 3) or len(names) % directions:
        raise NotReadError(f"{len(names)} arrays are in {layer.group}: 2 or 3 are needed for each direction")
    entries = {name: tree.entries[name] for name in names}
    dtype = one_dtype(entries)
    for start in range(0, len(names), each):
        _refuse_shapes(names[start : start + each], entries, KINDS[kind], kind.startswith("CuDNN"))
    arrays = [finite(entry.read(), name) for name, entry in entries.items()]
    made = [_of_arrays(arrays[start : start + each]) for start in range(0, len(arrays), each)]
    return made, dtype if dtype in HALF else ""


def _of_arrays(arrays: list[ndarray]) -> Weights:
    return Weights(arrays[0], arrays[1], arrays[2] if len(arrays) == 3 else None)


def _names(layer: Found, tree: hdf5.Tree) -> list[str]:
    """The paths of a layer's arrays, in Keras's order."""
    attributes = tree.attributes.get(layer.group)
    if attributes is None:
        raise NotReadError(f"its weights are not in the file: there is no {layer.group}")
    if "weight_names" in attributes:
        paths = [f"{layer.group}/{name}" for name in attributes["weight_names"]]
        if missing := next((path for path in paths if path not in tree.entries), None):
            raise ValueError(f"{missing} is named by the file, but not in it: it is damaged")
        return paths
    insides = ("forward_layer", "backward_layer") if layer.kind == "Bidirectional" else ("",)
    return [name for inside in insides for name in tree.below(f"{layer.group}/{inside}/cell/vars".replace("//", "/"))]


def _refuse_shapes(names: list[str], entries: Mapping[str, Entry], gates: int, cudnn: bool) -> None:
    """Raises ValueError where shapes do not fit each other, before a value is read."""
    kernel, recurrent = (entries[name].shape for name in names[:2])
    H = recurrent[0] if len(recurrent) == 2 else 0
    X = kernel[0] if len(kernel) == 2 else 0
    biases = [(2 * gates * H,)] if cudnn else [(gates * H,), *([(2, gates * H)] if gates == 3 else [])]
    wanted = [[(X, gates * H)], [(H, gates * H)], biases]
    for name, allowed in zip(names, wanted, strict=False):
        if entries[name].shape not in allowed or 0 in entries[name].shape:
            shapes = " or ".join(str(list(shape)) for shape in allowed)
            raise ValueError(f"{name} has shape {list(entries[name].shape)}: {shapes} is needed for {gates} gates")


def _of_keras_1(names: list[str], tree: hdf5.Tree, kind: str) -> tuple[list[Weights], str]:
    """W, U, b of every gate apart: of an LSTM i c f o, of a GRU z r h."""
    entries = {name: tree.entries[name] for name in names}
    dtype = one_dtype(entries)
    W, U, b = (names[place::3] for place in range(3))
    H = entries[b[0]].shape[0] if entries[b[0]].shape else 0
    X = entries[W[0]].shape[0] if entries[W[0]].shape else 0
    for kind_names, shape in ((W, (X, H)), (U, (H, H)), (b, (H,))):
        for name in kind_names:
            if entries[name].shape != shape or 0 in shape:
                raise ValueError(f"{name} has shape {list(entries[name].shape)}: {list(shape)} is needed")
    order = (0, 2, 1, 3) if kind == "LSTM" else (0, 1, 2)
    kernel, recurrent, bias = (
        np.concatenate([finite(entries[group[place]].read(), group[place]) for place in order], axis=-1)
        for group in (W, U, b)
    )
    return [Weights(kernel, recurrent, bias)], dtype if dtype in HALF else ""


def _of_weights(
    name: str, cell: str, slope: float, gates: int, cudnn: bool, weights: list[Weights], precision: str
) -> Part:
    form = "none" if weights[0].bias is None else ("two" if cudnn or weights[0].bias.ndim == 2 else "one")
    level = tuple(_held(direction, gates, cudnn, slope, bool(reverse)) for reverse, direction in enumerate(weights))
    return Part(name, cell, (level,), ORDERS[gates], form, precision)


def _held(weights: Weights, gates: int, cudnn: bool, slope: float, reverse: bool) -> Held:
    """One direction: transposed, its gates in the cell's order, those of another hard sigmoid scaled to the cell's."""
    kernel, recurrent, bias = weights
    H = len(recurrent)
    scale = np.ones(gates, recurrent.dtype)
    if slope != SLOPE:
        scale[list(GATES[gates])] = slope / SLOPE

    def rows(matrix: ndarray) -> ndarray:
        """[N, G·H] as [G·H, N]."""
        of_gates = [matrix[:, gate * H : (gate + 1) * H] for gate in ORDER[gates]]
        turned = [block.reshape(H, len(matrix)) if cudnn else block.T for block in of_gates]
        return np.concatenate([block * factor for block, factor in zip(turned, scale, strict=True)])

    def entries(vector: ndarray) -> ndarray:
        return (vector.reshape(gates, H)[list(ORDER[gates])] * scale[:, None]).reshape(-1)

    both = np.zeros((2, gates * H), recurrent.dtype)
    if bias is not None:
        given = bias.reshape(-1, gates * H)
        both[: len(given)] = given
    return Held(Layer(rows(kernel), rows(recurrent), *(entries(vector) for vector in both)), reverse)


def _cells_of_keras_3(tree: hdf5.Tree) -> Iterator[tuple[str, list[list[str]]]]:
    """Name, and the paths of the arrays of each direction, of what looks like a recurrent layer of Keras 3."""
    groups = [path for path in tree.attributes if path.endswith("cell/vars") and tree.below(path)]
    for path in groups:
        layer = path.removesuffix("/cell/vars")
        if layer.endswith("/backward_layer"):
            continue
        backward = f"{layer.removesuffix('/forward_layer')}/backward_layer/cell/vars"
        paths = [path, backward] if layer.endswith("/forward_layer") and backward in groups else [path]
        yield layer.removesuffix("/forward_layer"), [tree.below(one) for one in paths]


def _cells_of_keras_2(tree: hdf5.Tree, top: str) -> Iterator[tuple[str, list[list[str]]]]:
    """The same of Keras 1 and 2, of the layers that have a recurrent kernel."""
    for name in tree.attributes[top].get("layer_names", ()):
        group = f"{top}/{name}".lstrip("/")
        weights = [f"{group}/{one}" for one in tree.attributes.get(group, {}).get("weight_names", ())]
        recurrent = [path for path in weights if "recurrent_kernel" in path and path in tree.entries]
        if recurrent and all(path in tree.entries for path in weights) and len(weights) % len(recurrent) == 0:
            each = len(weights) // len(recurrent)
            yield str(name), [weights[start : start + each] for start in range(0, len(weights), each)]


def _without_configuration(
    called: str, cells_of_file: Iterator[tuple[str, list[list[str]]]], tree: hdf5.Tree, cells: Cells
) -> Contents:
    """Layers whose activations the file does not say: which cell they are is asked for."""
    parts: list[Part] = []
    ignored: list[tuple[str, str]] = []
    for name, directions in cells_of_file:
        shapes = [tree.entries[path].shape for path in directions[0]]
        if len(shapes) not in (2, 3) or len(shapes[1]) != 2 or not shapes[1][0]:
            ignored.append(
                (name, f"its arrays have the shapes {', '.join(map(str, shapes[:4]))}, which are of no cell")
            )
            continue
        gates = shapes[1][1] // shapes[1][0]
        cudnn = gates > 1 and len(shapes) == 3 and shapes[2] == (2 * shapes[1][1],)
        form = "none" if len(shapes) == 2 else ("two" if cudnn or len(shapes[2]) == 2 else "one")
        if gates not in ORDER or gates not in ASKED[form]:
            ignored.append((name, f"{gates} gates beside {form} bias are of no cell"))
            continue
        kinds = {path: tree.entries[path] for paths in directions for path in paths}
        dtype = one_dtype(kinds)
        for paths in directions:
            _refuse_shapes(paths, tree.entries, gates, cudnn)
        asked = ASKED[form][gates] if not cudnn else ASKED["two"][gates][:1]
        cell = decided(cells, name, asked, asked, ALONE, ask=not cudnn)
        slope = 1 / 6 if cell.endswith("_hard") and called == "keras weights" else SLOPE
        weights = []
        for paths in directions:
            arrays = [finite(tree.entries[path].read(), path) for path in paths]
            weights.append(_of_arrays(arrays))
        parts.append(_of_weights(name, cell, slope, gates, cudnn, weights, dtype if dtype in HALF else ""))
    if not parts and not ignored:
        ignored.append(("the file", "it has no cell/vars and no recurrent_kernel"))
    return Contents(called, tuple(parts), tuple(ignored))
