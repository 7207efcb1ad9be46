"""A run that leaves the floating-point range stops there, says where, and keeps what came before."""

import math

import pytest
import torch

from gradlab.engine import Sweep
from gradlab.experiment import Experiment
from gradlab.training import Recipe, Run


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
    assert 0 <= last.step < 12 or last.where == "weights"


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
    lag = 199 - record.diverged.step
    limit = math.log10(torch.finfo(torch.float32).max)
    cotangent = float(run.trace().log10_norm("h")[0, -1].max())
    assert lag * math.log10(3) + cotangent == pytest.approx(limit, abs=1.0)
