"""Means over the sequences of a batch, where some of them may have nothing to average.

A sequence whose units have died has a gradient of exactly zero, whose log10 is -inf; one whose pass overflowed has no
gradient, NaN. By one of them a mean over all would be -inf or NaN, and would say of a living batch that nothing
arrives. So every mean is over the sequences whose value is finite, and says how many were left out.
"""

from typing import NamedTuple

import numpy as np
from numpy import ndarray


class OfBatch(NamedTuple):
    """Mean and range over the finite values of the last axis; arrays of the other axes."""

    mean: ndarray  # where none is finite: -inf if all are exact zeros, else NaN
    least: ndarray
    most: ndarray
    left_out: ndarray  # how many are not finite


def of_batch(values: ndarray, exists: ndarray | None = None) -> OfBatch:
    """Reads log10 values, -inf for exactly zero and NaN for undefined, or shares, whose NaN says that there is none.

    exists    which values there are, of `values`' shape; all where it is None
    """
    finite = np.isfinite(values)
    if finite.all() and values.shape[-1]:
        least, most = values.min(axis=-1), values.max(axis=-1)
        return OfBatch(values.mean(axis=-1), least, most, np.zeros(least.shape, np.int64))
    count = finite.sum(axis=-1)
    zero = np.isneginf(values) if exists is None else np.isneginf(values) | ~exists
    nothing = np.where(zero.all(axis=-1), -np.inf, np.nan)
    some = count > 0
    mean = np.divide(np.where(finite, values, 0.0).sum(axis=-1), count, where=some, out=nothing.copy())
    least, most = (
        np.where(some, reduce(np.where(finite, values, without), axis=-1), nothing)
        for reduce, without in ((np.min, np.inf), (np.max, -np.inf))
    )
    return OfBatch(mean, least, most, values.shape[-1] - count)
