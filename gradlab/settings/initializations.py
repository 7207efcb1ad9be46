"""Initializations: each is the law by which a whole layer is drawn.

    law(shape, random) -> Layer          W [G·H, X], U [G·H, H], b_W [G·H], b_U [G·H] in float64

`LayerShape` is what a law may read; the length of the sequence is there for laws marked with `length_law` alone, since
what is computed of other laws' weights is kept when the length changes. `random` has a generator for W and the biases
and another for U, so that laws of U leave the other draws alone. Drawing is in float64 whatever the precision of the
experiment, so that float32 and float64 see the same weights. Laws are made of smaller ones:

    by_blocks      a law of one gate's square block of U becomes a law of the layer: the rest as PyTorch draws it
    with_biases, keeping                a layer with other effective biases, gate by gate; of the gate that keeps
    with_gain, with_bias                a law with U multiplied, with the bias of one gate set

A block is square, so Xavier's fan-in and fan-out are both H: its variance is 1/H, whatever the number of gates.

A new initialization is one function here and one line in `INITIALIZATIONS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy import ndarray
from torch import Generator, Tensor
from torch.nn import init

from gradlab.cells import CELLS
from gradlab.cells.contract import Cell, keep_gate_of, keep_of, peepholes_of, without
from gradlab.network.stack import Layer, gate_rows


class LayerShape(NamedTuple):
    """What a law may read of a layer and of the experiment that it belongs to."""

    cell: str
    hidden_size: int  # H
    inputs: int  # X of this layer
    length: int | None  # T for a `length_law`, None for the others
    gain: float
    number: int  # of the layer, from 0 at the bottom
    depth: int = 1  # L, of the stack that it belongs to

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

    def reading(self, weight: str) -> tuple[str, ...]:
        """Those that read the input, "W", or the recurrent state, "U"."""
        unread = without(CELLS[self.cell], weight)
        return tuple(gate for gate in self.pre_activations if gate not in unread)

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


CUT_OFF_DEVIATION = 0.87962566103423978  # of a standard normal number within ±2: √(1 - 4 φ(2) / (2 Φ(2) - 1))
RING = (0.9, 0.999)  # moduli of the LRU's eigenvalues
CONNECTIONS = 15  # weights into a unit of the sparse law

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


def without_biases(layer: Layer, shape: LayerShape) -> Layer:
    """The layer with every effective bias at 0."""
    return with_biases(layer, shape, dict.fromkeys(shape.biased, 0.0))


def keeping(layer: Layer, shape: LayerShape, bias: ndarray | float) -> Layer:
    """The layer with the bias, toward keeping, of the gate that keeps the old state; unchanged where no gate does."""
    gate = keep_gate_of(CELLS[shape.cell])
    return layer if gate is None else with_biases(layer, shape, {gate[0]: gate[1] * bias})


def beside(shape: LayerShape, random: Random, low: float, high: float) -> Tensor:
    """Numbers uniform on low to high, [H], of a layer, from another stream: other draws stay as they are."""
    seeds = np.random.SeedSequence((random.weights.initial_seed(), shape.number))
    generator = torch.Generator().manual_seed(int(seeds.generate_state(1)[0]))
    return torch.empty(shape.hidden_size, dtype=torch.float64).uniform_(low, high, generator=generator)


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
    return without_biases(identity(shape, random), shape)


@by_blocks
def zeros(hidden_size: int, generator: Generator) -> Tensor:
    """No recurrence through U: what still flows back comes by the direct path alone."""
    return init.zeros_(empty(hidden_size))


@by_blocks
def kaiming_uniform(hidden_size: int, generator: Generator) -> Tensor:
    """Uniform on ±√(6/H), variance 2/H, meant for ReLU (He et al. 2015)."""
    return init.kaiming_uniform_(empty(hidden_size), nonlinearity="relu", generator=generator)


@by_blocks
def lecun_normal(hidden_size: int, generator: Generator) -> Tensor:
    """Normal, cut off at two deviations, variance 1/H (LeCun et al. 1998; JAX's lecun_normal)."""
    return cut_off_normal(empty(hidden_size).uniform_(-1, 1, generator=generator), hidden_size)


def cut_off_normal(evenly: Tensor, inputs: int) -> Tensor:
    """Numbers uniform on ±1 as normal ones within two deviations, with the variance 1/inputs."""
    within = math.erf(math.sqrt(2))  # the share of a normal law
    return math.sqrt(2 / inputs) / CUT_OFF_DEVIATION * torch.erfinv(within * evenly)


@with_gain
def uniform(shape: LayerShape, random: Random) -> Layer:
    """All weights and biases uniform on ±.08, whatever H (Sutskever et al. 2014)."""
    layer, rescaled = pytorch(shape._replace(gain=1.0), random), 0.08 * math.sqrt(shape.hidden_size)
    return Layer(*(rescaled * part for part in layer))


@with_gain
def orthogonal_fused(shape: LayerShape, random: Random) -> Layer:
    """U of all gates at once with orthonormal columns, as orthogonal_ on PyTorch's weight_hh and Keras draw it."""
    H, gates = shape.hidden_size, shape.reading("U")
    layer = pytorch(shape._replace(gain=1.0), random)
    fused = torch.empty((len(gates) * H, H), dtype=torch.float64)
    if gates:
        init.orthogonal_(fused, generator=random.recurrent)
    U = layer.U.copy()
    for number, gate in enumerate(gates):
        U[shape.rows(gate)] = fused[number * H : (number + 1) * H]
    return layer._replace(U=U)


def keras(shape: LayerShape, random: Random) -> Layer:
    """Keras's defaults: W Glorot uniform, U orthogonal, each over all gates at once; biases 0, of forget 1."""
    layer = without_biases(orthogonal_fused(shape, random), shape)
    bound = math.sqrt(6 / (shape.inputs + len(shape.reading("W")) * shape.hidden_size))
    layer = layer._replace(W=bound * math.sqrt(shape.hidden_size) * layer.W)
    return with_biases(layer, shape, {"forget": 1.0})


def flax(shape: LayerShape, random: Random) -> Layer:
    """Flax's defaults (JAX): W LeCun normal, variance 1/X; U orthogonal a gate at a time; every bias 0."""
    layer = without_biases(orthogonal(shape, random), shape)
    evenly = torch.from_numpy(math.sqrt(shape.hidden_size) * layer.W).clamp(-1, 1)
    return layer._replace(W=cut_off_normal(evenly, shape.inputs).numpy())


def scaled_identity(shape: LayerShape, random: Random) -> Layer:
    """The identity times .01, and biases at 0: for short memories (Le et al. 2015)."""
    layer = irnn(shape, random)
    return layer._replace(U=0.01 * layer.U)


@by_blocks
def rotation(hidden_size: int, generator: Generator) -> Tensor:
    """Rotations of pairs of units by uniformly random angles: all eigenvalues on the circle (Henaff et al. 2016)."""
    return _rotations(torch.ones(-(-hidden_size // 2), dtype=torch.float64), hidden_size, generator)


@by_blocks
def ring(hidden_size: int, generator: Generator) -> Tensor:
    """Rotations that shrink: eigenvalues evenly spread over the ring between .9 and .999 (Orvieto et al. 2023)."""
    low, high = RING
    squares = torch.empty(-(-hidden_size // 2), dtype=torch.float64).uniform_(low**2, high**2, generator=generator)
    return _rotations(squares.sqrt(), hidden_size, generator)


def _rotations(moduli: Tensor, hidden_size: int, generator: Generator) -> Tensor:
    """Blocks of a modulus times a rotation by a random angle, [H, H]; of an odd H the last unit has its modulus."""
    angles = torch.empty(hidden_size // 2, dtype=torch.float64).uniform_(0, 2 * math.pi, generator=generator)
    turns = torch.stack([angles.cos(), -angles.sin(), angles.sin(), angles.cos()], dim=1).reshape(-1, 2, 2)
    pairs = moduli[: len(angles), None, None] * turns
    return torch.block_diag(*pairs, *moduli[len(angles) :])


@by_blocks
def sparse(hidden_size: int, generator: Generator) -> Tensor:
    """15 normal weights into each unit, variance 1/15, the others 0 (Martens 2010; Sutskever et al. 2013)."""
    count = min(CONNECTIONS, hidden_size)
    places = torch.rand((hidden_size, hidden_size), dtype=torch.float64, generator=generator).argsort(dim=1)[:, :count]
    weights = torch.empty((hidden_size, count), dtype=torch.float64).normal_(0, count**-0.5, generator=generator)
    return init.zeros_(empty(hidden_size)).scatter_(1, places, weights)


@by_blocks
def antisymmetric(hidden_size: int, generator: Generator) -> Tensor:
    """M - Mᵀ of a normal M, variance 1/H: imaginary eigenvalues (Chang et al. 2019, who add it to the identity)."""
    M = empty(hidden_size).normal_(0, 1 / math.sqrt(2 * hidden_size), generator=generator)
    return M - M.T


def unit_keep(shape: LayerShape, random: Random) -> Layer:
    """PyTorch's, with a bias of 1 on the gate that keeps: forget (Jozefowicz et al. 2015), the GRU's update gate."""
    return keeping(pytorch(shape, random), shape, 1.0)


@length_law
def chrono(shape: LayerShape, random: Random) -> Layer:
    """PyTorch's, with biases of the gate that keeps ln U(1, T - 1), of input the negative (Tallec & Ollivier 2018)."""
    bias = beside(shape, random, 1, max(shape.steps - 1, 1)).log().numpy()
    layer = pytorch(shape, random)
    if keep_gate_of(CELLS[shape.cell]) is not None:
        layer = with_biases(layer, shape, {"input": -bias})
    return keeping(layer, shape, bias)


def uniform_gate(shape: LayerShape, random: Random) -> Layer:
    """PyTorch's, with biases by which the gate that keeps is uniform on 1/H to 1 - 1/H at rest (Gu et al. 2020)."""
    lowest = min(1 / shape.hidden_size, 0.5)
    at_rest = beside(shape, random, lowest, 1 - lowest)
    return keeping(pytorch(shape, random), shape, at_rest.logit().numpy())


def rising_floors(shape: LayerShape, random: Random) -> Layer:
    """PyTorch's, with biases by which the resting gate that keeps has a floor that rises with the layer (HGRN).

    HGRN (Qin et al. 2023, arXiv 2311.04823) has the gate f = γ + (1 - γ) σ(a) with a learned floor γ of each layer and
    unit: the sum, over the layers below, of a softmax over all layers of Γ. Γ begins equal for all layers, so that
    γ = l/L for the layer l of L, counted from 0: the lowest layer has no floor, and higher ones remember longer. Cells
    here have no floor in their equations. This law gives the gate at rest HGRN's value at its start,

        σ(b') = l/L + (1 - l/L) σ(b)        b PyTorch's own effective bias

    and nothing else of it: once there is input or state the gate may fall below l/L, no floor is learned, its slope
    f (1 - f) is steeper than HGRN's (1 - γ) σ (1 - σ) at the same value, and HGRN's complex eigenvalues and gates that
    read the input alone are those of another cell. A gate that is no σ has the same bias. One layer is PyTorch's.
    """
    layer, gate = pytorch(shape, random), keep_gate_of(CELLS[shape.cell])
    if gate is None or gate[0] not in shape.biased:
        return layer
    rows, floor = shape.rows(gate[0]), shape.number / shape.depth
    bias = layer.b_W[rows] + (layer.b_U[rows] if gate[0] in shape.reading("U") else 0)
    at_rest = torch.from_numpy(gate[1] * bias).sigmoid()
    return keeping(layer, shape, (floor + (1 - floor) * at_rest).logit().numpy())


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
    "keras": keras,
    "flax": flax,
    "orthogonal_fused": orthogonal_fused,
    "kaiming_uniform": kaiming_uniform,
    "lecun_normal": lecun_normal,
    "uniform": uniform,
    "scaled_identity": scaled_identity,
    "rotation": rotation,
    "ring": ring,
    "sparse": sparse,
    "antisymmetric": antisymmetric,
    "unit_keep": unit_keep,
    "chrono": chrono,
    "uniform_gate": uniform_gate,
    "rising_floors": rising_floors,
}
DEFAULTS = ("pytorch", "keras", "flax")  # of a framework
