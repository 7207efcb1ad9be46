"""The training scripts of examples/ run, and are the same with and without the watch."""

import importlib

import pytest
import torch

from gradlab.watching import log

PARTS = {"tagger": "rnn", "many_to_one": "rnn", "hand_written_cell": "h"}


@pytest.mark.slow
@pytest.mark.parametrize("name", PARTS)
def test_an_example_runs_with_and_without_the_watch(tmp_path, name):
    example = importlib.import_module(f"examples.{name}")
    plain, model = example.train(updates=5)
    path = tmp_path / "log.jsonl"
    watched, other = example.train(updates=5, log=path, every=2)
    assert watched == plain
    for one, another in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, another)
    found = log.read(path)
    assert found.refusals.empty, found.refusals["refused"].iloc[0]
    assert found.diagnoses["update"].unique().tolist() == [1, 2, 4]
    assert set(found.diagnoses["part"]) == {PARTS[name]}
    assert set(found.diagnoses["source"]) == {"autograd" if name == "hand_written_cell" else "engine"}
