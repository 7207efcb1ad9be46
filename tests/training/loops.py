"""A training loop as one writes it in torch, without gradlab's training, to hold the latter against."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from gradlab.cells import CELLS
from gradlab.cells.contract import without

MODULES = {"rnn": nn.RNN, "rnn_relu": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class Unrolled(nn.Module):
    """A loop over steps with the cell's own equations, for cells that torch does not have."""

    def __init__(self, stack):
        super().__init__()
        self.cell = stack.cell
        tensors = [torch.from_numpy(part.copy()) for layer in stack.layers for part in layer]
        self.weights = nn.ParameterList(tensors)

    def forward(self, inputs, state=None):
        H, outputs = self.weights[1].shape[1], []
        record = CELLS[self.cell].record
        zeros = torch.zeros(inputs.shape[1], H, dtype=inputs.dtype)
        states = [record(*[zeros] * len(record._fields))] * (len(self.weights) // 4)
        for x in inputs:
            for layer, state in enumerate(list(states)):
                W, U, b_W, b_U = self.weights[4 * layer : 4 * layer + 4]
                a_x, a_h = x @ W.T + b_W, state.h @ U.T + b_U
                states[layer], _ = CELLS[self.cell].step(a_x.split(H, dim=1), a_h.split(H, dim=1), state)
                x = states[layer].h
            outputs.append(x)
        return torch.stack(outputs), None


def copied(run):
    """torch's own module with the weights of a run that has not begun; its parameters are in the run's order."""
    stack, experiment = run.network.recurrent.stack, run.experiment
    if experiment.cell in MODULES:
        options = {"nonlinearity": "relu"} if experiment.cell == "rnn_relu" else {}
        shape = (stack.input_size, experiment.hidden_size, experiment.depth)
        module = MODULES[experiment.cell](*shape, dtype=torch.float64, **options)
        module.load_state_dict(run.network.recurrent.state_dict())
    else:
        module = Unrolled(stack)
    readout = nn.Linear(*reversed(run.network.readout.weight.shape), dtype=torch.float64)
    readout.load_state_dict(run.network.readout.state_dict())
    return module, readout


def loss_of(run, module, readout, update):
    """The loss of an update's batch, straight from the task's definition."""
    batch = run.batch(update)
    scores = readout(module(torch.from_numpy(np.array(batch.inputs)))[0])[torch.from_numpy(batch.scored)]
    targets = torch.from_numpy(np.array(batch.targets))[torch.from_numpy(batch.scored)]
    if targets.is_floating_point():
        return ((scores - targets) ** 2).mean()
    return functional.cross_entropy(scores.reshape(-1, scores.shape[-1]), targets.reshape(-1))


def gradients_held(run, module):
    """Rows that the cell leaves at zero are no parameters: their gradients are put aside."""
    cell, H = CELLS[run.experiment.cell], run.experiment.hidden_size
    for number, parameter in enumerate(module.parameters() if isinstance(module, Unrolled) else ()):
        if parameter.grad is None:  # nothing read it
            parameter.grad = torch.zeros_like(parameter)
        kind = ("W", "U", "b_W", "b_U")[number % 4]
        unread = {"W": "W", "U": "U", "b_U": "U"}.get(kind)
        for gate in without(cell, unread) if unread else ():
            row = cell.pre_activations.index(gate) * H
            parameter.grad[row : row + H] = 0
