"""What one would use otherwise: torch's modules, and a loop over torch's cells under autograd."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from gradlab.cells import CELLS
from gradlab.network.stack import PYTORCH_NAMES, Stack

MODULES = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
LOOPED = {"lstm": nn.LSTMCell, "gru": nn.GRUCell, "rnn": nn.RNNCell}
INPUT_SIZE = 16


class Problem:
    """One network with its input and a loss at every step, for gradlab as arrays and for torch as tensors.

    A loss at every step keeps the peers' gradients above float32's smallest normal numbers. With one at the last step
    alone they fade below it within 500 steps, where a processor computes several times slower: gradlab rescales and is
    not slowed, so its ratios would be flattered.
    """

    def __init__(self, cell: str, depth: int, steps: int, sequences: int, hidden: int, dtype: str):
        torch.manual_seed(0)
        self.cell, self.depth = cell, depth
        self.module = MODULES[cell](INPUT_SIZE, hidden, num_layers=depth).to(getattr(torch, dtype))
        self.stack = Stack.from_torch(self.module)
        random = np.random.default_rng(0)
        self.inputs = random.standard_normal((steps, sequences, INPUT_SIZE)).astype(dtype)
        self.cotangents = (random.standard_normal((steps, sequences, hidden)) / hidden**0.5).astype(dtype)

    def loop_cells(self) -> list[nn.Module]:
        """The layers as torch's cells, with the same weights."""
        cells = []
        for layer in self.stack.layers:
            torch_cell = LOOPED[self.cell](layer.W.shape[1], layer.U.shape[1]).to(self.module.weight_hh_l0.dtype)
            with torch.no_grad():
                for name, array in layer._asdict().items():
                    getattr(torch_cell, PYTORCH_NAMES[name]).copy_(torch.from_numpy(array))
            cells.append(torch_cell)
        return cells


def fused(problem: Problem) -> Callable[[int | None], None]:
    """`nn.LSTM`, `nn.GRU` or `nn.RNN`, forward and backward; it gives no gradient of any state."""
    inputs, cotangents = torch.from_numpy(problem.inputs), torch.from_numpy(problem.cotangents)

    def run(steps: int | None = None) -> None:
        problem.module.zero_grad(set_to_none=True)
        outputs, _ = problem.module(inputs[:steps])
        outputs.backward(cotangents[:steps])

    return run


def loop(problem: Problem) -> Callable[[int | None], list[Tensor]]:
    """The loop of the tutorials: one cell call per step, `retain_grad` on every state. Norms are not timed."""
    inputs, cotangents = torch.from_numpy(problem.inputs), torch.from_numpy(problem.cotangents)
    cells, kinds = problem.loop_cells(), len(CELLS[problem.cell].states)
    zeros = inputs.new_zeros(cotangents.shape[1:])

    def run(steps: int | None = None) -> list[Tensor]:
        states = [[zeros] * kinds for _ in cells]
        kept, tops = [], []
        for x in inputs[:steps]:
            for layer, cell in enumerate(cells):
                new = cell(x, tuple(states[layer]) if kinds > 1 else states[layer][0])
                states[layer] = list(new) if kinds > 1 else [new]
                for state in states[layer]:
                    state.retain_grad()
                kept += states[layer]
                x = states[layer][0]
            tops.append(x)
        for cell in cells:
            cell.zero_grad(set_to_none=True)
        torch.autograd.backward(tops, list(cotangents[:steps]))
        return [state.grad for state in kept]

    return run
