"""Biases that keep: what is left of an old state, by torch's derivative of the cell's step where no weight is read."""

import numpy as np
import pytest
import torch

from gradlab.cells import CELLS
from gradlab.cells.contract import keep_gate_of, keep_of
from gradlab.network.stack import Stack, gate_rows
from gradlab.settings.initializations import gate_at_rest, kept_at_rest
from gradlab.settings.repairs import both, chrono, keeps, orthogonal, raised, recurrent_gates, replaced, scaled
from tests.networks import drawn_case

BESIDE = ("lstm_squashed", "lstm_peephole", "min_lstm")  # what they keep is not that gate's value alone
SMOOTH = [name for name in CELLS if keeps(name) and "hard" not in name and name not in BESIDE]
STEPLESS = [name for name, cell in CELLS.items() if keep_of(cell) is None or keep_gate_of(cell) is None]


def kept(cell, pre_activations):
    """∂(last state)/∂(its old value) of a step from zeros, as the cell's equations have it."""
    cell = CELLS[cell]
    old = [torch.zeros_like(pre_activations[0]).requires_grad_() for _ in cell.states]
    none = tuple(torch.zeros_like(old[0]) for _ in pre_activations)
    new, _ = cell.step(tuple(pre_activations), none, cell.record(*old))
    return torch.autograd.grad(new[-1].sum(), old[-1])[0]


def of_biases(stack, layer=0):
    """That of each unit of a layer, by its biases alone, [H]."""
    b = torch.from_numpy(stack.layers[layer].b_W + stack.layers[layer].b_U)
    return kept(stack.cell, list(b.split(stack.hidden_size))).numpy()


@pytest.mark.parametrize("cell", SMOOTH)
def test_chrono_biases_spread_the_memories_evenly_and_a_higher_bias_keeps_more(cell):
    stack = drawn_case(cell, depth=2, H=6).stack
    for layer in (0, 1):
        share = of_biases(chrono(stack, 50).stack, layer)
        assert share / (1 - share) == pytest.approx(np.linspace(1, 49, 6)), "u = σ(b) / (1 - σ(b))"
        before, after = of_biases(stack, layer), of_biases(raised(stack, 0.7).stack, layer)
        assert np.log(after / (1 - after)) - np.log(before / (1 - before)) == pytest.approx(0.7)


def test_a_chrono_lstm_s_input_gate_lets_in_what_its_forget_gate_leaves():
    stack = chrono(drawn_case("lstm", H=6).stack, 50).stack
    b = stack.layers[0].b_W + stack.layers[0].b_U
    let_in = 1 / (1 + np.exp(-b[gate_rows("lstm", "input", 6)]))
    assert let_in == pytest.approx(1 - of_biases(stack))


def test_three_steps_are_enough_for_chrono_biases_and_two_are_not():
    stack = drawn_case("gru", H=3).stack
    assert of_biases(chrono(stack, 3).stack) == pytest.approx(np.array([1 / 2, 0.6, 2 / 3]))
    with pytest.raises(ValueError, match="steps = 2 is too short"):
        chrono(stack, 2)


@pytest.mark.parametrize("cell", [name for name in CELLS if name not in STEPLESS])
@pytest.mark.parametrize("bias", [-1.5, 0.0, 1.0, 5.0])
def test_what_is_kept_at_rest_is_the_derivative_of_the_step(cell, bias):
    gate, sign = keep_gate_of(CELLS[cell])
    named = [sign * bias if name == gate else 0.0 for name in CELLS[cell].pre_activations]
    expected = float(kept(cell, [torch.tensor(value, dtype=torch.float64) for value in named]))
    assert kept_at_rest(CELLS[cell], bias) == pytest.approx(expected)
    if cell != "min_lstm":  # which keeps f / (f + i)
        assert gate_at_rest(CELLS[cell], bias) == pytest.approx(expected)


@pytest.mark.parametrize("cell", STEPLESS)
def test_a_cell_that_keeps_by_no_product_of_gates_keeps_nothing_that_can_be_said(cell):
    with pytest.raises(ValueError, match="keeps its old state by no product of gates"):
        kept_at_rest(CELLS[cell], 1.0)
    if keep_gate_of(CELLS[cell]) is None:
        with pytest.raises(ValueError, match="has no gate that keeps its old state"):
            gate_at_rest(CELLS[cell], 1.0)


REPAIRS = {
    "raised": lambda stack: raised(stack, 0.7),
    "lowered": lambda stack: raised(stack, -0.7),
    "chrono": lambda stack: chrono(stack, 50),
    "orthogonal": lambda stack: orthogonal(stack, recurrent_gates(stack.cell)),
    "of one gate": lambda stack: orthogonal(stack, recurrent_gates(stack.cell)[1:2]),
    "scaled": lambda stack: scaled(stack, 1.3),
    "both": lambda stack: both(scaled(stack, 1.3), raised(scaled(stack, 1.3).stack, 0.7), "both"),
}


@pytest.mark.parametrize("name", REPAIRS)
@pytest.mark.parametrize("module", [torch.nn.LSTM, torch.nn.GRU])
def test_the_lines_make_of_a_module_the_stack_and_change_as_many_numbers_as_are_said_to_be_lost(module, name):
    torch.manual_seed(0)
    rnn = module(3, 5, num_layers=2, dtype=torch.float64)
    before = [value.detach().clone() for value in rnn.parameters()]
    repair = REPAIRS[name](Stack.from_torch(rnn))
    exec("\n".join(repair.code), {"torch": torch, "rnn": rnn})
    for ours, theirs in zip(repair.stack.layers, Stack.from_torch(rnn).layers, strict=True):
        for part in ("W", "U"):
            assert np.array_equal(getattr(ours, part), getattr(theirs, part))
        assert ours.b_W + ours.b_U == pytest.approx(theirs.b_W + theirs.b_U, abs=1e-15)
    changed = sum(int((value != old).sum()) for value, old in zip(rnn.parameters(), before, strict=True))
    assert repair.lost == changed


@pytest.mark.parametrize("cell", [name for name in CELLS if keeps(name)])
def test_a_bias_goes_up_or_down_as_is_said_and_always_towards_keeping(cell):
    stack = drawn_case(cell, H=4).stack
    repair = raised(stack, 0.7)
    change = (repair.stack.layers[0].b_W - stack.layers[0].b_W).sum()
    assert change == pytest.approx(4 * 0.7 * keep_gate_of(CELLS[cell])[1])
    assert (" up by 0.7" in repair.title, " down by 0.7" in repair.title) == (change > 0, change < 0)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_gated_cell_in_the_place_of_an_rnn_is_the_one_that_the_lines_make(cell):
    torch.manual_seed(0)
    stack = Stack.from_torch(torch.nn.RNN(3, 5, num_layers=2, dtype=torch.float64))
    repair, made = replaced(stack, cell), {"torch": torch}
    exec("\n".join(repair.code), made)
    for ours, theirs in zip(repair.stack.layers, Stack.from_torch(made["rnn"]).layers, strict=True):
        assert all(map(np.array_equal, ours, theirs))
    assert repair.lost == sum(value.numel() for value in torch.nn.RNN(3, 5, num_layers=2).parameters())


@pytest.mark.parametrize(
    ("cell", "gates", "title"),
    [
        ("rnn", ("candidate",), "Orthogonal U"),
        ("lstm", ("input", "forget", "candidate", "output"), "Orthogonal U of every gate"),
        ("lstm", ("forget",), "Orthogonal U of the forget gate alone"),
        ("lstm", ("output", "candidate"), "Orthogonal U of the output gate and candidate alone"),
        ("gru", ("reset", "candidate"), "Orthogonal U of the reset gate and candidate alone"),
    ],
)
def test_an_orthogonal_u_is_named_by_the_gates_that_it_is_of(cell, gates, title):
    stack = drawn_case(cell, H=4).stack
    assert {*gates} <= {*CELLS[cell].pre_activations}
    assert orthogonal(stack, gates).title == title
    then = both(orthogonal(stack, gates), scaled(stack, 0.5), "both")
    assert (then.title, then.kind) == (f"{title}, u times 0.5", "both")
