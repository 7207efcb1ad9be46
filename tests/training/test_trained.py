"""A trained run as a subject: its own weights, readout and batches in every analysis."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import gradlab
from gradlab.analyses import paths
from gradlab.analyses.itemised import itemised
from gradlab.analyses.truncation import Schedule, bias
from gradlab.settings.drawing import inputs_of, loss_steps_of, streams
from gradlab.settings.experiment import Experiment
from gradlab.settings.links import from_query, to_query
from gradlab.settings.tasks import TASKS, characters
from gradlab.settings.trained import Weights
from gradlab.training import Recipe, Run
from gradlab.words.subjects import settings_line
from tests.training.loops import copied


def trained(task="adding", updates=3, **settings):
    sizes = {"cell": "gru", "hidden_size": 5, "steps": 24, "batch_size": 3} | settings
    run = Run(Experiment(**sizes), task, Recipe(updates=updates))
    list(run.records())
    return run


def by_autograd(run, experiment):
    """∂L/∂h_t of the top layer by the loss alone, a sum over steps and sequences, from the task's own batch."""
    batch = run.task.draw(experiment.steps, experiment.batch_size, streams(experiment.seed).inputs)
    module, readout = copied(run)
    inputs = torch.from_numpy(np.array(batch.inputs))
    h = module(inputs)[0].detach().requires_grad_()
    at = loss_steps_of(experiment)
    scores, targets = readout(h)[at], torch.from_numpy(np.array(batch.targets))[at]
    if run.task.objective == "squared_error":
        loss = ((scores - targets) ** 2).sum() / 2
    else:
        loss = torch.nn.functional.cross_entropy(scores.flatten(0, 1), targets.flatten(), reduction="sum")
    return inputs, torch.autograd.grad(loss, h)[0]


@pytest.mark.parametrize("task", [name for name in TASKS if TASKS[name].text is None])
@pytest.mark.parametrize("changes", [{}, {"steps": 30, "batch_size": 2, "seed": 7}], ids=["as trained", "changed"])
def test_its_trace_is_that_of_the_runs_stack_on_the_tasks_batch_and_loss(task, changes):
    run = trained(task, cell="lstm", depth=2)
    one = run.trained.replace(**changes)
    inputs, cotangents = by_autograd(run, one.settings)
    expected = gradlab.trace(run.network.recurrent.stack, inputs, cotangents)
    found = gradlab.trace(one)
    np.testing.assert_array_equal(inputs_of(one), inputs)
    np.testing.assert_allclose(found.log10_norms, expected.log10_norms, atol=1e-9)
    assert not np.allclose(found.log10_norms, gradlab.trace(one.settings).log10_norms, atol=1e-3)


TOO_LONG_TO_SET = characters("아버지가 방에 들어가신다. " * 500)


@pytest.mark.parametrize("task", ["hello", TOO_LONG_TO_SET], ids=["hello", "too long to set"])
def test_a_model_of_characters_reads_its_own_text(task):
    one = trained(task).trained
    read = inputs_of(one)
    assert read.shape[2] == len(one.weights.task.symbols)
    assert (read.sum(axis=2) == 1).all()
    assert np.isfinite(gradlab.trace(one).log10_norms).all()


def test_every_analysis_takes_it_and_the_engine_agrees_with_autograd():
    one = trained(updates=5).trained
    assert gradlab.check(one).passed
    every = one.replace(loss="every")
    total = paths.decompose(every).query("path == 'total'")["log10_norm"].to_numpy()
    np.testing.assert_allclose(gradlab.trace(every).table["log10_norm"], total, atol=1e-9)
    assert itemised(every)["loss_step"].nunique() == every.settings.steps
    assert bias(every, schedules=[Schedule("windows", 4, 8)])["cosine"].notna().all()
    assert paths.microscope(one).values["h"].shape == (one.settings.steps, one.settings.hidden_size)
    assert len(paths.diagram(one.replace(loss="one_to_one", objective="direction").shortened(5), most=5).edges)


def test_a_copy_task_shorter_than_it_can_be_gives_its_first_steps():
    short = trained("copy_memory").trained.replace(steps=5)
    assert inputs_of(short).shape == (5, 3, 10)
    assert np.isfinite(gradlab.trace(short).log10_norm("h")).all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"hidden_size": 6}, "hidden_size = 6 does not fit the trained weights: they need 5"),
        ({"cell": "lstm"}, "cell = 'lstm' does not fit"),
        ({"inputs": "text"}, "inputs = 'text' does not fit"),
        ({"objective": "cross_entropy"}, "they need 'squared_error'"),
    ],
)
def test_settings_that_the_weights_decide_are_refused_in_words(changes, words):
    with pytest.raises(ValueError, match=words):
        trained().trained.replace(**changes)


def test_it_is_a_key_by_what_was_learned():
    run, again = trained(updates=2), trained(updates=2)
    assert run.trained == again.trained
    assert hash(run.trained) == hash(again.trained)
    assert run.trained.key == again.trained.key
    other = trained(updates=3).trained
    assert run.trained != other
    assert run.trained.key != other.key
    assert run.trained.settings == run.experiment


def test_a_link_has_the_settings_and_not_the_weights():
    run = trained()
    assert from_query(to_query(run.trained.settings)) == run.experiment


def test_later_updates_leave_what_was_taken_alone():
    run = Run(Experiment(cell="gru", hidden_size=5, steps=10, batch_size=2), "adding", Recipe(updates=2))
    run.update()
    before = run.trained
    weights = before.weights.layers[0].U.copy()
    run.update()
    np.testing.assert_array_equal(before.weights.layers[0].U, weights)
    assert before != run.trained


def test_runs_of_the_same_task_and_updates_with_other_weights_have_other_fingerprints():
    first, same, other = (trained(seed=seed).trained for seed in (0, 0, 1))
    assert first.weights == same.weights
    assert first.weights != other.weights
    layers, readout = first.weights.layers, first.weights.readout
    moved = [array.copy() for array in layers[0]]
    moved[1][0, 0] += 1e-9
    run = first.weights
    changed = Weights.of(run.experiment, run.task, run.updates, (tuple(moved),), readout)
    assert changed.fingerprint != run.fingerprint
    lifted = Weights.of(run.experiment, run.task, run.updates, layers, readout._replace(b_V=readout.b_V + 1e-9))
    assert lifted.fingerprint != run.fingerprint


def test_untrained_models_of_texts_too_long_to_be_settings_have_other_keys():
    first, other = (
        Run(Experiment(hidden_size=3, steps=12), characters(text * 3000)).trained for text in ("abc", "acb")
    )
    assert first.settings == other.settings
    assert first.key != other.key


def test_a_program_takes_the_weights_it_was_written_for_and_refuses_others_of_that_name():
    one = trained(updates=2).trained
    assert one.expected(one.weights.fingerprint) is one
    with pytest.raises(ValueError, match=r"gradlab-adding-gru-2\.safetensors holds another run of this task"):
        one.expected(trained(updates=2, seed=1).trained.weights.fingerprint)
    assert one.record() == one.settings.record() | {"weights": one.weights.fingerprint}


def test_a_task_with_a_length_of_its_own_is_analysed_at_it_and_a_text_at_any():
    task = replace(TASKS["parity"], name="seven bits", own_steps=7)
    bits = trained(task).trained
    assert bits.settings.steps == 7
    with pytest.raises(ValueError, match="steps = 9 does not fit the trained weights: they need 7"):
        bits.replace(steps=9)
    hello = trained("hello").trained
    assert inputs_of(hello.replace(steps=9)).shape == (9, 3, 4)


@pytest.mark.parametrize(
    ("task", "updates", "said"),
    [
        ("hello", 3, "trained on “hello” for 3 updates"),
        ("hello", 1, "trained on “hello” for 1 update"),
        ("adding", 0, "trained on “Adding problem” for 0 updates"),
    ],
)
def test_weights_say_on_what_they_were_trained_and_for_how_long_and_so_do_pictures(task, updates, said):
    run = Run(Experiment(cell="gru", hidden_size=3, steps=24, batch_size=2), task, Recipe(updates=9))
    for _ in range(updates):
        run.update()
    assert run.trained.origin == said
    assert settings_line([run.trained]).replace("\u00a0", " ").startswith(f"GRU ({said}")
