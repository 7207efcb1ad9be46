"""A module with batch_first reads [B, T, X]: its stack takes the same arrays, and results do not depend on the form."""

import numpy as np
import pytest
import torch
from gradlab.jacobians import product_jacobians
from torch import nn

from gradlab import Stack, itemised, trace

B, T, X, H = 4, 50, 3, 8


@pytest.mark.parametrize("make", [nn.RNN, nn.LSTM, nn.GRU])
def test_the_modules_own_arrays_are_read_as_it_reads_them(make):
    torch.manual_seed(0)
    module = make(X, H, num_layers=2, batch_first=True).double()
    usual = make(X, H, num_layers=2).double()
    usual.load_state_dict(module.state_dict())
    inputs, cotangents = torch.randn(B, T, X).double(), torch.randn(B, T, H).double()
    own = trace(Stack.from_torch(module), inputs, cotangents)
    other = trace(Stack.from_torch(usual), inputs.transpose(0, 1), cotangents.transpose(0, 1))
    assert own.log10_norms.shape[1:3] == (T, B)
    assert np.array_equal(own.log10_norms, other.log10_norms)


def test_every_analysis_reads_them_so_and_the_wrong_way_round_is_refused():
    stack = Stack.from_torch(nn.LSTM(X, H, batch_first=True))
    inputs, cotangents = np.ones((B, T, X)), np.ones((B, T, H))
    assert len(itemised.itemised(stack, inputs, cotangents).query("layer == 0 and state == 'h'")) == T * T
    assert product_jacobians(stack, inputs).rows.shape[0] == T
    with pytest.raises(ValueError, match=r"\(50, 4, 8\): \[B, T, H\] = \(4, 50, 8\) is needed.*transpose\(0, 1\)"):
        trace(stack, inputs, cotangents.swapaxes(0, 1))
    with pytest.raises(ValueError, match=r"\[L, B, H\] = \(1, 50, 8\) is needed"):  # T and B changed places
        trace(stack, inputs.swapaxes(0, 1), cotangents.swapaxes(0, 1), [np.zeros((1, B, H))] * 2)


@pytest.mark.parametrize("batch_first", [True, False])
def test_lengths_and_states_tell_which_axis_is_the_batch(batch_first):
    stack = Stack.from_torch(nn.GRU(X, H, batch_first=batch_first))
    turned = (T, B) if batch_first else (B, T)
    x, injected = np.ones((*turned, X)), np.ones((*turned, H))
    for given in (
        {"lengths": [T] * B},
        {"initial_state": np.zeros((1, B, H))},
        {"final_cotangents": np.zeros((1, B, H))},
    ):
        letters = r"\[B, T, X\]" if batch_first else r"\[T, B, X\]"
        said = rf"read as {letters}, since batch_first = {batch_first}: 50 sequences of 4 steps.*of 4: .*transpose"
        with pytest.raises(ValueError, match=said):
            trace(stack, x, injected, **given)


def test_a_stack_keeps_its_weights_whatever_becomes_of_the_callers_arrays():
    layer = [np.full((8, 3), 0.5), np.full((8, 8), 0.1), np.zeros(8), np.zeros(8)]
    stack = Stack("rnn", (layer,))
    layer[1][:] = 99.0
    assert (stack.layers[0].U == 0.1).all()


def test_arrays_without_all_their_values_are_refused_by_name():
    stack = Stack.from_torch(nn.RNN(X, H))
    masked = np.ma.masked_array(np.ones((T, B, X)), mask=np.zeros((T, B, X)))
    whole = trace(stack, masked, np.ones((T, B, H)))
    masked[3, 0, 0] = np.ma.masked
    with pytest.raises(ValueError, match="inputs has masked entries"):
        trace(stack, masked, np.ones((T, B, H)))
    with pytest.raises(ValueError, match="cotangents is a tensor on the meta device"):
        trace(stack, np.ones((T, B, X)), torch.ones(T, B, H, device="meta"))
    assert np.array_equal(whole.log10_norms, trace(stack, np.ones((T, B, X)), np.ones((T, B, H))).log10_norms)
