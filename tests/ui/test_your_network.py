"""The page of a visitor's own network: the diagnosis, what would help, and every other page on the same network."""

import numpy as np
import pytest

import gradlab
from gradlab.analyses.worst import worst
from gradlab.training import example
from gradlab.words import your_network as words
from tests.ui.conftest import ROOT
from tests.ui.test_opened import drawn, page

SMALL = {"steps": "40", "batch_size": "2"}


def said(app):
    return [text.value for text in (*app.markdown, *app.caption)]


def remedies_of(app):
    (one,) = app.session_state["settings"].subjects
    found = gradlab.trace(one)
    return gradlab.remedies(found, layer=worst(found).diagnosis.layer)


def test_it_opens_with_an_example_that_was_trained_and_says_where_its_gradient_dies(open_app):
    app = open_app("your_network", **SMALL)
    (one,) = app.session_state["settings"].subjects
    assert one == example().replace(steps=40, batch_size=2)
    assert one.weights.updates > 0
    found = worst(gradlab.trace(one))
    assert any(words.where(found, 2) in text for text in said(app))
    assert found.diagnosis.sentence in said(app)
    assert any("An example, trained by gradlab itself" in text for text in said(app))


def test_a_remedy_chosen_moves_the_line_to_what_the_library_computes(open_app):
    app = open_app("your_network", **SMALL)
    found = remedies_of(app)
    for place in (0, 1, len(found) - 1):
        app.selectbox(key="your_network_remedy").set_value(place).run()
        assert not app.exception
        rows = [row for row in drawn(app, "line") if row.get("log10_relative") is not None]
        for line, values in (("now", found[place].log10_now), ("after", found[place].log10_relative)):
            shown = {row["step"]: row["log10_relative"] for row in rows if row["line"] == line}
            expected = {step: value for step, value in enumerate(values) if np.isfinite(value)}
            assert shown == pytest.approx(expected, abs=1e-6)
        assert found[place].code in [code.value for code in app.code]
        assert any(found[place].reason in text and found[place].cost in text for text in said(app))


def test_every_remedy_is_listed_with_those_that_do_not_help(open_app):
    app = open_app("your_network", **SMALL)
    found = remedies_of(app)
    (table,) = app.dataframe
    assert list(table.value["Remedy"]) == [remedy.title for remedy in found]
    assert list(table.value["Helps"]) == ["yes" if remedy.helps else "no" for remedy in found]
    assert set(table.value["Helps"]) == {"yes", "no"}


def test_the_example_is_one_click_from_every_page_and_stays_in_this_session(open_app):
    app = open_app("your_network", **SMALL)
    app.button(key="open yours").click().run()
    assert not app.exception, app.exception
    (one,) = app.session_state["settings"].subjects
    for name in ("gradient_flow", "why_addition", "gates"):
        page(app, name)
        (now,) = app.session_state["settings"].subjects
        assert now.weights == one.weights
        assert "update 40 of Adding problem" in " ".join(said(app))
    page(app, "your_network")
    assert not any("An example" in text for text in said(app))
    assert "opened" not in open_app("gradient_flow").session_state, "another visitor's"


def test_the_page_is_short():
    assert len((ROOT / "pages" / "your_network.py").read_text().splitlines()) <= 40
