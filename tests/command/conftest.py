"""The command as a shell calls it, and files as somebody may have them."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import nn

import gradlab
from gradlab.command import gradlab as command
from gradlab.watching import network


class Tagger(nn.Module):
    """What somebody may train."""

    def __init__(self):
        super().__init__()
        self.rnn, self.head = nn.LSTM(3, 6, 2, batch_first=True), nn.Linear(6, 1)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Calls the command in an empty folder: call("trace", "--steps", "9") gives click's result."""
    monkeypatch.chdir(tmp_path)
    return lambda *line: CliRunner().invoke(command, [str(part) for part in line])


@pytest.fixture
def read(call):
    """What a call prints with --json, as strict JSON."""

    def of(*line):
        result = call(*line, "--json")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        return json.loads(result.stdout, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))

    return of


@pytest.fixture
def watched(call, tmp_path):
    """The network recorded in a watched training; in the folder training.jsonl, training.rnn.safetensors, and model.pt,
    the weights at the end."""
    torch.manual_seed(0)
    model = Tagger()
    with gradlab.watch(model, every=2, log=tmp_path / "training.jsonl"):
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        for _ in range(5):
            optimizer.zero_grad()
            nn.functional.mse_loss(model(torch.randn(4, 30, 3)), torch.randn(4, 1)).backward()
            optimizer.step()
    torch.save({"model": model.state_dict(), "update": 5}, tmp_path / "model.pt")
    return network.read(tmp_path / "training.rnn.safetensors")


@pytest.fixture
def batch(call, tmp_path):
    """A batch of sequences, [T, B, X], which is in batch.npy."""
    values = np.random.default_rng(0).standard_normal((40, 4, 3))
    np.save(tmp_path / "batch.npy", values)
    return values
