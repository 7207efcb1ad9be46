"""What callers pass as numbers: numpy arrays or torch tensors."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy import ndarray
from torch import Tensor

ArrayLike: TypeAlias = ndarray | Tensor
StatesLike: TypeAlias = ArrayLike | Sequence[ArrayLike]  # h, or one array for each state: (h, c)
Lengths: TypeAlias = ArrayLike | Sequence[int]  # of sequences, in steps


def on_the_cpu(value: ArrayLike | Sequence[int], name: str) -> ndarray:
    """A numpy array of an array, a tensor or nested numbers; half precisions, which numpy lacks, become float64.

    Raises ValueError, with the name, for what is no array, has masked entries, or has no values.
    """
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise ValueError(f"{name} has masked entries, of which no gradient is known: fill them, or leave them out")
    if isinstance(value, Tensor):
        if value.is_meta:
            raise ValueError(f"{name} is a tensor on the meta device and has no values: make it on the cpu")
        tensor = value.detach().cpu()
        value = tensor.double() if tensor.is_floating_point() else tensor
    try:
        return np.asarray(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} cannot be read as an array: {error}") from error
