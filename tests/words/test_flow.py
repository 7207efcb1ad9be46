"""What cards and opening sentences say of a verdict, where there is a rate and where there is none."""

import dataclasses
import math

import numpy as np
import pytest

from gradlab import Experiment, Stack, diagnose, trace
from gradlab.network.stack import Layer
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
    assert said.index("last loss's gradient") < said.index(flow.number(judged.log10_left)) < said.index("All losses")


def test_an_opening_names_the_state_and_tells_what_all_states_hold_where_that_is_another_amount():
    e = Experiment(cell="lstm", gain=0.0, forget_bias=20.0, steps=60, hidden_size=8)
    found = trace(e)
    judged = diagnose(found)
    said = flow.opening([found])
    assert judged.verdict == "steady"
    assert f"remains in h 59 steps earlier: LSTM exactly 0 (h and c: {flow.number(judged.log10_left)})" in said
    alike = trace(Experiment(cell="lstm", hidden_size=8))
    assert "h and c" not in flow.opening([alike])
    assert abs(diagnose(alike).log10_left - flow.arriving(alike)) < 1


def test_an_opening_says_of_each_cell_whether_anything_is_injected():
    e = Experiment(loss="half_square", hidden_size=2, batch_size=1, input_size=1, steps=12, seed=0, cell="rnn_relu")
    dead, leaky = trace(e), trace(e.replace(cell="leaky"))
    assert (len(dead.loss_steps), len(leaky.loss_steps)) == (0, 1)
    for traces in ([dead, leaky], [leaky, dead]):
        said = flow.opening(traces)
        assert "RNN (ReLU): nothing is injected" in said
        assert f"11 steps earlier: leaky RNN {flow.number(diagnose(leaky).log10_left)}." in said
    assert flow.opening([dead]) == flow.NOTHING_INJECTED


def test_a_sequence_that_overflows_leaves_the_others_their_mean():
    """A unit that doubles at every step: the sequence that starts large leaves float32's range, the other does not."""
    one, zero = np.ones((1, 1), np.float32), np.zeros(1, np.float32)
    stack = Stack("rnn_linear", (Layer(one, 2 * one, zero, zero),))
    inputs = np.zeros((100, 2, 1), np.float32)
    inputs[0, 0] = 1e30
    cotangents = np.zeros((100, 2, 1), np.float32)
    cotangents[-1] = 1
    found = trace(stack, inputs, cotangents)
    assert found.non_finite is not None
    left = found.log10_relative()[0, 0]
    finite = np.isfinite(left)
    said = flow.opening([found])
    if finite.all():  # a linear network's gradient does not depend on its states
        assert "not finite" not in said
    else:
        assert f"{flow.number(left[finite].mean())} (not finite in 1 of 2 sequences)" in said


def test_a_card_of_zero_has_no_rate_and_a_wide_interval_no_e_notation():
    dying = diagnose(trace(Experiment(cell="rnn_relu", hidden_size=4)))
    assert (dying.verdict, flow.rate(dying)) == ("zero", "no rate")
    wide = dataclasses.replace(dying, verdict="vanishing", decades_per_100_steps=-54.3, half_width=31.2)
    assert flow.rate(wide).startswith("−54.3 ± 31 ")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "injected at the last step remains in h 19 steps earlier: RNN "),
        ({"depth": 2}, "injected at the last step remains in h of the bottom layer 19 steps earlier: RNN "),
        ({"loss": "step", "loss_step": 7}, "injected at step 7 remains in h 7 steps earlier: RNN "),
        ({"loss": "step", "loss_step": 1}, "injected at step 1 remains in h 1 step earlier: RNN "),
        ({"loss": "one_to_one"}, "at step 0 alone, so no gradient goes back through time. In h it is there: RNN "),
        ({"loss": "steps", "loss_steps": "1,8"}, "enters at 2 of 20 steps. So much of the last loss's gradient, "
         "injected at step 8, is left in h at step 0: RNN "),
        ({"loss": "steps", "loss_steps": "3,12"}, "enters at 2 of 20 steps. So much of the last loss's gradient, "
         "injected at step 12, is left in h at step 0: RNN "),
    ],
)  # fmt: skip
def test_an_opening_says_where_the_loss_enters_and_how_far_back_it_is_seen(settings, said):
    assert flow.opening([trace(Experiment(cell="rnn", hidden_size=4, steps=20, **settings))]).partition(said)[1]


def test_the_cell_that_would_have_the_state_asked_for_is_the_first_one_that_has_it():
    assert flow.without_state("c").endswith("has a state c, so h is shown: add the LSTM under Network.")


def test_several_losses_are_told_from_one():
    one, many = (trace(Experiment(cell="rnn", hidden_size=4, steps=9, loss=loss)) for loss in ("last", "every"))
    two = trace(Experiment(cell="rnn", hidden_size=4, steps=9, loss="steps", loss_steps="2,5"))
    assert not flow.several_losses([one])
    assert flow.several_losses([two])
    assert flow.several_losses([one, many])
    assert flow.several_losses([many, one])


@pytest.mark.parametrize(
    ("rate", "margin", "written"),
    [
        (-28.2, 0.01, "−28.2 "), (-28.2, 1.42, "−28.2 ± 1 "), (-28.2, 1.40, "−28.2 "),
        (-20, 1.0, "−20 ± 1 "), (9.4, 0.48, "+9.4 ± 0.5 "),
        (-54.3, 31.2, "−54.3 ± 31 "), (-54.3, 9.6, "−54.3 ± 10 "), (-30, 10.4, "−30 ± 10 "), (0.0, 0.0, "+0 "),
        (-1e-5, 2e-5, "−1.0 × 10⁻⁵ ± 2.0 × 10⁻⁵ "), (-0.02, 0.004, "−0.02 ± 0.004 "),
        (-0.02, 0.00234, "−0.02 ± 0.002 "), (-0.002, 0.000234, "−0.002 ± 2.3 × 10⁻⁴ "),
    ],
)  # fmt: skip
def test_a_card_gives_a_rate_with_its_interval_where_that_is_wide(rate, margin, written):
    judged = diagnose(trace(Experiment(cell="rnn", hidden_size=4, steps=30)))
    found = flow.rate(dataclasses.replace(judged, decades_per_100_steps=rate, half_width=margin))
    assert found.replace("\u00a0", " ") == f"{written}:small[decades per 100 steps]"


@pytest.mark.parametrize(
    ("verdict", "half_life", "written"),
    [
        ("vanishing", 1.068, "halves every 1.07 steps"), ("vanishing", 1.0, "halves every step"),
        ("exploding", -3.19, "doubles every 3.19 steps"), ("steady", math.inf, "keeps its size"),
        ("vanishing", 3.64e8, "halves every 3.6 × 10⁸ steps"), ("undefined", 2.0, "not known"),
        ("vanishing", math.nan, "not known"), ("zero", 1.0, "exactly 0 at step 0"),
    ],
)  # fmt: skip
def test_a_card_says_how_fast_it_halves_or_why_that_is_not_known(verdict, half_life, written):
    judged = diagnose(trace(Experiment(cell="rnn", hidden_size=4, steps=30)))
    found = flow.half_life(dataclasses.replace(judged, verdict=verdict, half_life=half_life))
    assert found.replace("\u00a0", " ") == written


def test_what_all_states_hold_is_said_from_a_decade_on():
    base = trace(Experiment(cell="lstm", hidden_size=4, steps=20, batch_size=1))
    for apart, is_said in ((0.99, False), (1.01, True)):
        norms = base.log10_norms.copy()
        norms[..., 1] = norms[..., 0] + 0.5 * math.log10(10 ** (2 * apart) - 1)  # together: `apart` more than h alone
        changed = dataclasses.replace(base, log10_norms=norms, log10_norms_last=norms)
        assert ("(h and c: " in flow.opening([changed])) == is_said


def test_a_card_says_of_a_steady_gradient_how_little_it_changes():
    judged = diagnose(trace(Experiment(cell="lstm", keep_bias=3.0)))
    changed = 10 ** (abs(judged.decades_per_100_steps) / 100 * 199)
    assert judged.verdict == "steady"
    assert flow.half_life(judged) == f"within a factor of {changed:.2g}"
    far = dataclasses.replace(judged, decades_per_100_steps=-10.0, length=1000)
    assert flow.half_life(far).replace("\u00a0", " ") == "within a factor of 1.0 × 10¹⁰⁰"


def test_sequences_are_counted_at_the_first_step_of_the_bottom_layer():
    base = trace(Experiment(cell="rnn", depth=2, hidden_size=4, steps=9, batch_size=3))
    for value, words in ((-math.inf, "exactly 0"), (math.nan, "not finite")):
        for layer, step, is_said in ((0, 0, True), (0, 1, False), (1, 0, False)):
            norms = base.log10_norms.copy()
            norms[layer, step, 1] = value
            found = dataclasses.replace(base, log10_norms=norms, log10_norms_last=norms)
            left = norms[0, 0, [0, 2] if is_said else [0, 1, 2], 0] - base.log10_cotangent[[0, 2] if is_said else ...]
            said = f"RNN {flow.number(left.mean())}" + (f" ({words} in 1 of 3 sequences)" if is_said else "") + "."
            assert flow.opening([found]).endswith(said)


def test_every_layer_s_picture_says_what_is_left_in_the_bottom_layer_and_in_the_top_one():
    found = [trace(Experiment(cell=cell, hidden_size=6, depth=3, steps=20)) for cell in ("rnn", "lstm")]
    said = flow.by_layer(found)
    for one in found:
        left = (one.log10_norm("h")[:, 0] - one.log10_cotangent).mean(axis=1)
        assert f"{flow.title(one)} layer 0: {flow.number(left[0])}, layer 2: {flow.number(left[2])}" in said
    assert flow.by_layer([trace(Experiment(cell="rnn", depth=1, steps=20))]).count("layer") == 1
    nothing = trace(Experiment(cell="rnn", objective="cross_entropy", output_size=1))
    assert flow.by_layer([nothing]) == flow.NOTHING_INJECTED
