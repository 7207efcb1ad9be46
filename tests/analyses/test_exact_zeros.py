"""Gradients that cancel over a batch, and pre-activations at a ReLU's kink, against torch."""

import numpy as np
import pytest
import torch

from gradlab.analyses.exact_zeros import at_kink, cancels
from gradlab.analyses.problem import problem_of
from gradlab.network.stack import Layer, Stack

H, X, T = 3, 2, 6
random = np.random.default_rng(5)


def stack(cell="rnn", depth=1, bias=1.0):
    layers = []
    for below in (X, *[H] * (depth - 1)):
        biases = bias * random.standard_normal((2, H))
        layers.append(Layer(random.standard_normal((H, below)), 0.6 * random.standard_normal((H, H)), *biases))
    return Stack(cell, tuple(layers))


def parameters_gradient(stack, inputs, cotangents, start):
    """The largest entry of torch's own gradient of all weights, of the batch, and the smallest such of a sequence."""
    module = torch.nn.RNN(X, H, dtype=torch.float64)
    W, U, b_W, b_U = stack.layers[0]
    for parameter, value in zip(module.parameters(), (W, U, b_W, b_U), strict=True):
        parameter.data = torch.tensor(value)

    def largest(chosen):
        module.zero_grad()
        h, _ = module(torch.tensor(inputs[:, chosen]), torch.tensor(start[:, chosen]))
        (h * torch.tensor(cotangents[:, chosen])).sum().backward()
        return max(parameter.grad.abs().max().item() for parameter in module.parameters())

    return largest(slice(None)), [largest([b]) for b in range(inputs.shape[1])]


def batch(groups):
    """Inputs, cotangents and initial states of sequences: those of one group read the same and sum to zero."""
    groups = np.array(groups)
    B = len(groups)
    inputs, start = random.standard_normal((T, B, X)), random.standard_normal((1, B, H))
    cotangents = random.standard_normal((T, B, H))
    cotangents[[1, 3]] = 0
    for group in set(groups.tolist()):
        own = np.flatnonzero(groups == group)
        inputs[:, own], start[:, own] = inputs[:, own[:1]], start[:, own[:1]]
        cotangents[:, own[-1]] = -cotangents[:, own[:-1]].sum(axis=1)
    return inputs, cotangents, start


CHANGES = {
    "nothing": True,
    "a later input": False,
    "an initial state": False,
    "a gradient up": False,
    "a gradient down": False,
    "gradients of two groups": False,
    "gradients of two steps": False,
    "gradients of a first and a last": False,
    "gradients of a last and a first": False,
}
FIRST_AND_LAST = ("gradients of a first and a last", "gradients of a last and a first")


@pytest.mark.parametrize(
    ("groups", "change"),
    [
        (groups, change)
        for groups in [(0, 0), (0, 1, 1, 0), (0, 0, 1, 1, 1), (1, 0, 1, 2, 0, 2, 0)]
        for change in CHANGES
        if 1 in groups or change not in ("gradients of two groups", *FIRST_AND_LAST)
    ],
)
def test_a_gradient_cancels_where_torchs_own_is_zero_and_each_sequences_is_not(groups, change):
    inputs, cotangents, start = batch(groups)
    if change == "a later input":
        inputs[2, 0, 1] += 1e-3
    elif change == "an initial state":
        start[0, 0, 2] += 1e-3
    elif change in ("a gradient up", "a gradient down"):
        cotangents[-1, 0, 1] += 1e-9 if change.endswith("up") else -1e-9
    elif change == "gradients of two groups":
        cotangents[4, groups.index(0)] += 1
        cotangents[4, groups.index(1)] -= 1
    elif change == "gradients of two steps":
        cotangents[2, 0] += 1
        cotangents[4, 0] -= 1
    elif change in FIRST_AND_LAST:  # as many steps apart as there are sequences
        early, late = (0, 1) if change == FIRST_AND_LAST[0] else (1, 0)
        cotangents[0, groups.index(early)] += 1
        cotangents[min(len(groups), T - 1), groups.index(late)] -= 1
    network = stack()
    whole, each = parameters_gradient(network, inputs, cotangents, start)
    assert min(each) > 1e-2
    assert (whole < 1e-13) == CHANGES[change]
    assert cancels(problem_of(network, inputs, cotangents, start)) == CHANGES[change]


@pytest.mark.parametrize("size", [1e-200, 1.0, 1e150])
def test_a_gradient_of_any_size_cancels_to_rounding(size):
    inputs, cotangents, start = batch((0, 0, 0))
    cotangents[-1, :, 0] = 0.1, 0.2, -0.3  # which sum to 6e-17
    assert cotangents[-1].sum(axis=0)[0] != 0
    assert cancels(problem_of(stack(), inputs, size * cotangents, start))
    cotangents[-1, 0] *= 1 + 1e-13
    assert not cancels(problem_of(stack(), inputs, size * cotangents, start))


def test_a_sequence_without_a_loss_changes_nothing_of_the_others_gradient():
    inputs, cotangents, start = batch((0, 0, 1, 1))
    cotangents[:, 2:] = 0
    inputs[:, 2] += 1  # it reads what no other reads
    network = stack()
    assert parameters_gradient(network, inputs, cotangents, start)[0] < 1e-13
    assert cancels(problem_of(network, inputs, cotangents, start))


def test_a_single_step_cancels_too():
    inputs, cotangents, start = batch((0, 0))
    assert cancels(problem_of(stack(), inputs[:1], cotangents[:1], start))


def test_without_a_loss_and_in_a_single_sequence_nothing_cancels():
    inputs, cotangents, start = batch((0, 0))
    assert not cancels(problem_of(stack(), inputs, 0 * cotangents, start))
    assert not cancels(problem_of(stack(), inputs[:, :1], cotangents[:, :1], start[:, :1]))


def kinks(stack, inputs, start):
    """The share of pre-activations that are exactly 0, by a plain loop over everything."""
    with torch.no_grad():
        h, zeros = [torch.tensor(value) for value in start], 0
        for x in torch.tensor(inputs):
            for number, (W, U, b_W, b_U) in enumerate(stack.layers):
                a = x @ torch.tensor(W).T + torch.tensor(b_W) + h[number] @ torch.tensor(U).T + torch.tensor(b_U)
                zeros += (a == 0).sum().item()
                x = h[number] = a.relu()
    return zeros / (inputs.shape[0] * inputs.shape[1] * len(stack.layers) * H)


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("silent", ["never", "at first", "a sequence", "always"])
@pytest.mark.parametrize("bias", ["none", "of one unit none", "of all units some", "that cancel", "none on top"])
def test_the_share_at_the_kink_is_that_of_a_loop(depth, silent, bias):
    network = stack("rnn_relu", depth)
    for layer in network.layers:
        if bias == "that cancel":
            layer.b_U[:] = -layer.b_W
        elif bias in ("none", "of one unit none") or (bias == "none on top" and layer is network.layers[-1]):
            units = slice(0, 1 if bias == "of one unit none" else H)
            layer.b_W[units] = layer.b_U[units] = 0
    inputs = random.standard_normal((T, 2, X))
    chosen = {"never": np.s_[:0], "at first": np.s_[:2], "a sequence": np.s_[:, 1], "always": np.s_[:]}[silent]
    inputs[chosen] = 0
    for start in (None, random.standard_normal((depth, 2, H))):
        found = at_kink(problem_of(network, inputs, np.ones((T, 2, H)), start))
        exact = kinks(network, inputs, np.zeros((depth, 2, H)) if start is None else start)
        assert found == pytest.approx(exact, abs=1e-12)
        if silent == "always" and bias == "none" and start is None:
            assert found == 1
        if bias == "of all units some":
            assert found == 0


def test_a_layer_that_is_off_leaves_the_one_above_at_the_kink():
    network = stack("rnn_relu", depth=2, bias=0.0)
    network.layers[0].W[:] = -1
    assert at_kink(problem_of(network, np.ones((T, 1, X)), np.ones((T, 1, H)))) == 1 / 2


def test_inputs_that_no_weight_reads_are_none():
    network = stack("rnn_relu", bias=0.0)
    network.layers[0].W[:] = 0
    assert at_kink(problem_of(network, np.ones((T, 1, X)), np.ones((T, 1, H)))) == 1


def test_other_activations_have_no_kink():
    network = stack("rnn", bias=0.0)
    assert at_kink(problem_of(network, np.zeros((T, 1, X)), np.ones((T, 1, H)))) == 0
