"""The log of a training: what it holds, and that neither a killed process nor a failure spoils it."""

import json
import math
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from torch import nn

import gradlab
from gradlab.watching import log
from tests.watching.test_watch import Classifier, by_autograd, loss_of, tokens


def trained(model, updates, optimizer=None, after=lambda update: None):
    optimizer = optimizer or torch.optim.SGD(model.parameters(), 1e-3)
    for update in range(updates):
        optimizer.zero_grad()
        loss_of(model, tokens(B=20, seed=update)).backward()
        optimizer.step()
        after(update)


def test_every_so_many_updates_are_measured_as_autograd_has_them(tmp_path):
    torch.manual_seed(1)
    model, path = Classifier(nn.LSTM).double(), tmp_path / "log.jsonl"
    hooked, weights = [], []

    def after(_):
        hooked.append(bool(model.rnn._forward_hooks))
        weights.append({name: value.clone() for name, value in model.state_dict().items()})

    weights.append({name: value.clone() for name, value in model.state_dict().items()})
    with gradlab.watch(model, every=4, log=path) as flow:
        trained(model, 9, after=after)
    assert hooked == [False, False, True, False, False, False, True, False, False]  # one update in four is looked at
    found = log.read(path)
    assert found.diagnoses["update"].tolist() == [1, 4, 8]
    assert found.trainings[0]["every"] == 4
    assert found.trainings[0]["sequences"] == 8
    model.load_state_dict(weights[7])
    unrolled = by_autograd(model, lambda model: loss_of(model, tokens(B=20, seed=7)).backward())
    sample = np.linspace(0, 19, 8).round().astype(int)
    for state in ("h", "c"):
        rows = found.table.query(f"update == 8 and state == '{state}' and layer == 0")
        expected = unrolled.log10_norms(state=("h", "c").index(state))[0][:, sample].mean(axis=1)
        np.testing.assert_allclose(rows["log10_norm"], expected, atol=1e-4)
    assert found.diagnoses["sentence"].iloc[-1] == max(
        (gradlab.diagnose(flow.trace(), layer=layer) for layer in (0, 1)), key=lambda d: abs(d.decades_per_100_steps)
    ).sentence.join(["rnn: ", ""])


def test_a_log_that_is_torn_is_read_up_to_there_and_goes_on(tmp_path):
    torch.manual_seed(1)
    model, path = Classifier(nn.GRU), tmp_path / "log.jsonl"
    with gradlab.watch(model, every=2, log=path):
        trained(model, 4)
    whole = log.records(path)
    with path.open("ab") as file:
        file.write(b'{"update": 6, "part": "rn')
    assert log.records(path).offset == whole.offset  # not yet whole
    assert log.records(path).records == whole.records
    with gradlab.watch(model, every=2, log=path):
        trained(model, 2)
    later = log.records(path, whole.offset)
    assert ["gradlab" in record for record in later.records] == [True, False, False]
    found = log.read(path)
    assert found.diagnoses[["training", "update"]].values.tolist() == [[0, 1], [0, 2], [0, 4], [1, 1], [1, 2]]


PROGRAM = """
import sys, torch, gradlab
from torch import nn
torch.manual_seed(0)
model = nn.GRU(3, 4)
optimizer = torch.optim.SGD(model.parameters(), 1e-3)
with gradlab.watch(model, every=1, log=sys.argv[1]):
    while True:
        optimizer.zero_grad()
        model(torch.randn(10, 2, 3))[0][-1].sum().backward()
        optimizer.step()
"""


@pytest.mark.slow
def test_a_killed_process_loses_at_most_its_last_record(tmp_path):
    path = tmp_path / "log.jsonl"
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(path)], stderr=subprocess.PIPE)
    seen, offset, deadline = [], 0, time.monotonic() + 180
    while len(seen) < 6 and time.monotonic() < deadline and process.poll() is None:
        if path.exists():
            found = log.records(path, offset)  # while it is written
            seen += found.records
            offset = found.offset
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    errors = process.communicate()[1].decode()
    assert len(seen) >= 6, errors
    updates = log.read(path).diagnoses["update"].tolist()
    assert updates == list(range(1, len(updates) + 1))
    assert len(updates) >= len(seen) - 1


def test_zeros_and_what_is_not_finite_come_back_as_they_were():
    values = [-math.inf, math.nan, math.inf, -3.25, 12.0]
    text = json.dumps([log.number(value) for value in values], allow_nan=False)
    np.testing.assert_array_equal([log.value_of(value) for value in json.loads(text)], values)


def test_long_traces_keep_their_ends():
    assert log.kept(5).tolist() == [0, 1, 2, 3, 4]
    steps = log.kept(10_000)
    assert len(steps) == log.STEPS
    assert (steps[0], steps[-1]) == (0, 9999)


def test_what_cannot_be_traced_is_written_and_ends_no_training(tmp_path):
    torch.manual_seed(1)
    model, path = Classifier(nn.GRU), tmp_path / "log.jsonl"

    def fails(*_):
        raise RuntimeError("disk full")

    with gradlab.watch(model, every=1, log=path, writers=[fails]):
        trained(model, 2)
    found = log.read(path)
    assert found.refusals["refused"].tolist() == ["RuntimeError: disk full"] * 2
    assert found.diagnoses["update"].tolist() == [1, 2]


def test_settings_and_files_that_do_not_fit_are_refused(tmp_path):
    model = Classifier(nn.GRU)
    with pytest.raises(ValueError, match="every = 50 needs a place to write to: pass log"):
        gradlab.watch(model, every=50)
    with pytest.raises(ValueError, match="every = 0 is not allowed: use a whole number of 1 or more"):
        gradlab.watch(model, every=0, log=tmp_path / "log")
    other = tmp_path / "other.jsonl"
    other.write_text("not a log\n")
    with pytest.raises(ValueError, match=r"is no log of gradlab\.watch"):
        log.read(other)
    other.write_text('{"gradlab": "watch 9"}\n')
    with pytest.raises(ValueError, match="has format 'watch 9': this gradlab reads 'watch 1'"):
        log.read(other)


def test_a_training_is_the_same_to_the_bit_with_a_log(tmp_path):
    def after_training(watched):
        torch.manual_seed(4)
        model = Classifier(nn.LSTM)
        optimizer = torch.optim.Adam(model.parameters())
        if watched:
            with gradlab.watch(model, every=2, log=tmp_path / "log.jsonl"):
                trained(model, 5, optimizer)
        else:
            trained(model, 5, optimizer)
        return [*model.parameters(), torch.get_rng_state()]

    for one, other in zip(after_training(True), after_training(False), strict=True):
        assert torch.equal(one, other)


def test_optimizers_of_other_models_are_not_counted(tmp_path):
    model, other = Classifier(nn.GRU), nn.Linear(2, 2)
    steps = torch.optim.SGD(other.parameters(), 0.1)
    with gradlab.watch(model, every=1, log=tmp_path / "log.jsonl") as flow:
        other(torch.ones(2)).sum().backward()
        steps.step()
        assert flow.updates == 0
        trained(model, 1)
        assert flow.updates == 1
