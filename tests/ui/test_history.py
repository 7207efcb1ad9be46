"""Undo and redo: one step a change, over all pages, and nothing that no visitor changed."""

import pytest

from gradlab.settings.experiment import Experiment
from tests.ui.conftest import ROOT, SMALL


def go(app, page):
    app.switch_page(str(ROOT / "pages" / f"{page}.py"))
    app.run()


def shown(app):
    return app.session_state["settings"]


@pytest.mark.slow
def test_every_change_of_settings_is_one_step_back_and_one_forth(open_app):
    app = open_app("home", **SMALL)
    assert app.button(key="undo").disabled
    assert app.button(key="redo").disabled
    states = [shown(app)]
    app.select_slider(key="gain").set_value(1.5).run()
    states.append(shown(app))
    app.button(key="preset Orthogonal").click().run()  # many settings at once
    states.append(shown(app))
    app.button(key="reset").click().run()
    states.append(shown(app))
    assert len(set(states)) == 4
    for state in reversed(states[:-1]):
        app.button(key="undo").click().run()
        assert shown(app) == state
    assert app.button(key="undo").disabled
    for state in states[1:]:
        app.button(key="redo").click().run()
        assert shown(app) == state
    assert app.button(key="redo").disabled


def test_what_was_set_on_another_page_is_undone_here_and_opening_pages_is_no_step(open_app):
    app = open_app("one_unit", **SMALL)
    app.select_slider(key="weight").set_value(1.1).run()
    go(app, "gates")
    go(app, "home")
    app.button(key="undo").click().run()
    assert app.session_state["weight"] == 0.9
    assert app.button(key="undo").disabled


def test_a_change_after_an_undo_takes_the_place_of_what_was_undone(open_app):
    app = open_app("home", **SMALL)
    app.select_slider(key="gain").set_value(1.5).run()
    app.button(key="undo").click().run()
    app.select_slider(key="gain").set_value(0.5).run()
    assert app.button(key="redo").disabled
    app.button(key="undo").click().run()
    assert shown(app).subjects[0].gain == Experiment().gain
