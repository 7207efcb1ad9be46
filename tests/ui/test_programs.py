"""Every figure of every page comes from a question: its program, run, makes the rows of its CSV and its picture.

Both are the files of the buttons, to the bit.

A page is a file in `pages/`; a chart that is drawn beside `figure` is found, and fails.
"""

import re
import struct
from types import SimpleNamespace
from xml.etree import ElementTree

import pandas as pd
import pytest

from gradlab import exports
from gradlab.ui.parts.export_bar import Picture, picture_of, program_of
from tests.ui.conftest import PAGES, visited

MARKDOWN = re.compile(r"\*\*|:[a-z]+\[")
PAPER = Picture(exports.Layout(width=3.25, font_size=8, dpi=120), dark=False, note=True)

MORE = {  # settings at which a page shows more of what it can
    "gradient_flow": {"loss": "every", "state": "all"},
    "one_unit": {"weight": "1.1", "gate": "0.7", "lags": "50"},
    "why_addition": {"cuts": ["direct", "forget"]},
    "gates": {"inputs": "text", "unit": "3", "sequence": "1", "layer": "1"},
    "sequence_types": {"loss": "many_to_many"},
    "itemised": {"state": "c", "layer": "1"},
    "spectrum": {"one_cell": "RNN", "depth": "1", "spectrum_shows": "Input calms chaos"},
    "memory": {"memory_eigenvalue": "0.9"},
    "phase_map": {"one_cell": "RNN", "phase_map_of": "steps", "phase_map_seeds": "3"},
    "truncation": {"state": "c", "truncation": "windows", "k1": "2", "k2": "5"},
    "training": {"truncation": "chunks", "k2": "4", "state": "c"},
}


PINS = {"pin": ["name=A&cells=rnn,lstm&keep_bias=2.0&steps=30&hidden_size=5&input_size=3&batch_size=2"]}
PINNED = dict.fromkeys(
    ("home", "gradient_flow", "initializations", "jacobians", "weights", "spectrum", "gates", "unrolled", "itemised"),
    PINS,
)
PINNED["gradient_flow"] = PINS | {"gradient_flow_seeds": "5", "state": "all"}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "query"), [*((name, {}) for name in PAGES), *MORE.items(), *PINNED.items()])
def test_every_figure_s_program_makes_its_rows_and_its_picture(open_app, drawn, name, query, tmp_path, monkeypatch):
    asked, exported, charts, _ = visited(open_app, drawn, name, query)
    assert len(asked) == len(charts) > 0, "a chart of the page has no question, and so no program"
    monkeypatch.chdir(tmp_path)
    tables = {}
    assert not [alt for alt in drawn.alts if not alt or MARKDOWN.search(alt)]
    for drawing, words in exported:
        names, question, chart = {}, drawing.question, drawing.picture(PAPER.dark)
        of_page = SimpleNamespace(question=question, language=drawing.language, picture=lambda dark, chart=chart: chart)
        exec(program_of(drawing, words, PAPER), names)
        tables[question], rows = names["table"], question.rows().reset_index(drop=True)
        assert len(rows), question
        table = tables[question].reset_index(drop=True)
        pd.testing.assert_frame_equal(table, rows, check_exact=True, obj=repr(question))
        (file,) = tmp_path.iterdir()
        assert file.name == exports.file_name(question.subjects, words.name, ".png")
        assert file.read_bytes() == picture_of(exports.PICTURES["PNG"], of_page, words, PAPER), words.name
        assert struct.unpack(">I", file.read_bytes()[16:20]) == (390,), words.name
        svg = picture_of(exports.PICTURES["SVG"], of_page, words, PAPER).decode()
        texts = "".join(
            ElementTree.fromstring(svg.partition("<metadata>")[0] + svg.partition("</metadata>")[2]).itertext()
        )
        assert not MARKDOWN.search(texts), words.name
        file.unlink()
    for question, reduction, shown in asked:
        if question in tables:
            again = reduction.on_screen(tables[question])
            pd.testing.assert_frame_equal(again, shown, check_exact=True, obj=repr(question))


def test_what_a_page_exports_has_the_names_of_its_figures(open_app, drawn):
    names = [words.name for _, words in visited(open_app, drawn, "gradient_flow", {}).exported]
    assert names == ["gradient norms", "layers and steps"]
