"""Cells called in a loop: the trace is the gradient that autograd keeps of every state."""

import numpy as np
import pytest
import torch
from torch import nn

import gradlab
from gradlab.watching.measured import MeasuredTrace
from tests.watching.unrolled import norms

T, B, X, H = 15, 3, 4, 6
CELLS = [nn.RNNCell, nn.GRUCell, nn.LSTMCell]


class Loop(nn.Module):
    """A cell over [T, B, X]; what happens between two steps is `between`, what it reads `reading`."""

    def __init__(self, cell=nn.LSTMCell, reading="open", between=None, depth=1, read="last"):
        super().__init__()
        self.cells = nn.ModuleList([cell(H if number else X, H) for number in range(depth)])
        self.head, self.reading, self.between, self.read = nn.Linear(H, X), reading, between, read

    def forward(self, inputs, keep=False):
        states = [None] * len(self.cells)
        self.kept = [[] for _ in self.cells]
        outputs, y = [], inputs[0]
        for t, x in enumerate(inputs):
            below = y if self.reading == "closed" else x
            if self.reading == "sampled":
                below = nn.functional.one_hot(y.argmax(dim=1), X).to(x)
            for number, cell in enumerate(self.cells):
                if self.between is not None and states[number] is not None:
                    states[number] = mapped(lambda h, t=t: self.between(h, t), states[number])
                states[number] = cell(below, states[number])
                self.kept[number].append(states[number])
                if keep:
                    mapped(lambda h: h.retain_grad(), states[number])
                below = states[number][0] if isinstance(states[number], tuple) else states[number]
            y = self.head(below)
            outputs.append(y)
        outputs = torch.stack(outputs)
        return outputs[-1] if self.read == "last" else outputs if self.read == "all" else outputs[[4, -3]]


def mapped(function, state):
    return tuple(function(part) for part in state) if isinstance(state, tuple) else function(state)


def watched(model, inputs):
    with gradlab.watch(model) as flow:
        model(inputs).square().sum().backward()
    return flow


def kept_norms(model, inputs, number=0, state=0):
    """[T, B] of what `retain_grad` keeps in the loop: totals."""
    model(inputs, keep=True).square().sum().backward()
    states = [of_step if isinstance(of_step, tuple) else (of_step,) for of_step in model.kept[number]]
    return np.stack([norms(of_step[state].grad, of_step[state]) for of_step in states])


def drawn(seed=0):
    return torch.randn(T, B, X, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def assert_is_autograd_s(trace, model, inputs, number=0):
    for state, name in enumerate(trace.states):
        np.testing.assert_allclose(
            trace.log10_norm(name)[0], kept_norms(model, inputs, number, state)[: trace.log10_norms.shape[1]], atol=1e-9
        )


@pytest.mark.parametrize("read", ["last", "all", "two"])
@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_an_open_loop_is_computed_by_the_engine(cell, depth, read):
    torch.manual_seed(1)
    model, inputs = Loop(cell, depth=depth, read=read).double(), drawn()
    flow = watched(model, inputs)
    assert flow.names == [f"cells.{number}" for number in range(depth)]
    for number, name in enumerate(flow.names):
        trace = flow.trace(name)
        assert isinstance(trace, gradlab.GradientTrace)
        assert_is_autograd_s(trace, model, inputs, number)
    losses = {"last": 1, "all": T, "two": 2}[read]
    assert len(set(flow.trace(flow.names[-1]).loss_steps)) == losses  # no rounding is taken for a loss


@pytest.mark.parametrize("cell", CELLS)
def test_a_closed_loop_is_reported_as_autograd_gave_it(cell):
    torch.manual_seed(1)
    model, inputs = Loop(cell, reading="closed").double(), drawn()
    flow = watched(model, inputs)
    trace = flow.trace()
    assert isinstance(trace, MeasuredTrace)
    assert "the loop is closed" in trace.reason
    assert_is_autograd_s(trace, model, inputs)
    assert set(flow.table["source"]) == {"autograd"}
    assert flow.diagnose()[0].source == "autograd"
    assert "autograd's own numbers" in flow.diagnose()[0].sentence


def test_a_choice_that_is_fed_back_has_no_gradient_and_closes_nothing():
    torch.manual_seed(1)
    model, inputs = Loop(nn.GRUCell, reading="sampled").double(), drawn()
    trace = watched(model, inputs).trace()
    assert isinstance(trace, gradlab.GradientTrace)
    assert_is_autograd_s(trace, model, inputs)


def test_a_cell_above_another_reads_it_and_closes_no_loop_but_input_feeding_does():
    class Feeding(nn.Module):
        def __init__(self):
            super().__init__()
            self.low, self.top = nn.GRUCell(2 * H, H), nn.GRUCell(H, H)

        def forward(self, x):
            low, top = torch.zeros(B, H), torch.zeros(B, H)
            for _ in range(5):
                low = self.low(torch.cat([x, top], dim=1), low)
                top = self.top(low, top)
            return top

    with gradlab.watch(model := Feeding()) as flow:
        model(torch.randn(B, H)).sum().backward()
    assert {name: isinstance(flow.trace(name), MeasuredTrace) for name in flow.names} == {"low": True, "top": True}


@pytest.mark.parametrize("cell", CELLS)
def test_an_episode_that_ends_is_a_reset_and_an_edited_state_is_autograd_s(cell):
    torch.manual_seed(1)
    inputs = drawn()
    done = torch.ones(T, B, 1, dtype=torch.float64)
    done[6, 1] = done[9, 0] = 0
    for between, source in [(lambda h, t: h * done[t], gradlab.GradientTrace), (lambda h, t: 0.9 * h, MeasuredTrace)]:
        model = Loop(cell, between=between, read="all").double()
        trace = watched(model, inputs).trace()
        assert isinstance(trace, source)
        assert_is_autograd_s(trace, model, inputs)


def test_windows_with_a_detached_state_are_passes_of_their_own():
    torch.manual_seed(1)
    model, windows, kept = nn.LSTM(X, H, 2).double(), [drawn(seed) for seed in range(3)], []
    state = None
    with gradlab.watch(model) as flow:
        for window in windows:
            kept.append(state)
            output, state = model(window, state)
            output[-1].square().sum().backward()
            state = tuple(part.detach() for part in state)
    assert flow.names == ["lstm"]
    assert list(flow.passes()) == [0, 1, 2]
    from tests.watching.unrolled import Unrolled

    unrolled = Unrolled(model)
    for window, start in zip(windows, kept, strict=True):
        unrolled(window, start)[0][-1].square().sum().backward()
    from tests.watching.test_watch import assert_same

    for number in range(3):
        assert_same(flow.trace(number=number), unrolled, number)


@pytest.mark.parametrize("module", [nn.RNN, nn.GRU, nn.LSTM])
def test_a_module_called_with_one_step_at_a_time_is_one_sequence(module):
    from tests.watching.test_watch import assert_same
    from tests.watching.unrolled import Unrolled

    torch.manual_seed(1)
    model, inputs = module(X, H, 1).double(), drawn()

    def run(part):
        state, seen = None, []
        for x in inputs:
            output, state = part(x[None], state)
            seen.append(output[0])
        (seen[-1] + seen[4]).square().sum().backward()

    with gradlab.watch(model) as flow:
        run(model)
    trace = flow.trace()
    assert trace.steps == T
    assert set(trace.loss_steps) == {4, T - 1}
    unrolled = Unrolled(model)
    run(unrolled)
    expected = np.concatenate([unrolled.log10_norms(call) for call in range(T)], axis=1)
    np.testing.assert_allclose(trace.log10_norm("h"), expected, atol=1e-9)
    assert_same  # noqa: B018


def test_retain_grad_gives_the_loss_s_part_of_a_module_s_output_and_the_total_of_a_cell_s_state():
    """Why the output of nn.LSTM cannot be read for ∂L/∂h_t, and the h of a loop can."""
    torch.manual_seed(1)
    module, inputs = nn.LSTM(X, H).double(), drawn()
    with gradlab.watch(module) as flow:
        output, _ = module(inputs)
        output.retain_grad()
        output[-1].square().sum().backward()
    assert not output.grad[:-1].any()  # the loss's own part: nothing before the last step
    assert np.isfinite(flow.trace().log10_norm("h")).all()
    cell = nn.LSTMCell(X, H).double()
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in module.state_dict().items()})
    state, kept = None, []
    for x in inputs:
        state = cell(x, state)
        state[0].retain_grad()
        kept.append(state[0])
    kept[-1].square().sum().backward()
    totals = np.stack([norms(h.grad, h) for h in kept])
    np.testing.assert_allclose(flow.trace().log10_norm("h")[0], totals, atol=1e-9)
