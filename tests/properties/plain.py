"""State gradients by a second, plain route: torch's vector-Jacobian product of one step after the other, rescaled.

It shares the cells' `step` with the engine and nothing else: no adjoint of ours, no kernel, no chunk, no table. Torch's
slopes of tanh and σ, made of their values, lose all digits in saturation, so they are written out here.
"""

import math

import numpy as np
import torch

from gradlab.cells import CELLS


class _Tanh(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.tanh(x)

    @staticmethod
    def backward(ctx, bar):
        (x,) = ctx.saved_tensors
        return bar / torch.cosh(x) ** 2


class _Sigmoid(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.sigmoid(x)

    @staticmethod
    def backward(ctx, bar):
        (x,) = ctx.saved_tensors
        return bar / (4 * torch.cosh(x / 2) ** 2)


class Saturating(torch.Tensor):
    """Numbers whose tanh and σ keep the digits of their slopes."""

    def tanh(self):
        return _Tanh.apply(self.as_subclass(torch.Tensor)).as_subclass(Saturating)

    def sigmoid(self):
        return _Sigmoid.apply(self.as_subclass(torch.Tensor)).as_subclass(Saturating)


def plain_norms(stack, inputs, cotangents):
    """log10 ‖∂L/∂s_t‖, [L, T, B, S]; inputs [T, B, X], cotangents [T, B, H] at the top layer's h; -inf exactly zero."""
    cell, H, (T, B, _) = CELLS[stack.cell], stack.hidden_size, inputs.shape
    layers = [[torch.tensor(np.asarray(part, np.float64)) for part in layer] for layer in stack.layers]
    x = torch.tensor(np.asarray(inputs, np.float64)).as_subclass(Saturating)
    entering = torch.tensor(np.asarray(cotangents, np.float64))
    kinds = len(cell.states)
    states = [[torch.zeros(stack.depth, B, H, dtype=torch.float64) for _ in range(kinds)]]

    def step(t, before):
        """(the states after a step as nodes of a graph, layer by layer) from those before it."""
        below, nodes = x[t], []
        for layer, (W, U, b_W, b_U) in enumerate(layers):
            old = cell.record(*(kind[layer] for kind in before))
            a_x, a_h = below @ W.T + b_W, old.h @ U.T + b_U
            new, _ = cell.step(a_x.split(H, dim=1), a_h.split(H, dim=1), old)
            nodes.append(list(new))
            below = new.h
        return nodes

    with torch.no_grad():
        for t in range(T):
            nodes = step(t, states[-1])
            states.append([torch.stack([layer[kind] for layer in nodes]) for kind in range(kinds)])
    carry = [torch.zeros(stack.depth, B, H, dtype=torch.float64) for _ in range(kinds)]
    exponents = np.zeros(B)  # the carry is times 2^exponents, one for each sequence
    norms = np.full((stack.depth, T, B, kinds), -np.inf)
    for t in reversed(range(T)):
        before = [value.clone().requires_grad_() for value in states[t]]
        nodes = step(t, before)
        flat = [node for layer in nodes for node in layer]
        arriving = [carry[kind][layer].clone() for layer in range(stack.depth) for kind in range(kinds)]
        with np.errstate(over="ignore"):
            arriving[(stack.depth - 1) * kinds] += entering[t] * torch.tensor(np.exp2(-exponents))[:, None]
        wanted = [*before, *flat]
        found = torch.autograd.grad(flat, wanted, arriving, allow_unused=True)
        back, totals = found[:kinds], found[kinds:]
        for place, total in enumerate(totals):
            size = torch.linalg.vector_norm(total, dim=1).numpy()
            with np.errstate(divide="ignore"):
                norms[place // kinds, t, :, place % kinds] = np.log10(size) + exponents * math.log10(2)
        carry = [torch.zeros_like(old) if part is None else part for old, part in zip(before, back, strict=True)]
        largest = torch.stack([part.abs().amax(dim=(0, 2)) for part in carry]).amax(dim=0).numpy()
        shift = np.where(largest > 0, np.frexp(largest)[1], 0)
        carry = [part * torch.tensor(np.exp2(-shift.astype(float)))[None, :, None] for part in carry]
        exponents = exponents + shift
    return norms


def of_experiment(e):
    """(norms of all losses together, of the last loss alone, steps of the loss) of an Experiment."""
    stack, inputs = e.network(), e.sequence()
    loss = e.injected(stack, inputs)
    dense = np.zeros((e.steps, e.batch_size, e.hidden_size))
    dense[loss.steps, loss.at] = loss.values
    last = np.zeros_like(dense)
    for b in range(e.batch_size):
        at = np.flatnonzero(dense[:, b].any(axis=1))
        if len(at):
            last[at[-1], b] = dense[at[-1], b]
    return plain_norms(stack, inputs, dense), plain_norms(stack, inputs, last), dense
