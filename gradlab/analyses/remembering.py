"""The curse of memory, measured: a unit that remembers long reacts violently to its weight, though nothing explodes.

    h_t = λ h_{t-1} + x_t          dh_T/dλ = Σ_t (∂h_T/∂h_t) h_{t-1}          x white, of variance 1

Each λ is a unit of a linear RNN with a diagonal U; ∂h_T/∂h_t is the engine's adjoint of a loss at the last step. The
formulas beside it are those of `theory` (Zucchet & Orvieto 2024, arXiv 2405.21064).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab import engine
from gradlab.analyses.arguments import whole_number
from gradlab.analyses.theory import memory_sensitivity, memory_variance
from gradlab.engine import Cotangents, Progress, Sweep, checkpoint
from gradlab.engine.progress import silent
from gradlab.network.stack import Layer, Stack

CURSE_COLUMNS = ("eigenvalue", "quantity", "measured", "standard_error", "predicted")
VARIANCE, SENSITIVITY = "E h²", "E (dh/dλ)²"
MEMORIES = 12  # lengths 1/(1 - |λ|) of the longest memory after which the state counts as stationary
AT_ONCE = 8  # sequences
MOST_STEPS = 1_000_000


def curse_of_memory(
    eigenvalues: Sequence[float], *, sequences: int = 400, seed: int = 0, progress: Progress | None = None
) -> pd.DataFrame:
    """E h² and E (dh/dλ)² of each λ by the engine, beside the formula: columns `CURSE_COLUMNS`, pure numbers.

    eigenvalues       λ, between -1 and 1
    sequences         over which the means are taken; standard_error is theirs
    Raises ValueError for other values, and for λ so near ±1 that the state takes more than a million steps to settle.
    """
    values = np.asarray(eigenvalues, np.float64)
    if values.ndim != 1 or not len(values) or not (np.abs(values) < 1).all():
        raise ValueError(
            f"eigenvalues = {eigenvalues!r} is not allowed: use numbers between -1 and 1, without these two"
        )
    sequences = whole_number("sequences", sequences, 2)
    steps = int(np.ceil(MEMORIES / (1 - np.abs(values).max())))
    if steps > MOST_STEPS:
        raise ValueError(
            f"eigenvalues = {eigenvalues!r} need {steps} steps to settle; at most {MOST_STEPS} are allowed: "
            "use values further from 1"
        )
    item = np.dtype(np.float64).itemsize
    needed = steps * AT_ONCE * item * 4 * len(values)
    engine.refuse_too_large(needed, f"{len(values)} eigenvalues over {steps} steps", "the largest of eigenvalues")
    H, none = len(values), np.zeros(len(values))
    stack = Stack("rnn_linear", (Layer(np.ones((H, 1)), np.diag(values), none, none),))
    random, report = np.random.default_rng(seed), progress or silent
    last, slopes = [], []
    for begin in range(0, sequences, AT_ONCE):
        checkpoint()
        h, slope = _last_and_slope(stack, random.standard_normal((steps, min(AT_ONCE, sequences - begin), 1)))
        last.append(h)
        slopes.append(slope)
        report(min(1.0, (begin + AT_ONCE) / sequences))
    rows = []
    for quantity, samples, formula in (
        (VARIANCE, np.concatenate(last) ** 2, memory_variance),
        (SENSITIVITY, np.concatenate(slopes) ** 2, memory_sensitivity),
    ):
        errors = samples.std(axis=0, ddof=1) / np.sqrt(sequences)
        rows += [
            (value, quantity, mean, error, formula(value))
            for value, mean, error in zip(values.tolist(), samples.mean(axis=0), errors, strict=True)
        ]
    return pd.DataFrame(rows, columns=list(CURSE_COLUMNS))


def _last_and_slope(stack: Stack, inputs: ndarray) -> tuple[ndarray, ndarray]:
    """h_T and dh_T/dλ of every unit, each [B, H]."""
    T, B, _ = inputs.shape
    sweep = Sweep(stack, inputs)
    sweep.forward()
    h = sweep.top_h()  # [T, B, H]
    at_the_end = Cotangents(np.full(B, T - 1), np.arange(B), np.ones((B, stack.hidden_size)), B)
    (layer,) = sweep.adjoint(at_the_end, keep=("totals",)).adjoints
    sweep.close()
    totals = engine.times_power(layer.totals, layer.exponents)[:, :, 0]  # ∂h_T/∂h_t
    return h[-1], np.einsum("tbh,tbh->bh", totals[1:], h[:-1])
