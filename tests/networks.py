"""Networks, inputs and losses drawn for tests, and how far two gradients are apart."""

from typing import NamedTuple

import numpy as np
from numpy import ndarray

from gradlab.cells import CELLS
from gradlab.engine import times_power
from gradlab.network.stack import Layer, Stack


class Case(NamedTuple):
    """A stack with everything it is run on."""

    stack: Stack
    inputs: ndarray  # [T, B, X]
    cotangents: ndarray  # [T, B, H]
    initial_state: tuple[ndarray, ...]  # one [L, B, H] a state, or none


def drawn_stack(cell, depth, H, X, random, dtype="float64", gain=1.0) -> Stack:
    """Weights U(-1/√H, 1/√H), the recurrent ones times the gain."""
    rows = len(CELLS[cell].pre_activations) * H

    def uniform(*shape):
        return (random.uniform(-1, 1, shape) / np.sqrt(H)).astype(dtype)

    layers = [
        Layer(uniform(rows, H if number else X), gain * uniform(rows, H), uniform(rows), uniform(rows))
        for number in range(depth)
    ]
    return Stack(cell, tuple(layers))


def drawn_case(cell, depth=1, H=8, X=3, T=20, B=2, seed=0, dtype="float64", gain=1.0, initial=True, losses=3) -> Case:
    """A drawn stack, N(0, 1) inputs, and a loss at `losses` random steps of random sequences."""
    random = np.random.default_rng(seed)
    stack = drawn_stack(cell, depth, H, X, random, dtype, gain)
    inputs = random.standard_normal((T, B, X)).astype(dtype)
    cotangents = np.zeros((T, B, H), dtype)
    for step, sequence in zip(random.integers(0, T, losses), random.integers(0, B, losses), strict=True):
        cotangents[step, sequence] = random.standard_normal(H)
    cotangents[random.integers(T)] += random.standard_normal((B, H)).astype(dtype)  # every sequence has a loss
    state = [(0.5 * random.standard_normal((depth, B, H))).astype(dtype) for _ in CELLS[cell].states]
    return Case(stack, inputs, cotangents, tuple(state) if initial else ())


def totals_of(swept) -> ndarray:
    """The total ∂L/∂s_t of a sweep that kept them, [L, T, N, S, H]."""
    return np.stack([times_power(part.totals.astype(np.float64), part.exponents) for part in swept.adjoints])


def relative_error(found: ndarray, exact: ndarray) -> float:
    """The largest ‖found − exact‖ / ‖exact‖ over vectors along the last axis; zeros must be found as zeros."""
    size = np.linalg.norm(exact, axis=-1)
    distance = np.linalg.norm(found - exact, axis=-1)
    return float(
        np.where(size == 0, np.where(distance == 0, 0.0, np.inf), distance / np.where(size == 0, 1, size)).max()
    )


def log10_norms(vectors: ndarray) -> ndarray:
    """log10 of the norms along the last axis, also where squares leave the floating-point range; -inf for zeros."""
    largest = np.abs(vectors).max(axis=-1, keepdims=True)
    with np.errstate(divide="ignore"):
        scale = np.where(largest == 0, 1, largest)
        return np.log10(np.linalg.norm(vectors / scale, axis=-1)) + np.log10(scale[..., 0])


def over_finite(values: ndarray, of=np.mean) -> ndarray:
    """A mean, minimum or maximum over the finite values of the last axis; where there are none, -inf if all of them are
    exact zeros, else NaN."""
    rows = values.reshape(-1, values.shape[-1])
    found = [
        of(row[np.isfinite(row)]) if np.isfinite(row).any() else (-np.inf if np.isneginf(row).all() else np.nan)
        for row in rows
    ]
    return np.array(found).reshape(values.shape[:-1])
