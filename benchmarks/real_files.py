"""`python -m benchmarks.real_files FOLDER`: what is found in each file of weights of a folder, and its gradient's rate.

Every recurrent part reads Gaussian noise, [60, 2, X] of numpy's generator 0; a cotangent of 1 in every unit enters at
the last step. The rate is that of every layer and state, in decades per 100 steps; a part that can be read in several
ways is read in the first, and marked so.
"""

import argparse
import time
from pathlib import Path

import numpy as np

import gradlab
from gradlab.checkpoints import AmbiguousError, Checkpoint, load
from gradlab.network.stack import Net, Stack

STEPS, SEQUENCES = 60, 2
ROW = "| {file} | {part} | {what} | {rate} |"


def opened(path: Path) -> tuple[Checkpoint, dict[str, tuple[str, ...]]]:
    """The checkpoint, and the cells that a part can be read as where these are several: it is read as the first."""
    ways: dict[str, tuple[str, ...]] = {}
    while True:
        try:
            return load(path, {part: cells[0] for part, cells in ways.items()} or None), ways
        except AmbiguousError as error:
            ways[error.part] = error.answers


def rates(network: Stack | Net) -> str:
    """Decades per 100 steps of every layer and state."""
    generator = np.random.default_rng(0)
    x = generator.standard_normal((STEPS, SEQUENCES, network.input_size)).astype(network.dtype)
    outputs = network.hidden_size if isinstance(network, Stack) else network.output_size
    injected = np.zeros((STEPS, SEQUENCES, outputs), network.dtype)
    injected[-1] = 1
    table = gradlab.trace(network, x, injected).rate()
    labels = [name for name in ("layer", "direction", "state") if name in table.columns]
    rows = table.to_dict("records")
    return ", ".join(
        f"{' '.join(str(row[name]) for name in labels)}: {100 * row['decades_per_step']:.2f}" for row in rows
    )


def rows(path: Path) -> list[str]:
    """The table's rows of one file, or one with the sentence by which it is refused."""
    begin = time.perf_counter()
    try:
        checkpoint, ways = opened(path)
    except (ValueError, ImportError, OSError) as error:
        return [ROW.format(file=path.name, part="", what=f"refused: {error}", rate="")]
    listed = time.perf_counter() - begin
    lines = []
    for part in checkpoint.parts:
        network = checkpoint.stacks[part.name]
        asked = f", asked about ({' or '.join(ways[part.name])})" if part.name in ways else ""
        what = f"{checkpoint.format}, {network!r}, {part.gate_order}, bias {part.bias}{asked}, in {1e3 * listed:.0f} ms"
        lines.append(ROW.format(file=path.name, part=part.name, what=what, rate=rates(network)))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real_files", description=__doc__.split("\n\n")[1])
    parser.add_argument("folder", type=Path)
    files = sorted(path for path in parser.parse_args().folder.rglob("*") if path.is_file())
    print(ROW.format(file="file", part="part", what="found", rate="decades per 100 steps"))
    print(ROW.format(file="---", part="---", what="---", rate="---"))
    for path in files:
        for line in rows(path):
            print(line, flush=True)


if __name__ == "__main__":
    main()
