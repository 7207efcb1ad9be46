"""Parameter gradients from the same sweep, and updates of a network that torch trains."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import nn

from benchmarks.peers import Problem
from benchmarks.results import Row, raced, row
from benchmarks.turns import in_turn, thread_counts, with_threads
from gradlab.analyses.arguments import sparse
from gradlab.engine import sweep
from gradlab.engine.recurrent import Recurrent

SHAPES = [(500, 1, 32), (500, 8, 64), (500, 32, 256)]
MOST_MORE = 1.4  # times the sweep without them
UPDATE = (500, 8, 64)
FASTER = {"gru": 4.0}


def measure(quick: bool) -> Iterator[list[Row]]:
    """What parameter gradients add, then whole updates."""
    seconds = 0.05 if quick else 0.5
    for dtype in ("float32", "float64"):
        for said, threads in thread_counts().items():
            with with_threads(threads):
                for cell in ("lstm", "gru", "rnn"):
                    for shape in SHAPES[: 2 if quick else 3]:
                        yield added(cell, shape, dtype, said, seconds)
    for dtype in ("float32", "float64"):
        for said, threads in thread_counts().items():
            with with_threads(threads):
                for cell in ("gru", "lstm", "rnn"):
                    yield updates(cell, dtype, said, seconds)


def added(cell: str, shape: tuple[int, int, int], dtype: str, threads: str, seconds: float) -> list[Row]:
    """The same sweep with and without the gradients of W, U and both biases."""
    T, B, H = shape
    problem = Problem(cell, 1, T, B, H, dtype)
    entries = sparse(problem.cotangents)

    def run(with_parameters: bool) -> Callable[[], object]:
        return lambda: sweep(problem.stack, problem.inputs, entries, with_parameters=with_parameters)

    contenders = {"without": run(False), "with parameters": run(True)}
    for contender in contenders.values():
        contender()
    times = in_turn(contenders, seconds)
    section, case = "Parameter gradients", f"{cell} {T} × {B} × {H}, {dtype}, {threads}"
    ratio = float(np.median(times["with parameters"]) / np.median(times["without"]))
    rows = [row(section, case, name, values, "s") for name, values in times.items()]
    return [*rows, row(section, case, "with over without", [ratio], "×", at_most=MOST_MORE)]


def updates(cell: str, dtype: str, threads: str, seconds: float) -> list[Row]:
    """One update each: forward pass, loss over every output, backward pass, Adam."""
    T, B, H = UPDATE
    problem = Problem(cell, 1, T, B, H, dtype)
    inputs = torch.from_numpy(problem.inputs)

    def trained(module: nn.Module) -> Callable[[], None]:
        optimizer = torch.optim.Adam(module.parameters(), lr=1e-3)

        def update() -> None:
            optimizer.zero_grad(set_to_none=True)
            outputs, _ = module(inputs)
            outputs.square().mean().backward()
            optimizer.step()

        return update

    contenders = {"gradlab": trained(Recurrent(problem.stack)), "nn": trained(problem.module)}
    for contender in contenders.values():
        contender()
    times = in_turn(contenders, seconds)
    targets = {"nn": FASTER[cell]} if cell in FASTER and dtype == "float32" else {}
    return raced("Updates", f"{cell} {T} × {B} × {H}, {dtype}, {threads}", times, targets)
