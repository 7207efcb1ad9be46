"""Links whose texts no picture can hold as they are: every chart of the page becomes one all the same."""

import pytest

from gradlab import exports
from gradlab.words.letters import printable

LINKS = [
    ("gates", {"inputs": "text", "text": "ab\x1bcab\x1bc", "steps": "8", "cells": "LSTM", "hidden_size": "4"}),
    (
        "character_model",
        {"reads_text": "text", "learned_text": "a\x0cb a\x0cb page a\x0cb", "hidden_size": "8", "text_updates": "100"},
    ),
    ("gates", {"inputs": "text", "text": "\x00\ufffe\uffff\x07\x08", "steps": "8", "hidden_size": "4"}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("page", "query"), LINKS)
def test_every_chart_of_a_text_with_control_characters_becomes_a_picture(open_app, drawn, page, query):
    open_app(page, **query)
    charts = [drawing.picture(dark=False) for drawing, _ in drawn.exported]
    shown = 0
    for chart in charts:
        document = exports.specification(chart)
        texts = [value for rows in document["datasets"].values() for row in rows for value in row.values()]
        texts = [text for text in texts if isinstance(text, str)]
        assert texts == [printable(text) for text in texts]  # on the screen too
        shown += sum(text in "␛␌␀␇␈" for text in texts if len(text) == 1)
        for kind in ("PNG", "SVG", "PDF"):
            assert exports.PICTURES[kind].write(chart)
    assert charts
    assert page == "character_model" or shown  # its charts are of the text that is read, once it is trained
