"""The unrolled network, edge by edge: what part of the gradient flows through each.

A node is a layer's states after a step. On its way back the gradient arrives at a node over

    loss         from the loss at this step (top layer)
    vertical     from the layer above at the same step:   Wᵀ ∂L/∂a^x of that layer      (into h)
    recurrent    from the same layer a step later:        Uᵀ ∂L/∂a^h                    (into h)
    direct       from the same layer a step later, by the additive update               (into c …, else h)
    input        leaves the lowest layer:                 Wᵀ ∂L/∂a^x, arrives at x_t

What arrives at h sums to ∂L/∂h_t. What arrives at c, with what the step's h passes on to it, sums to ∂L/∂c_t.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.analyses.arguments import whole_number
from gradlab.analyses.batch import of_batch
from gradlab.analyses.frames import log10_entered
from gradlab.analyses.memory import dense_bytes, kept_bytes, values_bytes
from gradlab.analyses.paths.run import forward
from gradlab.analyses.problem import (  # fmt: skip
    SIZES_TO_LOWER,
    Need,
    Problem,
    analysis,
    problem_of,
    sizes,
    work_of,
)
from gradlab.analyses.traces import relative
from gradlab.cells import CELLS
from gradlab.cells.contract import Cell
from gradlab.engine import Progress, checkpoint, log10_norms, plan
from gradlab.engine.progress import part_of, silent
from gradlab.network.arrays import ArrayLike, StatesLike
from gradlab.network.stack import Stack
from gradlab.settings.subject import Subject

EDGES = ("loss", "vertical", "recurrent", "direct", "input")
EDGE_COLUMNS = ("cell", "layer", "step", "lag", "edge", "state", "log10_norm", "log10_relative", "left_out")
MOST_STEPS = 200


class Edge(NamedTuple):
    """What arrives over one edge: vector · 2^exponent."""

    kind: str
    layer: int  # at which it arrives; -1 for the input
    step: int
    state: str  # "h" | "c" | … | "x"
    vector: ndarray  # [B, H or X]
    exponent: ndarray  # [B]


def _need(problem: Problem, first: int = 0, last: int | None = None) -> Need:
    size, cell = problem.size, CELLS[problem.cell]
    kept = kept_bytes(size, len(cell.states) + 2 * len(cell.pre_activations))
    peak = plan(size).bytes + kept + values_bytes(size) + dense_bytes(size) + problem.source.loss_bytes
    return Need(peak, sizes(size), SIZES_TO_LOWER, work_of(plan(size)))


@analysis(_need)
def edges(
    subject: Subject | Stack | Problem,
    inputs: ArrayLike | None = None,
    cotangents: ArrayLike | None = None,
    initial_state: StatesLike | None = None,
    *,
    first: int = 0,
    last: int | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """log10 norms of what flows through every edge that arrives at steps first … last (default: as many as allowed).

    Columns `EDGE_COLUMNS`, means over the batch as in `GradientTrace.table`; relative to the injected gradient. Other
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
        checkpoint()
        norms = log10_norms(edge.vector, edge.exponent)
        place = (problem.cell, edge.layer, edge.step, T - 1 - edge.step, edge.kind, edge.state)
        over_batch, relative_mean = of_batch(norms), of_batch(relative(norms, entered)).mean
        rows.append((*place, float(over_batch.mean), float(relative_mean), int(over_batch.left_out)))
    return pd.DataFrame(rows, columns=list(EDGE_COLUMNS))


def decades(*tables: pd.DataFrame) -> tuple[float, float]:
    """From the least to the most finite log10_relative of some tables together; (-1, 0) where none is finite."""
    together = pd.concat([table["log10_relative"] for table in tables])
    finite = together[np.isfinite(together)]
    return (float(finite.min()), float(finite.max())) if len(finite) else (-1.0, 0.0)


def edge_vectors(problem: Problem, steps: Sequence[int], progress: Progress | None = None) -> list[Edge]:
    """What flows through every edge that arrives at some steps, as vectors."""
    stack, (T, B, _) = problem.stack, problem.inputs.shape
    cell = CELLS[stack.cell]
    report = progress or silent
    sweep = forward(problem, slice(None), B, part_of(report, 0, 0.4))
    kept = ("totals", "a_x_bar", "a_h_bar")
    swept = sweep.adjoint(problem.loss, keep=kept, progress=part_of(report, 0.4, 0.8))
    states, saved = sweep.values(part_of(report, 0.8, 1))
    found = []
    for layer in reversed(range(stack.depth)):
        checkpoint()
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
                with np.errstate(invalid="ignore"):  # NaN from where the forward pass overflowed
                    brought = _direct(
                        cell, saved[layer, t + 1], states[layer, t], states[layer, t + 1], own.totals[t + 1]
                    )
                for state, direct in list(zip(cell.states, brought, strict=True))[len(brought) > 1 :]:
                    found.append(Edge("direct", layer, t, state, direct, own.exponents[t + 1]))
            if layer == 0:
                down = own.a_x_bar[t].reshape(B, -1) @ weights.W
                found.append(Edge("input", -1, t, "x", down, own.exponents[t]))
    return found


def _direct(cell: Cell, saved: ndarray, old: ndarray, new: ndarray, total: ndarray) -> tuple[ndarray, ...]:
    """What comes back to each old state without passing U, [B, H]; saved [B, V, H], states and total [B, S, H]."""
    record = cell.record
    saved, old, new, total = (values.swapaxes(0, 1) for values in (saved, old, new, total))
    arrived = record(*total)
    if len(cell.states) > 1:  # the totals have what a state passes to later ones, which the adjoint adds once more
        none = np.zeros_like(total[0])
        of_h = record(total[0], *(none for _ in total[1:]))
        passed = cell.adjoint(tuple(saved), record(*old), record(*new), of_h)[3]
        arrived = record(total[0], *(whole - part for whole, part in zip(total[1:], passed[1:], strict=True)))
    for _ in cell.states[2:]:  # each round is right for a state more: those before it then pass on what they should
        reached = cell.adjoint(tuple(saved), record(*old), record(*new), arrived)[3]
        arrived = record(*(came + (whole - sum_) for came, whole, sum_ in zip(arrived, total, reached, strict=True)))
    return cell.adjoint(tuple(saved), record(*old), record(*new), arrived)[2]
