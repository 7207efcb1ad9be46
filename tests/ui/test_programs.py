"""Every chart's Python program, run, gives the rows of the chart's CSV to the bit."""

import time

import pandas as pd
import pytest

from gradlab import exports
from gradlab.ui.parts import export_bar as bar

SMALL = {"steps": "24", "hidden_size": "6", "input_size": "3", "batch_size": "2", "depth": "2"}
TINY = {"hidden_size": "6", "cells": ["RNN", "LSTM"], "task_steps": "12", "task_batch": "4", "updates": "20"}


@pytest.fixture
def exported(monkeypatch):
    """What pages hand to their export bars: subject → (table, experiments, made)."""
    found = {}
    draw = bar.export_bar

    def noted(chart, table, experiments, subject, *arguments, made=exports.TRACES, **options):
        found[subject] = (table, experiments, made)
        draw(chart, table, experiments, subject, *arguments, made=made, **options)

    monkeypatch.setattr(bar, "export_bar", noted)
    return found


def again(experiments, made) -> pd.DataFrame:
    """The table that the exported program computes."""
    names = {}
    exec(exports.python_code(experiments, made), names)
    return names["table"]


def hold(exported, subjects) -> None:
    """The page has just these exports, and each one's program gives its table."""
    assert set(exported) == set(subjects)
    for subject, (table, experiments, made) in exported.items():
        expected = table()
        assert len(expected), subject
        pd.testing.assert_frame_equal(
            again(experiments, made).reset_index(drop=True),
            expected.reset_index(drop=True),
            check_exact=True,
            obj=subject,
        )


UNITS = ("h", "c", "input", "forget", "candidate", "output", "direct factor", "log10 gradient")
PAGES = {
    "home": ({}, ["gradient norms"]),
    "gradient_flow": ({"loss": "every"}, ["gradient norms", "layers and steps"]),
    "one_unit": ({"weight": "1.1", "gate": "0.7", "lags": "50"}, ["one unit"]),
    "why_addition": ({"cuts": ["direct", "forget"]}, ["totals", "shares", "parts", "cuts"]),
    "gates": (
        {"inputs": "text", "unit": "3", "sequence": "1", "layer": "1"},
        [*(f"units {name}" for name in UNITS), "unit state", "unit gates", "unit log10 |∂L/∂s|", "gates"],
    ),
    "unrolled": ({}, ["unrolled"]),
    "weights": ({}, ["singular values", "eigenvalues", "gate biases"]),
    "sequence_types": ({"loss": "many_to_many"}, ["unrolled network", "gradient norms", "itemised matrix"]),
    "itemised": (
        {"state": "c", "layer": "1"},
        [f"{cell} {what}" for cell in ("RNN", "LSTM", "GRU") for what in ("matrix", "sum")],
    ),
    "truncation": (
        {"state": "c", "truncation": "windows", "k1": "2", "k2": "5"},
        ["truncation band", "lost gradient", "angle", "savings"],
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_a_program_gives_the_rows_of_the_csv(open_app, exported, page):
    query, subjects = PAGES[page]
    app = open_app(page, **SMALL | query)
    exported.clear()  # of the home page, where every visit begins
    app.run()
    hold(exported, subjects)


@pytest.mark.slow
def test_the_warm_up_s_files_speak_of_no_experiment(open_app, exported):
    open_app("one_unit")
    _, experiments, made = exported["one unit"]
    assert list(experiments) == []
    assert exports.record(experiments, made)["table"] == "gradlab.analyses.paths.one_unit(0.9, 0.9, 100)"


def trained(app, page, until=None):
    """Trains to the end, or for some updates, and looks again."""
    app.button(key=f"start {page}").click().run()
    job = app.session_state[f"job {page}"][1]
    end = time.monotonic() + 60
    while job.running and (until is None or job.done < until):
        assert time.monotonic() < end, "the training did not end in time"
        job.watch()
        time.sleep(0.001)
    if until is not None:
        app.button(key=f"pause {page}").click()
    app.run()
    assert not app.exception, app.exception
    return job


LEARNED = ["loss", "gradient norm", "RNN reach", "LSTM reach", "traces before", "traces after"]


@pytest.mark.slow
@pytest.mark.parametrize("until", [None, 7], ids=["to the end", "paused"])
def test_a_program_trains_again_and_gives_the_rows_of_the_csv(open_app, exported, until):
    settings = {"optimizer": "rmsprop", "clip_norm": "0.1", "clip_value": "0.01", "truncation": "chunks", "k2": "4"}
    app = open_app("training", **TINY | settings, state="c")
    exported.clear()
    app.run()
    hold(exported, LEARNED)
    exported.clear()
    job = trained(app, "training", until)
    assert job.runs[0].schedule.k2 == 4
    hold(exported, LEARNED)


@pytest.mark.slow
def test_a_program_of_an_opened_run_gives_what_it_measured_since(open_app, exported):
    from gradlab import Experiment
    from gradlab.training import Recipe, Run, checkpoints

    run = Run(Experiment(cell="gru", hidden_size=4, steps=10, batch_size=2), "parity", Recipe(updates=9, trace_every=4))
    for done in (5, 9):
        run.advance(done - run.done)
        app = open_app("training", **TINY)
        app.file_uploader(key="open training").upload("run.safetensors", checkpoints.save(run)).run()
        exported.clear()
        app.button(key="opened training").click().run()
        names = ["loss", "gradient norm", "GRU reach", "traces before", "traces after"]
        hold({name: exported[name] for name in names}, names)
        if done == 5:
            exported.clear()
            trained(app, "training")
            hold({name: exported[name] for name in names}, names)


@pytest.mark.slow
@pytest.mark.parametrize("query", [{}, {"reads_text": "text", "learned_text": "한 번 더, one more time! " * 3}])
def test_a_program_of_a_character_model_trains_it_and_reads_the_text(open_app, exported, query):
    app = open_app("character_model", hidden_size="6", text_updates="100", cells=["GRU"], **query)
    exported.clear()
    trained(app, "characters", 5)
    hold(exported, ["loss", "expectations", "characters' gradients", "unit"])
