"""One layer's weights as the kernels read them: padded to whole `Lanes`, in panels, in both directions."""

from typing import NamedTuple

import numpy as np
from numpy import ndarray

from gradlab.engine.products import pack, padded
from gradlab.engine.records import Strided
from gradlab.network.stack import Layer


class Weights(NamedTuple):
    """One layer's weights as the kernels read them."""

    W_forward: ndarray
    b_W: ndarray
    U_forward: ndarray
    b_U: ndarray
    U_adjoint: ndarray
    W_adjoint: ndarray


def pad_gates(array: ndarray, gates: int, units: int) -> ndarray:
    """[G·H, ...] to [G·units, ...], zeros behind each gate's rows."""
    if len(array) == gates * units:
        return array
    blocks = array.reshape(gates, -1, *array.shape[1:])
    out = np.zeros((gates, units, *array.shape[1:]), array.dtype)
    out[:, : blocks.shape[1]] = blocks
    return out.reshape(gates * units, *array.shape[1:])


def pad_columns(array: ndarray) -> ndarray:
    """[..., K] to [..., K padded to whole `Lanes`]."""
    width = padded(array.shape[-1], array.dtype)
    if width == array.shape[-1]:
        return array
    out = np.zeros((*array.shape[:-1], width), array.dtype)
    out[..., : array.shape[-1]] = array
    return out


def rows_of(inputs: ndarray) -> Strided:
    """Inputs [n, B, X] as the lowest layer reads them, n·B rows."""
    x = pad_columns(np.ascontiguousarray(inputs))
    return Strided(x.reshape(-1), 0, x.shape[-1])


def packed(layer: Layer, gates: int) -> Weights:
    """A layer's weights of G pre-activations as the kernels read them."""
    units = padded(layer.U.shape[1], layer.U.dtype)
    W, U = (pad_columns(pad_gates(weight, gates, units)) for weight in (layer.W, layer.U))
    b_W, b_U = (pad_gates(bias, gates, units) for bias in (layer.b_W, layer.b_U))
    return Weights(pack(W.T), b_W, pack(U.T), b_U, pack(U), pack(W))
