"""A problem's parts, held against plain loops over what a caller gave, and its sizes against the arrays themselves."""

import numpy as np
import pytest

from gradlab import Experiment
from gradlab.analyses.arguments import sparse, whole_number
from gradlab.analyses.memory import screen_bytes
from gradlab.analyses.problem import injection_steps, last_losses, of_last_loss, problem_of, without_loss, work_of
from gradlab.analyses.spans import Spans
from gradlab.engine import buffers, plan, plan_in_slices
from tests.networks import drawn_case

T, B, H = 9, 4, 5


def some_cotangents(share=0.4, seed=0):
    random = np.random.default_rng(seed)
    return random.standard_normal((T, B, H)) * (random.random((T, B, 1)) < share)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_entries_are_the_steps_and_sequences_at_which_something_enters(share):
    dense = some_cotangents(share)
    loss = sparse(dense)
    expected = [(t, b) for t in range(T) for b in range(B) if dense[t, b].any()]
    assert list(zip(loss.steps, loss.at, strict=True)) == expected
    assert np.array_equal(loss.values.reshape(-1, H), np.array([dense[place] for place in expected]).reshape(-1, H))
    assert loss.rows == B
    assert injection_steps(loss, np.full(B, T)).tolist() == sorted({t for t, _ in expected})


@pytest.mark.parametrize("seed", range(3))
def test_the_last_loss_of_each_sequence_is_its_latest_entry(seed):
    dense = some_cotangents(0.25, seed)
    dense[:, seed] = 0  # one has none
    dense[1:, 3] = 0
    dense[0] = 0
    dense[0, 3] = 1  # and one the first of all
    spans = Spans.of(None, T, B)
    last = of_last_loss(sparse(dense), spans)
    expected = {}
    for t in range(T):
        expected |= {b: t for b in range(B) if dense[t, b].any()}
    assert sorted(zip(last.at.tolist(), last.steps.tolist(), strict=True)) == sorted(expected.items())
    assert all(np.array_equal(value, dense[t, b]) for t, b, value in zip(last.steps, last.at, last.values, strict=True))
    assert (np.diff(last_losses(sparse(dense), spans)) > 0).all()


@pytest.mark.parametrize(("steps", "sequences"), [(1, 1), (4, 3), (7, 2), (9, 4), (20, 20)])
@pytest.mark.parametrize("first", [0, 3, 4, 8])
def test_an_excerpt_has_its_losses_or_else_the_latest_of_each_sequence_at_its_last_step(steps, sequences, first):
    case = drawn_case("lstm", depth=2, H=H, T=T, B=B)
    dense = some_cotangents(0.5)
    dense[:first] = 0
    excerpt = problem_of(case.stack, case.inputs, dense, case.initial_state).excerpt(steps, sequences, "float32")
    steps, sequences = min(steps, T), min(sequences, B)
    among = dense[:steps, :sequences]
    expected = np.zeros_like(among)
    for b in range(sequences):
        if among.any():
            expected[:, b] = among[:, b]
        elif entered := [t for t in range(T) if dense[t, b].any()]:
            expected[-1, b] = dense[entered[-1], b]
    assert np.array_equal(excerpt.cotangents, expected.astype("float32"))
    assert np.array_equal(excerpt.inputs, case.inputs[:steps, :sequences].astype("float32"))
    for state, whole in zip(excerpt.initial_state, case.initial_state, strict=True):
        assert np.array_equal(state, whole[:, :sequences].astype("float32"))
    assert {layer.U.dtype.name for layer in excerpt.stack.layers} == {"float32"}
    assert (excerpt.size.steps, excerpt.size.sequences) == (steps, sequences)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_excerpt_keeps_precision_and_weights_whatever_its_length(dtype):
    """Also that of an excerpt, of a law that reads the length, and of arrays."""
    case = drawn_case("rnn", H=H, T=T, B=B, dtype=dtype)
    for whole in (
        problem_of(case.stack, case.inputs, case.cotangents.astype(dtype)),
        problem_of(Experiment(cell="lstm", initialization="chrono", steps=40, hidden_size=4, dtype=dtype)),
    ):
        for part in (whole.excerpt(5, 2), whole.excerpt(7, 3).excerpt(5, 2)):
            assert {part.stack.dtype, part.inputs.dtype, part.loss.values.dtype} == {np.dtype(dtype)}
            for ours, theirs in zip(part.stack.layers, whole.stack.layers, strict=True):
                assert all(map(np.array_equal, ours, theirs))


def test_an_excerpt_of_episodes_has_those_of_its_steps():
    case = drawn_case("gru", depth=1, H=H, T=T, B=B)
    resets = np.zeros((T, B), bool)
    resets[[2, 6], [1, 0]] = True
    lengths = np.array([9, 5, 3, 7])
    final = np.random.default_rng(1).standard_normal((1, B, H))
    whole = problem_of(case.stack, case.inputs, np.zeros((T, B, H)), None, final, resets, lengths)
    excerpt = whole.excerpt(4, 3)
    assert np.array_equal(excerpt.episodes.resets, resets[:4, :3])
    assert excerpt.episodes.lengths.tolist() == [4, 4, 3]
    assert np.array_equal(excerpt.loss.final[:, :, 0], final[:, :3])
    assert whole.losses == len({8, 4, 2, 6}), "a last state's loss enters at its sequence's last step"


@pytest.mark.parametrize("value", [3, 7, np.int64(5)])
def test_whole_numbers_of_a_range_are_taken(value):
    assert whole_number("n", value, 3, 7) == value
    assert whole_number("n", 10 * value, 3) == 10 * value


@pytest.mark.parametrize("value", [2, 8, True, 4.0, "4", None])
def test_what_is_no_whole_number_of_a_range_is_refused(value):
    with pytest.raises(ValueError, match=r"n = .* is not allowed: use a whole number from 3 to 7"):
        whole_number("n", value, 3, 7)
    if value != 8:
        with pytest.raises(ValueError, match="use a whole number of 3 or more"):
            whole_number("n", value, 3)


def test_work_is_that_of_the_products_and_the_same_for_each_step_of_each_layer_whatever_its_width():
    def beside(**settings):
        """Work beside that of the products."""
        planned = plan(Experiment(**settings).size)
        return work_of(planned) - planned.multiply_adds

    a_step = beside(hidden_size=1, steps=2) / 2
    assert a_step > 0
    for settings in ({"steps": 2000}, {"steps": 50, "depth": 4}, {"steps": 300, "hidden_size": 1024, "depth": 3}):
        assert beside(**settings) == a_step * settings["steps"] * settings.get("depth", 1)
    wide = plan(Experiment(hidden_size=1024).size)
    assert work_of(wide) == pytest.approx(wide.multiply_adds, rel=0.01)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_trace_of_several_losses_holds_their_entries_and_twice_the_rows(dtype):
    e = Experiment(hidden_size=8, steps=50, batch_size=3, loss="every", dtype=dtype)
    problem = problem_of(e)
    entries = sum(part.nbytes for part in (problem.loss.values, problem.loss.steps, problem.loss.at))
    passes = plan_in_slices(e.size._replace(rows=6)).bytes
    assert problem.trace_bytes == passes + min(e.loss_bytes, entries) + entries
    one = problem_of(e.replace(loss="last"))
    assert one.trace_bytes == plan_in_slices(e.size).bytes + one.source.loss_bytes
    two = problem_of(e.replace(loss="steps", loss_steps="1,2"))
    assert two.trace_bytes > one.trace_bytes
    assert (one.losses, two.losses, problem.losses) == (1, 2, 50)


def test_what_is_drawn_of_a_trace_comes_while_the_sweeps_own_memory_is_given_back(monkeypatch):
    small = problem_of(Experiment(hidden_size=8, steps=50, batch_size=3))
    assert small.trace_need.bytes == small.trace_bytes + screen_bytes(small.size)
    large = problem_of(Experiment(hidden_size=64, steps=3000))
    held = plan_in_slices(large.size).held
    for kept in (0, held // 2, held, 2 * held):
        monkeypatch.setattr(buffers, "MOST_BYTES", kept)
        afterwards = large.trace_bytes - (held - min(held, kept)) + screen_bytes(large.size)
        assert large.trace_need.bytes == max(large.trace_bytes, afterwards)


def test_a_stack_without_a_loss_has_zeros():
    case = drawn_case("rnn", depth=1, H=H, T=T, B=B)
    problem = without_loss(case.stack, case.inputs)
    assert problem.cotangents.shape == (T, B, H)
    assert not problem.cotangents.any()
    assert np.array_equal(without_loss(*case[:3]).cotangents, case.cotangents)
