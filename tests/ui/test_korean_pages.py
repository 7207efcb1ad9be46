"""Every page in Korean: what its follower makes at several states says nothing in English, and the same numbers."""

import json
import re
from collections.abc import Hashable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, expect

from gradlab.analyses.call import Call
from gradlab.analyses.diagnosis import diagnose
from gradlab.analyses.remedies import remedies
from gradlab.analyses.traces import trace
from gradlab.cells import CELLS
from gradlab.engine import TooLarge
from gradlab.settings.catalogue import CHOICES, title
from gradlab.settings.experiment import Experiment
from gradlab.settings.links import read_query
from gradlab.settings.tasks import TASKS
from gradlab.ui.ask import answer, rows_on_screen
from gradlab.ui.frame.language import WHOLE
from gradlab.ui.frame.shown import Settings
from gradlab.ui.parts import following
from gradlab.ui.parts.drawing import Drawing
from gradlab.ui.parts.view import Asked, View
from gradlab.words.languages import _, codes, said, speaking
from tests.ui.browser import visit

SMALL = Experiment(steps=20, hidden_size=3, input_size=2, batch_size=2)
STATES = {
    "vanishing": SMALL.replace(steps=60),
    "exploding": SMALL.replace(initialization="orthogonal", gain=4.0, steps=40, cell="rnn_linear"),
    "zero": SMALL.replace(initialization="zeros", cell="rnn"),
    "overflows": SMALL.replace(cell="rnn_linear", initialization="orthogonal", gain=10.0, steps=400),
    "two layers, a loss at every step": SMALL.replace(depth=2, loss="every", truncation="chunks", k2=4, cell="gru"),
}
OPTIONS = {title(choice) for choices in CHOICES.values() for choice in choices if " " in title(choice)}
OPTIONS |= {"the whole sequence", "these steps", "full state", "relative to the row"}  # as links have them
TITLES = {task.title for task in TASKS.values()}  # of tasks, which are options too
NAMES = sorted({cell.title for cell in CELLS.values()} | OPTIONS | TITLES, key=len, reverse=True)
ADDRESSES = ["" if page == "home" else page for page in WHOLE]
OF_STREAMLIT = ("Skip to main content",)
WITHOUT_CODE = """() => {
  document.querySelectorAll('code, pre').forEach(code => code.remove())
  return document.body.innerText
}"""
HANGUL = re.compile(r"[가-힣]")
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


@pytest.mark.parametrize("language", codes())
def test_what_is_refused_is_said_in_the_language_that_is_spoken(language):
    wrong = {"hidden_size": "9999", "inputs": "nois", "gian": "1", "k1": "5", "k2": "3", "truncation": "windows"}
    with speaking(language):
        _experiment, sentences = read_query(wrong)
        sentences.append(refused_size())
    assert len(sentences) == 5
    assert [text for text in sentences if bool(HANGUL.search(text)) != (language == "ko")] == []


def refused_size() -> str:
    with pytest.raises(TooLarge) as refused:
        Call.of(trace, SMALL.replace(steps=1_000_000, hidden_size=1024, batch_size=256)).refuse()
    return str(refused.value)


def test_a_diagnosis_and_remedies_are_kept_in_each_language_and_have_the_same_keys():
    kept = {}
    for language in codes():
        with speaking(language):
            diagnosis = answer(Call.of(trace, STATES["vanishing"]).then(diagnose))
            found = answer(Call.of(trace, STATES["vanishing"]).then(remedies))
            kept[language] = diagnosis.sentence, [(one.title, said(one.title), one.reason, one.cost) for one in found]
    assert not english(kept["ko"][0])
    assert not HANGUL.search(kept["en"][0])
    assert numbers(kept["ko"][0]) == numbers(kept["en"][0])
    for (link, korean, reason, cost), (key, text, *_rest) in zip(kept["ko"][1], kept["en"][1], strict=True):
        assert link == key == text, "links and programs have the English title"
        assert HANGUL.search(korean)
        assert not english(f"{reason} {cost}"), f"{reason} {cost}"


@pytest.mark.slow
@pytest.mark.browser
def test_every_page_is_korean_in_a_browser_and_fits(browser: Browser, app_url):
    page = browser.new_context(locale="ko-KR", viewport={"width": 1440, "height": 900}).new_page()
    for name in ADDRESSES:
        visit(page, f"{app_url}/{name}")
        expect(page.locator("html")).to_have_attribute("lang", "ko")
        lines = page.evaluate(WITHOUT_CODE).splitlines()
        assert {line: found for line in lines if line not in OF_STREAMLIT and (found := english(line))} == {}, name
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name


@pytest.mark.slow
@pytest.mark.browser
def test_a_page_s_link_has_the_same_settings_in_the_other_language(browser: Browser, app_url):
    query = "keep_bias=3.0&initialization=orthogonal&inputs=sines"
    for locale, button, heading in (("ko-KR", "English", "Gradient flow"), ("en-US", "한국어", "기울기의 흐름")):
        page = browser.new_context(locale=locale).new_page()
        visit(page, f"{app_url}/gradient_flow?{query}")
        before = parse_qs(urlsplit(page.url).query)
        page.get_by_role("button", name=button).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(heading)
        after = parse_qs(urlsplit(page.url).query)
        assert {name: after[name] for name in before if name != "lang"} == {
            name: value for name, value in before.items() if name != "lang"
        }
        other = browser.new_context(locale="ko-KR" if locale == "en-US" else "en-US").new_page()
        visit(other, page.url)
        expect(other.get_by_role("heading", level=1)).to_have_text(heading)
        assert other.locator(".st-key-problems").count() == 0
        assert parse_qs(urlsplit(other.url).query).keys() >= {"keep_bias", "initialization", "inputs"}
