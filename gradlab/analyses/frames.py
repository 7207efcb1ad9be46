"""Frame: what enters a network, of all losses and of each span's last one alone, in one set of rows for one adjoint.

What arrives is the gradient of all losses; how one propagates is seen in that of each span's last loss alone, which has
the longest way back. Where the loss enters once the two are the same; else a second set of rows gives the last alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy import ndarray

from gradlab.analyses.problem import last_loss_steps, last_losses, of_last_loss
from gradlab.analyses.spans import Spans
from gradlab.engine import Cotangents, log10_norms


class Frame(NamedTuple):
    """What an adjoint is begun with, and what its rows are measured by. E spans of B sequences."""

    both: Cotangents  # B rows of all losses; where they differ, B further ones of the last alone
    loss_steps: ndarray  # the steps at which the loss enters
    last_loss: ndarray  # [E] the last of them, -1 where there is none
    entered: ndarray  # [E] log10 of what all losses inject
    entered_last: ndarray  # [E] and of what the last one does


def frame_of(loss: Cotangents, spans: Spans, loss_steps: ndarray) -> Frame:
    """The frame of a loss with one row a sequence."""
    last = of_last_loss(loss, spans)
    once, entered = len(last.at) == len(loss.at), log10_injected(loss, spans)
    return Frame(
        loss if once else beside_last(loss, spans),
        loss_steps,
        last_loss_steps(last, spans),
        entered,
        entered if once else log10_injected(last, spans),
    )


def beside_last(loss: Cotangents, spans: Spans) -> Cotangents:
    """The cotangents of all losses, rows 0 … B-1, and of each span's last one alone, rows B … 2 B-1."""
    last = last_losses(loss, spans)
    behind = last + 1  # entries are in the order of steps, and these enter at the same ones
    return Cotangents(
        np.insert(loss.steps, behind, loss.steps[last]),
        np.insert(loss.at, behind, loss.at[last] + loss.rows),
        np.insert(loss.values, behind, loss.values[last], axis=0),
        2 * loss.rows,
        None if loss.final is None else np.concatenate([loss.final, loss.final], axis=1),
        None if loss.exponents is None else np.insert(loss.exponents, behind, loss.exponents[last]),
    )


def log10_injected(loss: Cotangents, spans: Spans) -> ndarray:
    """`log10_entered` by spans, [E], with what enters at last states."""
    by_spans = loss._replace(at=spans.at(loss))
    entered = (
        _log10_entered_powers(by_spans, len(spans.begin))
        if loss.exponents is not None
        else log10_entered(by_spans, len(spans.begin))
    )
    if loss.final is None:
        return entered
    of_sequences = np.moveaxis(loss.final, 1, 0).reshape(spans.sequences, -1)
    at_ends = np.where(
        spans.end_with(np.ones(spans.sequences, bool)), log10_norms(of_sequences)[spans.sequence], -np.inf
    )
    return as_one(np.stack([entered, at_ends], axis=-1))


def log10_entered(cotangents: Cotangents, sequences: int) -> ndarray:
    """log10 of the gradient injected into each sequence, [B]: the root of the sum over steps of ‖cotangent_t‖².

    NaN where the loss is that of a state that overflowed.
    """
    values, at = cotangents.values, cotangents.at
    range_ = np.finfo(values.dtype)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        of_entries = np.vecdot(values, values)
    if not ((of_entries > range_.tiny * 1e8) & (of_entries < range_.max * 1e-8)).all():  # zeros too
        return _log10_entered_scaled(cotangents, sequences)
    with np.errstate(divide="ignore"):  # a sequence without loss
        return 0.5 * np.log10(np.bincount(at, of_entries, sequences))


def _log10_entered_scaled(cotangents: Cotangents, sequences: int) -> ndarray:
    """The same, each sequence's largest entry brought to 1 first."""
    largest, squares = np.zeros(sequences), np.zeros(sequences)
    blocks = [slice(i, i + 2**14) for i in range(0, len(cotangents.at), 2**14)]  # many steps' values fit in no copy
    with np.errstate(divide="ignore", invalid="ignore"):  # zeros, and NaN where the forward pass overflowed
        for block in blocks:
            np.maximum.at(largest, cotangents.at[block], np.abs(cotangents.values[block]).max(axis=1, initial=0))
        scale = np.where(largest == 0, 1, largest)
        for block in blocks:
            at = cotangents.at[block]
            np.add.at(squares, at, np.square(cotangents.values[block].astype(np.float64) / scale[at, None]).sum(axis=1))
        return 0.5 * np.log10(squares) + np.log10(scale)


def _log10_entered_powers(cotangents: Cotangents, sequences: int) -> ndarray:
    """The same of entries beside powers of two."""
    of_entries = log10_norms(cotangents.values, 0 if cotangents.exponents is None else cotangents.exponents)
    largest = np.full(sequences, -np.inf)
    np.maximum.at(largest, cotangents.at, of_entries)
    scale = np.where(np.isneginf(largest), 0, largest)
    with np.errstate(divide="ignore"):
        squares = np.bincount(cotangents.at, 10.0 ** (2 * (of_entries - scale[cotangents.at])), sequences)
        return 0.5 * np.log10(squares) + scale


def as_one(norms: ndarray) -> ndarray:
    """log10 norms of several states [..., S] as that of all of them as one vector, [...]."""
    if norms.shape[-1] == 1:
        return norms[..., 0]
    largest = norms.max(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore"):
        squares = 10.0 ** (2 * (norms - np.where(np.isneginf(largest), 0, largest)))
    with np.errstate(divide="ignore"):
        return 0.5 * np.log10(squares.sum(axis=-1)) + np.where(np.isneginf(largest), 0, largest)[..., 0]
