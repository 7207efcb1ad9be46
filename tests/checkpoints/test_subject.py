"""A part of a checkpoint beside data as a subject: what it reads, and the program that makes it again."""

import numpy as np
import pytest
import torch
from torch import nn

import gradlab
from gradlab.checkpoints import load
from gradlab.checkpoints.data import read

X, H, T, B = 3, 5, 20, 2


@pytest.fixture
def folder(tmp_path, monkeypatch):
    torch.manual_seed(0)
    torch.save({"encoder": nn.RNN(X, H).state_dict(), "decoder": nn.LSTM(X, H, 2, bias=False).state_dict(),
                "cell": nn.GRUCell(X, H).state_dict(), "both": nn.GRU(X, H, bidirectional=True).state_dict()},
               tmp_path / "model.pt")  # fmt: skip
    np.savez(tmp_path / "x.npz", a=10 + np.random.default_rng(0).standard_normal((B, T, X)), b=np.ones(2))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_reads_the_data_and_injects_a_direction_of_norm_1_at_the_last_step(folder):
    one = load("model.pt", "rnn").subject("encoder", "x.npz", array="a", batch_first=True, scaling="standard")
    data = np.load("x.npz")["a"].transpose(1, 0, 2)
    expected = (data - data.mean((0, 1))) / data.std((0, 1))
    assert np.abs(one.sequence() - expected).max() < 1e-6
    loss = one.injected(one.network(), one.sequence())
    assert set(loss.steps) == {T - 1}
    np.testing.assert_allclose(np.linalg.norm(loss.values, axis=1), 1, rtol=1e-6)
    module = nn.RNN(X, H)
    module.load_state_dict(torch.load("model.pt")["encoder"])
    dense = np.zeros((T, B, H), "float32")
    dense[loss.steps, loss.at] = loss.values
    exact = gradlab.trace(gradlab.Stack.from_torch(module), one.sequence(), dense).table["log10_norm"]
    np.testing.assert_allclose(gradlab.trace(one).table["log10_norm"], exact, atol=1e-9)


@pytest.mark.parametrize("read_data", [True, False])
def test_its_program_makes_it_again(folder, read_data):
    options = {"array": "a", "batch_first": True, "scaling": "unit"}
    one = load("model.pt", {"encoder": "rnn"}).subject("decoder", *(["x.npz"] if read_data else []), **options)
    again = eval(one.code, {"gradlab": gradlab})
    assert again == one
    assert np.array_equal(again.sequence(), one.sequence())
    other = one.with_cell("gru")
    assert eval(other.code, {"gradlab": gradlab}) == other


def test_bytes_go_by_the_names_that_they_are_given(folder):
    data = read((folder / "x.npz").read_bytes(), X, name="x.npz", array="a", batch_first=True)
    one = load((folder / "model.pt").read_bytes(), "rnn", file_name="model.pt").subject("encoder", data)
    assert one == load("model.pt", "rnn").subject("encoder", "x.npz", array="a", batch_first=True)
    assert eval(one.code, {"gradlab": gradlab}) == one
    assert one.origin == "encoder of model.pt, reading its own data"


def test_remedies_know_what_the_module_lacks(folder):
    checkpoint = load("model.pt", "rnn")
    without_bias = gradlab.remedies(gradlab.trace(checkpoint.subject("decoder")))
    assert [remedy for remedy in without_bias if "no bias that could be set" in remedy.reason]
    assert checkpoint.stacks["cell"].fixed == {"steps"}


def test_what_no_page_shows_is_refused_with_what_to_do(folder):
    checkpoint = load("model.pt", "rnn")
    with pytest.raises(ValueError, match=r"both is Net.*gradlab\.trace"):
        checkpoint.subject("both")
    with pytest.raises(ValueError, match=r"part = 'x' is not in the file: it holds .*'decoder'"):
        checkpoint.subject("x")
