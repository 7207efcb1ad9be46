"""A run in a file: resumed it is what it would have been, and nothing but such a file is accepted."""

import json

import pytest
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from gradlab.settings.experiment import Experiment
from gradlab.settings.tasks import characters
from gradlab.training import OPTIMIZERS, Recipe, Run
from gradlab.training.checkpoints import load, save

NOT_A_NUMBER = torch.full((1,), torch.nan, dtype=torch.float64)


def run_of(task="adding", cell="gru", optimizer="adam", **settings):
    recipe = Recipe(updates=8, optimizer=optimizer, learning_rate=0.01)
    return Run(Experiment(cell=cell, hidden_size=4, steps=12, batch_size=2, **settings), task, recipe)


def state(run):
    return run.network.state_dict()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_resumed_run_equals_one_that_was_not_stopped_to_the_bit(optimizer):
    whole = run_of(optimizer=optimizer)
    straight = [record.loss for record in whole.records()]
    stopped = run_of(optimizer=optimizer)
    losses = [stopped.update().loss for _ in range(3)]
    resumed = load(save(stopped))
    losses += [record.loss for record in resumed.records()]
    assert losses == straight
    assert all(torch.equal(value, state(resumed)[name]) for name, value in state(whole).items())


def test_a_run_that_has_not_begun_can_be_kept_too():
    assert [r.loss for r in load(save(run_of())).records()] == [r.loss for r in run_of().records()]


def test_the_experiment_the_task_and_its_text_are_in_the_metadata():
    run = run_of(characters("아버지가 방에"), cell="lstm", dtype="float32", depth=2)
    run.update()
    read = load(save(run))
    assert read.experiment == run.experiment
    assert read.task.symbols == run.task.symbols
    assert (read.recipe, read.done) == (run.recipe, 1)
    assert read.network.recurrent.stack.dtype == "float32"


def changed(data, tensors=None, **metadata):
    size = int.from_bytes(data[:8], "little")
    about = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["gradlab"]) | metadata
    return save_tensors(load_tensors(data) | (tensors or {}), {"gradlab": json.dumps(about)})


@pytest.mark.parametrize("done", [0, 3])
def test_an_optimizer_with_other_things_to_keep_needs_no_list_of_them(monkeypatch, done):
    monkeypatch.setitem(OPTIMIZERS, "adagrad", torch.optim.Adagrad)  # it has a state before its first step
    whole, stopped = run_of(optimizer="adagrad"), run_of(optimizer="adagrad")
    straight = [record.loss for record in whole.records()]
    losses = [record.loss for record in stopped.advance(done)]
    assert losses + [record.loss for record in load(save(stopped)).records()] == straight


@pytest.fixture(scope="module")
def kept():
    run = run_of()
    run.update()
    return save(run)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda data: b"", "not a safetensors file"),
        (lambda data: b"\xff" * 100, "not a safetensors file"),
        (lambda data: data[:-9], "cannot be read"),
        (lambda data: (2**40).to_bytes(8, "little") + data[8:], "header does not fit"),
        (lambda data: b"PK\x03\x04" + bytes(60), "not a safetensors file"),
        (lambda data: save_tensors({"a": torch.zeros(2)}), "metadata has no run"),
        (lambda data: changed(data, format="other"), "format is not"),
        (lambda data: changed(data, task="../../etc"), "not known"),
        (lambda data: changed(data, updates_done=10**9), "cannot be"),
        (lambda data: changed(data, updates_done="x"), "settings cannot be used"),
        (lambda data: changed(data, recipe={"updates": 8, "optimizer": "evil"}), "settings cannot be used"),
        (lambda data: changed(data, experiment={"cell": "evil"}), "settings cannot be used"),
        (
            lambda data: changed(data, {"network.readout.bias": torch.full((1,), float("nan"), dtype=torch.float64)}),
            "not finite",
        ),
        (lambda data: changed(data, {"network.readout.bias": torch.zeros(5, dtype=torch.float64)}), "is needed"),
        (lambda data: changed(data, {"optimizer.99.step": torch.tensor(1.0)}), "belongs to nothing"),
        (lambda data: changed(data, {"evil": torch.zeros(1)}), "'evil', which belongs to nothing"),
        (lambda data: changed(data, {"optimizer.x.step": torch.zeros(1)}), "'optimizer.x.step', which belongs to"),
        (lambda data: changed(data, {"optimizer.٣.step": torch.zeros(1)}), "which belongs to nothing"),
        (lambda data: changed(data, {"optimizer.00001.step": torch.zeros(1)}), "which belongs to nothing"),
        (lambda data: changed(data, {"optimizer.0.zeal": torch.zeros(1)}), "which belongs to nothing"),
    ],
)
def test_what_is_not_a_sound_checkpoint_is_refused_with_a_sentence(kept, spoil, words):
    with pytest.raises(ValueError, match=words):
        load(spoil(kept))


def test_a_checkpoint_whose_optimizer_state_is_missing_is_refused(kept):
    size = int.from_bytes(kept[:8], "little")
    about = json.loads(kept[8 : 8 + size])["__metadata__"]
    only = {name: value for name, value in load_tensors(kept).items() if name.startswith("network.")}
    with pytest.raises(ValueError, match="optimizer's state 0 is nothing"):
        load(save_tensors(only, about))
