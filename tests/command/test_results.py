"""What the commands say of drawn networks: the library's numbers, known answers, exit codes."""

import math

import pandas as pd
import pytest

import gradlab
from gradlab.command.export import CHARTS, SEVERAL
from gradlab.training import Recipe, Run, checkpoints

SMALL = ("--steps", "60", "--hidden-size", "8", "--batch-size", "2")
LINEAR = ("--cell", "rnn_linear", "--initialization", "orthogonal")


def test_an_orthogonal_linear_network_of_gain_g_has_the_rate_log10_g(read):
    (found,) = read("trace", *LINEAR, "--gain", "0.9", *SMALL)
    (line,) = found["rate"]
    assert line["decades_per_step"] == pytest.approx(math.log10(0.9), rel=1e-9)
    assert found["settings"]["gain"] == 0.9
    assert found["diagnoses"][0]["verdict"] == "vanishing"


def test_several_cells_are_traced_one_after_the_other_and_written_as_one_table(call, tmp_path):
    result = call("trace", "--cell", "rnn", "--cell", "gru", *SMALL, "--table", "norms.csv")
    assert result.exit_code == 0, result.output
    small = {"steps": 60, "hidden_size": 8, "batch_size": 2}
    expected = pd.concat([gradlab.trace(gradlab.Experiment(cell=cell, **small)).table for cell in ("rnn", "gru")])
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "norms.csv"), expected.reset_index(drop=True))


def test_a_gradient_that_is_exactly_zero_is_strict_json(read):
    (record,) = read("diagnose", "--cell", "rnn", "--initialization", "zeros", *SMALL)
    assert record["verdict"] == "zero"
    assert record["log10_left"] == "-inf"


@pytest.mark.parametrize(("gain", "code"), [("1", 0), ("0.9", 1), ("1.1", 1)])
def test_diagnose_ends_with_1_where_a_gradient_does_not_keep_its_size(call, gain, code):
    result = call("diagnose", *LINEAR, "--gain", gain, *SMALL)
    assert result.exit_code == code, result.output


def test_remedies_end_with_1_where_one_helps_and_name_its_code(call, read):
    assert call("remedies", *LINEAR, *SMALL).exit_code == 0
    result = call("remedies", "--cell", "lstm", "--steps", "200", "--hidden-size", "8")
    assert result.exit_code == 1
    assert "bias" in result.stdout
    records = read("remedies", "--cell", "lstm", "--steps", "200", "--hidden-size", "8")
    found = gradlab.remedies(gradlab.Experiment(cell="lstm", steps=200, hidden_size=8))
    assert [(r["title"], float(r["after"])) for r in records] == [(r.title, r.after) for r in found]


def test_the_parts_by_path_sum_to_the_whole(read):
    (found,) = read("paths", "--cell", "lstm", "--keep-bias", "2", "--orders", "3", "--lag", "40", *SMALL)
    shares = {row["path"]: row["share"] for row in found["parts"]}
    assert [*shares] == ["direct", "order 1", "order 2", "order 3", "rest", "total"]
    assert sum(shares.values()) - shares["total"] == pytest.approx(1, abs=1e-9)
    assert found["lag"] == 40
    assert 0 < found["passes"]["through"] < 40


@pytest.mark.slow
def test_a_training_is_that_of_the_library_and_its_file_goes_on(read, call, tmp_path):
    line = ("adding", "--cell", "gru", "--steps", "20", "--hidden-size", "4", "--updates", "4", "--optimizer", "sgd")
    found = read("train", *line, "--clip-norm", "none", "--save", "run.safetensors")
    experiment = gradlab.Experiment(cell="gru", steps=20, hidden_size=4)
    run = Run(experiment, "adding", Recipe(updates=4, optimizer="sgd", clip_norm=None))
    losses = [record.loss for record in run.advance(4)]
    assert [record["loss"] for record in found["measured"]] == [losses[0], losses[-1]]
    kept = checkpoints.load((tmp_path / "run.safetensors").read_bytes())
    assert kept.trained.key == run.trained.key


def test_a_training_that_diverges_ends_with_1(call):
    line = ("adding", "--cell", "rnn_relu", "--steps", "50", "--hidden-size", "8", "--optimizer", "sgd")
    result = call("train", *line, "--learning-rate", "100", "--clip-norm", "none", "--updates", "50")
    assert result.exit_code == 1, result.output
    assert "Training diverged at update" in result.stdout


@pytest.mark.parametrize("chart", CHARTS)
def test_every_chart_is_exported_and_carries_its_settings(call, tmp_path, chart):
    cells = ("--cell", "lstm", "--cell", "gru") if chart in SEVERAL else ("--cell", "lstm")
    result = call("export", chart, *cells, *SMALL, "--seed", "7", "--out", "picture.svg")
    assert result.exit_code == 0, result.output
    drawing = (tmp_path / "picture.svg").read_text()
    assert drawing.count("<path") > 3
    assert "seed&quot;:7" in drawing or '"seed":7' in drawing
    for cell in cells[1::2]:
        assert cell in drawing


def test_bench_measures_every_cell(read):
    rows = read("bench", "--cell", "rnn", "--cell", "gru", *SMALL, "--runs", "3", "--autograd")
    assert [row["cell"] for row in rows] == ["rnn", "gru"]
    for row in rows:
        assert 0 < row["lowest_ms"] <= row["median_ms"] <= row["highest_ms"]
        assert row["times_faster"] == row["autograd_ms"] / row["median_ms"]
