"""What flows through the unrolled network's edges sums to the total at every node; single edges have known answers."""

from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from gradlab import Experiment
from gradlab.analyses.arguments import sparse
from gradlab.analyses.paths import cut, decades, edges
from gradlab.analyses.paths.edges import EDGE_COLUMNS, _direct, edge_vectors
from gradlab.analyses.problem import problem_of
from gradlab.cells import CELLS
from gradlab.engine import Sweep, autograd, sweep, times_power
from gradlab.network.stack import Layer, Stack
from tests.cells.four_states import Stabilized
from tests.networks import drawn_case, over_finite


@pytest.mark.parametrize("cell", CELLS)
def test_what_arrives_at_a_node_sums_to_its_total(cell):
    T, depth = 8, 3
    case = drawn_case(cell, depth=depth, T=T, gain=1.5)
    given = problem_of(*case)
    totals = autograd(case.stack, case.inputs, case.cotangents, case.initial_state)
    sums, sizes = {}, {}
    for edge in edge_vectors(given, range(T)):
        place, vector = (edge.layer, edge.step, edge.state), times_power(edge.vector, edge.exponent)
        sums[place] = sums.get(place, 0) + vector
        sizes[place] = max(sizes.get(place, 0), np.abs(vector).max())
    for layer in range(depth):
        for t in range(T):
            h = totals[layer, t, :, 0]
            arrived, size = sums.get((layer, t, "h"), 0 * h), sizes.get((layer, t, "h"), 0)
            assert arrived == pytest.approx(h, abs=1e-11 * size)
            states = CELLS[cell].states
            if len(states) > 1 and t < T - 1:
                arrived = [sums.get((layer, t, state), 0 * h) for state in states]
                for kind, total in enumerate(with_passes_within(case, layer, t, arrived)):
                    size = np.abs(total).max(initial=1e-30)
                    assert total == pytest.approx(totals[layer, t, :, kind], abs=1e-11 * size)


def with_passes_within(case, layer, t, arrived):
    """What arrives at each state of a step, with what the states pass to each other within it: h to c, say."""
    cell = CELLS[case.stack.cell]
    record = cell.record
    run = Sweep(case.stack, case.inputs, case.initial_state)
    run.forward()
    states, saved = run.values()
    new = record(*states[layer, t].swapaxes(0, 1))
    old = new  # the total does not read it
    return cell.adjoint(tuple(saved[layer, t].swapaxes(0, 1)), old, new, record(*arrived))[3]


def test_the_input_edge_is_the_inputs_gradient():
    case = drawn_case("gru", depth=2, T=6)
    swept = sweep(case.stack, case.inputs, sparse(case.cotangents), case.initial_state, with_inputs=True)
    for edge in edge_vectors(problem_of(*case), range(6)):
        assert (edge.layer == -1) == (edge.kind == "input")
        if edge.kind == "input":
            assert times_power(edge.vector, edge.exponent) == pytest.approx(swept.inputs_bar[edge.step], rel=1e-10)


def test_the_direct_edge_of_a_resting_lstm_loses_its_forget_gate_a_step():
    experiment = Experiment(
        cell="lstm", initialization="zeros", inputs="zero", forget_bias=1.0, hidden_size=4, steps=60
    )
    table = edges(experiment, first=10, last=20).set_index(["edge", "step"])["log10_norm"]
    assert np.diff(table["direct"]) == pytest.approx(-np.log10(1 / (1 + np.exp(-1.0))), abs=1e-12)
    assert (table["recurrent"] == -np.inf).all()


def test_edges_of_an_rnn_are_recurrent_and_those_of_a_minimal_cell_direct():
    rnn = edges(Experiment(cell="rnn", hidden_size=8, steps=20), first=3, last=9)
    assert (rnn[rnn["edge"] == "direct"]["log10_norm"] == -np.inf).all()
    minimal = edges(Experiment(cell="min_gru", hidden_size=8, steps=20), first=3, last=9)
    assert (minimal[minimal["edge"] == "recurrent"]["log10_norm"] == -np.inf).all()
    whole = cut(Experiment(cell="min_gru", hidden_size=8, steps=20), without=())
    direct = minimal[minimal["edge"] == "direct"]["log10_norm"].to_numpy()
    assert direct == pytest.approx(whole["log10_norm"].to_numpy()[3:10], abs=1e-12)


@pytest.mark.parametrize(("cell", "states"), [("lstm", {"c"}), ("gru", {"h"})])
def test_the_additive_update_arrives_at_the_states_that_have_one_alone(cell, states):
    table = edges(Experiment(cell=cell, hidden_size=4, steps=6))
    assert set(table[table["edge"] == "direct"]["state"]) == states


def test_far_back_the_edges_leave_the_floating_point_range_and_stay_finite():
    table = edges(Experiment(cell="rnn", hidden_size=8, steps=3000, gain=0.3), last=5)
    recurrent = table[table["edge"] == "recurrent"]["log10_norm"]
    assert (recurrent < -1000).all()
    assert np.isfinite(recurrent).all()
    assert tuple(table.columns) == EDGE_COLUMNS


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"first": -1}, "first = -1 is not allowed: use a whole number from 0 to 299"),
        ({"first": 1.5}, "first = 1.5 is not allowed"),
        ({"first": 6, "last": 5}, "last = 5 is not allowed: use a whole number from 6 to 205"),
        ({"first": 290, "last": 300}, "last = 300 is not allowed: use a whole number from 290 to 299"),
        ({"last": 250}, "last = 250 is not allowed: use a whole number from 0 to 199"),
    ],
    ids=str,
)
def test_steps_that_are_not_there_or_too_many_are_refused(wanted, words):
    with pytest.raises(ValueError, match=words):
        edges(Experiment(steps=300, hidden_size=8), **wanted)


def test_without_a_last_step_all_that_are_allowed_come_each_with_its_lag():
    table = edges(Experiment(steps=300, hidden_size=4), first=50)
    assert sorted(table["step"].unique()) == list(range(50, 250))
    assert (table["lag"] == 299 - table["step"]).all()


@pytest.mark.parametrize("size", [1e-200, 1.0, 1e200])
def test_edges_are_measured_at_any_size_and_relative_to_what_the_loss_put_in(size):
    case = drawn_case("lstm", depth=2, T=9)
    plain, scaled = edges(*case), edges(*case._replace(cotangents=size * case.cotangents))
    flows = np.isfinite(plain["log10_norm"])
    assert np.array_equal(flows, np.isfinite(scaled["log10_norm"]))
    moved = scaled["log10_norm"][flows] - plain["log10_norm"][flows]
    assert moved.to_numpy() == pytest.approx(np.log10(size), abs=1e-9)
    assert scaled["log10_relative"][flows].to_numpy() == pytest.approx(plain["log10_relative"][flows], abs=1e-9)
    given = problem_of(*case)
    entered = np.log10(np.sqrt((given.cotangents**2).sum(axis=(0, 2))))  # of each sequence
    loss = {edge.step: edge.vector for edge in edge_vectors(given, range(9)) if edge.kind == "loss"}
    with np.errstate(divide="ignore"):
        for row in plain[plain["edge"] == "loss"].itertuples():
            norms = np.log10(np.linalg.norm(loss[row.step], axis=-1))
            assert row.log10_relative == pytest.approx(over_finite(norms - entered))


def test_decades_run_from_the_least_to_the_most_finite_value_of_all_tables():
    tables = [pd.DataFrame({"log10_relative": values}) for values in ([-3.0, -np.inf], [np.nan, 2.0], [-1.0])]
    assert decades(*tables) == (-3.0, 2.0)
    assert decades(tables[0].iloc[1:]) == (-1.0, 0.0)


def test_a_vertical_edge_has_the_exponent_of_the_layer_above():
    """Two linear layers of one unit: what comes down is w u^lag, far beyond the range, whatever lies below."""
    T, w, u = 400, 0.7, 0.01
    one, none = np.ones((1, 1)), np.zeros(1)
    stack = Stack("rnn_linear", (Layer(one, 0.9 * one, none, none), Layer(w * one, u * one, none, none)))
    cotangents = np.zeros((T, 1, 1))
    cotangents[-1] = 1
    problem = problem_of(stack, np.zeros((T, 1, 1)), cotangents)
    down = {edge.step: edge for edge in edge_vectors(problem, range(T)) if edge.kind == "vertical"}
    for t in range(T):
        found = np.log10(abs(down[t].vector[0, 0])) + np.log10(2) * down[t].exponent[0]
        assert found == pytest.approx(np.log10(w) + (T - 1 - t) * np.log10(u), rel=1e-12)


class Chain(NamedTuple):
    """Four states: within a step each is made of the next one, and keeps half of itself from step to step."""

    record, states = Stabilized, Stabilized._fields

    @staticmethod
    def adjoint(saved, state, new, new_bar):
        total = [new_bar.h]
        for arrived in new_bar[1:]:
            total.append(arrived + 3 * total[-1])
        return (), (), Stabilized(*(0.5 * value for value in total)), Stabilized(*total)


def test_states_that_pass_on_to_each_other_in_a_chain_are_each_counted_once():
    total = np.random.default_rng(0).standard_normal((2, 4, 5))
    none = np.zeros((2, 4, 5))
    found = np.stack(_direct(Chain, none[:, :1], none, none, total), axis=1)
    assert found == pytest.approx(0.5 * total, rel=1e-12)
