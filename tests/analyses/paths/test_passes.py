"""The mean number of passes of U: the shares of all orders with their number as weight; and known answers."""

import numpy as np
import pytest

from gradlab import Experiment, paths
from gradlab.analyses.paths.passes import _without_rounding
from gradlab.cells import CELLS
from gradlab.cells.contract import without
from tests.analyses.paths.routes_by_autograd import gradients
from tests.networks import drawn_case, over_finite


@pytest.mark.parametrize("depth", [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)])
@pytest.mark.parametrize("cell", CELLS)
def test_it_is_the_share_weighted_mean_of_the_orders(cell, depth):
    T = 9
    case = drawn_case(cell, depth=depth, T=T, B=3, gain=1.5, seed=depth)
    parts = paths.decompose(*case, orders=T)
    assert not (parts[parts["path"] == "rest"]["log10_norm"] > -np.inf).any()
    number = parts["path"].str.removeprefix("order ").where(parts["path"].str.startswith("order"), "0").astype(int)
    weighted = parts.assign(weighted=number * parts["share"])[~parts["path"].isin(["total", "rest"])]
    exact = weighted.groupby(["layer", "state", "step"])["weighted"].sum(min_count=1)
    size = weighted.assign(size=weighted["weighted"].abs()).groupby(["layer", "state", "step"])["size"].sum()
    found = paths.mean_passes(*case).set_index(["layer", "state", "step"])["passes"].loc[exact.index]
    assert (found.isna() == exact.isna()).all()
    assert (np.abs(found - exact)[~exact.isna()] <= 1e-9 * (1 + size[~exact.isna()])).all()
    assert found.notna().any()


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_it_is_the_derivative_of_autograds_gradient_by_a_factor_on_u(cell):
    case = drawn_case(cell, depth=2, T=7, B=2, gain=1.5, seed=4)
    step = 1e-5
    more, less = (gradients(case, through_U=1 + change) for change in (step, -step))
    whole = gradients(case)
    slope = (more - less) / (2 * step)
    with np.errstate(invalid="ignore"):  # where nothing arrives
        exact = (slope * whole).sum(-1) / (whole * whole).sum(-1)  # [L, T, B, S]
    table = paths.mean_passes(*case)
    for kind, state in enumerate(CELLS[cell].states):
        found = table[table["state"] == state]["passes"].to_numpy().reshape(2, 7)
        assert found == pytest.approx(over_finite(exact[..., kind]), abs=1e-6, nan_ok=True)


def test_an_rnn_passes_u_at_every_step_and_a_cell_without_u_never():
    rnn = paths.mean_passes(Experiment(cell="rnn", steps=40, hidden_size=6))
    assert rnn["passes"].to_numpy() == pytest.approx(rnn["lag"].to_numpy(), abs=1e-9)
    minimal = paths.mean_passes(Experiment(cell="min_gru", steps=40, hidden_size=6))
    assert set(without(CELLS["min_gru"], "U")) == set(CELLS["min_gru"].pre_activations)
    assert (minimal["passes"] == 0).all()


def test_it_holds_at_a_length_where_no_order_could_be_counted_and_gradients_leave_the_range():
    long = paths.mean_passes(Experiment(cell="rnn", steps=5000, hidden_size=4, batch_size=2))
    assert long["passes"].to_numpy() == pytest.approx(long["lag"].to_numpy(), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_by_rounding_alone_no_mean_leaves_0_to_lag(seed):
    """Of an RNN it is the lag itself, of which float32 rounds the last digits up as often as down."""
    e = Experiment(cell="rnn", steps=300, hidden_size=8, batch_size=4, dtype="float32", seed=seed)
    table = paths.mean_passes(e)
    assert table["passes"].to_numpy() == pytest.approx(table["lag"].to_numpy(), rel=1e-4)
    for lag in (1, 100, 299):
        at = paths.passes_at(table, lag)
        assert not at.cancels
        assert 0 <= at.least <= at.through <= at.most <= lag
        assert at.additions >= 0


def test_what_leaves_0_to_lag_by_more_than_a_rounding_of_every_pass_at_every_step_is_left_there():
    eps = np.finfo(np.float64).eps
    for lag, roundings in ((3, 16), (0, 1)):  # of lag + 1 steps, each of at most as many passes
        for beside in (0.5, 1.0):
            for bound, sign in ((0, -1), (lag, 1)):
                assert _at(lag, bound + sign * beside * roundings * eps) == bound
        for out in (-2 * roundings * eps, lag + 2 * roundings * eps, -5.0, lag + 5.0, 0.7 * lag):
            assert _at(lag, out) == out


def _at(lag, passes):
    """A number of passes at a lag of a sequence of four steps, without rounding."""
    return _without_rounding(np.full((4, 1, 1), passes), 4, np.finfo(np.float64).eps)[3 - lag, 0, 0]


def test_parts_cancel_where_a_mean_is_no_number_of_steps():
    row = paths.mean_passes(Experiment(cell="lstm", steps=3, hidden_size=2)).query("state == 'c' and lag == 2")
    for passes, is_out in ((50.0, True), (-0.1, True), (2.0, False), (0.0, False), (1.3, False)):
        at = paths.passes_at(row.assign(passes=passes, passes_min=passes, passes_max=passes), 2)
        assert at.cancels == is_out, passes


def test_steps_by_way_are_the_passes_and_the_rest_of_the_lag():
    table = paths.mean_passes(Experiment(cell="lstm", steps=30, hidden_size=6))
    for lag, farthest in ((7, 7), (100, 29)):
        ways = paths.steps_by_way(table, lag)
        own = table[(table["lag"] == farthest) & (table["state"] == "c") & (table["layer"] == 0)]["passes"].item()
        assert ways["steps"].tolist() == [own, farthest - own]
        assert ways["way"].tolist() == ["through U", "by addition"]
        assert (ways["lag"] == farthest).all()


def test_nothing_is_said_where_nothing_arrives():
    table = paths.mean_passes(Experiment(cell="rnn", steps=20, hidden_size=4, loss="step", loss_step=12))
    assert table["passes"].isna().to_list() == [step > 12 for step in range(20)]
    assert table["passes"][:13].to_numpy() == pytest.approx(np.arange(12, -1, -1), abs=1e-9)


@pytest.mark.parametrize(("bias", "passes"), [(None, 17.8), (1.0, 13.2), (3.0, 5.7), (5.0, 1.4)])
def test_at_lag_100_an_open_forget_gate_lets_the_gradient_go_around_u(bias, passes):
    """The default network, its state c; the figures are those of shares of forty orders, to the digits given."""
    table = paths.mean_passes(Experiment(cell="lstm", forget_bias=bias))
    at = table[(table["lag"] == 100) & (table["state"] == "c")]
    assert at["passes"].item() == pytest.approx(passes, abs=0.06)


def test_of_several_losses_the_last_one_alone_is_that_of_a_sequence_that_ends_there():
    e = Experiment(cell="lstm", steps=20, hidden_size=4, loss="steps", loss_steps="3, 12")
    last = paths.mean_passes(e, losses="last")
    stack, inputs = e.network(), e.sequence()
    cotangents = np.zeros((13, 8, 4))
    loss = e.injected(stack, inputs)
    cotangents[12] = loss.values[loss.steps == 12]
    alone = paths.mean_passes(stack, inputs[:13], cotangents)
    assert last["step"].to_list() == alone["step"].to_list()
    assert last["lag"].to_list() == alone["lag"].to_list()
    assert last["passes"].to_numpy() == pytest.approx(alone["passes"].to_numpy(), abs=1e-9, nan_ok=True)
