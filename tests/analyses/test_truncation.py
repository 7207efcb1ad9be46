"""Truncated back-propagation against torch loops with `detach`, and its counts."""

import numpy as np
import pandas as pd
import pytest
import torch

from gradlab.analyses.itemised import pairs, vectors
from gradlab.analyses.truncation import (
    Schedule,
    beyond,
    bias,
    cost,
    departure,
    gradient,
    kept_by,
    receives,
    share_by_lag,
    window_for,
    windows_of,
    with_window,
)
from gradlab.cells import CELLS
from gradlab.engine import Sweep
from gradlab.network.stack import Layer, Stack
from gradlab.settings.drawing import inputs_of
from gradlab.settings.experiment import Experiment

T, B, H, DEPTH = 13, 2, 5, 2
random = np.random.default_rng(4)


def case(cell, steps=T):
    """A stack, inputs, cotangents of a sequence that ends early beside one that does not, and initial states."""
    e = Experiment(cell=cell, depth=DEPTH, hidden_size=H, input_size=3, steps=steps, batch_size=B)
    states = tuple(random.standard_normal((DEPTH, B, H)) for _ in CELLS[cell].states)
    cotangents = random.standard_normal((steps, B, H))
    cotangents[2] = cotangents[steps // 2 :, 0] = 0
    return Stack.from_experiment(e), inputs_of(e), cotangents, states


class TorchStack:
    """The stack's weights as leaves, and one step of it, with the cells' `step` alone."""

    def __init__(self, stack, states):
        self.cell, self.H = CELLS[stack.cell], stack.hidden_size
        self.layers = [[torch.tensor(array, requires_grad=True) for array in layer] for layer in stack.layers]
        record = self.cell.record
        self.start = [record(*(torch.tensor(value[layer]) for value in states)) for layer in range(stack.depth)]

    def step(self, x, states):
        new = []
        for (W, U, b_W, b_U), state in zip(self.layers, states, strict=True):
            a_x, a_h = x @ W.T + b_W, state.h @ U.T + b_U
            new.append(self.cell.step(a_x.split(self.H, 1), a_h.split(self.H, 1), state)[0])
            x = new[-1].h
        return new

    def gradients(self):
        return [
            Layer(*(np.zeros(p.shape) if p.grad is None else p.grad.numpy() for p in layer)) for layer in self.layers
        ]


def detached(states):
    return [type(state)(*(value.detach().requires_grad_() for value in state)) for state in states]


def chunked_loop(stack, inputs, cotangents, states, k):
    """What people write: a loop over chunks, the state carried on and detached."""
    net = TorchStack(stack, states)
    now = net.start
    for first in range(0, len(inputs), k):
        now, loss = detached(now), 0.0
        for x, weight in zip(torch.tensor(inputs[first : first + k]), cotangents[first : first + k], strict=True):
            now = net.step(x, now)
            loss = loss + (torch.tensor(weight) * now[-1].h).sum()
        loss.backward()
    return net.gradients()


def windowed_loop(stack, inputs, cotangents, states, k1, k2):
    """Every k1 steps back over k2: one small graph a step, each begun from a detached state, walked back by hand."""
    net = TorchStack(stack, states)
    pieces, now = [], net.start
    for t, x in enumerate(torch.tensor(inputs)):
        before = detached(now)
        now = net.step(x, before)
        pieces.append((before, now))
        if (t + 1) % k1 and t + 1 < len(inputs):
            continue
        judged_from, bar = t // k1 * k1, None
        for s in range(t, max(t + 1 - k2, 0) - 1, -1):
            old, new = pieces[s]
            outputs = [value for state in new for value in state]
            grads = bar or [torch.zeros_like(value) for value in outputs]
            if s >= judged_from:
                h = len(outputs) - len(new[-1])  # the top layer's h
                grads[h] = grads[h] + torch.tensor(cotangents[s])
            leaves = [value for state in old for value in state]
            for leaf in leaves:
                leaf.grad = None
            torch.autograd.backward(outputs, grads, retain_graph=True)
            bar = [torch.zeros_like(leaf) if leaf.grad is None else leaf.grad.clone() for leaf in leaves]
    return net.gradients()


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        for name in Layer._fields:
            a, b = getattr(one, name), getattr(other, name)
            assert np.linalg.norm(a - b) <= 1e-10 * max(np.linalg.norm(b), 1e-3), name


@pytest.mark.parametrize("k", [1, 4, T])
@pytest.mark.parametrize("cell", CELLS)
def test_chunks_are_a_torch_loop_with_detach(cell, k):
    given = case(cell)
    assert_same(gradient(*given, schedule=Schedule("chunks", k2=k)), chunked_loop(*given, k))


@pytest.mark.parametrize(("k1", "k2"), [(1, 1), (1, 5), (3, 5), (5, 5), (4, T)])
@pytest.mark.parametrize("cell", CELLS)
def test_windows_are_a_torch_loop_with_detach(cell, k1, k2):
    given = case(cell)
    assert_same(gradient(*given, schedule=Schedule("windows", k1, k2)), windowed_loop(*given, k1, k2))


@pytest.mark.parametrize("schedule", [Schedule("full"), Schedule("chunks", k2=4), Schedule("windows", 2, 5)])
def test_exactly_the_pairs_of_the_schedule_receive_gradient(schedule):
    stack, inputs, cotangents, states = case("lstm")
    found = vectors(stack, inputs, cotangents, states)
    inside = receives(schedule, T)
    for layer, expected in enumerate(gradient(stack, inputs, cotangents, states, schedule=schedule)):
        rows = enumerate(found.loss_steps)
        parts = [found.contribution(layer, row, t) for row, k in rows for t in range(T) if inside[k, t]]
        assert np.allclose(sum(parts), expected.U, rtol=1e-10, atol=1e-13)


def test_one_loss_under_a_window_of_k_sends_gradient_to_exactly_k_steps():
    for kind, k1 in (("windows", 1), ("windows", 4), ("chunks", 1)):
        reached = receives(Schedule(kind, k1, 8), 32).sum(axis=1)
        assert reached[31] == 8
    assert receives(Schedule("windows", 1, 8), 32).sum(axis=1).tolist() == [min(t + 1, 8) for t in range(32)]


def test_windows_as_long_as_their_stride_are_chunks():
    assert Schedule("windows", 4, 4).spans(12) == Schedule("chunks", k2=4).spans(12)
    assert Schedule("chunks", k2=4).spans(10)[-1] == (8, 8, 10)
    assert Schedule("windows", 4, 4).spans(10)[-1] == (6, 8, 10)


@pytest.mark.parametrize(
    ("schedule", "told"),
    [
        (Schedule("chunks", k2=14), "k2 = 14 is not a window of a sequence of 13 steps"),
        (Schedule("windows", 1, 0), "k2 = 0"),
        (Schedule("windows", 6, 5), "k1 = 6 must be 1 to k2 = 5"),
        (Schedule("half", 6, 5), "kind = 'half' is not a truncation"),
    ],
)
def test_a_schedule_that_does_not_fit_is_refused(schedule, told):
    with pytest.raises(ValueError, match=told):
        schedule.spans(T)


@pytest.mark.parametrize("kind", ["full", "chunks", "windows"])
def test_a_schedule_without_lengths_fits_every_sequence_a_step_at_a_time(kind):
    assert Schedule(kind).spans(1) == [(0, 0, 1)]
    assert receives(Schedule(kind), 3).sum() == (6 if kind == "full" else 3)


def test_an_experiment_names_its_schedule():
    e = Experiment(steps=100, truncation="windows")
    assert Schedule.of(e) == ("windows", 5, 10)
    assert Schedule.of(e.replace(truncation="chunks", k2=30)) == ("chunks", 30, 30)
    assert Schedule.of(e.replace(truncation="full")).spans(100) == [(0, 0, 100)]
    own = gradient(e.replace(loss="every"))
    assert_same(own, gradient(e.replace(loss="every"), schedule=Schedule("windows", 5, 10)))


def test_the_bias_is_none_in_full_and_falls_with_the_window():
    e = Experiment(cell="lstm", hidden_size=16, depth=2, steps=60, loss="every", forget_bias=3.0)
    windows = [Schedule("windows", 1, k) for k in (1, 3, 10, 30, 60)]
    table = bias(e, schedules=windows)
    for (_, name), lines in table.groupby(["layer", "parameter"]):
        errors = lines.relative_error.to_numpy()
        assert (np.diff(errors) < 0).all(), name
        assert errors[-1] < 1e-10
        assert lines.cosine.iloc[-1] == pytest.approx(1, abs=1e-12)
        assert lines.cosine.iloc[0] < 0.99


def test_the_bias_is_the_angle_and_the_distance_of_the_gradients():
    stack, inputs, cotangents, states = case("gru")
    schedule = Schedule("chunks", k2=3)
    found = gradient(stack, inputs, cotangents, states, schedule=schedule)[1].U.ravel()
    full = gradient(stack, inputs, cotangents, states)[1].U.ravel()
    row = bias(stack, inputs, cotangents, states, schedules=[schedule]).query("layer == 1 and parameter == 'U'").iloc[0]
    assert row.cosine == pytest.approx(np.corrcoef([found, full])[0, 1], abs=0.05)
    assert row.cosine == pytest.approx(found @ full / np.linalg.norm(found) / np.linalg.norm(full), rel=1e-12)
    assert row.relative_error == pytest.approx(np.linalg.norm(found - full) / np.linalg.norm(full), rel=1e-12)
    assert row.log10_norm_full == pytest.approx(np.log10(np.linalg.norm(full)), abs=1e-12)
    for decades in (-250, 250):  # whose squares leave the range
        moved = bias(stack, inputs, 10.0**decades * cotangents, states, schedules=[schedule])
        moved = moved.query("layer == 1 and parameter == 'U'").iloc[0]
        assert moved.cosine == pytest.approx(row.cosine, rel=1e-9)
        assert moved.relative_error == pytest.approx(row.relative_error, rel=1e-9)
        assert moved.log10_norm_full == pytest.approx(row.log10_norm_full + decades, abs=1e-9)


def test_a_loss_turned_round_has_the_same_bias():
    """Of one unit a parameter's gradient is one number, which is then once negative."""
    stack = Stack.from_experiment(Experiment(cell="rnn", hidden_size=1, input_size=1))
    inputs, cotangents = np.ones((9, 1, 1)), np.ones((9, 1, 1))
    tables = [bias(stack, inputs, sign * cotangents, schedules=[Schedule("chunks", k2=3)]) for sign in (1, -1)]
    assert np.isfinite(tables[0]["log10_norm_full"]).all()
    pd.testing.assert_frame_equal(*tables)


def test_memory_and_work_are_counts():
    stack = Stack.from_experiment(Experiment(cell="rnn", hidden_size=10, input_size=4))
    schedules = [Schedule("full"), Schedule("chunks", k2=20), Schedule("windows", 10, 30)]
    table = cost(stack, steps=100, sequences=3, schedules=schedules)
    assert table.stored_steps.tolist() == [100, 20, 30]
    kept = 2 * 3 * 10 * 8  # of each step: h and the slope of its tanh
    assert table.bytes.tolist() == [100 * kept, 20 * kept, 30 * kept]
    forward, back = 100 * 3 * (40 + 100), 3 * (100 + 140)  # back: Uᵀ a_bar, then the outer products with h and x
    spans = 10 + 20 + 8 * 30
    assert table.multiply_adds.tolist() == [forward + 100 * back, forward + 100 * back, forward + spans * back]
    assert table.share_of_multiply_adds.iloc[1] == 1
    assert table.share_of_bytes.tolist() == [1, 0.2, 0.3]


@pytest.mark.parametrize("cell", CELLS)
def test_the_cost_of_a_subject_is_that_of_its_weights_and_sequence(cell):
    e = Experiment(cell=cell, depth=3, hidden_size=7, input_size=4, steps=30, batch_size=5, dtype="float32")
    stack, schedules = Stack.from_experiment(e), [Schedule("full"), Schedule("chunks", k2=6)]
    table = cost(e, schedules=schedules)
    pd.testing.assert_frame_equal(table, cost(stack, inputs_of(e), schedules=schedules))
    pd.testing.assert_frame_equal(table, cost(stack, steps=30, sequences=5, schedules=schedules))
    alone = cost(stack, inputs_of(e)[:, :1], schedules=schedules)
    pd.testing.assert_frame_equal(alone, cost(stack, steps=30, schedules=schedules))
    matrices = [matrix.size for layer in stack.layers for matrix in (layer.W, layer.U)]
    assert table.multiply_adds.iloc[0] == 30 * 5 * (3 * sum(matrices) - matrices[0])
    run = Sweep(stack, inputs_of(e))
    run.forward()
    assert table.bytes.iloc[0] == sum(values.nbytes for values in run.values())


def test_states_that_a_cell_does_not_have_are_its_h():
    found = pairs(Experiment(cell="rnn", hidden_size=4, steps=12, loss="every"))
    pd.testing.assert_frame_equal(beyond(found, 0, "c"), beyond(found, 0, "h"))
    lstm = pairs(Experiment(cell="lstm", hidden_size=4, steps=12, loss="every"))
    schedule = Schedule("windows", 1, 4)
    norms, inside = 10 ** lstm.log10_norms[0, ..., 1], receives(schedule, 12)[:, :, None]
    assert kept_by(lstm, schedule, 0, "c") == pytest.approx((norms * inside).sum((0, 1)) / norms.sum((0, 1)))


@pytest.mark.parametrize("schedule", [Schedule("windows", 3, 6), Schedule("windows", 5, 5), Schedule("chunks", 9, 9)])
@pytest.mark.parametrize("steps", [2, 13, 400])
def test_windows_of_other_lengths_fit_and_keep_the_ratio(schedule, steps):
    windows = windows_of(schedule, steps)
    assert 1 <= len(windows) <= 13
    assert [window.k2 for window in windows] == sorted({window.k2 for window in windows})
    assert windows[-1].k2 == steps
    for window in windows:
        assert window.kind == schedule.kind
        assert window.spans(steps)
        if window.kind == "windows" and window.k2 < steps:
            assert window.k1 / window.k2 == pytest.approx(schedule.k1 / schedule.k2, rel=0.5 / window.k2 + 1e-9)
        if window.kind == "chunks":
            assert window.k1 == window.k2
    assert windows[0].k1 == 1
    assert windows[0].k2 == min(1 if schedule.kind == "chunks" else round(schedule.k2 / schedule.k1), steps)
    assert len(windows_of(schedule, steps, 3)) <= 4


def test_windows_of_other_lengths_are_each_longer_by_one_factor():
    strides = np.array([window.k1 for window in windows_of(Schedule("windows", 3, 6), 1000, most=8)])
    assert strides[1:] / strides[:-1] == pytest.approx(np.full(7, 500 ** (1 / 7)), rel=0.3)  # of whole numbers


def test_the_stride_of_chunks_which_is_ignored_changes_no_other_lengths():
    assert windows_of(Schedule("chunks", 1, 9), 100) == windows_of(Schedule("chunks", 9, 9), 100)


def test_without_a_truncation_windows_are_looked_at_and_another_is_left_alone():
    e = Experiment(steps=50)
    assert (with_window(e).truncation, with_window(e).loss) == ("windows", "every")
    chunks = e.replace(truncation="chunks", k2=7, loss="many_to_many_delayed")
    assert with_window(chunks) == chunks


@pytest.mark.parametrize("schedule", [Schedule("full"), Schedule("chunks", k2=4), Schedule("windows", 3, 6)])
def test_the_outline_of_a_schedule_parts_the_pairs_that_receive_gradient(schedule):
    outline, inside = schedule.outline(T), receives(schedule, T)
    first = {}
    for low, high in outline.to_numpy().reshape(-1, 2, 2):  # the two corners of a span
        assert low[1] == high[1]
        first |= dict.fromkeys(range(low[0], high[0]), low[1])
    assert first == {step: int(np.flatnonzero(inside[step])[0]) for step in range(T)}


def test_shares_by_lag_are_those_of_a_known_decay():
    e = Experiment(cell="rnn_linear", initialization="orthogonal", gain=0.5, hidden_size=4, steps=40, loss="last")
    table = share_by_lag(pairs(e))
    assert np.allclose(table.share, 0.5**table.lag / (2 - 2.0**-39), rtol=1e-9)
    assert table.kept.iloc[-1] == pytest.approx(1)
    assert kept_by(pairs(e), Schedule("windows", 1, 8)) == pytest.approx(np.full(8, 1 - 2.0**-8), rel=1e-6)


def test_what_lags_keep_is_what_windows_of_their_length_keep_in_each_sequence():
    found = pairs(Experiment(cell="lstm", hidden_size=4, depth=2, steps=14, batch_size=3, loss="step", loss_step=10))
    for layer, state in ((0, "h"), (1, "c")):
        table = share_by_lag(found, layer, state)
        assert table["lag"].tolist() == list(range(11))
        each = np.array([kept_by(found, Schedule("windows", 1, lag + 1), layer, state) for lag in table["lag"]])
        for name, of in (("kept", each.mean(axis=1)), ("kept_min", each.min(axis=1)), ("kept_max", each.max(axis=1))):
            assert table[name].to_numpy() == pytest.approx(of, abs=1e-12)
        lost = beyond(found, layer, state)
        by_window = [1 - kept_by(found, Schedule("windows", 1, K), layer, state).mean() for K in lost["window"]]
        assert lost["lost"].to_numpy() == pytest.approx(np.array(by_window), abs=1e-12)
        assert lost["lost_max"].to_numpy() == pytest.approx(1 - each.min(axis=1), abs=1e-12)
    pd.testing.assert_frame_equal(beyond(found), beyond(found, 0, "h"))
    pd.testing.assert_frame_equal(share_by_lag(found), share_by_lag(found, 0, "h"))


@pytest.mark.parametrize("decades", [-500, 300, 500])
def test_shares_of_gradients_of_any_size_are_those_of_their_ratios(decades):
    found = pairs(Experiment(cell="gru", hidden_size=4, depth=2, steps=9, batch_size=2, loss="every"))
    moved = found._replace(log10_norms=found.log10_norms + decades)
    schedule = Schedule("windows", 2, 3)
    assert kept_by(moved, schedule) == pytest.approx(kept_by(found, schedule), rel=1e-9)
    assert kept_by(found, schedule) == pytest.approx(kept_by(found, schedule, 0, "h"))
    assert share_by_lag(moved)["share"].to_numpy() == pytest.approx(share_by_lag(found)["share"].to_numpy(), rel=1e-9)


def test_with_a_loss_at_every_step_kept_counts_every_pair_inside():
    e = Experiment(cell="rnn_linear", initialization="orthogonal", hidden_size=4, steps=20, loss="every")
    found = pairs(e)  # every pair has norm 1
    assert kept_by(found, Schedule("full")) == pytest.approx(np.ones(8))
    assert kept_by(found, Schedule("chunks", k2=5)) == pytest.approx(np.full(8, 4 * 15 / 210))
    assert share_by_lag(found).share[3] == pytest.approx(17 / 210)
    alone = share_by_lag(pairs(e.replace(loss="step", loss_step=0)))
    assert alone[["lag", "share", "kept"]].to_numpy().tolist() == [[0, 1, 1]], "a loss at step 0 has no other lag"


@pytest.mark.parametrize("kind", ["windows", "chunks"])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "rnn_linear"])
def test_the_window_that_is_needed_is_enough_and_the_next_shorter_one_is_not(cell, kind):
    e = Experiment(cell=cell, hidden_size=8, steps=40, loss="every", batch_size=2, keep_bias=2.0)
    schedule = Schedule(kind, 2, 6) if kind == "windows" else Schedule(kind, 6, 6)
    needed = window_for(e, schedule=schedule, error=0.05)
    left = departure(e, schedule=schedule.of_length(needed)).relative_error
    assert left <= 0.05
    assert window_for(e, schedule=schedule, error=left) == needed, "at most the error, which includes it"
    assert needed == 1 or departure(e, schedule=schedule.of_length(needed - 1)).relative_error > 0.05


def test_a_network_that_forgets_at_once_needs_one_step_and_one_without_gradient_has_no_window():
    e = Experiment(cell="rnn", hidden_size=4, steps=20, loss="every", gain=0.0)
    assert window_for(e, schedule=Schedule("windows", 1, 2)) == 1
    assert window_for(e.replace(inputs="zero"), schedule=Schedule("windows", 1, 2)) == 1, "∂L/∂W is then exactly 0"
    silent = e.replace(objective="cross_entropy", output_size=1)
    assert window_for(silent, schedule=Schedule("windows", 1, 2)) is None


def test_no_window_is_enough_for_a_gradient_of_which_a_part_is_not_finite():
    """Two linear units that know nothing of each other: one grows beyond the range, the other does not."""
    one, none = np.ones((2, 1)), np.zeros(2)
    stack = Stack("rnn_linear", (Layer(one, np.diag([1e200, 0.5]), none, none),))
    inputs, cotangents = np.zeros((6, 1, 1)), np.zeros((6, 1, 2))
    cotangents[-1] = 1
    (layer,) = gradient(stack, inputs, cotangents)
    assert np.isfinite(layer.b_W).tolist() == [False, True]
    assert window_for(stack, inputs, cotangents, schedule=Schedule("windows", 1, 2)) is None


def test_a_schedule_of_another_length_keeps_its_kind_and_ratio():
    assert Schedule("windows", 5, 20).of_length(8) == ("windows", 2, 8)
    assert Schedule("windows", 5, 20).of_length(1) == ("windows", 1, 1)
    assert Schedule("full").of_length(10) == ("windows", 5, 10)
    assert Schedule("chunks", 7, 7).of_length(3) == ("chunks", 3, 3)
