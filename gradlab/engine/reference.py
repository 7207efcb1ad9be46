"""The same gradients by other means: torch's autograd over an unrolled loop, and finite differences.

Both share the cells' `step` with the engine, and nothing else. Slow and plain on purpose: the tests and the app's check
hold the engine against them. Beyond float64's range their norms are 0 or infinite, as autograd's are.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from gradlab.cells import CELLS
from gradlab.cells.states import STATES


class Nudge(NamedTuple):
    """A small change put in at one step of one layer: into the pre-activation a^x_t, or into h_t after the step."""

    layer: int
    step: int
    into: str  # "a_x" | "h"
    direction: ndarray  # [B, G·H] or [B, H]


def unroll(stack, inputs: ndarray, initial_state: Sequence[ndarray] = (), nudge: Nudge | None = None,
           size: float = 0.0) -> Iterator[list]:  # fmt: skip
    """Runs the stack in float64 and yields, at every step, the new states of all layers.

    inputs [T, B, X]; initial_state one [L, B, H] a state, or none for zeros, as arrays or tensors
    """
    cell, H = CELLS[stack.cell], stack.hidden_size
    record = STATES[cell.states]
    layers = [[torch.from_numpy(np.array(part, np.float64)) for part in layer] for layer in stack.layers]
    x_all = torch.from_numpy(np.array(inputs, np.float64))
    zeros = [torch.zeros(stack.depth, x_all.shape[1], H, dtype=torch.float64)] * len(cell.states)
    given = [torch.as_tensor(value, dtype=torch.float64) for value in initial_state] or zeros
    states = [record(*(value[layer] for value in given)) for layer in range(stack.depth)]
    for t, x in enumerate(x_all):
        for layer, (W, U, b_W, b_U) in enumerate(layers):
            here = nudge if nudge is not None and (nudge.layer, nudge.step) == (layer, t) else None
            change = None if here is None else size * torch.as_tensor(here.direction, dtype=torch.float64)
            a_x = x @ W.T + b_W
            if here is not None and here.into == "a_x":
                a_x = a_x + change
            a_h = states[layer].h @ U.T + b_U
            states[layer], _ = cell.step(a_x.split(H, dim=1), a_h.split(H, dim=1), states[layer])
            if here is not None and here.into == "h":
                states[layer] = states[layer]._replace(h=states[layer].h + change)
            x = states[layer].h
        yield list(states)


def autograd(stack, inputs: ndarray, cotangents: ndarray, initial_state: Sequence[ndarray] = ()) -> ndarray:
    """∂L/∂s_t of every layer and step by autograd, in float64, [L, T, B, S, H].

    inputs [T, B, X], cotangents [T, B, H] dense, initial_state one [L, B, H] a state or none
    """
    shape = (stack.depth, inputs.shape[1], stack.hidden_size)
    kinds = len(CELLS[stack.cell].states)
    given = [np.array(value, np.float64) for value in initial_state] or [np.zeros(shape)] * kinds
    start = [torch.tensor(value, requires_grad=True) for value in given]  # a graph even where no weight asks for one
    history: list[list] = []
    loss: Tensor | float = 0.0
    for states, weight in zip(unroll(stack, inputs, start), np.array(cotangents, np.float64), strict=True):
        for state in states:
            for value in state:
                value.retain_grad()
        history.append(states)
        loss = loss + (torch.from_numpy(weight) * states[-1].h).sum()
    loss.backward()
    gradients = np.zeros((stack.depth, len(history), shape[1], kinds, shape[2]))
    for t, states in enumerate(history):
        for layer, state in enumerate(states):
            for kind, value in enumerate(state):
                if value.grad is not None:  # none reaches a state behind the last loss
                    gradients[layer, t, :, kind] = value.grad.numpy()
    return gradients


def finite_difference(stack, inputs: ndarray, cotangents: ndarray, nudge: Nudge, size: float = 1e-3) -> float:
    """The loss's derivative along a nudge by central differences at two sizes, extrapolated (Richardson 1911).

    The error is of order size^4, and of rounding / size.
    """

    def loss(size: float) -> float:
        with torch.no_grad():
            steps = zip(unroll(stack, inputs, nudge=nudge, size=size), np.array(cotangents, np.float64), strict=True)
            return float(sum((torch.from_numpy(weight) * states[-1].h).sum() for states, weight in steps))

    wide = (loss(size) - loss(-size)) / (2 * size)
    narrow = (loss(size / 2) - loss(-size / 2)) / size
    return (4 * narrow - wide) / 3
