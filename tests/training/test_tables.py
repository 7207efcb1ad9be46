"""What records say in tables, and what a record's numbers are, each counted another way."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from gradlab.settings.drawing import loss_steps_of
from gradlab.settings.experiment import Experiment
from gradlab.settings.tasks import TASKS
from gradlab.training import Recipe, Run, clipping, curve, fitted, gradients, history, reach, solved_at, traces_at
from gradlab.training.network import Tensors, metric_of
from gradlab.training.tables import Curve, curve_at, extremes, traced_updates

SMALL = Experiment(cell="lstm", depth=2, hidden_size=5, steps=23, batch_size=4, seed=3)


@pytest.fixture(scope="module")
def records():
    return list(Run(SMALL, "adding", Recipe(updates=9, trace_every=4, clip_norm=0.05)).records())


def test_accuracy_counts_the_scored_answers_whose_likeliest_class_is_right():
    scores = torch.tensor([[[9.0, 1.0], [0.0, 1.0]], [[0.0, 1.0], [3.0, 1.0]]])  # [T, B, Y]
    targets = torch.tensor([[1, 1], [1, 1]])
    for scored, share in (([True, True], 0.5), ([True, False], 0.5), ([False, True], 0.5)):
        batch = Tensors(torch.zeros(2, 2, 1), targets, torch.tensor(scored))
        assert metric_of(TASKS["parity"], 0.7, scores, batch) == share
    first = Tensors(torch.zeros(2, 2, 1), torch.tensor([[0, 1], [0, 0]]), torch.tensor([True, False]))
    assert metric_of(TASKS["parity"], 0.7, scores, first) == 1.0


def test_a_number_is_right_within_four_hundredths():
    scores = torch.tensor([[[0.5], [0.5]]])
    batch = Tensors(torch.zeros(1, 2, 2), torch.tensor([[[0.539], [0.541]]]), torch.tensor([True]))
    assert metric_of(TASKS["adding"], 0.1, scores, batch) == 0.5
    assert metric_of(replace(TASKS["adding"], tolerance=0.1), 0.1, scores, batch) == 1.0


def test_a_character_model_is_measured_in_bits():
    batch = Tensors(torch.zeros(1, 1, 4), torch.zeros(1, 1, dtype=torch.int64), torch.tensor([True]))
    assert metric_of(TASKS["hello"], math.log(8), torch.zeros(1, 1, 4), batch) == pytest.approx(3)


def test_a_record_tells_the_loss_of_its_batch_before_its_update(records):
    run = Run(SMALL, "adding", Recipe(updates=9, trace_every=4, clip_norm=0.05))
    for record in records:
        batch = run.network.tensors(run.batch(record.update))
        with torch.no_grad():
            scores, _ = run.network(batch.inputs)
        wrong = scores[-1] - batch.targets[-1]
        assert record.loss == pytest.approx(float((wrong**2).mean()), rel=1e-12)
        assert record.metric == float((wrong.abs() < 0.04).double().mean())
        run.update()


def test_history_has_a_row_an_update_and_says_where_the_gradient_was_made_smaller(records):
    table = history(records, "lstm")
    assert table["update"].tolist() == list(range(9))
    assert table["loss"].tolist() == [record.loss for record in records]
    assert (table["learning_rate"] == 3e-3).all()
    assert (table["clipped"] == (table["gradient_norm"] > 0.05)).all()
    assert table["clipped"].any()
    calm = history(Run(SMALL, "adding", Recipe(updates=2, clip_norm=1e6)).records(), "lstm")
    assert not calm["clipped"].any()


def test_clipping_by_value_records_the_norm_that_is_left():
    run = Run(SMALL, "adding", Recipe(updates=1, clip_norm=None, clip_value=1e-3))
    record = run.measured()
    left = torch.cat([parameter.grad.flatten() for parameter in run.parameters])
    assert left.abs().max() == 1e-3
    assert record.clipped_norm == pytest.approx(float(left.norm()), rel=1e-12)
    assert record.clipped_norm < record.gradient_norm


def test_the_share_clipped_and_what_is_left_are_means_over_updates():
    table = pd.DataFrame({"clipped": [True, False, True, True], "clipped_norm": [1.0, 0.3, 1.0, 1.0]})
    assert clipping(table.assign(gradient_norm=[2.0, 0.3, 4.0, 1.25])) == pytest.approx((0.75, (0.5 + 0.25 + 0.8) / 3))
    none = table.assign(clipped=False, gradient_norm=table["clipped_norm"])
    assert clipping(none) == pytest.approx((0.0, float("nan")), nan_ok=True), "of no update there is no mean"


def test_a_task_is_solved_when_ten_losses_have_a_mean_below_the_level():
    losses = [1.0] * 5 + [0.001] + [1.0] * 4 + [0.05] * 20
    table = pd.DataFrame({"update": range(100, 130), "loss": losses})
    means = [sum(losses[end - 9 : end + 1]) / 10 for end in range(9, 30)]
    first = 109 + next(place for place, mean in enumerate(means) if mean < 0.1)
    assert solved_at(table, 0.1) == first
    assert solved_at(table, 0.01) is None
    assert solved_at(table.head(9), 5.0) is None


def test_traces_come_at_the_first_every_nth_and_the_last_update_on_one_batch_that_is_no_training_batch(records):
    assert [record.update for record in records if record.trace is not None] == [0, 4, 8]
    assert [r.update for r in Run(SMALL, "adding", Recipe(updates=7, trace_every=5)).records() if r.trace] == [0, 5, 6]
    run = Run(SMALL, "adding", Recipe(updates=3, trace_every=1, probe_sequences=3))
    probe = run.probe_batch().inputs
    assert probe.shape[1] == 3
    run.update()
    assert (run.probe_batch().inputs == probe).all()
    assert not any(np.isin(run.batch(n).inputs[..., 0], probe[..., 0]).any() for n in range(3))


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("state", ["h", "c"])
def test_the_map_of_reach_is_the_mean_of_the_traces_by_lag(records, layer, state):
    table = reach(records, layer=layer, state=state, bins=6)
    everything = gradients(records).query(f"layer == {layer} and state == '{state}'")
    assert sorted(table["update"].unique()) == [0, 4, 8]
    assert len(table) == 3 * 6
    for row in table.itertuples():
        own = everything[(everything["update"] == row.update) & everything["lag"].between(row.lag_end + 1, row.lag)]
        assert len(own) == row.lag - row.lag_end
        assert row.log10_relative == pytest.approx(own["log10_relative"].mean(), abs=1e-12)
    assert table["lag"].max() == 22
    assert table["lag_end"].min() == -1
    assert table.drop_duplicates("update")["update_end"].tolist() == [4, 8, 12]


def test_gradient_noise_is_added_after_clipping_has_the_size_asked_for_and_is_new_at_every_update():
    big = SMALL.replace(hidden_size=40)

    def steps(noise):
        recipe = Recipe(updates=2, optimizer="sgd", learning_rate=1.0, clip_norm=1e-8, gradient_noise=noise)
        run, found = Run(big, "adding", recipe), []
        for _ in range(2):
            before = torch.cat([parameter.detach().flatten().clone() for parameter in run.parameters])
            run.update()
            found.append(before - torch.cat([parameter.detach().flatten() for parameter in run.parameters]))
        return found

    first, second = steps(0.1)
    assert float(first.std()) == pytest.approx(0.1, rel=0.03)
    assert abs(float(first.mean())) < 0.005
    assert (first - second).abs().max() > 0.1
    assert max(float(step.abs().max()) for step in steps(0.0)) <= 1e-8


@pytest.mark.parametrize("at", [[3, 9, 10, 11, 20], [3], [22], [0], [*range(23)], [*range(22)]], ids=str)
def test_a_task_keeps_just_the_steps_at_which_it_is_scored_in_the_experiment(at):
    def some(steps, batch_size, generator):
        batch = TASKS["parity"].draw(steps, batch_size, generator)
        return batch._replace(scored=np.isin(np.arange(steps), at))

    assert loss_steps_of(fitted(SMALL, replace(TASKS["parity"], name="some", draw=some))).tolist() == at


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_the_loss_of_a_run_enters_where_its_task_is_scored(task):
    e = fitted(SMALL, task)
    scored = task.draw(e.steps, 1, np.random.default_rng(1)).scored
    assert loss_steps_of(e).tolist() == np.flatnonzero(scored).tolist()
    assert e.loss == {1: "last", e.steps: "every"}.get(int(scored.sum()), "steps")


def test_the_traces_of_several_runs_at_one_update_are_the_runs_own_tables(records):
    other = list(Run(SMALL.replace(cell="gru"), "adding", Recipe(updates=6, trace_every=4)).records())
    assert traced_updates([records, other]) == [0, 4, 5, 8]
    table = traces_at([records, other], 4)
    expected = [record.trace.table.assign(update=4) for record in (records[4], other[4])]
    pd.testing.assert_frame_equal(table, pd.concat(expected, ignore_index=True)[list(table)], check_exact=True)
    assert set(traces_at([records, other], 5)["cell"]) == {"gru"}
    assert set(traces_at([records, other], 8)["cell"]) == {"lstm"}


@pytest.mark.parametrize("updates", [1, 59, 60, 61, 90, 1000])
def test_the_rows_of_a_live_curve_hold_both_ends_and_the_extremes_of_every_bucket(updates):
    values = np.random.default_rng(updates).lognormal(size=updates)
    at = extremes(values, 30)
    assert at.tolist() == sorted({*at.tolist()})
    assert (at[0], at[-1]) == (0, updates - 1)
    assert len(at) <= 62
    edges = [bucket * updates // 30 for bucket in range(31)]
    for a, b in itertools.pairwise(edges):
        assert a == b or {a + int(values[a:b].argmin()), a + int(values[a:b].argmax())} <= {*at.tolist()}
    whole = curve(pd.DataFrame({"cell": "gru", "update": range(updates), "loss": values}), "loss").iloc[at]
    value, mean = curve_at(values, at)
    assert value.tolist() == whole["log10_value"].tolist()
    assert mean == pytest.approx(whole["log10_mean"].to_numpy(), abs=1e-12)


@pytest.mark.parametrize(("updates", "width"), [(1, 1), (79, 1), (80, 2), (119, 2), (120, 3)])
def test_a_running_mean_is_over_a_fortieth_of_the_run(updates, width):
    losses = np.random.default_rng(0).lognormal(size=updates)
    mean = curve(pd.DataFrame({"cell": "gru", "update": range(updates), "loss": losses}), "loss")["log10_mean"]
    for end in (0, 1, updates // 2, updates - 1):
        if end < updates:
            taken = losses[max(0, end - width + 1) : end + 1]
            assert 10 ** mean[end] == pytest.approx(math.fsum(taken) / len(taken), rel=1e-9)


def test_the_map_of_one_trace_is_one_update_wide_and_of_none_is_empty(records):
    one = reach(records[:3], bins=5)
    assert set(zip(one["update"], one["update_end"], strict=True)) == {(0, 1)}
    assert one["lag"].tolist() == [4, 9, 14, 19, 22]  # 23 steps in bins of 5
    assert one["lag_end"].tolist() == [-1, 4, 9, 14, 19]
    assert reach(records[:5]).drop_duplicates("update")["update_end"].tolist() == [4, 8]
    assert list(reach(records[1:3]).columns) == list(one.columns)
    assert reach(records[1:3]).empty
    pd.testing.assert_frame_equal(reach(records), reach(records, layer=0, state="h"))
    wide = reach(records[:1])  # as many bins as there are steps
    assert (wide["lag"] - wide["lag_end"] == 1).all()
    by_lag = records[0].trace.log10_relative("h")[0].mean(axis=1)[::-1]
    assert wide["log10_relative"].tolist() == by_lag.tolist()


def test_lags_at_which_nothing_arrives_are_exactly_zero_and_take_nothing_from_the_others():
    run = Run(SMALL.replace(cell="rnn", gain=0.0), "adding", Recipe(updates=1, trace_every=1))
    (record,) = run.records()
    table = reach([record], layer=1, bins=5)  # without U the loss of the last step reaches that step alone
    injected = record.trace.log10_relative("h")[1, -1].mean()
    assert table["log10_relative"].tolist() == [injected, *[-math.inf] * 4]


def test_a_curve_for_the_screen_is_made_of_rows_of_each_cells_whole_curve():
    losses = np.random.default_rng(0).lognormal(size=(2, 5000))
    tables = [
        pd.DataFrame({"cell": cell, "update": range(5000), "loss": row}) for cell, row in zip("ab", losses, strict=True)
    ]
    rows, whole = pd.concat(tables), pd.concat([curve(table, "loss") for table in tables], ignore_index=True)
    shown = Curve("loss").on_screen(rows)
    pd.testing.assert_frame_equal(Curve("loss").taken(rows), whole)
    assert shown.groupby("cell").size().max() <= 400
    assert len(shown.merge(whole)) == len(shown)
    for cell, own in whole.groupby("cell"):
        found = shown.loc[shown["cell"] == cell, "log10_value"]
        assert (found.min(), found.max()) == (own["log10_value"].min(), own["log10_value"].max())
