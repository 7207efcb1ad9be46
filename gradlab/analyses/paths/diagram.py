"""The unrolled network as people draw it: a few steps, what each reads, where the loss is, and the gradient between.

`Diagram.edges` has the columns `EDGE_COLUMNS`, `Diagram.steps` the columns `STEP_COLUMNS`, one row per step drawn:

    step        in order; steps that follow each other with others between them leave those out
    reads       whether the step has an input; the others read zeros
    has_loss    whether the loss enters there
    label       what is read: of a text the first sequence's character, else "x"; "0" where nothing is
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.analyses.arguments import whole_number
from gradlab.analyses.paths.edges import _need, edge_table, edge_vectors
from gradlab.analyses.problem import Need, Problem, analysis, problem_of
from gradlab.engine import Progress
from gradlab.network.arrays import ArrayLike, StatesLike
from gradlab.network.stack import Stack
from gradlab.settings.drawing import read_steps_of
from gradlab.settings.inputs import vocabulary
from gradlab.settings.subject import Subject
from gradlab.words.letters import visible

STEP_COLUMNS = ("step", "reads", "has_loss", "label")


class Diagram(NamedTuple):
    """An unrolled network, over some of its steps."""

    edges: pd.DataFrame
    steps: pd.DataFrame


def _need_of_steps(problem: Problem, most: int = 14) -> Need:
    return _need(problem)


@analysis(_need_of_steps)
def diagram(
    subject: Subject | Stack | Problem,
    inputs: ArrayLike | None = None,
    cotangents: ArrayLike | None = None,
    initial_state: StatesLike | None = None,
    *,
    most: int = 14,
    progress: Progress | None = None,
) -> Diagram:
    """The network over `most` of its steps: the first, the last, and those where input or loss changes.

    A single step between two that are drawn is drawn too, for a gap takes as much room. Behind the last loss no step is
    drawn. Edges from a step left out are there, additive ones that carry nothing are not. Other arguments and errors as
    in `gradlab.trace`.
    """
    problem = problem_of(subject, inputs, cotangents, initial_state)
    problem.refuse(_need(problem))
    losses = problem.source.injection_steps if problem.losses else np.array([problem.size.steps - 1])
    drawn = [t for first, last in segments(losses, whole_number("most", most, 2)) for t in range(first, last + 1)]
    arriving = sorted({*drawn, *(t - 1 for t in drawn if t)})
    table = edge_table(problem, edge_vectors(problem, arriving, progress))
    steps = {
        "step": drawn,
        "reads": np.array(drawn) < _reads(problem),
        "has_loss": np.isin(drawn, problem.source.injection_steps),
        "label": _labels(problem, drawn),
    }
    return Diagram(table[_is_drawn(table, drawn)].reset_index(drop=True), pd.DataFrame(steps)[list(STEP_COLUMNS)])


def segments(losses: ndarray, most: int) -> list[tuple[int, int]]:
    """Runs of steps (first, last) that are drawn: `most` steps in all at most, where that leaves two for each run, and
    those that would be alone between two runs.

    losses    the steps at which the loss enters, in order
    """
    T = int(losses[-1]) + 1  # behind the last loss no gradient is
    if most >= T:
        return [(0, T - 1)]
    turns = {0, int(losses[0]), T - 1}
    each = max(most // len(turns), 2)
    runs: list[list[int]] = []
    for turn in sorted(turns):
        first = min(max(turn - each // 2, 0), T - each)
        last = first + each - 1
        if runs and first <= runs[-1][1] + 2:
            runs[-1][1] = max(last, runs[-1][1])
        else:
            runs.append([first, last])
    return [(first, last) for first, last in runs]


def _is_drawn(edges: pd.DataFrame, drawn: list[int]) -> pd.Series:
    """True for edges with an end at a drawn step, but for those from behind the last one and additive ones of nothing.

    A cell without an additive update has no such edge.
    """
    arrives, leaves = edges["step"].isin(drawn), (edges["step"] + 1).isin(drawn)
    along = edges["edge"].isin(["recurrent", "direct"])
    inside = (arrives & (edges["step"] != drawn[-1])) | leaves
    return arrives.where(~along, inside) & ((edges["edge"] != "direct") | np.isfinite(edges["log10_relative"]))


def _reads(problem: Problem) -> int:
    """How many leading steps have an input."""
    return problem.size.steps if problem.settings is None else read_steps_of(problem.settings)


def _labels(problem: Problem, drawn: list[int]) -> list[str]:
    """What is written into each drawn step's input."""
    symbols = ["x"] * len(drawn)
    if problem.settings is not None and problem.settings.inputs == "text":
        known = vocabulary(problem.settings.text)
        symbols = [visible(known[i]) for i in problem.inputs[drawn, 0].argmax(axis=1)]
    return [symbol if step < _reads(problem) else "0" for step, symbol in zip(drawn, symbols, strict=True)]
