"""The parameter gradient under truncated back-propagation, and its bias against the full one.

Spans of one length are run side by side as a batch, each from the state that the whole forward pass had there: the
state is carried on, the gradient is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.analyses.arguments import sparse
from gradlab.analyses.memory import dense_bytes, states_of, values_bytes
from gradlab.analyses.problem import ALL_GROUPS, SIZES_TO_LOWER, Need, Problem, analysis, problem_of, sizes, work_of
from gradlab.analyses.truncation.schedules import Schedule, Span, several
from gradlab.engine import Cotangents, Plan, Progress, Size, Sweep, buffers, plan, plan_in_slices, sweep
from gradlab.engine.progress import part_of, silent
from gradlab.network.arrays import ArrayLike, StatesLike
from gradlab.network.stack import Layer, Stack
from gradlab.settings.subject import Subject
from gradlab.words.languages import _

BIAS_COLUMNS = ("cell", "k1", "k2", "layer", "parameter", "relative_error", "cosine", "log10_norm_full")
BATCH_BYTES = 2**26  # of one sweep over spans laid side by side


def _need(
    problem: Problem,
    schedule: Schedule | None = None,
    schedules: Sequence[Schedule] = (),
    whole_first: bool = False,
) -> Need:
    """All states of the forward pass twice, and the sweeps over spans laid side by side; the whole is swept behind them
    or first."""
    size, planned = problem.size, plan(problem.size)
    chosen = [
        one for one in (*(several(schedules) if schedules else ()), schedule) if one is not None and one.kind != "full"
    ]
    states = dense_bytes(size) * size.depth * states_of(size)
    laid = sorted((_side_by_side_plan(problem, one).bytes for one in chosen), reverse=True) or [0]
    laid_down = laid[0] + min(sum(laid[1:]), buffers.MOST_BYTES)  # the scratch arrays of those before are kept
    whole = plan_in_slices(size).bytes + planned.held
    losses = int(dense_bytes(size) * (1 + 3 * problem.losses / size.steps))
    left = 0 if whole_first else min(sum(laid), buffers.MOST_BYTES)  # when the whole is swept
    peak = states + max(planned.bytes + values_bytes(size), losses + max(whole + left, laid_down + planned.held))
    return Need(
        peak,
        _("all states of {sizes}").format(sizes=sizes(size)),
        SIZES_TO_LOWER,
        work_of(planned) * (3 + len(schedules)),
    )


def _side_by_side_plan(problem: Problem, schedule: Schedule) -> Plan:
    """The Plan of as many of its spans as lie side by side."""
    size = problem.size
    length = min(schedule.k2, size.steps)
    count = _most_side_by_side(size, length, max(1, min(size.steps // max(schedule.k1, 1), problem.losses)))
    rows = count * size.sequences
    return plan_in_slices(size._replace(steps=length, sequences=rows, rows=rows))


@analysis(_need, reads=(*ALL_GROUPS, "truncation"))
def gradient(
    subject: Subject | Stack | Problem,
    inputs: ArrayLike | None = None,
    cotangents: ArrayLike | None = None,
    initial_state: StatesLike | None = None,
    *,
    schedule: Schedule | None = None,
    progress: Progress | None = None,
) -> tuple[Layer, ...]:
    """∂L/∂(W, U, b_W, b_U) of every layer under a truncation (the Experiment's own if None), summed over the batch.

    inputs, cotangents and initial_state as `gradlab.trace` takes them, or an Experiment alone. The forward pass is the
    whole one. Raises ValueError for shapes, or a schedule, that do not fit.
    """
    problem = problem_of(subject, inputs, cotangents, initial_state)
    problem.refuse(_need(problem, schedule))
    if schedule is None:
        schedule = Schedule("full") if problem.settings is None else Schedule.of(problem.settings)
    report = progress or silent
    return _gradient(problem, _states_before(problem, part_of(report, 0, 0.3)), schedule, part_of(report, 0.3, 1))


@analysis(_need)
def bias(
    subject: Subject | Stack | Problem,
    inputs: ArrayLike | None = None,
    cotangents: ArrayLike | None = None,
    initial_state: StatesLike | None = None,
    *,
    schedules: Sequence[Schedule],
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Each truncated parameter gradient beside the full one, columns `BIAS_COLUMNS`.

    parameter         W, U, b_W, b_U, or "all" of a layer's as one vector
    relative_error    ‖truncated - full‖ / ‖full‖
    cosine            of the angle between them; NaN where either is exactly zero
    log10_norm_full   log10 ‖full‖
    """
    problem = problem_of(subject, inputs, cotangents, initial_state)
    problem.refuse(_need(problem, None, schedules))
    chosen, report = several(schedules), progress or silent
    runs = 2 + len(chosen)
    before = _states_before(problem, part_of(report, 0, 1 / runs))
    full = _gradient(problem, before, Schedule("full"), part_of(report, 1 / runs, 2 / runs))
    rows = []
    for count, schedule in enumerate(chosen, 2):
        truncated = _gradient(problem, before, schedule, part_of(report, count / runs, (count + 1) / runs))
        for layer, (part, whole) in enumerate(zip(truncated, full, strict=True)):
            for name in ("all", *Layer._fields):
                rows.append(
                    (
                        problem.cell,
                        schedule.k1,
                        schedule.k2,
                        layer,
                        name,
                        *_compared(_vector(part, name), _vector(whole, name)),
                    )
                )
    return pd.DataFrame(rows, columns=list(BIAS_COLUMNS))


class Departure(NamedTuple):
    """How far a truncated parameter gradient, of all layers as one vector, is from the full one."""

    relative_error: float  # ‖truncated - full‖ / ‖full‖; NaN where the full one is exactly zero
    cosine: float  # of the angle between them; NaN where either is exactly zero


@analysis(_need)
def departure(
    subject: Subject | Stack | Problem,
    inputs: ArrayLike | None = None,
    cotangents: ArrayLike | None = None,
    initial_state: StatesLike | None = None,
    *,
    schedule: Schedule,
    progress: Progress | None = None,
) -> Departure:
    """What an optimizer gets under a schedule: the whole parameter gradient beside the full one, summed over the batch.

    Arguments and errors as in `bias`.
    """
    problem = problem_of(subject, inputs, cotangents, initial_state)
    problem.refuse(_need(problem, schedule))
    report = progress or silent
    before = _states_before(problem, part_of(report, 0, 0.3))
    truncated = _gradient(problem, before, schedule, part_of(report, 0.3, 0.6))
    full = _gradient(problem, before, Schedule("full"), part_of(report, 0.6, 1))
    error, cosine, _norm = _compared(_whole(truncated), _whole(full))
    return Departure(error, cosine)


def _need_of_search(problem: Problem, schedule: Schedule | None = None, error: float = 0.01) -> Need:
    """Windows of every length leave scratch arrays of their own: each half as long as the one before, for instance."""
    T, kind = problem.size.steps, schedule or Schedule("full")
    return _need(problem, None, [kind.of_length(T >> halved) for halved in range(1, T.bit_length())], whole_first=True)


@analysis(_need_of_search)
def window_for(
    subject: Subject | Stack | Problem,
    inputs: ArrayLike | None = None,
    cotangents: ArrayLike | None = None,
    initial_state: StatesLike | None = None,
    *,
    schedule: Schedule,
    error: float = 0.01,
    progress: Progress | None = None,
) -> int | None:
    """The length of a window that is needed: its gradient is at most `error` off the full one (relative), that of a
    window one step shorter is further off.

    schedule    its kind and its ratio k1 : k2; of a full one, windows whose updates are half their length apart

    By bisection, so that where errors do not fall with the length another such length may lie below. None where the
    full gradient is exactly zero or not finite. Other arguments and errors as in `bias`.
    """
    problem = problem_of(subject, inputs, cotangents, initial_state)
    problem.refuse(_need_of_search(problem, schedule))
    T, report = len(problem.inputs), progress or silent
    share = 1 / (3 + np.log2(T))  # of one run in all of them
    before = _states_before(problem, part_of(report, 0, share))
    full = _whole(_gradient(problem, before, Schedule("full"), part_of(report, share, 2 * share)))
    if not np.isfinite(full).all() or not full.any():
        return None

    def is_enough(k2: int, progress: Progress) -> bool:
        found, *_rest = _compared(_whole(_gradient(problem, before, schedule.of_length(k2), progress)), full)
        return found <= error

    short, long, done = 0, T, 2 * share
    while long - short > 1:
        middle, of_run = (short + long) // 2, part_of(report, done, done := min(done + share, 1.0))
        short, long = (short, middle) if is_enough(middle, of_run) else (middle, long)
    return long


def _states_before(problem: Problem, progress: Progress) -> ndarray:
    """Every state before every step, [L, T, B, S, H]."""
    run = Sweep(problem.stack, problem.inputs, problem.initial_state)
    run.forward(part_of(progress, 0, 0.7))
    after, _saved = run.values(part_of(progress, 0.7, 1))
    run.close()
    before = np.zeros_like(after)
    before[:, 1:] = after[:, :-1]
    for kind, value in enumerate(problem.initial_state):
        before[:, 0, :, kind] = value
    return before


def _gradient(problem: Problem, before: ndarray, schedule: Schedule, progress: Progress) -> tuple[Layer, ...]:
    T = len(problem.inputs)
    batches = _batches(problem, schedule.spans(T))
    total: list[Layer] | None = None
    for count, spans in enumerate(batches):
        of_batch = part_of(progress, count / len(batches), (count + 1) / len(batches))
        of_batch(0)
        inputs, start, cotangents = _side_by_side(problem, before, spans)
        swept = sweep(problem.stack, inputs, cotangents, start, with_parameters=True, progress=of_batch)
        parts = swept.parameters_bar
        total = [Layer(*map(np.add, a, b)) for a, b in zip(total, parts, strict=True)] if total else list(parts)
    return tuple(total or (Layer(*map(np.zeros_like, layer)) for layer in problem.stack.layers))


def _batches(problem: Problem, spans: list[Span]) -> list[list[Span]]:
    """Spans of one length each, few enough to lie side by side; those that begin at step 0 cut nothing and are one."""
    entering = np.flatnonzero(problem.cotangents.reshape(len(problem.cotangents), -1).any(axis=1))
    with_loss = [s for s in spans if np.searchsorted(entering, s.first_loss) < np.searchsorted(entering, s.end)]
    whole = [span for span in with_loss if span.first == 0]
    batches = [[Span(0, min(s.first_loss for s in whole), max(s.end for s in whole))]] if whole else []
    others = sorted((span for span in with_loss if span.first), key=lambda span: span.end - span.first)
    for length, group in groupby(others, key=lambda span: span.end - span.first):
        same = list(group)
        most = _most_side_by_side(problem.size, length, len(same))
        batches += [same[i : i + most] for i in range(0, len(same), most)]
    return batches


def _most_side_by_side(size: Size, length: int, spans: int) -> int:
    """How many spans of a length one sweep takes within `BATCH_BYTES`, to a power of two."""
    most = 1
    while most < spans:
        sequences = 2 * most * size.sequences
        if plan_in_slices(size._replace(steps=length, sequences=sequences, rows=sequences)).bytes > BATCH_BYTES:
            break
        most *= 2
    return most


def _side_by_side(
    problem: Problem, before: ndarray, spans: list[Span]
) -> tuple[ndarray, tuple[ndarray, ...], Cotangents]:
    """Spans of one length as one batch, span after span: inputs, initial states, and the losses of each span."""
    inputs = np.concatenate([problem.inputs[span.first : span.end] for span in spans], axis=1)
    starts = np.concatenate([before[:, span.first] for span in spans], axis=1)  # [L, n·B, S, H]
    B, parts = problem.inputs.shape[1], []
    for number, span in enumerate(spans):
        losses = sparse(problem.cotangents[span.first_loss : span.end])
        parts.append((losses.steps + span.first_loss - span.first, losses.at + number * B, losses.values))
    steps, at, values = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    order = np.argsort(steps, kind="stable")
    cotangents = Cotangents(steps[order], at[order], values[order], len(spans) * B)
    return inputs, tuple(np.ascontiguousarray(starts[:, :, kind]) for kind in range(starts.shape[2])), cotangents


def _vector(layer: Layer, name: str) -> ndarray:
    chosen = layer if name == "all" else (getattr(layer, name),)
    return np.concatenate([array.reshape(-1) for array in chosen]).astype(np.float64)


def _whole(layers: Sequence[Layer]) -> ndarray:
    """The gradient of all layers as one vector."""
    return np.concatenate([_vector(layer, "all") for layer in layers])


def _compared(truncated: ndarray, full: ndarray) -> tuple[float, float, float]:
    """(relative error, cosine, log10 of the full one's norm)."""
    scale = np.abs(full).max(initial=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        truncated, full = truncated / scale, full / scale
        size, size_truncated = np.linalg.norm(full), np.linalg.norm(truncated)
        error, cosine = np.linalg.norm(truncated - full) / size, truncated @ full / (size_truncated * size)
        return float(error), float(cosine), float(np.log10(size) + np.log10(scale))
