"""Initializations: each is the law by which a whole layer is drawn.

    law(shape, random) -> Layer          W [G·H, X], U [G·H, H], b_W [G·H], b_U [G·H] in float64

`LayerShape` is what a law may read; the length of the sequence is there for laws marked with `length_law` alone, since
what is computed of other laws' weights is kept when the length changes. `random` has a generator for W and the biases
and another for U, so that laws of U leave the other draws alone. Drawing is in float64 whatever the precision of the
experiment, so that float32 and float64 see the same weights. Laws are made of smaller ones:

    by_blocks      a law of one gate's square block of U becomes a law of the layer: the rest as PyTorch draws it
    with_biases    a layer with other effective biases, gate by gate
    with_gain, with_bias                a law with U multiplied, with the bias of one gate set

A block is square, so Xavier's fan-in and fan-out are both H: its variance is 1/H, whatever the number of gates.

A new initialization is one function here and one line in `INITIALIZATIONS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, NamedTuple, Protocol

import torch
from numpy import ndarray
from torch import Generator, Tensor
from torch.nn import init

from gradlab.cells import CELLS
from gradlab.cells.contract import Cell, keep_gate_of, keep_of, peepholes_of
from gradlab.network.stack import Layer, gate_rows


class LayerShape(NamedTuple):
    """What a law may read of a layer and of the experiment that it belongs to."""

    cell: str
    hidden_size: int  # H
    inputs: int  # X of this layer
    length: int | None  # T for a `length_law`, None for the others
    gain: float
    number: int  # of the layer, from 0 at the bottom

    @property
    def steps(self) -> int:
        """T. Raises ValueError where the law is not marked as reading it."""
        if self.length is None:
            raise ValueError("this initialization reads the length of the sequence: mark its function with @length_law")
        return self.length

    @property
    def pre_activations(self) -> tuple[str, ...]:
        """Those of the cell, in the order of the rows."""
        return CELLS[self.cell].pre_activations

    @property
    def biased(self) -> tuple[str, ...]:
        """Those that have a bias; the "bias" of one that reads neither input nor state is a weight: a peephole."""
        peepholes = peepholes_of(CELLS[self.cell]).values()
        return tuple(gate for gate in self.pre_activations if gate not in peepholes)

    def rows(self, gate: str) -> slice:
        """The rows of W, U and the biases that belong to one gate."""
        return gate_rows(self.cell, gate, self.hidden_size)


class Random(Protocol):
    """The generators that a law draws from."""

    @property
    def weights(self) -> Generator:
        """Of the input weight and the biases."""
        ...

    @property
    def recurrent(self) -> Generator:
        """Of the recurrent weight."""
        ...


Law = Callable[[LayerShape, Random], Layer]
Block = Callable[[int, Generator], Tensor]  # (H, generator) -> [H, H] in float64


def empty(hidden_size: int) -> Tensor:
    """A gate's block of U, to be filled."""
    return torch.empty((hidden_size, hidden_size), dtype=torch.float64)


# What laws are made of


def length_law(law: Law) -> Law:
    """Marks a law that reads the length of the sequence, `shape.steps`."""
    law.__dict__["reads_length"] = True
    return law


def with_gain(law: Law) -> Law:
    """The law with U multiplied by the setting `gain`."""

    @wraps(law)
    def scaled(shape: LayerShape, random: Random) -> Layer:
        layer = law(shape, random)
        return layer._replace(U=shape.gain * layer.U)

    return scaled


def with_bias(law: Law, gate: str, bias: float) -> Law:
    """The law with the effective bias of a gate set."""
    return lambda shape, random: with_biases(law(shape, random), shape, {gate: bias})


def kept_at_rest(cell: Cell, bias: float) -> float:
    """What the additive update multiplies the old state by where every pre-activation is 0 but that of the gate that
    keeps, which has the bias. Raises ValueError for a cell without a `keep`, or a gate for it."""
    keep = keep_of(cell)
    if keep is None or keep_gate_of(cell) is None:
        raise ValueError(f"{cell.title} keeps its old state by no product of gates")
    new, saved = _at_rest(cell, bias)
    return float(keep(saved, new))


def gate_at_rest(cell: Cell, bias: float) -> float:
    """The value of the gate that keeps there: σ(bias), another where the gate is hard; of a gate that forgets what it
    leaves. Raises ValueError for a cell without such a gate."""
    gate = keep_gate_of(cell)
    if gate is None:
        raise ValueError(f"{cell.title} has no gate that keeps its old state")
    value = float(_at_rest(cell, bias)[1][cell.saved.index(gate[0])])
    return value if gate[1] > 0 else 1 - value


def _at_rest(cell: Cell, bias: float) -> tuple[Any, tuple[Any, ...]]:
    """The step of a cell with a gate that keeps, from zeros: the new states and what it saves."""
    gate, none = keep_gate_of(cell), torch.zeros((), dtype=torch.float64)
    at_rest = tuple(none + (gate[1] * bias if gate and name == gate[0] else 0.0) for name in cell.pre_activations)
    return cell.step(at_rest, tuple(none for _ in at_rest), cell.record(*(none for _ in cell.states)))


def with_biases(layer: Layer, shape: LayerShape, effective: Mapping[str, ndarray | float]) -> Layer:
    """The layer with other effective biases b_W + b_U, a number or [H] for each gate; gates it lacks are left out."""
    b_W, b_U = layer.b_W.copy(), layer.b_U.copy()
    for gate in effective.keys() & set(shape.biased):
        b_W[shape.rows(gate)], b_U[shape.rows(gate)] = effective[gate], 0
    return layer._replace(b_W=b_W, b_U=b_U)


def by_blocks(block: Block) -> Law:
    """The law that draws U one gate's block at a time, times the gain; W, b_W, b_U as PyTorch does, in this order."""

    @with_gain
    @wraps(block)
    def law(shape: LayerShape, random: Random) -> Layer:
        H, rows = shape.hidden_size, len(shape.pre_activations) * shape.hidden_size
        bound = 1 / math.sqrt(H)

        def uniform(*sizes: int) -> ndarray:
            return torch.empty(sizes, dtype=torch.float64).uniform_(-bound, bound, generator=random.weights).numpy()

        W, b_W, b_U = uniform(rows, shape.inputs), uniform(rows), uniform(rows)
        U = torch.cat([block(H, random.recurrent) for _ in shape.pre_activations]).numpy()
        return Layer(W, U, b_W, b_U)

    return law


# The laws. The first line of each docstring is its meaning in the menu


@by_blocks
def pytorch(hidden_size: int, generator: Generator) -> Tensor:
    """PyTorch's default: uniform on ±1/√H, variance 1/(3H), which is a gain of 1/√3."""
    bound = 1 / math.sqrt(hidden_size)
    return empty(hidden_size).uniform_(-bound, bound, generator=generator)


@by_blocks
def xavier_uniform(hidden_size: int, generator: Generator) -> Tensor:
    """Uniform on ±√(3/H), variance 1/H (Glorot & Bengio 2010)."""
    return init.xavier_uniform_(empty(hidden_size), generator=generator)


@by_blocks
def xavier_normal(hidden_size: int, generator: Generator) -> Tensor:
    """Normal, variance 1/H (Glorot & Bengio 2010); for a square block the same as gaussian."""
    return init.xavier_normal_(empty(hidden_size), generator=generator)


@by_blocks
def kaiming(hidden_size: int, generator: Generator) -> Tensor:
    """Normal, variance 2/H, meant for ReLU (He et al. 2015)."""
    return init.kaiming_normal_(empty(hidden_size), nonlinearity="relu", generator=generator)


@by_blocks
def gaussian(hidden_size: int, generator: Generator) -> Tensor:
    """Normal, variance 1/H: the spectral radius tends to the gain as H grows."""
    return empty(hidden_size).normal_(0, 1 / math.sqrt(hidden_size), generator=generator)


@by_blocks
def orthogonal(hidden_size: int, generator: Generator) -> Tensor:
    """Uniformly random orthogonal matrix: every singular value is 1 (Saxe et al. 2014)."""
    return init.orthogonal_(empty(hidden_size), generator=generator)


@by_blocks
def identity(hidden_size: int, generator: Generator) -> Tensor:
    """The identity matrix in every gate (Le et al. 2015 use it with ReLU)."""
    return init.eye_(empty(hidden_size))


def irnn(shape: LayerShape, random: Random) -> Layer:
    """The identity, and biases at 0: with ReLU the IRNN, which begins by keeping its state (Le et al. 2015)."""
    return with_biases(identity(shape, random), shape, dict.fromkeys(shape.biased, 0.0))


@by_blocks
def zeros(hidden_size: int, generator: Generator) -> Tensor:
    """No recurrence through U: what still flows back comes by the direct path alone."""
    return init.zeros_(empty(hidden_size))


INITIALIZATIONS: dict[str, Law] = {
    "pytorch": pytorch,
    "xavier_uniform": xavier_uniform,
    "xavier_normal": xavier_normal,
    "kaiming": kaiming,
    "gaussian": gaussian,
    "orthogonal": orthogonal,
    "identity": identity,
    "irnn": irnn,
    "zeros": zeros,
}
