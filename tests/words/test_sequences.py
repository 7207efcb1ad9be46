"""What is said of many losses: which steps they enter at, and whether their sum can hide that each vanishes."""

import numpy as np
import pytest

from gradlab import Experiment, trace
from gradlab.analyses.itemised import pairs
from gradlab.analyses.truncation import Departure
from gradlab.words import sequences
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
    assert "RNN 60 % at h" in said


def test_a_cosine_below_one_is_never_written_as_one():
    e = Experiment(cell="rnn")
    schedule = sequences.Schedule("windows", 3, 6)
    assert "6.1 % off the full one (cosine 0.998)" not in sequences.statement(schedule, [e], [Departure(0.061, 1.0)])
    assert "(cosine 1 − 0.002)" in sequences.statement(schedule, [e], [Departure(0.061, 0.998)])
    assert "(cosine −0.31)" in sequences.statement(schedule, [e], [Departure(1.2, -0.31)])


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
