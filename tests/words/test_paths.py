"""Sentences of the pages that ask why, against the arrays they speak of, where a batch, a loss or a cell is unusual."""

import math
import re

import numpy as np
import pandas as pd
import pytest
import torch

from gradlab import CELLS, Experiment, paths, trace
from gradlab.analyses.jacobians import farthest, product_jacobians, singular_values_by_lag
from gradlab.cells.contract import keep_gate_of, keep_of
from gradlab.network.stack import Layer, Stack, gate_rows
from gradlab.settings.initializations import gate_at_rest, kept_at_rest
from gradlab.words import jacobians as of_jacobians
from gradlab.words import paths as words
from gradlab.words.numbers import number

ONE_DEAD = Experiment(cell="rnn_relu", hidden_size=6, batch_size=4, input_size=2, steps=20, seed=4)
NO_GRADIENT = Experiment(cell="rnn_relu", loss="half_square", hidden_size=2, batch_size=1, input_size=1, steps=12)


def parts_of(e, orders=8):
    return paths.summary(paths.lowest(paths.decompose(e, orders=orders, losses="last")))


def shares_of(e):
    return paths.lowest(paths.decompose(e, losses="last")).query("path == 'direct' and lag > 0")["share"]


def passes_of(e):
    return words.of_passes([paths.passes_at(paths.mean_passes(e, losses="last"))])


def test_one_dead_sequence_takes_nothing_from_what_is_said_of_the_others():
    left = trace(ONE_DEAD).log10_norm()[0, 0]
    arrives = number(left[np.isfinite(left)].mean())
    assert np.isfinite(left).sum() == 3
    said = words.of_parts(parts_of(ONE_DEAD))
    assert f"that of the total {arrives}" in said
    assert "nothing arrives" not in said
    cuts = paths.lowest(paths.cut(ONE_DEAD, without=(), losses="last"))
    assert f"**{arrives}** arrives from lag 19" in words.of_cuts(cuts, "rnn_relu", 19)
    edges = paths.edges(ONE_DEAD, first=0, last=0).set_index("edge")["log10_relative"]
    flows = words.of_edges(paths.edges(ONE_DEAD), trace(ONE_DEAD).loss_steps)
    assert np.isfinite(edges["recurrent"])
    assert f"{number(edges['recurrent'])} comes back to h through U" in flows
    ending = "through U at every step, by addition at none, without 1 sequence in which nothing arrives."
    assert passes_of(ONE_DEAD).endswith(ending)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_where_nothing_can_cancel_nothing_is_said_to(dtype):
    for seed in range(4):
        said = passes_of(Experiment(cell="rnn", dtype=dtype, seed=seed, hidden_size=16))
        assert said.endswith("RNN, h: through U at every step, by addition at none.")


def test_parts_that_cancel_in_one_sequence_are_said_with_their_range():
    e = Experiment(cell="lstm", steps=3, hidden_size=2, batch_size=2, input_size=2, seed=119)
    table = paths.lowest(paths.mean_passes(e, losses="last")).query("lag == 2").iloc[0]
    assert table["passes_min"] < 0 < table["passes"]
    said = passes_of(e)
    low, high = (f"{table[name]:.1f}".replace("-", "−") for name in ("passes_min", "passes_max"))
    assert f"{low} to {high} times through U by sequence, is no number of steps" in said


@pytest.mark.parametrize("cell", [name for name, cell in CELLS.items() if keep_gate_of(cell) and keep_of(cell)])
def test_what_is_kept_at_rest_is_what_a_network_without_weights_keeps(cell):
    """W = U = 0 but for the bias: the direct path is the product of what is kept."""
    gate, sign = keep_gate_of(CELLS[cell])
    shape = Experiment(cell=cell, hidden_size=3, input_size=2).network().layers[0]
    none = Layer(*(np.zeros_like(values) for values in shape))
    none.b_W[gate_rows(cell, gate, 3)] = sign * 1.5
    cotangents = np.zeros((3, 1, 3))
    cotangents[-1] = 1
    parts = paths.lowest(paths.decompose(Stack(cell, (none,)), np.zeros((3, 1, 2)), cotangents, orders=0))
    direct = parts[parts["path"] == "direct"].set_index("lag")["log10_norm"]
    assert 10 ** (direct[2] - direct[1]) == pytest.approx(kept_at_rest(CELLS[cell], 1.5), rel=1e-9)


def test_a_cell_without_a_product_of_gates_keeps_nothing_at_rest():
    without = [cell for cell in CELLS.values() if keep_of(cell) is None or keep_gate_of(cell) is None]
    assert CELLS["rnn"] in without
    assert {(keep_of(cell) is None, keep_gate_of(cell) is None) for cell in without} == {
        (True, True), (True, False), (False, True),
    }  # fmt: skip
    for cell in without:
        with pytest.raises(ValueError, match=re.escape(f"{cell.title} keeps its old state by no product of gates")):
            kept_at_rest(cell, 1.0)


def test_the_resting_gate_of_the_minimal_lstm_is_the_ratio_of_its_two_gates():
    e = Experiment(cell="min_lstm", forget_bias=3.0, gain=0.0)
    f, i = torch.sigmoid(torch.tensor(3.0)).item(), 0.5
    said = words.resting_gate(e, parts_of(e))
    assert f"σ(b) = {f:.3f}, of which the cell, at rest, makes a factor of {f / (f + i):.3f}" in said
    assert f"every **{-math.log(2) / math.log(f / (f + i)):.3g} steps**" in said


def test_a_gate_that_is_almost_open_is_not_said_to_be_and_loses_what_it_does():
    e = Experiment(cell="lstm", forget_bias=20.0, gain=0.0, steps=120)
    said = words.resting_gate(e, parts_of(e))
    halves = math.log(2) / math.log1p(math.exp(-20))
    assert f"σ(b) = 1 − {number(math.log10(1 - 1 / (1 + math.exp(-20))))}" in said
    assert f"halve the direct path every **{number(math.log10(halves))} steps**" in said
    measured = re.search(r"this network halves every \*\*3\.\d\s×\s10⁸ steps\*\*", said)
    assert measured, said
    assert "loses nothing" not in said


def test_claims_about_a_gradient_that_is_not_injected_cannot_be_judged():
    e = NO_GRADIENT
    own, rnn = trace(e), trace(e.replace(cell="rnn"))
    assert (len(own.loss_steps), len(rnn.loss_steps)) == (0, 1)
    judged = paths.textbook(parts_of(e), own, rnn)
    assert (judged.keeps, judged.more) == (None, None)
    assert judged.diagnosis.sentence.endswith("zero. Nothing is injected: the loss has no gradient.")
    assert words.of_edges(paths.edges(e), own.loss_steps).startswith("Nothing is injected")


@pytest.mark.parametrize(("settings", "words_"), [
    ({}, "the loss enters here"),
    ({"loss": "steps", "loss_steps": "3,9"}, "the loss enters at earlier steps alone"),
    ({"loss": "step", "loss_step": 7}, "the loss enters at earlier steps alone"),
])  # fmt: skip
def test_the_last_step_has_a_loss_only_where_it_enters(settings, words_):
    e = Experiment(cell="lstm", hidden_size=4, steps=20, **settings)
    table = paths.edges(e, first=19, last=19)
    assert ("loss" in set(table["edge"])) == (words_ == "the loss enters here")
    assert words.of_edges(table, trace(e).loss_steps) == f"Step 19 is the last: {words_}."


def test_behind_the_last_loss_no_gradient_is_said_to_flow():
    e = Experiment(cell="lstm", hidden_size=4, steps=20, loss="step", loss_step=7)
    said = words.of_edges(paths.edges(e, first=10, last=15), trace(e).loss_steps)
    assert said == "The loss enters at step 7 at the latest: at the steps shown there is no gradient."


def test_shares_at_some_lags_are_not_said_of_all():
    one = Experiment(cell="rnn_relu", hidden_size=4, batch_size=1, steps=60)
    known = {e: int(shares_of(e).notna().sum()) for e in (one.replace(seed=seed) for seed in range(6))}
    e, lags = next((e, count) for e, count in known.items() if 0 < count < 59)
    said = words.of_parts(parts_of(e))
    assert "nothing arrives" in said
    assert f"At all {lags} of 59 lags from which some arrives, most of the gradient goes through U" in said


def test_exact_zeros_are_told_from_values_lost_to_rounding():
    e = Experiment(cell="lstm", gain=0.0, hidden_size=8, steps=60)
    jacobian = product_jacobians(e).at(0)
    assert not jacobian[:, :8].any(), "nothing comes back to h without U"
    found = farthest(singular_values_by_lag(e))
    assert (found.count, found.zero) == (16, 8)
    said = of_jacobians.of_singular_values(e, "full state", found)
    assert "8 of 16 are exactly 0" in said
    assert ("lost to rounding" in said) == (found.resolved < 8)


def test_a_full_jacobian_has_no_singular_value_that_is_exactly_zero():
    found = farthest(singular_values_by_lag(Experiment(cell="rnn", hidden_size=8, steps=60)))
    assert found.zero == 0
    assert found.resolved < 8


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ((0, 0, 5, None), "Nothing arrives from any earlier step."),
        ((5, 5, 5, None), "At every lag most of the gradient goes around U."),
        ((4, 4, 5, None), "At all 4 of 5 lags from which some arrives, most of the gradient goes around U."),
        ((0, 5, 5, 1), "At every lag most of the gradient goes through U and not around it."),
        ((2, 5, 5, None), "At 2 of 5 lags most of the gradient goes around U, at the others through it."),
        ((2, 5, 5, 3), "From lag 3 on, most of the gradient goes through U and not around it."),
        ((2, 4, 5, 3), "From lag 3 on, as far as some arrives, most of the gradient goes through U and not around it."),
    ],
)
def test_where_the_gradient_changes_over(change, said):
    assert words.change_over(paths.ChangeOver(*change)) == said


@pytest.mark.parametrize(
    ("e", "product"),
    [
        (
            Experiment(cell="lstm", hidden_size=6, steps=40),
            "product of the forget gates”: that product is the direct ",
        ),
        (
            Experiment(cell="gru", hidden_size=6, steps=40),
            "product of the gates that keep the state”: that product",
        ),
        (
            Experiment(cell="lstm", hidden_size=6, steps=40, depth=2),
            "forget gates”: the direct path is made of such products; it makes up ",
        ),
        (Experiment(cell="rnn", hidden_size=6, steps=40), None),
    ],
)
def test_textbook_claims_are_those_of_the_cell_with_the_numbers_that_decide(e, product):
    summary, judged = parts_of(e), paths.textbook(parts_of(e), trace(e), trace(e.replace(cell="rnn")))
    said = words.textbook(e, summary, judged)
    found = judged.diagnosis
    kept = next(text for text in said if "does not vanish" in text)
    rate = f"{abs(found.decades_per_100_steps):.3g}"
    assert f"is {found.verdict}, −{rate} decades per 100 steps; {number(found.log10_left)} is left at step 0." in kept
    assert kept.startswith(words.VERDICTS[judged.keeps])
    assert (product is None) == (not any("product" in text for text in said))
    assert product is None or product in said[0]
    more = [text for text in said if "keeps more" in text]
    assert bool(more) == (e.cell != "rnn")
    for text in more:
        assert (
            f"{number(judged.log10_left)} of the last loss's gradient, against {number(judged.log10_left_rnn)}" in text
        )
        assert ("(h and c against the RNN's h)" in text) == (e.cell == "lstm")
        assert f"at lag {summary.lag}." in text


def test_a_claim_without_a_rate_or_a_way_back_says_so():
    short = Experiment(cell="lstm", hidden_size=4, steps=2)
    judged = paths.textbook(parts_of(short), trace(short), trace(short.replace(cell="rnn")))
    assert "decades per 100 steps" not in " ".join(words.textbook(short, parts_of(short), judged))
    alone = Experiment(cell="lstm", hidden_size=4, steps=20, loss="one_to_one")
    judged = paths.textbook(parts_of(alone), trace(alone), trace(alone.replace(cell="rnn")))
    said = words.textbook(alone, parts_of(alone), judged)
    assert said[0].endswith("the loss enters at step 0 alone, so nothing comes back.")
    dead = Experiment(cell="gru", hidden_size=4, steps=20, objective="cross_entropy", output_size=1)
    judged = paths.textbook(parts_of(dead), trace(dead), trace(dead.replace(cell="rnn")))
    assert "exactly zero or not finite, so no path has a share" in words.textbook(dead, parts_of(dead), judged)[0]


def test_a_direct_path_that_grows_doubles_and_one_that_keeps_loses_nothing():
    carousel = Experiment(cell="lstm_1997", hidden_size=4, steps=40)
    assert words.resting_gate(carousel, parts_of(carousel)) == "The direct path of this network loses nothing."
    grows = parts_of(carousel)._replace(half_life=-3.0)
    assert "doubles every **3 steps** of lag" in words.resting_gate(carousel, grows)
    assert "halves every **0.5 steps** of lag" in words.resting_gate(carousel, grows._replace(half_life=0.5))
    peephole = Experiment(cell="lstm_peephole", hidden_size=4, steps=40, keep_bias=2.0)
    said = words.resting_gate(peephole, parts_of(peephole))
    assert f"every **{math.log(2) / math.log1p(math.exp(-2)):.3g} steps**" in said
    open_ = Experiment(cell="lstm", hidden_size=4, steps=40, keep_bias=20.0, dtype="float64")
    assert "which alone would halve" in words.resting_gate(open_, parts_of(open_))


def test_the_largest_part_is_named_only_where_the_direct_path_is_not_the_whole():
    through = Experiment(cell="lstm", hidden_size=8, steps=40)
    summary = parts_of(through, orders=3)
    said = words.of_parts(summary)
    how = "more than 3 times" if summary.largest == "rest" else f"{summary.largest.split()[-1]} times"
    assert f"passed through U {how}." in said
    around = Experiment(cell="min_gru", hidden_size=8, steps=40)
    assert "The largest share" not in words.of_parts(parts_of(around))


def test_units_are_ranked_by_memory_and_cells_without_gates_say_so():
    scope = paths.microscope(Experiment(cell="lstm", hidden_size=6, steps=40, keep_bias=1.0))
    longest, shortest = scope.units.iloc[0], scope.units.iloc[-1]
    said = words.of_units(scope)
    assert f"unit {longest['unit']:.0f}, the longest memory, halves in **{longest['half_life']:.3g} steps**" in said
    assert f"unit {shortest['unit']:.0f}, the shortest, halves in **{shortest['half_life']:.3g} steps**" in said
    share = np.mean((scope.values["forget"] < 0.1) | (scope.values["forget"] > 0.9))
    assert f"forget {share:.0%}" in said
    alike = paths.microscope(Experiment(cell="leaky", hidden_size=6, steps=40))
    assert "the direct path of every unit halves in" in words.of_units(alike)
    assert words.of_units(alike).endswith("It has no gates.")
    nothing = paths.microscope(Experiment(cell="rnn", hidden_size=6, steps=40))
    assert "the direct path of every unit keeps nothing." in words.of_units(nothing)
    kept = paths.microscope(Experiment(cell="lstm_1997", hidden_size=6, steps=40))
    assert "the direct path of every unit loses nothing." in words.of_units(kept)


def test_cuts_are_said_one_after_the_other():
    e = Experiment(cell="lstm", hidden_size=6, steps=40)
    whole = paths.lowest(paths.cut(e, without=(), losses="last"))
    assert words.of_cuts(whole, "lstm", 39).endswith("arrives from lag 39 by all routes.")
    both = pd.concat([whole, paths.lowest(paths.cut(e, without=("recurrent",), losses="last"))])
    left = both[(both["lag"] == 39)].set_index("path")["log10_relative"]
    assert words.of_cuts(both, "lstm", 39).endswith(f"the recurrent weight U: **{number(left['without recurrent'])}**.")


def test_one_unit_is_said_with_its_largest_difference_from_the_formula():
    table = paths.one_unit(0.9, 0.9, 30)
    said = words.of_one_unit(table, 0.9, 0.9)
    off = np.abs(table["log10_norm"] - table["log10_formula"])
    largest = off[np.isfinite(off)].max() * math.log(10)
    assert f"leaves {number(29 * math.log10(0.9))} of the gradient" in said
    assert f"differ by at most {number(math.log10(largest))}, relative." in said
    exact = table.assign(log10_norm=table["log10_formula"])
    assert "differ by at most nothing, relative." in words.of_one_unit(exact, 0.9, 0.9)


def test_the_flow_divides_at_the_earliest_step_shown():
    e = Experiment(cell="lstm", hidden_size=6, steps=20)
    table = paths.edges(e, first=4, last=12)
    at = table[(table["step"] == 4) & (table["layer"] == 0)].set_index(["edge", "state"])["log10_relative"]
    said = words.of_edges(table, [19])
    through, added = number(at["recurrent", "h"]), number(at["direct", "c"])
    assert said.startswith("Lag 15, bottom layer")
    assert f"{through} comes back to h through U and {added} to c by the additive path" in said
    assert words.of_edges(table, [4]).startswith("Lag 15"), "at the step of the loss itself something may flow"


@pytest.mark.parametrize(
    ("share", "written"),
    [
        (0.5, "50.0%"), (-0.02, "−2.0%"), (1.003, "100.3%"), (0.0, "0.0%"), (6e-4, "0.1%"), (4e-4, "4.0 × 10⁻⁴"),
        (-2.3e-7, "−2.3 × 10⁻⁷"), (0.004, "0.4%"),
    ],
)  # fmt: skip
def test_a_share_is_a_percentage_and_a_tiny_one_a_power_of_ten(share, written):
    assert words.percent(share).replace("\u00a0", " ") == written


def test_shares_at_biases_are_said_with_their_norms_and_without_where_nothing_arrives():
    inf = math.inf
    columns = ("bias", "lag", "log10_direct", "log10_total", "share")
    table = pd.DataFrame([(0.0, 9, -3.0, -2.0, 0.25), (1.0, 9, -inf, -inf, math.nan)], columns=columns)
    said = words.at_biases(table)
    assert said.startswith("Share of the direct path in what arrives from lag 9, by keep-gate bias: ")
    assert said.endswith("at 0 **25.0%** (norm 0.001 of 0.01); at 1 nothing arrives.")
    assert words.at_biases(table.head(1)) == f"{said.removesuffix('; at 1 nothing arrives.')}."
    undefined = table.assign(log10_total=[-2.0, math.nan])
    assert words.at_biases(undefined).endswith("at 1 the gradient is not finite.")


def test_one_unit_of_the_microscope_is_said_with_its_rank_and_both_ends_of_its_gradient():
    scope = paths.microscope(Experiment(cell="lstm", hidden_size=6, steps=40))
    for rank, unit in enumerate(scope.by_memory):
        said = words.of_unit(scope, unit)
        gradient = scope.values["log10 gradient"][:, unit]
        assert said.startswith(f"Unit {unit} ranks {rank + 1} of 6 by memory; its direct path halves in ")
        assert f"{number(gradient[-1])} at the last step and {number(gradient[0])} at the first." in said


def test_a_quantity_of_all_units_is_said_with_its_range_and_a_logarithm_as_what_it_is_of():
    values = {"forget": np.array([[0.25, 0.5], [0.75, np.nan]]), "c": np.array([[-0.5, 1.5]])}
    values |= {"log10 gradient": np.array([[-3.0, 0.0], [-np.inf, -1.0]]), "h": np.array([[np.nan]])}
    scope = paths.Microscope("lstm", 0, 0, values)
    assert words.of_quantity(scope, "forget") == "forget runs from 0.25 to 0.75 over units and steps; its mean is 0.5."
    assert words.of_quantity(scope, "c") == "c runs from −0.5 to 1.5 over units and steps; its mean is 0.5."
    said = "The size of a unit's gradient runs from 0.001 to 1 over units and steps."
    assert words.of_quantity(scope, "log10 gradient") == said
    assert words.of_quantity(scope, "h") == "h is finite nowhere."
    large = scope._replace(values={"h": np.full((4, 2), 1e308), "c": np.zeros((2, 2))})
    assert words.of_quantity(large, "h").endswith("its mean is 1e+308.")
    assert words.of_quantity(large, "c") == "c runs from 0 to 0 over units and steps; its mean is 0."


def test_the_order_of_the_largest_share_is_named():
    summary = parts_of(Experiment(cell="lstm", hidden_size=16, steps=40, keep_bias=2.0))
    for path, how in (("order 1", "once"), ("order 8", "8 times"), ("rest", "more than 8 times")):
        share = pd.Series(dict.fromkeys(summary.share.index, 0.0) | {path: 0.9, "total": 1.0})
        assert f"90.0%, passed through U {how}." in words.of_parts(summary._replace(share=share))
    carried = pd.Series(dict.fromkeys(summary.share.index, 0.0) | {"direct": 0.96, "total": 1.0})
    assert "The largest share" not in words.of_parts(summary._replace(share=carried))


def test_a_gate_whose_factor_is_its_value_is_said_alone():
    e = Experiment(cell="lstm", hidden_size=4, steps=20, keep_bias=1.0)
    said = words.resting_gate(e, parts_of(e))
    gate = 1 / (1 + math.exp(-1))
    alone = f"= {gate:.3f}, which alone would halve the direct path every **{-math.log(2) / math.log(gate):.3g} steps**"
    assert alone in said


@pytest.mark.parametrize("cell", [name for name, cell in CELLS.items() if keep_gate_of(cell) and "hard" not in name])
def test_the_resting_value_of_a_gate_that_keeps_is_the_sigmoid_of_its_bias(cell):
    for bias in (-3.0, 0.0, 2.0):
        assert gate_at_rest(CELLS[cell], bias) == pytest.approx(1 / (1 + math.exp(-bias)), rel=1e-12)


def test_a_cell_without_a_gate_that_keeps_has_no_resting_gate():
    with pytest.raises(ValueError, match="RNN has no gate that keeps its old state"):
        gate_at_rest(CELLS["rnn"], 1.0)


@pytest.mark.parametrize("cell", ["lstm_hard", "gru_hard"])
@pytest.mark.parametrize("bias", [5.0, 1.0])
def test_a_hard_gate_s_resting_value_is_that_of_its_line_and_not_of_a_sigmoid(cell, bias):
    e = Experiment(cell=cell, hidden_size=4, steps=20, keep_bias=bias)
    gate = min(bias / 5 + 0.5, 1)
    said = words.resting_gate(e, parts_of(e))
    beginning = f"A keep-gate bias of {bias:g} puts the gate's resting value at {gate:.3f}, which alone would "
    assert said.startswith(
        beginning + ("lose nothing. The direct path" if gate == 1 else "halve the direct path every ")
    )


def test_losses_at_several_steps_bound_where_a_gradient_flows():
    e = Experiment(cell="lstm", hidden_size=4, steps=20, loss="steps", loss_steps="3,12")
    between = words.of_edges(paths.edges(e, first=8, last=15), [3, 12])
    assert between.startswith("Lag 11, bottom layer")
    beyond = words.of_edges(paths.edges(e, first=14, last=16), [3, 12])
    assert beyond == "The loss enters at step 12 at the latest: at the steps shown there is no gradient."


def test_the_norms_of_parts_are_those_of_the_decomposition_and_the_largest_is_named():
    e = Experiment(cell="lstm", hidden_size=6, steps=12, batch_size=1)
    parts = paths.lowest(paths.decompose(e, orders=8, losses="last")).query("step == 0").set_index("path")
    norms = parts["log10_norm"]
    orders = norms[[name for name in norms.index if name.startswith("order ")]]
    said = words.of_norms(parts_of(e))
    assert f"the total is {number(norms['total'])}, that of the direct path {number(norms['direct'])}" in said
    assert f"the largest, {number(orders.max())}, passed it {orders.idxmax().split()[-1]} times." in said
    assert trace(e).log10_norm("c")[0, 0].item() == pytest.approx(norms["total"])


def test_the_largest_part_is_said_to_have_passed_u_once_more_than_all_orders_or_not_at_all():
    e = Experiment(cell="rnn", hidden_size=4, steps=12, batch_size=1, gain=1.2)  # whose parts pass U at every step
    assert words.of_norms(parts_of(e, orders=3)).endswith("passed it more than 3 times.")
    assert words.of_norms(parts_of(e.replace(steps=2))).endswith("passed it once.")
    assert words.of_parts(parts_of(e.replace(steps=2))).count(" passed through U once.") == 1
    without = words.of_norms(parts_of(e.replace(initialization="zeros")))
    assert without == "RNN, lag 11: the norm of the total is exactly 0, that of the direct path exactly 0."


def test_a_panel_of_a_unit_says_the_range_of_what_it_shows():
    at_rest = Experiment(cell="lstm", initialization="zeros", inputs="zero", forget_bias=3.0, hidden_size=3, steps=15)
    gates = words.of_quantities(paths.microscope(at_rest), 2, ["forget"])
    resting = f"{1 / (1 + math.exp(-3)):.2g}"
    assert gates == f"Unit 2 over 15 steps: forget from {resting} to {resting}."
    one = Experiment(cell="rnn", hidden_size=1, steps=9, batch_size=1)
    norms = trace(one).log10_norm()[0, :, 0]  # of one unit its size
    said = words.of_quantities(paths.microscope(one), 0, ["log10 gradient"])
    assert said.endswith(f"from {number(norms.min())} to {number(norms.max())}.")
