"""Compiling the kernels before they are needed."""

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from gradlab.cells import CELLS
from gradlab.engine.compiled import has_kernels
from gradlab.engine.progress import Progress, silent
from gradlab.engine.records import Cotangents
from gradlab.engine.slices import sweep
from gradlab.network.stack import Layer, Stack

PROGRAM = "import sys; from gradlab.engine import warm_up; warm_up(sys.argv[2:], [sys.argv[1]])"


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


def environment_of_this_process() -> dict[str, str]:
    """With which another process finds modules where this one does, and with -P not in the folder where it stands."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)}


def compile_beside(cells: Sequence[str], dtype: str = "float64") -> subprocess.Popen[bytes] | None:
    """Begins to compile the cells' kernels in a process beside this one, the last cell first; it ends by itself.

    Compiling holds this process's interpreter; two processes that compile share the work (`compiled`). None, and
    nothing is begun, where kernels are there already or no process can be started.
    """
    if has_kernels():
        return None
    command = [sys.executable, "-P", "-c", PROGRAM, dtype, *reversed(cells)]
    try:
        return subprocess.Popen(command, env=environment_of_this_process(), stdin=subprocess.DEVNULL)
    except OSError:
        return None
