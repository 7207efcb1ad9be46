"""A hand-written cell, marked inside its loop: the sum of two marked numbers of a long sequence.

`python -m examples.hand_written_cell [--watch LOG]`. The cell mixes its state with a candidate by a learned rate per
unit; gradlab does not know it, so `gradlab.mark` follows its state by autograd.
"""

import argparse

import torch
from torch import nn

import gradlab

UNITS, STEPS, SEQUENCES = 32, 40, 32


class LeakyNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.candidate = nn.Linear(2 + UNITS, UNITS)
        self.rate = nn.Parameter(torch.linspace(-4, 0, UNITS))
        self.head = nn.Linear(UNITS, 1)

    def forward(self, inputs):
        h, rate = inputs.new_zeros(inputs.shape[1], UNITS), torch.sigmoid(self.rate)
        for step, x in enumerate(inputs):
            h = (1 - rate) * h + rate * torch.tanh(self.candidate(torch.cat([x, h], dim=1)))
            h = gradlab.mark(h, "h", step)
        return self.head(h)[:, 0]


def batch():
    """Numbers of [0, 1), two of which are marked by a 1 beside them; the target is their sum."""
    numbers, marks = torch.rand(STEPS, SEQUENCES), torch.zeros(STEPS, SEQUENCES)
    marks.scatter_(0, torch.rand(STEPS, SEQUENCES).topk(2, dim=0).indices, 1.0)
    return torch.stack([numbers, marks], dim=2), (numbers * marks).sum(dim=0)


def train(updates=100, log=None, every=20):
    """Returns the losses; with a log, the training is watched."""
    torch.manual_seed(0)
    model = LeakyNetwork()
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    flow = gradlab.watch(model, every=every, log=log) if log else None
    losses = []
    for _ in range(updates):
        inputs, sums = batch()
        loss = nn.functional.mse_loss(model(inputs), sums)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    if flow is not None:
        flow.close()
    return losses, model


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--watch", metavar="LOG", help="write a log of the gradient flow to this file")
    print(f"loss {train(log=parser.parse_args().watch)[0][-1]:.3f}")
