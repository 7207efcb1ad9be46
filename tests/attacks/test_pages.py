"""Generated links through whole pages: each ends in a chart or in a sentence, never in a traceback."""

import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gradlab import exports
from gradlab.cells import CELLS
from gradlab.settings.catalogue import CHOICES, SETTINGS
from gradlab.ui.frame.link import ON_PAGES, PAGES, PAGES_OWN
from tests.attacks.test_links import VALUES
from tests.words.test_letters import ONE_OF_EACH

pytestmark = pytest.mark.slow

PAGE_NAMES = sorted(path.stem for path in PAGES.glob("*.py"))
SMALL = {"steps": 24, "hidden_size": 5, "input_size": 4, "batch_size": 3, "depth": 2, "output_size": 4}
NEVER_LARGE = {name: st.integers(-1, most).map(str) for name, most in SMALL.items()}
EVERY_NAME = (*SETTINGS, *ON_PAGES, *PAGES_OWN, "jacobians_of", "state", "relative", "one_cell")
OTHERS = [name for name in EVERY_NAME if name not in SMALL]  # it is not the work that is tested
LIKELY = st.one_of(
    st.integers(-2, 30).map(str),
    st.floats(-3, 30).map(str),
    st.sampled_from(sorted({choice for choices in CHOICES.values() for choice in choices})),
    st.text(st.characters(categories=None), min_size=1, max_size=12),
    st.lists(st.integers(0, 30), min_size=1, max_size=4).map(lambda steps: ",".join(map(str, steps))),
)
SIZES = st.fixed_dictionaries({name: st.just(str(SMALL[name])) | values for name, values in NEVER_LARGE.items()})
CELLS_ASKED = st.lists(st.sampled_from([*CELLS, "LSTM", "nothing"]), min_size=1, max_size=2, unique=True)


def typed(texts):
    """Texts that a browser can send: a lone surrogate becomes � when an address is decoded."""
    return texts.map(lambda text: text.encode("utf-8", "replace").decode())


QUERIES = st.builds(
    lambda others, sizes, cells: others | sizes | {"cells": cells, "updates": "20", "text_updates": "100"},
    st.dictionaries(typed(st.sampled_from(OTHERS) | st.text(max_size=6)), typed(VALUES | LIKELY), max_size=12),
    SIZES,
    CELLS_ASKED,
)


def ends_well(app):
    """Whether a page has drawn, or said what is wrong."""
    drawn = app.get("arrow_vega_lite_chart") or app.get("vega_lite_chart")
    said = [*app.text, *app.error, *app.info, *app.warning]
    return bool(drawn or said)


@pytest.mark.parametrize("page", PAGE_NAMES)
def test_a_generated_link_ends_in_a_chart_or_a_sentence(open_app, page):
    @given(QUERIES)
    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    def check(query):
        assert ends_well(open_app(page, **query))

    check()


CHARACTERS = [character for category, character in sorted(ONE_OF_EACH.items()) if category != "Cs"]


@pytest.mark.parametrize("page", ["gates", "unrolled", "character_model"])
@pytest.mark.parametrize("characters", ["".join(CHARACTERS[first::6]) for first in range(6)])
def test_a_text_with_characters_of_any_category_is_drawn_and_exported(open_app, drawn, page, characters):
    text = "".join(f"a{character}b{character}" for character in characters)
    assert len({unicodedata.category(character) for character in characters}) == len(characters) > 3
    texts = {"inputs": "text", "text": text, "reads_text": "text", "learned_text": text, "text_updates": "100"}
    app = open_app(page, **{name: str(value) for name, value in SMALL.items()} | texts | {"shown_text": text})
    assert ends_well(app)
    charts = [drawing.picture(dark=False) for drawing, _ in drawn.exported]
    assert charts
    assert exports.svg(charts[0])
    assert exports.csv(drawn.exported[0][0].question.rows())
