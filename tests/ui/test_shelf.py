"""What the server keeps for a tab over its reload: for a stated time, within bytes of all tabs, for nobody else."""

import numpy as np
import pytest

from gradlab.settings.experiment import Experiment
from gradlab.training import Recipe, Run
from gradlab.ui.frame import shelf
from gradlab.ui.frame.shelf import Item, Shelves
from gradlab.ui.training.job import Job
from tests.ui.conftest import SMALL
from tests.ui.jobs import train


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def shelves(clock):
    return Shelves(most_bytes=100, seconds=60, clock=clock)


def test_what_is_kept_is_there_until_its_time_is_over_and_each_use_begins_it_anew(shelves, clock):
    shelves.put("mine", "text", Item("hello", 10))
    for clock.now in (50, 100, 160):
        assert shelves.use("mine") == {"text": "hello"}
    clock.now = 221
    assert shelves.use("mine") is None
    assert shelves.size == 0


def test_all_shelves_together_stay_within_their_bytes_and_the_one_used_longest_ago_goes_first(shelves):
    for name in ("first", "second", "third"):
        shelves.put(name, "run", Item(name, 30))
    shelves.use("first")
    assert shelves.put("fourth", "run", Item("fourth", 40))
    assert shelves.size == 100
    assert shelves.use("second") is None
    assert all(shelves.use(name) == {"run": name} for name in ("first", "third", "fourth"))


def test_an_item_that_no_shelf_could_hold_is_refused_and_the_others_stay(shelves):
    shelves.put("mine", "text", Item("hello", 10))
    shelves.put("other", "text", Item("you", 10))
    assert not shelves.put("mine", "run", Item("large", 95))
    assert shelves.use("mine") == {"text": "hello"}
    assert shelves.use("other") == {"text": "you"}


def test_an_item_takes_the_place_of_one_of_its_name_and_can_be_removed(shelves):
    shelves.put("mine", "run", Item(1, 60))
    assert shelves.put("mine", "run", Item(2, 70))
    assert shelves.size == 70
    shelves.remove("mine", "run")
    shelves.remove("mine", "never there")
    assert shelves.use("mine") is None


def test_every_session_has_an_id_of_its_own_that_is_in_no_link(open_app):
    ids = {(app := open_app("home", **SMALL)).session_state["shelf"] for _ in range(3)}
    assert len(ids) == 3
    assert all(len(name) == 32 for name in ids)  # 24 random bytes
    assert not any(name in str(app.query_params) for name in ids)


def test_a_tab_goes_on_with_its_id_though_nothing_stood_on_its_shelf_when_it_was_loaded_again(monkeypatch):
    def load(tab):
        monkeypatch.setattr(shelf.st, "session_state", {})  # another session
        own = shelf.own()
        shelf.adopt(tab)
        return own

    tab = load(None)
    load(tab)  # before anything was kept
    shelf.keep("run", "trained", 7)
    load(tab)
    assert shelf.own() == tab
    assert shelf.st.session_state["run"] == "trained"
    for other in ("", "nothing", tab[:-1], None, 7):
        own = load(other)
        assert shelf.own() == own
        assert "run" not in shelf.st.session_state


@pytest.mark.slow
def test_a_session_that_knows_the_id_goes_on_with_the_same_training_and_any_other_id_changes_nothing(open_app):
    settings = {"hidden_size": "6", "cells": ["RNN"], "task_steps": "12", "task_batch": "4", "updates": "20"}
    first = open_app("training", **settings)
    first.button(key="start training").click().run()
    train(first.session_state["job training"][1])
    first.run()
    assert any(text.value == shelf.SAID for text in first.caption)
    known = first.session_state["shelf"]
    for name in ("", "nothing", known[:-1], None, 7):
        assert shelf.SHELVES.use(str(name)) is None
    again = open_app("training", **settings)
    assert again.session_state["job training"][1].done == 0
    for name, value in shelf.SHELVES.use(known).items():
        again.session_state[name] = value
    again.run()
    assert again.session_state["job training"][1] is first.session_state["job training"][1]
    assert "Update 20 of 20" in again.get("progress")[0].proto.text


def test_the_size_of_a_job_is_that_at_its_end_and_grows_with_its_weights_and_what_it_will_measure():
    def job(hidden_size, updates, made=0):
        recipe = Recipe(updates=updates, trace_every=2)
        run = Run(Experiment(cell="gru", hidden_size=hidden_size, steps=10, batch_size=2), "parity", recipe)
        begun = Job([run])
        begun.records[0] = run.advance(made) if made else begun.records[0]
        return begun

    small, large, longer = job(4, 9), job(32, 9), job(4, 90)
    assert job(4, 9, made=9).size == small.size
    arrays = [parameter.detach().numpy() for parameter in large.runs[0].parameters]
    assert large.size > 3 * sum(np.asarray(array).nbytes for array in arrays)
    assert small.size < longer.size
    assert small.size < large.size
