"""The same gradients by other means: torch's autograd over an unrolled loop, and finite differences.

Both share the cells' `step` with the engine, and nothing else. Slow and plain on purpose: the tests and the app's check
hold the engine against them. Beyond float64's range their norms are 0 or infinite, as autograd's are.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from gradlab.cells import CELLS
from gradlab.network.stack import Stack


class Nudge(NamedTuple):
    """A small change added at one step of one layer: to the pre-activation a^x_t, or to h_t after the step."""

    layer: int
    step: int
    into: str  # "a_x" | "h"
    direction: ndarray  # [B, G·H] or [B, H]


class _Tanh(torch.autograd.Function):
    """tanh, or by σ and rounded to a dtype; its slope from the argument, since 1 - tanh² loses its digits near ±1."""

    @staticmethod
    def forward(ctx, x: Tensor, dtype: torch.dtype | None) -> Tensor:
        ctx.save_for_backward(x)
        ctx.dtype = dtype
        return torch.tanh(x) if dtype is None else _rounded(2 * torch.sigmoid(2 * x) - 1, dtype)

    @staticmethod
    def backward(ctx, y_bar: Tensor):
        (x,) = ctx.saved_tensors
        return y_bar * _rounded(4 * torch.sigmoid(2 * x) * torch.sigmoid(-2 * x), ctx.dtype), None


class _Sigmoid(torch.autograd.Function):
    """σ, or by its own ratio and rounded to a dtype, likewise."""

    @staticmethod
    def forward(ctx, x: Tensor, dtype: torch.dtype | None) -> Tensor:
        ctx.save_for_backward(x)
        ctx.dtype = dtype
        return torch.sigmoid(x) if dtype is None else _rounded(1 / (1 + torch.exp(-x)), dtype)

    @staticmethod
    def backward(ctx, y_bar: Tensor):
        (x,) = ctx.saved_tensors
        return y_bar * _rounded(torch.sigmoid(x) * torch.sigmoid(-x), ctx.dtype), None


def _rounded(x: Tensor, dtype: torch.dtype | None) -> Tensor:
    return x if dtype is None else x.to(dtype).to(x.dtype)


class _Exact(Tensor):
    """Numbers on which σ and tanh have slopes of full precision, also in saturation."""

    own: torch.dtype | None = None

    def sigmoid(self):
        return _Sigmoid.apply(self.as_subclass(Tensor), self.own).as_subclass(type(self))

    def tanh(self):
        return _Tanh.apply(self.as_subclass(Tensor), self.own).as_subclass(type(self))


class _RoundedDouble(_Exact):
    """The same computed in another way: equal, but for the rounding of values and slopes."""

    own = torch.float64


class _RoundedSingle(_Exact):
    """The same, with values and slopes rounded to float32; all else stays float64, so that nothing underflows."""

    own = torch.float32


_NUMBERS = {None: _Exact, "float64": _RoundedDouble, "float32": _RoundedSingle}


def _nothing() -> None:
    """The `after_step` of a run that nobody watches."""


def unroll(stack: Stack, inputs: ndarray, initial_state: Sequence[ndarray | Tensor] = (), nudge: Nudge | None = None,
           size: float = 0.0, rounded: str | None = None) -> Iterator[list]:  # fmt: skip
    """Runs the stack in float64 and yields, at every step, the new states of all layers.

    inputs [T, B, X]; initial_state one [L, B, H] per state, or none for zeros, as arrays or tensors;
    rounded: a dtype as which σ and tanh are rounded, in another way than otherwise, to see what rounding does
    """
    cell, H = CELLS[stack.cell], stack.hidden_size
    record = cell.record
    layers = [[torch.from_numpy(np.array(part, np.float64)) for part in layer] for layer in stack.layers]
    x_all = torch.from_numpy(np.array(inputs, np.float64)).as_subclass(_NUMBERS[rounded])
    zeros = [torch.zeros(stack.depth, x_all.shape[1], H, dtype=torch.float64)] * len(cell.states)
    starts = [torch.as_tensor(value, dtype=torch.float64) for value in initial_state] or zeros
    states = [record(*(value[layer] for value in starts)) for layer in range(stack.depth)]
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


def autograd(stack: Stack, inputs: ndarray, cotangents: ndarray, initial_state: Sequence[ndarray] = (),
             rounded: str | None = None, after_step: Callable[[], None] = _nothing) -> ndarray:  # fmt: skip
    """∂L/∂s_t of every layer and step by autograd, in float64, [L, T, B, S, H].

    inputs [T, B, X], cotangents [T, B, H] dense, initial_state one [L, B, H] per state or none; rounded: see `unroll`;
    after_step: called after every step, and again where its gradient comes back; an exception it raises aborts
    """
    shape = (stack.depth, inputs.shape[1], stack.hidden_size)
    kinds = len(CELLS[stack.cell].states)
    starts = [np.array(value, np.float64) for value in initial_state] or [np.zeros(shape)] * kinds
    start = [torch.tensor(value, requires_grad=True) for value in starts]  # a graph even where no weight asks for one
    history: list[list] = []
    loss = torch.zeros((), dtype=torch.float64)
    steps = unroll(stack, inputs, start, rounded=rounded)
    for states, weight in zip(steps, np.array(cotangents, np.float64), strict=True):
        for state in states:
            for value in state:
                value.retain_grad()
        states[0].h.register_hook(lambda _: after_step())
        history.append(states)
        after_step()
        loss = loss + (torch.from_numpy(weight) * states[-1].h).sum()
    loss.backward()
    gradients = np.zeros((stack.depth, len(history), shape[1], kinds, shape[2]))
    for t, states in enumerate(history):
        for layer, state in enumerate(states):
            for kind, value in enumerate(state):
                if value.grad is not None:  # none reaches a state behind the last loss
                    gradients[layer, t, :, kind] = value.grad.numpy()
    return gradients


SIZES = (1e-3, 1e-5, 1e-7)  # of the nudges tried for one finite difference
DIFFERENCE_RUNS = 2  # of the network for it: all sizes beside each other, and the best of them once more


class Difference(NamedTuple):
    """A derivative by finite differences, and how far it can be off."""

    value: float
    error: float


def finite_difference(stack: Stack, inputs: ndarray, cotangents: ndarray, nudge: Nudge,
                      sizes: Sequence[float] = SIZES, initial_state: Sequence[ndarray] = (),
                      after_step: Callable[[], None] = _nothing) -> Difference:  # fmt: skip
    """The loss's derivative along a nudge by central differences, extrapolated to size 0 (Richardson 1911).

    Each size is halved; the size that moves least by it is used (after Ridders 1982). Steep networks need small sizes,
    flat ones large sizes. The stated error is what halving moves, what computing σ and tanh in another way does, and
    the rounding of the loss.

    after_step: called after every step of every run, of which there are `DIFFERENCE_RUNS`; an exception it raises
    aborts
    """
    weights = torch.from_numpy(np.array(cotangents, np.float64))

    def losses(changes: ndarray, rounded: str | None) -> tuple[Tensor, Tensor]:
        """The loss for each size and sign of the nudge, and the sum of its terms' magnitudes: a run of copies."""
        copies = len(changes)
        beside = nudge._replace(direction=np.concatenate([change * nudge.direction for change in changes]))
        wide = [np.tile(values, (1, copies, 1)) for values in (inputs, *initial_state)]
        with torch.no_grad():
            steps = unroll(stack, wide[0], wide[1:], nudge=beside, size=1.0, rounded=rounded)
            loss, magnitude = torch.zeros(2, copies, dtype=torch.float64)
            for states, weight in zip(steps, weights, strict=True):
                terms = weight * states[-1].h.as_subclass(Tensor).reshape(copies, *weight.shape)
                loss, magnitude = loss + terms.sum((1, 2)), magnitude + terms.abs().sum((1, 2))
                after_step()
            return loss, magnitude

    def extrapolated(sizes: ndarray, rounded: str | None = None) -> list[Difference]:
        """The quotients taken to size 0 by each size and its half, and how far halving and rounding put them off."""
        tried = np.stack([sizes, sizes / 2])
        loss, magnitude = losses(np.concatenate([tried, -tried], axis=None), rounded)
        above, below = loss.numpy().reshape(2, *tried.shape)
        with np.errstate(invalid="ignore"):  # of losses that overflow
            wide, narrow = (above - below) / (2 * tried)
            rounding = 2 * np.finfo(np.float64).eps * magnitude.numpy().reshape(2, *tried.shape)[0, 1] / tried[1]
            values = (4 * narrow - wide) / 3
            errors = abs(values - narrow) + 2 * rounding
        return [Difference(float(value), float(error)) for value, error in zip(values, errors, strict=True)]

    tried = np.array(sizes, np.float64)
    found = extrapolated(tried)
    best = min(range(len(sizes)), key=lambda i: found[i].error)
    (again,) = extrapolated(tried[best : best + 1], "float64")
    return Difference(found[best].value, found[best].error + 2 * abs(found[best].value - again.value))
