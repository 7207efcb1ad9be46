"""A tagger over packed sequences: which of the tokens repeats the sequence's first one?

`python -m examples.tagger [--watch LOG]`. Sequences of 10 to 60 tokens in one batch; an LSTM reads them packed. What it
must keep is the first token, to the end of the longest sequence.
"""

import argparse

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import gradlab

TOKENS, LONGEST, SEQUENCES = 8, 60, 32


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(TOKENS, 16)
        self.rnn = nn.LSTM(16, 32, batch_first=True)
        self.tag = nn.Linear(32, 2)

    def forward(self, tokens, lengths):
        packed = pack_padded_sequence(self.embedding(tokens), lengths, batch_first=True, enforce_sorted=False)
        output, _ = pad_packed_sequence(self.rnn(packed)[0], batch_first=True)
        return self.tag(output)


def batch():
    tokens = torch.randint(TOKENS, (SEQUENCES, LONGEST))
    lengths = torch.randint(10, LONGEST + 1, (SEQUENCES,))
    lengths[0] = LONGEST
    return tokens, lengths, (tokens == tokens[:, :1]).long()


def train(updates=100, log=None, every=20):
    """Returns the losses; with a log, the training is watched."""
    torch.manual_seed(0)
    model = Tagger()
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    flow = gradlab.watch(model, every=every, log=log) if log else None
    losses = []
    for _ in range(updates):
        tokens, lengths, tags = batch()
        there = torch.arange(LONGEST) < lengths[:, None]
        loss = nn.functional.cross_entropy(model(tokens, lengths)[there], tags[there])
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
