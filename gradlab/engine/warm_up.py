"""Compiling the kernels before they are needed."""

from collections.abc import Callable, Iterable

import numpy as np

from gradlab.cells import CELLS
from gradlab.engine.records import Cotangents
from gradlab.engine.slices import sweep
from gradlab.network.stack import Layer, Stack


def warm_up(cells: Iterable[str] = tuple(CELLS), dtypes: Iterable[str] = ("float64", "float32"),
            said: Callable[[str], None] = lambda sentence: None) -> None:  # fmt: skip
    """Compiles, or reads from the disk cache, the kernels of the cells; `said` hears what is being done."""
    for dtype in dtypes:
        for name in cells:
            said(f"preparing {CELLS[name].title} in {dtype}")
            rows = len(CELLS[name].pre_activations)
            one, bias = np.zeros((rows, 1), dtype), np.zeros(rows, dtype)
            layer = Layer(one, one, bias, bias)
            cotangents = Cotangents(np.array([1]), np.array([0]), np.ones((1, 1), dtype), 1)
            sweep(Stack(name, (layer, layer)), np.zeros((2, 1, 1), dtype), cotangents)
