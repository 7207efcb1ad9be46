"""A forward pass over slices of the batch, serving several adjoints; and tables of their norms."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.analyses.problem import Problem
from gradlab.analyses.traces import GradientTrace, log10_entered
from gradlab.cells import CELLS
from gradlab.engine import Progress, Sweep, Swept, in_threads, joined, slices_of
from gradlab.engine.progress import silent


def forward(problem: Problem, sequences: slice, rows: int, progress: Progress = silent) -> Sweep:
    """A Sweep over some sequences, after its forward pass."""
    inputs = problem.inputs[:, sequences]
    parts = -(-problem.inputs.shape[1] // inputs.shape[1])
    sweep = Sweep(problem.stack, inputs, tuple(value[:, sequences] for value in problem.initial_state), rows, parts)
    sweep.forward(progress)
    return sweep


def starts(problem: Problem) -> ndarray:
    """The initial states, [L, B, S, H]."""
    stack, sequences = problem.stack, problem.inputs.shape[1]
    start = np.zeros((stack.depth, sequences, len(CELLS[stack.cell].states), stack.hidden_size))
    for kind, value in enumerate(problem.initial_state):
        start[:, :, kind] = value
    return start


def over_slices(run: Callable, work: int, sequences: int, progress: Progress | None) -> list[Swept]:
    """The adjoints that run(slice, progress) gives for slices of the batch, each joined."""
    slices = slices_of(work, sequences)
    results = in_threads(lambda number, part: run(slices[number], part), len(slices), progress)
    return [joined(list(parts)) for parts in zip(*results, strict=True)]


def table(problem: Problem, norms: ndarray, path: str) -> pd.DataFrame:
    """Log10 norms [L, T, B, S] as rows of a trace's table."""
    loss = problem.loss
    entered = log10_entered(loss, problem.inputs.shape[1])
    return GradientTrace(problem.stack, problem.settings, norms, entered, loss.steps, None).table.assign(path=path)
