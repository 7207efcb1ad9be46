"""A link that cannot be followed says so, on every page; one that can is followed without a word."""

import pytest

from gradlab.cells import CELLS

pytestmark = pytest.mark.slow


def said(app):
    return [text.value for text in app.text]


@pytest.mark.parametrize(
    ("page", "query", "sentence"),
    [
        ("one_unit", {"weight": "0"}, "weight = '0' is not allowed: use one of -1.5, "),
        ("one_unit", {"gate": "2"}, "gate = '2' is not allowed: use one of "),
        ("jacobians", {"jacobians_of": "h"}, "jacobians_of = 'h' is not allowed: use one of full state, "),
        ("gates", {"layer": "7", "depth": "2"}, "layer = '7'"),
        ("gates", {"layer": "inf", "depth": "2"}, "layer = 'inf' is not allowed: use a whole number from 0 to 1; 0"),
        ("jacobians", {"jacobians_of": ""}, "jacobians_of = '' is not allowed: use one of full state"),
        ("gates", {"layer": "9" * 400, "depth": "2"}, "layer = '99999"),
        ("gates", {"unit": "1e400"}, "unit = '1e400'"),
        ("gates", {"sequence": "-1"}, "sequence = '-1'"),
        ("why_addition", {"cuts": "nonsense"}, "cuts = 'nonsense'"),
        ("training", {"optimizer": "sgdd"}, "optimizer = 'sgdd'"),
        ("gradient_flow", {"wieght": "3"}, "'wieght' = '3' is not a setting"),
    ],
)  # fmt: skip
def test_what_a_page_cannot_use_is_said(open_app, page, query, sentence):
    app = open_app(page, steps="12", hidden_size="4", task_steps="10", updates="20", **query)
    assert not app.exception, app.exception
    assert any(text.startswith(sentence) for text in said(app)), said(app)


@pytest.mark.parametrize(
    ("page", "query"),
    [
        ("one_unit", {"weight": "1.1", "gate": "0.7", "lags": "50"}),
        ("jacobians", {"jacobians_of": "h alone"}),
        ("gates", {"layer": "1", "depth": "2", "unit": "3", "sequence": "2"}),
        ("why_addition", {"cuts": ["direct", "forget"]}),
        ("training", {"optimizer": "sgd", "learning_rate": "0.01"}),
    ],
)
def test_what_it_can_use_is_used_without_a_word(open_app, page, query):
    app = open_app(page, steps="12", hidden_size="4", task_steps="10", updates="20", **query)
    assert not app.exception, app.exception
    assert said(app) == []


@pytest.mark.parametrize("cell", ["gru", "min_lstm"])
def test_the_cell_of_a_link_is_the_one_examined(open_app, cell):
    app = open_app("gates", cell=cell, steps="12", hidden_size="4")
    assert not app.exception, app.exception
    assert app.session_state["settings"].one.settings.cell == cell
    assert CELLS[cell].title in " ".join(text.value for text in app.markdown)
