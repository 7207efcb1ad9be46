"""The unrolled network, edge by edge: what part of the gradient flows through each.

A node is a layer's states after a step. On its way back the gradient arrives at a node over

    loss         from the loss at this step (top layer)
    vertical     from the layer above at the same step:   Wᵀ ∂L/∂a^x of that layer      (into h)
    recurrent    from the same layer a step later:        Uᵀ ∂L/∂a^h                    (into h)
    direct       from the same layer a step later, by the additive update               (into c, else h)
    input        leaves the lowest layer:                 Wᵀ ∂L/∂a^x, arrives at x_t

What arrives at h sums to ∂L/∂h_t. What arrives at c, with what the step's own h passes on to it, sums to ∂L/∂c_t.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.analyses.paths.run import forward
from gradlab.analyses.problem import Need, Problem, Progress, analysis, problem_of, sizes, whole_number
from gradlab.analyses.traces import log10_entered
from gradlab.cells import CELLS
from gradlab.cells.states import STATES
from gradlab.engine import log10_norms, plan
from gradlab.network.stack import Stack
from gradlab.settings.subject import Subject

EDGES = ("loss", "vertical", "recurrent", "direct", "input")
EDGE_COLUMNS = ("cell", "layer", "step", "lag", "edge", "state", "log10_norm", "log10_relative")
MOST_STEPS = 200


class Edge(NamedTuple):
    """What arrives over one edge: vector · 2^exponent."""

    kind: str
    layer: int  # at which it arrives; -1 for the input
    step: int
    state: str  # "h" | "c" | "x"
    vector: ndarray  # [B, H or X]
    exponent: ndarray  # [B]


def _need(problem: Problem, first: int = 0, last: int | None = None) -> Need:
    size = problem.size
    return Need(plan(size._replace(keep=True)).bytes, sizes(size), "any of them")


@analysis(_need)
def edges(
    subject: Subject | Stack | Problem,
    inputs: Any = None,
    cotangents: Any = None,
    initial_state: Any = None,
    *,
    first: int = 0,
    last: int | None = None,
    progress: Progress = None,
) -> pd.DataFrame:
    """log10 norms of what flows through every edge that arrives at steps first … last (default: as many as allowed).

    Columns `EDGE_COLUMNS`, means over the batch; relative to the injected gradient; -inf for exactly nothing. Other
    arguments and errors as in `gradlab.trace`; ValueError for steps that are not there or more than 200 of them.
    """
    problem = problem_of(subject, inputs, cotangents, initial_state)
    problem.refuse(_need(problem))
    T = problem.size.steps
    first = whole_number("first", first, 0, T - 1)
    most = min(T, first + MOST_STEPS) - 1
    last = most if last is None else whole_number("last", last, first, most)
    return edge_table(problem, edge_vectors(problem, range(first, last + 1), progress))


def edge_table(problem: Problem, found: Sequence[Edge]) -> pd.DataFrame:
    """Edges as a tidy table, columns `EDGE_COLUMNS`."""
    T, B = problem.size.steps, problem.size.sequences
    entered = log10_entered(problem.loss, B)
    rows = []
    for edge in found:
        norms = log10_norms(edge.vector, edge.exponent)
        place = (problem.cell, edge.layer, edge.step, T - 1 - edge.step, edge.kind, edge.state)
        relative = np.where(np.isneginf(norms), -np.inf, norms - entered)  # nothing stays nothing where none entered
        rows.append((*place, norms.mean(), relative.mean()))
    return pd.DataFrame(rows, columns=list(EDGE_COLUMNS))


def decades(*tables: pd.DataFrame) -> tuple[float, float]:
    """From the least to the most finite log10_relative of some tables together; (-1, 0) where none is finite."""
    together = pd.concat([table["log10_relative"] for table in tables])
    finite = together[np.isfinite(together)]
    return (float(finite.min()), float(finite.max())) if len(finite) else (-1.0, 0.0)


def edge_vectors(problem: Problem, steps: Sequence[int], progress: Progress = None) -> list[Edge]:
    """What flows through every edge that arrives at some steps, as vectors."""
    stack, (T, B, _) = problem.stack, problem.inputs.shape
    cell = CELLS[stack.cell]
    sweep = forward(problem, slice(None), B, lambda fraction: progress and progress(fraction / 2))
    swept = sweep.adjoint(
        problem.loss,
        keep=("totals", "a_x_bar", "a_h_bar"),
        done=lambda fraction: progress and progress(0.5 + fraction / 2),
    )
    states, saved = sweep.values()
    found = []
    for layer in reversed(range(stack.depth)):
        own, weights = swept.adjoints[layer], stack.layers[layer]
        for t in steps:
            if layer == stack.depth - 1 and problem.cotangents[t].any():
                found.append(Edge("loss", layer, t, "h", problem.cotangents[t], np.zeros(B, np.int64)))
            if layer < stack.depth - 1:
                above = swept.adjoints[layer + 1]
                down = above.a_x_bar[t].reshape(B, -1) @ stack.layers[layer + 1].W
                found.append(Edge("vertical", layer, t, "h", down, above.exponents[t]))
            if t < T - 1:
                back = own.a_h_bar[t + 1].reshape(B, -1) @ weights.U
                found.append(Edge("recurrent", layer, t, "h", back, own.exponents[t + 1]))
                direct = _direct(cell, saved[layer, t + 1], states[layer, t], states[layer, t + 1], own.totals[t + 1])
                found.append(Edge("direct", layer, t, cell.states[-1], direct, own.exponents[t + 1]))
            if layer == 0:
                down = own.a_x_bar[t].reshape(B, -1) @ weights.W
                found.append(Edge("input", -1, t, "x", down, own.exponents[t]))
    return found


def _direct(cell: type, saved: ndarray, old: ndarray, new: ndarray, total: ndarray) -> ndarray:
    """What the additive update brings back to the old state; saved [B, V, H], states and total [B, S, H]."""
    record = STATES[cell.states]
    saved, old, new, total = (values.swapaxes(0, 1) for values in (saved, old, new, total))
    arrived = record(*total)
    if len(cell.states) > 1:  # the total at c has what h passed on to it, which the adjoint adds once more
        none = np.zeros_like(total[0])
        passed = cell.adjoint(tuple(saved), record(*old), record(*new), record(total[0], none))[3]
        arrived = record(total[0], *(whole - own for whole, own in zip(total[1:], passed[1:], strict=True)))
    return cell.adjoint(tuple(saved), record(*old), record(*new), arrived)[2][-1]
