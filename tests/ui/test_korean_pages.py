"""Every page in Korean: what its follower makes at several states says nothing in English, and the same numbers."""

import json
import re
from collections.abc import Hashable, Iterator
from typing import Any

import pytest

from gradlab.cells import CELLS
from gradlab.settings.catalogue import CHOICES, title
from gradlab.settings.experiment import Experiment
from gradlab.ui.ask import answer, rows_on_screen
from gradlab.ui.frame.language import WHOLE
from gradlab.ui.frame.shown import Settings
from gradlab.ui.parts import following
from gradlab.ui.parts.drawing import Drawing
from gradlab.ui.parts.view import Asked, View
from gradlab.words.languages import _, speaking

SMALL = Experiment(steps=20, hidden_size=3, input_size=2, batch_size=2)
STATES = {
    "vanishing": SMALL.replace(steps=60),
    "exploding": SMALL.replace(initialization="orthogonal", gain=4.0, steps=40, cell="rnn_linear"),
    "zero": SMALL.replace(initialization="zeros", cell="rnn"),
    "overflows": SMALL.replace(cell="rnn_linear", initialization="orthogonal", gain=10.0, steps=400),
    "two layers, a loss at every step": SMALL.replace(depth=2, loss="every", truncation="chunks", k2=4, cell="gru"),
}
OPTIONS = {title(choice) for choices in CHOICES.values() for choice in choices if " " in title(choice)}
NAMES = sorted({cell.title for cell in CELLS.values()} | OPTIONS, key=len, reverse=True)
ZERO = re.compile(r"zero|(?<![가-힣])영(?![가-힣])")
REFERENCE = re.compile(r"\([^()]*\d{4}[^()]*\)|\b\w+ = \w+|\w+://\S+|[A-Z]\w+( & [A-Z]\w+)? et al\.?|`[^`]*`")
ENGLISH = re.compile(r"\b[A-Za-z]{2,}('s)?,? [a-z]{2,}\b")  # two of its words
NUMBER = re.compile(r"\d+(?:[.,]\d+)*(?:\s×\s10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)?")
SEEN: set[Hashable] = set()
PAGES = [page for page in following.PAGES if page in WHOLE and page != "story"]


def english(text: str) -> str | None:
    """The English of a text beside names of cells, references and settings as links have them."""
    for name in NAMES:
        text = text.replace(name, "")
    found = ENGLISH.search(REFERENCE.sub("", text))
    return found and found[0]


def numbers(text: str) -> list[str]:
    return sorted(NUMBER.findall(ZERO.sub("0", text)))


def view_of(page: str, one: Experiment, language: str) -> View:
    cells = dict.fromkeys(("lstm", one.cell))
    shared = Settings(tuple(one.replace(cell=cell) for cell in cells), one, "h", True)
    with speaking(language):
        return following.PAGES[page].view(Asked(shared, (), False, language), answer)


def said_by(view: View, language: str) -> Iterator[str]:
    """Every text of a view: its sentences and cards, its figures' titles and readings, and what pictures say."""
    yield from view.sentences
    yield from (text for card in view.cards for text in card)
    with speaking(language):
        for figure in view.figures:
            yield from (figure.words.title, figure.words.sentence, _(figure.words.reading.text))
            rows = rows_on_screen(figure.question, figure.reduction)
            if len(rows):
                drawing = Drawing(figure.draw, figure.question, figure.reduction, figure.beside)
                picture = drawing.in_parts(rows, dark=False)
                if picture.key not in SEEN:  # equal keys have equal texts
                    SEEN.add(picture.key)
                    yield from of_document(picture.without_rows(picture.domains).to_dict(validate=False))
                for table in picture.rows.values():
                    texts = [name for name in ("label", "says", "said", "line", "name", "cell") if name in table]
                    yield from (str(text) for name in texts for text in table[name].unique()[:50])


def of_document(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for name, value in part.items():
            if name in ("title", "text", "subtitle"):
                yield from (text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str))
            if name == "labelExpr" and value.startswith("{"):
                yield from json.loads(value[: value.rindex("}") + 1]).values()
            if name != "datasets":
                yield from of_document(value)
    elif isinstance(part, list):
        for value in part:
            yield from of_document(value)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("page", PAGES)
def test_a_korean_page_says_nothing_in_english_and_the_same_numbers(page, state):
    views = {language: view_of(page, STATES[state], language) for language in ("ko", "en")}
    texts = list(said_by(views["ko"], "ko"))
    assert {text: found for text in texts if (found := english(text))} == {}
    for korean, text in zip(views["ko"].sentences, views["en"].sentences, strict=True):
        assert numbers(korean) == numbers(text), korean
    assert any(english(text) for text in views["en"].sentences), "the test sees English"
