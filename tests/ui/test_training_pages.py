"""The training page and the character model through the whole app, from gradlab/ui/main.py."""

import json
import os
import signal

import pytest

from gradlab.analyses.characters import CharacterModel, sample
from gradlab.analyses.truncation import Schedule
from gradlab.settings.experiment import Experiment
from gradlab.settings.tasks import characters
from gradlab.training import Recipe, Run, checkpoints
from gradlab.ui.training.places import PLACES
from tests.ui.conftest import ROOT, sent
from tests.ui.jobs import stands_still, train

TINY = {"hidden_size": "8", "cells": ["RNN", "GRU"], "task_steps": "10", "task_batch": "4", "updates": "20"}


def wait_for(app, job):
    """Trains to the end, and draws the page again."""
    train(job)
    app.run()
    assert not app.exception, app.exception


def texts(app):
    return " ".join(markdown.value for markdown in app.markdown)


def test_the_training_page_opens_with_untrained_pictures_and_the_baseline(open_app):
    app = open_app("training", **TINY)
    assert "0.1667 (always answering 1)" in texts(app)
    assert len(app.get("vega_lite_chart")) == 2 + 2 + 2  # loss and norm, a map a cell, before and after
    _, job = app.session_state["job training"]
    assert job.done == 0
    assert not job.running


@pytest.mark.slow
def test_start_trains_every_cell_on_the_same_batches_and_the_page_says_where_they_are(open_app):
    app = open_app("training", **TINY)
    app.button(key="start training").click().run()
    _, job = app.session_state["job training"]
    wait_for(app, job)
    assert [run.done for run in job.runs] == [20, 20]
    assert "After 20 updates: RNN is at" in texts(app)
    for metric, records in zip(app.metric, job.records, strict=True):
        assert float(metric.value) == pytest.approx(sum(r.loss for r in records[-10:]) / 10, abs=6e-5)
    shown = app.select_slider(key=f"shown_of_{len([r for r in job.records[0] if r.trace])}")
    before = sent(app)
    shown.set_value(10).run()
    assert "After: 10 updates" in texts(app)
    after = sent(app)
    known = json.loads(before["known"])[shown.key]
    assert known.keys() == {*before["ladders"][shown.key]["stops"]} == {*map(str, shown.options)}
    (follows,), (released,) = known["10"].pop("pictures"), after["frame"].pop("pictures")
    assert follows["rows"]["lines"]["log10_relative"] == released["rows"]["lines"]["log10_relative"]
    (drawn,) = before["frame"]["pictures"]
    assert drawn["rows"] | follows.pop("rows") == released.pop("rows")
    assert (known["10"], follows) == (after["frame"], released), "what follows the finger is what the release shows"


@pytest.mark.slow
def test_another_setting_ends_the_work_and_begins_anew(open_app):
    app = open_app("training", **TINY | {"updates": "10000"})
    app.button(key="start training").click().run()
    _, job = app.session_state["job training"]
    assert job.running
    app.select_slider(key="task_steps").set_value(20).run()
    _, other = app.session_state["job training"]
    assert other is not job
    assert not job.running
    stands_still(job)


def test_a_page_that_trains_has_a_process_ready_before_start_is_pressed(open_app):
    open_app("training", **TINY)
    assert PLACES._spare.is_alive


@pytest.mark.slow
def test_a_training_whose_process_is_killed_says_so_on_its_page_and_continues(open_app):
    app = open_app("training", **TINY | {"updates": "10000"})
    app.button(key="start training").click().run()
    _, job = app.session_state["job training"]
    train(job, until=1)
    os.kill(job.pid, signal.SIGKILL)
    stands_still(job)
    app.run()
    [sentence] = app.text
    assert f"The process that trains ended by signal 9 after update {job.done}. " in sentence.value
    assert f"After {job.done} updates: RNN is at" in texts(app)
    assert f"RNN, {job.runs[0].done} updates" in [button.label for button in app.get("download_button")]
    reached = job.done
    app.button(key="start training").click().run()
    assert not app.text
    train(job, until=reached + 1)
    app.button(key="pause training").click().run()
    assert not app.exception, app.exception


@pytest.mark.slow
def test_a_training_stops_when_its_session_shows_another_page_and_goes_on_when_it_comes_back(open_app):
    app = open_app("training", **TINY | {"updates": "10000"})
    app.button(key="start training").click().run()
    _, job = app.session_state["job training"]
    train(job, until=1)
    app.switch_page(str(ROOT / "pages" / "one_unit.py")).run()
    stands_still(job)
    stood = job.done
    app.switch_page(str(ROOT / "pages" / "training.py")).run()
    train(job, until=stood + 1)
    app.button(key="pause training").click().run()
    assert not app.exception, app.exception


@pytest.mark.slow
def test_pause_keeps_and_discard_begins_from_the_start(open_app):
    app = open_app("training", **TINY | {"updates": "10000"})
    app.button(key="start training").click().run()
    _, job = app.session_state["job training"]
    train(job, until=1)
    app.button(key="pause training").click().run()
    assert not job.running
    app.button(key="discard training").click().run()
    assert app.session_state["job training"][1] is not job


def test_a_link_names_the_task_by_its_name_or_its_title(open_app):
    for word in ("delayed_recall", "Delayed recall"):
        app = open_app("training", **TINY | {"task": word})
        assert app.session_state["job training"][0].task == "delayed_recall"
        assert not app.text, "nothing is said to be not allowed"


def test_a_task_that_does_not_fit_is_refused_in_words(open_app):
    app = open_app("training", **TINY | {"task": "copy_memory"})
    assert "too short for Copy memory: use 21 or more" in app.text[0].value


@pytest.mark.slow
def test_the_word_hello_is_learned_and_all_of_it_shown_in_numbers(open_app):
    app = open_app("character_model", hidden_size="16", text_updates="100")
    assert float(app.metric[0].value) > 1, "untrained, about ln 4"
    app.button(key="start characters").click().run()
    _, job = app.session_state["job characters"]
    wait_for(app, job)
    assert float(app.metric[0].value) < 0.1
    assert app.code[0].value == "hello"
    table = app.dataframe[0].value
    assert "".join(table["reads"]) == "hell"
    assert "".join(table["must say"]) == "ello"
    assert (table[[f"p({symbol})" for symbol in "ehlo"]].sum(axis=1) - 1).abs().max() < 3e-4


def test_a_text_that_a_visitor_types_is_learned_and_shaded(open_app):
    text = "아버지가 방에 들어가신다. 어머니는 밖에 계신다."
    app = open_app("character_model", hidden_size="4", reads_text="text", learned_text=text, text_updates="100")
    _, job = app.session_state["job characters"]
    assert job.runs[0].task.text == text
    assert len(app.get("vega_lite_chart")) == 4


@pytest.mark.slow
def test_two_visitors_train_side_by_side(open_app):
    first, second = (open_app("training", **TINY) for _ in range(2))
    first.button(key="start training").click().run()
    wait_for(first, first.session_state["job training"][1])
    assert second.session_state["job training"][1].done == 0


def test_a_kept_run_names_what_it_is(open_app):
    app = open_app("training", **TINY)
    labels = [button.label for button in app.get("download_button")]
    assert "RNN, 0 updates" in labels


def opened(app, page, run):
    """Uploads a kept run to the page and opens it."""
    app.file_uploader(key=f"open {page}").upload("run.safetensors", checkpoints.save(run)).run()
    app.button(key=f"opened {page}").click().run()
    assert not app.exception, app.exception


@pytest.mark.slow
def test_a_kept_character_model_opens_on_its_page_reads_its_own_text_and_trains_on(open_app):
    text = "to be or not to be, that is the question. "
    run = Run(Experiment(cell="gru", hidden_size=6, depth=2), characters(text), Recipe(updates=30, optimizer="rmsprop"))
    run.advance(10)
    app = open_app("character_model", hidden_size="16")
    opened(app, "characters", run)
    _, job = app.session_state["job characters"]
    assert job.done == 10
    assert "Text, 200 steps, batches of 8; rmsprop at 0.003" in " ".join(caption.value for caption in app.caption)
    model = CharacterModel.of(run)
    assert app.code[0].value == sample(model, 200, 0.8, 10, text[0])
    assert f"{len(text[:120]) - 2} characters earlier" in texts(app)
    app.button(key="start characters").click().run()
    wait_for(app, job)
    run.advance(20)
    assert app.code[0].value == sample(CharacterModel.of(run), 200, 0.8, 30, text[0])


def test_a_kept_run_of_another_task_is_refused_where_characters_are_read(open_app):
    app = open_app("character_model", hidden_size="8")
    before = app.session_state["job characters"]
    run = Run(Experiment(cell="gru", hidden_size=4, steps=10, batch_size=2), "adding", Recipe(updates=5))
    opened(app, "characters", run)
    assert "task = 'adding' is not about characters: use 'hello' or 'text'" in [text.value for text in app.text]
    assert app.session_state["job characters"] is before


@pytest.mark.slow
def test_what_is_opened_says_how_it_is_trained_and_is_traced_also_if_it_was_to_have_no_traces(open_app):
    app = open_app("training", **TINY, depth="3", layer="2")
    recipe = Recipe(updates=90, optimizer="sgd", learning_rate=0.1, clip_norm=None, clip_value=0.3)
    experiment = Experiment(cell="gru", hidden_size=4, steps=10, batch_size=2, truncation="chunks", k2=3)
    run = Run(experiment, "parity", recipe)
    opened(app, "training", run)
    captions = " ".join(caption.value for caption in app.caption)
    assert "Parity, 10 steps, batches of 2; sgd at 0.1, entries clipped at 0.3" in captions
    assert "back-propagated by chunks of 3 steps" in captions
    _, job = app.session_state["job training"]
    app.button(key="start training").click().run()
    wait_for(app, job)
    assert [record.update for record in job.records[0] if record.trace] == [*range(0, 90, 2), 89]
    assert [record.loss for record in job.records[0]] == [record.loss for record in run.records()]


def test_truncation_and_clipping_chosen_on_the_page_are_those_of_the_runs(open_app):
    app = open_app("training", **TINY | {"truncation": "windows", "k1": "2", "k2": "6", "clip_value": "0.1"})
    _, job = app.session_state["job training"]
    for run in job.runs:
        assert run.schedule == Schedule("windows", 2, 6)
        assert (run.recipe.clip_norm, run.recipe.clip_value) == (1.0, 0.1)
    keys = {widget.key for kind in ("select_slider", "selectbox") for widget in app.get(kind)}
    assert "truncation" in keys
    assert not {"steps", "batch_size", "inputs", "loss", "objective"} & keys, "the task decides these"


def test_a_window_longer_than_the_task_is_shortened_with_it(open_app):
    app = open_app("training", **TINY | {"truncation": "chunks", "k2": "150"})
    assert app.session_state["job training"][1].runs[0].schedule.k2 == 10


@pytest.mark.parametrize(("state", "shown"), [("h", ["h"]), ("c", ["h", "c"]), ("all", ["h", "c"])])
def test_the_state_chosen_is_drawn_before_and_after_and_h_of_cells_without_it(open_app, state, shown):
    app = open_app("training", **TINY | {"cells": ["RNN", "LSTM"], "state": state})
    before = json.loads(app.get("vega_lite_chart")[-2].proto.spec)
    assert before["layer"][0]["encoding"]["strokeDash"]["scale"]["domain"] == shown
    (after,) = sent(app)["frame"]["pictures"]
    assert {*after["rows"]["lines"]["state"]} == {*shown}
    maps = [json.loads(chart.proto.spec)["layer"][0]["encoding"]["color"]["legend"]["title"]
            for chart in app.get("vega_lite_chart")[2:4]]  # fmt: skip
    assert maps == ["norm of ∂L/∂h, relative", f"norm of ∂L/∂{'c' if state == 'c' else 'h'}, relative"]


def test_shading_is_absolute_unless_asked_otherwise(open_app):
    def domain(app):
        spec = json.loads(app.get("vega_lite_chart")[2].proto.spec)
        return spec["layer"][0]["encoding"]["color"]["scale"]["domain"]

    app = open_app("character_model", hidden_size="8")
    assert domain(app) == [-12, 1]
    app.button_group(key="shading").set_value("relative to the row").run()
    assert not app.exception
    assert domain(app)[0] > -12


def test_settings_where_the_cells_differ_are_a_click_away(open_app):
    app = open_app("training", **TINY | {"task": "delayed_recall"})
    app.button(key="differ").click().run()
    assert not app.exception, app.exception
    choice = app.session_state["job training"][0]
    assert (choice.experiments[0].steps, choice.recipe.updates, choice.recipe.learning_rate) == (30, 1000, 1e-2)
    assert "differ" not in {button.key for button in app.button}
