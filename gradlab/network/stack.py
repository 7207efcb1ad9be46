"""Stack: depth × cell with weights, from an Experiment or from a torch module.

a_x = W x_t + b_W          a_h = U h_{t-1} + b_U
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy import ndarray
from torch import Tensor, nn

from gradlab.cells import CELLS
from gradlab.cells.contract import without

DTYPES = ("float64", "float32")
PYTORCH_NAMES = {"W": "weight_ih", "U": "weight_hh", "b_W": "bias_ih", "b_U": "bias_hh"}


class Layer(NamedTuple):
    """Weights of one layer, G gates in PyTorch's order, C-contiguous, one dtype."""

    W: ndarray  # [G·H, X] input weight
    U: ndarray  # [G·H, H] recurrent weight
    b_W: ndarray  # [G·H]
    b_U: ndarray  # [G·H]

    def __repr__(self) -> str:
        return f"Layer({self.U.shape[1]} units, {self.W.shape[1]} inputs, {len(self.U)} rows, {self.U.dtype})"


class HasNetwork(Protocol):
    """Anything with weights."""

    def network(self) -> Stack: ...


@dataclass(frozen=True, eq=False)
class Stack:
    """Layers of one cell, the lowest first: copies of the arrays, checked for shape, dtype, finiteness (ValueError)."""

    cell: str
    layers: tuple[Layer, ...]
    batch_first: bool = False  # its inputs, and cotangents, are [B, T, …] and not [T, B, …]: as its module reads them

    def __post_init__(self) -> None:
        if self.cell not in CELLS:
            raise ValueError(f"cell = {self.cell!r} is not known: use one of {', '.join(CELLS)}")
        if not self.layers:
            raise ValueError("a stack needs at least one layer")
        layers = tuple(Layer(*(np.array(array, order="C") for array in layer)) for layer in self.layers)
        object.__setattr__(self, "layers", layers)
        for number, layer in enumerate(layers):
            self._check(number, layer)

    def _check(self, number: int, layer: Layer) -> None:
        if self.layers[0].U.ndim != 2 or self.layers[0].W.ndim != 2:
            raise ValueError("W and U must be matrices: W [gates·H, X], U [gates·H, H]")
        rows = len(CELLS[self.cell].pre_activations) * self.hidden_size
        columns = self.hidden_size if number else self.input_size
        expected = {"W": (rows, columns), "U": (rows, self.hidden_size), "b_W": (rows,), "b_U": (rows,)}
        for name, array in layer._asdict().items():
            where = f"layer {number}: {name} ({PYTORCH_NAMES[name]}_l{number} in PyTorch)"
            if array.shape != expected[name]:
                raise ValueError(f"{where} has shape {array.shape}, a {self.cell} stack needs {expected[name]}")
            if array.dtype.name not in DTYPES or array.dtype != self.dtype:
                allowed = f"use {' or '.join(DTYPES)}, the same in every array"
                raise ValueError(f"{where} has dtype {array.dtype}: {allowed}")
            if not np.isfinite(array).all():
                first = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
                raise ValueError(f"{where} is {array[first]} at {list(first)}: weights must be finite")

    def __repr__(self) -> str:
        sizes = f"depth {self.depth}, {self.hidden_size} units, {self.input_size} inputs"
        return f"Stack({self.cell}, {sizes}, {self.dtype})"

    @property
    def depth(self) -> int:
        return len(self.layers)

    @property
    def hidden_size(self) -> int:
        return self.layers[0].U.shape[1]

    @property
    def input_size(self) -> int:
        return self.layers[0].W.shape[1]

    @property
    def dtype(self) -> np.dtype:
        return self.layers[0].U.dtype

    @property
    def parameter_count(self) -> int:
        """Number of weights and biases, both of PyTorch's biases counted, without the rows that a cell leaves at 0."""
        return sum(size for number in range(self.depth) for size in self.sizes(number).values())

    def sizes(self, number: int) -> dict[str, int]:
        """How many parameters each array of a layer holds."""
        cell, layer = CELLS[self.cell], self.layers[number]
        unread = {"W": without(cell, "W"), "b_W": (), "U": without(cell, "U"), "b_U": without(cell, "U")}
        gates = len(cell.pre_activations)
        return {name: array.size // gates * (gates - len(unread[name])) for name, array in layer._asdict().items()}

    @classmethod
    def from_experiment(cls, experiment: HasNetwork) -> Stack:
        """The weights of an Experiment, or of any other subject: the same settings always give the same weights."""
        return experiment.network()

    @classmethod
    def from_torch(cls, module: nn.Module) -> Stack:
        """A copy of the weights of an nn.RNN, nn.LSTM, nn.GRU or one of their cells.

        The stack reads inputs as the module does, [B, T, X] where that is `batch_first`; a module without bias gets
        zeros. Raises TypeError for other modules, ValueError for what is not supported (active dropout, proj_size,
        bidirectional, half precision, weights without values or not finite).
        """
        cell = _cell_of(module)
        _refuse_unsupported(module)
        suffixes = [f"_l{number}" for number in range(module.num_layers)] if isinstance(module, nn.RNNBase) else [""]
        layers = tuple(_copy(module, suffix) for suffix in suffixes)
        return cls(cell, layers, bool(getattr(module, "batch_first", False)))


def gate_rows(cell: str, gate: str, hidden_size: int) -> slice:
    """The rows of W, U and the biases that belong to one gate. ValueError if the cell has no such gate."""
    gates = CELLS[cell].pre_activations
    if gate not in gates:
        raise ValueError(f"gate = {gate!r} is not in cell = {cell!r}: use one of {', '.join(gates)}")
    first = gates.index(gate) * hidden_size
    return slice(first, first + hidden_size)


def _cell_of(module: nn.Module) -> str:
    if isinstance(module, nn.LSTM | nn.LSTMCell):
        return "lstm"
    if isinstance(module, nn.GRU | nn.GRUCell):
        return "gru"
    if isinstance(module, nn.RNN | nn.RNNCell):
        return {"tanh": "rnn", "relu": "rnn_relu"}[module.nonlinearity]
    parts = module.named_modules() if isinstance(module, nn.Module) else ()
    inside = [name for name, part in parts if isinstance(part, nn.RNNBase | nn.RNNCellBase)]
    hint = f"; it holds one at .{inside[0]}: pass that" if inside else ""
    wanted = "nn.RNN, nn.LSTM, nn.GRU, nn.RNNCell, nn.LSTMCell or nn.GRUCell"
    raise TypeError(f"{type(module).__name__} is not a recurrent module gradlab knows: pass an {wanted}{hint}")


def _refuse_unsupported(module: nn.Module) -> None:
    kind = type(module).__name__
    if getattr(module, "bidirectional", False):
        raise ValueError(f"{kind} has bidirectional = True: only False is supported")
    if getattr(module, "proj_size", 0):
        raise ValueError(f"{kind} has proj_size = {module.proj_size}: only 0 (no projection) is supported")
    has_place_for_dropout = isinstance(module, nn.RNNBase) and module.num_layers > 1  # between two layers
    if has_place_for_dropout and module.dropout and module.training:
        raise ValueError(f"{kind} has dropout = {module.dropout} active: call .eval() first, or set dropout = 0")


def _copy(module: nn.Module, suffix: str) -> Layer:
    def array(name: str) -> ndarray:
        tensor: Tensor = getattr(module, name + suffix)
        if tensor.is_meta:
            raise ValueError(f"{name}{suffix} is on the meta device and has no values: load the weights first")
        if str(tensor.dtype).removeprefix("torch.") not in DTYPES:
            raise ValueError(f"{name}{suffix} has dtype {tensor.dtype}: call .float() or .double() first")
        return tensor.detach().cpu().numpy().copy()

    W, U = (array(PYTORCH_NAMES[name]) for name in ("W", "U"))
    has_bias = getattr(module, PYTORCH_NAMES["b_W"] + suffix, None) is not None
    b_W, b_U = (array(PYTORCH_NAMES[name]) if has_bias else np.zeros(len(U), U.dtype) for name in ("b_W", "b_U"))
    return Layer(W, U, b_W, b_U)
