"""Where the loss has no gradient every page says so, draws what there is, and writes no NaN."""

import re

import pytest

from tests.ui.test_programs import PAGES

pytestmark = pytest.mark.slow

NO_LOSS = {
    "one output": {"output_size": "1", "objective": "cross_entropy"},
    "one letter": {"inputs": "text", "text": "aaaa", "objective": "cross_entropy", "loss": "every"},
}
OF_LOSS = {"home", "gradient_flow", "itemised", "sequence_types", "truncation", "why_addition"}


@pytest.mark.parametrize("page", sorted(set(PAGES) - {"training", "character_model"}))
@pytest.mark.parametrize("query", NO_LOSS.values(), ids=NO_LOSS)
def test_a_page_without_any_gradient_says_why(open_app, page, query):
    app = open_app(page, steps="20", hidden_size="4", **query)
    assert not app.exception, app.exception
    said = " ".join([text.value for text in (*app.markdown, *app.info, *app.caption)])
    assert not re.search(r"\bnan\b|\bNone\b", said)
    if page in OF_LOSS:
        assert "Nothing is injected" in said
