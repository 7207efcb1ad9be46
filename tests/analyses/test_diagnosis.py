"""Verdicts, half-lives and the steps at which float32 gives up, against closed forms and against float32 itself."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gradlab import Experiment, Stack, diagnose, trace
from gradlab.analyses.diagnosis import _is_good, _rate, _reaches, judged
from gradlab.analyses.problem import problem_of
from gradlab.analyses.propagation import Line, Way
from gradlab.analyses.traces import as_one
from gradlab.network.stack import Layer, gate_rows
from gradlab.words.numbers import every, rounded


def scalar(u, T, loss=None, cell="rnn_linear", b=0.0, B=1, size=1.0):
    """The trace of one unit of weight u with a loss of the given size at one step."""
    one = np.ones((1, 1))
    stack = Stack(cell, (Layer(0 * one, u * one, np.array([b]), np.zeros(1)),))
    cotangents = np.zeros((T, B, 1))
    cotangents[T - 1 if loss is None else loss] = size
    return trace(stack, np.zeros((T, B, 1)), cotangents)


@pytest.mark.parametrize(
    ("u", "verdict"),
    [(0.9, "vanishing"), (1.1, "exploding"), (1.0, "steady"), (0.978, "steady"), (0.977, "vanishing"),
     (1.023, "steady"), (1.024, "exploding")],
)  # fmt: skip
def test_a_decade_in_100_steps_is_the_border_between_steady_and_not(u, verdict):
    found = diagnose(scalar(u, 101))
    assert found.verdict == verdict
    assert found.decades_per_100_steps == pytest.approx(100 * math.log10(u), abs=1e-9)
    assert found.sentence.startswith(f"RNN (linear), layer 0, h: {verdict}.")
    assert found.sentence.endswith("is left at step 0, 100 steps earlier."), "one loss is not spoken of as several"


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.floats(0.05, 20).filter(lambda u: abs(u - 1) > 1e-3), st.integers(3, 300))
def test_half_life_and_doubling_time_are_those_of_the_weight(u, T):
    assert diagnose(scalar(u, T)).half_life == pytest.approx(-math.log(2) / math.log(u), rel=1e-6)


@pytest.mark.parametrize(
    ("bias", "steps"), [(0, 1.000), (1, 2.213), (2, 5.461), (3, 14.266), (4, 38.190), (5, 103.218)]
)
def test_the_half_life_of_a_zero_weight_lstm_is_that_of_its_forget_bias(bias, steps):
    H = 4
    b = np.zeros(4 * H)
    b[gate_rows("lstm", "forget", H)] = bias
    stack = Stack("lstm", (Layer(np.zeros((4 * H, 2)), np.zeros((4 * H, H)), b, np.zeros(4 * H)),))
    cotangents = np.zeros((60, 1, H))
    cotangents[-1] = 1
    found = diagnose(trace(stack, np.zeros((60, 1, 2)), cotangents), state="c")
    assert found.half_life == pytest.approx(steps, abs=6e-4)


@pytest.mark.parametrize("initialization", ["identity", "orthogonal"])
@pytest.mark.parametrize("inputs", ["zero", "noise"])
def test_a_norm_that_is_kept_has_no_half_life_and_the_sentence_says_so(initialization, inputs):
    e = Experiment(cell="rnn_linear", initialization=initialization, inputs=inputs, steps=1000, hidden_size=16)
    found = diagnose(trace(e))
    assert found.decades_per_100_steps == 0
    assert math.isinf(found.half_life)
    assert "steady. The gradient's norm does not change on its way back." in found.sentence
    assert math.isinf(found.steps_to_float32_zero)


def torchs_own(u, T, H, shown):
    """Steps back to where torch's float32 autograd first gives what `shown` takes for zero; None if nowhere."""
    states = [torch.ones(1, H, requires_grad=True)]
    for _ in range(T):
        states.append(states[-1] @ (u * torch.eye(H)))
        states[-1].retain_grad()
    states[-1].sum().backward()
    return next((back for back, state in enumerate(reversed(states)) if shown(state.grad)), None)


def of_float32(u, T, H):
    eye, zero = np.eye(H), np.zeros(H)
    cotangents = np.zeros((T, 1, H))
    cotangents[-1] = 1
    stack = Stack("rnn_linear", (Layer(0 * eye, u * eye, zero, zero),))
    return diagnose(trace(stack, np.zeros((T, 1, H)), cotangents))


@pytest.mark.parametrize("H", [1, 2, 30])
@pytest.mark.parametrize("u", [0.3, 0.5, 0.9])
def test_float32_prints_0_from_the_step_at_which_torchs_own_backward_pass_does(u, H):
    """To a step: torch rounds at every one. Of subnormal numbers 0.9 · 1 rounds back to 1, and never reaches 0."""
    found = of_float32(u, 1200, H)
    assert found.measured
    norm = torchs_own(u, 1200, H, lambda gradient: gradient.norm().item() == 0)
    entries = torchs_own(u, 1200, H, lambda gradient: not gradient.any())
    assert (entries is None) == (u == 0.9)
    assert entries is None or abs(found.steps_to_float32_zero - entries) <= 1
    assert (norm is None) == (u == 0.9 and H == 1)
    assert norm is None or abs(found.steps_to_float32_norm_zero - norm) <= 1
    assert f"would print as 0 from about {found.steps_to_float32_norm_zero:.0f} steps back on" in found.sentence


def test_a_half_to_the_150th_is_the_first_that_float32_takes_for_zero():
    """Exactly: half of the smallest subnormal 2^-149, which rounds to even."""
    found = of_float32(0.5, 300, 1)
    assert found.steps_to_float32_zero == 150 == torchs_own(0.5, 300, 1, lambda gradient: not gradient.any())


def test_beyond_the_trace_the_line_is_continued_and_said_to_be():
    long, short = diagnose(scalar(0.9, 1500)), diagnose(scalar(0.9, 100))
    assert long.measured
    assert not short.measured
    assert short.steps_to_float32_zero == long.steps_to_float32_zero
    assert short.steps_to_float32_norm_zero == long.steps_to_float32_norm_zero
    assert f"after some {short.steps_to_float32_norm_zero:.0f} steps, if it goes on like this" in short.sentence
    assert math.isinf(diagnose(scalar(1.1, 100)).steps_to_float32_zero)


def test_steps_are_counted_back_from_the_loss_wherever_it_is():
    early, late = diagnose(scalar(0.5, 400, loss=250)), diagnose(scalar(0.5, 251))
    assert early == late


def test_a_gradient_that_begins_below_what_float32_holds_is_zero_from_the_loss_on():
    found = diagnose(scalar(0.9, 20, size=1e-60))
    assert found.steps_to_float32_zero == 0
    assert found.measured


# what has no rate


def test_one_step_up_to_the_loss_is_no_line_and_not_called_zero():
    for T, loss in ((50, 0), (2, 0)):
        found = diagnose(scalar(0.9, T, loss=loss))
        assert found.verdict == "undefined"
        assert math.isnan(found.decades_per_100_steps)
        assert "The loss enters at step 0 alone: there is no way back to follow." in found.sentence
        assert found.length == 0
    cotangents = np.zeros((9, 2, 1))
    cotangents[0, 0] = cotangents[1, 1] = 1
    assert "has 2 steps: too few" in diagnose(trace(scalar(0.5, 2).stack, np.zeros((9, 2, 1)), cotangents)).sentence
    two = diagnose(scalar(0.5, 2))
    assert two.verdict == "undefined"
    assert math.isnan(two.decades_per_100_steps)
    assert math.isnan(two.half_life)
    assert "has 2 steps: too few for a rate, which takes 3" in two.sentence
    three = diagnose(scalar(0.5, 3))
    assert (three.verdict, three.half_life) == ("vanishing", pytest.approx(1))


def test_without_a_loss_no_gradient_arrives():
    found = diagnose(scalar(0.9, 20, size=0.0))
    assert found.verdict == "zero"
    assert found.sentence.endswith("zero. Nothing is injected: the loss has no gradient.")


def test_a_gradient_that_dies_on_its_way_is_zero_from_there_on_and_no_steady_one():
    T, H = 40, 2
    eye, zero = np.eye(H), np.zeros(H)
    inputs = np.ones((T, 3, H))
    inputs[20, 1] = -100  # all units of one sequence are off at step 20
    cotangents = np.zeros((T, 3, H))
    cotangents[-1] = 1
    stack = Stack("rnn_relu", (Layer(eye, eye, zero, zero),))
    one = diagnose(trace(stack, inputs, cotangents))
    assert one.verdict == "steady", "one dead sequence does not take the verdict from the others"
    assert one.notes == ("The gradient is exactly zero from 20 steps back on in 1 of 3 sequences.",)
    assert [found.verdict for found in one.sequences] == ["steady", "zero", "steady"]
    assert [found.zero_from for found in one.sequences] == [math.inf, 20, math.inf]
    assert (one.log10_left, one.log10_arrives) == (0, 0), "an identity keeps all, and a dead sequence takes none of it"
    inputs[1, 0] = -100
    first = diagnose(trace(stack, inputs, cotangents)).sequences[0]
    assert (first.verdict, first.zero_from) == ("zero", 39), "at step 0 alone"
    inputs[1, 0], inputs[30, 2] = 1, -100
    two = diagnose(trace(stack, inputs, cotangents))
    assert two.notes == ("The gradient is exactly zero from 10 to 20 steps back on in 2 of 3 sequences.",)
    inputs[20], inputs[30] = -100, 1
    every = diagnose(trace(stack, inputs, cotangents))
    assert every.sentence.endswith("zero. The gradient is exactly zero from 20 steps back on.")
    assert every.steps_to_float32_zero == 20


def test_a_direct_path_alone_leaves_h_zero_behind_the_loss():
    e = Experiment(cell="lstm", initialization="zeros", steps=60, hidden_size=4)
    h, c, whole = (diagnose(trace(e), state=state) for state in ("h", "c", None))
    assert (h.verdict, c.verdict, whole.verdict) == ("zero", "vanishing", "vanishing")
    assert whole.decades_per_100_steps == c.decades_per_100_steps
    assert "exactly zero from 1 step back on" in h.sentence


def test_an_overflow_is_undefined_and_says_where_it_was():
    found = diagnose(trace(Experiment(cell="rnn_relu", gain=10, initialization="gaussian", steps=600)))
    assert found.verdict == "undefined"
    assert "The forward pass overflows: the first state that is not finite is at step" in found.sentence
    assert math.isinf(found.steps_to_float32_zero)
    assert math.isnan(found.log10_left), "neither a number nor the exact zero of nothing"


def test_sequences_without_a_loss_or_a_finite_pass_have_no_part_in_where_float32_ends():
    """u^k of a plain unit beside one that overflows, and beside one whose loss is nowhere."""
    T, alone = 300, diagnose(scalar(0.5, 300))
    stack = Stack("rnn_relu", (Layer(np.ones((1, 1)), np.full((1, 1), 0.5), np.zeros(1), np.zeros(1)),))
    inputs, cotangents = np.ones((T, 3, 1)), np.zeros((T, 3, 1))
    inputs[:5, 2], cotangents[-1, [0, 2]] = 1.7e308, 1
    found = diagnose(trace(stack, inputs, cotangents))
    assert [one.verdict for one in found.sequences] == ["vanishing", "zero", "undefined"]
    assert "In 1 of 3 sequences a pass is not finite." in found.notes
    for name in ("steps_to_float32_zero", "steps_to_float32_norm_zero", "measured"):
        assert getattr(found, name) == getattr(alone, name), name


def test_where_some_are_dead_and_the_others_undefined_nothing_can_be_said():
    stack = Stack("rnn_relu", (Layer(np.ones((1, 1)), np.full((1, 1), 0.5), np.zeros(1), np.zeros(1)),))
    inputs, cotangents = np.ones((9, 2, 1)), np.zeros((9, 2, 1))
    inputs[:4, 1], inputs[7, 0], cotangents[-1] = 1.7e308, -100, 1
    found = diagnose(trace(stack, inputs, cotangents))
    assert [one.verdict for one in found.sequences] == ["zero", "undefined"]
    assert found.verdict == "undefined"
    assert "undefined. The forward pass overflows" in found.sentence
    assert math.isnan(found.log10_left)


def test_of_a_gradient_zero_from_the_loss_on_in_some_sequences_alone_is_said_from_where():
    """One unit is off at the loss already, one a step before; a third has no loss at all."""
    stack = Stack("rnn_relu", (Layer(np.ones((1, 1)), np.ones((1, 1)), np.zeros(1), np.zeros(1)),))
    inputs, cotangents = np.ones((9, 3, 1)), np.zeros((9, 3, 1))
    inputs[8, 0], inputs[7, 1], cotangents[-1, :2] = -100, -100, 1
    assert diagnose(trace(stack, inputs, cotangents)).sentence.endswith("exactly zero from 0 to 2 steps back on.")


def test_the_first_sequence_to_overflow_float32_is_the_one_that_is_spoken_of():
    """2^k of sequences whose losses enter with 1 and with 2^20, and of one that has a shorter way back."""
    cotangents = np.zeros((300, 3, 1))
    cotangents[-1, :2], cotangents[50, 2] = [[1.0], [2.0**20]], 1
    found = diagnose(trace(scalar(2.0, 2).stack, np.zeros((300, 3, 1)), cotangents))
    assert "would overflow from about 108 steps back on" in found.sentence


def test_a_last_loss_whose_gradient_overflows_where_the_sum_of_all_is_zero_is_undefined_all_the_same():
    """A step back it is 1e308 in each of four units and taken away by the loss there; the next is beyond the range."""
    eye, zero = np.eye(4), np.zeros(4)
    stack = Stack("rnn_linear", (Layer(0 * eye, np.full((4, 4), 1e308), zero, zero),))
    cotangents = np.zeros((6, 1, 4))
    cotangents[5, 0, 0], cotangents[4] = 1, -1e308
    traced = trace(stack, np.zeros((6, 1, 4)), cotangents)
    assert np.isneginf(traced.log10_norm()[0, :5]).all()
    found = diagnose(traced)
    assert found.verdict == "undefined"
    assert found.sentence.endswith("undefined. The last loss's gradient is not finite.")


def test_layers_and_states_are_told_apart_and_wrong_ones_refused():
    result = trace(Experiment(cell="lstm", depth=2, hidden_size=8, steps=40))
    found = {(d.layer, d.state, d.decades_per_100_steps, d.half_width) for d in
             (diagnose(result, state, layer) for state in ("h", "c") for layer in (0, 1))}  # fmt: skip
    assert len({rate for _, _, rate, _ in found}) == 4
    rates = result.rate()
    assert {(r.layer, r.state, 100 * r.decades_per_step, 100 * r.half_width) for r in rates.itertuples()} == found
    for layer in (-1, 2):
        with pytest.raises(ValueError, match=f"layer = {layer} is not there: the stack has layers 0 to 1"):
            diagnose(result, layer=layer)
    with pytest.raises(ValueError, match="state = 'x' is not a state of lstm: use h or c"):
        diagnose(result, "x")


def test_a_forget_bias_moves_the_verdict_as_the_design_says():
    """PyTorch's default LSTM vanishes too; a forget gate near 1 is what keeps the path open."""
    e = Experiment(cell="lstm", hidden_size=64, steps=200)
    assert diagnose(trace(e)).verdict == "vanishing"
    assert diagnose(trace(e.replace(forget_bias=3)), state="c").verdict == "steady"


# the rule


@pytest.mark.parametrize(
    ("slope", "half_width", "length", "verdict"),
    [
        (-1 / 128, 0.0, 128, "steady"),  # one decade exactly is not more than one
        (1 / 128, 0.0, 128, "steady"),
        (0.0, 1 / 128, 128, "steady"),  # known to one decade exactly
        (0.0, 1.01 / 128, 128, "undefined"),
        (-2 / 128, 2 / 128, 128, "undefined"),  # the interval holds 0
        (-2 / 128, 1.9 / 128, 128, "vanishing"),
        (2 / 128, 1.9 / 128, 128, "exploding"),
        (2 / 128, 2 / 128, 128, "undefined"),
        (-0.0088, 0.0, 9999, "vanishing"),  # 0.88 decades per 100 steps are 88 in all
        (-0.0088, 0.0, 50, "steady"),
        (math.nan, math.nan, 50, "undefined"),
    ],
)
def test_the_rule_weighs_the_change_and_its_interval_over_the_length_and_100_steps_at_least(
    slope, half_width, length, verdict
):
    assert judged(slope, half_width, length) == verdict


def test_an_interval_of_a_random_walk_s_drift_holds_the_drift_as_often_as_it_says():
    """Norms are products: what a step adds stays. Independent residuals about a line would be far too sure."""
    random = np.random.default_rng(0)
    walks = np.cumsum(random.normal(-0.02, 0.1, (200, 2000)), axis=0)
    length = np.full(2000, 199)
    lines = Way(walks, length).lines
    covered = np.abs(lines.slope + 0.02) <= lines.half_width
    assert 0.925 <= covered.mean() <= 0.965


def test_a_residual_is_the_root_mean_square_distance_from_numpys_own_line():
    random = np.random.default_rng(1)
    norms = -0.1 * np.arange(80)[:, None] + random.standard_exponential((80, 3))
    lines = Way(norms, np.full(3, 79)).lines
    x = np.arange(20, 80)
    for sequence in range(3):
        slope, intercept = np.polyfit(x, norms[x, sequence], 1)
        away = norms[x, sequence] - slope * x - intercept
        assert lines.slope[sequence] == pytest.approx(slope)
        assert lines.intercept[sequence] == pytest.approx(intercept)
        assert lines.rms_residual[sequence] == pytest.approx(math.sqrt((away**2).mean()))


def test_three_points_are_enough_and_the_last_three_quarters_are_taken_where_they_have_them():
    """Of a way of 3 steps lags 1 to 3 are fitted, of one of 2 all three points; of one of 1, none."""
    for length, first, points in ((3, 1, 3), (2, 0, 3), (1, 0, 2)):
        lines = Way(-1.0 * np.arange(length + 1.0)[:, None] ** 2, np.array([length])).lines
        assert (lines.first[0], lines.points[0]) == (first, points)
        assert np.isnan(lines.slope[0]) == (length == 1)


def test_a_line_is_not_continued_to_before_the_end_of_a_way_that_stayed_above_it():
    """Where norms bend up at the end, the line would be below a level that they were seen not to reach."""
    norms = np.concatenate([-1.0 * np.arange(98), np.full(2, -1.0)])[:, None]
    found = _reaches(Way(norms, np.array([99])), -30.0)
    assert found.by_sequence[0] == 100
    assert not found.measured


def test_a_norm_at_a_level_counts_as_having_reached_it():
    for length in (49, 30):
        norms = -1.0 * np.arange(length + 1)[:, None]
        found = _reaches(Way(norms, np.array([length])), -30.0)
        assert (found.by_sequence[0], found.measured) == (30, True)


@pytest.mark.parametrize(("u", "does"), [(0.98, "loses"), (1.02, "gains")])
def test_a_rate_is_one_of_loss_or_of_gain_also_where_it_is_steady_or_not_known_well_enough(u, does):
    traced = scalar(u, 101)
    rate = f"The last loss's gradient {does} {rounded(100 * abs(math.log10(u)))} decades per 100 steps"
    assert f"steady. {rate}" in diagnose(traced).sentence
    walk = np.cumsum(np.random.default_rng(0).normal(0, 0.3, 101))
    walk += (math.log10(u) - np.polyfit(np.arange(25, 101), walk[25:], 1)[0]) * np.arange(101)
    noisy = replace(traced, log10_norms_last=walk[::-1][None, :, None, None])
    assert f"undefined. The last loss's gradient {does} " in diagnose(noisy).sentence
    beside = np.stack([walk[::-1], np.full(101, np.nan)], axis=1)[None, :, :, None]
    assert f"gradient {does} " in diagnose(replace(scalar(u, 101, B=2), log10_norms_last=beside)).sentence


def test_what_a_steady_gradient_changes_over_its_way_is_said_of_ways_of_more_than_100_steps():
    assert "over its way back" not in diagnose(scalar(0.999, 101)).sentence
    assert "over its way back of 101 steps" in diagnose(scalar(0.999, 102)).sentence
    cotangents = np.zeros((200, 2, 1))
    cotangents[50, 0] = cotangents[-1, 1] = 1
    two = trace(scalar(0.999, 2).stack, np.zeros((200, 2, 1)), cotangents)
    assert "over its way back of 199 steps" in diagnose(two).sentence


@pytest.mark.parametrize(("u", "does"), [(0.9, "it halves"), (1.1, "it doubles")])
def test_the_time_in_which_it_halves_or_doubles_is_said(u, does):
    assert f"{does} {every(rounded(abs(math.log(2) / math.log(u))), 'step')}" in diagnose(scalar(u, 101)).sentence


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.floats(2e-3, 5000), st.floats(1e-3, 2))
def test_a_rate_is_said_as_exactly_as_its_interval_of_two_digits(rate, share):
    margin = share * rate
    said = _rate(Line(-rate / 100, margin / 100, 0.0, 0, 99, 0.0, 1)).split(" ± ")
    rounding = 10.0 ** -len(said[1].partition(".")[2]) / 2
    for number, exact in zip(said, (rate, margin), strict=True):
        assert abs(float(number) - exact) <= 1.001 * rounding
    assert rounding == 0.5 if margin >= 10 else 0.005 * margin < rounding <= 0.051 * margin


@pytest.mark.parametrize("share", [0.899, 0.901])
def test_a_line_is_good_where_it_explains_nine_tenths_of_the_variance(share):
    residual = 3.0  # decades, more than a factor of two
    explained = residual**2 * share / (1 - share)
    change = math.sqrt(explained / np.linspace(0, 1, 100_001).var())
    line = Line(-change / 200, 0.0, 0.0, 100, 300, residual, 1)
    way = Way(np.zeros((301, 1)), np.array([300]))
    assert _is_good(way, line) == (share > 0.9)
    for factor in (1.99, 2.01):
        flat = Line(0.0, 0.0, 0.0, 100, 300, math.log10(factor), 1)
        assert _is_good(way, flat) == (factor < 2), "or leaves less than a factor of two"


def test_a_sequence_whose_loss_has_no_way_back_never_comes_to_float32_s_zero():
    cotangents = np.zeros((300, 2, 1))
    cotangents[-1, 0] = cotangents[0, 1] = 1
    stack = scalar(0.5, 2).stack
    found = diagnose(trace(stack, np.zeros((300, 2, 1)), cotangents))
    assert (found.steps_to_float32_zero, found.measured) == (math.inf, False)


# propagation, whatever the loss


def alone(e):
    """The trace of an experiment's network and inputs with the last loss's cotangents alone: by another call."""
    problem = problem_of(e)
    cotangents = np.zeros_like(problem.cotangents)
    last = e.injection_steps[-1]
    cotangents[last] = problem.cotangents[last]
    return trace(problem.stack, problem.inputs, cotangents)


SEVERAL = [
    {"loss": "steps", "loss_steps": "10,50"},
    {"loss": "steps"},
    {"loss": "every"},
    {"loss": "one_to_many"},
    {"loss": "many_to_many_delayed"},
]


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("placed", SEVERAL, ids=lambda placed: " ".join(placed.values()))
def test_a_verdict_is_that_of_the_last_loss_alone_whatever_other_losses_there_are(cell, placed):
    e = Experiment(cell=cell, **placed)
    found, expected = diagnose(trace(e)), diagnose(alone(e))
    assert found.verdict == expected.verdict == "vanishing"
    for name in ("decades_per_100_steps", "half_width", "half_life", "rms_residual", "log10_left",
                 "steps_to_float32_zero", "steps_to_float32_norm_zero"):  # fmt: skip
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-6), name
    assert found.log10_arrives > found.log10_left + 5, "the sum is made up by nearer losses"
    assert f"of all {len(e.injection_steps)} losses together" in found.sentence
    assert found.half_life == pytest.approx({"rnn": 1.07, "lstm": 1.48, "gru": 1.47}[cell], rel=0.17)


def test_losses_of_sequences_that_end_at_different_steps_are_each_counted_from_their_own():
    """u^k of every sequence from its own last loss."""
    T, u = 60, 0.8
    stack = Stack("rnn_linear", (Layer(np.zeros((1, 1)), np.full((1, 1), u), np.zeros(1), np.zeros(1)),))
    cotangents = np.zeros((T, 3, 1))
    cotangents[20, 0] = cotangents[59, 1] = cotangents[[5, 40], 2] = 1
    traced = trace(stack, np.zeros((T, 3, 1)), cotangents)
    assert traced.last_loss.tolist() == [20, 59, 40]
    assert traced.log10_norm("h", "last")[0, 0] == pytest.approx(np.array([20, 59, 40]) * math.log10(u))
    found = diagnose(traced)
    assert found.decades_per_100_steps == pytest.approx(100 * math.log10(u))
    assert [one.decades_per_100_steps for one in found.sequences] == pytest.approx([100 * math.log10(u)] * 3)
    assert (found.length, found.steps_back) == (59, (5, 59)), "a quarter of 20 steps, and the end of the longest way"
    assert "is left at step 0, 59 steps earlier; of all 4 losses" in found.sentence


def test_sequences_whose_verdicts_are_not_that_of_the_batch_are_counted():
    lines = -np.array([0.1, 0.0, 0.0]) * np.arange(101.0)[::-1, None]
    found = diagnose(replace(scalar(0.9, 101, B=3), log10_norms_last=lines[None, :, :, None]))
    assert found.decades_per_100_steps == pytest.approx(-10 / 3)
    assert found.notes == ("By sequence: 1 vanishing, 2 steady.",)


@pytest.mark.parametrize("T", [41, 201])
def test_what_is_not_known_well_enough_is_so_over_the_way_and_over_100_steps_at_least(T):
    walk = np.cumsum(np.random.default_rng(0).normal(0, 1.0, T))
    found = diagnose(replace(scalar(0.9, T), log10_norms_last=walk[None, :, None, None]))
    assert found.verdict == "undefined"
    assert f"over {max(100, T - 1)} steps to tell" in found.sentence


def test_one_dead_sequence_of_eight_leaves_the_rate_of_the_seven_alive():
    e = Experiment(cell="rnn_relu", hidden_size=8)
    norms = trace(e).log10_norm("h")[0]
    alive = np.isfinite(norms[0])
    assert alive.sum() == 7
    slopes = np.polyfit(np.arange(e.steps)[50:], norms[::-1][50:, alive], 1)[0]
    found = diagnose(trace(e))
    assert found.verdict == "vanishing"
    assert found.decades_per_100_steps == pytest.approx(100 * slopes.mean())
    assert [one.verdict for one in found.sequences].count("zero") == 1
    assert "in 1 of 8 sequences" in found.sentence


def test_dead_in_all_sequences_at_different_steps_is_zero_and_the_fields_say_the_same_as_the_sentence():
    found = diagnose(trace(Experiment(cell="rnn_relu", hidden_size=4)))
    low, high = (end(one.zero_from for one in found.sequences) for end in (min, max))
    assert low < high
    assert found.verdict == "zero"
    assert f"from {low:.0f} to {high:.0f} steps back on." in found.sentence
    assert found.log10_left == -math.inf


def test_a_slow_decay_over_many_steps_is_no_steady_one():
    found = diagnose(trace(Experiment(cell="rnn_linear", initialization="orthogonal", gain=0.98, steps=10_000)))
    assert found.verdict == "vanishing"
    assert found.log10_left == pytest.approx(9999 * math.log10(0.98))


def test_an_lstm_that_keeps_its_gradient_in_c_alone_is_steady_as_a_cell():
    e = Experiment(cell="lstm", gain=0.0, forget_bias=20.0)
    whole = diagnose(trace(e))
    assert (whole.verdict, diagnose(trace(e), "h").verdict) == ("steady", "zero")
    assert whole.state == "h and c"
    assert whole.log10_left == pytest.approx(trace(e).log10_relative("c")[0, 0].mean())


def test_a_whole_state_s_norm_is_that_of_h_and_c_as_one_vector_at_any_size():
    e = Experiment(cell="lstm", steps=40, hidden_size=8, depth=2)
    for traced in (trace(e), trace(e.network(), e.sequence()[:1], np.ones((1, e.batch_size, 8)))):
        h, c = 10 ** traced.log10_norm("h"), 10 ** traced.log10_norm("c")
        assert traced.log10_norm("all") == pytest.approx(np.log10(np.hypot(h, c)))
    assert as_one(np.array([-500.0, -500.0])) == pytest.approx(-500 + math.log10(2) / 2)
    assert as_one(np.array([-np.inf, 400.0])) == 400
    assert np.isneginf(as_one(np.array([-np.inf, -np.inf])))
    assert np.isnan(as_one(np.array([np.nan, 1.0])))


def test_float32_s_steps_are_said_as_the_range_over_sequences():
    e = Experiment(cell="rnn")
    found = diagnose(trace(e))
    norms = trace(e).log10_norm("h")[0, ::-1]
    level = -75 * math.log10(2) + 0.5 * math.log10(e.hidden_size)
    first = [np.flatnonzero(norms[:, b] > level)[-1] + 1 for b in range(e.batch_size)]
    assert f"from about {min(first)} to {max(first)} steps back on" in found.sentence
    assert found.steps_to_float32_norm_zero == max(first)
    assert min(first) < max(first)
    assert "estimated for entries of equal size" in found.sentence
    assert "up to 13 times slower" in found.sentence


def test_float32_subnormals_begin_where_torch_s_entries_leave_the_normal_range():
    found = of_float32(0.5, 300, 4)
    smallest = torch.finfo(torch.float32).tiny
    entries = torchs_own(0.5, 300, 4, lambda gradient: gradient.max() < smallest)
    assert abs(found.steps_to_float32_subnormal - entries) <= 1
    entries = torchs_own(0.4, 300, 4, lambda gradient: gradient.max() < smallest)
    assert of_float32(0.4, 300, 4).steps_to_float32_subnormal == entries, "no power of 0.4 is the smallest one itself"


@pytest.mark.parametrize("state", ["h", "c", None])
def test_float32_s_zero_is_that_of_as_many_equal_entries_as_the_state_judged_has(state):
    traced = trace(Experiment(cell="lstm", steps=1500, hidden_size=8, batch_size=3, keep_bias=2.0))
    norms = traced.log10_norm(state or "all")[0, ::-1]
    level = -150 * math.log10(2) + 0.5 * math.log10(16 if state is None else 8)
    first = max(np.flatnonzero(norms[:, b] > level)[-1] + 1 for b in range(3))
    found = diagnose(traced, state)
    assert (found.steps_to_float32_zero, found.measured) == (first, True)


def test_a_chaotic_network_s_rate_comes_with_its_interval_and_a_poor_fit_is_said():
    found = diagnose(trace(Experiment(cell="rnn", gain=1.5, initialization="gaussian", hidden_size=32, inputs="zero")))
    assert found.half_width > 0.1 * abs(found.decades_per_100_steps)
    assert " ± " in found.sentence
    noisy = Way(np.cumsum(np.random.default_rng(3).normal(-0.01, 1.0, (200, 4)), axis=0), np.full(4, 199))
    assert not _is_good(noisy, noisy.line())
    line = Way(-0.1 * np.arange(100.0)[:, None], np.array([99]))
    assert _is_good(line, line.line())


# what hides in norms


def test_a_batch_whose_parameters_gradient_cancels_is_said_to():
    """Torch's own parameter gradient is zero, each sequence's is not."""
    H, T = 3, 12
    module = torch.nn.RNN(2, H, dtype=torch.float64)
    inputs = torch.ones(T, 2, 2, dtype=torch.float64)
    cotangents = torch.zeros(T, 2, H, dtype=torch.float64)
    cotangents[-1, 0] = torch.tensor([0.3, -0.2, 0.5])
    cotangents[-1, 1] = -cotangents[-1, 0]
    (module(inputs)[0] * cotangents).sum().backward()
    assert module.weight_hh_l0.grad.abs().max() < 1e-15
    stack = Stack.from_torch(module)
    found = diagnose(trace(stack, inputs, cotangents))
    assert any("gradient is exactly zero, though that of each sequence is not" in note for note in found.notes)
    inputs[0, 1] += 1
    assert not trace(stack, inputs, cotangents).cancels
    inputs[0, 1] -= 1
    cotangents[-1, 1, 0] += 1e-3
    assert not trace(stack, inputs, cotangents).cancels


def test_units_at_the_kink_of_a_relu_are_counted_and_said():
    """No bias, and no input from step 1 on: a unit that was off stays at exactly 0."""
    eye = np.eye(2)
    stack = Stack("rnn_relu", (Layer(eye, eye, np.zeros(2), np.zeros(2)),))
    inputs = np.zeros((10, 1, 2))
    inputs[0, 0] = (1, -1)
    cotangents = np.zeros((10, 1, 2))
    cotangents[-1] = 1
    found = trace(stack, inputs, cotangents)
    assert found.at_kink == 9 / 20
    assert any("0.45 of the ReLU's pre-activations are exactly 0" in note for note in diagnose(found).notes)
    inputs[:] = 1
    assert trace(stack, inputs, cotangents).at_kink == 0


def test_an_explosion_s_overflow_of_float32_is_where_torchs_own_backward_pass_is_infinite():
    found = of_float32(2.0, 300, 4)
    entries = torchs_own(2.0, 300, 4, lambda gradient: not gradient.isfinite().all())
    assert entries == 128
    for whole in (found, of_float32(2.0, 129, 4)):
        assert "would overflow from about 128 steps back on" in whole.sentence
    assert "would overflow after some 128 steps, if it goes on like this" in of_float32(2.0, 60, 4).sentence


def test_losses_that_cancel_exactly_leave_the_last_one_s_verdict_and_a_sum_of_exactly_zero():
    cotangents = np.zeros((9, 1, 1))
    cotangents[8], cotangents[0] = 1, -(2.0**-8)
    half = Stack("rnn_linear", (Layer(np.zeros((1, 1)), np.full((1, 1), 0.5), np.zeros(1), np.zeros(1)),))
    found = diagnose(trace(half, np.zeros((9, 1, 1)), cotangents))
    assert (found.verdict, found.half_life) == ("vanishing", pytest.approx(1))
    assert found.log10_arrives == -math.inf
    assert "of all 2 losses together, exactly 0 arrives there." in found.sentence


def test_where_some_sequences_keep_their_gradient_float32_s_end_is_that_of_the_others():
    e = Experiment(
        cell="lstm_peephole", hidden_size=1, gain=0.0, forget_bias=20.0, steps=4, batch_size=3, inputs="sines",
        input_size=2, seed=4,
    )  # fmt: skip
    found = diagnose(trace(e))
    assert [one.verdict for one in found.sequences].count("steady") == 1
    assert re.search(r"would print as 0 after some [\d,.e+]+ steps in [12] of 3 sequences", found.sentence)
    assert "inf" not in found.sentence


@pytest.mark.parametrize(("gain", "is_said"), [(4.0, False), (6.0, True)])
def test_where_rounding_changes_the_states_themselves_the_diagnosis_says_so(gain, is_said):
    """From states that differ by one rounding: where it is said, the last states have nothing in common."""
    T, shape = 200, (1, 2, 32)
    e = Experiment(
        cell="rnn", initialization="gaussian", gain=gain, steps=T, hidden_size=32, batch_size=2, inputs="zero"
    )
    random = np.random.default_rng(0)
    start, cotangents = 0.5 * random.standard_normal(shape), np.zeros((T, 2, 32))
    cotangents[-1] = random.standard_normal((2, 32))
    found, small = (diagnose(trace(e.network(), e.sequence(), size * cotangents, (start,))) for size in (1.0, 1e-40))
    assert found.verdict == "exploding"
    assert ("Rounding in the forward pass" in small.sentence) == is_said, "however little the loss injects"
    last = [states_of(e, begin)[-1] for begin in (start, start * (1 + np.finfo(float).eps))]
    assert (np.abs(last[0] - last[1]).max() > 0.5) == is_said
    assert ("Rounding in the forward pass" in found.sentence) == is_said


def states_of(e, start):
    """h of every step, [T, B, H], from a state."""
    (layer,), state, states = e.network().layers, start[0], []
    for x in e.sequence():
        state = np.tanh(x @ layer.W.T + layer.b_W + state @ layer.U.T + layer.b_U)
        states.append(state)
    return states


def test_a_piecewise_linear_network_is_no_chaos_however_much_it_explodes():
    e = Experiment(cell="rnn_linear", initialization="gaussian", gain=3.0, steps=200, hidden_size=16)
    found = diagnose(trace(e))
    assert (found.verdict, found.log10_left > 50) == ("exploding", True)
    assert "Rounding in the forward pass" not in found.sentence
