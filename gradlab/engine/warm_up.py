"""Compiling the kernels before they are needed."""

import contextlib
import gc
import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from gradlab.cells import CELLS
from gradlab.engine.compiled import cache_folder, cell_hash
from gradlab.engine.progress import Progress, silent
from gradlab.engine.records import Cotangents
from gradlab.engine.slices import sweep
from gradlab.network.stack import Layer, Stack

PROGRAM = "import gc, sys; gc.disable(); from gradlab.engine.warm_up import compile_all; compile_all(*sys.argv[1:])"


def warm_up(cells: Iterable[str] = tuple(CELLS), dtypes: Iterable[str] = ("float64", "float32"),
            progress: Progress = silent, depth: int = 2) -> None:  # fmt: skip
    """Compiles, or reads from the disk cache, the kernels of the cells; a depth of 1 leaves out what joins layers."""
    kernels = [(name, dtype) for dtype in dtypes for name in cells]
    for count, (name, dtype) in enumerate(kernels):
        rows = len(CELLS[name].pre_activations)
        weight, bias = np.zeros((rows, 1), dtype), np.zeros(rows, dtype)
        layer = Layer(weight, weight, bias, bias)
        cotangents = Cotangents(np.array([1]), np.array([0]), np.ones((1, 1), dtype), 1)
        sweep(Stack(name, depth * (layer,)), np.zeros((2, 1, 1), dtype), cotangents)
        progress((count + 1) / len(kernels))


def environment_of_this_process() -> dict[str, str]:
    """With which another process finds modules where this one does, and with -P not in the folder where it stands."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)}


def compile_beside(first: Sequence[str], cells: Iterable[str] = tuple(CELLS)) -> subprocess.Popen[bytes] | None:
    """Begins to compile the kernels of the cells in a process beside this one, which ends when it has, or with this.

    Compiling holds this process's interpreter, and one thread at a time compiles: what a visitor waits for would wait
    for what nobody has asked for. Two processes that compile share the work (`compiled`).

    first    cells that the first visitor asks for, begun with the last, as this process begins with the first
    None, and nothing is begun, where all kernels are there already or no process can be started.
    """
    if _sign(cells).exists():
        return None
    command = [sys.executable, "-P", "-c", PROGRAM, " ".join(first), " ".join(cells)]
    try:
        return subprocess.Popen(command, env=environment_of_this_process(), stdin=subprocess.PIPE)
    except OSError:
        return None


def compile_all(first: str, cells: str) -> None:
    """What the process beside does."""
    threading.Thread(target=_end_with_the_input, daemon=True).start()
    gc.freeze()  # what is loaded stays, and is not walked again and again while kernels are compiled
    gc.enable()
    warm_up(reversed(first.split()), ["float64"], depth=1)  # as the first page is
    warm_up(cells.split())
    with contextlib.suppress(OSError):
        _sign(cells.split()).touch()


def _end_with_the_input() -> None:
    """The process that began this one holds the other end, as long as it lives."""
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


def _sign(cells: Iterable[str]) -> Path:
    """A file that is there when all kernels of the cells are."""
    hashes = " ".join(cell_hash(CELLS[name]) for name in cells)
    return (cache_folder() or Path(os.devnull)) / f"all-{hashlib.sha256(hashes.encode()).hexdigest()[:20]}"


def load_after(beside: subprocess.Popen[bytes] | None) -> None:
    """Loads all kernels into this process, after the process beside has compiled them; what it has not is compiled."""
    if beside is not None:
        beside.wait()
    warm_up()
