"""From a setting to the rows that are taken home: one way down, one way up, and nothing on the way twice."""

import json
from collections import Counter

import pytest
from streamlit.elements import vega_charts

from gradlab.analyses import traces
from gradlab.analyses.call import Call, Table
from gradlab.settings import drawing
from gradlab.ui import ask
from gradlab.ui.frame import link, settings
from gradlab.ui.parts import figure
from gradlab.ui.work import KEPT


@pytest.fixture
def stays(monkeypatch):
    """How often each stay of the way is visited."""
    seen = Counter()

    def counted(place, name):
        function = getattr(place, name)

        def visited(*arguments, **options):
            seen[name] += 1
            return function(*arguments, **options)

        monkeypatch.setattr(place, name, visited)

    for module in (settings, link):
        counted(module, "read_query")
    counted(drawing, "_drawn_layer")
    counted(traces, "sweep")
    for name in ("refuse", "result_of"):
        counted(Call, name)
    counted(Table, "parts_of")
    return seen


def test_a_visit_reads_its_address_and_then_each_run_reads_the_settings_once(open_app, stays):
    app = open_app("home", steps="20", hidden_size="4")
    stays.clear()
    app.run()
    assert stays == {"read_query": 1}  # nothing moved: every answer is there, none is asked whether it fits


def test_a_moved_keep_gate_bias_passes_each_stay_once_a_gated_cell_and_the_rnn_none(open_app, stays):
    app = open_app("home", steps="20", hidden_size="4")
    stays.clear()
    app.select_slider(key="keep_bias").set_value(2.0).run()
    assert not app.exception
    assert stays["read_query"] == 1
    assert stays["_drawn_layer"] == stays["sweep"] == 2  # the LSTM's and the GRU's
    assert stays["result_of"] == 4  # a trace and a diagnosis of each
    assert stays["parts_of"] == 1  # of the picture
    stays.clear()
    app.run()
    assert stays == {"read_query": 1}


def test_what_is_taken_home_is_made_of_what_the_screen_has(open_app, stays, monkeypatch):
    questions = []
    reduced = ask._reduced

    def seen(key, reduction, question, bar):
        questions.append(question)
        return reduced(key, reduction, question, bar)

    monkeypatch.setattr(ask, "_reduced", seen)
    open_app("home", steps="24", hidden_size="4")  # which no other test has made
    stays.clear()
    parts = ask.every_part(max(questions, key=lambda question: len(question.calls)))  # beside it: what is promised
    assert sum(len(part.rows()) for part in parts) == 3 * 24
    assert stays == {"parts_of": 1}


@pytest.fixture
def documents(monkeypatch):
    """How many charts became documents, and what Streamlit was told to draw."""
    seen, drawn = Counter(), []
    make, chart = figure.document_of, vega_charts.VegaChartsMixin._vega_lite_chart

    def made(*arguments):
        seen["made"] += 1
        return make(*arguments)

    def told(place, **options):
        drawn.append((json.dumps(options["spec"], sort_keys=True, default=bytes.hex), options["alt"]))
        return chart(place, **options)

    monkeypatch.setattr(figure, "document_of", made)
    monkeypatch.setattr(vega_charts.VegaChartsMixin, "_vega_lite_chart", told)
    return seen, drawn


def test_equal_charts_become_a_document_once_for_all_visitors_and_another_setting_has_its_own(open_app, documents):
    seen, drawn = documents
    settings = {"steps": "21", "hidden_size": "4"}  # which no other test has
    app = open_app("gradient_flow", **settings)
    assert seen["made"] == 1  # of the heat map; the lines follow the finger and have a specification
    first = drawn[-1]
    drawn.clear()
    app.run()
    assert seen["made"] == 1
    assert first in drawn
    drawn.clear()
    app.select_slider(key="gain").set_value(1.5).run()
    assert seen["made"] == 2
    assert first[0] not in [document for document, _ in drawn]
    drawn.clear()
    open_app("gradient_flow", **settings)
    assert seen["made"] == 2
    assert first in drawn


@pytest.mark.slow
def test_a_document_that_is_kept_is_the_one_that_was_made(open_app, documents):
    seen, drawn = documents
    settings = {"steps": "22", "hidden_size": "4"}
    open_app("gates", **settings)
    made, kept = list(drawn), seen["made"]
    assert kept >= 2  # the maps of units, and where the gates stand
    drawn.clear()
    KEPT.clear()
    open_app("gates", **settings)
    assert seen["made"] == 2 * kept
    anew = list(drawn)
    drawn.clear()
    open_app("gates", **settings)
    assert seen["made"] == 2 * kept
    assert drawn == anew == made
