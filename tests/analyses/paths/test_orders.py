"""Parts of the gradient by how often they pass U: what autograd gives when U's route is scaled; and they sum."""

import importlib

import numpy as np
import pandas as pd
import pytest

from gradlab import Experiment, trace
from gradlab.analyses.paths import cut, decompose, mean_passes
from gradlab.analyses.paths.orders import split_by_order
from gradlab.analyses.problem import problem_of
from gradlab.analyses.traces import TABLE_COLUMNS
from gradlab.cells import CELLS
from gradlab.engine import times_power
from gradlab.network.stack import Layer, Stack
from tests.analyses.paths.routes_by_autograd import gradients
from tests.networks import drawn_case, over_finite

PLAN = importlib.import_module("gradlab.engine.plan")


def vectors(swept):
    """[L, T, N, S, H]"""
    return np.stack([times_power(layer.totals, layer.exponents) for layer in swept.adjoints])


def split_of(case, orders):
    """(the parts [P, L, T, B, S, H], the total [L, T, B, S, H], the Split)."""
    split = split_by_order(problem_of(*case), orders)
    parts = vectors(split.parts)
    depth, T, _, S, H = parts.shape
    parts = np.moveaxis(parts.reshape(depth, T, len(split.names), -1, S, H), 2, 0)
    return parts, vectors(split.total), split


def close(found, exact, beside, tolerance=1e-10):
    """Whether vectors agree to the tolerance, relative to the largest of the vectors that were added up."""
    return (np.linalg.norm(found - exact, axis=-1) <= tolerance * beside).all()


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
@pytest.mark.parametrize("cell", CELLS)
def test_the_parts_sum_to_the_total_which_is_autograds(cell, depth):
    case = drawn_case(cell, depth=depth, T=14, B=3, gain=1.5, seed=depth)
    parts, total, _ = split_of(case, orders=3)
    size = np.linalg.norm(parts, axis=-1).max(axis=0)
    assert close(parts.sum(axis=0), total, size)
    assert close(total, gradients(case), np.linalg.norm(total, axis=-1))
    assert size.any()


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_order_k_is_what_grows_as_the_k_th_power_of_u_in_the_adjoint(cell, depth):
    T = 6
    case = drawn_case(cell, depth=depth, T=T, gain=2.0, seed=depth)
    parts, _, _ = split_of(case, orders=T - 1)
    assert not parts[-1].any()  # no path passes U more often than there are steps to go back
    for factor in (0.0, -1.0, 0.5, 2.0):
        powers = factor ** np.arange(T)[:, None, None, None, None, None]
        terms = powers * parts[:-1]
        assert close(terms.sum(axis=0), gradients(case, through_U=factor), np.linalg.norm(terms, axis=-1).max(axis=0))


def test_the_check_refuses_parts_that_are_in_the_wrong_order():
    case = drawn_case("lstm", T=6, gain=2.0)
    parts, _, _ = split_of(case, orders=5)
    exact = gradients(case, through_U=0.5)
    wrong = [0, 2, 1, 3, 4, 5]
    terms = 0.5 ** np.arange(6)[:, None, None, None, None, None] * parts[wrong]
    assert not close(terms.sum(axis=0), exact, np.linalg.norm(terms, axis=-1).max(axis=0), tolerance=1e-3)


@pytest.mark.parametrize("cell", CELLS)
def test_shares_are_projections_and_sum_to_one(cell):
    case = drawn_case(cell, depth=2, T=30, B=2, gain=1.5)
    parts, total, split = split_of(case, orders=2)
    for layer in range(2):
        shares = split.shares(layer)
        whole = total[layer]
        with np.errstate(invalid="ignore", divide="ignore"):
            expected = (parts[:, layer] * whole).sum(axis=-1) / (whole * whole).sum(axis=-1)
        assert shares == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True)
        sums = shares.sum(axis=0)
        assert sums[np.isfinite(sums)] == pytest.approx(1, abs=1e-10)
        assert np.array_equal(np.isnan(sums), ~whole.any(axis=-1))


def test_shares_in_the_table_are_mean_least_and_most_over_the_batch():
    case = drawn_case("gru", depth=1, T=12, B=4, gain=1.5)
    _, _, split = split_of(case, orders=2)
    shares = split.shares(0)[..., 0]  # [P, T, B]
    table = decompose(*case, orders=2)
    for number, name in enumerate(split.names):
        rows = table[table["path"] == name]
        for column, of in (("share", np.mean), ("share_min", np.min), ("share_max", np.max)):
            expected = over_finite(shares[number], of)
            assert rows[column].to_numpy() == pytest.approx(expected, nan_ok=True, abs=1e-15)
    whole = table[table["path"] == "total"]
    assert np.array_equal(whole["share"].isna(), np.isnan(shares.sum(axis=0)).all(axis=1))
    assert np.array_equal(whole["left_out"], np.isnan(shares.sum(axis=0)).sum(axis=1))
    assert 0 < whole["left_out"].min() + 1 < whole["left_out"].max() + 1
    assert (whole["share"].dropna() == 1).all()


def test_relative_norms_are_relative_to_what_the_loss_put_in():
    case = drawn_case("lstm", depth=2, T=9)
    large = case._replace(cotangents=1e3 * case.cotangents)
    plain, scaled = decompose(*case, orders=1), decompose(*large, orders=1)
    finite = np.isfinite(plain["log10_norm"]) & (plain["left_out"] == 0)
    assert (scaled["log10_norm"] - plain["log10_norm"])[finite].to_numpy() == pytest.approx(3, abs=1e-9)
    assert scaled["log10_relative"][finite].to_numpy() == pytest.approx(plain["log10_relative"][finite], abs=1e-9)
    entered = np.log10(np.sqrt((case.cotangents**2).sum(axis=(0, 2)))).mean()
    apart = (plain["log10_norm"] - plain["log10_relative"])[finite]
    assert apart.to_numpy() == pytest.approx(entered, abs=1e-9)


def test_the_table_is_the_traces_with_a_path_and_shares():
    experiment = Experiment(cell="lstm", depth=2, hidden_size=8, steps=40, batch_size=3)
    table = decompose(experiment, orders=2)
    assert list(dict.fromkeys(table["path"])) == ["direct", "order 1", "order 2", "rest", "total"]
    assert list(table.columns) == [*TABLE_COLUMNS, "share", "share_min", "share_max"]
    total = table[table["path"] == "total"].reset_index(drop=True)
    whole = trace(experiment).table
    for column in TABLE_COLUMNS:
        if column == "path" or whole[column].dtype.kind != "f":
            assert (total[column] == whole[column]).all()
        else:
            assert total[column].to_numpy() == pytest.approx(whole[column].to_numpy(), abs=1e-12)
    shares = table[table["path"] != "total"].groupby(["layer", "state", "step"])["share"].sum()
    assert shares.to_numpy() == pytest.approx(1, abs=1e-10)


@pytest.mark.parametrize("size", [1e-200, 1.0, 1e200])
def test_units_that_get_nothing_take_no_share_from_one_that_gets_a_negative_gradient(size):
    """Two linear units that know nothing of each other: at lag k all there is has passed U k times."""
    none = np.zeros(2)
    stack = Stack("rnn_linear", (Layer(np.zeros((2, 1)), np.diag([0.5, 0.7]), none, none),))
    cotangents = np.zeros((4, 1, 2))
    cotangents[-1, 0, 0] = -size
    shares = decompose(stack, np.zeros((4, 1, 1)), cotangents, orders=3).pivot(index="lag", columns="path")["share"]
    np.testing.assert_array_equal(shares[["direct", "order 1", "order 2", "order 3"]], np.eye(4))


def alone(case, last):
    """The case with the last loss of each sequence alone, at the steps `last`."""
    cotangents, sequences = np.zeros_like(case.cotangents), np.arange(len(last))
    cotangents[last, sequences] = case.cotangents[last, sequences]
    return case._replace(cotangents=cotangents)


@pytest.mark.parametrize("view", [decompose, cut, mean_passes])
def test_of_the_last_losses_alone_are_the_rows_of_a_loss_without_the_others_up_to_it(view):
    case, last = drawn_case("lstm", depth=2, T=12, B=3, gain=1.5), np.array([4, 8, 6])
    case.cotangents[:] = np.random.default_rng(1).standard_normal(case.cotangents.shape)
    for sequence, step in enumerate(last):
        case.cotangents[step + 1 :, sequence] = 0
    found, whole = view(*case, losses="last"), view(*alone(case, last))
    expected = whole[whole["step"] <= 8].reset_index(drop=True)
    expected["lag"] -= 3
    pd.testing.assert_frame_equal(found, expected, rtol=1e-9)


@pytest.mark.parametrize("view", [decompose, cut, mean_passes])
def test_without_a_loss_there_is_no_last_one_and_every_step_has_its_rows(view):
    case = drawn_case("lstm", T=7)
    case.cotangents[:] = 0
    pd.testing.assert_frame_equal(view(*case, losses="last"), view(*case))
    assert sorted(view(*case)["step"].unique()) == list(range(7))
    with pytest.raises(ValueError, match="losses = 'first' is not allowed: use all or last"):
        view(*case, losses="first")


def test_parts_far_outside_the_floating_point_range_still_sum_to_one():
    table = decompose(Experiment(cell="rnn", hidden_size=16, steps=3000, gain=0.3, batch_size=2), orders=2)
    first = table[(table["step"] == 0) & (table["path"] == "rest")]
    assert first["log10_norm"].item() < -1500
    assert first["share"].item() == pytest.approx(1)


def test_nothing_is_direct_in_an_rnn_and_all_is_direct_without_recurrent_weights():
    rnn = decompose(Experiment(cell="rnn", hidden_size=8, steps=12), orders=4).set_index("path")
    assert (rnn.loc["direct"].query("lag > 0")["log10_norm"] == -np.inf).all()
    assert (rnn.loc["order 3"].query("lag == 3")["share"] == 1).all()  # lag k is reached by order k alone
    minimal = decompose(Experiment(cell="min_gru", hidden_size=8, steps=12, depth=2), orders=1).set_index("path")
    assert minimal.loc["direct"]["share"].to_numpy() == pytest.approx(1, abs=1e-15)


@pytest.mark.parametrize("orders", [-1, 65, 2.5, "3", True])
def test_orders_outside_what_is_offered_are_refused(orders):
    with pytest.raises(ValueError, match=f"orders = {orders!r} is not allowed: use a whole number from 0 to 64"):
        decompose(Experiment(steps=5), orders=orders)


def test_more_than_memory_holds_is_refused_with_what_to_lower(monkeypatch):
    monkeypatch.setattr(PLAN, "memory_limit", lambda: 3 * 10**8)
    with pytest.raises(ValueError, match=r"10 parts of steps = 5000, .* GB are allowed: lower orders, steps, "):
        decompose(Experiment(steps=5000))


def test_progress_is_heard_and_can_stop_the_work():
    class Enough(Exception):
        pass

    heard = []

    def stop(fraction):
        heard.append(fraction)
        if fraction > 0.4:
            raise Enough

    with pytest.raises(Enough):
        decompose(Experiment(steps=3000, batch_size=2), progress=stop)
    assert 0 < heard[0] <= heard[-1] < 1
