"""State gradients by autograd over an unrolled loop in which routes of the backward pass can be scaled or cut."""

import numpy as np
import torch

from gradlab.cells import CELLS
from gradlab.cells.states import STATES


def scaled(value, factor):
    """The same value; its gradient times `factor`."""
    return factor * value + (1 - factor) * value.detach()


def gradients(case, through_U=1.0, without=()):
    """∂L/∂s_t of every layer and step, [L, T, B, S, H]; `without` names routes as `gradlab.paths.cut` does."""
    stack, cell = case.stack, CELLS[case.stack.cell]
    record, H = STATES[cell.states], stack.hidden_size
    layers = [[torch.from_numpy(part) for part in layer] for layer in stack.layers]
    start = [torch.from_numpy(value) for value in case.initial_state]
    states = [record(*(value[layer].requires_grad_() for value in start)) for layer in range(stack.depth)]
    through_U = 0.0 if "recurrent" in without else through_U
    history, loss = [], 0.0
    for x, weight in zip(torch.from_numpy(case.inputs), torch.from_numpy(case.cotangents), strict=True):
        for layer, (W, U, b_W, b_U) in enumerate(layers):
            old = states[layer]
            a_x = list((x @ W.T + b_W).split(H, dim=1))
            a_h = list((scaled(old.h, through_U) @ U.T + b_U).split(H, dim=1))
            for number, gate in enumerate(cell.gates):
                if gate in without:
                    a_x[number], a_h[number] = a_x[number].detach(), a_h[number].detach()
            before = record(*(value.detach() for value in old)) if "direct" in without else old
            new, saved = cell.step(tuple(a_x), tuple(a_h), before)
            if "h to c" in without:
                o = saved[cell.saved.index("output")]
                if "peephole_output" in cell.saved:  # this gate sees the new c as well
                    a = a_x[cell.gates.index("output")] + a_h[cell.gates.index("output")]
                    o = (a + saved[cell.saved.index("peephole_output")] * new.c.detach()).sigmoid()
                new = new._replace(h=o * new.c.detach().tanh())
            states[layer] = record(*(value if value.requires_grad else value.clone().requires_grad_() for value in new))
            for value in states[layer]:
                value.retain_grad()
            x = states[layer].h
        history.append(list(states))
        loss = loss + (weight * x).sum()
    loss.backward()
    found = np.zeros((stack.depth, len(history), len(case.inputs[0]), len(cell.states), H))
    for t, step in enumerate(history):
        for layer, state in enumerate(step):
            for kind, value in enumerate(state):
                if value.grad is not None:
                    found[layer, t, :, kind] = value.grad.numpy()
    return found
