"""A forward pass over slices of the batch, serving several adjoints; and the tables of what they found."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.analyses.problem import Gathered
from gradlab.analyses.traces import GradientTrace, log10_entered
from gradlab.cells import CELLS
from gradlab.engine import Size, Sweep, Swept, in_threads, joined, slices_of

Done = Callable[[float], None]
Progress = Done | None


def forward(given: Gathered, own: slice, rows: int, done: Done = lambda fraction: None) -> Sweep:
    """A Sweep over some sequences that has gone forward."""
    inputs = given.inputs[:, own]
    parts = -(-given.inputs.shape[1] // inputs.shape[1])
    sweep = Sweep(given.stack, inputs, tuple(value[:, own] for value in given.initial_state), rows, parts)
    sweep.forward(done)
    return sweep


def size_of(given: Gathered, rows: int) -> Size:
    """What decides the cost of an adjoint with so many rows."""
    stack, (T, B, X) = given.stack, given.inputs.shape
    return Size(stack.cell, stack.depth, stack.hidden_size, X, T, B, rows, stack.dtype.name)


def starts(given: Gathered) -> ndarray:
    """The initial states, [L, B, S, H]."""
    stack, sequences = given.stack, given.inputs.shape[1]
    start = np.zeros((stack.depth, sequences, len(CELLS[stack.cell].states), stack.hidden_size))
    for kind, value in enumerate(given.initial_state):
        start[:, :, kind] = value
    return start


def over_slices(run: Callable, work: int, sequences: int, progress: Progress) -> list[Swept]:
    """The adjoints that run(slice, done) gives for slices of the batch, each put together."""
    slices = slices_of(work, sequences)
    results = in_threads(lambda number, done: run(slices[number], done), len(slices), progress)
    return [joined(list(parts)) for parts in zip(*results, strict=True)]


def table(given: Gathered, norms: ndarray, path: str) -> pd.DataFrame:
    """Log10 norms [L, T, B, S] as rows of a trace's table."""
    loss = given.loss
    entered = log10_entered(loss, given.inputs.shape[1])
    return GradientTrace(given.stack, given.experiment, norms, entered, loss.steps, None).table.assign(path=path)
