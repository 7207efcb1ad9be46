"""Pins in the app: made, named, swapped and removed; in the link; drawn beside curves that move while they stand."""

import importlib
import json
from urllib.parse import parse_qs, parse_qsl, urlencode

import numpy as np
import pandas as pd
import pytest

from gradlab import Experiment, trace
from gradlab.analyses.thinning import Lines, pin_names
from gradlab.charts import ghosts
from gradlab.settings import pins as settings_pins
from gradlab.settings.pins import MOST, Pin
from gradlab.ui.frame import link
from gradlab.ui.parts import following
from gradlab.words import pins as words
from tests.ui.conftest import SMALL, sent, visited
from tests.ui.test_follows import asked, at

BOTH = ["home", "gradient_flow"]
A = "name=A&cells=rnn,lstm&keep_bias=1.0&" + urlencode(SMALL)
NOW = SMALL | {"cells": ["RNN", "LSTM"], "keep_bias": "3.0"}


def address(app) -> dict:
    """What the address bar says, each name with a list."""
    return {name: values if isinstance(values, list) else [values] for name, values in app.query_params.items()}


def copied(app) -> dict:
    """What the copied link says."""
    tools = [part for part in app.get("bidi_component") if "copy_link" in part.proto.id]
    return parse_qs(json.loads(tools[0].proto.json)["query"])


def shown(app):
    return app.session_state["settings"]


def refused(app) -> list[str]:
    return [text.value for text in app.text]


def first(app) -> dict:
    """The rows of the first picture, by dataset."""
    return sent(app)["frame"]["pictures"][0]["rows"]


@pytest.mark.parametrize("page", BOTH)
def test_a_pin_keeps_the_settings_as_they_are_and_its_curves_stay_when_they_change(open_app, page):
    app = open_app(page, **NOW | {"keep_bias": "1.0"})
    assert "ghosts" not in first(app)
    app.button(key="pin").click().run()
    (pin,) = shown(app).pins
    assert pin == Pin.of("A", shown(app).subjects)
    assert all(first(app)["ghosts"]["same"]), "it is the present one"
    app.select_slider(key="keep_bias").set_value(3.0).run()
    assert shown(app).pins == (pin,)
    table = pd.DataFrame(first(app)["ghosts"])
    for e in pin.subjects:
        drawn = table[(table["cell"] == e.cell) & (table["state"] == "h")]
        norms = trace(e).log10_norm("h")[0] - trace(e).log10_cotangent
        np.testing.assert_allclose(drawn["log10_relative"], norms.mean(axis=1), rtol=1e-12)
        assert drawn["same"].eq(e.cell == "rnn").all(), "a bias of gates leaves the RNN as it is"
    assert first(app)["ghost names"]["label"] == ["A LSTM: keep-gate bias 1"]
    assert address(app)["pin"] == copied(app)["pin"] == [pin.text]


@pytest.mark.parametrize("page", BOTH)
def test_a_link_with_pins_opened_anew_shows_the_same(open_app, page):
    app = open_app(page, **NOW | {"keep_bias": "1.0"})
    for value in (2.0, 3.0):
        app.button(key="pin").click().run()
        app.select_slider(key="keep_bias").set_value(value).run()
    query = {name: values if len(values) > 1 else values[0] for name, values in copied(app).items()}
    again = open_app(page, **query)
    assert sent(again)["frame"] == sent(app)["frame"]
    assert shown(again) == shown(app)
    assert not refused(again)
    read, problems = link.read(parse_qsl(sent(app)["query"], keep_blank_values=True))
    assert (read, problems) == (shown(app), [])


def test_a_pin_is_renamed_swapped_and_removed(open_app):
    app = open_app(**NOW, pin=A)
    before = shown(app)
    app.text_input(key="pin_name_0_A").set_value("closed").run()
    assert [pin.name for pin in shown(app).pins] == ["closed"]
    assert "name=closed&" in address(app)["pin"][0]
    app.button(key="swap_pin").click().run()
    assert [subject.keep_bias for subject in shown(app).subjects] == [1.0, 1.0]
    assert shown(app).pins == (Pin.of("closed", before.subjects),)
    app.button(key="pin_swap_0").click().run()
    assert shown(app).subjects == before.subjects
    app.button(key="pin_remove_0").click().run()
    assert shown(app).pins == ()
    assert "pin" not in address(app)
    assert "pin" not in copied(app)
    assert "ghosts" not in first(app)


@pytest.mark.parametrize("name", ["", "now", "B", "**x**", "www.example.org"])
def test_a_name_that_a_pin_cannot_have_is_refused_in_a_sentence_and_the_old_one_stays(open_app, name):
    app = open_app(**NOW, pin=[A, A.replace("name=A", "name=B")])
    app.text_input(key="pin_name_0_A").set_value(name).run()
    assert [pin.name for pin in shown(app).pins] == ["A", "B"]
    assert any(sentence.startswith(f"name = {name!r} is not allowed for a pin") for sentence in refused(app))


def test_four_pins_are_kept_and_the_button_says_why_there_are_no_more(open_app):
    app = open_app(**SMALL)
    for number in range(MOST):
        assert not app.button(key="pin").disabled
        app.button(key="pin").click().run()
        app.select_slider(key="gain").set_value((number + 1) / 10).run()
    assert [pin.name for pin in shown(app).pins] == ["A", "B", "C", "D"]
    assert app.button(key="pin").disabled
    assert "4 pins already" in app.button(key="pin").help
    app.button(key="pin_remove_1").click().run()
    app.button(key="pin").click().run()
    assert [pin.name for pin in shown(app).pins] == ["A", "C", "D", "B"]


def test_a_text_that_leaves_pins_no_room_in_the_link_takes_them_away_with_a_sentence(open_app, monkeypatch):
    app = open_app(**SMALL | {"inputs": "text"}, pin=A)
    assert len(shown(app).pins) == 1
    monkeypatch.setattr(settings_pins, "TEXT_BYTES", 50)
    app.text_area(key="text").set_value("abcde " * 20).run()
    assert shown(app).pins == ()
    assert any("The pin 'A' is left out: the pins take" in sentence for sentence in refused(app))
    assert app.button(key="pin").disabled


def test_pinning_and_what_comes_of_it_is_undone_and_redone(open_app):
    app = open_app(**NOW)
    states = [shown(app)]
    for key in ("pin", "preset Orthogonal", "swap_pin", "pin_remove_0"):
        app.button(key=key).click().run()
        states.append(shown(app))
    for state in reversed(states[:-1]):
        app.button(key="undo").click().run()
        assert shown(app) == state
    for state in states[1:]:
        app.button(key="redo").click().run()
        assert shown(app) == state


def test_pins_stay_while_pages_change_and_reach_those_that_do_not_draw_them(open_app):
    app = open_app("one_unit", **NOW, pin=A)
    assert [pin.name for pin in shown(app).pins] == ["A"]
    assert address(app)["pin"] == [shown(app).pins[0].text]


HOSTILE = ["", "nonsense", "cells=lstm&gain=1e400", "name=%00&cells=lstm", f"cells=lstm&text={'x' * 9000}"]


@pytest.mark.parametrize("pin", HOSTILE)
def test_a_pin_that_nobody_would_write_ends_in_a_chart_and_sentences(open_app, pin):
    app = open_app(**SMALL, pin=pin)
    assert app.get("vega_lite_chart")
    assert refused(app)


@pytest.mark.slow
@pytest.mark.parametrize("page", BOTH)
@pytest.mark.parametrize(
    ("setting", "value"), [("keep_bias", "1.0"), ("keep_bias", "none"), ("gain", "1.5"), ("steps", "60")]
)
def test_pins_stand_still_while_a_slider_moves_as_they_do_on_release(open_app, page, setting, value):
    before = sent(open_app(page, **NOW, pin=A))
    released = {name: given for name, given in (NOW | {setting: value}).items() if given != "none"}
    after = sent(open_app(page, **released, pin=A))
    assert asked(before, setting, value) == {value: after["frame"]}
    still, moved = (pd.DataFrame(data["frame"]["pictures"][0]["rows"]["ghosts"]) for data in (before, after))
    pd.testing.assert_series_equal(still["log10_relative"], moved["log10_relative"])
    assert after["frame"]["sentences"][1] != before["frame"]["sentences"][1]


def test_pins_cost_a_slider_nothing_and_count_where_the_page_s_own_curves_take_too_long():
    base, moved = (at([Experiment(keep_bias=bias)]) for bias in (1.0, 2.0))
    long = Pin.of("A", [Experiment(steps=10_000, hidden_size=512)])
    with_pin = [asked._replace(settings=asked.settings._replace(pins=(long,))) for asked in (base, moved)]
    (alone,) = following.milliseconds("home", base, moved)
    assert following.milliseconds("home", *with_pin) == [alone]
    assert alone > 0
    assert following.follows("home", base)
    assert not following.follows("home", with_pin[0])


def test_a_pin_that_does_not_fit_into_memory_is_refused_and_can_be_removed(open_app, monkeypatch):
    plan = importlib.import_module("gradlab.engine.plan")
    app = open_app(**NOW, pin=A)
    assert app.get("vega_lite_chart")
    large = A.replace("steps=30", "steps=1000000")
    app = open_app(**NOW)
    assert app.get("vega_lite_chart")
    monkeypatch.setattr(plan, "memory_limit", lambda: 200 * 2**20)
    app = open_app(**NOW, pin=large)
    assert not app.get("vega_lite_chart")
    assert any("remove a pin" in text or "at most 0.2 GB are allowed" in text for text in refused(app))
    app.button(key="pin_remove_0").click().run()
    assert app.get("vega_lite_chart")


def test_the_sentence_is_that_of_the_traces(open_app):
    app = open_app(**NOW, pin=A)
    pin, now = shown(app).pins[0], shown(app).subjects
    said = words.comparison(pin, now, [trace(e) for e in now], [trace(e) for e in pin.subjects])
    assert said in [part.value for part in app.markdown]
    assert "RNN keeps the same" in said
    assert sent(app)["frame"]["labels"][0].endswith(said.replace("**", "")), "to those who cannot see it too"


def test_the_table_that_is_taken_home_says_which_rows_are_a_pin_s(open_app, drawn):
    exported = visited(open_app, drawn, "home", {"pin": A, "cells": ["RNN", "LSTM"]}).exported
    (drawing, _), *_ = exported
    table = drawing.question.rows()
    assert list(dict.fromkeys(table["pin"])) == ["now", "A"]
    pin = visited_pin(A)
    own = [trace(e).table.query("layer == 0 and state == 'h'") for e in pin.subjects]
    pd.testing.assert_frame_equal(
        table[table["pin"] == "A"].drop(columns="pin").reset_index(drop=True), pd.concat(own, ignore_index=True)
    )


def visited_pin(text: str) -> Pin:
    pin, sentences = settings_pins.read(text)
    assert pin is not None
    assert not sentences
    return pin


def test_the_columns_of_names_are_those_that_the_chart_reads():
    tables = [trace(Experiment(steps=20, gain=gain)).table.assign(pin=pin) for pin, gain in (("now", 1.0), ("A", 0.5))]
    table = Lines().on_screen(pd.concat(tables))
    names = pin_names(table, {"A": "gain 0.5"})
    assert set(ghosts.NAME_COLUMNS) <= set(names)
    assert names["label"].tolist() == ["A: gain 0.5"]
    assert ghosts.NOW == settings_pins.NOW
