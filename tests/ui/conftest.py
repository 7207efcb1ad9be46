"""The app without a browser, its main script run by Streamlit's own test harness; and what a browser must never see."""

import functools
import json
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import streamlit as st
from playwright.sync_api import Page
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from gradlab.ui.ask import rows_on_screen
from gradlab.ui.parts import figure as part

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py"))
SMALL = {"steps": "30", "hidden_size": "8", "input_size": "4", "batch_size": "2"}
FIGURES = {"steps": "24", "hidden_size": "6", "input_size": "3", "batch_size": "2", "depth": "2"}
FIGURES |= {"task_steps": "12", "task_batch": "4", "updates": "20", "text_updates": "20"}
SECTIONS = {  # of pages, all open, and what keeps tests of them short
    "why_addition": {"why_addition_cuts": "true", "why_addition_orders": "true"},
    "gates": {"gates_units": "true", "gates_spread": "true"},
    "gradient_flow": {"gradient_flow_layers": "true"},
    "sequence_types": {"sequence_types_gradient": "true"},
    "itemised": {"itemised_sums": "true"},
    "truncation": {"truncation_others": "true"},
    "training": {"training_before": "true"},
    "character_model": {"character_model_unit": "true", "character_model_numbers": "true"},
    "weights": {"weights_parameters": "true"},
    "your_network": {"your_network_changes": "true"},
    "spectrum": {"spectrum_claims": "true", "spectrum_newton": "true", "spectrum_lags": "true"},
    "initializations": {"initializations_seeds": "3"},
    "phase_map": {"phase_map_size": "5", "phase_map_seeds": "1"},  # measured at once, and not beside the page
}
COMPONENTS = functools.cache(manifest_scanner.scan_component_manifests)  # the installed packages stay as they are
PROBES = ("/_stcore/health", "/_stcore/host-config")  # below a page's address Streamlit looks for its server, in vain


@pytest.fixture
def open_app(monkeypatch):
    """open_app(page="gradient_flow", **query) runs the app at that address and fails on any exception of the script.

    Where Keras is loaded, as it is beside the tests of its files, Streamlit clears it after every run, which walks all
    objects of the process and takes longer than most pages. No server has it. The harness looks through the metadata of
    every installed package for each app, which takes six times as long as a page whose answers are kept; a server
    looks once.
    """
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setattr(manifest_scanner, "scan_component_manifests", COMPONENTS)

    def run(page: str = "home", **query) -> AppTest:
        query = SECTIONS.get(page, {}) | query
        app = AppTest.from_file(ROOT / "gradlab" / "ui" / "main.py", default_timeout=120)
        for name, value in query.items():
            app.query_params[name] = value
        if page != "home":
            app.switch_page(str(ROOT / "pages" / f"{page}.py"))
        app.run()
        assert not app.exception, app.exception
        return app

    return run


def sent(app: AppTest) -> dict:
    """What the run of a page that follows gave the browser: the rows on the screen among it."""
    (component,) = [element for element in app.get("bidi_component") if "following" in element.proto.id]
    data = json.loads(component.proto.json)
    return data | {"frame": json.loads(data["frame"])}


class Drawn(NamedTuple):
    """What a page draws at one visit."""

    asked: list  # (question, reduction, the rows on the screen) of every figure
    exported: list  # (drawing, words) of every figure with tools
    charts: list  # that Streamlit was handed
    alts: list  # what each says to those who cannot see it


@pytest.fixture
def drawn(monkeypatch):
    """The figures and the charts of the pages that are visited."""
    seen = Drawn([], [], [], [])
    make, draw, chart = part.Drawing, part.export_bar, st.altair_chart

    def made(*arguments):
        drawing = make(*arguments)
        question, reduction = drawing.question, drawing.reduction
        grows = question.key is None  # a training goes on
        rows = reduction.on_screen(question.rows()) if grows else rows_on_screen(question, reduction)
        if len(rows):  # else a sentence stands in the chart's place
            seen.asked.append((question, reduction, rows))
        return drawing

    def exported(drawing, words):
        seen.exported.append((drawing, words))
        draw(drawing, words)

    def charted(*arguments, **options):
        seen.charts.append(arguments[0])
        seen.alts.append(options["alt"])
        return chart(*arguments, **options)

    def followed(specification, **options):
        seen.charts.append(specification)
        seen.alts.append(options["alt"])
        return followed_chart(specification, **options)

    followed_chart = st.vega_lite_chart
    monkeypatch.setattr(st, "vega_lite_chart", followed)
    monkeypatch.setattr(part, "Drawing", made)
    monkeypatch.setattr(part, "export_bar", exported)
    monkeypatch.setattr(st, "altair_chart", charted)
    return seen


def visited(open_app, drawn, page, query):
    """The figures of a page at some settings."""
    open_app(page, **FIGURES | query)
    return drawn


@pytest.fixture
def quiet(page: Page):
    """No request leaves the machine, no error reaches the console, no exception the page."""
    outside, errors = [], []
    local = ("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:")
    page.on("request", lambda request: None if request.url.startswith(local) else outside.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console",
        lambda message: (
            errors.append(message.text)
            if message.type == "error" and not message.location["url"].endswith(PROBES)
            else None
        ),
    )
    yield
    assert outside == []
    assert errors == []
    assert page.is_closed() or page.get_by_test_id("stException").count() == 0
