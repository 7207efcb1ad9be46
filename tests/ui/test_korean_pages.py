"""Every page in Korean: what its follower makes at several states says nothing in English, and the same numbers."""

import json
import re
from collections.abc import Hashable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import numpy as np
import pytest
from playwright.sync_api import Browser, expect
from streamlit.testing.v1 import AppTest

from gradlab.analyses.call import Call
from gradlab.analyses.diagnosis import diagnose
from gradlab.analyses.remedies import remedies
from gradlab.analyses.survival import OfLaw, Survival, every_initialization
from gradlab.analyses.traces import trace
from gradlab.cells import CELLS
from gradlab.charts.initializations import panels
from gradlab.charts.phase_map import phase_map
from gradlab.engine import TooLarge
from gradlab.settings.catalogue import CHOICES, title
from gradlab.settings.experiment import Experiment
from gradlab.settings.initializations import INITIALIZATIONS
from gradlab.settings.links import read_query
from gradlab.settings.tasks import TASKS
from gradlab.sweeps import MEASURES
from gradlab.sweeps.maps import Measured, PhaseMap, Plan, border
from gradlab.sweeps.running import measured
from gradlab.ui.ask import answer, rows_on_screen
from gradlab.ui.frame.language import WHOLE
from gradlab.ui.frame.shown import Settings
from gradlab.ui.parts import following
from gradlab.ui.parts.drawing import Drawing
from gradlab.ui.parts.view import Asked, View
from gradlab.words import initializations
from gradlab.words import phase_map as phase_maps
from gradlab.words.languages import _, codes, said, speaking
from tests.ui.browser import turn, visit

SMALL = Experiment(steps=20, hidden_size=3, input_size=2, batch_size=2)
STATES = {
    "vanishing": SMALL.replace(steps=60),
    "exploding": SMALL.replace(initialization="orthogonal", gain=4.0, steps=40, cell="rnn_linear"),
    "zero": SMALL.replace(initialization="zeros", cell="rnn"),
    "overflows": SMALL.replace(cell="rnn_linear", initialization="orthogonal", gain=10.0, steps=400),
    "two layers, a loss at every step": SMALL.replace(depth=2, loss="every", truncation="chunks", k2=4, cell="gru"),
}
FAST = ("vanishing", "zero")  # the states of which fast tests are
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
STATE_QUERY = {"steps": "20", "hidden_size": "3", "input_size": "2", "batch_size": "2"}
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
            yield from (
                figure.words.title,
                figure.words.sentence,
                _(figure.words.reading.text),
                figure.words.reading.look,
            )
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


@pytest.mark.parametrize(
    "state", [pytest.param(state, marks=() if state in FAST else pytest.mark.slow) for state in STATES]
)
@pytest.mark.parametrize("page", PAGES)
def test_a_korean_page_says_nothing_in_english_and_the_same_numbers(page, state):
    views = {language: view_of(page, STATES[state], language) for language in ("ko", "en")}
    texts = list(said_by(views["ko"], "ko"))
    assert {text: found for text in texts if (found := english(text))} == {}
    for korean, text in zip(views["ko"].sentences, views["en"].sentences, strict=True):
        assert numbers(korean) == numbers(text), korean
        assert korean.count("~") < 2, f"markdown strikes through what lies between: {korean}"
    assert any(english(text) for text in views["en"].sentences), "the test sees English"


def survival_of(*verdicts: str) -> Survival:
    laws = [
        OfLaw(name, (verdict,), np.array([-3.0]), np.array([-2.0]), np.zeros((20, 1)))
        for name, verdict in zip(INITIALIZATIONS, verdicts, strict=False)
    ]
    return Survival("lstm", (0,), tuple(laws))


def said_of_initializations() -> Iterator[str]:
    found = every_initialization(SMALL, 2)
    yield from (initializations.headline(found), initializations.of_defaults(found, "pytorch"))
    for pin in (SMALL.replace(keep_bias=3.0), SMALL.replace(initialization="zeros"), SMALL.replace(seed=7)):
        yield initializations.paired(found, every_initialization(pin, 2), "A")
    yield initializations.paired(every_initialization(SMALL.replace(keep_bias=3.0), 2), found, "A")
    for verdict in initializations.SAYS:
        yield initializations.headline(survival_of(verdict))
        yield initializations.headline(survival_of(verdict, verdict))
        yield initializations.headline(survival_of(*[verdict] * 5))
    yield from (_(initializations.CLICK), _(initializations.OF_TRAINED), _(initializations.HOW_TO_READ.text))
    chart = panels(found.table, summary=found.summary, cell="lstm", in_use="pytorch", pinned=found.table)
    yield from of_chart(chart)


def map_of(cell: str, of: str, *medians: float) -> PhaseMap:
    """A map of three places a side and two seeds, along which medians repeat; the seeds lie 0.5 either way."""
    plan = Plan.of_settings(SMALL.replace(cell=cell), of, 3, 2)
    table = Measured(plan).table
    median = np.resize(medians, len(table))
    seeds = {"count": np.where(np.isnan(median), 0, 2), "not_measured": np.resize([0, 1], len(table))}
    return PhaseMap(plan, table.assign(median=median, lowest=median - 0.5, highest=median + 0.5, **seeds))


def said_of_phase_maps() -> Iterator[str]:
    rates = [(-2.0,), (2.0,), (np.nan,), (-2.0, 0.5, 2.0), (0.1, *[2.0] * 400), (np.nan, -3.0, 0.5, 3.0)]
    for cell, of in (("lstm", "keep_bias"), ("rnn", "steps"), ("gru", "depth")):
        e = SMALL.replace(cell=cell)
        for found in (map_of(cell, of, *rate) for rate in rates):
            yield from (phase_maps.headline(found), phase_maps.crossing(found, e), phase_maps.called(of))
        diagnosis = answer(Call.of(trace, e).then(diagnose))
        yield phase_maps.here(e, found.plan, diagnosis)
        yield phase_maps.here(e, found.plan, answer(Call.of(trace, e.replace(initialization="zeros")).then(diagnose)))
        yield from of_chart(phase_map(found.table, found.plan.x, found.plan.y, names={"pytorch": title("pytorch")}))
        yield from (phase_maps.of_theory(found.plan, found.border), phase_maps.of_theory(found.plan, found.border[:0]))
    for cell in ("gru", "lstm_peephole"):
        plan = Plan.of_settings(SMALL.replace(cell=cell), "steps", 3, 1)
        yield from (phase_maps.of_theory(plan, border(plan)), phase_maps.cell_without_gate("rnn"))
    yield from (phase_maps.where(3, 2, False), phase_maps.where(None, 2, False), phase_maps.where(None, 1, True))
    yield from (phase_maps.waiting(1), phase_maps.waiting(2))
    yield from (_(phase_maps.CLICK), _(phase_maps.FULL), _(phase_maps.HOW_TO_READ.text))


def of_chart(chart: Any) -> list[str]:
    """What a chart says, in an order that no language changes, and what the pointer reads of its rows."""
    document = chart.to_dict(validate=False)
    read = [value for rows in document["datasets"].values() for row in rows for value in row.values()]
    return [*of_document(document), *(value for value in read if isinstance(value, str))]


@pytest.mark.slow
@pytest.mark.parametrize("of_page", [said_of_initializations, said_of_phase_maps])
def test_the_gallery_and_the_phase_map_say_nothing_in_english_and_the_same_numbers(of_page):
    said = {}
    for language in ("ko", "en"):
        with speaking(language):
            said[language] = [*of_page()]
    assert {text: found for text in said["ko"] if (found := english(text))} == {}
    for korean, text in zip(said["ko"], said["en"], strict=True):
        assert numbers(korean) == numbers(text), korean
        assert korean.count("~") < 2, f"markdown strikes through what lies between: {korean}"
    assert sum(bool(english(text)) for text in said["en"]) > 40, "the test sees English"
    assert not [text for text in said["en"] if HANGUL.search(text)]


@pytest.mark.parametrize(("page", "query"), [("initializations", {}), ("phase_map", {"one_cell": "RNN"})])
def test_the_pages_of_maps_are_korean(open_app, page, query):
    app = open_app(page, lang="ko", depth="1", **STATE_QUERY | query)
    parts = [*app.title, *app.header, *app.markdown, *app.text, *app.caption, *app.info]
    texts = [part.value for part in parts] + [part.label for part in (*app.button, *app.button_group)]
    texts += [option for group in app.button_group for option in group.options]
    texts += [chart.proto.alt for chart in app.get("arrow_vega_lite_chart") or app.get("vega_lite_chart")]
    assert len(texts) > 8
    assert {text: found for text in texts if (found := english(text))} == {}


@pytest.mark.parametrize("language", codes())
@pytest.mark.parametrize("text", ["steps", "gain × steps", "이득 × 시점 수"])
def test_a_link_names_an_option_in_any_language(open_app, language, text):
    app = open_app("phase_map", lang=language, phase_map_of=text, **STATE_QUERY)
    assert app.session_state["phase_map_of"] == "steps"
    with speaking(language):
        assert app.query_params["phase_map_of"] == phase_maps.called("steps"), "the address still says which"
    assert "problems" not in app.session_state or not app.session_state["problems"]


def test_a_map_under_way_speaks_its_visitor_s_language_and_points_are_kept_in_english():
    def page():
        from gradlab.analyses.call import Call
        from gradlab.settings.experiment import Experiment
        from gradlab.sweeps import maps
        from gradlab.ui.maps import Map, Maps
        from gradlab.ui.parts import phase_map

        e = Experiment()
        one = Map("key", maps.Plan.of_settings(e), Maps())
        one.error = "OSError: no space"
        phase_map._so_far(Call.of(maps.phase_map, e), one, e, None, "ko")  # a fragment runs outside the page

    (error,) = AppTest.from_function(page).run().error
    assert error.value == "지도를 잴 수 없습니다"
    large = SMALL.replace(steps=1_000_000, hidden_size=1024, batch_size=256)
    with speaking("ko"):
        point = measured(dict(large), MEASURES["rate"])
    assert "TooLarge" in point.reason
    assert not HANGUL.search(point.reason)


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
    small = urlencode(STATE_QUERY | {"phase_map_size": "5", "phase_map_seeds": "1"})
    for name in ADDRESSES:
        if name == ADDRESSES[0]:
            visit(page, f"{app_url}/{name}?{small}")
        else:
            turn(page, f"/{name}?{small}")
        expect(page.locator("html")).to_have_attribute("lang", "ko")
        lines = page.evaluate(WITHOUT_CODE).splitlines()
        assert {line: found for line in lines if line not in OF_STREAMLIT and (found := english(line))} == {}, name
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name


@pytest.mark.slow
@pytest.mark.browser
def test_a_page_s_link_has_the_same_settings_in_the_other_language(browser: Browser, app_url):
    query = "keep_bias=3.0&initialization=orthogonal&inputs=sines"
    contexts = {locale: browser.new_context(locale=locale) for locale in ("ko-KR", "en-US")}
    for locale, button, heading in (("ko-KR", "English", "Gradient flow"), ("en-US", "한국어", "기울기의 흐름")):
        page = contexts[locale].new_page()
        visit(page, f"{app_url}/gradient_flow?{query}")
        before = parse_qs(urlsplit(page.url).query)
        page.get_by_role("button", name=button).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(heading)
        after = parse_qs(urlsplit(page.url).query)
        assert {name: after[name] for name in before if name != "lang"} == {
            name: value for name, value in before.items() if name != "lang"
        }
        other = contexts["ko-KR" if locale == "en-US" else "en-US"].new_page()
        visit(other, page.url)
        expect(other.get_by_role("heading", level=1)).to_have_text(heading)
        assert other.locator(".st-key-problems").count() == 0
        assert parse_qs(urlsplit(other.url).query).keys() >= {"keep_bias", "initialization", "inputs"}
