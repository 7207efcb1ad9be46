"""The network beside a log: what it was, to the bit; of one folder, by name alone; and nothing that anybody changed."""

import json

import numpy as np
import pytest
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

import gradlab
from gradlab.settings.watched import Watched
from gradlab.watching import folder, network
from gradlab.watching.log import read
from tests.ui.training_to_follow import train


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """(the folder of a training's log, what was kept beside it)"""
    where = tmp_path_factory.mktemp("logs")
    train(where / "run.jsonl", 5)
    return where, folder.network_of(where, "run.jsonl", "rnn")


def test_it_is_what_the_last_record_was_computed_on(watched):
    where, found = watched
    log = read(where / "run.jsonl")
    last = log.diagnoses.iloc[-1]
    assert found.recorded.update == last["update"]
    trace = gradlab.trace(found)
    rows = log.table[(log.table["update"] == last["update"])]
    mine = trace.table
    for layer in range(2):
        for state in ("h", "c"):
            a = rows.query(f"layer == {layer} and state == '{state}'")["log10_norm"].to_numpy()
            b = mine.query(f"layer == {layer} and state == '{state}'")["log10_norm"].to_numpy()
            np.testing.assert_allclose(a, b, atol=1e-4)
    again = gradlab.diagnose(trace, layer=int(last["layer"]))
    assert last["sentence"] == f"rnn: {again.sentence}"


def test_a_watched_network_is_a_subject_of_every_kind_of_analysis(watched):
    _, found = watched
    assert isinstance(found, Watched)
    assert hash(found) == hash(network.load(network.save(gradlab.trace(found), "rnn", found.recorded.update)))
    T, B = found.settings.steps, found.settings.batch_size
    assert (T, B) == found.recorded.inputs.shape[:2] == (60, 4)
    assert found.settings.loss == "last"
    assert gradlab.weights.singular_values(found)["layer"].nunique() == 2
    assert len(gradlab.paths.decompose(found, orders=1))
    every = found.replace(loss="every")
    assert np.unique(gradlab.trace(every).loss_steps).tolist() == list(range(T))
    assert gradlab.check(found)
    short = found.shortened(20)
    assert gradlab.trace(short).log10_norms.shape[:3] == (2, 20, 4)
    assert np.isfinite(gradlab.trace(short).log10_norms[:, -1, :, 0]).all(), "a loss is among the steps"


def test_settings_that_reach_beyond_what_was_watched_are_refused_or_fitted_in(watched):
    _, found = watched
    with pytest.raises(ValueError, match="steps = 61 is more than was watched: use at most 60"):
        found.replace(steps=61)
    with pytest.raises(ValueError, match="hidden_size = 13 does not fit what was watched: it has 12"):
        found.replace(hidden_size=13)
    shared = gradlab.Experiment(steps=10_000, batch_size=200, loss="step", loss_step=9_000, inputs="text", text="abc")
    fitted = found.under(shared)
    assert (fitted.settings.steps, fitted.settings.batch_size) == (60, 4)
    assert fitted.settings.loss_step < 60
    assert found.under(found.settings) == found
    other = found.with_cell("gru")
    assert gradlab.trace(other).cell == "gru"
    np.testing.assert_array_equal(other.sequence(), found.sequence())


def test_its_code_makes_it_again(watched, monkeypatch):
    where, found = watched
    monkeypatch.chdir(where)
    names = {"gradlab": gradlab}
    again = eval(found.shortened(30).code, names)
    assert again == found.shortened(30)
    with pytest.raises(ValueError, match="holds another update"):
        found.expected("0")


def test_its_remedies_are_those_of_the_module(watched):
    _, found = watched
    for remedy in gradlab.remedies(found):
        if remedy.kind == "bias":
            stack = found.network()
            b = [layer.b_W.copy() for layer in stack.layers]
            by = float(remedy.title.rsplit(" ", 1)[1])
            for part in b:
                part[12:24] += by
            layers = tuple(layer._replace(b_W=part) for layer, part in zip(stack.layers, b, strict=True))
            problem = gradlab.trace(found).problem
            trace = gradlab.trace(gradlab.Stack("lstm", layers), problem.inputs, problem.cotangents)
            assert float(trace.at_start("all", "last").mean()) == pytest.approx(remedy.after, abs=1e-12)


def changed(data, about=None, **arrays):
    """The file with other contents."""
    size = int.from_bytes(data[:8], "little")
    said = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["gradlab"]) | (about or {})
    held = {name: value for name, value in (load_arrays(data) | arrays).items() if value is not None}
    return save_arrays(held, {"gradlab": json.dumps(said)})


def test_a_file_that_was_changed_is_refused_with_what_is_wrong(watched):
    where, _ = watched
    data = (where / "run.rnn.safetensors").read_bytes()
    nan = np.full_like(load_arrays(data)["inputs"], np.nan)
    for wrong, words in (
        (b"", "header does not fit"),
        (data[:100], "header does not fit"),
        (b"\xff" * 64, "header does not fit"),
        (data[:-10], "cannot be read"),
        (save_arrays({"a": np.zeros(1)}), "its metadata names none"),
        (changed(data, {"format": "gradlab network 9"}), "its format is not"),
        (changed(data, {"cell": "../x"}), "is not known"),
        (changed(data, {"update": -1}), "whole number"),
        (changed(data, {"update": True}), "whole number"),
        (changed(data, **{"layers.0.U": None}), "has shape|has no|needs"),
        (changed(data, inputs=None), "has no inputs"),
        (changed(data, inputs=nan), "not finite"),
        (changed(data, **{"loss.steps": np.array([-1, 0, 0, 0])}), "outside the sequences"),
        (changed(data, **{"loss.steps": np.zeros(3, np.int64)}), "is needed"),
        (changed(data, **{"loss.values": np.zeros((4, 5), np.float32)}), "is needed"),
    ):
        with pytest.raises(ValueError, match=words):
            network.load(wrong)


@pytest.mark.parametrize(
    "name", ["../run.jsonl", "/etc/passwd", "sub/run.jsonl", "", "..", "run", "run.rnn.safetensors"]
)
def test_a_name_that_is_not_listed_opens_nothing(watched, name):
    where, _ = watched
    (where / "sub").mkdir(exist_ok=True)
    (where / "sub" / "run.jsonl").write_text("{}\n")
    (where.parent / "run.jsonl").write_text("{}\n")
    with pytest.raises(ValueError, match="no log of this name"):
        folder.path_of(where, name)


def test_a_link_out_of_the_folder_is_not_listed(watched, tmp_path):
    (tmp_path / "outside.jsonl").write_text("{}\n")
    inside = tmp_path / "logs"
    inside.mkdir()
    (inside / "link.jsonl").symlink_to(tmp_path / "outside.jsonl")
    (inside / "own.jsonl").write_text("{}\n")
    assert folder.names(inside) == ["own.jsonl"]
    (inside / "own.rnn.safetensors").symlink_to(watched[0] / "run.rnn.safetensors")
    assert folder.network_of(inside, "own.jsonl", "rnn") is None
    assert folder.names(tmp_path / "absent") == []


@pytest.mark.parametrize("part", ["../../x", "/etc/x", "a/b", "encoder.rnn"])
def test_the_file_of_a_part_lies_beside_its_log_whatever_the_part_is_called(tmp_path, part):
    assert network.beside(tmp_path / "run.jsonl", part).parent == tmp_path
    assert network.beside(tmp_path / "run.jsonl", part).resolve().parent == tmp_path.resolve()


def test_of_sequences_of_several_lengths_the_longest_are_there(tmp_path):
    import torch
    from torch import nn

    torch.manual_seed(3)
    rnn, x = nn.GRU(3, 4).double(), torch.randn(9, 4, 3, dtype=torch.float64)
    lengths = torch.tensor([9, 5, 9, 2])
    optimizer = torch.optim.SGD(rnn.parameters(), 0.0)
    with gradlab.watch(rnn, every=1, log=tmp_path / "run.jsonl"):
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
        nn.utils.rnn.pad_packed_sequence(rnn(packed)[0])[0].square().sum().backward()
        optimizer.step()
    found = network.read(next(tmp_path.glob("*.safetensors")))
    np.testing.assert_array_equal(found.recorded.inputs, x[:, [0, 2]])
    with gradlab.watch(rnn) as alone:
        rnn(x[:, [0, 2]])[0].square().sum().backward()
    expected = alone.trace().log10_norm("h")
    np.testing.assert_allclose(gradlab.trace(found).log10_norm("h"), expected, atol=1e-9)


def test_what_no_file_holds_leaves_the_record_alone(tmp_path):
    import torch
    from torch import nn

    rnn = nn.LSTM(3, 4)  # whose c_n a decoder reads
    optimizer = torch.optim.SGD(rnn.parameters(), 0.1)
    with gradlab.watch(rnn, every=1, log=tmp_path / "run.jsonl"):
        rnn(torch.randn(6, 2, 3))[1][1].sum().backward()
        optimizer.step()
    assert len(read(tmp_path / "run.jsonl").diagnoses) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["run.jsonl"]
