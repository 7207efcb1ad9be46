"""Every task's batches have the answers it claims, and its baseline is what knowing nothing more gets."""

import math

import numpy as np
import pytest

from gradlab.settings.catalogue import bounds
from gradlab.settings.tasks import TASKS, characters

MANY = 20_000


def drawn(name, steps=40, sequences=MANY, seed=0):
    task = TASKS[name]
    return task.draw(task.steps(steps), sequences, np.random.default_rng(seed))


def test_the_registry_names_every_task_as_the_task_does():
    assert all(name == task.name and task.meaning.endswith((".", "?")) for name, task in TASKS.items())
    assert set(TASKS) >= {"adding", "copy_memory", "temporal_order", "parity", "delayed_recall", "sine_continuation"}


def test_adding_asks_for_the_sum_of_the_two_marked_numbers_one_in_each_half():
    batch = drawn("adding", sequences=50)
    for b in range(50):
        first, second = np.flatnonzero(batch.inputs[:, b, 1])
        assert first < 20 <= second
        assert batch.targets[-1, b, 0] == batch.inputs[first, b, 0] + batch.inputs[second, b, 0]
    assert batch.scored.tolist() == [False] * 39 + [True]


def test_the_marks_of_adding_fall_anywhere_in_their_halves():
    batch = drawn("adding", steps=10)
    marked = batch.inputs[..., 1].mean(axis=1)
    assert marked == pytest.approx(np.full(10, 0.2), abs=0.015)
    numbers = batch.inputs[..., 0]
    assert (numbers.min(), numbers.max()) == pytest.approx((0, 1), abs=1e-3)
    assert TASKS["adding"].solved(50) == pytest.approx(0.01)


def test_always_answering_one_in_the_adding_problem_has_a_squared_error_of_one_sixth():
    assert TASKS["adding"].baselines(50)[0].loss == pytest.approx(1 / 6, abs=1e-12)
    assert ((drawn("adding").targets[-1] - 1) ** 2).mean() == pytest.approx(1 / 6, abs=0.005)


@pytest.mark.parametrize(
    ("delay", "loss"), [(50, 0.297063), (100, 0.173287), (200, 0.094520), (500, 0.039989), (1000, 0.020387)]
)
def test_the_baseline_of_copy_memory_is_ten_ln_eight_over_its_length(delay, loss):
    assert TASKS["copy_memory"].baselines(delay + 20)[0].loss == pytest.approx(loss, abs=1e-6)


def test_copy_memory_writes_what_was_shown_after_the_sign():
    batch = drawn("copy_memory", sequences=30)
    codes = batch.inputs.argmax(axis=2)
    assert (batch.targets[-10:] == codes[:10]).all()
    assert (batch.targets[:-10] == 8).all()
    assert (codes[-11] == 9).all()
    assert ((codes == 9).sum(axis=0) == 1).all()
    assert (codes[10:-11] == 8).all()
    assert (codes[:10] < 8).all()


def test_temporal_order_has_two_marks_in_their_places_and_asks_for_their_order():
    batch = drawn("temporal_order", sequences=200)
    codes = batch.inputs.argmax(axis=2)
    assert (codes[0] == 0).all()
    assert (codes[-1] == 1).all()
    for b in range(200):
        first, second = np.flatnonzero(codes[:, b] >= 6)
        assert 4 <= first <= 8
        assert 20 <= second <= 24
        assert batch.targets[-1, b] == 2 * (codes[first, b] == 7) + (codes[second, b] == 7)


def test_the_marks_and_distractors_of_temporal_order_take_every_place_and_letter():
    codes = drawn("temporal_order").inputs.argmax(axis=2)
    first, second = codes >= 6, codes >= 6
    first, second = first[:15].argmax(axis=0), 15 + second[15:].argmax(axis=0)
    assert np.bincount(first)[4:9] / MANY == pytest.approx(np.full(5, 0.2), abs=0.015)
    assert np.bincount(second)[20:25] / MANY == pytest.approx(np.full(5, 0.2), abs=0.015)
    assert set(np.unique(codes[1:-1])) == {2, 3, 4, 5, 6, 7}


@pytest.mark.parametrize(("name", "classes"), [("temporal_order", 4), ("delayed_recall", 8)])
def test_the_classes_are_evenly_drawn_so_guessing_costs_their_logarithm(name, classes):
    counts = np.bincount(drawn(name).targets[-1].ravel(), minlength=classes) / MANY
    assert np.abs(counts - 1 / classes).max() < 0.015
    assert TASKS[name].baselines(40)[0].loss == pytest.approx(math.log(classes))


def test_parity_is_that_of_the_bits_so_far_and_without_memory_only_the_first_is_known():
    batch = drawn("parity", steps=9)
    ones = (batch.inputs[..., 0] > 0).cumsum(axis=0)
    assert (batch.targets == ones % 2).all()
    bit = batch.inputs[..., 0] > 0
    agree = [(batch.targets[t] == bit[t]).mean() for t in range(9)]  # what the bit alone tells
    assert agree[0] == 1
    assert np.abs(np.array(agree[1:]) - 0.5).max() < 0.015
    assert TASKS["parity"].baselines(9)[0].loss == pytest.approx(8 / 9 * math.log(2))


def test_delayed_recall_asks_for_the_first_symbol_which_alone_is_marked():
    batch = drawn("delayed_recall", sequences=20)
    assert (batch.targets[-1] == batch.inputs[0, :, :8].argmax(axis=1)).all()
    assert (batch.inputs[0, :, 8] == 1).all()
    assert (batch.inputs[1:, :, 8] == 0).all()


def test_a_sine_is_heard_for_half_the_time_and_answering_zero_costs_one_half():
    batch = drawn("sine_continuation")
    assert (batch.inputs[:20] == batch.targets[:20]).all()
    assert (batch.inputs[20:] == 0).all()
    assert batch.scored.tolist() == [False] * 20 + [True] * 20
    assert (batch.targets[batch.scored] ** 2).mean() == pytest.approx(0.5, abs=0.01)
    # a sine keeps x_{t+1} + x_{t-1} = 2 cos ω x_t
    wave = batch.targets[..., 0]
    ratio = (wave[2:] + wave[:-2]) / wave[1:-1] / 2
    assert np.allclose(np.nanmedian(ratio, axis=0), ratio[0], rtol=1e-6)


def test_sines_have_every_phase_and_periods_from_ten_to_thirty_steps():
    wave = drawn("sine_continuation").targets[..., 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.median((wave[2:] + wave[:-2]) / wave[1:-1] / 2, axis=0)
    period = 2 * np.pi / np.arccos(ratio.clip(-1, 1))
    assert (period.min(), period.max()) == pytest.approx((10, 30), abs=0.05)
    assert np.quantile(period, [0.25, 0.5, 0.75]) == pytest.approx([15, 20, 25], abs=0.3)
    assert np.quantile(wave[0], [0.25, 0.5, 0.75]) == pytest.approx([-np.sqrt(0.5), 0, np.sqrt(0.5)], abs=0.03)


def test_hello_is_spelt_and_its_baselines_are_the_known_ones():
    batch, task = drawn("hello", sequences=1), TASKS["hello"]
    assert "".join(task.symbols) == "ehlo"
    assert "".join(task.symbols[i] for i in batch.inputs[:, 0].argmax(axis=1)) == "hell"
    assert "".join(task.symbols[i] for i in batch.targets[:, 0]) == "ello"
    assert [baseline.loss for baseline in task.baselines(4)] == pytest.approx([0.346574, 1.386294], abs=1e-6)
    assert task.solved(4) == pytest.approx(0.1)


def test_a_text_is_read_one_character_ahead_around_its_end():
    task = characters("abcab가")
    batch = task.draw(9, 200, np.random.default_rng(0))
    read = batch.inputs.argmax(axis=2)
    assert (read[1:] == batch.targets[:-1]).all()
    words = {"".join(task.symbols[i] for i in read[:, b]) for b in range(200)}
    assert words == {("abcab가" * 3)[start : start + 9] for start in range(6)}


def test_the_baselines_of_a_text_are_reached_by_the_predictors_that_they_name():
    text = "the cat sat on the mat "
    task = characters(text)
    batch = task.draw(200, 300, np.random.default_rng(0))
    now, following = batch.inputs.argmax(axis=2).ravel(), batch.targets.ravel()
    V = len(task.symbols)
    pairs = np.zeros((V, V))
    np.add.at(pairs, (now, following), 1)
    conditional = pairs / pairs.sum(axis=1, keepdims=True)
    alone = pairs.sum(axis=0) / pairs.sum()
    knowing_one, knowing_none, uniform = (baseline.loss for baseline in task.baselines(200))
    assert -np.log(conditional[now, following]).mean() == pytest.approx(knowing_one, rel=0.01)
    assert -np.log(alone[following]).mean() == pytest.approx(knowing_none, rel=0.01)
    assert uniform == math.log(V)


def test_a_text_of_one_character_is_refused():
    with pytest.raises(ValueError, match="at least 2 are needed"):
        characters("aaaa")


@pytest.mark.parametrize("name", TASKS)
def test_a_batch_has_the_sizes_that_its_task_names_and_every_class_occurs(name):
    task, batch = TASKS[name], drawn(name, sequences=500)
    T = task.steps(40)
    assert batch.inputs.shape == (T, 500, task.input_size)
    assert batch.scored.shape == (T,)
    assert batch.scored.any()
    if task.objective == "squared_error":
        assert batch.targets.shape == (T, 500, task.output_size)
        assert task.metric == "accuracy"
    elif task.text is None:
        assert set(np.unique(batch.targets[batch.scored])) == set(range(task.output_size))
    else:
        assert task.output_size == len(set(task.text))
    assert not task.symbols or len(task.symbols) == task.output_size


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if task.own_steps is None])
def test_a_task_takes_sequences_as_short_as_a_setting_allows_or_as_it_can_be_and_none_shorter(name):
    task, (shortest, _) = TASKS[name], bounds("steps")
    fewest = {"copy_memory": 10 + 1 + 10, "temporal_order": 10}.get(name, shortest)
    batch = drawn(name, steps=fewest, sequences=200)
    assert len(batch.inputs) == fewest
    with pytest.raises(ValueError, match=f"steps = {fewest - 1} is too short for {task.title}: use {fewest} or more"):
        task.steps(fewest - 1)
    if name == "temporal_order":
        marks = batch.inputs.argmax(axis=2) >= 6
        assert (marks.sum(axis=0) == 2).all()
        assert set(np.flatnonzero(marks.any(axis=1))) == {1, 2, 5, 6}


def test_a_task_is_solved_at_a_tenth_of_its_baseline_unless_it_says_otherwise():
    for name, task in TASKS.items():
        share = {"adding": 0.06, "text": 1, "hello": 0.1 / task.baselines(4)[0].loss}.get(name, 0.1)
        assert task.solved(50) == pytest.approx(share * task.baselines(50)[0].loss)
    assert TASKS["sine_continuation"].baselines(50)[0].loss == 0.5


def test_two_characters_are_enough_for_a_text():
    task = characters("ab")
    assert (task.symbols, task.output_size) == (("a", "b"), 2)
    assert [baseline.loss for baseline in task.baselines(9)] == pytest.approx([0, math.log(2), math.log(2)])
