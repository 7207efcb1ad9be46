"""What settings that are left open take from the others, and what becomes of them in a shorter sequence."""

import pytest

from gradlab.cells import CELLS
from gradlab.settings.conflicts import bias_to_keep, placement, stride, window
from gradlab.settings.experiment import Experiment, SettingsError
from gradlab.settings.losses import LOSSES


@pytest.mark.parametrize(
    ("settings", "k1", "k2"),
    [
        ({"truncation": "full", "k1": 3, "k2": 7}, 200, 200),
        ({"truncation": "chunks"}, 20, 20),
        ({"truncation": "chunks", "k1": 3, "k2": 7}, 7, 7),
        ({"truncation": "windows"}, 10, 20),
        ({"truncation": "windows", "k2": 7}, 3, 7),
        ({"truncation": "windows", "k1": 2}, 2, 20),
        ({"truncation": "windows", "k2": 1}, 1, 1),
        ({"truncation": "windows", "steps": 9}, 1, 1),
        ({"truncation": "windows", "steps": 39}, 1, 3),
    ],
)
def test_a_window_is_a_tenth_of_the_sequence_and_moves_by_half_of_itself_unless_chosen(settings, k1, k2):
    e = Experiment(**settings)
    assert (stride(e), window(e)) == (k1, k2)


def test_a_forget_bias_is_that_of_a_gate_named_forget_and_a_keep_bias_of_any_gate_that_keeps():
    biases = {"forget_bias": 1.5, "keep_bias": -1.0}
    asked = {name: Experiment(cell=name, forget_bias=1.5) for name in CELLS}
    assert {name for name, e in asked.items() if bias_to_keep(e) is not None} == {
        name for name, cell in CELLS.items() if "forget" in cell.pre_activations
    }
    assert bias_to_keep(Experiment(cell="lstm", **biases)) == bias_to_keep(Experiment(cell="gru", **biases)) == -1.0
    assert bias_to_keep(Experiment(cell="rnn", **biases)) is None


FITTED = [  # settings of 100 steps, the length asked for, what has changed beside it
    ({"truncation": "windows", "k1": 7, "k2": 30}, 50, {}),
    ({"truncation": "windows", "k1": 7, "k2": 30}, 20, {"k2": 20}),
    ({"truncation": "windows", "k1": 7, "k2": 30}, 5, {"k1": 5, "k2": 5}),
    ({"truncation": "windows", "k1": 7}, 70, {}),
    ({"truncation": "windows", "k1": 7}, 50, {"k1": 5}),
    ({"truncation": "windows", "k1": 7}, 9, {"k1": 1}),
    ({"loss": "step", "loss_step": 40}, 41, {}),
    ({"loss": "step", "loss_step": 40}, 40, {"loss_step": 39}),
    ({"loss": "steps", "loss_steps": "3,40-45"}, 42, {"loss_steps": "3,40-41"}),
    ({"loss": "many_to_many_delayed", "reads": 20}, 50, {}),
    ({"loss": "many_to_many_delayed", "reads": 70}, 50, {"reads": 25}),
    ({"loss": "many_to_many_delayed", "writes": 95}, 50, {"reads": 5, "writes": None}),
    ({"loss": "many_to_many_delayed"}, 3, {"reads": 1}),
    ({"loss": "last", "reads": 70, "writes": 30}, 50, {}),
]


@pytest.mark.parametrize(("settings", "steps", "changes"), FITTED)
def test_what_a_shorter_sequence_can_hold_stays_and_the_rest_is_moved_to_where_it_fits(settings, steps, changes):
    e = Experiment(steps=100, **settings)
    assert e.shortened(steps) == e.replace(**{"steps": steps, **changes})


@pytest.mark.parametrize("steps", [100, 101, 5000])
@pytest.mark.parametrize("settings", [settings for settings, _, _ in FITTED])
def test_a_sequence_that_is_short_enough_is_left_as_it_is(settings, steps):
    """A delayed loss that reads most of its steps once became one that reads half of them."""
    e = Experiment(steps=100, **settings)
    assert e.shortened(steps) == e
    assert e.excerpt(steps, e.batch_size, None) == e


@pytest.mark.parametrize(
    ("most", "beyond"),
    [
        ({"loss": "step", "loss_step": 19}, {"loss_step": 20}),
        ({"loss": "last", "loss_step": 19}, {"loss_step": 20}),
        ({"loss": "steps", "loss_steps": "19"}, {"loss_steps": "20"}),
        ({"loss": "many_to_many_delayed", "reads": 19}, {"reads": 20}),
        ({"loss": "many_to_many_delayed", "writes": 19}, {"writes": 20}),
        ({"loss": "many_to_many_delayed", "reads": 8, "writes": 12}, {"writes": 11}),
        ({"truncation": "chunks", "k2": 20}, {"k2": 21}),
        ({"truncation": "windows", "k1": 20, "k2": 20}, {"k1": 21}),
        ({"truncation": "windows", "k1": 2}, {"k1": 3}),
        ({"truncation": "chunks", "k1": 1_000_000}, {"truncation": "windows"}),
    ],
)
def test_settings_fit_each_other_up_to_a_limit_and_not_beyond(most, beyond):
    e = Experiment(steps=20, **most)
    with pytest.raises(SettingsError, match=r" = \d+ | names step "):
        e.replace(**beyond)


def test_the_simplest_loss_that_leaves_the_same_steps_without_an_input_does_so():
    kept = frozenset(("steps", "batch_size", "inputs", "input_size", "text"))
    for loss in LOSSES:
        e = Experiment(steps=12, loss=loss, reads=None if loss == "last" else 5)
        simple = e.reading(kept)
        assert LOSSES[simple.loss].reads(12, placement(simple)) == LOSSES[loss].reads(12, placement(e))
        assert simple.loss in ("last", "one_to_one", "many_to_many_delayed")
        assert (simple.loss == "last") == (LOSSES[loss].reads(12, placement(e)) == 12)
    one = Experiment(steps=12, loss="many_to_many_delayed", reads=1).reading(kept)
    assert (one.loss, one.reads) == ("one_to_one", None)
