"""`python -m benchmarks.checkpoint [MB]`: how long a large checkpoint takes to be listed, and what memory that takes.

One LSTM makes up the whole file, the worst case: nothing of it can be left unread. Each format is listed in its own
process, by its path. At most 3 s, and less than 1.5 times the file of memory; a file that is mapped counts too.
"""

import multiprocessing
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import torch
from safetensors.torch import save_file
from torch import Tensor

MEGABYTES = 200
MOST_SECONDS = 3.0
MOST_MEMORY = 1.5  # times the file
INPUTS = 512


def tensors(megabytes: int) -> dict[str, Tensor]:
    """An LSTM of two layers of so many megabytes."""
    units = int((megabytes * 1e6 / 4 / 12) ** 0.5)
    shapes = {"weight_ih_l0": (4 * units, INPUTS), "weight_hh_l0": (4 * units, units),
              "weight_ih_l1": (4 * units, units), "weight_hh_l1": (4 * units, units)}  # fmt: skip
    shapes |= {f"bias_{kind}_l{layer}": (4 * units,) for kind in ("ih", "hh") for layer in (0, 1)}
    generator = torch.Generator().manual_seed(0)
    return {f"model.lstm.{name}": torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def torch_legacy(weights: dict[str, Tensor], path: Path) -> None:
    torch.save(weights, path, _use_new_zipfile_serialization=False)


def numpy_npz(weights: dict[str, Tensor], path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, **{name: tensor.numpy() for name, tensor in weights.items()})


WRITERS: dict[str, Callable[[dict[str, Tensor], Path], object]] = {
    "safetensors": save_file,
    "torch zip": torch.save,
    "torch legacy": torch_legacy,
    "npz": numpy_npz,
}


def list_it(path: str, answer: multiprocessing.connection.Connection) -> None:
    """Seconds, and by how many bytes the process grew at most."""
    from gradlab.checkpoints import load

    process, stop, peak = psutil.Process(), threading.Event(), [0]
    before = process.memory_info().rss

    def watch() -> None:
        while not stop.wait(0.002):
            peak[0] = max(peak[0], process.memory_info().rss - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    begin = time.perf_counter()
    rows = len(load(path).table)
    seconds = time.perf_counter() - begin
    stop.set()
    watcher.join()
    answer.send((seconds, peak[0], rows))


def main() -> None:
    weights = tensors(int(sys.argv[1]) if len(sys.argv) > 1 else MEGABYTES)
    context, missed = multiprocessing.get_context("spawn"), []
    with tempfile.TemporaryDirectory() as folder:
        for name, write in WRITERS.items():
            path = Path(folder) / "weights"
            write(weights, path)
            here, there = context.Pipe()
            process = context.Process(target=list_it, args=(str(path), there))
            process.start()
            seconds, grown, rows = here.recv()
            process.join()
            size = path.stat().st_size
            print(f"{name}: {size / 1e6:.0f} MB, {rows} row, {seconds:.2f} s, memory {grown / size:.2f} times the file")
            missed += [name] if seconds > MOST_SECONDS or grown > MOST_MEMORY * size else []
            path.unlink()
    sys.exit(f"missed by {', '.join(missed)}" if missed else 0)


if __name__ == "__main__":
    main()
