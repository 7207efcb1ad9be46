"""The contrast cells against their papers' closed forms, and in the limits in which they are the LSTM."""

import numpy as np
import pytest
import torch

from gradlab.analyses.traces import trace
from gradlab.cells import CELLS
from gradlab.cells.activations import is_positive
from gradlab.cells.leaky import LEAK
from gradlab.engine import Cotangents, Sweep
from gradlab.network.stack import Layer, Stack, gate_rows
from gradlab.settings.drawing import inputs_of
from gradlab.settings.experiment import Experiment

H, X, B, T = 6, 3, 2, 40
ZERO = Experiment(hidden_size=H, input_size=X, batch_size=B, steps=T, initialization="zeros")


def zero_stack(cell: str, **biases: float) -> Stack:
    """A stack of one layer with all weights 0 and the given biases of gates."""
    rows = len(CELLS[cell].pre_activations) * H
    b_W = np.zeros(rows)
    for gate, bias in biases.items():
        b_W[gate_rows(cell, gate, H)] = bias
    return Stack(cell, (Layer(np.zeros((rows, X)), np.zeros((rows, H)), b_W, np.zeros(rows)),))


def carried(stack: Stack, state: str, initial: float = 0.7) -> float:
    """log10 of how much of the loss's gradient the given state keeps from the last step to the first."""
    states = tuple(np.full((1, B, H), initial) for _ in CELLS[stack.cell].states)
    cotangents = np.zeros((T, B, H))
    cotangents[-1] = np.random.default_rng(1).normal(size=(B, H))
    norms = trace(stack, np.zeros((T, B, X)), cotangents, states).log10_norm(state)[0]
    return float((norms[0] - norms[-1]).mean())


def jacobian_diagonal(experiment: Experiment) -> tuple[np.ndarray, np.ndarray]:
    """∂h_T/∂h_0 of a one-layer stack, first sequence, by its rows; and the gates [T, V, H] of the same forward pass."""
    stack = Stack.from_experiment(experiment)
    run = Sweep(stack, inputs_of(experiment)[:, :1], rows=H)
    run.forward()
    final = np.eye(H)[None, :, None, :]
    nothing = Cotangents(np.empty(0, int), np.empty(0, int), np.empty((0, H)), H, final)
    rows = run.adjoint(nothing, independent=True).initial_bar[0, :, 0]
    return rows, run.values()[1][0, :, 0]


def sigma(x: float) -> float:
    return 1 / (1 + np.exp(-x))


def test_without_a_forget_gate_the_carousel_keeps_everything():
    assert carried(zero_stack("lstm_1997"), "c", initial=0.0) == 0.0


@pytest.mark.parametrize("bias", [-1.0, 0.0, 3.0])
def test_coupled_gates_keep_what_the_forget_gate_lets_through(bias):
    assert carried(zero_stack("lstm_coupled", forget=bias), "c") == pytest.approx((T - 1) * np.log10(sigma(bias)))


def test_the_squashed_update_loses_a_factor_of_tanhs_slope_at_every_step():
    stack = zero_stack("lstm_squashed", forget=3.0)
    run = Sweep(stack, np.zeros((T, B, X)), (np.zeros((1, B, H)), np.full((1, B, H), 0.7)))
    run.forward()
    c = run.values()[0][0, :, 0, 1]
    slopes = np.log10(sigma(3.0) * (1 - c[1:, 0] ** 2)).sum()
    assert carried(stack, "c") == pytest.approx(slopes)
    assert carried(stack, "c") < carried(zero_stack("lstm", forget=3.0), "c") - 0.5  # what addition gives


def test_peepholes_of_zero_make_it_the_lstm():
    lstm = Stack.from_experiment(ZERO.replace(initialization="orthogonal"))
    layer = lstm.layers[0]
    more = [np.zeros((3 * H, X)), np.zeros((3 * H, H)), np.zeros(3 * H), np.zeros(3 * H)]
    peephole = Stack("lstm_peephole", (Layer(*(np.concatenate(pair) for pair in zip(layer, more, strict=True))),))
    inputs = inputs_of(ZERO)
    cotangents = np.random.default_rng(0).normal(size=(T, B, H))
    for state in ("h", "c"):
        assert trace(peephole, inputs, cotangents).log10_norm(state) == pytest.approx(
            trace(lstm, inputs, cotangents).log10_norm(state), rel=1e-13
        )


def test_peephole_weights_are_drawn_and_alone_in_their_rows():
    stack = Stack.from_experiment(ZERO.replace(cell="lstm_peephole", initialization="orthogonal", depth=2))
    for layer in stack.layers:
        rows = slice(4 * H, 7 * H)
        assert not layer.W[rows].any()
        assert not layer.U[rows].any()
        assert not layer.b_U[rows].any()
        assert len(np.unique(layer.b_W[rows])) == 3 * H


def test_the_leaky_network_without_recurrent_weight_keeps_one_minus_its_leak():
    assert carried(zero_stack("leaky"), "h") == pytest.approx((T - 1) * np.log10(1 - LEAK))


def test_the_minimal_gated_unit_without_weights_keeps_one_minus_its_gate():
    assert carried(zero_stack("minimal_gated", update=-2.0), "h") == pytest.approx((T - 1) * np.log10(1 - sigma(-2.0)))


@pytest.mark.parametrize("cell", ["min_gru", "min_lstm"])
@pytest.mark.parametrize("initialization", ["pytorch", "orthogonal"])
def test_the_whole_gradient_of_minimal_cells_is_the_product_of_their_gates(cell, initialization):
    rows, saved = jacobian_diagonal(ZERO.replace(cell=cell, initialization=initialization, gain=2.0))
    kept = 1 - saved[:, 0] if cell == "min_gru" else saved[:, 1] / (saved[:, 0] + saved[:, 1])
    assert rows == pytest.approx(np.diag(kept.prod(axis=0)), rel=1e-12, abs=0)
    assert np.ptp(np.log10(kept.prod(axis=0))) > 1  # units differ: no constant would do


def test_the_forget_bias_sets_every_forget_gate_and_no_other_cell_changes():
    for cell in CELLS:
        plain, biased = (Stack.from_experiment(ZERO.replace(cell=cell, forget_bias=b)) for b in (None, 2.0))
        same = all(np.array_equal(a, b) for a, b in zip(plain.layers[0], biased.layers[0], strict=True))
        assert same == ("forget" not in CELLS[cell].pre_activations)
        if not same:
            forget = gate_rows(cell, "forget", H)
            assert (biased.layers[0].b_W[forget] + biased.layers[0].b_U[forget] == 2.0).all()


def test_the_identity_with_relu_carries_a_positive_state_unchanged_over_a_thousand_steps():
    """Le et al. 2015: U the identity, no biases, no input."""
    none = np.zeros(H)
    stack = Stack("rnn_relu", (Layer(np.zeros((H, X)), np.eye(H), none, none),))
    cotangents = np.zeros((1000, B, H))
    cotangents[-1] = np.random.default_rng(0).normal(size=(B, H))
    norms = trace(stack, np.zeros((1000, B, X)), cotangents, np.full((1, B, H), 0.3)).log10_norm("h")[0]
    assert (norms == norms[-1]).all()


def test_the_leaky_network_keeps_nine_tenths_a_step_around_u():
    assert carried(zero_stack("leaky"), "h") == pytest.approx((T - 1) * np.log10(0.9), abs=1e-12)


def test_the_slope_of_a_rectifier_is_undefined_where_its_argument_overflowed():
    values = torch.tensor([float("inf"), float("-inf"), float("nan"), 2.0, 0.0, -2.0])
    slopes = is_positive(values)
    assert torch.isnan(slopes[:3]).all()
    assert slopes[3:].tolist() == [1, 0, 0]
