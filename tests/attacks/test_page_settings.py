"""Settings of single pages at values that no widget has: a sentence with the setting, the value and what is allowed."""

import pytest

from gradlab.ui.frame import language
from gradlab.ui.frame.link import MAY_BE_EMPTY, ON_PAGES, PAGES, of_pages
from tests.ui.conftest import FIGURES

pytestmark = pytest.mark.slow

QUERY = {**FIGURES, "steps": "12", "hidden_size": "4", "task_steps": "10", "task_batch": "4", "text_updates": "100"}
BAD = [
    "inf", "nan", "-1e400", "9" * 400, "-1", "99999", "x", "", "[1]", "\x00", "**x**", "true", "x" * 5000,
]  # fmt: skip
NAMES = sorted(path.stem for path in PAGES.glob("*.py"))


def own_settings(app):
    """The settings of the page alone that its widgets hold; for the language see tests/ui/test_languages.py."""
    state = app.session_state.to_dict()
    elsewhere = {"shown_text", "learned_text", language.NAME}
    return sorted({*of_pages(state), *(name for name in ON_PAGES if name in state)} - elsewhere)


def sections_of(app):
    """The names of the page's sections, which are open or not; what is in one is drawn where it is open."""
    state = app.session_state.to_dict()
    return [name for name in own_settings(app) if isinstance(state[name], bool)]


def refusals(app):
    return [text.value for text in app.text if " is not allowed: use " in text.value]


@pytest.mark.parametrize("page", NAMES)
def test_every_setting_of_a_page_at_every_bad_value_is_refused_in_a_sentence(open_app, page):
    sections = sections_of(open_app(page, **QUERY))
    opened = dict.fromkeys(sections, "true")
    inside = [name for name in own_settings(open_app(page, **QUERY, **opened)) if name not in sections]
    for value in BAD:
        if sections and value != "true":  # which a section can be
            _all_are_refused(open_app, page, value, sections, {})
        if inside:
            _all_are_refused(open_app, page, value, inside, opened)


def _all_are_refused(open_app, page, value, names, opened):
    asked = [name for name in names if value or name not in MAY_BE_EMPTY]
    app = open_app(page, **QUERY | opened | dict.fromkeys(asked, value))
    said = refusals(app)
    for name in asked:
        sentence = next((one for one in said if one.startswith(f"{name} = ")), None)
        assert sentence, (name, value, said)
        assert value[:20] in sentence or repr(value)[1:-1] in sentence
        assert sentence.endswith(" is used instead.")
        assert len(sentence) < 400


def test_the_pages_with_settings_of_their_own_are_found(open_app):
    found = {page: own_settings(open_app(page, **QUERY)) for page in ("gates", "character_model", "why_addition")}
    assert {"layer", "sequence", "unit"} <= {*found["gates"]}
    assert {"watched_unit", "watched_layer", "temperature"} <= {*found["character_model"]}
    assert {"why_addition_cuts", "why_addition_orders", "why_addition_claims"} <= {*found["why_addition"]}


@pytest.mark.parametrize("value", ["inf", "nan", "-1", "9" * 400, ""])
def test_one_bad_setting_leaves_the_others_of_its_page_as_they_are_asked(open_app, value):
    app = open_app("gates", **QUERY, unit="3", sequence="1", layer=value)
    state = app.session_state
    assert (state["unit"], state["sequence"], state["layer"]) == (3, 1, 0)
    assert len(refusals(app)) == 1


def test_an_empty_set_of_cuts_is_a_set(open_app):
    app = open_app("why_addition", **QUERY, why_addition_cuts="true", cuts="")
    assert refusals(app) == []
    assert app.session_state["cuts"] == []
