"""Loss placements, and what a loss injects."""

import tracemalloc

import numpy as np
import pytest
import torch

from gradlab.engine import Sweep
from gradlab.settings.drawing import cotangents_of, inputs_of, targets_of
from gradlab.settings.experiment import Experiment
from gradlab.settings.losses import LOSSES, Placement

T, B, H = 8, 3, 20
RANDOM = ("last", "every", "step")


def cotangents(name, shape=(T, B, H), seed=5, states=None, **placed):
    return LOSSES[name](shape, np.random.default_rng(seed), states, Placement(**placed))


def norms(array):
    return np.linalg.norm(array, axis=-1)


def test_only_the_half_square_needs_states():
    assert [name for name, loss in LOSSES.items() if loss.needs_states] == ["half_square"]


@pytest.mark.parametrize("name", RANDOM)
def test_cotangents_are_float64_and_decided_by_the_generator(name):
    first = cotangents(name)
    assert first.shape == (T, B, H)
    assert first.dtype == np.float64
    assert np.array_equal(first, cotangents(name))
    assert not np.allclose(first, cotangents(name, seed=6))


@pytest.mark.parametrize(
    ("name", "given", "entered"),
    [
        ("last", {}, [T - 1]),
        ("step", {}, [T // 2]),
        ("step", {"loss_step": 0}, [0]),
        ("step", {"loss_step": T - 1}, [T - 1]),
        ("every", {}, range(T)),
    ],
)
def test_a_direction_of_norm_one_enters_at_the_steps_of_the_loss_and_nothing_elsewhere(name, given, entered):
    expected = np.zeros((T, B))
    expected[list(entered)] = 1
    assert norms(cotangents(name, **given)) == pytest.approx(expected, rel=1e-14)


def test_a_direction_is_uniform_on_the_sphere():
    sample = cotangents("last", shape=(2, 20_000, 3))[-1]
    # by Archimedes, a coordinate of the unit sphere in three dimensions is uniform on -1 to 1: mean 0, variance 1/3
    assert np.mean(sample, axis=0) == pytest.approx(np.zeros(3), abs=5 / np.sqrt(3 * 20_000))
    assert np.cov(sample.T) == pytest.approx(np.eye(3) / 3, abs=0.01)
    assert np.quantile(sample, [0.1, 0.25, 0.5, 0.75, 0.9]) == pytest.approx([-0.8, -0.5, 0, 0.5, 0.8], abs=0.02)


def test_sequences_and_steps_have_directions_of_their_own():
    every = cotangents("every").reshape(T * B, H)
    overlap = np.abs(every @ every.T - np.eye(T * B))
    assert overlap.max() < 0.95


def test_the_direction_does_not_depend_on_the_length_or_on_the_step_it_enters_at():
    assert np.array_equal(cotangents("last")[-1], cotangents("last", shape=(3 * T, B, H))[-1])
    assert np.array_equal(cotangents("last")[-1], cotangents("step", loss_step=2)[2])


def test_the_half_square_puts_in_its_own_derivative():
    states = np.random.default_rng(0).standard_normal((T, B, H))
    h = torch.tensor(states, requires_grad=True)
    (h[-1] ** 2).sum().mul(0.5).backward()
    assert np.array_equal(cotangents("half_square", states=states), h.grad.numpy())


def test_the_half_square_without_states_is_refused():
    with pytest.raises(ValueError, match="states"):
        cotangents("half_square")


@pytest.mark.parametrize("step", [-1, T])
def test_a_step_outside_the_sequence_is_refused(step):
    with pytest.raises(ValueError, match=f"loss_step = {step} .* 0 to {T - 1}"):
        cotangents("step", loss_step=step)


PLACED = [  # sequence type, what is chosen, steps with an input, steps with a loss
    ("one_to_one", {}, [0], [0]),
    ("one_to_many", {}, [0], range(T)),
    ("many_to_one", {}, range(T), [T - 1]),
    ("many_to_many", {}, range(T), range(T)),
    ("many_to_many_delayed", {}, range(4), range(4, T)),
    ("many_to_many_delayed", {"reads": 3}, range(3), range(3, T)),
    ("many_to_many_delayed", {"writes": 3}, range(5), range(5, T)),
    ("steps", {}, range(T), [1, 3, 5, 7]),
    ("steps", {"loss_steps": "6, 0-2, 1"}, range(T), [0, 1, 2, 6]),
]


@pytest.mark.parametrize(("name", "chosen", "read", "entered"), PLACED)
def test_a_sequence_type_reads_and_is_judged_at_its_steps(name, chosen, read, entered):
    entering = norms(cotangents(name, **chosen))
    expected = np.zeros((T, B))
    expected[list(entered)] = 1
    assert entering == pytest.approx(expected, rel=1e-14)
    assert LOSSES[name].reads(T, Placement(**chosen)) == len(read)
    e = Experiment(steps=T, batch_size=B, hidden_size=H, loss=name, **chosen)
    assert np.flatnonzero(inputs_of(e).any(axis=(1, 2))).tolist() == list(read)
    assert np.flatnonzero(cotangents_of(e).any(axis=(1, 2))).tolist() == list(entered)


def test_what_a_type_reads_is_what_every_other_type_reads_there():
    whole = inputs_of(Experiment(steps=T))
    part = inputs_of(Experiment(steps=T, loss="many_to_many_delayed", reads=3))
    assert np.array_equal(part[:3], whole[:3])


def test_a_type_that_is_an_older_loss_by_another_name_has_its_numbers():
    assert np.array_equal(cotangents("many_to_one"), cotangents("last"))
    assert np.array_equal(cotangents("many_to_many"), cotangents("every"))


def test_a_step_of_a_set_beyond_the_sequence_is_refused():
    with pytest.raises(ValueError, match=f"beyond the sequence: use 0 to {T - 1}"):
        cotangents("steps", loss_steps=f"0, {T}")


@pytest.mark.parametrize("T", range(1, 12))
def test_the_ends_of_the_quarters_are_steps_of_any_sequence_and_the_last_is_its_last(T):
    steps = LOSSES["steps"].steps(T, Placement())
    assert steps == sorted(set(steps))
    assert steps[0] >= 0
    assert steps[-1] == T - 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", ["last", "every", "steps", "many_to_many_delayed"])
def test_the_bytes_of_a_loss_are_those_of_its_entries_and_of_what_a_readout_of_earlier_states_makes(loss, dtype):
    e = Experiment(cell="gru", steps=11, batch_size=B, hidden_size=5, output_size=3, loss=loss, dtype=dtype)
    stack, inputs = e.network(), e.sequence()
    entries = e.injected(stack, inputs)
    bytes_of_entries = entries.steps.nbytes + entries.at.nbytes + entries.values.nbytes
    assert e.loss_bytes == bytes_of_entries
    read = e.replace(objective="squared_error")
    sweep = Sweep(stack, inputs)
    sweep.forward()
    states = 0 if loss == "last" else 2 * sweep.top_h().nbytes + 4 * targets_of(read).nbytes
    assert read.loss_bytes == bytes_of_entries + states


def test_a_readout_of_the_last_step_alone_takes_no_copy_of_the_earlier_states():
    peaks, T = [], 20_000
    for loss_step in (T - 1, T - 2):
        e = Experiment(cell="rnn", steps=T, hidden_size=8, batch_size=1, loss="step", loss_step=loss_step)
        e = e.replace(objective="squared_error", input_size=1, output_size=1)
        stack, inputs = e.network(), e.sequence()
        e.injected(stack, inputs)  # compiled and loaded
        tracemalloc.start()
        e.injected(stack, inputs)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    of_states = T * 8 * 8
    assert peaks[1] - peaks[0] > 0.5 * of_states


def test_what_is_injected_is_what_is_not_zero_of_the_cotangents():
    dying = {"cell": "rnn_relu", "hidden_size": 2, "input_size": 1, "batch_size": 30}
    for settings in ({"loss": "half_square"}, {"loss": "every"}, {"loss": "steps", "objective": "squared_error"}):
        e = Experiment(steps=T, **dying | settings)
        stack, inputs = e.network(), e.sequence()
        sweep = Sweep(stack, inputs)
        sweep.forward()
        dense, found = cotangents_of(e, sweep.top_h()), e.injected(stack, inputs)
        steps, sequences = np.nonzero(dense.any(axis=2))
        assert (found.steps.tolist(), found.at.tolist()) == (steps.tolist(), sequences.tolist())
        assert np.array_equal(found.values, dense[steps, sequences])
        assert (len(found.steps) < 30) == (e.loss == "half_square"), "some sequences have died"
