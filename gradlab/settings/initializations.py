"""How the recurrent weight U is drawn, one gate's square block at a time.

Every function takes `shape` = (H, H) and a torch.Generator, and returns a float64 tensor [H, H], before any gain.
Drawing is in float64 whatever the precision of the experiment, so that float32 and float64 see the same weights.

A block is square, so Xavier's fan-in and fan-out are both H: its variance is 1/H, whatever the number of gates.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import init

Shape = tuple[int, int]


def _empty(shape: Shape) -> Tensor:
    return torch.empty(shape, dtype=torch.float64)


def pytorch(shape: Shape, generator: torch.Generator) -> Tensor:
    """PyTorch's default: uniform on ±1/√H, variance 1/(3H), which is a gain of 1/√3."""
    bound = 1 / math.sqrt(shape[1])
    return _empty(shape).uniform_(-bound, bound, generator=generator)


def xavier_uniform(shape: Shape, generator: torch.Generator) -> Tensor:
    """Uniform on ±√(3/H), variance 1/H (Glorot & Bengio 2010)."""
    return init.xavier_uniform_(_empty(shape), generator=generator)


def xavier_normal(shape: Shape, generator: torch.Generator) -> Tensor:
    """Normal, variance 1/H (Glorot & Bengio 2010); for a square block the same as gaussian."""
    return init.xavier_normal_(_empty(shape), generator=generator)


def kaiming(shape: Shape, generator: torch.Generator) -> Tensor:
    """Normal, variance 2/H, meant for ReLU (He et al. 2015)."""
    return init.kaiming_normal_(_empty(shape), nonlinearity="relu", generator=generator)


def gaussian(shape: Shape, generator: torch.Generator) -> Tensor:
    """Normal, variance 1/H: the spectral radius tends to the gain as H grows."""
    return _empty(shape).normal_(0, 1 / math.sqrt(shape[1]), generator=generator)


def orthogonal(shape: Shape, generator: torch.Generator) -> Tensor:
    """Uniformly random orthogonal matrix: every singular value is 1 (Saxe et al. 2014)."""
    return init.orthogonal_(_empty(shape), generator=generator)


def identity(shape: Shape, generator: torch.Generator) -> Tensor:
    """The identity matrix in every gate (Le et al. 2015 use it with ReLU)."""
    return init.eye_(_empty(shape))


def irnn(shape: Shape, generator: torch.Generator) -> Tensor:
    """The identity, and biases at 0: with ReLU the IRNN, which begins by keeping its state (Le et al. 2015)."""
    return init.eye_(_empty(shape))


def zeros(shape: Shape, generator: torch.Generator) -> Tensor:
    """No recurrence through U: what still flows back came by the additive update alone."""
    return init.zeros_(_empty(shape))


WITHOUT_BIASES = ("irnn",)  # initializations that start every bias at 0, but a forget bias that is asked for

INITIALIZATIONS: dict[str, Callable[[Shape, torch.Generator], Tensor]] = {
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
