"""The readout and its losses against torch's, and what it changes in a trace."""

import numpy as np
import pytest
import torch

from gradlab.analyses.problem import problem_of
from gradlab.analyses.traces import trace
from gradlab.network.readout import OBJECTIVES, drawn, drawn_targets, read
from gradlab.network.stack import Stack
from gradlab.settings.drawing import inputs_of, loss_steps_of, read_of, readout_of, targets_of
from gradlab.settings.experiment import Experiment
from gradlab.settings.inputs import default_text, vocabulary

WITH_READOUT = ("cross_entropy", "squared_error")
m, B, H, Y = 4, 3, 6, 5


def torch_loss(objective, scores, targets):
    if objective == "squared_error":
        return 0.5 * (scores - targets).square().sum()
    return torch.nn.functional.cross_entropy(scores.flatten(0, 1), targets.argmax(-1).flatten(), reduction="sum")


@pytest.mark.parametrize("objective", WITH_READOUT)
def test_loss_and_all_its_gradients_are_those_of_torch(objective):
    random = np.random.default_rng(3)
    readout, targets = drawn(Y, H, random), drawn_targets(objective, m, B, Y, random)
    states = 3 * random.standard_normal((m, B, H))
    found = read(readout, objective, states, targets)
    h, V, b_V = (torch.tensor(array, requires_grad=True) for array in (states, *readout))
    loss = torch_loss(objective, h @ V.T + b_V, torch.tensor(targets))
    loss.backward()
    assert found.losses.sum() == pytest.approx(loss.item(), rel=1e-12)
    expected = (h.grad, V.grad, b_V.grad)
    for array, tensor in zip((found.cotangents, *found.readout_bar), expected, strict=True):
        assert np.allclose(array, tensor.numpy(), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("objective", WITH_READOUT)
def test_each_step_and_sequence_has_its_own_loss(objective):
    random = np.random.default_rng(4)
    readout, targets = drawn(Y, H, random), drawn_targets(objective, m, B, Y, random)
    states = random.standard_normal((m, B, H))
    losses = read(readout, objective, states, targets).losses
    assert losses.shape == (m, B)
    for at in np.ndindex(m, B):
        scores = torch.tensor(readout.V @ states[at] + readout.b_V)[None, None]
        assert losses[at] == pytest.approx(float(torch_loss(objective, scores, torch.tensor(targets[at])[None, None])))


@pytest.mark.parametrize("size", [1, 4, 9])
def test_a_readout_fills_plus_minus_one_over_root_h_evenly_as_torchs_does(size):
    for part in drawn(4000, size, np.random.default_rng(0)):
        values = np.sort(part.ravel()) * np.sqrt(size)
        assert np.abs(values - np.linspace(-1, 1, values.size)).max() < 2 * 1.95 / np.sqrt(values.size)
        assert np.abs(values).max() <= 1
    theirs = torch.nn.Linear(size, 4000)
    assert float(theirs.weight.detach().abs().max()) * np.sqrt(size) == pytest.approx(1, rel=1e-3)


def test_cross_entropy_of_huge_scores_is_finite():
    losses, gradient = OBJECTIVES["cross_entropy"](np.array([[900.0, -900.0]]), np.array([[0.0, 1.0]]))
    assert losses == pytest.approx([1800])
    assert np.allclose(gradient, [[1, -1]])


def test_a_direction_has_no_readout():
    with pytest.raises(ValueError, match="has no readout"):
        OBJECTIVES["direction"](np.zeros((1, 2)), np.zeros((1, 2)))


@pytest.mark.parametrize("objective", WITH_READOUT)
@pytest.mark.parametrize("loss", ["last", "many_to_many", "many_to_many_delayed", "steps"])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_the_cotangents_of_an_experiment_are_what_autograd_puts_into_the_states(objective, loss, cell):
    e = Experiment(cell=cell, depth=2, hidden_size=8, steps=9, batch_size=2, loss=loss, objective=objective)
    stack, inputs = Stack.from_experiment(e), inputs_of(e)
    module = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell](e.input_size, 8, 2).double()
    with torch.no_grad():
        for number, layer in enumerate(stack.layers):
            for name, array in zip(("weight_ih", "weight_hh", "bias_ih", "bias_hh"), layer, strict=True):
                getattr(module, f"{name}_l{number}").copy_(torch.tensor(array))
    h = module(torch.tensor(inputs))[0].detach().requires_grad_()
    V, b_V = map(torch.tensor, readout_of(e))
    at = loss_steps_of(e).tolist()
    torch_loss(objective, (h @ V.T + b_V)[at], torch.tensor(targets_of(e))[at]).backward()
    found = problem_of(e).cotangents
    assert np.allclose(found, h.grad.numpy(), rtol=1e-11, atol=1e-14)
    assert np.isfinite(trace(e).log10_norm("h")[:, : at[-1]]).all()


def test_a_readout_of_a_text_is_asked_for_the_next_character():
    e = Experiment(inputs="text", steps=5, batch_size=1, objective="cross_entropy", loss="many_to_many")
    symbols = vocabulary(None)
    assert "".join(symbols[i] for i in targets_of(e)[:, 0].argmax(-1)) == default_text()[1:6]


def test_without_knowledge_cross_entropy_is_the_logarithm_of_the_vocabulary():
    e = Experiment(objective="cross_entropy", output_size=4, loss="many_to_many", hidden_size=1, steps=300)
    states = np.zeros((e.steps, e.batch_size, 1))
    spread = read_of(e, states).losses.mean()
    assert spread == pytest.approx(np.log(4), abs=0.6)  # the drawn bias of at most 1 moves it
    uniform = drawn(4, 1, np.random.default_rng(0))._replace(b_V=np.zeros(4))
    losses = read(uniform, "cross_entropy", states, targets_of(e)).losses
    assert np.allclose(losses, 1.386294, atol=1e-6)


def test_the_cell_changes_neither_readout_nor_targets():
    for of in (readout_of, targets_of):
        lstm, rnn = (of(Experiment(cell=cell, objective="squared_error")) for cell in ("lstm", "rnn"))
        assert all(np.array_equal(a, b) for a, b in zip(lstm, rnn, strict=True))
