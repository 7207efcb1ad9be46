"""The gallery of initializations and the phase map: what they say is what the library gives, and what a click does."""

import json

import pytest
from gradlab.survival import every_initialization
from playwright.sync_api import expect

from gradlab import diagnose, trace
from gradlab.charts.initializations import CHOSEN as PANEL
from gradlab.charts.phase_map import CHOSEN as PLACE
from gradlab.sweeps.maps import MAPS, phase_map
from gradlab.ui.parts import initializations
from gradlab.ui.parts import phase_map as part
from gradlab.words.initializations import headline, of_defaults, paired
from gradlab.words.numbers import number, signed
from tests.ui.browser import CHART, WAIT, idle, visit
from tests.ui.conftest import SMALL

MAP = {"phase_map_size": "5", "phase_map_seeds": "1"}


def said(app):
    return "\n".join(element.value for element in (*app.markdown, *app.caption, *app.info))


def one_of(app):
    return app.session_state["settings"].one


def test_the_gallery_says_what_every_initialization_leaves(open_app):
    app = open_app("initializations", **SMALL, one_cell="GRU", initializations_seeds="3")
    found = every_initialization(one_of(app), 3)
    assert headline(found) in said(app)
    assert of_defaults(found, "pytorch") in said(app)
    keeps = list(found.summary.loc[found.summary["verdict"] == "steady", "title"])
    assert f"{len(keeps)} of 23" in said(app) or "No initialization keeps" in said(app)


def test_a_pin_stands_beside_the_gallery_with_the_same_seeds(open_app):
    pin = "name=A&cells=lstm&keep_bias=3.0&steps=30&hidden_size=8&input_size=4&batch_size=2"
    app = open_app("initializations", **SMALL, initializations_seeds="3", pin=pin)
    now = every_initialization(one_of(app), 3)
    then = every_initialization(one_of(app).replace(keep_bias=3.0), 3)
    assert paired(now, then, "A") in said(app)
    assert "Compared with **A** over the same 3 seeds" in said(app)


def test_a_clicked_panel_is_the_initialization_of_every_page(open_app, monkeypatch):
    state = {}
    monkeypatch.setattr(initializations.st, "session_state", state)
    initializations._use([])
    assert state == {}
    initializations._use([{"initialization": "chrono"}])
    assert state == {"initialization": "chrono"}
    assert PANEL == "initialization_chosen"


def test_the_map_says_what_the_present_network_does_and_where_the_rate_passes_0(open_app):
    app = open_app("phase_map", **SMALL, **MAP, keep_bias="1.0")
    e = one_of(app)
    rate = diagnose(trace(e)).decades_per_100_steps
    assert f"The present network, gain 1 and keep-gate bias 1: {signed(rate)} decades per 100 steps" in said(app)
    table = phase_map(e, "keep_bias", 5, 1).table
    line = table[table["gain"] == 0.75].set_index("keep_bias")["median"]  # the nearest to 1 of 0, .75, 1.5 …
    passes = [(a, b) for a, b in zip(line.index, line.index[1:], strict=False) if (line[a] < 0) != (line[b] < 0)]
    expected = f"between keep-gate bias {passes[0][0]:g} and {passes[0][1]:g}" if passes else "stays below 0"
    assert expected.replace("-", "−") in said(app).replace("keep-gate", "keep−gate").replace(
        "keep−gate", "keep-gate"
    ).replace("-", "−")


def test_moving_a_setting_of_the_axes_measures_no_other_map(open_app):
    app = open_app("phase_map", **SMALL, **MAP)
    before = one_of(app)
    app.session_state["gain"] = 1.5
    app.run()
    assert one_of(app).gain == 1.5
    with_state = {part.OF: "keep_bias", part.SIZE: 5, part.SEEDS: 1}
    calls = []
    for settings in (before, one_of(app)):
        part.st.session_state.update(with_state)
        calls.append(part.call_of(settings).key)
    assert calls[0] == calls[1]


@pytest.mark.parametrize("of", MAPS)
def test_every_map_is_drawn_with_its_axes_and_a_word_about_theory(open_app, of, monkeypatch):
    monkeypatch.setattr(part, "AT_ONCE", 1000)
    app = open_app("phase_map", **SMALL, **MAP, phase_map_of=of, depth="1")
    (chart,) = app.get("arrow_vega_lite_chart") or app.get("vega_lite_chart")
    spec = json.loads(chart.proto.spec)
    fields = {layer["encoding"]["x"]["field"] for layer in spec["layer"]}
    assert "left" in fields
    assert "theory" in said(app).lower()


def test_a_cell_without_a_gate_that_keeps_has_the_map_of_the_steps_and_says_why(open_app):
    app = open_app("phase_map", **SMALL, **MAP, one_cell="RNN")
    assert "RNN has no gate that keeps its old state, so its map is gain × steps." in said(app)
    assert "gain 0 to 3 × steps 20 to 400" in said(app)


def test_a_clicked_place_sets_its_settings_and_the_cell_for_every_page(monkeypatch):
    state = {}
    monkeypatch.setattr(part.st, "session_state", state)
    part._open("gru", [])
    assert state == {}
    part._open("gru", [{"gain": 1, "keep_bias": 2.5, "vlPoint": "not a setting"}])
    assert state == {"gain": 1.0, "keep_bias": 2.5, "cells": ["GRU"], part.OPENING: True}
    assert PLACE == "place_chosen"


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.usefixtures("quiet")
def test_a_click_on_a_place_opens_its_network_in_the_explorer(page, app_url):
    visit(page, f"{app_url}/phase_map?one_cell=GRU&steps=30&hidden_size=8&phase_map_size=5&phase_map_seeds=1")
    chart = page.locator(CHART).first
    box = chart.bounding_box()
    at = {"x": 0.6 * box["width"], "y": 0.5 * box["height"]}
    chart.hover(position=at)
    page.locator("#vg-tooltip-element.visible").wait_for(timeout=WAIT)  # the chart listens
    chart.click(position=at)
    page.get_by_role("heading", name="Gradient flow").wait_for(timeout=WAIT)
    idle(page)
    expect(page.get_by_text("remains in h 29 steps earlier: GRU")).to_be_visible()
    gain = page.get_by_role("slider", name="Gain").get_attribute("aria-valuetext")
    assert gain in ("0.75", "1.5", "2.25")
    page.reload()  # the address has it all
    expect(page.get_by_text("remains in h 29 steps earlier: GRU")).to_be_visible()
    expect(page.get_by_role("slider", name="Gain")).to_have_attribute("aria-valuetext", gain)


def test_a_map_that_takes_long_is_begun_by_a_button_alone(open_app, monkeypatch):
    monkeypatch.setattr(part, "LONG", 0.0)
    app = open_app("phase_map", **SMALL, phase_map_size="101", phase_map_seeds="10")
    assert any("These settings take about" in text.value for text in app.text)
    assert any(button.label == "Begin" for button in app.button)


def test_numbers_of_the_headline_are_shares_of_the_places(open_app):
    app = open_app("phase_map", **SMALL, **MAP)
    median = phase_map(one_of(app), "keep_bias", 5, 1).table["median"]
    kept = (median.abs() <= 1).sum() / len(median)
    assert f"**the gradient keeps its size at {kept:.0%}**" in said(app)
    assert number(0.0) == "1"
