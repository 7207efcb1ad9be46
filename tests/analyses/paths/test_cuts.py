"""One route left out of the adjoint alone: what autograd gives when that route is detached."""

import numpy as np
import pytest

from gradlab import Experiment, trace
from gradlab.analyses.paths import cut, decompose, routes
from gradlab.cells import CELLS
from gradlab.cells.contract import keep_of, without
from tests.analyses.paths.routes_by_autograd import gradients
from tests.networks import drawn_case, over_finite

EVERY = [(cell, route) for cell in CELLS for route in routes(cell)]


def norms_of(table, depth, states, T):
    """[L, S, T] mean log10 norms."""
    return table["log10_norm"].to_numpy().reshape(depth, states, T)


def expected_of(gradient):
    with np.errstate(divide="ignore"):
        norms = np.log10(np.linalg.norm(gradient, axis=-1))  # [L, T, B, S]
    return over_finite(np.moveaxis(norms, 2, -1)).swapaxes(1, 2)


@pytest.mark.parametrize(("cell", "route"), EVERY)
def test_a_cut_leaves_what_autograd_leaves_when_the_route_is_detached(cell, route):
    case = drawn_case(cell, depth=2, T=9, gain=1.5)
    found = norms_of(cut(*case, without=route), 2, len(CELLS[cell].states), 9)
    assert found == pytest.approx(expected_of(gradients(case, without=(route,))), abs=1e-10)


@pytest.mark.parametrize("cell", ["lstm", "gru", "lstm_peephole"])
def test_several_routes_can_be_cut_at_once(cell):
    both = ("recurrent", "candidate")
    case = drawn_case(cell, depth=2, T=9, gain=1.5)
    table = cut(*case, without=both)
    found = norms_of(table, 2, len(CELLS[cell].states), 9)
    assert found == pytest.approx(expected_of(gradients(case, without=both)), abs=1e-10)
    assert set(table["path"]) == {"without recurrent and candidate"}


@pytest.mark.parametrize("cell", CELLS)
def test_a_cut_changes_the_gradient_wherever_the_route_was_used(cell):
    case = drawn_case(cell, depth=2, T=9, gain=1.5)
    whole = trace(*case).table["log10_norm"].to_numpy()
    left = {route: cut(*case, without=route)["log10_norm"] for route in routes(cell)}
    unused = {route for route in left if np.allclose(left[route], whole, atol=1e-12)}
    nothing_to_add = set() if keep_of(CELLS[cell]) or "c" in CELLS[cell].states else {"direct"}
    no_U = {"recurrent"} if set(without(CELLS[cell], "U")) == set(CELLS[cell].pre_activations) else set()
    assert unused == nothing_to_add | no_U


@pytest.mark.parametrize("cell", CELLS)
def test_without_u_the_direct_path_is_left(cell):
    experiment = Experiment(cell=cell, depth=2, hidden_size=8, steps=30)
    parts = decompose(experiment, orders=1)
    direct = parts[parts["path"] == "direct"]["log10_norm"].to_numpy()
    assert cut(experiment, without="recurrent")["log10_norm"].to_numpy() == pytest.approx(direct, abs=1e-12)


def test_nothing_cut_is_the_trace():
    experiment = Experiment(cell="gru", depth=2, hidden_size=8, steps=30)
    found = cut(experiment, without=())
    assert (found["log10_norm"] == trace(experiment).table["log10_norm"]).all()
    assert set(found["path"]) == {"total"}


def test_only_a_cell_of_several_states_has_a_route_between_them():
    assert routes("lstm") == ("direct", "recurrent", "input", "forget", "candidate", "output", "h to c")
    assert routes("rnn") == ("direct", "recurrent", "candidate")


@pytest.mark.parametrize(
    ("cell", "route"), [("rnn", "forget"), ("gru", "h to c"), ("lstm", "reset"), ("lstm", "U"), ("lstm", None)]
)
def test_a_route_that_the_cell_has_not_is_refused_with_those_it_has(cell, route):
    with pytest.raises(ValueError, match=f"without = {route!r} is no route of {cell}: use direct, recurrent, "):
        cut(Experiment(cell=cell, steps=5), without=route)
