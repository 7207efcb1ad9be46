"""Buttons: what a press asked for is done, whatever comes between."""

import ast

import streamlit as st

from gradlab.ui.parts import check_section
from tests.ui.conftest import ROOT, SMALL

FILES = [path for folder in ("gradlab/ui", "pages") for path in sorted((ROOT / folder).rglob("*.py"))]


def buttons(path):
    """The calls that draw a button, by line."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr.endswith("button"):
            yield node


def test_every_button_acts_by_a_callback():
    """A run may be stopped for another before it reaches a button; what the button returns is then lost."""
    calls = [(path.name, call) for path in FILES for call in buttons(path)]
    assert len(calls) > 20
    without = [(name, call.lineno) for name, call in calls if "on_click" not in {key.arg for key in call.keywords}]
    assert not without


def test_a_press_is_heard_though_its_run_is_stopped_for_another(open_app, monkeypatch):
    app, draw, stopped = open_app("gradient_flow", **SMALL), check_section.draw, []

    def draw_at_the_second_run(subjects):
        if not stopped:
            stopped.append(True)
            st.rerun()
        draw(subjects)

    monkeypatch.setattr(check_section, "draw", draw_at_the_second_run)
    app.button(key="check").click().run()
    assert "comparisons pass" in app.success[0].value
