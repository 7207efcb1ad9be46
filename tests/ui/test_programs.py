"""Every figure of every page comes from a question: its program, run, makes the rows of its CSV, to the bit.

A page is a file in `pages/`; a chart that is drawn beside `figure` is found, and fails.
"""

import pandas as pd
import pytest

from gradlab import exports
from tests.ui.conftest import PAGES, visited

MORE = {  # settings at which a page shows more of what it can
    "gradient_flow": {"loss": "every", "state": "all"},
    "one_unit": {"weight": "1.1", "gate": "0.7", "lags": "50"},
    "why_addition": {"cuts": ["direct", "forget"]},
    "gates": {"inputs": "text", "unit": "3", "sequence": "1", "layer": "1"},
    "sequence_types": {"loss": "many_to_many"},
    "itemised": {"state": "c", "layer": "1"},
    "truncation": {"state": "c", "truncation": "windows", "k1": "2", "k2": "5"},
    "training": {"truncation": "chunks", "k2": "4", "state": "c"},
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "query"), [*((name, {}) for name in PAGES), *MORE.items()])
def test_every_figure_s_program_makes_its_rows_and_those_on_the_screen_are_some_of_them(open_app, drawn, name, query):
    asked, exported, charts = visited(open_app, drawn, name, query)
    assert len(asked) == len(charts) > 0, "a chart of the page has no question, and so no program"
    for question, reduction, shown in asked:
        names = {}
        exec(exports.python_code(question.subjects, question.code), names)
        program, rows = names["table"].reset_index(drop=True), question.rows().reset_index(drop=True)
        assert len(rows), question
        pd.testing.assert_frame_equal(program, rows, check_exact=True, obj=repr(question))
        again = reduction.on_screen(names["table"])
        pd.testing.assert_frame_equal(again, shown, check_exact=True, obj=repr(question))
    for figure, taken, table in exported:
        assert len(table()), figure
        assert taken().to_dict(validate=False), figure


def test_what_a_page_exports_has_the_names_of_its_figures(open_app, drawn):
    names = [name for name, _, _ in visited(open_app, drawn, "gradient_flow", {}).exported]
    assert names == ["gradient norms", "layers and steps"]
