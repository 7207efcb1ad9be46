"""Every figure of the training pages: its Python program, run, gives the rows of its CSV to the bit."""

import numpy as np
import pandas as pd
import pytest

from gradlab import exports
from gradlab.settings.experiment import Experiment
from gradlab.training import Recipe, Run, checkpoints, history
from gradlab.ui.parts import figure
from gradlab.ui.parts.export_bar import picture_of, program_of
from tests.ui.jobs import train
from tests.ui.test_programs import PAPER

TINY = {"hidden_size": "6", "cells": ["RNN", "LSTM"], "task_steps": "12", "task_batch": "4", "updates": "20"}
LEARNED = ["loss", "gradient norm", "RNN reach", "LSTM reach", "traces before", "traces after"]
OPENED = ["loss", "gradient norm", "GRU reach", "traces before", "traces after"]
READ = ["loss", "expectations", "characters' gradients", "unit"]


@pytest.fixture
def exported(monkeypatch):
    """What pages hand to their export bars: the figure's name → its question."""
    found = {}
    export_bar = figure.export_bar

    def noted(drawing, words):
        found[words.name] = drawing.question
        export_bar(drawing, words)

    monkeypatch.setattr(figure, "export_bar", noted)
    return found


def again(question) -> pd.DataFrame:
    """The table that the exported program computes."""
    names = {}
    exec(exports.python_code(question.subjects, question.code), names)
    return names["table"]


def hold(exported, names, only=True) -> None:
    """The page has these figures, no others where `only`, and each one's program gives its table."""
    assert set(names) == set(exported) if only else set(names) <= set(exported)
    for name in names:
        question = exported[name]
        assert question.key
        assert len(question.rows()), name
        pd.testing.assert_frame_equal(again(question), question.rows(), check_exact=True, obj=name)


def trained(app, page, until=None):
    """Trains to the end, or for some updates, and draws the page again."""
    app.button(key=f"start {page}").click().run()
    job = app.session_state[f"job {page}"][1]
    train(job, until)
    if until is not None:
        app.button(key=f"pause {page}").click()
    app.run()
    assert not app.exception, app.exception
    return job


@pytest.mark.slow
@pytest.mark.parametrize("until", [None, 7], ids=["to the end", "paused"])
def test_a_program_trains_again_and_gives_the_rows_of_the_csv(open_app, exported, until):
    settings = {"optimizer": "rmsprop", "clip_norm": "0.1", "clip_value": "0.01", "truncation": "chunks", "k2": "4"}
    app = open_app("training", **TINY | settings, state="c")
    exported.clear()  # of the home page, where every visit begins
    app.run()
    hold(exported, LEARNED)
    exported.clear()
    job = trained(app, "training", until)
    assert job.runs[0].schedule.k2 == 4
    hold(exported, LEARNED)


@pytest.mark.slow
@pytest.mark.parametrize("done", [5, 9])
def test_a_program_of_an_opened_run_gives_what_it_measured_since(open_app, exported, done):
    run = Run(Experiment(cell="gru", hidden_size=4, steps=10, batch_size=2), "parity", Recipe(updates=9, trace_every=4))
    run.advance(done)
    app = open_app("training", **TINY)
    app.file_uploader(key="open training").upload("run.safetensors", checkpoints.save(run)).run()
    exported.clear()
    app.button(key="opened training").click().run()
    hold(exported, OPENED, only=False)  # those of the job before are drawn first
    if done == 5:
        exported.clear()
        trained(app, "training")
        hold(exported, OPENED)


@pytest.mark.slow
@pytest.mark.parametrize("query", [{}, {"reads_text": "text", "learned_text": "한 번 더, one more time! " * 3}])
def test_a_program_of_a_character_model_trains_it_and_reads_the_text(open_app, exported, query):
    app = open_app("character_model", hidden_size="6", text_updates="100", cells=["GRU"], **query)
    exported.clear()
    trained(app, "characters", 5)
    hold(exported, READ)


@pytest.mark.slow
def test_a_program_of_runs_that_diverged_ends_where_they_did(open_app, exported):
    settings = {"cells": ["RNN (linear)", "GRU"], "gain": "4.0", "initialization": "gaussian"}
    settings |= {"optimizer": "sgd", "learning_rate": "1.0", "clip_norm": "none", "dtype": "float32"}
    app = open_app("training", **TINY | settings)
    exported.clear()
    job = trained(app, "training")
    assert [run.diverged is not None for run in job.runs] == [False, True]
    hold(exported, ["loss", "gradient norm", "RNN (linear) reach", "GRU reach", "traces before", "traces after"])


@pytest.mark.slow
def test_a_pin_has_the_curves_that_this_visit_trained_and_says_where_there_are_none(
    open_app, drawn, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    app = open_app("training", **TINY | {"cells": ["LSTM"]})
    before = trained(app, "training").runs[0]
    app.button(key="pin").click().run()
    app.select_slider(key="keep_bias").set_value(3.0).run()
    assert not app.exception
    said = next(text.value for text in app.markdown if text.value.startswith("**A**"))
    run = Run(before.experiment, "adding", before.recipe)
    table = history(run.records(), "lstm")
    assert (
        said
        == f"**A** (keep-gate bias default), grey: a loss of LSTM {table['loss'][-10:].mean():.3g} after 20 updates."
    )
    for seen in drawn:
        seen.clear()
    app.run()
    drawing, words = next(pair for pair in drawn.exported if pair[1].name == "loss")
    made = dict(drawing.beside)["pins"]
    assert len(made.args) == 1
    rows = made.args[0].on_screen()
    assert rows["pin"].unique().tolist() == ["A"]
    np.testing.assert_array_equal(rows["log10_value"], np.log10(table["loss"]))
    exec(program_of(drawing, words, PAPER), {})
    (file,) = tmp_path.iterdir()
    assert file.read_bytes() == picture_of(exports.PICTURES["PNG"], drawing, words, PAPER)
    app.select_slider(key="updates").set_value(100).run()  # another recipe: the pin was not trained so
    assert any("**A** (keep-gate bias default) has no curves yet" in text.value for text in app.markdown)
