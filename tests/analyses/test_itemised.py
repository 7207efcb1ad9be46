"""The itemised matrix against autograd, against the trace, and against what is known of it."""

import numpy as np
import pandas as pd
import pytest
import torch

from gradlab.analyses.itemised import (
    TABLE_COLUMNS,
    drawn_rows,
    evenly,
    individual_losses,
    itemised,
    most_rows,
    pairs,
    vectors,
    with_rows,
)
from gradlab.analyses.problem import problem_of
from gradlab.analyses.thinning import PairBins
from gradlab.analyses.traces import trace
from gradlab.cells import CELLS
from gradlab.engine import autograd
from gradlab.network.stack import Layer, Stack
from gradlab.settings.drawing import inputs_of
from gradlab.settings.experiment import Experiment

T, B, H, DEPTH = 7, 2, 5, 2
random = np.random.default_rng(11)


def case(cell, depth=DEPTH, hidden=H, steps=T):
    """A stack, inputs, cotangents at some steps, and initial states."""
    e = Experiment(cell=cell, depth=depth, hidden_size=hidden, input_size=3, steps=steps, batch_size=B)
    cotangents = random.standard_normal((steps, B, hidden))
    cotangents[1] = 0
    states = tuple(random.standard_normal((depth, B, hidden)) for _ in CELLS[cell].states)
    return Stack.from_experiment(e), inputs_of(e), cotangents, states


def only(cotangents, step):
    """The loss at one step alone."""
    alone = np.zeros_like(cotangents)
    alone[step] = cotangents[step]
    return alone


def gradient_of_weights(stack, inputs, cotangents, states):
    """∂L/∂(W, U, b_W, b_U) of every layer by autograd over a plain loop."""
    cell, record = CELLS[stack.cell], CELLS[stack.cell].record
    layers = [Layer(*(torch.tensor(array, requires_grad=True) for array in layer)) for layer in stack.layers]
    now = [record(*(torch.tensor(value[layer]) for value in states)) for layer in range(stack.depth)]
    loss = 0.0
    for x, weight in zip(torch.tensor(inputs), torch.tensor(cotangents), strict=True):
        below = x
        for number, (W, U, b_W, b_U) in enumerate(layers):
            a_x, a_h = below @ W.T + b_W, now[number].h @ U.T + b_U
            now[number], _ = cell.step(a_x.split(H, 1), a_h.split(H, 1), now[number])
            below = now[number].h
        loss = loss + (weight * below).sum()
    loss.backward()
    for array in (array for layer in layers for array in layer if array.grad is None):
        array.grad = torch.zeros_like(array)  # a cell whose gates read the input alone has no U
    return [Layer(*(array.grad.numpy() for array in layer)) for layer in layers]


@pytest.mark.parametrize("cell", CELLS)
def test_every_row_is_the_gradient_of_its_loss_alone(cell):
    stack, inputs, cotangents, states = case(cell)
    found = vectors(stack, inputs, cotangents, states)
    assert found.loss_steps.tolist() == [0, 2, 3, 4, 5, 6]
    for row, loss_step in enumerate(found.loss_steps):
        expected = autograd(stack, inputs, only(cotangents, loss_step), states)
        assert np.allclose(found.states_bar[:, row], expected, rtol=1e-10, atol=1e-13)
        assert not found.states_bar[:, row, loss_step + 1 :].any()


@pytest.mark.parametrize("cell", CELLS)
def test_rows_sum_as_vectors_to_the_total(cell):
    stack, inputs, cotangents, states = case(cell)
    total = vectors(stack, inputs, cotangents, states).states_bar.sum(axis=1)
    assert np.allclose(total, autograd(stack, inputs, cotangents, states), rtol=1e-10, atol=1e-13)
    with np.errstate(divide="ignore"):
        norms = np.log10(np.linalg.norm(total, axis=-1))
    found = trace(stack, inputs, cotangents, states)
    for kind, state in enumerate(CELLS[cell].states):
        assert np.allclose(norms[..., kind], found.log10_norm(state), atol=1e-9)


@pytest.mark.parametrize("cell", CELLS)
def test_contributions_sum_to_the_gradient_of_u_by_autograd(cell):
    stack, inputs, cotangents, states = case(cell)
    found = vectors(stack, inputs, cotangents, states)
    expected = gradient_of_weights(stack, inputs, cotangents, states)
    for layer in range(DEPTH):
        parts = [found.contribution(layer, row, t) for row in range(len(found.loss_steps)) for t in range(T)]
        assert np.allclose(sum(parts), expected[layer].U, rtol=1e-10, atol=1e-12)
        assert (np.linalg.norm(expected[layer].U) > 1e-3) == bool(stack.layers[layer].U.any())


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_the_table_holds_the_norms_of_the_vectors(cell):
    stack, inputs, cotangents, states = case(cell)
    found = vectors(stack, inputs, cotangents, states)
    table = itemised(stack, inputs, cotangents, states)
    assert tuple(table.columns) == TABLE_COLUMNS
    keyed = table.set_index(["loss_step", "step", "layer", "state"]).log10_norm
    assert len(keyed) == len(table) == 6 * T * DEPTH * len(CELLS[cell].states)
    with np.errstate(divide="ignore"):
        norms = np.log10(np.linalg.norm(found.states_bar, axis=-1)).mean(axis=3)  # [L, K, T, S]
    for kind, state in enumerate(CELLS[cell].states):
        for row, loss_step in enumerate(found.loss_steps):
            for layer in range(DEPTH):
                expected = norms[layer, row, :, kind]
                assert np.allclose(keyed[loss_step, :, layer, state], expected, atol=1e-9)
                assert np.isneginf(keyed[loss_step, :, layer, state][loss_step + 1 :]).all()


def test_chosen_loss_steps_of_a_long_sequence_are_rows_of_the_whole_matrix():
    e = Experiment(cell="lstm", hidden_size=8, steps=400, batch_size=3, loss="every")
    whole, some = itemised(e), itemised(e, loss_steps=[399, 7, 200])
    assert some.loss_step.unique().tolist() == [7, 200, 399]
    assert np.allclose(whole[whole.loss_step.isin([7, 200, 399])].log10_norm, some.log10_norm, atol=1e-9)


def test_norms_beyond_the_floating_point_range_are_results():
    e = Experiment(cell="rnn", hidden_size=8, steps=3000, batch_size=1, loss="every")
    far = itemised(e, loss_steps=[2999]).set_index("step").log10_norm[0]
    assert -2000 < far < -500
    grown = e.replace(cell="rnn_linear", initialization="orthogonal", gain=2.0, inputs="zero")
    row = pairs(grown, loss_steps=[2999]).log10_norms[0, 0, :, 0, 0]
    assert np.allclose(row, (2999 - np.arange(3000)) * np.log10(2), atol=1e-8)


def test_without_initial_states_they_are_zero():
    stack, inputs, cotangents, states = case("lstm")
    found = vectors(stack, inputs, cotangents)
    zeros = vectors(stack, inputs, cotangents, tuple(np.zeros_like(value) for value in states))
    for name in ("states_bar", "recurrent_bar", "previous"):
        np.testing.assert_array_equal(getattr(found, name), getattr(zeros, name))
    assert not found.previous[:, 0].any()


@pytest.mark.parametrize("most", [1, 2, 7, 24, 50])
def test_at_most_so_many_rows_are_those_of_the_whole_matrix(most):
    e = Experiment(hidden_size=4, steps=24, batch_size=2, loss="every")
    whole, some = itemised(e), itemised(e, most=most)
    kept = some["loss_step"].unique()
    assert len(kept) == min(most, 24)
    assert set(kept) >= ({0, 23} if most > 1 else set())
    expected = whole[whole["loss_step"].isin(kept)].reset_index(drop=True)
    pd.testing.assert_frame_equal(some, expected)
    with pytest.raises(ValueError, match="most = 0"):
        itemised(e, most=0)


def test_the_memory_stated_grows_by_the_arrays_that_are_returned(monkeypatch):
    monkeypatch.setenv("GRADLAB_THREADS", "1")
    e = Experiment(cell="lstm", hidden_size=2, depth=3, steps=9, batch_size=128, loss="every")  # groups of one row
    problem = problem_of(e)
    less, more = (pairs.needs(problem, loss_steps=rows).bytes for rows in ([8], [0, 3, 4, 8]))
    assert more - less == 3 * pairs(e, loss_steps=[8]).log10_norms.nbytes
    assert pairs.needs(problem, most=4) == pairs.needs(problem, loss_steps=[0, 3, 4, 8])
    assert pairs.needs(problem) == pairs.needs(problem, most=9)


def test_every_thread_holds_passes_of_its_own_up_to_one_for_each_group_of_loss_steps(monkeypatch):
    problem, stated = problem_of(Experiment(steps=300, batch_size=3, loss="every")), {}
    for threads in (1, 2, 8, 9):
        monkeypatch.setenv("GRADLAB_THREADS", str(threads))
        stated[threads] = pairs.needs(problem).bytes
    assert stated[8] - stated[1] == 7 * (stated[2] - stated[1]) > 0
    assert stated[9] == stated[8], "42 loss steps of three sequences are a group: 300 are 8 groups"


@pytest.mark.parametrize("most", [None, 3])
def test_without_a_loss_the_matrix_has_no_row(most):
    stack, inputs, cotangents, _ = case("lstm")
    found = pairs(stack, inputs, np.zeros_like(cotangents), most=most)
    assert found.losses == len(found.loss_steps) == 0
    assert found.table.empty


def test_the_first_step_is_one_that_can_be_chosen():
    table = itemised(Experiment(steps=20, loss="every"), loss_steps=[3, 0])
    assert table["loss_step"].unique().tolist() == [0, 3]


@pytest.mark.parametrize("chosen", [[-1], [20], [], [1.5], [3, 1.5], [True], [2, "4"]])
def test_loss_steps_outside_the_sequence_are_refused(chosen):
    with pytest.raises(ValueError, match="use whole numbers 0 to 19"):
        itemised(Experiment(steps=20), loss_steps=chosen)


def test_a_matrix_too_large_for_memory_is_refused_before_it_starts():
    e = Experiment(steps=200_000, batch_size=1, hidden_size=1, input_size=1, loss="every")
    with pytest.raises(ValueError, match="lower the number of loss_steps, steps"):
        itemised(e)


def test_what_progress_raises_ends_the_work():
    class Left(BaseException):
        pass

    def leave(fraction):
        raise Left

    with pytest.raises(Left):
        itemised(Experiment(steps=300, loss="every"), progress=leave)


def test_steps_spread_evenly_keep_both_ends():
    steps = np.arange(3, 1000)
    assert evenly(steps, 50)[[0, -1]].tolist() == [3, 999]
    assert len(evenly(steps, 50)) == 50
    assert evenly(steps[:20], 50).tolist() == list(range(3, 23))


def test_individual_losses_are_rows_of_the_matrix_the_last_among_them():
    e = Experiment(cell="lstm", depth=2, hidden_size=4, steps=40, batch_size=2, loss="every")
    found = pairs(e)
    rows, whole = individual_losses(found), found.table
    assert tuple(rows.columns) == TABLE_COLUMNS
    kept = rows["loss_step"].unique().tolist()
    assert (len(kept), kept[-1]) == (8, 39)
    assert 0 not in kept
    expected = whole[whole["loss_step"].isin(kept)]
    pd.testing.assert_frame_equal(rows, expected.reset_index(drop=True), check_exact=True)
    two = found._replace(loss_steps=found.loss_steps[[4, 9]], log10_norms=found.log10_norms[:, [4, 9]])
    assert individual_losses(two)["loss_step"].unique().tolist() == [9]
    alone = pairs(e.replace(loss="last"))
    pd.testing.assert_frame_equal(individual_losses(alone), alone.table)


def test_a_loss_that_enters_once_enters_at_every_step_of_a_matrix_and_others_are_left_alone():
    e = Experiment(steps=30)
    assert with_rows(e) == e.replace(loss="every")
    assert with_rows(e.replace(loss="step", loss_step=4)).loss == "every"
    assert with_rows(e.replace(loss="many_to_many_delayed")).loss == "many_to_many_delayed"


@pytest.mark.parametrize(("steps", "rows"), [(24, 24), (400, 400), (500, 400), (2000, 100), (100_000, 40)])
def test_a_matrix_that_is_looked_at_has_some_rows_of_a_long_sequence(steps, rows):
    subject = Experiment(steps=steps)
    assert most_rows(subject) == rows
    assert drawn_rows(subject) == min(rows, PairBins.bins)  # a bin of rows has one row where there are more


def test_the_norms_of_a_state_that_a_cell_lacks_are_those_of_h():
    found = pairs(Experiment(cell="gru", depth=2, hidden_size=4, steps=9, loss="every"))
    np.testing.assert_array_equal(found.norms(1, "c"), found.log10_norms[1, ..., 0])
    found = pairs(Experiment(cell="lstm", depth=2, hidden_size=4, steps=9, loss="every"))
    np.testing.assert_array_equal(found.norms(1, "c"), found.log10_norms[1, ..., 1])
    np.testing.assert_array_equal(found.norms(), found.log10_norms[0, ..., 0])
