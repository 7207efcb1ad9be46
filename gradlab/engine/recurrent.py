"""Recurrent: a stack as a torch module, run and differentiated by the engine.

It takes the place of `nn.RNN`, `nn.LSTM` or `nn.GRU` in a training loop: the same names and shapes of parameters, the
same results, and the gradients of one compiled sweep instead of a graph of T nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from gradlab.cells import CELLS
from gradlab.engine.plan import Size, plan
from gradlab.engine.progress import Progress
from gradlab.engine.records import Cotangents, Swept
from gradlab.engine.slices import cotangents_of_slice, in_threads, joined, slices_of
from gradlab.engine.sweep import Sweep
from gradlab.network.stack import PYTORCH_NAMES, Layer, Stack


class _Run(torch.autograd.Function):
    """(cell, depth, inputs, parameters, initial states) -> (top layer's h [T, B, H], last states [L, B, S, H])."""

    @staticmethod
    def forward(ctx, cell: str, depth: int, inputs: Tensor, *tensors: Tensor):
        ctx.save_for_backward(inputs)  # torch then notices changes, and a second use of what is gone
        arrays = [tensor.detach().numpy() for tensor in tensors]
        layers = tuple(Layer(*arrays[4 * layer : 4 * layer + 4]) for layer in range(depth))
        stack, states = Stack(cell, layers), tuple(arrays[4 * depth :])
        x = np.ascontiguousarray(inputs.detach().numpy())
        T, B, X = x.shape
        size = Size(cell, depth, stack.hidden_size, X, T, B, B, stack.dtype.name)
        ctx.slices = slices_of(plan(size).multiply_adds, B)

        def run(number: int, progress: Progress) -> Sweep:
            own = ctx.slices[number]
            sweep = Sweep(stack, x[:, own], tuple(state[:, own] for state in states), parts=len(ctx.slices))
            sweep.forward(progress)
            return sweep

        ctx.sweeps = in_threads(run, len(ctx.slices))
        h = np.concatenate([sweep.top_h() for sweep in ctx.sweeps], axis=1)
        last = np.concatenate([sweep.last_states for sweep in ctx.sweeps], axis=1)
        ctx.wants_inputs, ctx.depth, ctx.given_states = ctx.needs_input_grad[2], depth, len(states)
        return torch.from_numpy(h), torch.from_numpy(last)

    @staticmethod
    def backward(ctx, h_bar: Tensor, last_bar: Tensor):
        again = torch.is_grad_enabled()  # create_graph: these gradients may be differentiated themselves
        with torch.no_grad():
            gradients = _Run._gradients(ctx, h_bar.detach(), last_bar.detach())
        return tuple(_Once.apply(part.requires_grad_()) if again and part is not None else part for part in gradients)

    @staticmethod
    def _gradients(ctx, h_bar: Tensor, last_bar: Tensor) -> tuple[Tensor | None, ...]:
        try:
            _ = ctx.saved_tensors  # raises for a graph that was freed, or inputs changed since
        except RuntimeError as error:
            if "second time" not in str(error):
                raise
            raise RuntimeError(
                "this part of the graph was differentiated before, and trying it a second time needs what is freed by "
                "then. A state that is kept from the window before still has that window's graph: detach it, "
                "state.detach(), for (h, c) both. Two losses of one graph need retain_graph=True in the first backward"
            ) from error
        T, B, H = h_bar.shape
        steps, at = np.divmod(np.arange(T * B), B)
        values = np.ascontiguousarray(h_bar.numpy()).reshape(T * B, H)
        cotangents = Cotangents(steps, at, values, B, last_bar.numpy())

        def run(number: int, progress: Progress) -> Swept:
            part = cotangents_of_slice(cotangents, ctx.slices[number], B)
            sweep = ctx.sweeps[number]
            return sweep.adjoint(part, with_parameters=True, with_inputs=ctx.wants_inputs, progress=progress)

        swept = joined(in_threads(run, len(ctx.slices)))
        parameters = [torch.from_numpy(part) for layer in swept.parameters_bar for part in layer]
        states = [torch.from_numpy(swept.initial_bar[:, :, kind].copy()) for kind in range(ctx.given_states)]
        inputs = torch.from_numpy(swept.inputs_bar) if ctx.wants_inputs else None
        return None, None, inputs, *parameters, *states


class _Once(torch.autograd.Function):
    """A gradient that cannot be differentiated again, and says so instead of counting as a constant."""

    @staticmethod
    def forward(ctx, gradient: Tensor) -> Tensor:
        return gradient.clone()

    @staticmethod
    def backward(ctx, *_):
        raise RuntimeError(
            "gradlab.recurrent.Recurrent is differentiated once: a second derivative, as of a gradient penalty "
            "(create_graph=True), is not there. Use torch's own nn.RNN, nn.LSTM or nn.GRU with these weights "
            "(load_state_dict): the names are the same"
        )


class Parameters(NamedTuple):
    """A `Layer` of parameters."""

    W: Tensor  # [G·H, X]
    U: Tensor  # [G·H, H]
    b_W: Tensor  # [G·H]
    b_U: Tensor  # [G·H]


class Recurrent(nn.Module):
    """A stack with trainable weights, named as PyTorch names them (`weight_ih_l0`, …).

    forward(inputs [T, B, X], initial_state=None) -> (h [T, B, H], state), state being h or (h, c), each [L, B, H].
    It can be differentiated once, on the CPU: a second derivative raises RuntimeError. A backward pass may be repeated
    (`retain_graph`) and costs one adjoint.
    """

    def __init__(self, stack: Stack):
        super().__init__()
        self.cell = stack.cell
        self.depth = stack.depth
        for number, layer in enumerate(stack.layers):
            for name, array in layer._asdict().items():
                parameter = nn.Parameter(torch.from_numpy(array.copy()))
                self.register_parameter(f"{PYTORCH_NAMES[name]}_l{number}", parameter)

    @property
    def layers(self) -> list[Parameters]:
        """The parameters of each layer."""
        return [
            Parameters(*(getattr(self, f"{PYTORCH_NAMES[name]}_l{number}") for name in Layer._fields))
            for number in range(self.depth)
        ]

    @property
    def stack(self) -> Stack:
        """A copy of the present weights."""
        arrays = ((part.detach().numpy().copy() for part in layer) for layer in self.layers)
        return Stack(self.cell, tuple(Layer(*layer) for layer in arrays))

    def forward(self, inputs: Tensor, initial_state: Tensor | Sequence[Tensor] | None = None):
        states = () if initial_state is None else initial_state
        states = (states,) if isinstance(states, Tensor) else tuple(states)
        names = CELLS[self.cell].states
        dtype = self.layers[0].U.dtype
        X = self.layers[0].W.shape[1]
        if inputs.ndim != 3 or inputs.shape[2] != X or inputs.dtype != dtype or not inputs.numel():
            wanted = f"[T, B, {X}] in {dtype}"
            raise ValueError(f"inputs has shape {list(inputs.shape)} in {inputs.dtype}: {wanted} is needed")
        if len(states) not in (0, len(names)):
            raise ValueError(f"initial_state has {len(states)} parts: {self.cell} needs {len(names)}, {names}")
        shape = (self.depth, inputs.shape[1], self.layers[0].U.shape[1])
        for name, state in zip(names, states, strict=False):
            if state.shape != shape or state.dtype != dtype:
                got = f"shape {list(state.shape)} in {state.dtype}"
                raise ValueError(f"initial_state {name} has {got}: {list(shape)} in {dtype} is needed")
        flat = [part for layer in self.layers for part in layer]
        h, last = _Run.apply(self.cell, self.depth, inputs, *flat, *states)
        last_states = tuple(last[:, :, kind] for kind in range(len(names)))
        return h, last_states if len(names) > 1 else last_states[0]
