"""Verdicts, half-lives and the steps at which float32 gives up, against closed forms and against float32 itself."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gradlab import Experiment, Stack, diagnose, trace
from gradlab.network.stack import Layer, gate_rows


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
    found = diagnose(scalar(u, 300))
    assert found.verdict == verdict
    assert found.decades_per_100_steps == pytest.approx(100 * math.log10(u), abs=1e-9)
    assert found.sentence.startswith(f"RNN (linear), layer 0, h: {verdict}.")


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
    assert found.sentence.endswith("steady. The gradient's norm does not change on its way back.")
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
    assert f"print its norm as 0 from {found.steps_to_float32_norm_zero:.0f} steps back on" in found.sentence


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
        assert "no line to fit" in found.sentence
    two = diagnose(scalar(0.5, 2))
    assert (two.verdict, two.half_life) == ("vanishing", pytest.approx(1))


def test_without_a_loss_no_gradient_arrives():
    found = diagnose(scalar(0.9, 20, size=0.0))
    assert found.verdict == "zero"
    assert found.sentence.endswith("no gradient arrives at all: it is exactly zero.")


def test_a_gradient_that_dies_on_its_way_is_zero_from_there_on_and_no_steady_one():
    T, H = 40, 2
    eye, zero = np.eye(H), np.zeros(H)
    inputs = np.ones((T, 3, H))
    inputs[20, 1] = -100  # all units of one sequence are off at step 20
    cotangents = np.zeros((T, 3, H))
    cotangents[-1] = 1
    stack = Stack("rnn_relu", (Layer(eye, eye, zero, zero),))
    one = diagnose(trace(stack, inputs, cotangents))
    assert one.verdict == "zero"
    assert one.sentence.endswith("the gradient is exactly zero from 20 steps back on in 1 of 3 sequences.")
    inputs[20] = -100
    every = diagnose(trace(stack, inputs, cotangents))
    assert every.sentence.endswith("the gradient is exactly zero from 20 steps back on.")
    assert every.steps_to_float32_zero == 20


def test_a_direct_path_alone_leaves_h_zero_behind_the_loss():
    e = Experiment(cell="lstm", initialization="zeros", steps=60, hidden_size=4)
    h, c = diagnose(trace(e)), diagnose(trace(e), state="c")
    assert (h.verdict, c.verdict) == ("zero", "vanishing")
    assert "exactly zero from 1 steps back on" in h.sentence


def test_an_overflow_is_undefined_and_says_where_it_was():
    found = diagnose(trace(Experiment(cell="rnn_relu", gain=10, initialization="gaussian", steps=600)))
    assert found.verdict == "undefined"
    assert "The forward pass overflows: the first state that is not finite is at step" in found.sentence


def test_layers_and_states_are_told_apart_and_wrong_ones_refused():
    result = trace(Experiment(cell="lstm", depth=2, hidden_size=8, steps=40))
    found = {(d.layer, d.state, d.decades_per_100_steps) for d in
             (diagnose(result, state, layer) for state in ("h", "c") for layer in (0, 1))}  # fmt: skip
    assert len({rate for *_, rate in found}) == 4
    rates = result.rate()
    assert {(r.layer, r.state, 100 * r.decades_per_step) for r in rates.itertuples()} == found
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
