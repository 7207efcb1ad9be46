"""State gradients by autograd over an unrolled loop in which routes of the backward pass can be scaled or cut."""

import numpy as np
import torch

from gradlab.cells import CELLS


def scaled(value, factor):
    """The same value; its gradient times `factor`."""
    return factor * value + (1 - factor) * value.detach()


def peephole_step(a, old, without):
    """The LSTM with peepholes, by its equations, every way of c into a gate one that can be left out."""

    def seen(c, gate):
        cut = gate in without or f"peephole_{gate}" in without
        return c.detach() if cut else c

    i, f, g, o, p_i, p_f, p_o = a
    c = (f + p_f * seen(old.c, "forget")).sigmoid() * old.c + (i + p_i * seen(old.c, "input")).sigmoid() * g.tanh()
    passed = c.detach() if "h to c" in without else c
    return old._replace(h=(o + p_o * seen(passed, "output")).sigmoid() * passed.tanh(), c=c)


def gradients(case, through_U=1.0, without=()):
    """∂L/∂s_t of every layer and step, [L, T, B, S, H]; `without` names routes as `gradlab.analyses.paths.cut` does."""
    stack, cell = case.stack, CELLS[case.stack.cell]
    record, H = cell.record, stack.hidden_size
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
            for number, gate in enumerate(cell.pre_activations):
                if gate in without:
                    a_x[number], a_h[number] = a_x[number].detach(), a_h[number].detach()
            before = record(*(value.detach() for value in old)) if "direct" in without else old
            if case.stack.cell == "lstm_peephole":
                new = peephole_step([x + h for x, h in zip(a_x, a_h, strict=True)], before, without)
            else:
                new, saved = cell.step(tuple(a_x), tuple(a_h), before)
                if "h to c" in without:  # h' = o tanh c' in all of them
                    new = new._replace(h=saved[cell.saved.index("output")] * new.c.detach().tanh())
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
