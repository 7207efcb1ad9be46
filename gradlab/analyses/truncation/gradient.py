"""The parameter gradient under truncated back-propagation, and its bias against the full one.

Spans of one length are run side by side as a batch, each from the state that the whole forward pass had there: the
state is carried on, the gradient is not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.analyses.problem import Gathered, gathered, sparse
from gradlab.analyses.truncation.schedules import Schedule, Span
from gradlab.engine import Cotangents, Sweep, sweep
from gradlab.network.stack import Layer, Stack
from gradlab.settings.experiment import Experiment

BIAS_COLUMNS = ("k1", "k2", "layer", "parameter", "relative_error", "cosine", "log10_norm_full")
BATCH_BYTES = 2**26  # of spans' inputs and states laid side by side in one sweep


def gradient(
    subject: Experiment | Stack,
    inputs: Any = None,
    cotangents: Any = None,
    initial_state: Any = None,
    *,
    schedule: Schedule | None = None,
    progress: Callable[[float], None] | None = None,
) -> tuple[Layer, ...]:
    """∂L/∂(W, U, b_W, b_U) of every layer under a truncation (the Experiment's own if None), summed over the batch.

    inputs, cotangents and initial_state as `gradlab.trace` takes them, or an Experiment alone. The forward pass is the
    whole one. Raises ValueError for shapes, or a schedule, that do not fit.
    """
    call = gathered(subject, inputs, cotangents, initial_state)
    if schedule is None:
        schedule = Schedule.of(subject) if isinstance(subject, Experiment) else Schedule("full")
    return _gradient(call, _states_before(call), schedule, progress)


def bias(
    subject: Experiment | Stack,
    inputs: Any = None,
    cotangents: Any = None,
    initial_state: Any = None,
    *,
    schedules: Sequence[Schedule],
    progress: Callable[[float], None] | None = None,
) -> pd.DataFrame:
    """Each truncated parameter gradient beside the full one, columns `BIAS_COLUMNS`.

    parameter         W, U, b_W, b_U, or "all" of a layer's as one vector
    relative_error    ‖truncated - full‖ / ‖full‖
    cosine            of the angle between them; NaN where either is exactly zero
    log10_norm_full   log10 ‖full‖
    """
    call = gathered(subject, inputs, cotangents, initial_state)
    before = _states_before(call)
    told = progress or (lambda fraction: None)
    full = _gradient(call, before, Schedule("full"), None)
    rows = []
    for count, schedule in enumerate(schedules):
        told(count / len(schedules))
        found = _gradient(call, before, schedule, None)
        for layer, (one, whole) in enumerate(zip(found, full, strict=True)):
            for name in ("all", *Layer._fields):
                rows.append(
                    (schedule.k1, schedule.k2, layer, name, *_compared(_vector(one, name), _vector(whole, name)))
                )
    return pd.DataFrame(rows, columns=list(BIAS_COLUMNS))


def _states_before(call: Gathered) -> ndarray:
    """Every state before every step, [L, T, B, S, H]."""
    run = Sweep(call.stack, call.inputs, call.initial_state)
    run.forward()
    after, _ = run.values()
    before = np.zeros_like(after)
    before[:, 1:] = after[:, :-1]
    for kind, value in enumerate(call.initial_state):
        before[:, 0, :, kind] = value
    return before


def _gradient(call: Gathered, before: ndarray, schedule: Schedule, progress: Callable | None) -> tuple[Layer, ...]:
    T = len(call.inputs)
    told = progress or (lambda fraction: None)
    batches = _batches(call, schedule.spans(T))
    total: list[Layer] | None = None
    for count, spans in enumerate(batches):
        told(count / len(batches))
        inputs, start, cotangents = _side_by_side(call, before, spans)
        swept = sweep(call.stack, inputs, cotangents, start, with_parameters=True)
        parts = swept.parameters_bar
        total = [Layer(*map(np.add, a, b)) for a, b in zip(total, parts, strict=True)] if total else list(parts)
    return tuple(total or (Layer(*map(np.zeros_like, layer)) for layer in call.stack.layers))


def _batches(call: Gathered, spans: list[Span]) -> list[list[Span]]:
    """Spans of one length each, few enough to lie side by side; those that begin at step 0 cut nothing and are one."""
    entering = np.flatnonzero(call.cotangents.reshape(len(call.cotangents), -1).any(axis=1))
    with_loss = [s for s in spans if np.searchsorted(entering, s.first_loss) < np.searchsorted(entering, s.end)]
    whole = [span for span in with_loss if span.first == 0]
    batches = [[Span(0, min(s.first_loss for s in whole), max(s.end for s in whole))]] if whole else []
    B = call.inputs.shape[1]
    step_bytes = B * call.stack.dtype.itemsize * (call.inputs.shape[2] + call.stack.hidden_size)
    others = sorted((span for span in with_loss if span.first), key=lambda span: span.end - span.first)
    for length, group in groupby(others, key=lambda span: span.end - span.first):
        same = list(group)
        most = max(1, BATCH_BYTES // (length * step_bytes))
        batches += [same[i : i + most] for i in range(0, len(same), most)]
    return batches


def _side_by_side(
    call: Gathered, before: ndarray, spans: list[Span]
) -> tuple[ndarray, tuple[ndarray, ...], Cotangents]:
    """Spans of one length as one batch, span after span: inputs, initial states, and the losses of each span."""
    inputs = np.concatenate([call.inputs[span.first : span.end] for span in spans], axis=1)
    starts = np.concatenate([before[:, span.first] for span in spans], axis=1)  # [L, n·B, S, H]
    B, parts = call.inputs.shape[1], []
    for number, span in enumerate(spans):
        own = sparse(call.cotangents[span.first_loss : span.end])
        parts.append((own.steps + span.first_loss - span.first, own.at + number * B, own.values))
    steps, at, values = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    order = np.argsort(steps, kind="stable")
    cotangents = Cotangents(steps[order], at[order], values[order], len(spans) * B)
    return inputs, tuple(np.ascontiguousarray(starts[:, :, kind]) for kind in range(starts.shape[2])), cotangents


def _vector(layer: Layer, name: str) -> ndarray:
    chosen = layer if name == "all" else (getattr(layer, name),)
    return np.concatenate([array.reshape(-1) for array in chosen]).astype(np.float64)


def _compared(found: ndarray, full: ndarray) -> tuple[float, float, float]:
    """(relative error, cosine, log10 of the full one's norm)."""
    scale = np.abs(full).max(initial=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        found, full = found / scale, full / scale
        size, own = np.linalg.norm(full), np.linalg.norm(found)
        error, cosine = np.linalg.norm(found - full) / size, found @ full / (own * size)
        return float(error), float(cosine), float(np.log10(size) + np.log10(scale))
