"""What parts come to, against numbers that are known: powers, products of gates, and the sentences' own conditions."""

import math

import numpy as np
import pandas as pd
import pytest

from gradlab import CELLS, Experiment, trace
from gradlab.analyses.paths import (
    change_over,
    cut,
    decompose,
    direct_at_biases,
    half_life,
    lowest,
    summary,
    textbook,
)
from gradlab.analyses.paths.summary import BIASES_COLUMNS
from gradlab.analyses.problem import problem_of

SMALL = Experiment(hidden_size=6, steps=25, batch_size=2, input_size=3, depth=2)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_the_additive_state_is_the_last_one_of_the_lowest_layer(cell):
    table = lowest(cut(SMALL.replace(cell=cell), without=()))
    assert set(table["state"]) == {CELLS[cell].states[-1]}
    assert set(table["layer"]) == {0}
    assert table["step"].tolist() == list(range(25))
    assert len(lowest(table.head(1))) == 1, "a single row is a table too"


def lines(log10_norm):
    return pd.DataFrame({"lag": range(len(log10_norm)), "log10_norm": log10_norm})


def test_a_power_s_half_life_is_that_of_its_factor():
    lag = np.arange(50)
    assert half_life(lines(lag * math.log10(0.9)), 49) == pytest.approx(math.log(2) / -math.log(0.9), rel=1e-12)
    assert half_life(lines(lag * math.log10(1.1)), 49) == pytest.approx(-math.log(2) / math.log(1.1), rel=1e-12)
    assert half_life(lines(0.0 * lag), 49) == math.inf
    assert half_life(lines(np.full(50, -np.inf)), 49) is None


def test_a_half_life_is_of_the_lags_asked_for_alone():
    bent = lines([*(-0.1 * np.arange(11)), *(-1.0 - 0.5 * np.arange(1, 40))])
    assert half_life(bent, 10) == pytest.approx(math.log10(2) / 0.1)
    assert half_life(bent, 49) < math.log10(2) / 0.1


def test_a_change_over_counts_lags_beyond_the_first_at_which_a_share_is_known():
    found = change_over(pd.DataFrame({"lag": range(6), "share": [0.2, 0.9, math.nan, 0.6, 0.3, 0.2]}))
    assert found == (2, 4, 5, 4)


def test_a_summary_has_the_numbers_of_its_lag():
    parts = lowest(decompose(SMALL, orders=3))
    found = summary(parts, lag=7)
    at = parts.query("lag == 7").set_index("path")
    assert (found.cell, found.lag) == ("lstm", 7)
    assert found.share.equals(at["share"])
    assert found.norm_ratio == pytest.approx(10 ** (at["log10_norm"]["direct"] - at["log10_norm"]["total"]))
    orders = at["share"].drop(["direct", "total"]).abs()
    assert found.largest == orders.idxmax()
    assert summary(parts).lag == 24, "the farthest there is"


def test_forget_biases_are_compared_as_each_of_them_alone():
    table = direct_at_biases(SMALL.replace(forget_bias=2.0), biases=(0.5, 2.0))
    assert tuple(table.columns) == BIASES_COLUMNS
    for row in table.itertuples():
        alone = decompose(SMALL.replace(forget_bias=row.bias), orders=0).query(
            "layer == 0 and state == 'c' and lag == 24"
        )
        alone = alone.set_index("path")
        assert (row.lag, row.share) == (24, alone["share"]["direct"])
        assert (row.log10_direct, row.log10_total) == tuple(alone["log10_norm"][["direct", "total"]])


def test_a_comparison_of_biases_does_not_depend_on_the_bias_and_needs_a_gate_that_keeps():
    assert {"keep_bias", "forget_bias"}.isdisjoint(direct_at_biases.reads)
    assert {"seed", "gain", "loss", "steps"} <= direct_at_biases.reads
    for name in ("keep_bias", "forget_bias"):
        assert direct_at_biases(SMALL).equals(direct_at_biases(SMALL.replace(**{name: 5.0})))
    gru = direct_at_biases(SMALL.replace(cell="gru"))
    assert gru["share"].is_monotonic_increasing
    with pytest.raises(ValueError, match="has no keep_bias to set"):
        direct_at_biases(SMALL.replace(cell="rnn"))


def judged(experiment):
    found = summary(lowest(decompose(experiment, losses="last")))
    return textbook(found, trace(experiment), trace(experiment.replace(cell="rnn")))


def test_textbook_sentences_hold_where_they_must():
    zeros = Experiment(hidden_size=8, steps=60, batch_size=1, initialization="zeros", forget_bias=1.0)
    found = judged(zeros)
    assert found.product is True, "with U = 0 nothing but the direct path is there"
    assert found.keeps is False
    assert found.more is True, "the RNN's gradient is exactly zero"
    assert found.log10_left_rnn == -math.inf
    drawn = judged(zeros.replace(initialization="pytorch", forget_bias=3.0, hidden_size=32))
    assert drawn.product is False


def test_textbook_sentences_are_not_judged_of_cells_that_they_do_not_speak_of():
    rnn = judged(SMALL.replace(cell="rnn"))
    assert (rnn.product, rnn.more) == (None, None)
    assert judged(SMALL.replace(cell="lstm_peephole")).product is None


@pytest.mark.parametrize(
    ("cell", "settings", "verdict", "keeps"),
    [
        ("rnn_linear", {"gain": 1.0}, "steady", True),
        ("rnn_linear", {"gain": 1.5}, "exploding", True),
        ("rnn_linear", {"gain": 0.5}, "vanishing", False),
        ("rnn_linear", {"gain": 0.0}, "zero", False),
        ("rnn_linear", {"steps": 2}, "undefined", None),
    ],
)
def test_a_gradient_that_is_steady_or_grows_does_not_vanish(cell, settings, verdict, keeps):
    found = judged(Experiment(cell=cell, initialization="orthogonal", hidden_size=6).replace(**settings))
    assert (found.diagnosis.verdict, found.keeps) == (verdict, keeps)


@pytest.mark.parametrize(
    "placed", [{"loss": "every"}, {"loss": "steps", "loss_steps": "10,50"}, {"loss": "one_to_many"}]
)
def test_textbook_claims_are_judged_alike_wherever_else_the_loss_enters(placed):
    """An injection at a step is no path to it, and lags count from the last loss."""
    e = Experiment(cell="lstm", hidden_size=32).replace(**placed)
    found = judged(e)
    assert (found.product, found.keeps, found.more) == (False, False, True)
    parts = summary(lowest(decompose(e, losses="last")))
    assert abs(parts.share["direct"]) < 1e-3
    assert math.isfinite(parts.norm_ratio)
    assert parts.lag == min(100, int(e.injection_steps[-1]))


def test_the_last_loss_s_parts_are_those_of_a_problem_with_that_loss_alone():
    e = SMALL.replace(loss="steps", loss_steps="3,17")
    problem = problem_of(e)
    only = np.zeros_like(problem.cotangents)
    only[17] = problem.cotangents[17]
    expected = decompose(problem.stack, problem.inputs, only, orders=2).query("step <= 17").reset_index(drop=True)
    found = decompose(e, orders=2, losses="last")
    assert (found["lag"] == 17 - found["step"]).all()
    for column in ("log10_norm", "log10_relative", "share"):
        assert np.allclose(found[column], expected[column], atol=1e-9, equal_nan=True), column
    whole = cut(e, without=(), losses="last").query("state == 'h'")["log10_norm"].to_numpy()
    assert whole == pytest.approx(trace(e).log10_norm("h", "last")[:, :18].mean(axis=-1).reshape(-1), abs=1e-9)


@pytest.mark.parametrize(
    ("shares", "found"),
    [
        ([1.0, 0.5, 0.4], (1, 2, 2, 2)), ([1.0, 0.49, 0.6], (1, 2, 2, None)), ([1.0, 0.4, 0.3], (0, 2, 2, 1)),
        ([1.0, math.nan, math.nan], (0, 0, 2, None)), ([1.0, 0.9, 0.8], (2, 2, 2, None)),
        ([1.0, 0.6, 0.2, 0.7, 0.1], (2, 4, 4, 4)),
    ],
)  # fmt: skip
def test_a_change_over_is_the_lag_behind_the_last_half(shares, found):
    assert change_over(pd.DataFrame({"lag": range(len(shares)), "share": shares})) == found


def test_a_half_life_takes_two_points_and_those_up_to_its_lag():
    direct = pd.DataFrame({"lag": [0, 1, 2, 3], "log10_norm": [0.0, -0.5, -1.0, -9.0]})
    assert half_life(direct, 2) == pytest.approx(2 * math.log10(2))
    assert half_life(direct, 1) == pytest.approx(2 * math.log10(2))
    assert half_life(direct, 0) is None
    assert half_life(direct.assign(log10_norm=[0, 1, 2, 3]), 3) == pytest.approx(-math.log10(2))
    assert half_life(direct.assign(log10_norm=-2.0), 3) == math.inf


def test_a_product_is_the_gradient_only_where_both_its_share_and_its_norm_are():
    e = Experiment(cell="lstm", hidden_size=4, steps=20, gain=0.0)
    parts = summary(lowest(decompose(e, losses="last")))
    own, rnn = trace(e), trace(e.replace(cell="rnn"))
    assert textbook(parts, own, rnn).product is True
    for share, decades in ((1.0, -0.1), (0.9, 0.0), (1.0, 0.1), (1.1, 0.0)):
        shares, norms = parts.share.copy(), parts.log10_norm.copy()
        shares["direct"], norms["direct"] = share, norms["total"] + decades
        assert textbook(parts._replace(share=shares, log10_norm=norms), own, rnn).product is False, (share, decades)


def test_nothing_is_left_so_far_back_that_no_loss_reaches():
    e = Experiment(cell="lstm", hidden_size=4, steps=20)
    parts, near = summary(lowest(decompose(e, losses="last"))), trace(e.replace(loss="step", loss_step=18))
    assert parts.lag == 19
    judged = textbook(parts, near, trace(e.replace(cell="rnn")))
    assert (judged.log10_left, judged.more) == (-math.inf, False)


def test_the_largest_part_is_that_of_the_shares_that_are_known():
    parts = summary(lowest(decompose(SMALL, orders=2)))
    nothing = pd.Series(math.nan, index=parts.share.index)
    assert parts._replace(share=nothing).largest is None
    some = nothing.copy()
    some["order 2"], some["rest"] = -0.7, 0.5
    assert parts._replace(share=some).largest == "order 2"


def test_a_summary_s_half_life_and_change_over_are_those_of_the_direct_path():
    """Of gates that keep 0.9 the path is a power of 0.9; of the other paths' rows it is none."""
    parts = pd.DataFrame(
        [
            {"cell": "lstm", "path": path, "lag": lag, "share": share, "log10_norm": norm, "log10_relative": norm}
            for lag in range(9)
            for path, share, norm in (
                ("total", 1.0, -0.5 * lag),
                ("direct", 0.8 ** max(lag - 1, 0), math.log10(0.9) * lag),
                ("order 1", 0.2, -3.0),
            )
        ]
    )
    found = summary(parts)
    assert found.half_life == pytest.approx(math.log(2) / -math.log(0.9))
    assert found.change_over == (4, 8, 8, 5), "0.8^3 = 0.512 at lag 4"


@pytest.mark.parametrize(
    ("share", "carries"), [(0.94, False), (0.95, True), (0.96, True), (1.4, True), (-1.0, False), (math.nan, True)]
)
def test_a_direct_path_carries_the_gradient_from_95_percent_on_and_where_nothing_arrives(share, carries):
    parts = summary(lowest(decompose(SMALL, orders=1)))
    shares = parts.share.copy()
    shares["direct"] = share
    assert parts._replace(share=shares).carries is carries


def test_a_product_passes_for_the_gradient_up_to_95_percent_either_way():
    e = Experiment(cell="lstm", hidden_size=4, steps=20, gain=0.0)
    parts = summary(lowest(decompose(e, losses="last")))
    own, rnn = trace(e), trace(e.replace(cell="rnn"))
    shares, norms = parts.share.copy(), parts.log10_norm.copy()
    norms["total"] = 0.0
    for least in (0.95, 1 / 0.95):
        shares["direct"], norms["direct"] = 1.0, math.log10(least)
        assert 10 ** norms["direct"] == least
        assert textbook(parts._replace(share=shares, log10_norm=norms), own, rnn).product is True
        shares["direct"], norms["direct"] = least, 0.0
        assert textbook(parts._replace(share=shares, log10_norm=norms), own, rnn).product is True


def test_nothing_is_judged_of_a_gradient_that_nobody_injects_nor_at_the_loss_itself():
    e = Experiment(cell="lstm", hidden_size=4, steps=20, batch_size=2)
    parts, problem = summary(lowest(decompose(e, losses="last"))), problem_of(e)
    own, rnn = trace(e), trace(e.replace(cell="rnn"))
    without = trace(problem.stack, problem.inputs, np.zeros_like(problem.cotangents))
    assert (textbook(parts, without, rnn).keeps, textbook(parts, without, rnn).more) == (None, None)
    assert textbook(parts, own, without).more is None
    assert textbook(parts, own, rnn).more is not None
    for step, is_judged in ((0, False), (1, True)):
        near = e.replace(loss="step", loss_step=step)
        found = judged(near)
        assert (found.product is not None, found.more is not None) == (is_judged, is_judged), "lag 0 has no way back"


def test_the_biases_that_are_compared_are_zero_one_and_three_of_which_two_are_known():
    """PyTorch's initialization, 128 units, 100 steps; known over a dozen seeds: the product of forget gates beside the
    whole, the products within a factor of 2, for they enter here through h."""
    table = direct_at_biases(Experiment(hidden_size=128, steps=101, batch_size=1)).set_index("bias")
    assert table.index.tolist() == [0, 1, 3]
    assert (table["lag"] == 100).all()
    direct, total = 10 ** table["log10_direct"], 10 ** table["log10_total"]
    assert 8e-22 < total[0] < 6.8e-21
    assert 0.44 < total[3] < 1.9
    assert 7e-31 / 2 < direct[0] < 1.7e-30 * 2
    assert 1.6e-3 / 2 < direct[3] < 2.5e-3 * 2
    assert (table["share"].abs() < 0.05).all()


def test_a_comparison_of_biases_is_as_much_work_as_its_parts_and_reports_each_in_its_place():
    e = SMALL.replace(steps=50)
    problem, heard, alone = problem_of(e), [], []
    part = decompose.needs(problem, orders=0)
    assert direct_at_biases.needs(problem, biases=(0.0, 1.0, 2.0, 3.0)) == part._replace(work=4 * part.work)
    direct_at_biases(e, biases=(0.0, 3.0), progress=heard.append)
    for bias in (0.0, 3.0):
        biased = e.replace(keep_bias=bias)
        decompose(biased, orders=0, losses="last", progress=lambda done, bias=bias: alone.append((done + bias / 3) / 2))
    assert heard == pytest.approx(alone)
    assert heard[-1] == pytest.approx(1)


def test_more_is_not_judged_where_either_gradient_is_undefined():
    """A rectified network of gain 10 leaves float32, and what is infinite less what is infinite is no number."""
    e = Experiment(cell="lstm", hidden_size=4, steps=60)
    parts = summary(lowest(decompose(e, losses="last")))
    own = trace(e)
    undefined = trace(e.replace(cell="rnn_relu", initialization="orthogonal", gain=10, dtype="float32"))
    assert textbook(parts, own, undefined).more is None
    assert textbook(parts, undefined, own).more is None
    assert textbook(parts, own, own).more is False
