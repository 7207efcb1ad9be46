"""Training against torch's own loop, and the laws that every run keeps."""

from dataclasses import asdict
from inspect import signature

import numpy as np
import pytest
import torch

from gradlab.cells import CELLS
from gradlab.settings.catalogue import bounds
from gradlab.settings.experiment import Experiment
from gradlab.settings.inputs import default_text
from gradlab.settings.tasks import TASKS, characters
from gradlab.training import OPTIMIZERS, Recipe, Run, train
from gradlab.training.recipe import BOUNDS, CAN_BE_NONE, WHOLE, norm_of
from gradlab.training.run import one_thread
from tests.training.loops import MODULES, copied, gradients_held, loss_of

UPDATES = 20
SMALL = {"hidden_size": 6, "steps": 12, "batch_size": 4, "seed": 3}


def small(**settings):
    return Experiment(**SMALL | settings)


def weights(run):
    return torch.cat([parameter.detach().flatten() for parameter in run.parameters])


def compare(run, optimizer, clip=None):
    """Runs both loops side by side; every loss and at the end every weight must be the same."""
    module, readout = copied(run)
    parameters = [*module.parameters(), *readout.parameters()]
    stepper = optimizer(parameters)
    for update in range(UPDATES):
        record = run.update()
        stepper.zero_grad()
        loss = loss_of(run, module, readout, update)
        loss.backward()
        gradients_held(run, module)
        norm = torch.nn.utils.get_total_norm([parameter.grad for parameter in parameters])
        if clip:
            clip(parameters)
        stepper.step()
        assert record.loss == pytest.approx(float(loss.detach()), rel=1e-6)
        assert record.gradient_norm == pytest.approx(float(norm), rel=1e-6)
    theirs = torch.cat([parameter.detach().flatten() for parameter in parameters])
    torch.testing.assert_close(weights(run), theirs, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("cell", CELLS)
def test_twenty_updates_equal_torchs_own_loop(cell):
    experiment = small(cell=cell, depth=2, steps=12 if cell in MODULES else 5)  # loops over steps are slow
    run = Run(experiment, "adding", Recipe(updates=UPDATES, learning_rate=0.01, clip_norm=None))
    compare(run, lambda parameters: torch.optim.Adam(parameters, lr=0.01))


THEIRS = {
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01),
    "sgd": lambda p: torch.optim.SGD(p, lr=0.01),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9),
}


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_and_clipping_by_norm_equal_torchs(optimizer):
    recipe = Recipe(updates=UPDATES, optimizer=optimizer, learning_rate=0.01, clip_norm=0.3)
    run = Run(small(cell="gru"), "delayed_recall", recipe)
    compare(run, THEIRS[optimizer], lambda parameters: torch.nn.utils.clip_grad_norm_(parameters, 0.3))


def test_clipping_by_value_equals_torchs():
    run = Run(
        small(cell="lstm"), "parity", Recipe(updates=UPDATES, learning_rate=0.01, clip_norm=None, clip_value=0.01)
    )
    compare(run, THEIRS["adam"], lambda parameters: torch.nn.utils.clip_grad_value_(parameters, 0.01))


def test_clipping_by_norm_and_then_by_value_equals_torchs():
    recipe = Recipe(updates=UPDATES, learning_rate=0.01, clip_norm=0.3, clip_value=0.01)

    def both(parameters):
        torch.nn.utils.clip_grad_norm_(parameters, 0.3)
        torch.nn.utils.clip_grad_value_(parameters, 0.01)

    compare(Run(small(cell="gru"), "delayed_recall", recipe), THEIRS["adam"], both)


@pytest.mark.parametrize("task", TASKS)
def test_every_task_trains_as_torchs_own_loop_does(task):
    run = Run(small(cell="rnn", steps=24), task, Recipe(updates=UPDATES, learning_rate=0.01, clip_norm=None))
    compare(run, THEIRS["adam"])


def test_the_norm_is_recorded_before_and_after_clipping():
    records = list(train(small(), "temporal_order", updates=8, clip_norm=0.05))
    for record in records:
        assert record.gradient_norm > 0.05
        assert record.clipped_norm == pytest.approx(0.05, rel=1e-4)
    unclipped = list(train(small(), "temporal_order", updates=8, clip_norm=None))
    assert all(record.clipped_norm == record.gradient_norm for record in unclipped)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_the_same_arguments_give_the_same_records_to_the_bit_and_another_seed_others(cell):
    def losses(**settings):
        return [record.loss for record in train(small(cell=cell, **settings), "adding", updates=5)]

    assert losses() == losses()
    assert losses() != losses(seed=4)


def test_training_neither_reads_nor_moves_the_global_random_states():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    legacy = np.random.get_state()[1].copy()
    first = [record.loss for record in train(small(), "text", updates=3, trace_every=1, gradient_noise=0.1)]
    assert torch.equal(before, torch.get_rng_state())
    assert (legacy == np.random.get_state()[1]).all()
    torch.manual_seed(2)
    assert [record.loss for record in train(small(), "text", updates=3, trace_every=1, gradient_noise=0.1)] == first


def test_torchs_number_of_threads_changes_no_bit():
    """Sums over more threads are rounded otherwise: torch's own loop with one and with two differs here."""
    text = characters("한 번 더, one more time! " * 3)

    def records():
        return list(
            Run(Experiment(cell="lstm", hidden_size=6, steps=128, batch_size=32), text, Recipe(updates=3)).records()
        )

    before = torch.get_num_threads()
    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        found.append([(record.loss, record.gradient_norm) for record in records()])
        assert torch.get_num_threads() == threads, "it is left as it was"
    torch.set_num_threads(before)
    assert found[0] == found[1]


def test_what_was_measured_is_the_record_of_the_update_that_follows_and_measured_once():
    run, other = (Run(small(), "adding", Recipe(updates=4, trace_every=3)) for _ in range(2))
    measured = run.measured()
    assert run.measured() is measured
    assert run.done == 0
    assert run.update() == measured, "the trace too, which is made once"
    assert [record.loss for record in run.records()] == [record.loss for record in other.records()][1:]


def test_a_run_that_goes_on_has_a_trace_at_once():
    run = Run(small(), "adding", Recipe(updates=9, trace_every=4)).after(3)
    assert run.done == 3
    assert [record.update for record in run.records() if record.trace] == [3, 4, 8]


@pytest.mark.parametrize("size", [1e-30, 1e-21, 1.0, 1e21, 1e30])
def test_norms_of_float32_gradients_are_measured_at_any_size(size):
    gradients = np.random.default_rng(0).standard_normal((2, 40)).astype(np.float32)
    parameters = [torch.nn.Parameter(torch.zeros(40)) for _ in range(2)]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = torch.from_numpy(gradient * np.float32(size))
    assert norm_of(parameters) == pytest.approx(size * float(np.linalg.norm(gradients.astype(float))), rel=1e-6)


@pytest.mark.parametrize("size", [0.0, 1e-300, 1e-160, 1e-99, 1e99, 1e160, 1e300, np.inf])
def test_norms_of_float64_gradients_are_measured_at_any_size(size):
    parameters = [torch.nn.Parameter(torch.zeros(2, dtype=torch.float64)) for _ in range(3)]
    for number, parameter in enumerate(parameters):
        parameter.grad = torch.tensor([size * (2 + number), 0.0 if number else -size * 4.0], dtype=torch.float64)
    expected = size * np.sqrt(4 + 16 + 9 + 16) if size else 0.0
    assert norm_of(parameters) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", BOUNDS)
def test_a_recipe_takes_a_number_up_to_its_bounds_and_none_beyond_them(name):
    low, high = BOUNDS[name]
    assert [getattr(Recipe(**{name: end}), name) for end in (low, high)] == [low, high]
    for beyond in (low - 1, np.nextafter(low, -1), np.nextafter(high, np.inf), high + 1, -1, True, "1", 10**400):
        with pytest.raises(ValueError, match=f"{name} = .* is not allowed: use a ") as refused:
            Recipe(**{name: beyond})
        kind, none = "whole number" if name in WHOLE else "number", ", or None" if name in CAN_BE_NONE else ""
        assert str(refused.value).endswith(f": use a {kind} from {low:g} to {high:g}{none}")
    assert low >= (1 if name in WHOLE else 0)
    for value, is_allowed in ((None, name in CAN_BE_NONE), (2.5, name not in WHOLE)):
        if is_allowed:
            assert getattr(Recipe(**{name: value}), name) == value
        else:
            with pytest.raises(ValueError, match=f"{name} = {value} is not allowed"):
                Recipe(**{name: value})


def test_as_many_sequences_may_be_probed_as_a_batch_may_have():
    assert BOUNDS["probe_sequences"] == bounds("batch_size")


def test_cells_of_one_seed_see_the_same_batches():
    runs = [Run(small(cell=cell, steps=30), "copy_memory") for cell in ("rnn", "lstm")]
    for update in (0, 1, 7):
        first, second = (run.batch(update) for run in runs)
        assert (first.inputs == second.inputs).all()
    assert (runs[0].batch(0).inputs != runs[0].batch(1).inputs).any()


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_measuring_does_not_change_the_training(cell):
    runs = [Run(small(cell=cell), "adding", Recipe(updates=6, trace_every=every)) for every in (None, 1)]
    records = [list(run.records()) for run in runs]
    assert torch.equal(weights(runs[0]), weights(runs[1]))
    assert [record.loss for record in records[0]] == [record.loss for record in records[1]]
    assert all(record.trace is not None for record in records[1])


def test_a_trace_is_the_gradient_of_each_probe_sequences_own_loss():
    run = Run(small(cell="lstm"), "sine_continuation", Recipe(probe_sequences=3))
    found = run.trace()
    batch = run.probe_batch()
    for sequence in range(3):
        x = torch.from_numpy(batch.inputs[:, [sequence]])
        module, readout = copied(run)
        entered = float(top_entering(run, batch, sequence))
        assert 10 ** found.log10_norm("h")[0, 0, sequence] == pytest.approx(
            at_first_step(module, readout, x, batch, sequence), rel=1e-9
        )
        assert 10 ** found.log10_cotangent[sequence] == pytest.approx(entered, rel=1e-9)


def at_first_step(module, readout, x, batch, sequence):
    """‖∂L/∂h_0‖: the state after step 0 is made a leaf, and the rest is run from it."""
    with torch.no_grad():
        _, state = module(x[:1])
    state = tuple(part.clone().requires_grad_() for part in state)
    h, _ = module(x[1:], state)
    scored = torch.from_numpy(batch.scored)[1:]
    wanted = torch.from_numpy(batch.targets[1:][batch.scored[1:]][:, [sequence]])
    loss = ((readout(h)[scored] - wanted) ** 2).mean()
    return float(torch.autograd.grad(loss, state[0])[0][0].norm())


def top_entering(run, batch, sequence):
    """The root of Σ ‖∂L/∂o_t V‖²: what the loss alone puts into the top layer."""
    x = torch.from_numpy(batch.inputs[:, [sequence]])
    with torch.no_grad():
        h, _ = run.network.recurrent(x)
        scores = run.network.readout(h)
        wanted = torch.from_numpy(batch.targets[:, [sequence]])
        bar = 2 * (scores - wanted) / int(batch.scored.sum()) * torch.from_numpy(batch.scored)[:, None, None]
        return (bar @ run.network.readout.weight).norm()


def test_truncated_to_chunks_the_gradient_is_that_of_a_loop_that_detaches():
    experiment = small(cell="lstm", truncation="chunks", k2=5)
    run = Run(experiment, "parity", Recipe(updates=UPDATES, learning_rate=0.01, clip_norm=None))
    module, readout = copied(run)
    stepper = torch.optim.Adam([*module.parameters(), *readout.parameters()], lr=0.01)
    for update in range(UPDATES):
        record, batch = run.update(), run.batch(update)
        stepper.zero_grad()
        state, total = None, 0.0
        for first in range(0, 12, 5):
            steps = slice(first, first + 5)
            h, state = module(torch.from_numpy(batch.inputs[steps]), state)
            state = tuple(part.detach() for part in state)
            targets = torch.from_numpy(batch.targets[steps]).flatten()
            total = total + torch.nn.functional.cross_entropy(readout(h).flatten(0, 1), targets, reduction="sum") / 48
        total.backward()
        stepper.step()
        assert record.loss == pytest.approx(float(total.detach()), rel=1e-6)
    theirs = torch.cat([p.detach().flatten() for p in [*module.parameters(), *readout.parameters()]])
    torch.testing.assert_close(weights(run), theirs, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("task", ["parity", "sine_continuation", "adding"])
@pytest.mark.parametrize(("k1", "k2"), [(1, 1), (3, 5), (5, 7), (2, 12)])
def test_in_windows_the_losses_of_the_last_k1_steps_go_back_over_k2(task, k1, k2):
    run = Run(small(cell="lstm", depth=2, truncation="windows", k1=k1, k2=k2), task, Recipe(clip_norm=None))
    module, readout = copied(run)
    batch = run.batch(0)
    inputs, scored = torch.from_numpy(np.array(batch.inputs)), torch.from_numpy(batch.scored)
    every = readout(module(inputs)[0]).detach()
    count, total = int(scored.sum()) * 4, 0.0
    for begin in range(0, 12, k1):
        end = min(begin + k1, 12)
        first = max(end - k2, 0)
        state = tuple(part.detach() for part in module(inputs[:first])[1]) if first else None
        scores = readout(module(inputs[first:end], state)[0])[begin - first :]
        at = scored[begin:end]
        wanted = torch.from_numpy(np.array(batch.targets[begin:end]))[at]
        if run.task.objective == "squared_error":
            loss = ((scores[at] - wanted) ** 2).sum() / count
        else:
            loss = (
                torch.nn.functional.cross_entropy(scores[at].flatten(0, 1), wanted.flatten(), reduction="sum") / count
            )
        total += float(loss.detach())
        loss.backward()
    record = run.measured()
    assert record.loss == pytest.approx(total, rel=1e-9)
    for ours, theirs in zip(run.parameters, [*module.parameters(), *readout.parameters()], strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-7, atol=1e-12)
    right = batch.targets[batch.scored]
    if run.task.objective == "cross_entropy":
        assert record.metric == (every[scored].argmax(dim=-1).numpy() == right).mean()
    else:
        assert record.metric == (np.abs(every[scored].numpy() - right) < run.task.tolerance).mean()


def test_windows_as_long_as_the_sequence_are_full_back_propagation_and_short_ones_are_not():
    def after(**truncation):
        run = Run(small(cell="gru", **truncation), "parity", Recipe(updates=4))
        list(run.records())
        return weights(run)

    full = after()
    torch.testing.assert_close(after(truncation="windows", k1=3, k2=12), full, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(
        after(truncation="windows", k1=4, k2=4), after(truncation="chunks", k2=4), rtol=1e-9, atol=1e-12
    )
    assert (after(truncation="chunks", k2=4) - full).abs().max() > 1e-6


def test_rows_that_a_cell_does_not_read_stay_zero_under_noise_and_every_optimizer():
    for cell in ("lstm_peephole", "min_gru"):
        run = Run(small(cell=cell), "adding", Recipe(updates=3, optimizer="adamw", gradient_noise=0.1))
        list(run.records())
        before = Run(small(cell=cell), "adding").network.recurrent.stack
        after = run.network.recurrent.stack
        for old, new in zip(before.layers[0], after.layers[0], strict=True):
            assert (old == 0).sum() == (new == 0).sum()
            assert (old != new).any() or not old.any()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"updates": 0}, "updates = 0"),
        ({"learning_rate": float("nan")}, "learning_rate = nan"),
        ({"optimizer": "newton"}, "use one of adam"),
        ({"clip_norm": -1.0}, "clip_norm = -1.0"),
        ({"trace_every": 2.5}, "trace_every = 2.5"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_a_bad_setting_is_named_with_its_value_and_what_is_allowed(settings, words):
    with pytest.raises(ValueError, match=words):
        Recipe(**settings)


def test_the_task_of_text_reads_the_experiments_text_and_no_other_task_does():
    own = small(text="abab")
    assert (Run(own, "text").task.text, Run(own, "text").experiment.text) == ("abab", "abab")
    assert Run(small(), "text").task is TASKS["text"]
    assert Run(own, "adding").task is TASKS["adding"]
    given = characters("abc")
    assert Run(own, given).task is given
    default = small(text=default_text())
    assert [Run(e, "text").experiment.text for e in (small(), default)] == [None, None], "a link need not hold it"


@pytest.mark.parametrize("symbols", [512, 513])
def test_a_text_too_long_to_be_a_setting_is_trained_on_if_a_setting_can_name_its_characters(symbols):
    task = characters("".join(map(chr, range(0xAC00, 0xAC00 + symbols))) * 11)
    assert len(task.text) > bounds("text")[1]
    if symbols > bounds("input_size")[1]:
        with pytest.raises(ValueError, match="text = "):
            Run(small(), task)
    else:
        run = Run(small(), task)
        e, layer = run.experiment, run.network.recurrent.stack.layers[0]
        assert (e.text, e.input_size, e.output_size, layer.W.shape[1]) == (None, symbols, symbols, symbols)
        assert run.update().loss == pytest.approx(np.log(symbols), abs=1), "as of a guess among all"


def test_one_thread_is_one_and_then_as_many_as_before():
    before = torch.get_num_threads()
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_a_task_that_does_not_exist_or_fit_is_named():
    with pytest.raises(ValueError, match="'sorting' is not allowed: use one of adding"):
        train(small(), "sorting")
    with pytest.raises(ValueError, match="steps = 12 is too short for Copy memory: use 21 or more"):
        train(small(), "copy_memory")


@pytest.mark.parametrize(("option", "meant"), [("lr", "learning_rate"), ("learning_rates", "learning_rate")])
def test_an_unknown_option_is_refused_with_the_one_that_was_meant(option, meant):
    with pytest.raises(TypeError, match=f"train has no option '{option}': did you mean {meant}?"):
        train(small(), "adding", **{option: 0.1})
    with pytest.raises(TypeError, match="train has no option 'zeal': use updates, optimizer, learning_rate"):
        train(small(), "adding", zeal=1)


def test_the_options_of_train_are_the_fields_of_a_recipe_with_their_defaults():
    options = {
        name: option for name, option in signature(train).parameters.items() if option.kind is option.KEYWORD_ONLY
    }
    assert {name: option.default for name, option in options.items()} == asdict(Recipe())


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_run_restored_from_a_state_continues_as_the_one_that_never_stopped(optimizer):
    def begun(done=0):
        run = Run(small(cell="gru"), "adding", Recipe(updates=UPDATES, optimizer=optimizer, trace_every=6))
        run.advance(done)
        return run

    stopped, states = begun(), []
    for done in (0, 7, 12):
        stopped.advance(done - stopped.done)
        stopped.measured()  # which is no part of the state, but for the trace that the first record has
        states.append(stopped.state)
    whole = stopped.advance(UPDATES)
    for state in states:
        run = begun(3)
        run.restore(state)
        records = run.advance(UPDATES)
        shared = min(len(records), len(whole))
        assert [r._replace(trace=None) for r in records[-shared:]] == [r._replace(trace=None) for r in whole[-shared:]]
        assert [r.update for r in records if r.trace] == [n for n in (0, 6, 12, 18, 19) if n >= state.done]
        assert torch.equal(weights(run), weights(stopped))


@pytest.mark.parametrize("is_measured", [False, True])
def test_a_state_says_whether_the_next_record_has_a_trace_whatever_the_recipe(is_measured):
    run, other = (Run(small(), "adding", Recipe(updates=UPDATES, trace_every=20)) for _ in range(2))
    run.after(5)
    if is_measured:
        run.measured()
    for _ in range(2):
        other.restore(run.state)
        assert (other.update().trace is None) == (run.update().trace is None) == (run.done > 6)
