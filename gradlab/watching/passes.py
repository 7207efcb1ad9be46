"""A pass: calls that follow each other by their states, as one sequence, and the trace of it.

The engine is given what the calls read and the loss's own part of every gradient that came in; it gives the totals.
Where it cannot speak for the network, what autograd gave is the trace.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from gradlab.analyses.nets import NetTrace
from gradlab.analyses.traces import GradientTrace, trace
from gradlab.engine import log10_norms
from gradlab.network.stack import Net, Stack
from gradlab.watching.calls import Call
from gradlab.watching.measured import MeasuredTrace

ROUNDING = 4  # units of the last place: a part of a sum that is no larger cannot be told from none
APART = 0.05  # decades by which the engine may differ from autograd
APART_IN_HALF = 0.3  # of a model in half precision, whose own passes are rounded to two or three digits
BETWEEN = "a gradient of the loss enters its states between two calls, and not at h of the top layer alone"


class Arrays(NamedTuple):
    """The arguments of `gradlab.trace`, as the stack's module reads: [B, T, …] where it is batch_first."""

    stack: Stack | Net
    inputs: ndarray  # [T, B, X]
    cotangents: ndarray  # [T, B, H] the loss's own part
    initial_state: tuple[ndarray, ...] | None  # [L, B, H] each
    final_cotangents: tuple[ndarray, ...] | None  # [L, B, H] each
    resets: ndarray | None  # [T, B]
    lengths: ndarray | None  # [B]


def calls_of(last: Call) -> list[Call]:
    """A chain up to a call, the first one first."""
    calls = [last]
    while (previous := calls[-1].previous) is not None:
        calls.append(previous)
    return calls[::-1]


def trace_of(last: Call) -> GradientTrace | NetTrace | MeasuredTrace:
    """The trace of the chain up to a call. Raises ValueError or TypeError where there can be none, with the reason."""
    calls = calls_of(last)
    if last.obstacle:
        return measured(calls, last.obstacle)
    own = own_parts(calls)
    if any(_between(parts) for parts in own[:-1]):
        return measured(calls, BETWEEN)
    arrays = arrays_of(calls, own)
    found = trace(*arrays)
    return found if isinstance(found, NetTrace) else _unless_apart(found, calls)


def arguments_of(last: Call) -> Arrays:
    """What the engine is asked about the chain up to a call. Raises ValueError where it cannot speak for it."""
    calls = calls_of(last)
    if last.obstacle:
        raise ValueError(f"{last.name}: {last.obstacle}")
    own = own_parts(calls)
    if any(_between(parts) for parts in own[:-1]):
        raise ValueError(f"{last.name}: {BETWEEN}")
    return arrays_of(calls, own)


def arrays_of(calls: Sequence[Call], own: Sequence[list[ndarray]]) -> Arrays:
    """What the engine is asked about a chain. Raises what kept the weights from being copied."""
    stack = _weights(calls)
    inputs = np.concatenate([_numbers(call.inputs) for call in calls])
    cotangents = np.concatenate([_output(call) for call in calls])
    end, lengths = -1, calls[-1].lengths
    if lengths is not None and len(calls) > 1:
        raise ValueError(
            f"{calls[-1].name} was given packed sequences and a state with a gradient from the call before: detach the "
            "state between the two, or pass sequences of one length"
        )
    sequences = np.arange(inputs.shape[1])
    final = [part.copy() for part in own[-1]]
    if not (isinstance(stack, Net) and stack.is_bidirectional):  # h of the top layer is the output's last step
        for call, parts in zip(calls, own, strict=True):
            end += call.steps
            at = end if lengths is None else lengths.numpy() - 1
            cotangents[at, sequences] += parts[0][-1]
        final[0][-1] = 0
    start = tuple(_numbers(state) for state in calls[0].start) or None
    resets = np.zeros(inputs.shape[:2], bool)
    begin = 0
    for call in calls:
        if call.resets is not None:
            resets[begin] = call.resets.numpy()
        begin += call.steps
    if stack.batch_first:
        inputs, cotangents, resets = inputs.swapaxes(0, 1), cotangents.swapaxes(0, 1), resets.T
    return Arrays(
        stack,
        inputs,
        cotangents,
        start,
        tuple(final) if any(part.any() for part in final) else None,
        resets if resets.any() else None,
        None if lengths is None else lengths.numpy(),
    )


def _weights(calls: Sequence[Call]) -> Stack | Net:
    """Of a chain; the masks of all its calls, one after the other. Raises what kept them from being copied."""
    every = []
    for call in calls:
        if not isinstance(call.weights, Stack | Net):
            raise call.weights
        every.append(call.weights)
    first = every[0]
    if isinstance(first, Stack) or len(calls) == 1:
        return first
    if first.is_bidirectional:
        raise ValueError(
            f"{calls[0].name} reads in both directions, and was given a state with a gradient from the call before, "
            "which ends where this call begins in one of them alone: detach the state"
        )
    masks = [[net.masks[place] for net in every if isinstance(net, Net)] for place in range(len(first.masks))]
    joined = tuple(np.concatenate([mask for mask in of_place if mask is not None]) for of_place in masks)
    return Net(first.levels, first.batch_first, joined, first.precision)


def own_parts(calls: Sequence[Call]) -> list[list[ndarray]]:
    """What comes into each call's states from elsewhere than the cell's own recurrence: one [L, B, H] per state."""
    found = []
    for call, following in zip(calls, [*calls[1:], None], strict=True):
        parts = []
        for state, bar in enumerate(call.states_bar):
            if bar is None:
                parts.append(np.zeros(call.final[state].shape))
                continue
            total = _numbers(bar)
            through = np.zeros_like(total)
            if following is not None and (passed := following.through_bar[state]) is not None:
                through += _numbers(passed) * _goes_on(following)
            if (inner := call.inner_bar[state]) is not None:
                through += _numbers(inner)
            rest = total - through
            size, noise = (np.linalg.norm(part, axis=-1, keepdims=True) for part in (total, rest))
            parts.append(np.where(noise <= ROUNDING * torch.finfo(bar.dtype).eps * size, 0, rest))
        found.append(parts)
    return found


def measured(calls: Sequence[Call], reason: str) -> MeasuredTrace:
    """What autograd gave: of a cell every state, of a module of layers h of the top one where a call ends.

    Raises ValueError where nothing came in.
    """
    last = calls[-1]
    is_cell = last.output_bar is None and last.steps == 1
    states = last.states if is_cell else ("h",)
    totals = []
    for call in calls:
        bars = [_numbers(bar) if bar is not None else np.zeros(call.final[n].shape) for n, bar in
                enumerate(call.states_bar[: len(states)])]  # fmt: skip
        if not is_cell:
            bars = [bars[0][-1:] + _output(call)[-1:]]
        totals.append(np.stack([log10_norms(bar) for bar in bars], axis=-1))  # [L, B, S]
    norms = np.stack(totals, axis=1)
    own = own_parts(calls)
    squares = sum((np.square(part).sum(axis=(0, 2)) for parts in own for part in parts), np.zeros(norms.shape[2]))
    squares = squares + sum(np.square(_output(call)).sum(axis=(0, 2)) for call in calls)
    with np.errstate(divide="ignore"):
        entered = 0.5 * np.log10(squares)
    at = np.cumsum([call.steps for call in calls]) - 1
    cell = last.weights.cell if isinstance(last.weights, Stack | Net) else last.name
    return MeasuredTrace(cell, states, reason, _precision(last), at, norms, entered)


def _unless_apart(found: GradientTrace, calls: Sequence[Call]) -> GradientTrace | MeasuredTrace:
    """The engine's trace where it agrees with what autograd gave at every step that the precision holds."""
    if calls[-1].output_bar is not None or len(calls) == 1 or found.log10_norms.shape[1] != len(calls):
        return found  # no totals came from autograd
    by_autograd = measured(calls, "")
    info = torch.finfo(getattr(torch, by_autograd.precision))
    seen = by_autograd.log10_norms > np.log10(info.tiny) + 4
    with np.errstate(invalid="ignore"):
        apart = np.abs(np.where(seen, found.log10_norms - by_autograd.log10_norms, 0))
    most = APART_IN_HALF if info.bits == 16 else APART
    if not (apart > most).any():
        return found
    step = int(np.flatnonzero((apart > most).any(axis=(0, 2, 3)))[-1])
    return measured(calls, f"from step {step} back the cell alone gives gradients {apart.max():.2g} decades from them")


def _between(parts: list[ndarray]) -> bool:
    """Whether something enters elsewhere than at h of the top layer."""
    h, *others = parts
    return bool(h[:-1].any() or any(part.any() for part in others))


def _goes_on(following: Call) -> ndarray:
    """1 for sequences whose state was handed on, 0 for those whose was reset: [1, B, 1]."""
    if following.resets is None:
        return np.ones((1, 1, 1))
    return np.where(following.resets.numpy(), 0.0, 1.0)[None, :, None]


def _output(call: Call) -> ndarray:
    if call.output_bar is not None:
        return _numbers(call.output_bar)
    T, B, _ = call.inputs.shape
    width = call.weights.output_size if isinstance(call.weights, Net) else call.final[0].shape[2]
    return np.zeros((T, B, width))


def _precision(call: Call) -> str:
    return str(call.precision).removeprefix("torch.")


def _numbers(tensor: Tensor) -> ndarray:
    return tensor.double().numpy()
