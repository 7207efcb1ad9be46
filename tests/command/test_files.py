"""`gradlab diagnose` and `gradlab remedies` of files: logs, recorded networks, kept runs; and what is refused."""

import numpy as np
import pytest
import torch

import gradlab
from gradlab.training import Run, checkpoints
from gradlab.watching import log as logs

NETWORK = "training.rnn.safetensors"
SAID = ("layer", "verdict", "decades_per_100_steps", "log10_left")


def said(diagnosis):
    return [getattr(diagnosis, name) for name in SAID]


def records(found):
    return [[record[name] for name in SAID] for record in found]


@pytest.mark.slow
def test_a_log_gives_the_latest_update_of_every_part(read, watched, tmp_path):
    (record,) = read("diagnose", "training.jsonl")
    last = logs.read(tmp_path / "training.jsonl").diagnoses.iloc[-1]
    assert record["update"] == last["update"] == 4
    assert record["sentence"] == last["sentence"]


def test_a_recorded_network_is_diagnosed_on_the_batch_that_it_read(read, watched):
    found = read("diagnose", NETWORK)
    trace = gradlab.trace(watched)
    assert records(found) == [said(gradlab.diagnose(trace, layer=layer)) for layer in (0, 1)]
    assert [record["part"] for record in found] == ["rnn", "rnn"]


def test_data_take_the_place_of_the_recorded_batch(read, watched, batch):
    stack = watched.network()
    found = read("diagnose", NETWORK, "--data", "batch.npy", "--loss", "half_square")
    inputs = batch.astype(np.float32)
    module = torch.nn.LSTM(3, 6, 2)
    for layer in (0, 1):
        arrays = stack.layers[layer]
        for name, value in (("weight_ih", arrays.W), ("weight_hh", arrays.U), ("bias_ih", arrays.b_W),
                            ("bias_hh", arrays.b_U)):  # fmt: skip
            getattr(module, f"{name}_l{layer}").data = torch.from_numpy(value.copy())
    last = module(torch.from_numpy(inputs))[0][-1].detach().numpy()  # ∂ ½‖h‖² / ∂h = h
    cotangents = np.zeros((*inputs.shape[:2], 6), np.float32)
    cotangents[-1] = last
    trace = gradlab.trace(gradlab.Stack.from_torch(module), inputs, cotangents)
    for record, layer in zip(found, (0, 1), strict=True):
        expected = gradlab.diagnose(trace, layer=layer)
        assert record["decades_per_100_steps"] == pytest.approx(expected.decades_per_100_steps, rel=1e-4)
        assert record["log10_left"] == pytest.approx(expected.log10_left, rel=1e-4)


def test_data_with_the_batch_first_are_the_same_data(read, watched, batch, tmp_path):
    np.save(tmp_path / "first.npy", batch.swapaxes(0, 1))
    one = read("diagnose", NETWORK, "--data", "batch.npy")
    assert read("diagnose", NETWORK, "--data", "first.npy", "--batch-first") == one
    np.save(tmp_path / "alone.npy", batch[:, 0])
    assert len(read("diagnose", NETWORK, "--data", "alone.npy")) == 2


def test_a_kept_run_is_diagnosed_and_repaired_with_its_weights(read, tmp_path):
    run = Run(gradlab.Experiment(cell="lstm", steps=60, hidden_size=6), "adding").after(2)
    (tmp_path / "run.safetensors").write_bytes(checkpoints.save(run))
    trace = gradlab.trace(run.trained)
    assert records(read("diagnose", "run.safetensors")) == [said(gradlab.diagnose(trace))]
    found = read("remedies", "run.safetensors")
    assert [float(record["after"]) for record in found] == [remedy.after for remedy in gradlab.remedies(trace)]


def of_torch(tmp_path, inputs):
    """The trace of model.pt's LSTM on a batch, its weights put into PyTorch's own module."""
    module = torch.nn.LSTM(3, 6, 2)
    kept = torch.load(tmp_path / "model.pt", weights_only=True)["model"]
    module.load_state_dict({name.removeprefix("rnn."): value for name, value in kept.items() if "rnn." in name})
    cotangents = np.zeros((*inputs.shape[:2], 6), np.float32)
    cotangents[-1] = module(torch.from_numpy(inputs))[0][-1].detach().numpy()  # ∂ ½‖h‖² / ∂h = h
    return gradlab.trace(gradlab.Stack.from_torch(module), inputs, cotangents)


def test_a_checkpoint_of_torch_is_diagnosed_and_repaired_on_the_data(read, watched, batch, tmp_path):
    trace = of_torch(tmp_path, batch.astype(np.float32))
    line = ("model.pt", "--data", "batch.npy", "--loss", "half_square")
    for record, layer in zip(read("diagnose", *line), (0, 1), strict=True):
        expected = gradlab.diagnose(trace, layer=layer)
        assert record["decades_per_100_steps"] == pytest.approx(expected.decades_per_100_steps, rel=1e-4)
        assert record["part"] == "model.rnn"
    found = {record["title"]: float(record["after"]) for record in read("remedies", *line)}
    expected = {remedy.title: remedy.after for remedy in gradlab.remedies(trace)}
    assert found["Forget bias up by 3"] == pytest.approx(expected["Forget bias up by 3"], rel=1e-4)


def test_a_checkpoint_without_data_reads_noise_of_the_length_asked_for(read, watched):
    found = read("diagnose", "model.pt", "--steps", "70", "--seed", "3")
    assert [record["length"] for record in found] == [69, 69]


def test_a_bidirectional_checkpoint_is_diagnosed_in_both_directions(read, call, batch, tmp_path):
    torch.save(torch.nn.GRU(3, 4, bidirectional=True).state_dict(), tmp_path / "both.pt")
    sentences = [record["sentence"] for record in read("diagnose", "both.pt", "--data", "batch.npy")]
    assert ["forward" in sentence for sentence in sentences] == [True, False]
    assert "reverse" in sentences[1]
    result = call("diagnose", "both.pt", "--loss", "half_square")
    assert result.exit_code == 2
    assert "plain stacks alone" in result.stderr


def test_data_are_scaled_as_they_are_asked_to_be(read, watched, batch, tmp_path):
    np.savez(tmp_path / "arrays.npz", first=batch, second=5 + 2 * batch)
    line = ("diagnose", "model.pt", "--data", "arrays.npz", "--scaling", "standard", "--array")
    one, other = read(*line, "first"), read(*line, "second")
    for a, b in zip(one, other, strict=True):
        assert a["decades_per_100_steps"] == pytest.approx(b["decades_per_100_steps"], rel=1e-3)


def test_a_checkpoint_that_runs_code_is_refused_and_not_executed(call, tmp_path):
    harmed = tmp_path / "harmed.txt"
    torch.save(Harmful(harmed), tmp_path / "wrong.pt")
    result = call("diagnose", "wrong.pt")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ")
    assert not harmed.exists()


class Harmful:
    """Leaves a file where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda x: np.where(np.arange(x.size).reshape(x.shape) == 25, np.nan, x), "nan"),
        (lambda x: x[..., :2], "network of 3 inputs"),
        (lambda x: x[None], "[1, 40, 4, 3]"),
        (lambda x: x + 1j, "real numbers"),
        (lambda x: x[:1], "steps"),
    ],
)
def test_data_that_do_not_fit_are_refused_with_their_place(call, watched, batch, tmp_path, make, said):
    np.save(tmp_path / "wrong.npy", make(batch))
    result = call("diagnose", NETWORK, "--data", "wrong.npy")
    assert result.exit_code == 2
    assert said in result.stderr


def test_pickled_data_are_refused_and_not_executed(call, watched, tmp_path):
    harmed = tmp_path / "harmed.txt"
    np.save(tmp_path / "wrong.npy", np.array([Harmful(harmed)], object), allow_pickle=True)
    result = call("diagnose", NETWORK, "--data", "wrong.npy")
    assert result.exit_code == 2
    assert "pickle, which may run code" in result.stderr
    assert not harmed.exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("diagnose", NETWORK, "--steps", "9"), "leave out steps"),
        (("diagnose", NETWORK, "--data", "batch.npy", "--hidden-size", "9"), "the file decides"),
        (("diagnose", NETWORK, "--part", "decoder"), "it has rnn"),
        (("diagnose", "training.jsonl", "--part", "decoder"), "it has rnn"),
        (("diagnose", "training.jsonl", "--data", "batch.npy"), "norms alone"),
        (("remedies", "training.jsonl"), "norms alone"),
    ],
)
def test_what_a_file_decides_is_not_asked_of_the_line(call, watched, batch, line, said):
    result = call(*line)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_changed_network_is_refused(call, watched, tmp_path):
    whole = (tmp_path / NETWORK).read_bytes()
    (tmp_path / NETWORK).write_bytes(whole[:-8])
    result = call("diagnose", NETWORK)
    assert result.exit_code == 2
    assert "the network cannot be read" in result.stderr
