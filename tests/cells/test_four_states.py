"""A cell may carry any number of states: an sLSTM's four, against autograd of its step."""

import numpy as np
import pytest
import torch

from gradlab.analyses.arguments import sparse
from gradlab.analyses.jacobians import product_jacobians, step_jacobians
from gradlab.analyses.paths import cut, decompose, microscope
from gradlab.analyses.paths.edges import edge_vectors
from gradlab.analyses.problem import problem_of
from gradlab.analyses.traces import trace
from gradlab.cells import CELLS
from gradlab.engine import Sweep, autograd, sweep, times_power
from gradlab.network.stack import Stack
from tests.cells.four_states import SLSTM, WithoutHToC
from tests.networks import drawn_case, log10_norms, totals_of

ALLOWED = 1e-10


@pytest.fixture
def case_of(four_states, monkeypatch):
    """Drawn cases of the sLSTM; its normalizer starts well above zero."""
    monkeypatch.setitem(CELLS, "slstm_without_h_to_c", WithoutHToC)

    def drawn(depth, **settings):
        case = drawn_case(four_states, depth=depth, **settings)
        h, c, n, m = case.initial_state
        return case._replace(initial_state=(h, c, 1 + np.abs(n), m))

    return drawn


def error(found, exact):
    """The largest error of a state's gradient [..., S, H], relative to the largest of all states there."""
    size = np.abs(exact).max(axis=(-2, -1), keepdims=True)
    return float((np.abs(found - exact) / np.where(size == 0, 1, size)).max())


@pytest.mark.parametrize("depth", [1, 2])
def test_every_state_gradient_is_autograds(case_of, depth):
    case = case_of(depth, H=11, T=30, gain=1.5)
    swept = sweep(case.stack, case.inputs, sparse(case.cotangents), case.initial_state, keep=("totals",))
    exact = autograd(case.stack, case.inputs, case.cotangents, case.initial_state)
    assert error(totals_of(swept), exact) < ALLOWED
    assert np.abs(exact[..., 1:3, :]).max() > 1e-3


@pytest.mark.parametrize("depth", [1, 2])
def test_the_stabilizers_gradient_is_what_the_states_that_it_scales_have(case_of, depth):
    case = case_of(depth, T=12)
    swept = sweep(case.stack, case.inputs, sparse(case.cotangents), case.initial_state)
    _, c, n, _ = case.initial_state
    _, c_bar, n_bar, m_bar = np.moveaxis(swept.initial_bar, 2, 0)
    assert m_bar == pytest.approx(c * c_bar + n * n_bar, abs=1e-12 * np.abs(c * c_bar).max())


def test_a_trace_names_all_four_and_has_autograds_norms(case_of):
    case = case_of(2)
    found = trace(*case)
    assert found.states == ("h", "c", "n", "m")
    assert set(found.table["state"]) == {"h", "c", "n", "m"}
    exact = log10_norms(autograd(case.stack, case.inputs, case.cotangents, case.initial_state))
    for kind, state in enumerate("hcn"):
        there = np.isfinite(exact[..., kind])
        assert found.log10_norm(state)[there] == pytest.approx(exact[..., kind][there], abs=ALLOWED)


def jacobian(case, T, sequence):
    """∂(all states after T steps)/∂(all initial states) by autograd."""
    L, H = case.stack.depth, case.stack.hidden_size
    layers = [[torch.from_numpy(part) for part in layer] for layer in case.stack.layers]

    def last(start):
        states = [SLSTM.record(*layer) for layer in start.reshape(L, 4, H)]
        for x in torch.from_numpy(case.inputs[:T, sequence]):
            for layer, (W, U, b_W, b_U) in enumerate(layers):
                a_x, a_h = W @ x + b_W, U @ states[layer].h + b_U
                states[layer], _ = SLSTM.step(a_x.split(H), a_h.split(H), states[layer])
                x = states[layer].h
        return torch.cat([value for state in states for value in state])

    start = np.stack([value[:, sequence] for value in case.initial_state], axis=1)
    return torch.autograd.functional.jacobian(last, torch.from_numpy(start.ravel())).numpy()


@pytest.mark.parametrize("depth", [1, 2])
def test_jacobians_of_independent_states_are_autograds(case_of, depth):
    T, sequence = 5, 1
    case = case_of(depth, H=5, T=T)
    exact = jacobian(case, T, sequence)
    steps = step_jacobians(case.stack, case.inputs, case.initial_state, sequence)
    composed = np.linalg.multi_dot([steps[t] for t in reversed(range(T))])
    assert composed == pytest.approx(exact, abs=ALLOWED * np.abs(exact).max())
    product = product_jacobians(case.stack, case.inputs, case.initial_state, sequence)
    assert product.at(0) @ steps[0] == pytest.approx(exact, abs=ALLOWED * np.abs(exact).max())


def test_without_h_to_c_the_gradient_is_that_of_a_step_whose_h_passes_nothing_on(case_of):
    case = case_of(2, T=9)
    found = cut(*case, without="h to c, n, m")
    other = Stack("slstm_without_h_to_c", case.stack.layers)
    exact = log10_norms(autograd(other, case.inputs, case.cotangents, case.initial_state))
    for (layer, state), rows in found.groupby(["layer", "state"]):
        if state != "m":  # the total is zero but for rounding
            right = exact[layer, :, :, SLSTM.states.index(state)].mean(axis=1)
            assert rows.sort_values("step")["log10_norm"].to_numpy() == pytest.approx(right, abs=ALLOWED)
    whole = trace(*case).table
    assert not np.allclose(whole["log10_norm"], found["log10_norm"])


def test_what_arrives_over_the_edges_becomes_the_totals_by_what_states_pass_on(case_of):
    T, depth = 8, 2
    case = case_of(depth, T=T)
    totals = autograd(case.stack, case.inputs, case.cotangents, case.initial_state)
    arrived = np.zeros_like(totals)
    for edge in edge_vectors(problem_of(*case), range(T)):
        if edge.layer >= 0:
            place = SLSTM.states.index(edge.state)
            arrived[edge.layer, edge.step, :, place] += times_power(edge.vector, edge.exponent)
    run = Sweep(case.stack, case.inputs, case.initial_state)
    run.forward()
    states, saved = (np.moveaxis(values, -2, 0) for values in run.values())
    start = np.moveaxis(np.stack(case.initial_state, axis=2)[:, None], -2, 0)
    old = SLSTM.record(*np.concatenate([start, states[:, :, :-1]], axis=2))
    of_edges = SLSTM.record(*np.moveaxis(arrived, -2, 0))
    passed_on = SLSTM.adjoint(tuple(saved), old, SLSTM.record(*states), of_edges)[3]
    assert error(np.stack(passed_on, axis=-2), totals) < ALLOWED


def test_orders_of_paths_sum_to_the_whole_and_the_microscope_follows_the_cell_state(case_of):
    case = case_of(2, T=10)
    shares = decompose(*case, orders=2).query("state == 'c' and path != 'total' and share.notna()")
    assert shares.groupby(["layer", "step"])["share"].sum().to_numpy() == pytest.approx(1, abs=1e-9)
    scope = microscope(*case, layer=1)
    assert {"h", "c", "n", "m", "output", "input"} <= set(scope.values)
    assert scope.values["direct factor"] == pytest.approx(scope.values["forget"], rel=1e-12)
