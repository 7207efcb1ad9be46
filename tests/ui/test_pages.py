"""Every page through the whole app, from gradlab/ui/main.py."""

import itertools
import json
import re
import tomllib
from types import SimpleNamespace

import pytest
import vl_convert

from gradlab.charts.colours import CARD_COLOURS, cell_colour
from gradlab.exports import Layout
from gradlab.settings.catalogue import bounds, default
from gradlab.settings.experiment import Experiment
from gradlab.ui import ask
from gradlab.ui.frame.presets import PRESETS
from gradlab.ui.frame.widgets import LADDERS
from gradlab.ui.parts.export_bar import Picture, picture_of
from gradlab.words.numbers import plain
from tests.ui.conftest import ROOT, SMALL, visited

PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py"))


def charts(app):
    return [json.loads(chart.proto.spec) for chart in app.get("vega_lite_chart")]


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_with_a_picture_already_drawn(open_app, page):
    app = open_app(page, **SMALL)
    assert app.title[0].value
    assert charts(app)
    assert all(chart.proto.alt for chart in app.get("vega_lite_chart"))


def test_the_home_page_draws_the_three_cells_over_the_same_input_without_a_click(open_app):
    settings = open_app().session_state["settings"]
    assert [experiment.cell for experiment in settings.subjects] == ["rnn", "lstm", "gru"]
    assert len({experiment.replace(cell="rnn") for experiment in settings.subjects}) == 1


def test_the_opening_sentence_holds_the_numbers_of_the_trace(open_app):
    import gradlab

    app = open_app(
        **SMALL, depth="2", gain="0.7", forget_bias="2.5", initialization="orthogonal", seed="4", inputs="sines"
    )
    for experiment in app.session_state["settings"].subjects:
        left = gradlab.trace(experiment).table.query("state == 'h' and layer == 0 and step == 0").log10_relative.item()
        said = plain(app.markdown[0].value).partition(f"{gradlab.CELLS[experiment.cell].title} ")[2]
        assert float(re.match(r"[-+.e\d]+\d", said)[0]) == pytest.approx(10**left, rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(
    "query",
    [
        {"depth": "3", "state": "all", "relative": "false"},
        {"cells": "RNN", "state": "c"},
        {"loss": "every"},
        {"loss": "step", "loss_step": "7"},
        {"inputs": "text", "text": "아버지가 방에 들어가신다"},
        {"initialization": "zeros", "gain": "0.0"},
        {"cells": "RNN (ReLU)", "gain": "3.0", "steps": "2000"},
        {"dtype": "float32", "inputs": "impulse"},
    ],
    ids=lambda query: " ".join(query.values()),
)
def test_every_page_survives_unusual_settings(open_app, page, query):
    assert charts(open_app(page, **(SMALL | query)))


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({}, "So much of the gradient injected at the last step remains in h 29 steps earlier"),
        ({"loss": "step", "loss_step": "7"}, "injected at step 7 remains in h 7 steps earlier"),
        (
            {"loss": "every"},
            "enters at 30 of 30 steps. So much of the last loss's gradient, injected at step 29, is left in h at",
        ),
        ({"depth": "2"}, "remains in h of the bottom layer 29 steps earlier"),
    ],
    ids=["last", "step", "every", "depth"],
)
def test_the_opening_sentence_says_where_the_loss_enters(open_app, query, words):
    assert words in open_app(**SMALL, **query).markdown[0].value


def test_an_overflowing_forward_pass_is_reported_and_marked(open_app):
    app = open_app(cells="RNN (ReLU)", gain="5.0", steps="2000")
    assert "overflow" in app.warning[0].value


def test_a_request_too_large_for_memory_is_refused_with_an_estimate_and_what_to_lower(open_app):
    app = open_app(steps="1000000", batch_size="256", hidden_size="1024", depth="8")
    assert "GB" in app.text[0].value
    assert "lower" in app.text[0].value
    assert not charts(app)


def test_settings_survive_a_change_of_page(open_app):
    app = open_app(**SMALL)
    app.select_slider(key="keep_bias").set_value(3.0).run()
    before = app.session_state["settings"]
    for page in ("gradient_flow", "weights", "home"):
        app.switch_page(str(ROOT / "pages" / f"{page}.py")).run()
        assert not app.exception
        assert app.session_state["settings"] == before


def test_on_another_page_the_browser_is_told_every_value_that_it_may_have_forgotten(open_app):
    app = open_app(**SMALL)
    app.select_slider(key="steps").set_value(90).run()
    app.switch_page(str(ROOT / "pages" / "gradient_flow.py")).run()
    sent = app.select_slider(key="steps").proto
    assert sent.set_value
    assert sent.options[int(sent.default[0])] == "200", "its default: what a browser shows that has forgotten the value"
    assert list(sent.raw_value) == ["90"]
    app.run()
    assert not app.select_slider(key="steps").proto.set_value, "on the same page a key press may be on its way"


def test_the_check_compares_with_autograd_and_finite_differences_and_passes(open_app):
    app = open_app("gradient_flow", **SMALL, depth="2")
    assert not app.dataframe
    app.button(key="check").click().run()
    table = app.dataframe[0].value
    assert set(table["check"]) == {"autograd", "finite differences"}
    assert set(table["passed"]) == {"passes"}
    assert set(table["cell"]) == {"RNN", "LSTM", "GRU"}
    app.select_slider(key="gain").set_value(0.5).run()
    assert not app.dataframe, "an answer about other settings must not stay"


@pytest.mark.slow
def test_the_check_says_of_each_cell_on_what_it_was_compared(open_app):
    chaotic = {"gain": "5.0", "initialization": "gaussian", "inputs": "zero", "steps": "200", "hidden_size": "8"}
    app = open_app("gradient_flow", **chaotic, cells="RNN,LSTM")
    app.button(key="check").click().run()
    said = app.success[0].value
    assert "RNN: Compared on the first 50 steps" in said
    assert "LSTM: Compared on the first 200 steps" in said


def test_progress_is_drawn_ten_times_a_second_however_often_it_is_told(monkeypatch):
    now, drawn = [0.0], []
    monkeypatch.setattr(ask.time, "monotonic", lambda: now[0])
    bar = ask.Bar()
    bar.slot = SimpleNamespace(progress=lambda share, text: drawn.append(text))
    progress = bar.progress_of("Checking")
    for step in range(4000):
        now[0] = step / 1000
        progress(step / 4000)
    assert len(drawn) == pytest.approx((4 - ask.SHOW_AFTER) / ask.SHOW_EVERY, abs=1)
    assert drawn[0].startswith("Checking: 8%, about 4 s left")  # 0.3 of 4 seconds


@pytest.mark.slow
@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_applies_and_reset_undoes_it(open_app, name):
    app = open_app("gradient_flow", seed="5")
    app.button(key=f"preset {name}").click().run()
    assert not app.exception
    assert not app.session_state["problems"] if "problems" in app.session_state else True
    experiment = app.session_state["settings"].subjects[0]
    for setting, value in PRESETS[name].settings.items():
        if setting != "cells":
            assert getattr(experiment, setting) == value
    app.button(key="reset").click().run()
    assert app.session_state["settings"].subjects[0] == Experiment(cell="rnn")


@pytest.mark.parametrize("name", LADDERS)
def test_every_stop_of_a_slider_is_allowed_and_the_default_is_one(name):
    low, high = bounds(name)
    assert default(name) in LADDERS[name]
    assert all(stop is None or low <= stop <= high for stop in LADDERS[name])


def test_the_palette_names_of_the_theme_are_the_cells_colours_on_the_charts():
    theme = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"]
    for dark, section in ((False, theme["light"]), (True, theme["dark"])):
        for cell, name in CARD_COLOURS.items():
            assert section[f"{name}Color"] == cell_colour(cell, dark)


def _axes(chart) -> set[str]:
    """Along which sides a chart has an axis, as Vega draws it."""
    document = chart if isinstance(chart, dict) else chart.to_dict() | {"datasets": {}}
    is_vega = "/vega/" in document.get("$schema", "")
    vega = document if is_vega else vl_convert.vegalite_to_vega(document)
    groups = [vega, *(mark for mark in vega["marks"] if mark["type"] == "group")]
    drawn = [
        axis for group in groups for axis in group.get("axes", []) if axis.get("labels", True) or axis.get("title")
    ]
    return {"x" if axis["orient"] in ("top", "bottom") else "y" for axis in drawn}


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_every_picture_speaks_of_what_it_shows_answers_the_pointer_and_has_its_axes(open_app, drawn, page):
    pictures = visited(open_app, drawn, page, {})
    said = [(words.title, words.sentence) for _, words in pictures.exported]
    holds_a_computed_sentence_each(said)
    if page != "training":  # before any update "before" and "after" are the same numbers
        assert len({sentence for _title, sentence in said}) == len(said), "that is said of a neighbour too"
    assert len(set(pictures.alts)) == len(pictures.alts)
    kind = SimpleNamespace(write=lambda chart, subjects, **options: [options["title"], options["subtitle"]])
    taken = [picture_of(kind, *one, Picture(Layout(), False, True)) for one in pictures.exported]
    for text in [*pictures.alts, *itertools.chain(*taken)]:
        assert not re.search(r"\*\*|:[a-z]+\[", text), f"markdown: {text}"
    for chart, alt in zip(pictures.charts, pictures.alts, strict=True):
        document = chart if isinstance(chart, dict) else chart.to_dict()
        assert '"tooltip"' in json.dumps([document.get("layer"), document.get("marks")]), alt
        if page not in ("training", "character_model"):
            axes = _axes(chart)
            if axes or page not in ("sequence_types", "initializations"):  # galleries, whose small pictures have none
                assert axes == {"x", "y"}, alt


def holds_a_computed_sentence_each(said):
    """Every picture says something computed of its own to those who do not see it."""
    assert said
    assert len(said) == len(set(said))
    for title, sentence in said:
        assert any(letter.isdigit() for letter in sentence), title
