"""The curse of memory, measured: a unit that remembers long reacts violently to its weight, though nothing explodes.

    h_t = λ h_{t-1} + x_t          dh_T/dλ = Σ_t (∂h_T/∂h_t) h_{t-1}          x white, of variance 1

Each λ is a unit of a linear RNN with a diagonal U; ∂h_T/∂h_t is the engine's adjoint of a loss at the last step. The
formulas beside it are those of `theory` (Zucchet & Orvieto 2024, arXiv 2405.21064).

    curse_of_memory      as it stands
    normalised_memory    with its remedy: the input divided by the state's deviation, and λ = exp(-exp ν)
    curse_and_remedy     both beside each other
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab import engine
from gradlab.analyses.arguments import whole_number
from gradlab.analyses.theory import memory_sensitivity, memory_variance, normalised_sensitivity
from gradlab.engine import Cotangents, Progress, Sweep, checkpoint
from gradlab.engine.progress import part_of, silent
from gradlab.network.stack import Layer, Stack

CURSE_COLUMNS = ("eigenvalue", "quantity", "measured", "standard_error", "predicted")
BOTH_COLUMNS = ("parametrization", *CURSE_COLUMNS)
NAIVE, REMEDY = "as it stands", "normalised"
VARIANCE, SENSITIVITY, NORMALISED = "E h²", "E (dh/dλ)²", "E (dh/dν)²"
MEMORIES = 12  # lengths 1/(1 - |λ|) of the longest memory after which the state counts as stationary
AT_ONCE = 8  # sequences, at least
ROOM = 2**25  # bytes of those that go together
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
    h, slope = _samples(values, np.ones(len(values)), sequences, seed, progress)
    return _beside(values, ((VARIANCE, h, memory_variance), (SENSITIVITY, slope, memory_sensitivity)))


def normalised_memory(
    eigenvalues: Sequence[float], *, sequences: int = 400, seed: int = 0, progress: Progress | None = None
) -> pd.DataFrame:
    """E h² and E (dh/dν)² of h' = λ h + γ x by the engine, beside the formula: columns `CURSE_COLUMNS`, pure numbers.

    The remedy of the curse: γ = √(1 - λ²), which is held while λ = exp(-exp ν) moves. Arguments and errors as
    `curse_of_memory`; λ between 0 and 1.
    """
    values = np.asarray(eigenvalues, np.float64)
    if values.ndim != 1 or not len(values) or not ((values > 0) & (values < 1)).all():
        raise ValueError(
            f"eigenvalues = {eigenvalues!r} is not allowed: use numbers between 0 and 1, without these two"
        )
    h, slope = _samples(values, np.sqrt((1 - values) * (1 + values)), sequences, seed, progress)
    by_nu = slope * (values * np.log(values))  # dλ/dν
    return _beside(values, ((VARIANCE, h, lambda eigenvalue: 1.0), (NORMALISED, by_nu, normalised_sensitivity)))


def curse_and_remedy(
    eigenvalues: Sequence[float], *, sequences: int = 400, seed: int = 0, progress: Progress | None = None
) -> pd.DataFrame:
    """`curse_of_memory` and `normalised_memory` of each λ, over as many steps as that λ needs: columns `BOTH_COLUMNS`.

    parametrization   NAIVE, whose sensitivity is to λ; REMEDY, whose sensitivity is to ν
    """
    tables, report = [], progress or silent
    for number, value in enumerate(eigenvalues):
        for half, (name, measure) in enumerate(((NAIVE, curse_of_memory), (REMEDY, normalised_memory))):
            part = part_of(report, (number + half / 2) / len(eigenvalues), (number + (half + 1) / 2) / len(eigenvalues))
            rows = measure([value], sequences=sequences, seed=seed, progress=part)
            tables.append(rows.assign(parametrization=name))
    if not tables:
        raise ValueError("eigenvalues is empty: use one number between 0 and 1 at least")
    return pd.concat(tables, ignore_index=True)[list(BOTH_COLUMNS)]


def _samples(
    values: ndarray, strengths: ndarray, sequences: int, seed: int, progress: Progress | None
) -> tuple[ndarray, ndarray]:
    """h_T and dh_T/dλ of units h' = λ h + strength · x, each [sequences, H], over as many steps as they need."""
    sequences = whole_number("sequences", sequences, 2)
    steps = int(np.ceil(MEMORIES / (1 - np.abs(values).max())))
    if steps > MOST_STEPS:
        raise ValueError(
            f"eigenvalues = {values.tolist()!r} need {steps} steps to settle; at most {MOST_STEPS} are allowed: "
            "use values further from 1"
        )
    a_sequence = steps * np.dtype(np.float64).itemsize * 4 * len(values)
    at_once = max(AT_ONCE, min(sequences, ROOM // a_sequence))
    needed = at_once * a_sequence
    engine.refuse_too_large(needed, f"{len(values)} eigenvalues over {steps} steps", "the largest of eigenvalues")
    none = np.zeros(len(values))
    stack = Stack("rnn_linear", (Layer(strengths[:, None], np.diag(values), none, none),))
    random, report = np.random.default_rng(seed), progress or silent
    last, slopes = [], []
    for begin in range(0, sequences, at_once):
        checkpoint()
        h, slope = _last_and_slope(stack, random.standard_normal((steps, min(at_once, sequences - begin), 1)))
        last.append(h)
        slopes.append(slope)
        report(min(1.0, (begin + at_once) / sequences))
    return np.concatenate(last), np.concatenate(slopes)


def _beside(values: ndarray, measured: Iterable[tuple[str, ndarray, Callable[[float], float]]]) -> pd.DataFrame:
    """Mean squares of samples [sequences, H] beside their formula, one row per λ and quantity."""
    rows = []
    for quantity, samples, formula in measured:
        squares = samples**2
        errors = squares.std(axis=0, ddof=1) / np.sqrt(len(squares))
        rows += [
            (value, quantity, mean, error, formula(value))
            for value, mean, error in zip(values.tolist(), squares.mean(axis=0), errors, strict=True)
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
