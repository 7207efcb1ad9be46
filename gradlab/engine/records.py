"""What goes into a sweep and what comes out; numbers beside their powers of two."""

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
    initial_bar: ndarray  # [L, N, S, H]  ∂L/∂(initial states)
    inputs_bar: ndarray  # [T, N, X]  ∂L/∂x_t, no steps unless asked for
    parameters_bar: tuple[Layer, ...]  # ∂L/∂ weights, summed over the batch, one per layer if asked for


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
