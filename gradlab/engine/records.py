"""What goes into a sweep and what comes out; numbers beside their powers of two."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import ndarray

from gradlab.network.stack import Layer

NEVER = 2**62  # a step that is never reached


class Cotangents(NamedTuple):
    """∂L/∂h_t of the top layer by the loss alone, where it is not zero: m entries, ordered by step.

    There are `rows` rows, B times the number of cotangents of a sequence; row r belongs to sequence r mod B.
    """

    steps: ndarray  # [m]
    at: ndarray  # [m]  each entry's row
    values: ndarray  # [m, H]
    rows: int
    final: ndarray | None = None  # [L, N, S, H]  ∂L/∂(last states), each taken as independent of the others
    exponents: ndarray | None = None  # [m]  values are times 2^exponents
    final_exponents: ndarray | None = None  # [L, N]  final is times 2^final_exponents


class Episodes(NamedTuple):
    """Where the sequences of a batch begin anew, and where they end."""

    resets: ndarray  # [T, B]  whether the state is set to zeros before a step
    lengths: ndarray  # [B]  steps of each sequence, from 1: later ones do not exist

    def begins(self, step: int) -> ndarray:
        """Of which sequences nothing passes into a step from the one before, [B]."""
        return self.resets[step] | (self.lengths == step)

    @property
    def breaks(self) -> tuple[int, ...]:
        """The steps before which something begins or ends."""
        steps = {*np.flatnonzero(self.resets.any(axis=1)).tolist(), *self.lengths.tolist()}
        return tuple(sorted(steps - {0, len(self.resets)}))

    def of(self, own: slice) -> Episodes:
        """Those of some of the sequences."""
        return Episodes(self.resets[:, own], self.lengths[own])


class Scaled(NamedTuple):
    """Vectors along the last axis beside a power of two each: of any size."""

    values: ndarray  # […, H]
    exponents: ndarray  # […]  values are times 2^exponents

    @property
    def array(self) -> ndarray:
        """The vectors themselves; what is out of the dtype's range becomes 0 or infinite."""
        return times_power(self.values, self.exponents)

    @property
    def log10_norms(self) -> ndarray:
        """log10 of their 2-norms, […]; -inf for zeros alone."""
        return log10_norms(self.values, self.exponents)


class Adjoints(NamedTuple):
    """All adjoints of one layer, each times 2^exponents; arrays not asked for have no steps."""

    totals: ndarray  # [T, N, S, H]  ∂L/∂s_t
    a_x_bar: ndarray  # [T, N, G, H]  ∂L/∂a^x_t
    a_h_bar: ndarray  # [T, N, G, H]  ∂L/∂a^h_t
    exponents: ndarray  # [T, N]


class Swept(NamedTuple):
    """The results of one adjoint and of the forward pass under it."""

    log10_norms: ndarray  # [L, T, N, S]
    non_finite: ndarray  # [L, B]  first step with a non-finite state, NEVER if none
    last_states: ndarray  # [L, B, S, H]
    adjoints: tuple[Adjoints, ...]  # one per layer
    initial: Scaled  # [L, N, S, H]  ∂L/∂(initial states), one exponent a layer and row
    inputs: Scaled  # [T, N, X]  ∂L/∂x_t, no steps unless asked for
    parameters_bar: tuple[Layer, ...]  # ∂L/∂ weights, summed over the batch, one per layer if asked for

    @property
    def initial_bar(self) -> ndarray:
        """[L, N, S, H]"""
        return times_power(self.initial.values, self.initial.exponents)

    @property
    def inputs_bar(self) -> ndarray:
        """[T, N, X]"""
        return self.inputs.array


class Dimensions(NamedTuple):
    """The sizes of a sweep's arrays; `kernels` has the letters."""

    depth: int  # L
    steps: int  # T
    sequences: int  # B
    inputs: int  # X
    pre_activations: int  # G
    states: int  # S
    saved: int  # V
    hidden: int  # H
    units: int  # H padded to whole `Lanes`
    dtype: np.dtype


class Strided(NamedTuple):
    """Vectors at equal distances in a flat array, as the kernels read them."""

    flat: ndarray
    begin: int
    stride: int


class Chunk(NamedTuple):
    """One layer's forward values over a chunk."""

    states: ndarray  # [n+1, B, S, H]
    saved: ndarray  # [n, B, V, H]

    @property
    def h_before(self) -> Strided:
        """h before each step, n·B rows."""
        _, _, kinds, units = self.states.shape
        return Strided(self.states.reshape(-1), 0, kinds * units)

    @property
    def h_after(self) -> Strided:
        """h after each step, n·B rows: what the layer above reads."""
        flat, _, row = self.h_before
        return Strided(flat, self.states.shape[1] * row, row)


def log10_norms(values: ndarray, exponents: ndarray | int = 0) -> ndarray:
    """log10 ‖values · 2^exponents‖₂ along the last axis, in float64; -inf where all are exactly zero, of any size."""
    values = values.astype(np.float64)
    largest = np.abs(values).max(axis=-1, initial=0)
    zero = largest == 0
    unit = np.linalg.norm(values / np.where(zero, 1, largest)[..., None], axis=-1)
    with np.errstate(divide="ignore"):
        return np.log10(unit) + np.where(zero, 0, np.log10(largest) + np.asarray(exponents) * np.log10(2))


def times_power(values: ndarray, exponents: ndarray) -> ndarray:
    """values · 2^exponents, exponents along the leading axes; what is out of range becomes 0 or infinite."""
    one = values.dtype.type(1)
    most = 2 * (np.finfo(values.dtype).maxexp - 4)  # beyond it all is out of range; half of it is not, and 0 stays 0
    exponents = exponents.clip(-most, most).reshape(*exponents.shape, *[1] * (values.ndim - exponents.ndim))
    half = exponents // 2
    with np.errstate(over="ignore", under="ignore"):
        return values * np.ldexp(one, half) * np.ldexp(one, exponents - half)
