"""`Recurrent` takes the place of torch's own modules: the same outputs, gradients and trained weights."""

import numpy as np
import pytest
import torch
from torch import nn

from gradlab.cells import CELLS
from gradlab.engine.recurrent import Recurrent
from gradlab.network.stack import Stack
from tests.networks import drawn_stack

ALLOWED = 1e-10
T, B, X, H = 17, 5, 4, 11
TORCH = {
    "rnn": nn.RNN,
    "rnn_relu": lambda *a, **k: nn.RNN(*a, nonlinearity="relu", **k),
    "lstm": nn.LSTM,
    "gru": nn.GRU,
}


def drawn(cell, depth=2, seed=0):
    """torch's module, the same as a Recurrent, inputs and initial states."""
    torch.manual_seed(seed)
    module = TORCH[cell](X, H, num_layers=depth).double()
    inputs = torch.randn(T, B, X, dtype=torch.float64)
    states = tuple(torch.randn(depth, B, H, dtype=torch.float64) for _ in CELLS[cell].states)
    return module, Recurrent(Stack.from_torch(module)), inputs, states


def as_given(states):
    return states if len(states) > 1 else states[0]


def as_tuple(state):
    return state if isinstance(state, tuple) else (state,)


def close(found, expected):
    return (found - expected).norm() <= ALLOWED * expected.norm()


def loss_and_gradients(module, inputs, states, parameters):
    """A loss of every output and last state; gradients of inputs, initial states and parameters by name."""
    x = inputs.clone().requires_grad_()
    start = [state.clone().requires_grad_() for state in states]
    outputs, last = module(x, as_given(tuple(start)))
    weight = torch.linspace(-1, 1, outputs.numel(), dtype=torch.float64).reshape(outputs.shape)
    loss = (weight * outputs).sum() + sum((k + 2) * state.square().sum() for k, state in enumerate(as_tuple(last)))
    loss.backward()
    gradients = {"inputs": x.grad} | {f"state {k}": state.grad for k, state in enumerate(start)}
    return loss.detach(), outputs.detach(), last, gradients | {name: p.grad for name, p in parameters}


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("cell", TORCH)
def test_outputs_last_states_and_every_gradient_are_those_of_torchs_module(cell, depth):
    module, ours, inputs, states = drawn(cell, depth)
    assert dict(ours.named_parameters()).keys() == dict(module.named_parameters()).keys()
    loss, outputs, last, gradients = loss_and_gradients(ours, inputs, states, ours.named_parameters())
    loss_t, outputs_t, last_t, gradients_t = loss_and_gradients(module, inputs, states, module.named_parameters())
    assert close(loss, loss_t)
    assert close(outputs, outputs_t)
    for found, expected in zip(as_tuple(last), as_tuple(last_t), strict=True):
        assert close(found, expected)
    assert gradients.keys() == gradients_t.keys()
    for name, expected in gradients_t.items():
        assert close(gradients[name], expected), name


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_are_those_of_finite_differences_for_every_cell(cell):
    ours = Recurrent(drawn_stack(cell, 2, 3, 2, np.random.default_rng(1)))
    x = torch.randn(5, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    parameters = tuple(ours.parameters())
    names = [name for name, _ in ours.named_parameters()]

    def outputs(x, *values):
        h, last = torch.func.functional_call(ours, dict(zip(names, values, strict=True)), (x,))
        return h, *as_tuple(last)

    assert torch.autograd.gradcheck(outputs, (x, *parameters), atol=1e-7)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_twenty_updates_of_adam_give_torchs_own_weights(cell):
    module, ours, inputs, _ = drawn(cell)
    target = torch.sin(torch.arange(T * B, dtype=torch.float64)).reshape(T, B)

    def train(net):
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
        losses = []
        for _ in range(20):
            optimizer.zero_grad()
            outputs, _ = net(inputs)
            loss = (outputs.sum(dim=2) - target).square().mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    losses, losses_t = train(ours), train(module)
    assert np.allclose(losses, losses_t, rtol=1e-6, atol=0)
    assert losses[-1] < losses[0]
    for (name, found), expected in zip(ours.named_parameters(), module.parameters(), strict=True):
        assert (found - expected).norm() < 1e-6 * expected.norm(), name


def test_a_backward_pass_may_be_repeated_while_the_graph_is_retained():
    _, ours, inputs, states = drawn("lstm")
    outputs, (h, c) = ours(inputs, states)
    parameters = tuple(ours.parameters())
    once = torch.autograd.grad(outputs.sum(), parameters, retain_graph=True)
    again = torch.autograd.grad(outputs.sum(), parameters, retain_graph=True)
    of_c = torch.autograd.grad(c.sum(), parameters)
    assert all(torch.equal(a, b) for a, b in zip(once, again, strict=True))
    fresh = torch.autograd.grad(ours(inputs, states)[1][1].sum(), parameters)
    assert all(torch.equal(a, b) for a, b in zip(of_c, fresh, strict=True))
    with pytest.raises(RuntimeError, match="second time"):
        torch.autograd.grad(h.sum(), parameters)  # the graph is gone


def test_inputs_that_were_changed_since_the_forward_pass_are_noticed_and_changed_weights_do_not_matter():
    _, ours, inputs, _ = drawn("gru")
    expected = torch.autograd.grad(ours(inputs)[0].sum(), tuple(ours.parameters()))
    outputs, _ = ours(inputs)
    with torch.no_grad():
        ours.weight_ih_l0.mul_(2)
    found = torch.autograd.grad(outputs.sum(), tuple(ours.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    outputs, _ = ours(inputs)
    inputs.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        outputs.sum().backward()


def test_slices_in_threads_train_the_same(monkeypatch):
    module, ours, inputs, states = drawn("gru")
    expected = loss_and_gradients(module, inputs, states, module.named_parameters())[3]
    monkeypatch.setattr("gradlab.engine.recurrent.slices_of", lambda work, n: [slice(0, 2), slice(2, 3), slice(3, n)])
    found = loss_and_gradients(ours, inputs, states, ours.named_parameters())[3]
    for name, gradient in expected.items():
        assert close(found[name], gradient), name


def test_inputs_in_another_order_of_memory_and_expanded_gradients_are_the_same():
    module, ours, inputs, _ = drawn("lstm")
    turned = inputs.transpose(0, 1).contiguous().transpose(0, 1)
    assert not turned.is_contiguous()
    for net in (module, ours):
        net.zero_grad()
        net(turned)[0].sum().backward()  # the gradient of a sum is one number, expanded
    for found, expected in zip(ours.parameters(), module.parameters(), strict=True):
        assert close(found.grad, expected.grad)


def test_weights_that_are_not_trained_and_no_grad_are_left_alone():
    _, ours, inputs, _ = drawn("gru")
    ours.weight_hh_l0.requires_grad_(False)
    ours(inputs)[0].sum().backward()
    assert ours.weight_hh_l0.grad is None
    assert ours.weight_hh_l1.grad is not None
    with torch.no_grad():
        outputs, state = ours(inputs)
    assert not outputs.requires_grad
    assert torch.equal(outputs[-1], state[-1])


def test_the_stack_of_a_module_is_a_copy_that_training_does_not_touch():
    _, ours, _, _ = drawn("lstm")
    before = ours.stack
    with torch.no_grad():
        ours.weight_hh_l0.zero_()
    assert before.layers[0].U.any()
    assert not ours.stack.layers[0].U.any()


def test_float32_is_trained_in_float32():
    module, _, inputs, _ = drawn("gru")
    module = module.float()
    ours = Recurrent(Stack.from_torch(module))
    for net in (module, ours):
        net(inputs.float())[0].square().mean().backward()
    for found, expected in zip(ours.parameters(), module.parameters(), strict=True):
        assert found.grad.dtype == torch.float32
        assert (found.grad - expected.grad).norm() < 1e-4 * expected.grad.norm()


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_float32_gradients_of_a_loss_whose_gradient_fades_below_float32_are_those_of_float64(cell):
    torch.manual_seed(3)
    module = TORCH[cell](X, H).double()
    ours = Recurrent(Stack.from_torch(module.float()))
    module = module.double()  # of the same, rounded weights
    inputs = torch.randn(400, B, X)
    module(inputs.double())[0][-1].sum().backward()
    ours(inputs)[0][-1].sum().backward()
    for (name, found), expected in zip(ours.named_parameters(), module.parameters(), strict=True):
        assert (found.grad - expected.grad).norm() < 1e-5 * expected.grad.norm(), name


def test_what_does_not_fit_is_refused_before_the_kernels():
    _, ours, inputs, (h, c) = drawn("lstm")
    for wrong in (inputs[0], inputs[..., :3], inputs.float(), inputs[:0]):
        with pytest.raises(ValueError, match="inputs has"):
            ours(wrong)
    with pytest.raises(ValueError, match="initial_state has 1 parts"):
        ours(inputs, h)
    with pytest.raises(ValueError, match="initial_state c has shape"):
        ours(inputs, (h, c[:, :2]))
    with pytest.raises(ValueError, match=r"initial_state h has .* in torch.float32"):
        ours(inputs, (h.float(), c))
    with pytest.raises(ValueError, match=r"inputs is inf at \[3, 1, 2\]"):
        ours(inputs.index_put((torch.tensor(3), torch.tensor(1), torch.tensor(2)), torch.tensor(np.inf).double()))
    with torch.no_grad():
        ours.weight_ih_l1[2, 1] = np.nan
    with pytest.raises(ValueError, match=r"layer 1: W \(weight_ih_l1 in PyTorch\) is nan at \[2, 1\]"):
        ours(inputs)


def test_it_is_differentiated_once_and_says_so():
    _, ours, inputs, _ = drawn("gru")
    x = inputs.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(ours(x)[0].square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="is differentiated once: a second derivative, as of a gradient penalty"):
        gradient.sum().backward()


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_gradient_penalty_raises_where_nothing_before_it_needs_a_gradient(cell):
    """The gradient of a plain sum enters with a constant: torch's own once_differentiable lets that pass in silence."""
    _, ours, inputs, _ = drawn(cell)
    for wanted in (lambda x, module: x, lambda x, module: next(module.parameters())):
        x = inputs.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(ours(x)[0].sum(), wanted(x, ours), create_graph=True)
        with pytest.raises(RuntimeError, match=r"create_graph=True.*load_state_dict"):
            gradient.square().sum().backward()
    x = inputs.clone().requires_grad_()
    (plain,) = torch.autograd.grad(ours(x)[0].sum(), x)
    (kept,) = torch.autograd.grad(ours(x)[0].sum(), x, create_graph=True)
    assert torch.equal(plain, kept)


def test_a_state_kept_between_windows_with_its_graph_is_told_to_be_detached():
    _, ours, inputs, _ = drawn("lstm")
    outputs, state = ours(inputs)
    outputs.sum().backward()
    outputs, _ = ours(inputs, state)
    with pytest.raises(RuntimeError, match=r"second time.*detach it, state\.detach\(\), for \(h, c\) both"):
        outputs.sum().backward()
    outputs, _ = ours(inputs, [part.detach() for part in state])
    outputs.sum().backward()
