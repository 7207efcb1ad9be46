"""An oracle without the engine: a recurrent module of torch, step by step, whose states keep autograd's gradients."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence


class Unrolled(nn.Module):
    """The same weights as an nn.RNN, nn.LSTM or nn.GRU, called in the same way, also with packed sequences.

    states[call][direction and layer][state][t] is the state after step t, [B, H], with its gradient. Of the reverse
    direction too, t is the step of the sequence that was read.
    """

    def __init__(self, module: nn.RNNBase):
        super().__init__()
        self.module, self.calls = module, []

    def forward(self, inputs, given=None):
        m = self.module
        lengths, is_packed = None, isinstance(inputs, PackedSequence)
        if is_packed:
            inputs, lengths = pad_packed_sequence(inputs)
        elif m.batch_first:
            inputs = inputs.transpose(0, 1)
        T, B, _ = inputs.shape
        lengths = torch.full((B,), T) if lengths is None else lengths
        directions = 2 if m.bidirectional else 1
        names = ("h", "c") if m.mode == "LSTM" else ("h",)
        if given is None:
            sizes = [m.proj_size or m.hidden_size, m.hidden_size]
            given = [
                inputs.new_zeros(m.num_layers * directions, B, size) for _, size in zip(names, sizes, strict=False)
            ]
        given = list(given) if isinstance(given, tuple | list) else [given]
        below, last, of_call = inputs, [[] for _ in names], []
        for layer in range(m.num_layers):
            outputs = []
            for direction in range(directions):
                number = layer * directions + direction
                suffix = f"_l{layer}{'_reverse' if direction else ''}"
                state = [values[number] for values in given]
                kept: list[list[Tensor]] = [[None] * T for _ in names]
                for t in reversed(range(T)) if direction else range(T):
                    here = (t < lengths)[:, None].to(inputs.device)
                    after = step(m, suffix, below[t], state)
                    for kind, value in enumerate(after):
                        value.retain_grad()
                        kept[kind][t] = value
                    state = [torch.where(here, new, old) for new, old in zip(after, state, strict=True)]
                of_call.append(kept)
                outputs.append(torch.stack([torch.where((t < lengths)[:, None], kept[0][t], 0) for t in range(T)]))
                for values, value in zip(last, state, strict=True):
                    values.append(value)
            below = torch.cat(outputs, dim=2)
            if layer < m.num_layers - 1:
                below = nn.functional.dropout(below, m.dropout, m.training)  # drawn as the module draws, steps first
        self.calls.append(of_call)
        last = tuple(torch.stack(values) for values in last)
        last = last if len(names) > 1 else last[0]
        if is_packed:
            return pack_padded_sequence(below, lengths, enforce_sorted=False), last
        return (below.transpose(0, 1) if m.batch_first else below), last

    def log10_norms(self, call: int = -1, state: int = 0) -> np.ndarray:
        """[L·directions, T, B] of ∂L/∂(state after step t)."""
        of_call = self.calls[call]
        return np.stack([[norms(value.grad, value) for value in kept[state]] for kept in of_call])


def step(module: nn.Module, suffix: str, x: Tensor, state: list[Tensor]) -> list[Tensor]:
    """One step by the equations, in PyTorch's order of gates."""

    def weight(name):
        return getattr(module, name + suffix, None)

    biases = (weight("bias_ih"), weight("bias_hh")) if weight("bias_ih") is not None else (0.0, 0.0)
    a_x = x @ weight("weight_ih").T + biases[0]
    a_h = state[0] @ weight("weight_hh").T + biases[1]
    mode = module.mode if isinstance(module, nn.RNNBase) else type(module).__name__.removesuffix("Cell").upper()
    if mode == "LSTM":
        i, f, g, o = (a_x + a_h).chunk(4, dim=1)
        c = torch.sigmoid(f) * state[1] + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return [h if weight("weight_hr") is None else h @ weight("weight_hr").T, c]
    if mode == "GRU":
        (r, z, n), (r_h, z_h, n_h) = a_x.chunk(3, dim=1), a_h.chunk(3, dim=1)
        z = torch.sigmoid(z + z_h)
        return [(1 - z) * torch.tanh(n + torch.sigmoid(r + r_h) * n_h) + z * state[0]]
    return [torch.relu(a_x + a_h) if "relu" in mode.lower() else torch.tanh(a_x + a_h)]


def norms(gradient: Tensor | None, like: Tensor) -> np.ndarray:
    """log10 of the norms [B] of a gradient, -inf where there is none."""
    values = np.zeros(like.shape) if gradient is None else gradient.double().numpy()
    with np.errstate(divide="ignore"):
        return np.log10(np.linalg.norm(values, axis=-1))
