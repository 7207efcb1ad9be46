"""What hides in norms: gradients that cancel over the batch, and units that lie at the kink of a ReLU."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from gradlab.analyses.problem import Problem

RECTIFIED = "rnn_relu"  # the cell whose activation has a kink


def cancels(problem: Problem) -> bool:
    """Whether the parameters' gradient is exactly zero because sequences of the same input get opposite gradients.

    So it is where what the loss injects at every step sums to zero, to rounding, over the sequences that read the same.
    """
    loss, B = problem.loss, problem.size.sequences
    if B < 2 or not len(loss.at):
        return False
    first = [problem.inputs[0, b].tobytes() for b in np.unique(loss.at)]  # of sequences in which a loss enters
    if any(first.count(own) == 1 for own in set(first)):  # mostly: noise, text
        return False
    episodes = () if problem.episodes is None else (problem.episodes.resets, problem.episodes.lengths[None])
    of_rows = (problem.inputs, *problem.initial_state, *episodes)
    rows = [tuple(array[:, b] for array in of_rows) for b in range(B)]
    keys = [b"".join(np.ascontiguousarray(part).tobytes() for part in row) for row in rows]
    group = np.unique(np.array(keys, object), return_inverse=True)[1].reshape(-1)
    places, where = np.unique(loss.steps * B + group[loss.at], return_inverse=True)
    if loss.final is not None:
        of_groups = np.zeros((group.max() + 1, *np.moveaxis(loss.final, 1, 0).shape[1:]))
        np.add.at(of_groups, group, np.moveaxis(loss.final, 1, 0).astype(np.float64))
        if np.abs(of_groups).max() > 8 * np.finfo(loss.final.dtype).eps * np.abs(loss.final).max():
            return False
    sums = np.zeros((len(places), loss.values.shape[1]))
    np.add.at(sums, where.reshape(-1), loss.values.astype(np.float64))
    rounding = 8 * np.finfo(loss.values.dtype).eps
    return bool(np.abs(sums).max() <= rounding * np.abs(loss.values).max())


def at_kink(problem: Problem) -> float:
    """The share of a ReLU's pre-activations, over units, steps, sequences and layers, that are exactly 0.

    There the derivative jumps, and is taken as 0. Exact zeros come about where nothing is added up, so only units
    without a bias are looked at, and inputs that are zero somewhere.
    """
    if problem.cell != RECTIFIED:
        return 0.0
    layers, inputs = problem.stack.layers, problem.inputs
    if not any((layer.b_W + layer.b_U == 0).any() for layer in layers):
        return 0.0
    if len(layers) == 1 and layers[0].W.any() and inputs.any(axis=2).all():
        return 0.0
    T, B, _ = inputs.shape
    start = problem.initial_state[0] if problem.initial_state else np.zeros((len(layers), B, problem.size.hidden_size))
    states, zeros = list(start.astype(np.float64)), 0
    counted = np.ones((T, B), bool)
    if problem.episodes is not None:
        counted = np.arange(T)[:, None] < problem.episodes.lengths
    with np.errstate(over="ignore", invalid="ignore"):
        for t, x in enumerate(inputs):
            if problem.episodes is not None:
                for state in states:
                    state[problem.episodes.begins(t)] = 0
            below: ndarray = x.astype(np.float64)
            for number, layer in enumerate(layers):
                a = below @ layer.W.T + layer.b_W + states[number] @ layer.U.T + layer.b_U
                zeros += int((a[counted[t]] == 0).sum())
                below = states[number] = np.maximum(a, 0)
    return zeros / (int(counted.sum()) * len(layers) * problem.size.hidden_size)
