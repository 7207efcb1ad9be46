"""Remedies under a card, the presets above the opening picture, and the line that an open gate promises."""

import numpy as np
import pytest

from gradlab import Experiment, diagnose, trace
from gradlab.settings.pins import Pin
from gradlab.ui.frame.presets import FIRST, PRESETS
from gradlab.ui.parts.promise import BIAS, promised
from gradlab.words.numbers import number
from tests.ui.conftest import SMALL


@pytest.mark.parametrize("page", ["home", "gradient_flow"])
def test_a_click_on_a_remedy_applies_it_and_what_it_said_is_what_is_left(open_app, page):
    app = open_app(page, **SMALL, cells=["LSTM"], forget_bias="-1.0", **{f"{page}_remedies_lstm": "true"})
    buttons = [button for button in app.button if button.key.startswith(f"{page} remedy")]
    assert buttons
    said = next(button for button in buttons if button.label.startswith("keep-gate bias 3:"))
    said.click().run()
    assert not app.exception
    (now,) = app.session_state["settings"].subjects
    assert (now.keep_bias, now.forget_bias) == (3.0, None)
    assert f": {number(diagnose(trace(now)).log10_left)} is left" in said.label


def test_a_remedy_pins_the_settings_before_and_one_undo_takes_both_away(open_app):
    app = open_app("home", **SMALL, cells=["LSTM"], home_remedies_lstm="true")
    first = app.session_state["settings"]
    button = next(button for button in app.button if button.key.startswith("home remedy"))
    assert button.help == "Pins the settings before the change, so that both lie on the chart."
    button.click().run()
    shown = app.session_state["settings"]
    assert shown.pins == (Pin.of("before", first.subjects),)
    assert shown.subjects != first.subjects
    app.button(key="undo").click().run()
    assert app.session_state["settings"] == first
    app.button(key="redo").click().run()
    assert app.session_state["settings"] == shown


def test_a_remedy_pins_nothing_that_is_pinned_already_or_has_no_room_and_its_help_says_so(open_app):
    pin = Pin.of("A", [Experiment(**{name: int(value) for name, value in SMALL.items()})])
    others = [pin._replace(name=name, experiment=pin.experiment.replace(gain=0.5 + n / 10)).text for n, name in
              enumerate("BCDE")]  # fmt: skip
    for pins, why in ([pin.text], "the pin A has them already."), (others, "there are 4 pins already"):
        app = open_app("home", **SMALL, cells=["LSTM"], home_remedies_lstm="true", pin=pins)
        before = app.session_state["settings"].pins
        button = next(button for button in app.button if button.key.startswith("home remedy"))
        assert f"The settings before are not pinned: {why}" in button.help
        button.click().run()
        assert app.session_state["settings"].pins == before
        assert app.session_state["settings"].subjects[0] != pin.experiment


def test_a_network_that_does_not_vanish_is_offered_nothing(open_app):
    app = open_app("home", **SMALL, cells=["RNN (linear)"], initialization="orthogonal")
    assert diagnose(trace(app.session_state["settings"].one.replace(cell="rnn_linear"))).verdict == "steady"
    assert not [part for part in app.expander if part.label == "Try on this network"]


def test_the_preset_that_is_set_says_why_above_the_picture_and_no_other_does(open_app):
    for name in FIRST:
        app = open_app("home")
        app.button(key=f"preset {name}").click().run()
        said = [text.value for text in app.main.caption]
        assert [preset for preset in PRESETS if PRESETS[preset].why in said] == [name]
    app = open_app("home", gain="0.7")
    assert not {preset.why for preset in PRESETS.values()} & {text.value for text in app.main.caption}


def test_the_promised_line_is_the_first_gated_cells_at_an_open_gate_and_ends_where_it_is_open():
    where = "layer == 0 and state == 'h'"
    e = Experiment(hidden_size=6, steps=30, batch_size=2)
    for cell, relative, column in (("lstm", True, "log10_relative"), ("gru", False, "log10_norm")):
        found = promised([e.replace(cell="rnn"), e.replace(cell=cell)], where, relative).on_screen()
        rows = trace(e.replace(cell=cell, keep_bias=BIAS)).table.query(where)
        assert np.array_equal(found[column], rows[column])
        assert set(found["label"]) == {f"{e.replace(cell=cell).title} at keep-gate bias 3"}
    for none in (e.replace(keep_bias=3.0), e.replace(forget_bias=4.0), e.replace(cell="rnn"), e.replace(cell="leaky")):
        assert promised([none], where, relative=True) is None


def test_a_page_without_settings_has_nothing_to_reset(open_app):
    keys = {button.key for button in open_app("one_unit").button}
    assert "reset" not in keys
    assert "reset" in {button.key for button in open_app("gates").button}
