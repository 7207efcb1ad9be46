"""Every page shows a cell with any number of states: menus, lines, maps and sentences follow its record."""

import json

import pytest

from gradlab.cells import CELLS
from tests.ui.conftest import PAGES, SMALL, visited

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("state", ["all", "m"])
@pytest.mark.parametrize("page", PAGES)
def test_every_page_draws_a_cell_of_four_states(open_app, drawn, four_states, page, state):
    title = CELLS[four_states].title
    query = {"cells": [title, "LSTM"], "one_cell": title, "state": state}
    asked, exported, charts, _ = visited(open_app, drawn, page, query)
    assert len(asked) == len(charts) > 0
    for question, _, shown in asked:
        assert len(shown), question
    for drawing, words in exported:
        assert len(drawing.question.rows()), words.name
        assert drawing.picture(dark=False).to_dict(), words.name


def test_the_menu_of_states_has_those_of_every_cell_and_each_is_drawn_in_a_dash_of_its_own(open_app, four_states):
    app = open_app("gradient_flow", **SMALL, cells=[CELLS[four_states].title], state="all")
    assert app.button_group(key="state").options[-1] == "all"
    assert set(CELLS[four_states].states) < set(app.button_group(key="state").options)
    spec = json.loads(app.get("vega_lite_chart")[0].proto.spec)
    dashes = next(
        scale for group in spec["marks"] for scale in group.get("scales", []) if scale["name"] == "strokeDash"
    )
    assert set(dashes["domain"]) == set(CELLS[four_states].states)
    assert len({tuple(dash) for dash in dashes["range"]}) == 4


def test_the_states_share_an_axis_and_none_stands_among_the_gates(open_app, four_states):
    app = open_app("gates", **SMALL, one_cell=CELLS[four_states].title)
    specs = {chart.proto.alt: json.loads(chart.proto.spec) for chart in app.get("vega_lite_chart")}
    shown = {
        panel: scale["domain"]
        for panel in ("state", "gates")
        for alt, spec in specs.items()
        if alt.startswith("Unit ") and alt.endswith(f": {panel}")
        for scale in spec["marks"][0]["scales"]
        if scale["name"] == "color"
    }
    assert shown["state"] == list(CELLS[four_states].states)
    assert shown["gates"] == ["input", "forget", "candidate", "output", "direct factor"]


def test_a_link_of_when_there_were_two_states_shows_all(open_app):
    app = open_app(**SMALL, state="both")
    assert app.session_state["settings"].state == "all"
    assert not app.text
