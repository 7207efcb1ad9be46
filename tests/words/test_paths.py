"""Sentences of the pages that ask why, against the arrays they speak of, where a batch, a loss or a cell is unusual."""

import math
import re

import numpy as np
import pytest
import torch

from gradlab import CELLS, Experiment, paths, trace
from gradlab.analyses.jacobians import farthest, product_jacobians, singular_values_by_lag
from gradlab.cells.contract import keep_of
from gradlab.network.stack import Layer, Stack, gate_rows
from gradlab.settings.initializations import kept_at_rest
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


@pytest.mark.parametrize(
    "cell", [name for name, cell in CELLS.items() if "forget" in cell.pre_activations and keep_of(cell)]
)
def test_what_is_kept_at_rest_is_what_a_network_without_weights_keeps(cell):
    """W = U = 0 but for the bias: the direct path is the product of what is kept."""
    shape = Experiment(cell=cell, hidden_size=3, input_size=2).network().layers[0]
    none = Layer(*(np.zeros_like(values) for values in shape))
    none.b_W[gate_rows(cell, "forget", 3)] = 1.5
    cotangents = np.zeros((3, 1, 3))
    cotangents[-1] = 1
    parts = paths.lowest(paths.decompose(Stack(cell, (none,)), np.zeros((3, 1, 2)), cotangents, orders=0))
    direct = parts[parts["path"] == "direct"].set_index("lag")["log10_norm"]
    assert 10 ** (direct[2] - direct[1]) == pytest.approx(kept_at_rest(CELLS[cell], 1.5), rel=1e-9)


def test_a_cell_without_a_product_of_gates_keeps_nothing_at_rest():
    without = [cell for cell in CELLS if keep_of(CELLS[cell]) is None]
    assert "rnn" in without
    with pytest.raises(ValueError, match="RNN keeps its old state by no product of gates"):
        kept_at_rest(CELLS["rnn"], 1.0)


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
