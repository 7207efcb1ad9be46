"""Every figure of every page comes from a question: its program, run, makes the rows of its CSV, to the bit.

A page is a file in `pages/`; a chart that is drawn beside `figure` is found, and fails.
"""

from pathlib import Path

import pandas as pd
import pytest
import streamlit as st

from gradlab import exports
from gradlab.ui.parts import figure as part

PAGES = sorted(path.stem for path in (Path(__file__).resolve().parents[2] / "pages").glob("*.py"))
SMALL = {"steps": "24", "hidden_size": "6", "input_size": "3", "batch_size": "2", "depth": "2"}
TINY = {"task_steps": "12", "task_batch": "4", "updates": "20", "text_updates": "20"}
MORE = {  # settings at which a page shows more of what it can
    "gradient_flow": {"loss": "every", "state": "both"},
    "one_unit": {"weight": "1.1", "gate": "0.7", "lags": "50"},
    "why_addition": {"cuts": ["direct", "forget"]},
    "gates": {"inputs": "text", "unit": "3", "sequence": "1", "layer": "1"},
    "sequence_types": {"loss": "many_to_many"},
    "itemised": {"state": "c", "layer": "1"},
    "truncation": {"state": "c", "truncation": "windows", "k1": "2", "k2": "5"},
    "training": {"truncation": "chunks", "k2": "4", "state": "c"},
}


@pytest.fixture
def figures(monkeypatch):
    """What a page draws: {name: question} of its figures; "charts" counts all that Streamlit was handed."""
    seen = {"charts": 0}
    draw, chart = part.export_bar, st.altair_chart

    def exported(drawn, table, question, words, **options):
        seen[words.name] = question, drawn, table
        draw(drawn, table, question, words, **options)

    def charted(*arguments, **options):
        seen["charts"] += 1
        return chart(*arguments, **options)

    monkeypatch.setattr(part, "export_bar", exported)
    monkeypatch.setattr(st, "altair_chart", charted)
    return seen


def visited(open_app, figures, page, query):
    """The figures of a page at some settings."""
    app = open_app(page, **SMALL | TINY | query)
    figures.clear()  # of the home page, where every visit begins
    figures["charts"] = 0
    app.run()
    assert not app.exception, app.exception
    return {name: seen for name, seen in figures.items() if name != "charts"}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "query"), [*((name, {}) for name in PAGES), *MORE.items()])
def test_every_figure_s_program_makes_its_rows(open_app, figures, name, query):
    found = visited(open_app, figures, name, query)
    assert len(found) == figures["charts"] > 0, "a chart of the page has no question, and so no program"
    for figure, (question, drawn, table) in found.items():
        names = {}
        exec(exports.python_code(question.subjects, question.code), names)
        program, rows = names["table"].reset_index(drop=True), table().reset_index(drop=True)
        assert len(rows), figure
        pd.testing.assert_frame_equal(program, rows, check_exact=True, obj=figure)
        assert drawn().to_dict(validate=False), figure


def test_a_page_names_its_figures_apart(open_app, figures):
    assert set(visited(open_app, figures, "gradient_flow", {})) == {"gradient norms", "layers and steps"}
