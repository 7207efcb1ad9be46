"""What is watched does not notice: results, gradients, hooks, mode and random state are the same bits."""

import copy

import pytest
import torch
from torch import nn

import gradlab
from tests.watching.test_watch import Classifier, tokens


class Loop(nn.Module):
    """Two cells stacked, several readers of every state, dropout, its output fed back."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 5)
        self.low, self.top, self.head = nn.LSTMCell(5, 7), nn.GRUCell(7, 6), nn.Linear(6, 5)

    def forward(self, words):
        state, h, seen = None, None, []
        x = self.embedding(words[:, 0])
        for t in range(words.shape[1]):
            state = self.low(x, state)
            h = self.top(nn.functional.dropout(state[0], 0.3, self.training), h)
            seen.append(h)
            x = self.embedding(words[:, t]) + self.head(h)
        states = torch.stack(seen)
        weights = torch.softmax((states * h).sum(dim=2), dim=0)
        return self.head((weights[..., None] * states).sum(dim=0) + h)


def trained(model, watched, updates=4):
    """Losses, gradients and weights of a short training from a fixed random state, and that state after it."""
    torch.manual_seed(3)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    seen = []
    for update in range(updates):
        optimizer.zero_grad()
        if watched:
            with gradlab.watch(model) as flow:
                loss = model(tokens(seed=update)).square().sum()
                loss.backward()
            assert not torch.is_inference_mode_enabled()
            flow.diagnose()
        else:
            loss = model(tokens(seed=update)).square().sum()
            loss.backward()
        seen += [loss.detach(), *(parameter.grad.clone() for parameter in model.parameters())]
        optimizer.step()
    return [*seen, *(parameter.detach().clone() for parameter in model.parameters()), torch.get_rng_state()]


def fresh(kind):
    torch.manual_seed(2)
    return Loop() if kind == "loop" else Classifier(kind, dropout=0.4)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN, "loop"])
def test_a_training_is_the_same_to_the_bit(kind):
    model = fresh(kind)
    names = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_forward_hooks_with_kwargs")
    watched = trained(model, True)
    for part in model.modules():
        assert part.training
        assert not any(getattr(part, name) for name in names)
    for one, other in zip(watched, trained(fresh(kind), False), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("kind", [nn.LSTM, "loop"])
def test_a_body_that_raises_leaves_no_trace(kind):
    model, seen = fresh(kind), []
    handle = model.head.register_forward_hook(lambda *_: seen.append(1))
    losses = []

    def body():
        with gradlab.watch(model) as flow:
            losses.append((flow, model(tokens()).square().sum()))
            raise KeyError

    with pytest.raises(KeyError):
        body()
    flow, loss = losses[0]
    assert not flow.is_open
    assert list(model.head._forward_hooks) == [handle.id]
    assert not any(part._forward_hooks for part in model.modules() if part is not model.head)
    handle.remove()
    before = seen.copy()
    loss.backward()  # its graph has no hook of the watch any more
    with pytest.raises(ValueError, match="No gradient came back"):
        flow.trace(flow.names[0])
    assert seen == before
    model.zero_grad()
    for one, other in zip(trained(fresh(kind), False), trained(model, False), strict=True):
        assert torch.equal(one, other)


def test_no_tensor_gets_a_hook_and_no_node_a_new_reader():
    model = fresh(nn.GRU)
    torch.manual_seed(0)
    embedded = model.embedding(tokens())
    with gradlab.watch(model):
        output, state = model.rnn(embedded)
        for tensor in (embedded, output, state):
            assert not tensor._backward_hooks
            assert not tensor.retains_grad
        names = chain(output)
    assert names == chain(model.rnn(embedded)[0])


def chain(tensor):
    """The names of all nodes behind a tensor, in order."""
    seen, waiting = [], [tensor.grad_fn]
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.append(node)
            waiting += [before for before, _ in node.next_functions if before is not None]
    return [node.name() for node in seen]


def test_a_failure_of_the_watch_is_said_by_the_trace_and_not_in_the_training(monkeypatch):
    model = fresh(nn.LSTM)

    def fails(*_):
        raise RuntimeError("of the watch")

    monkeypatch.setattr("gradlab.watching.flow.noted", fails)
    with gradlab.watch(model) as flow:
        model(tokens()).sum().backward()
    with pytest.raises(RuntimeError, match="of the watch"):
        flow.trace()


def test_a_copy_and_a_file_made_while_watched_have_no_part_in_the_watch(tmp_path):
    model, inputs = nn.LSTM(3, 4, num_layers=2, dropout=0.1), torch.randn(5, 2, 3)
    with gradlab.watch(model) as flow:
        copied = copy.deepcopy(model)
        torch.save(model, tmp_path / "model.pt")
        loaded = torch.load(tmp_path / "model.pt", weights_only=False)
        for other in (copied, loaded):
            other(inputs)[0].sum().backward()
        assert flow.passes() == range(0)
        model(inputs)[0].sum().backward()
    assert len(flow.passes()) == 1
    assert not model._forward_hooks


def test_a_batch_that_shrinks_in_a_loop_is_refused_in_a_sentence():
    cell, h = nn.GRUCell(3, 4), torch.zeros(3, 4)
    with gradlab.watch(cell) as flow:
        for batch in (3, 3, 2):
            h = cell(torch.randn(batch, 3), h[:batch])
        h.sum().backward()
    with pytest.raises(ValueError, match="called with 3 sequences and at call 2 with 2"):
        flow.trace()


def test_states_whose_values_are_changed_behind_the_graph_are_not_taken_for_those_of_the_call_before():
    lstm, x = nn.LSTM(3, 4).double(), torch.randn(8, 2, 3, dtype=torch.float64)
    with gradlab.watch(lstm) as flow:
        _, (h, c) = lstm(x[:4])
        h.data[:, 0] *= 0.5
        c.data[:, 0] *= 0.5
        lstm(x[4:], (h, c))[0].sum().backward()
    assert flow.trace().source == "autograd"


def test_packed_sequences_are_read_whatever_the_default_device_is():
    lstm, x = nn.LSTM(3, 4), torch.randn(5, 2, 3)
    packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor([5, 3]))
    torch.set_default_device("meta")
    try:
        with gradlab.watch(lstm) as flow:
            lstm(packed)[0].data.sum().backward()
        assert flow.trace().steps == 5
    finally:
        torch.set_default_device(None)
