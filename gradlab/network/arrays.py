"""What callers pass as numbers: numpy arrays or torch tensors."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy import ndarray
from torch import Tensor

ArrayLike: TypeAlias = ndarray | Tensor
StatesLike: TypeAlias = ArrayLike | Sequence[ArrayLike]  # h, or one array for each state: (h, c)


def on_the_cpu(value: ArrayLike, name: str) -> ndarray:
    """A numpy array of an array, a tensor or nested numbers; half precisions, which numpy lacks, become float64.

    Raises ValueError, with the name, for what is no array.
    """
    if isinstance(value, Tensor):
        tensor = value.detach().cpu()
        value = tensor.double() if tensor.is_floating_point() else tensor
    try:
        return np.asarray(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} cannot be read as an array: {error}") from error
