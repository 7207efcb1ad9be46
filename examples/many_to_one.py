"""A bidirectional many-to-one: does a sequence end with the token that it began with?

`python -m examples.many_to_one [--watch LOG]`. A GRU in both directions, read at `output[:, -1]`, as many scripts do:
there the forward half has read the whole sequence, and the reverse half one token.
"""

import argparse

import torch
from torch import nn

import gradlab

TOKENS, STEPS, SEQUENCES = 4, 40, 32


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(TOKENS, 16)
        self.rnn = nn.GRU(16, 32, batch_first=True, bidirectional=True)
        self.head = nn.Linear(64, 2)

    def forward(self, tokens):
        output, _ = self.rnn(self.embedding(tokens))
        return self.head(output[:, -1])


def train(updates=100, log=None, every=20):
    """Returns the losses; with a log, the training is watched."""
    torch.manual_seed(0)
    model = Classifier()
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    flow = gradlab.watch(model, every=every, log=log) if log else None
    losses = []
    for _ in range(updates):
        tokens = torch.randint(TOKENS, (SEQUENCES, STEPS))
        loss = nn.functional.cross_entropy(model(tokens), (tokens[:, 0] == tokens[:, -1]).long())
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
