"""What a visitor typed is shown as it was typed, wherever it is shown: never as markdown, HTML or a formula."""

import pytest

from gradlab.settings.catalogue import SETTINGS
from gradlab.ui.frame.link import ON_PAGES, PAGES, PAGES_OWN
from tests.ui.conftest import FIGURES

pytestmark = pytest.mark.slow

TYPED = ["**zqz**", "[zqz](http://b)", "$zqz$", ":red[zqz]", "<b>zqz</b>", "`zqz`", "![zqz](http://b/c.png)"]
AS_MARKDOWN = ("markdown", "caption", "error", "info", "warning", "success", "title", "header", "subheader", "metric")
WITH_LABELS = ("button", "selectbox", "slider", "select_slider", "number_input", "text_input", "text_area", "toggle")


def read_as_markdown(app):
    """Every text that Streamlit reads as markdown: elements, labels of widgets and what stands behind their “?”."""
    texts = [element.value for kind in AS_MARKDOWN for element in app.get(kind)]
    for kind in (*AS_MARKDOWN, *WITH_LABELS):
        texts += [getattr(element, name, None) for element in app.get(kind) for name in ("label", "help")]
    return [text for text in texts if isinstance(text, str)]


def plain(app):
    return [element.value for element in (*app.text, *app.code)]


@pytest.mark.parametrize(("number", "page"), [*enumerate(sorted(path.stem for path in PAGES.glob("*.py")))])
@pytest.mark.parametrize("turn", [0, 3])
def test_nothing_that_a_link_says_is_read_as_markdown(open_app, number, page, turn):
    """Each name has another of the texts, and on another page, or at another turn, another one."""
    names = (*SETTINGS, *ON_PAGES, *PAGES_OWN, "cells", "state", "relative", "one_cell", *TYPED)
    said = {name: TYPED[(number + turn + place) % len(TYPED)] for place, name in enumerate(names)}
    small = {
        name: FIGURES[name] for name in ("steps", "hidden_size", "input_size", "batch_size", "depth", "task_steps")
    }
    texts = {"inputs": "text", "text": TYPED[(number + turn) % len(TYPED)], "reads_text": "text", "text_updates": "100"}
    app = open_app(page, **said | small | texts)
    assert read_as_markdown(app)
    assert not [text for text in read_as_markdown(app) if "zqz" in text]
    assert [text for text in plain(app) if "zqz" in text]  # refusals are told, as they were typed


@pytest.mark.parametrize("letter", ["*", "_", "$", "`", "<"])
def test_a_text_that_cannot_be_learned_is_refused_as_it_was_typed(open_app, letter):
    app = open_app("character_model", reads_text="text", learned_text=letter * 30, text_updates="100")
    assert [error.value for error in app.error] == ["This cannot be trained"]
    assert any(letter * 20 in text and "at least 2 are needed" in text for text in plain(app))
    assert not [text for text in read_as_markdown(app) if letter * 20 in text]
