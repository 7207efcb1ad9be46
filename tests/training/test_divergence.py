"""A run that leaves the floating-point range stops there, says where, and keeps what came before."""

import json
import math

import pytest
import torch

from gradlab.engine import Sweep
from gradlab.settings.experiment import Experiment
from gradlab.training import Diverged, Recipe, Run
from gradlab.training.checkpoints import load, save
from gradlab.training.divergence import PLACES
from gradlab.training.network import Overflow, _refuse_overflow


def test_a_forward_overflow_names_update_layer_and_step_and_makes_no_update():
    deep = Experiment(cell="rnn_relu", depth=2, hidden_size=4, steps=400, batch_size=2)
    run = Run(deep.replace(initialization="identity", gain=10.0), "adding")
    record = run.update()
    assert record.diverged is not None
    assert not math.isfinite(record.loss)
    with torch.no_grad():
        sweep = Sweep(run.network.recurrent.stack, run.batch(0).inputs)
        sweep.forward()
        states = torch.from_numpy(sweep.values()[0])  # [L, T, B, S, H]
    first = torch.nonzero(~torch.isfinite(states).all(dim=(2, 3, 4)).T)[0].tolist()  # (step, layer)
    assert [record.diverged.step, record.diverged.layer] == first
    assert "diverged at update 0" in record.diverged.sentence
    assert list(run.records()) == []
    assert run.done == 0


def test_an_optimizers_step_that_overflows_ends_the_run_and_keeps_the_records():
    recipe = Recipe(updates=20, optimizer="sgd", learning_rate=10.0, clip_norm=None)
    experiment = Experiment(cell="rnn_linear", hidden_size=4, steps=12, batch_size=2, dtype="float32", gain=2.0)
    run = Run(experiment, "adding", recipe)
    records = list(run.records())
    assert len(records) < 20
    assert all(record.diverged is None for record in records[:-1])
    assert all(math.isfinite(record.loss) for record in records[:-1])
    last = records[-1].diverged
    assert last is not None
    assert last.update == len(records) - 1 == records[-1].update
    assert last.step is None or 0 <= last.step < 12


def test_a_gradient_that_overflows_while_the_loss_does_not_names_the_step():
    """A linear RNN that begins at zero and sees nothing keeps its loss, and its gradient grows without bound."""
    experiment = Experiment(cell="rnn_linear", hidden_size=4, steps=200, batch_size=2, dtype="float32")
    run = Run(experiment.replace(initialization="identity", gain=3.0), "adding", Recipe(clip_norm=None))
    with torch.no_grad():
        layer = run.network.recurrent.layers[0]
        for part in (layer.W, layer.b_W, layer.b_U):
            part.zero_()
    record = run.update()
    assert math.isfinite(record.loss)
    assert record.diverged is not None
    assert record.diverged.where == "gradient"
    V, b_V = (parameter.detach().double() for parameter in run.network.readout.parameters())
    wrong = b_V - torch.from_numpy(run.batch(0).targets[-1].copy())  # h = 0, and the loss is a mean over two sequences
    cotangent = math.log10(float((2 * wrong / 2).abs().max() * V.norm()))
    limit = math.log10(torch.finfo(torch.float32).max)
    assert record.diverged.step == 199 - (math.floor((limit - cotangent) / math.log10(3)) + 1)
    assert record.diverged.layer == 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_run_that_explodes_through_its_readout_ends_with_a_record(dtype):
    experiment = Experiment(cell="rnn", hidden_size=4, steps=12, batch_size=2, dtype=dtype)
    recipe = Recipe(updates=200, optimizer="sgd", learning_rate=100.0, clip_norm=None)
    run = Run(experiment, "adding", recipe)
    records = list(run.records())
    assert len(records) < 200
    assert records[-1].diverged == (len(records) - 1, 1, 11, "readout")
    assert all(record.diverged is None and math.isfinite(record.loss) for record in records[:-1])
    assert run.finished


def test_a_finite_loss_whose_gradient_overflows_in_the_readout_names_the_step():
    run = Run(Experiment(cell="rnn", hidden_size=4, steps=12, batch_size=2), "sine_continuation")
    with torch.no_grad():
        for parameter in run.network.recurrent.layers[0]:
            parameter.zero_()  # h = 0: the scores are the bias
        run.network.readout.weight[:], run.network.readout.bias[:] = 1e200, 1e150
    record = run.update()
    assert record.loss == pytest.approx(1e300)
    assert record.diverged == (0, 1, 11, "readout's gradient")
    assert "what the readout passes down overflows at step 11" in record.diverged.sentence


def test_the_latest_step_at_which_any_number_passed_down_is_not_finite_is_named():
    passed = torch.zeros(4, 2, 3)
    _refuse_overflow(5, passed)
    for place, value, step in (((0, 1, 2), torch.inf, 5), ((2, 0, 1), torch.nan, 7), ((1, 1, 0), -torch.inf, 7)):
        passed[place] = value
        with pytest.raises(Overflow) as refused:
            _refuse_overflow(5, passed)
        assert refused.value.step == step


def test_the_first_step_whose_loss_overflows_is_named():
    """h grows tenfold at every step, and each score is the sum of four equal units, times V."""
    run = Run(Experiment(cell="rnn_linear", hidden_size=4, steps=12, batch_size=2), "sine_continuation")
    W, U, b_W, b_U = run.network.layers[0]
    with torch.no_grad():
        for part in (W, b_U, run.network.readout.bias):
            part.zero_()
        U[:], b_W[:], run.network.readout.weight[:] = 10 * torch.eye(4), 1.0, 1e146
    squares = [(4 * 1e146 * float("1" * (step + 1))) ** 2 for step in range(8)]  # 1, 11, 111, …: in range
    assert 2 * squares[-1] < torch.finfo(torch.float64).max < 2 * 100 * squares[-1]
    record = run.update()
    assert record.loss == math.inf
    assert record.diverged == (0, 1, 8, "readout")


def test_losses_of_which_only_the_sum_is_beyond_float64_are_laid_to_the_last_step():
    run = Run(Experiment(cell="rnn", hidden_size=4, steps=12, batch_size=2), "sine_continuation")
    with torch.no_grad():
        run.network.readout.weight.zero_()
        run.network.readout.bias[:] = math.sqrt(0.8e308)  # squared and added over two sequences it is in range
    record = run.update()
    assert record.loss == math.inf
    assert record.diverged == (0, 1, 11, "readout")


def test_a_gradient_whose_norm_alone_is_beyond_float64_is_laid_to_its_largest_layer():
    run = Run(Experiment(cell="rnn", hidden_size=4, steps=12, batch_size=2), "parity", Recipe(clip_norm=None))
    with torch.no_grad():
        for parameter in run.network.recurrent.layers[0]:
            parameter.zero_()
        run.network.readout.weight[:] = torch.tensor([1e308, -1e308], dtype=torch.float64)[:, None]
        run.network.readout.bias[:] = torch.tensor([1e3, -1e3], dtype=torch.float64)
    record = run.update()
    assert all(torch.isfinite(parameter.grad).all() for parameter in run.parameters)
    assert record.diverged == (0, 0, None, "weights' gradient")


def test_the_norm_of_large_gradients_in_float32_is_measured_and_clipped():
    """States' gradients of 1e20, far below float32's limit, whose squares are far above it."""
    experiment = Experiment(cell="rnn_linear", hidden_size=4, steps=61, batch_size=2, dtype="float32")
    run = Run(experiment.replace(initialization="identity", gain=2.2), "adding", Recipe(updates=3, clip_norm=1.0))
    with torch.no_grad():
        layer = run.network.recurrent.layers[0]
        for part in (layer.W, layer.b_W, layer.b_U):
            part.zero_()
    record = run.measured()
    assert record.diverged is None
    assert 1e19 < record.gradient_norm < 1e24
    assert record.clipped_norm == pytest.approx(1.0, rel=1e-5)


@pytest.mark.parametrize("value", [torch.inf, -torch.inf, torch.nan])
@pytest.mark.parametrize("place", ["weights", "readout's weights"])
def test_an_optimizers_step_that_overflows_weights_leaves_the_last_sound_ones(place, value):
    recipe = Recipe(updates=5, optimizer="sgd", learning_rate=1.0, clip_norm=None)
    run = Run(Experiment(cell="gru", hidden_size=4, steps=12, batch_size=2), "adding", recipe)
    before = [parameter.detach().clone() for parameter in run.parameters]
    step = run.optimizer.step

    def too_far():
        step()
        parameter = run.network.readout.weight if place.startswith("readout") else run.network.recurrent.layers[0].U
        parameter.data[0, 0] = value

    run.optimizer.step = too_far
    record = run.update()
    assert record.diverged == (0, 1 if place.startswith("readout") else 0, None, place)
    assert ("readout" if place.startswith("readout") else "layer 0") in record.diverged.sentence
    assert all(torch.equal(old, new) for old, new in zip(before, run.parameters, strict=True))
    assert run.done == 0


def test_under_truncation_a_gradient_that_overflows_is_laid_to_a_layer_and_not_to_a_step():
    experiment = Experiment(cell="rnn_linear", hidden_size=4, steps=400, batch_size=2, dtype="float32")
    cut = {"truncation": "chunks", "k2": 200}
    run = Run(experiment.replace(initialization="identity", gain=3.0, **cut), "parity", Recipe(clip_norm=None))
    with torch.no_grad():
        layer = run.network.recurrent.layers[0]
        for part in (layer.W, layer.b_W, layer.b_U):
            part.zero_()
    record = run.update()
    assert record.diverged == (0, 0, None, "weights' gradient")


def test_a_divergence_is_kept_with_its_run():
    experiment = Experiment(cell="rnn", hidden_size=4, steps=12, batch_size=2)
    run = Run(experiment, "adding", Recipe(updates=200, optimizer="sgd", learning_rate=100.0, clip_norm=None))
    list(run.records())
    assert run.diverged is not None
    opened = load(save(run))
    assert opened.diverged == run.diverged
    assert list(opened.records()) == []


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("step", [None, 0, 7])
def test_a_divergence_is_read_back_as_json_keeps_it(where, step):
    found = Diverged(3, 1, step, where)
    assert Diverged.read(json.loads(json.dumps(found))) == found


@pytest.mark.parametrize(
    "wrong",
    [
        [1, 2],
        [],
        3,
        [0, 0, 0, "evil"],
        [0, 0, 0, ["weights"]],
        [0, -1, None, "weights"],
        {"a": 1},
        [0, 0, True, "weights"],
    ],
    ids=str,
)
def test_a_divergence_that_is_none_is_refused(wrong):
    with pytest.raises(ValueError, match="is not allowed: update, layer, step and place are needed"):
        Diverged.read(wrong)
