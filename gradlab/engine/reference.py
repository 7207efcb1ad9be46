"""The same gradients by torch's autograd: an unrolled loop that shares the cells' `step` with the engine, and nothing else.

Slow and plain on purpose; the tests and the app's check hold the engine against it. Beyond float64's range its norms are 0
or infinite, as autograd's are.
"""

import numpy as np
import torch

from gradlab.cells import CELLS
from gradlab.cells.states import STATES


def autograd(stack, inputs, cotangents, initial_state=()):
    """∂L/∂s_t of every layer and step by autograd, in float64.

    inputs [T, B, X], cotangents [T, B, H] dense, initial_state one [L, B, H] a state or none
    returns (gradients [L, T, B, S, H], h [T, B, H] the top layer's states)
    """
    cell = CELLS[stack.cell]
    T, B, _ = inputs.shape
    H, kinds = stack.hidden_size, len(cell.states)
    layers = [[torch.from_numpy(np.array(part, np.float64)) for part in layer] for layer in stack.layers]
    given = list(initial_state) or [np.zeros((stack.depth, B, H))] * kinds
    states = [
        STATES[cell.states](*(torch.tensor(value[depth], dtype=torch.float64) for value in given))
        for depth in range(stack.depth)
    ]
    for state in states:
        for value in state:
            value.requires_grad_()  # so that there is a graph even where no weight asks for one
    x_all = torch.from_numpy(np.array(inputs, np.float64))
    weights = torch.from_numpy(np.array(cotangents, np.float64))
    history, loss = [], torch.zeros((), dtype=torch.float64)
    for t in range(T):
        x = x_all[t]
        for depth, (W, U, b_W, b_U) in enumerate(layers):
            a_x = (x @ W.T + b_W).split(H, dim=1)
            a_h = (states[depth].h @ U.T + b_U).split(H, dim=1)
            states[depth], _ = cell.step(a_x, a_h, states[depth])
            for value in states[depth]:
                value.retain_grad()
            x = states[depth].h
        history.append(list(states))
        loss = loss + (weights[t] * x).sum()
    loss.backward()
    gradients = np.zeros((stack.depth, T, B, kinds, H))
    for t, layer_states in enumerate(history):
        for depth, state in enumerate(layer_states):
            for kind, value in enumerate(state):
                if value.grad is not None:
                    gradients[depth, t, :, kind] = value.grad.numpy()
    return gradients, np.stack([layer_states[-1].h.detach().numpy() for layer_states in history])

