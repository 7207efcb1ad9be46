"""Marked tensors: autograd's own totals, by step, and where the precision ends."""

import gc

import numpy as np
import pytest
import torch
from torch import nn

import gradlab
from tests.watching.unrolled import norms


class Ran(nn.Module):
    """A cell that gradlab does not know."""

    def __init__(self, gain=1.0):
        super().__init__()
        self.update, self.gate, self.gain = nn.Linear(8, 5), nn.Linear(8, 5), gain

    def forward(self, inputs, keep=None):
        h = torch.zeros(inputs.shape[1], 5, dtype=inputs.dtype)
        for t, x in enumerate(inputs):
            both = torch.cat([x, self.gain * h], dim=1)
            h = torch.sigmoid(self.gate(both)) * torch.tanh(self.update(both))
            assert gradlab.mark(h, "h", t) is h
            if keep is not None:
                h.retain_grad()
                keep.append(h)
        return h


def drawn(T=12, dtype=torch.float64):
    return torch.randn(T, 2, 3, dtype=dtype, generator=torch.Generator().manual_seed(0))


def test_a_marked_tensor_has_autograd_s_total_at_every_step():
    torch.manual_seed(1)
    model, keep = Ran().double(), []
    with gradlab.watch(model) as flow:
        model(drawn(), keep).square().sum().backward()
    assert flow.names == ["h"]
    trace = flow.trace()
    np.testing.assert_allclose(trace.log10_norm("h")[0], np.stack([norms(h.grad, h) for h in keep]), atol=1e-12)
    assert trace.source == "autograd"
    assert not trace.precision_zero().any()
    assert set(flow.table["source"]) == {"autograd"}
    diagnosis = flow.diagnose()[0]
    assert (diagnosis.part, diagnosis.source, diagnosis.verdict) == ("h", "autograd", "vanishing")
    slope = np.polyfit(np.arange(12), trace.log10_norm("h")[0].mean(axis=1), 1)[0]
    assert diagnosis.decades_per_100_steps == pytest.approx(-100 * slope, rel=0.2)


def test_a_zero_of_the_precision_is_marked_and_a_true_one_is_not():
    torch.manual_seed(1)
    model = Ran(gain=0.2).float()
    with gradlab.watch(model) as flow:
        model(drawn(120, torch.float32)).sum().backward()
    trace = flow.trace()
    zero = np.isneginf(trace.log10_norm("h")[0])
    assert zero[0].all()
    assert not zero[-1].any()
    np.testing.assert_array_equal(trace.precision_zero()[0], zero)
    assert flow.table["precision_zero"].sum() == zero.sum()
    lost = int(zero.all(axis=1).sum())
    assert f"At the {lost} steps before, float32 holds no number so small and gives 0" in flow.diagnose()[0].sentence
    with gradlab.watch(model) as flow:  # the way back is cut: these zeros are true
        keep = []
        first = model(drawn(6, torch.float32), keep)
        gradlab.mark(keep[2] * 1, "h", 6)
        (first * 0).sum().backward()
    assert not flow.trace(number=0).precision_zero().any()


def test_a_second_sequence_is_a_second_pass_and_backward_passes_add_up():
    torch.manual_seed(1)
    model = Ran().double()
    with gradlab.watch(model) as flow:
        (model(drawn()).sum() + 3 * model(drawn()).sum()).backward()
        loss = model(drawn()).sum()
        loss.backward(retain_graph=True)
        (2 * loss).backward()
    assert list(flow.passes("h")) == [0, 1, 2]
    first, second, third = (flow.trace("h", number).log10_norm("h") for number in range(3))
    np.testing.assert_allclose(second - first, np.log10(3))
    np.testing.assert_allclose(third, second)


def test_without_a_watch_or_a_gradient_nothing_happens():
    h = torch.ones(2, 3, requires_grad=True)
    assert gradlab.mark(h, "h", 0) is h
    assert not h._backward_hooks
    with gradlab.watch(nn.Linear(2, 2)) as flow, torch.no_grad():
        gradlab.mark(h, "h", 0)
    assert flow.names == []
    with pytest.raises(TypeError, match="h at step 3 is a tuple: mark one tensor at a time"):
        gradlab.mark((h, h), "h", 3)


def test_a_watch_that_nobody_holds_hears_nothing():
    h = torch.ones(2, 3, requires_grad=True)
    model = nn.Linear(2, 2)
    gradlab.watch(model)
    gc.collect()
    gradlab.mark(h, "h", 0)
    assert not h._backward_hooks


def test_a_marked_parameter_keeps_no_hook():
    model, start = Ran().double(), nn.Parameter(torch.zeros(2, 5, dtype=torch.float64))
    for _ in range(3):
        with gradlab.watch(model) as flow:
            gradlab.mark(start, "start", 0)
            (model(drawn()) + start).sum().backward()
        np.testing.assert_allclose(flow.trace("start").log10_norm("start")[0, 0], np.log10(np.sqrt(5.0)))
    assert not start._backward_hooks


def test_marks_of_a_batch_that_shrinks_are_refused_in_a_sentence_and_hide_no_other():
    model, x = Ran().double(), torch.ones(3, 2, requires_grad=True)
    with gradlab.watch(model) as flow:
        (gradlab.mark(2 * x, "a", 0).sum() + gradlab.mark((2 * x)[:2], "a", 1).sum() + model(drawn()).sum()).backward()
    with pytest.raises(ValueError, match="a is marked with 3 sequences at some steps and 2 at others"):
        flow.trace("a")
    assert "a" in flow.refused
    assert {diagnosis.part for diagnosis in flow.diagnose()} == {"h"}
