"""Compiling the kernels before they are needed."""

from collections.abc import Iterable

import numpy as np

from gradlab.cells import CELLS
from gradlab.engine.progress import Progress, silent
from gradlab.engine.records import Cotangents
from gradlab.engine.slices import sweep
from gradlab.network.stack import Layer, Stack


def warm_up(cells: Iterable[str] = tuple(CELLS), dtypes: Iterable[str] = ("float64", "float32"),
            progress: Progress = silent) -> None:  # fmt: skip
    """Compiles, or reads from the disk cache, the kernels of the cells."""
    kernels = [(name, dtype) for dtype in dtypes for name in cells]
    for count, (name, dtype) in enumerate(kernels):
        rows = len(CELLS[name].pre_activations)
        weight, bias = np.zeros((rows, 1), dtype), np.zeros(rows, dtype)
        layer = Layer(weight, weight, bias, bias)
        cotangents = Cotangents(np.array([1]), np.array([0]), np.ones((1, 1), dtype), 1)
        sweep(Stack(name, (layer, layer)), np.zeros((2, 1, 1), dtype), cotangents)
        progress((count + 1) / len(kernels))
