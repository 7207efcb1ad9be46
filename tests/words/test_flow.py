"""What cards and opening sentences say of a verdict, where there is a rate and where there is none."""

import pytest

from gradlab import Experiment, diagnose, trace
from gradlab.words import flow


def card(**settings):
    found = diagnose(trace(Experiment(**{"hidden_size": 8} | settings)))
    return found.verdict, flow.rate(found), flow.half_life(found)


def test_cards_without_a_rate_do_not_say_that_a_gradient_keeps_its_size():
    assert card(cell="rnn", gain=0.0) == ("zero", "no rate", "exactly 0 at step 0")
    overflow = card(cell="rnn_relu", gain=10.0, initialization="gaussian", steps=600)
    assert overflow == ("undefined", "no rate", "not known")
    assert card(cell="rnn", steps=2) == ("undefined", "no rate", "not known")
    assert card(cell="rnn", loss="one_to_one") == ("undefined", "no rate", "not known")
    kept = card(cell="rnn_linear", initialization="orthogonal", steps=50)
    assert (kept[0], kept[2]) == ("steady", "keeps its size")


def test_a_card_says_a_rate_s_interval_where_it_is_wide():
    assert "±" not in card(cell="rnn_linear", initialization="orthogonal", gain=0.9)[1]
    assert "±" in card(cell="rnn", gain=1.5, initialization="gaussian", hidden_size=32, inputs="zero")[1]


def test_an_opening_sentence_tells_dead_sequences_from_the_mean_of_the_others():
    found = trace(Experiment(cell="rnn_relu", hidden_size=8))
    assert "(exactly 0 in 1 of 8 sequences)" in flow.opening([found])
    assert flow.arriving(found) == pytest.approx(diagnose(found).log10_left)


def test_an_opening_sentence_names_the_last_loss_and_the_sum_where_there_are_several():
    found = trace(Experiment(cell="rnn", loss="every"))
    judged = diagnose(found)
    assert flow.arriving(found, "last") == pytest.approx(judged.log10_left)
    assert flow.arriving(found) == pytest.approx(judged.log10_arrives)
    said = flow.opening([found])
    assert said.index("last loss's gradient") < said.index(flow.number(judged.log10_left)) < said.index("all losses")
