"""What is said of runs and character models, against the same numbers counted from tables written by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from gradlab import Experiment
from gradlab.settings.tasks import TASKS
from gradlab.training import Recipe, Run, history
from gradlab.words import characters, training

SMALL = Experiment(cell="gru", hidden_size=3, steps=12, batch_size=5)


def table(losses, clipped=0, metric=0.5):
    """A history whose first `clipped` gradients were halved."""
    was = np.arange(len(losses)) < clipped
    columns = {"update": range(len(losses)), "loss": losses, "metric": metric, "clipped": was}
    return pd.DataFrame(columns).assign(gradient_norm=2.0, clipped_norm=np.where(was, 1.0, 2.0))


def run_after(updates, **settings):
    """A run that counts so many updates as made; its weights are of no interest here."""
    run = Run(SMALL.replace(**settings), "adding", Recipe(updates=100))
    run.done = updates
    return run


@pytest.mark.parametrize(
    ("recipe", "settings", "said"),
    [
        (Recipe(), {}, "12 steps, batches of 5; adam at 0.003, norm clipped at 1"),
        (Recipe(optimizer="sgd", clip_norm=None, learning_rate=0.5), {},
         "12 steps, batches of 5; sgd at 0.5, not clipped"),
        (Recipe(clip_norm=None, clip_value=0.25), {"truncation": "chunks", "k2": 3},
         "12 steps, batches of 5; adam at 0.003, entries clipped at 0.25, back-propagated by chunks of 3 steps"),
        (Recipe(clip_norm=2, clip_value=0.25), {"truncation": "windows", "k1": 1, "k2": 1},
         "12 steps, batches of 5; adam at 0.003, norm clipped at 2, entries clipped at 0.25, back-propagated by "
         "windows of 1 step"),
    ],
)  # fmt: skip
def test_a_run_is_described_by_its_task_sizes_recipe_and_truncation(recipe, settings, said):
    assert training.description(Run(SMALL.replace(**settings), "adding", recipe)) == f"Adding problem, {said}"


def test_the_rules_of_a_loss_chart_are_the_baselines_and_where_the_task_is_solved():
    adding = training.loss_levels(TASKS["adding"], 12)
    assert 10 ** adding["log10_value"].to_numpy() == pytest.approx([1 / 6, 0.01])
    assert adding["label"].tolist() == ["always answering 1: 0.1667", "solved: 0.01"]
    text = training.loss_levels(TASKS["text"], 12)  # solved where the first baseline is
    assert len(text) == len(TASKS["text"].baselines(12)) == 3
    assert not text["label"].str.startswith("solved").any()
    rule = training.clip_levels(Recipe(clip_norm=100))
    assert (rule["log10_value"].tolist(), rule["label"].tolist()) == ([2], ["clipped above"])
    assert training.clip_levels(Recipe(clip_norm=None)).empty


def test_the_result_says_which_cell_has_solved_the_task_and_the_mean_of_the_others_last_ten_losses():
    losses = [1.0] * 20 + [0.005] * 10  # a mean of ten below 0.01 at the last update alone
    other = [9.0] * 20 + list(np.linspace(0.1, 1, 10))
    runs = [run_after(30), run_after(12, cell="rnn")]
    said = training.result(runs, [table(losses), table(other)], 30)
    ending = "(solved below 0.01; always answering 1: 0.1667)."
    assert said == f"After 30 updates: GRU solved it at update 29, RNN is at 0.55 {ending}"
    assert training.result([run_after(1)], [table([0.25])], 1) == f"After 1 update: GRU is at 0.25 {ending}"
    begun = training.result([run_after(0)], [table([])], 0)
    assert begun == f"{TASKS['adding'].meaning} Without learning the loss is 0.1667 (always answering 1)."


def test_clipping_is_said_by_its_share_and_by_what_is_left_where_there_is_some():
    runs = [run_after(8), run_after(8, cell="rnn")]
    assert training.clipped(runs, [table([1.0] * 8, clipped=1), table([1.0] * 8)]) == (
        "Clipped: GRU in 12.5% of 8 updates, to 50% of its norm on average; RNN in 0.0% of 8 updates."
    )
    assert training.clipped(runs[:1], [table([1.0], clipped=1)]).startswith("Clipped: GRU in 100.0% of 1 update, to")
    real = Run(SMALL, "adding", Recipe(updates=3, clip_norm=1e-3))
    assert "in 100.0% of 3 updates" in training.clipped([real], [history(real.records(), "gru")])


def test_cards_give_the_means_of_the_last_ten_updates_as_the_sentence_does():
    metric = [0.0] * 15 + [1.0] * 5 + [0.6] * 5
    shown = table([8.0] * 15 + [1.0] * 5 + [0.5] * 5, clipped=5, metric=metric)
    assert training.recent_loss(shown) == "0.7500"
    assert "RNN is at 0.75 " in training.result([run_after(25, cell="rnn")], [shown], 25)
    assert training.recent_metric(TASKS["adding"], shown) == "80% of answers within 0.04; 20% clipped"
    assert training.recent_metric(TASKS["parity"], shown) == "80% right; 20% clipped"
    assert training.recent_metric(TASKS["hello"], shown) == "0.8 bits per character; 20% clipped"


def test_a_pace_is_said_once_it_is_known():
    assert training.under_way(3, 40, 0.0, 0.0) == "Update 3 of 40"
    assert training.under_way(3, 40, 12.4, 2.6) == "Update 3 of 40, 12 updates a second, about 3 s left"


def test_the_reach_of_a_prediction_has_both_ends_and_counts_what_float32_holds():
    smallest = math.log10(2.0**-126)  # of float32's normal numbers
    reached = pd.DataFrame({"log10_gradient": [-100.0, smallest, smallest + 1e-6, -0.3]})
    said = characters.reach(reached).replace("\u00a0", " ")
    assert "at the last character is 0.5, at the first, 3 characters earlier, 1.0 × 10⁻¹⁰⁰; 2 of 4 gradients" in said
    two = characters.reach(pd.DataFrame({"log10_gradient": [-2.0, 0.0]}))
    assert "at the last character is 1, at the first, 1 character earlier, 0.01; 2 of 2" in two


def test_what_follows_is_said_with_its_mean_probability_and_how_often_it_is_the_likeliest():
    rows = [("a", "a", 0, 0.75), ("a", "b", 1, 0.25), ("b", "a", 0, 0.5), ("b", "b", 1, 0.25), ("", "a", 0, 0.9)]
    table = pd.DataFrame(rows, columns=["following", "symbol", "rank", "probability"])
    assert characters.expectations(table) == (
        "The character that follows has a probability of 0.5 on average, and is the likeliest after 1 of 2 characters."
    )


def test_a_unit_over_a_text_is_said_with_its_range():
    said = characters.unit(3, 1, pd.DataFrame({"value": [0.1, -0.25, 0.5]}))
    assert said == "Unit 3 of layer 1 over the text: from −0.25 to 0.5."


def test_a_map_of_reach_is_said_by_its_farthest_lag_at_both_ends():
    rows = [(0, 9, -3.0), (0, 4, -1.0), (5, 9, -2.0), (10, 9, 0.0), (10, 4, -1.0)]
    table = pd.DataFrame(rows, columns=["update", "lag", "log10_relative"])
    said = "At the farthest lag, relative to the injected gradient, in c: 0.001 after 0 updates and 1 after 10 updates."
    assert training.reached(table, "c") == said
    assert training.reached(table.iloc[:2], "h").endswith("in h: 0.001 after 0 updates.")
    assert training.reached(table.iloc[:0], "h") == ""


def test_traces_at_an_update_are_said_by_what_arrives_of_each_cell_at_the_first_step():
    columns = ["cell", "layer", "state", "step", "log10_relative"]
    rows = [("lstm", 0, "h", 0, -1.0), ("lstm", 0, "c", 0, 0.0), ("lstm", 0, "h", 1, 5.0), ("lstm", 1, "h", 0, 5.0),
            ("rnn", 0, "h", 0, -math.inf), ("rnn", 0, "h", 1, 5.0)]  # fmt: skip
    table = pd.DataFrame(rows, columns=columns)
    start = "At the first step of the bottom layer, relative to the injected gradient: "
    assert training.arriving(table, "c") == f"{start}LSTM 1 in c, RNN exactly 0 in h."
    assert training.arriving(table, "all") == f"{start}LSTM 0.1 in h, LSTM 1 in c, RNN exactly 0 in h."


def test_a_training_that_waits_says_how_many_are_before_it():
    waits = "Waits for a place among the trainings of this server: "
    assert training.waiting(0) == f"{waits}this one is next"
    assert training.waiting(1) == f"{waits}1 other training before this one"
    assert training.waiting(3) == f"{waits}3 other trainings before this one"


def test_a_training_whose_process_has_ended_says_what_it_makes_again():
    died = "The process that trains ended by signal 9 "
    assert training.died("by signal 9", 0, 0) == f"{died}before it had made an update. Start the training again."
    kept = (
        f"{died}after update 12. What was measured until then is kept. Continue: it goes on from the weights of update "
    )
    assert training.died("by signal 9", 12, 12) == f"{kept}12."
    assert training.died("by signal 9", 12, 11) == f"{kept}11 and makes 1 update again, to the same numbers."
    assert training.died("by signal 9", 12, 0) == f"{kept}0 and makes 12 updates again, to the same numbers."
