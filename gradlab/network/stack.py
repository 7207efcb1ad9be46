"""Stack: depth × cell with weights, from an Experiment or from a torch module; Net: what is more than a plain stack.

a_x = W x_t + b_W          a_h = U h_{t-1} + b_U
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy import ndarray
from torch import nn

from gradlab.cells import CELLS, KNOWN
from gradlab.cells.contract import without
from gradlab.network.layer import DTYPES, PYTORCH_NAMES, Layer
from gradlab.network.modules import HALF, Held, read

DIRECTIONS = ("forward", "reverse")
PRECISIONS = ("", "float64", "float32", *HALF)  # in which a module computes; "" where nothing is known of one


class HasNetwork(Protocol):
    """Anything with weights."""

    def network(self) -> Stack: ...


@dataclass(frozen=True, eq=False)
class Stack:
    """Layers of one cell, the lowest first: copies of the arrays, checked for shape, dtype, finiteness (ValueError)."""

    cell: str
    layers: tuple[Layer, ...]
    batch_first: bool = False  # its inputs, and cotangents, are [B, T, …] and not [T, B, …]: as its module reads them
    precision: str = ""  # in which its module computes: of half precision it is a copy in float32
    fixed: frozenset[str] = frozenset()  # what lines of Python cannot change in its module (analyses/remedies)

    def __post_init__(self) -> None:
        if self.cell not in KNOWN:
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
        rows = len(KNOWN[self.cell].pre_activations) * self.hidden_size
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
        cell, layer = KNOWN[self.cell], self.layers[number]
        unread = {"W": without(cell, "W"), "b_W": (), "U": without(cell, "U"), "b_U": without(cell, "U")}
        gates = len(cell.pre_activations)
        return {name: array.size // gates * (gates - len(unread[name])) for name, array in layer._asdict().items()}

    @classmethod
    def from_experiment(cls, experiment: HasNetwork) -> Stack:
        """The weights of an Experiment, or of any other subject: the same settings always give the same weights."""
        return experiment.network()

    @classmethod
    def from_torch(
        cls,
        module: nn.Module | Sequence[nn.Module],
        masks: Sequence[ndarray | None] | None = None,
        precision: object = None,
    ) -> Stack | Net:
        """A copy of the weights of an nn.RNN, nn.LSTM, nn.GRU or one of their cells, or of several over each other.

        The stack reads inputs as the module does, [B, T, X] where that is `batch_first`; a module without bias gets
        zeros, one of half precision is copied in float32. The module is left as it was, also where its weights are
        parametrized. It is a `Net` where it is bidirectional, has a projection, dropout that is on, or layers of
        unequal sizes.

        masks        of dropout between layers, as `gradlab.dropout.replay` gives them
        precision    in which it really computes, where autocast is on: "float16" or "bfloat16", or torch's dtype

        Raises TypeError for other modules, with the path of every recurrent part inside; ValueError for what cannot be
        read, with what to do (dropout that is on without masks, quantized or scripted modules, a subclass with its own
        forward, weights that are stale, have no values or are not finite).
        """
        modules = list(module) if isinstance(module, Sequence | nn.ModuleList) else [module]
        readings = [read(part) for part in modules]
        levels = [level for reading in readings for level in reading.levels]
        first = readings[0]
        computed_in = first.precision if precision is None else str(precision).removeprefix("torch.")
        if computed_in not in PRECISIONS:
            raise ValueError(f"precision = {precision!r} is not known: use one of {', '.join(PRECISIONS[1:])}")
        if active := [reading for reading in readings if reading.dropout]:
            if masks is None:
                raise ValueError(
                    f"{active[0].kind} has dropout = {active[0].dropout} active: pass the masks that it drew, "
                    "gradlab.dropout.replay(module, inputs, output, random_state), or call .eval() first"
                )
        elif masks is not None:
            raise ValueError(f"masks were given, but {first.kind} has no dropout that is on: leave them out")
        if len({reading.cell for reading in readings}) > 1:
            cells = ", ".join(reading.cell for reading in readings)
            raise ValueError(f"modules of several cells, {cells}: trace them apart, chained by trace.inputs_bar")
        several = frozenset(["modules"] if isinstance(module, Sequence | nn.ModuleList) else [])
        fixed = several.union(*(reading.fixed for reading in readings))
        return of_levels(first.cell, levels, first.batch_first, computed_in, fixed, masks)


def gate_rows(cell: str, gate: str, hidden_size: int) -> slice:
    """The rows of W, U and the biases that belong to one gate. ValueError if the cell has no such gate."""
    gates = KNOWN[cell].pre_activations
    if gate not in gates:
        raise ValueError(f"gate = {gate!r} is not in cell = {cell!r}: use one of {', '.join(gates)}")
    first = gates.index(gate) * hidden_size
    return slice(first, first + hidden_size)


@dataclass(frozen=True, eq=False)
class Part:
    """One layer of a `Net`: a plain stack of depth 1, read in one direction, with or without a projection.

    With a projection P, h_t = P m_t and m_t = o tanh(c_t). U h_{t-1} = (U P) m_{t-1}: a stack whose h is m and whose
    recurrent weight is U P. An h before the first step need not be P m of any m: it comes in as further inputs of the
    first step, whose weight is U.
    """

    cell: str
    layer: Layer  # U is [G·H, P] where there is a projection
    reverse: bool = False
    projection: ndarray | None = None  # [P, H]
    precision: str = ""  # in which its module computes

    @cached_property
    def stack(self) -> Stack:
        """The layer as a plain stack, of X inputs, or of X + P where there is a projection, or X + 1 in two halves."""
        if self.in_halves:
            return self._halves
        if self.projection is None:
            return Stack(self.cell, (self.layer,), precision=self.precision)
        W, U, b_W, b_U = self.layer
        product = (U.astype(np.float64) @ self.projection.astype(np.float64)).astype(U.dtype)
        layer = Layer(np.concatenate([W, U], axis=1), product, b_W, b_U)
        return Stack(self.cell, (layer,), precision=self.precision)

    @property
    def in_halves(self) -> bool:
        """Whether a step is two of its stack's: the GRU that resets before the product."""
        return self.cell == "gru_reset_before"

    @property
    def _halves(self) -> Stack:
        W, U, b_W, b_U = self.layer
        H, X = U.shape[1], W.shape[1]
        further = np.zeros((4 * H, X + 1), W.dtype)
        further[: 3 * H, :X], further[3 * H :, X] = W, 1
        nothing = np.zeros(H, W.dtype)
        below = np.concatenate([U, np.zeros((H, H), W.dtype)])
        layer = Layer(further, below, np.concatenate([b_W, nothing]), np.concatenate([b_U, nothing]))
        return Stack("gru_half", (layer,), precision=self.precision)

    @property
    def shown(self) -> Stack:
        """The stack of which its trace is: without halves."""
        return Stack(self.cell, (self.layer,), precision=self.precision) if self.in_halves else self.stack

    @property
    def input_size(self) -> int:
        return self.layer.W.shape[1]

    @property
    def output_size(self) -> int:
        """Of h: H, or P where there is a projection."""
        return self.layer.U.shape[1]

    @property
    def direction(self) -> str:
        return DIRECTIONS[self.reverse]


@dataclass(frozen=True, eq=False)
class Net:
    """Levels of layers that are no plain stack: of unequal sizes, in both directions, with a projection or dropout.

    Level 0 reads the inputs; level l reads all outputs of level l - 1, side by side, times a mask where dropout was on.
    All parts are of one cell and one dtype. ValueError for sizes that do not fit.
    """

    levels: tuple[tuple[Part, ...], ...]
    batch_first: bool = False
    masks: tuple[ndarray | None, ...] = ()  # [T, B, outputs]: outputs of each level but the last are multiplied by them
    precision: str = ""  # in which its modules compute; as its parts say where nothing is given

    def __post_init__(self) -> None:
        if not self.levels or not all(self.levels):
            raise ValueError("a net needs at least one level, and a level one part")
        first = self.levels[0][0]
        object.__setattr__(self, "precision", self.precision or first.precision)
        for number, level in enumerate(self.levels):
            below = sum(part.output_size for part in self.levels[number - 1]) if number else first.input_size
            for part in level:
                if part.input_size != below:
                    raise ValueError(
                        f"layer {number} {part.direction} reads {part.input_size} inputs, but gets {below}: its W "
                        f"needs {below} columns"
                    )
                if part.cell != first.cell or part.stack.dtype != first.stack.dtype:
                    raise ValueError(
                        f"layer {number} {part.direction} is {part.cell} in {part.stack.dtype}, the first layer "
                        f"{first.cell} in {first.stack.dtype}: trace them apart, chained by `inputs_bar`"
                    )
        if self.masks and len(self.masks) != len(self.levels) - 1:
            raise ValueError(
                f"masks has {len(self.masks)} parts: {len(self.levels) - 1} are needed, one between layers"
            )

    def __repr__(self) -> str:
        sizes = ", ".join("+".join(str(part.output_size) for part in level) for level in self.levels)
        return f"Net({self.cell}, {self.input_size} inputs, layers of {sizes}, {self.dtype})"

    @classmethod
    def of_stacks(cls, stacks: Sequence[Stack]) -> Net:
        """Stacks of any sizes over each other, each reading the h of the one below."""
        layers = [(stack.cell, layer) for stack in stacks for layer in stack.layers]
        return cls(tuple((Part(cell, layer),) for cell, layer in layers), stacks[0].batch_first)

    @property
    def parts(self) -> tuple[tuple[int, Part], ...]:
        """Level and part, in PyTorch's order: as h_n and c_n have them."""
        return tuple((number, part) for number, level in enumerate(self.levels) for part in level)

    @property
    def cell(self) -> str:
        return self.levels[0][0].cell

    @property
    def dtype(self) -> np.dtype:
        return self.levels[0][0].stack.dtype

    @property
    def input_size(self) -> int:
        return self.levels[0][0].input_size

    @property
    def output_size(self) -> int:
        """Of the top level: what the network's output has at a step."""
        return sum(part.output_size for part in self.levels[-1])

    @property
    def depth(self) -> int:
        return len(self.levels)

    @property
    def is_bidirectional(self) -> bool:
        return any(part.reverse for _, part in self.parts)

    def layer_sizes(self, state: str) -> list[int]:
        """How many entries a state of each part has."""
        return [part.output_size if state == "h" else part.stack.hidden_size for _, part in self.parts]


def of_levels(
    cell: str,
    levels: Sequence[Sequence[Held]],
    batch_first: bool = False,
    precision: str = "",
    fixed: frozenset[str] = frozenset(),
    masks: Sequence[ndarray | None] | None = None,
) -> Stack | Net:
    """Layers, lowest first, each forward before reverse: a `Stack` where they are plain and alike, else a `Net`."""
    alike = all(len(level) == 1 and level[0].projection is None for level in levels)
    alike = alike and not any(held.reverse for level in levels for held in level)
    if alike and cell in CELLS and masks is None and len({len(level[0].layer.U) for level in levels}) == 1:
        return Stack(cell, tuple(level[0].layer for level in levels), batch_first, precision, fixed)
    parts = tuple(tuple(Part(cell, *held, precision) for held in level) for level in levels)
    return Net(parts, batch_first, tuple(masks or ()))
