"""A small training of somebody's own that writes a log: `python training_to_follow.py LOG UPDATES`."""

import sys
import time

import torch
from torch import nn

import gradlab

torch.manual_seed(0)
torch.set_num_threads(1)


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(4, 12, num_layers=2, batch_first=True)
        self.head = nn.Linear(12, 2)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])


def train(log, updates, every=2, wait=0.0):
    """The model after its updates."""
    model = Classifier()
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    with gradlab.watch(model, every=every, log=log, sequences=4):
        for _ in range(updates):
            x = torch.randn(8, 60, 4)
            loss = nn.functional.cross_entropy(model(x), (x[:, 0, 0] > 0).long())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            time.sleep(wait)
    return model


if __name__ == "__main__":
    train(sys.argv[1], int(sys.argv[2]), wait=0.3)
