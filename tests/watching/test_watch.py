"""A watched model's traces are autograd's own, and the model never notices."""

import numpy as np
import pytest
import torch
from torch import nn

import gradlab
from tests.watching.unrolled import Unrolled

MODULES = [nn.RNN, nn.LSTM, nn.GRU]


class Classifier(nn.Module):
    """Embedding, recurrent layers, dropout, linear: `read` says what of the recurrent part it reads."""

    def __init__(self, module=nn.LSTM, read="last output", layers=2, batch_first=True, **options):
        super().__init__()
        self.embedding = nn.Embedding(11, 5)
        self.rnn = module(5, 7, layers, batch_first=batch_first, **options)
        self.head = nn.Linear(7, 4)
        self.read = read

    def forward(self, tokens):
        output, state = self.rnn(self.embedding(tokens))
        last = state[0] if isinstance(state, tuple) else state
        steps = output if self.rnn_is_batch_first else output.transpose(0, 1)
        return {
            "last output": lambda: self.head(steps[:, -1]),
            "last state": lambda: self.head(last[-1]),
            "mean": lambda: self.head(steps.mean(dim=1)),
            "both layers": lambda: self.head(last[0] + last[-1]),
        }[self.read]()

    @property
    def rnn_is_batch_first(self):
        return (self.rnn.module if isinstance(self.rnn, Unrolled) else self.rnn).batch_first


def tokens(B=3, T=20, batch_first=True, seed=5):
    drawn = torch.randint(0, 11, (B, T), generator=torch.Generator().manual_seed(seed))
    return drawn if batch_first else drawn.T


def loss_of(model, batch):
    return model(batch).square().sum()


def by_autograd(model, run, name="rnn") -> Unrolled:
    """The part of a model in place of which autograd went, step by step, after the same run."""
    part = model.get_submodule(name)
    owner, _, last = name.rpartition(".")
    unrolled = Unrolled(part)
    setattr(model.get_submodule(owner), last, unrolled)
    model.zero_grad()
    run(model)
    setattr(model.get_submodule(owner), last, part)
    return unrolled


def assert_same(trace, unrolled, call=-1, tolerance=1e-9):
    """Every layer, step, sequence and state of a trace is what autograd gives."""
    for number, state in enumerate(trace.states):
        expected = unrolled.log10_norms(call, number)
        assert trace.log10_norm(state).shape == expected.shape
        same = np.isneginf(expected)
        np.testing.assert_array_equal(np.isneginf(trace.log10_norm(state)), same)
        np.testing.assert_allclose(trace.log10_norm(state)[~same], expected[~same], atol=tolerance, rtol=0)


@pytest.mark.parametrize("read", ["last output", "last state", "mean"])
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("module", MODULES)
def test_the_trace_of_a_part_is_what_autograd_gives(module, batch_first, read):
    torch.manual_seed(1)
    model = Classifier(module, read, batch_first=batch_first).double()

    def run(model):
        loss_of(model, tokens(batch_first=batch_first)).backward()

    with gradlab.watch(model) as flow:
        run(model)
    assert flow.names == ["rnn"]
    assert_same(flow.trace(), by_autograd(model, run))
    assert_same(flow.trace("rnn", 0), by_autograd(model, run))
