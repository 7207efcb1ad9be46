"""Layer: the weights of one layer of recurrent cells, and how PyTorch names them."""

from typing import NamedTuple

from numpy import ndarray

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
