"""What a comparison with a pin says: held against arrays, and against norms that are known beforehand."""

import re

import numpy as np
import pytest

from gradlab import Experiment, trace
from gradlab.settings.pins import Pin
from gradlab.training import Recipe, Run
from gradlab.words import pins
from gradlab.words.numbers import number

SMALL = {"hidden_size": 8, "batch_size": 3, "steps": 40}


def compared(now, then, name="A"):
    """The sentence about experiments, beside those of a pin."""
    pin = Pin.of(name, then)
    return pins.comparison(pin, now, [trace(e) for e in now], [trace(e) for e in pin.subjects])


def left(e):
    """log10 of what of the loss reaches h at step 0, mean over the sequences, read off the trace's arrays."""
    found = trace(e)
    return float(np.mean(found.log10_norm("h")[0, 0] - found.log10_cotangent))


@pytest.mark.parametrize("gain", [0.9, 1.2])
def test_an_orthogonal_linear_network_keeps_as_many_times_more_as_its_gain_says(gain):
    now = Experiment(cell="rnn_linear", initialization="orthogonal", **SMALL)
    times = number(abs(np.log10(gain)) * (SMALL["steps"] - 1))
    more = "more" if gain < 1 else "less"
    assert compared([now], [now.replace(gain=gain)]) == (
        f"Compared with **A**, at step 0: RNN (linear) keeps {times} times {more}. "
        f"They differ in the gain alone: now 1, in A {gain}."
    )


def test_every_cell_is_compared_with_itself_and_one_that_the_setting_does_not_touch_keeps_the_same():
    now = [Experiment(cell=cell, keep_bias=3.0, **SMALL) for cell in ("rnn", "lstm", "gru")]
    then = [e.replace(keep_bias=None) for e in reversed(now)]
    said = compared(now, then, "B")
    for e, old in list(zip(now, reversed(then), strict=True))[1:]:
        assert f"{e.title} keeps {number(left(e) - left(old))} times more" in said
    assert "RNN keeps the same" in said
    assert said.endswith("They differ in the keep-gate bias alone: now 3, in B default.")


def test_several_differences_are_listed_and_ways_of_other_lengths_are_said():
    now, then = Experiment(**SMALL), Experiment(**SMALL | {"steps": 30}, gain=0.5, initialization="orthogonal")
    said = compared([now], [then])
    assert "at step 0 (39 steps back now, 29 there): " in said
    assert said.endswith(
        "They differ in the initialization (now PyTorch default, in A orthogonal), gain (now 1, in A 0.5) and steps "
        "(now 40, in A 30)."
    )


def test_single_networks_of_other_cells_are_compared_and_several_are_not():
    now, then = Experiment(cell="lstm", **SMALL), Experiment(cell="gru", **SMALL)
    change = left(now) - left(then)
    said = f"LSTM keeps {number(abs(change))} times {'more' if change > 0 else 'less'} than GRU. "
    assert said + "They differ in the cells alone: now LSTM, in A GRU." in compared([now], [then])
    assert compared([now], [then, then.replace(cell="rnn")]).startswith("Compared with **A**: none of its cells")


def test_exact_zeros_are_no_factors():
    now = Experiment(cell="rnn", **SMALL)
    dead = now.replace(gain=0.0)
    assert f"RNN {number(left(now))}, in A exactly 0." in compared([now], [dead])
    assert f"RNN exactly 0, in A {number(left(now))}." in compared([dead], [now])
    assert "RNN exactly 0, as there." in compared([dead], [dead.replace(seed=1)])


def test_of_several_losses_the_last_one_s_gradient_is_compared():
    now = Experiment(cell="rnn_linear", initialization="orthogonal", loss="every", **SMALL)
    said = compared([now], [now.replace(gain=0.9)])
    times = number(-np.log10(0.9) * (SMALL["steps"] - 1))
    assert f"at step 0, of the last loss's gradient: RNN (linear) keeps {times} times more" in said


def test_a_pin_just_made_has_the_same_settings():
    now = Experiment(**SMALL)
    assert compared([now], [now]) == "Compared with **A**: the same settings."
    assert pins.label(Pin.of("A", [now]), [now]) == "A: the same settings"


def test_a_label_has_the_pin_s_own_values():
    pin = Pin.of("first", [Experiment(gain=1.5, loss="every", text="x" * 60, inputs="text")])
    said = pins.label(pin, [Experiment(keep_bias=1.0, cell="gru")])
    assert said.startswith("first: cells LSTM, gain 1.5, keep-gate bias default, inputs text, ")
    assert "loss every step" in said
    assert re.search(r"text x{24}…", said)


def test_a_factor_that_would_be_written_as_one_is_about_the_same():
    now = Experiment(cell="rnn_linear", initialization="orthogonal", **SMALL)
    for times, said in ((1.0001, "about the same"), (1.04, "about the same"), (1.06, "1.1 times less")):
        gain = times ** (1 / (SMALL["steps"] - 1))
        assert f"RNN (linear) keeps {said}. They differ" in compared([now], [now.replace(gain=gain)])


def test_trained_weights_are_a_difference_of_their_own():
    run = Run(Experiment(cell="lstm", hidden_size=4, steps=8, batch_size=2), "parity", Recipe(updates=3)).after(3)
    subject = run.trained
    pin = Pin.of("A", [subject.settings])
    traces = [trace(subject)], [trace(e) for e in pin.subjects]
    said = pins.comparison(pin, [subject], *traces)
    assert said.endswith("They differ in the training alone.")
    left = [float(np.mean(found.at_start("h", "last"))) for (found,) in traces]
    assert f"LSTM keeps {number(abs(left[0] - left[1]))} times {'more' if left[0] > left[1] else 'less'}" in said
    other = Pin.of("A", [subject.settings.replace(seed=subject.settings.seed + 1)])
    said = pins.comparison(other, [subject], [trace(subject)], [trace(e) for e in other.subjects])
    assert re.search(r"They differ in the seed \(now \d+, in A \d+\) and training\.$", said)


def test_single_networks_of_other_cells_that_are_both_exactly_zero_are_no_factor():
    now, then = (Experiment(cell=cell, gain=0.0, **SMALL) for cell in ("rnn", "rnn_relu"))
    assert ": RNN exactly 0, as there. They differ in the cells" in compared([now], [then])
