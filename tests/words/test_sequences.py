"""What is said of many losses: which steps they enter at, and whether their sum can hide that each vanishes."""

import math
import re

import numpy as np
import pandas as pd
import pytest

from gradlab import Experiment, Stack, trace
from gradlab.analyses.itemised import pairs
from gradlab.analyses.truncation import Departure, Schedule, cost
from gradlab.network.stack import Layer
from gradlab.settings.drawing import entries_of
from gradlab.words import flow, sequences
from gradlab.words.numbers import number, rounded, signed, up_to_one


def test_the_sum_is_bounded_below_only_where_a_loss_enters_at_every_step():
    every = Experiment(cell="rnn", hidden_size=6, steps=30, loss="every", depth=2)
    norms = pairs(every)
    said = sequences.losses_and_sum([norms], 1, "h")
    assert "the sum cannot fall below" in said
    injected = norms.norms(1)[range(30), range(30)].mean(axis=-1)
    assert (trace(every).log10_norm()[1].mean(axis=-1) > injected - 0.5).all()
    below = sequences.losses_and_sum([norms], 0, "h")
    assert "cannot fall" not in below
    assert "h of the top layer at every step" in below
    some = pairs(every.replace(loss="steps", loss_steps="5,12"))
    assert "The loss enters at 2 of 30 steps" in sequences.losses_and_sum([some], 1, "h")
    assert "cannot fall" not in sequences.losses_and_sum([some], 1, "h")
    nothing = pairs(every.replace(objective="cross_entropy", output_size=1))
    assert sequences.losses_and_sum([nothing], 1, "h").startswith("Nothing is injected")


def test_between_two_losses_the_sum_goes_back_as_one_gradient_does():
    e = Experiment(cell="rnn", hidden_size=6, steps=30, loss="steps", loss_steps="5,29", batch_size=1, depth=1)
    found = pairs(e).norms(0)  # [2, T, 1]
    total = trace(e).log10_norm()[0]
    assert np.abs(total[6:] - found[1, 6:]).max() < 1e-9


def test_where_no_loss_arrives_nearer_ones_do_not_make_up_the_sum():
    e = Experiment(cell="rnn", gain=0.0, hidden_size=4, steps=30, loss="many_to_many_delayed", reads=10)
    said = sequences.hiding([pairs(e)], [trace(e)], 0, "h")
    assert "Of the RNN nothing arrives at step 0, of any loss." in said
    assert "nearer" not in said
    other = e.replace(gain=1.0)
    both = sequences.hiding([pairs(e), pairs(other)], [trace(e), trace(other)], 0, "h")
    assert "The sum of the RNN says next to nothing" in both


def test_without_any_loss_no_rows_are_said_to_be_computed():
    e = Experiment(cell="rnn", hidden_size=4, steps=10, loss="every", objective="cross_entropy", output_size=1)
    assert "were computed" not in sequences.rows_note([pairs(e)], e, e, 0, "h")


def test_a_dead_sequence_does_not_make_a_kept_share_undefined():
    e = Experiment(cell="rnn", hidden_size=4)
    said = sequences.kept_of_states([e], [[np.array([0.5, np.nan, 0.7])]], 0)
    assert "RNN 60% at h" in said


def test_a_cosine_below_one_is_never_written_as_one():
    e = Experiment(cell="rnn")
    schedule = sequences.Schedule("windows", 3, 6)
    for cosine, written in ((-0.31, "−0.31"), (0.794, "0.79"), (0.991, "0.991"), (0.998, "0.998"), (1.0, "1.000"),
                            (0.99, "0.990"), (0.999, "0.999"), (1 - 1e-6, "above 0.999"),
                            (0.99901, "above 0.999")):  # fmt: skip
        assert f"6.1% off the full one (cosine {written})" in sequences.statement(
            schedule, [e], [Departure(0.061, cosine)]
        )


def test_a_cosine_that_several_networks_share_is_said_once():
    networks, schedule = [Experiment(cell=cell) for cell in ("rnn", "lstm")], sequences.Schedule("windows", 3, 6)
    said = sequences.statement(schedule, networks, [Departure(0.01, 0.9999), Departure(0.02, 0.9995)])
    assert said.endswith("1% off the full one for this RNN and 2% off the full one for this LSTM. "
                         "Each cosine is above 0.999.")  # fmt: skip
    for others in ([Departure(0.01, 0.9999), Departure(0.02, 0.994)], [Departure(0.01, 0.9999), Departure(1e-14, 1.0)]):
        said = sequences.statement(schedule, networks, others)
        assert "(cosine above 0.999) for this RNN" in said


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (rounded(1.6439), "1.64"), (rounded(0.05), "0.05"), (rounded(3.64e8), "3.6 × 10⁸"),
        (rounded(2e-7), "2.0 × 10⁻⁷"), (rounded(0), "0"), (signed(-28.21), "−28.2"), (signed(9.4), "+9.4"),
        (signed(-9.36e-8), "−9.4 × 10⁻⁸"),
        (up_to_one(0.9526, 3), "0.953"), (up_to_one(1.0, 2), "1.00"), (up_to_one(-0.9999, 2), "−(1 − 1.0 × 10⁻⁴)"),
        (up_to_one(0.79, 2), "0.79"), (number(-np.inf), "exactly 0"),
    ],
)  # fmt: skip
def test_numbers_keep_the_digits_that_they_are_about(written, expected):
    assert written.replace("\u00a0", " ") == expected


@pytest.mark.parametrize(
    ("share", "written"),
    [
        (float("nan"), "an undefined part"), (1.0, "all of it"), (1 - 1e-9, "more than 99.99%"),
        (0.99995, "more than 99.99%"),
        (0.9999, "99.99%"), (0.99, "99%"),
        (0.9998, "99.98%"), (0.995, "99.50%"), (0.989, "99%"), (0.5, "50%"), (0.104, "10%"), (0.0996, "10%"),
        (0.012, "1.2%"), (1e-6, "1.0 × 10⁻⁴%"), (0.0, "0%"),
    ],
)  # fmt: skip
def test_a_share_has_the_digits_that_tell_it_from_none_and_from_all(share, written):
    assert sequences.percent(share).replace("\u00a0", " ") == written


@pytest.mark.parametrize(
    ("settings", "name", "said"),
    [
        ({"loss": "last"}, "Many-to-one", "Many-to-one (sentiment: words → one label): the LSTM has input at 20 "
         "steps and a loss at one step of 20."),
        ({"loss": "one_to_one"}, "One-to-one", "One-to-one (image → label): the LSTM has input at one step and a "
         "loss at one step of 20."),
        ({"loss": "steps", "loss_steps": "3,7"}, "Loss: steps", "Loss = steps: the LSTM has input at 20 steps and "
         "a loss at 2 steps of 20."),
        ({"loss": "many_to_many_delayed", "reads": 12}, "Many-to-many, delayed", "Many-to-many, delayed (translation: "
         "read it, then write): the LSTM has input at 12 steps and a loss at 8 steps of 20."),
    ],
)  # fmt: skip
def test_a_sequence_type_is_named_with_its_inputs_and_losses(settings, name, said):
    e = Experiment(cell="lstm", hidden_size=4, steps=20, **settings)
    assert sequences.type_name(e) == name
    sentence = sequences.type_sentence(e, trace(e))
    assert sentence.startswith(said)
    left = trace(e).log10_relative()[0, 0].mean()
    assert sentence.endswith(f"relative to the injected gradient: {number(left)}.")
    silent = Experiment(cell="rnn", steps=5, loss="every", objective="cross_entropy", output_size=1)
    assert sequences.type_sentence(silent, trace(silent)).endswith(flow.NOTHING_INJECTED)


def scalar(u, loss_steps):
    """One linear unit with a loss of size 1 at some steps: loss t' gives u^t' at step 0."""
    one, zero, steps = np.ones((1, 1)), np.zeros(1), loss_steps[-1] + 1
    cotangents = np.zeros((steps, 1, 1))
    cotangents[loss_steps] = 1
    return Stack("rnn_linear", (Layer(one, u * one, zero, zero),)), np.zeros((steps, 1, 1)), cotangents


@pytest.mark.parametrize("loss_steps", [range(12), range(40), [3, 12]], ids=["12", "40", "two"])
def test_the_last_loss_is_seen_in_the_sum_from_a_tenth_of_a_typical_loss_on(loss_steps):
    loss_steps = [*loss_steps]

    def seen(u):
        case = scalar(u, loss_steps)
        return "has its part" in sequences.hiding([pairs(*case)], [trace(*case)], 0, "h")

    def part(u):
        sizes = u ** np.array(loss_steps)
        return sizes[-1] / np.sqrt(np.mean(sizes**2))

    for u in np.linspace(0.7, 1.0, 150):
        if abs(part(u) - 0.1) > 1e-4:
            assert seen(u) == (part(u) > 0.1), u
    assert seen(0.999)
    assert not seen(0.5)


def test_cells_that_hide_show_and_lose_everything_are_told_apart():
    hides = Experiment(cell="rnn", hidden_size=4, steps=40, loss="every")
    shows = hides.replace(cell="rnn_linear", initialization="orthogonal")
    loses = hides.replace(cell="rnn_relu", gain=0.0, loss="steps", loss_steps="30,39")
    said = sequences.hiding(
        [pairs(e) for e in (hides, shows, loses)], [trace(e) for e in (hides, shows, loses)], 0, "h"
    )
    for e in (hides, shows):
        last, total = (trace(e).log10_norm("h", losses)[0, 0].mean() for losses in ("last", "all"))
        assert f"{e.title} {number(last)} and {number(total)}" in said
    assert "Of the RNN (ReLU) nothing arrives at step 0, of any loss." in said
    assert "The sum of the RNN says next to nothing about the last loss" in said
    assert "In the sum of the RNN (linear) the last loss has its part" in said
    alone = sequences.hiding([pairs(hides)], [trace(hides)], 0, "h")
    assert "The sum says next to nothing" in alone
    assert "In the sum the last loss has its part" in sequences.hiding([pairs(shows)], [trace(shows)], 0, "h")
    for some in ((hides, shows), (hides, loses), (shows, loses)):
        said = sequences.hiding([pairs(e) for e in some], [trace(e) for e in some], 0, "h")
        assert ("The sum of the RNN says next to nothing" in said) == (hides in some)
        assert ("In the sum of the RNN (linear) the last loss" in said) == (shows in some)
        assert ("Of the RNN (ReLU) nothing arrives" in said) == (loses in some)
    without = Experiment(loss="half_square", hidden_size=2, batch_size=1, input_size=1, steps=12, cell="rnn_relu")
    mixed = [without, without.replace(cell="leaky")]
    said = sequences.hiding([pairs(e) for e in mixed], [trace(e) for e in mixed], 0, "h")
    assert "Of the RNN (ReLU) nothing arrives at step 0, of any loss." in said
    assert "In the sum of the leaky RNN the last loss has its part" in said
    none = hides.replace(objective="cross_entropy", output_size=1)
    assert sequences.hiding([pairs(none)], [trace(none)], 0, "h") == flow.NOTHING_INJECTED


def test_a_note_says_which_rows_stand_for_which_loss():
    asked = Experiment(cell="lstm", hidden_size=4, steps=20)
    every = asked.replace(loss="every")
    stands_in = sequences.rows_note([pairs(every)], every, asked, 0, "c")
    beginning = "The chosen loss, last step, enters once; here it enters at every step"
    differ = ", so that numbers may differ a little from those of other pages. State c of layer 0,"
    assert stands_in.startswith(f"{beginning}, each time in another random direction{differ}")
    last, at_every_step = (entries_of(e)[-1] for e in (asked, every))
    assert abs(last - at_every_step).max() > 0.1, "the last loss's direction is another"
    read_out = asked.replace(objective="squared_error")
    said = sequences.rows_note([pairs(every)], read_out.replace(loss="every"), read_out, 0, "c")
    assert said.startswith(f"{beginning}{differ}")
    assert "chosen loss" not in sequences.rows_note([pairs(every)], every, every, 0, "c")
    some = sequences.rows_note([pairs(every, most=4)], every, every, 1, "h")
    assert some.startswith("4 of 20 loss steps were computed, evenly spread. State h of layer 1,")
    one = sequences.rows_note([pairs(every, most=1)], every, every, 1, "h")
    assert one.startswith("1 of 20 loss steps were computed")
    short = every.replace(steps=2)
    assert sequences.rows_note([pairs(short)], short, asked.replace(steps=2), 0, "c").startswith(beginning)
    silent = every.replace(objective="cross_entropy", output_size=1)
    assert sequences.rows_note([pairs(silent)], silent, silent, 0, "h").startswith(flow.NOTHING_INJECTED)
    both = sequences.rows_note([pairs(every), pairs(every.replace(cell="gru"))], every, every, 0, "c")
    assert "State c or h of layer 0" in both
    windows = every.replace(truncation="windows")
    full = sequences.window_note(every, [pairs(every)], every, 0, "h")
    assert full.startswith("Truncation is full, so windows of the default lengths are shown. State h")
    assert sequences.window_note(windows, [pairs(every)], every, 0, "h").startswith("State h")


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        (Schedule("full"), "Back-propagation over all 20 steps gives"),
        (Schedule("chunks", 5, 5), "Chunks of 5 steps give"),
        (Schedule("windows", 1, 5), "A window of 5, every step, gives"),
        (Schedule("windows", 2, 5), "A window of 5, every 2 steps, gives"),
    ],
)  # fmt: skip
def test_a_schedule_and_what_an_optimizer_gets_are_said(schedule, said):
    e = Experiment(cell="rnn", steps=20)
    whole = sequences.statement(schedule, [e], [Departure(1e-14, 1.0)])
    assert whole == f"{said} a parameter gradient that is the full one for this RNN."
    lost = sequences.statement(schedule, [e, e], [Departure(math.nan, math.nan), Departure(1.0, math.nan)])
    undefined = "undefined (the full one is exactly zero or not finite) for this RNN"
    assert lost == f"{said} a parameter gradient that is {undefined} and 100% off the full one for this RNN."
    barely = sequences.statement(schedule, [e], [Departure(3e-9, 1.0)])
    assert "3.0 × 10⁻⁷% off".replace(" ", "\u00a0").replace("%\u00a0", "% ") in barely


@pytest.mark.parametrize(
    ("work", "said"),
    [(1.0, "as many multiply-adds as"), (1.004, "as many multiply-adds as"),
     (1.01, "1.01 times as many multiply-adds as"),
     (1.5, "1.50 times as many multiply-adds as"),
     (0.9, "0.90 times as many multiply-adds as")],
)  # fmt: skip
def test_what_a_schedule_saves(work, said):
    cost = pd.DataFrame({"share_of_bytes": [0.125], "share_of_multiply_adds": [work]})
    expected = f"Counted, not timed: 12.5% of the memory for states, {said} full back-propagation."
    assert sequences.savings(cost) == expected


def test_the_window_that_each_network_needs_is_said():
    rnn, lstm = Experiment(cell="rnn"), Experiment(cell="lstm")
    said = sequences.needed(Schedule("windows", 2, 6), [rnn, lstm], [1, 12])
    assert said == "To be within 1% of the full one takes a window of 1 step for this RNN and 12 steps for this LSTM."
    assert sequences.needed(Schedule("chunks", 6, 6), [rnn], [9]).endswith("takes chunks of 9 steps for this RNN.")
    assert sequences.needed(Schedule("chunks", 6, 6), [rnn], [None]) == ""


def test_a_sum_is_said_beside_the_largest_gradient_of_one_loss():
    e = Experiment(cell="rnn", hidden_size=6, steps=12, loss="every", batch_size=2)
    alone = [trace(e.replace(loss="steps", loss_steps=str(step))).log10_norm()[0, 0].mean() for step in range(12)]
    total = trace(e).log10_norm()[0, 0].mean()
    said = sequences.of_sum(pairs(e), trace(e), 0, "h")
    assert f"sum is {number(total)}; " in said
    assert said.endswith(f"one loss there is {number(max(alone))}.")
    some = pairs(e, most=3)
    said = sequences.of_sum(some, trace(e), 0, "h")
    largest = max(alone[step] for step in some.loss_steps)
    assert said.endswith(f"the largest of the 3 gradients computed is {number(largest)}."), "others may be larger"


def test_what_windows_save_is_said_of_the_shortest_and_of_the_longest():
    e = Experiment(cell="gru", hidden_size=4, steps=40, loss="every", batch_size=1)
    said = sequences.savings_of_others(cost(e, schedules=[Schedule("windows", k, k) for k in (20, 2, 5)]))
    short, long = (re.search(r"2 steps takes ([\d.]+)%", said), re.search(r"one of 20 ([\d.]+)%", said))
    assert 10 * float(short[1]) == pytest.approx(float(long[1]), rel=0.02), "states are kept for a window"
