"""A forward pass over slices of the batch, serving several adjoints; and tables of their norms."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.analyses.frames import log10_entered
from gradlab.analyses.problem import Problem, of_last_loss
from gradlab.analyses.traces import ALL, LAST, norm_table
from gradlab.cells import CELLS
from gradlab.engine import Cotangents, Progress, Sweep, Swept, in_threads, joined, slices_of
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


def table(problem: Problem, loss: Cotangents, norms: ndarray, path: str) -> pd.DataFrame:
    """Log10 norms [L, T, B, S] of a loss's gradient as rows of a trace's table, of the steps up to the last loss alone
    where that is all of the loss; lags then count from it."""
    entered = log10_entered(loss, problem.size.sequences)
    if loss is problem.loss or not len(loss.steps):
        return norm_table(problem.cell, norms, entered, path)
    last = int(loss.steps.max())
    return norm_table(problem.cell, norms[:, : last + 1], entered, path, lag_from=last)


def loss_of(problem: Problem, losses: str) -> Cotangents:
    """The problem's whole loss ("all"), or each sequence's last one alone ("last"); ValueError for another name."""
    if losses not in (ALL, LAST):
        raise ValueError(f"losses = {losses!r} is not allowed: use {ALL} or {LAST}")
    return problem.loss if losses == ALL else of_last_loss(problem.loss, problem.spans)
