"""The story in every language: nothing of it in another one, links that open in each, and visitors of both at once."""

import json
import re
import threading
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from gradlab.ui.ask import answer
from gradlab.ui.frame.shown import Settings
from gradlab.ui.parts import story
from gradlab.ui.parts.drawing import Drawing
from gradlab.ui.parts.story import SCENES, made_handout
from gradlab.ui.parts.view import Asked
from gradlab.words.languages import SOURCE, codes, speaking
from tests.ui.browser import CHART, idle, visit
from tests.ui.conftest import sent
from tests.ui.test_follows import asked

HANGUL = re.compile(r"[가-힣]")
ENGLISH = re.compile(r"\b[a-z]{2,}('s)? [a-z]{2,}\b")  # two of its words; Korean texts name a stop or a setting at most
ONE = Settings(*[None] * 4)  # the story's networks are its own


def at(open_app, scene, **query):
    return open_app("story", step=str(SCENES.index(scene) + 1), **query)


def seen(app) -> list[str]:
    """Every text of a page, also what its pictures say and what the pointer is told."""
    found = [app.title[0].value]
    for part in (*app.header, *app.markdown, *app.text, *app.caption):
        found.append(part.value)
    for part in (*app.button, *app.select_slider, *app.get("download_button")):
        label = getattr(part, "label", None) or part.proto.label
        found += [label, getattr(part, "help", None) or part.proto.help]
    for part in app.get("popover"):
        found.append(part.proto.popover.label)
    (chart,) = app.get("vega_lite_chart")
    found.append(chart.proto.alt)
    found += texts_of(json.loads(chart.proto.spec))
    (followed,) = [part for part in app.get("bidi_component") if "following" in part.proto.id]
    frame = json.loads(json.loads(followed.proto.json)["frame"])
    found += ["".join(sentence) for sentence in frame["sentences"]] + frame["labels"]
    for rows in frame["pictures"][0]["rows"].values():
        found += [str(value) for name, column in rows.items() if name in ("label", "says") for value in column]
    return [re.sub(r"\]\([^)]*\)", "]", text) for text in found if text]  # without the addresses of links


def texts_of(part) -> list[str]:
    if isinstance(part, dict):
        own = [part["title"]] if isinstance(part.get("title"), str) else []
        own += [part["text"]["value"]] if isinstance(part.get("text"), dict) and "value" in part["text"] else []
        return own + [text for inner in part.values() for text in texts_of(inner)]
    return [text for inner in part for text in texts_of(inner)] if isinstance(part, list) else []


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_nothing_of_a_korean_step_is_english_and_nothing_of_an_english_one_korean(open_app, scene):
    for chosen in (None, 0):
        pages = []
        for code in ("ko", "en"):
            app = at(open_app, scene, lang=code)
            if chosen is not None:
                app.button(key=f"guess {scene.name} {chosen}").click().run()
            assert not app.exception
            pages.append(seen(app))
        korean, english = pages
        assert [text for text in korean if ENGLISH.search(text)] == []
        assert [text for text in english if HANGUL.search(text) and "한국어" not in text] == []
        assert sum(1 for text in korean if HANGUL.search(text)) >= 12
        assert any(ENGLISH.search(text) for text in english)


def test_the_language_is_the_link_s_else_the_browser_s(open_app):
    assert HANGUL.search(open_app("story", lang="ko").header[0].value)
    assert not HANGUL.search(open_app("story").header[0].value)
    refused = open_app("story", lang="xx")
    assert refused.text[0].value == "lang = 'xx' is not allowed: use en / ko; en is used instead."
    assert not HANGUL.search(refused.header[0].value)


def test_a_copied_link_and_those_of_the_page_keep_the_language_and_an_english_one_has_none(open_app):
    def copied(app):
        return parse_qs(json.loads(app.get("bidi_component")[-1].proto.json)["query"])

    korean, english = open_app("story", lang="ko", step="10"), open_app("story", step="10")
    assert copied(korean)["lang"] == ["ko"]
    assert "lang" not in copied(english)
    links = [re.findall(r"\]\(([^)]*)\)", part.value) for part in korean.markdown]
    (deeper,) = [found for found in links if found]
    assert len(deeper) == 2
    assert all(parse_qs(urlsplit(link).query)["lang"] == ["ko"] for link in deeper)


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_a_link_sets_the_same_control_in_every_language(open_app, scene):
    for stop in {scene.stops[0], scene.asked, scene.stops[-1]}:
        apps = [at(open_app, scene, lang=code, **{scene.key: str(stop)}) for code in codes()]
        assert [str(app.select_slider(key=scene.key).value) for app in apps] == [str(stop)] * len(apps)
        assert not any(app.text for app in apps), "what could not be used"
        written = [app.select_slider(key=scene.key).proto.options for app in apps]
        assert all(list(options) == [*map(str, scene.stops)] for options in written), "what is in the address"


def shown_in(code: str, scene) -> tuple[str, str]:
    """The sentence and the words of a picture of a step."""
    own = (("step", str(SCENES.index(scene) + 1)),)
    with speaking(code):
        view = story.view(Asked(ONE, own, False, code), answer)
        drawn = view.figures[0]
        picture = Drawing(drawn.draw, drawn.question, drawn.reduction, drawn.beside).in_parts(
            drawn.question.rows(), dark=False
        )
    document = picture.chart().to_dict(validate=False)
    return view.sentences[0], json.dumps([drawn.words.title, document], default=str, sort_keys=True)


def test_visitors_in_two_languages_at_once_see_each_their_own():
    scene = SCENES[0]
    alone = {code: shown_in(code, scene) for code in codes()}
    assert len(set(alone.values())) == len(alone)
    together, found = threading.Barrier(4), {}

    def visit(place: int) -> None:
        code, found[place] = codes()[place % 2], []
        for _round in range(5):
            together.wait(60)
            found[place].append(shown_in(code, scene) == alone[code])

    threads = [threading.Thread(target=visit, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert found == dict.fromkeys(range(4), [True] * 5)


@pytest.mark.slow
def test_what_follows_the_finger_is_in_the_page_s_language(open_app):
    for scene in (SCENES[0], SCENES[-1]):
        stop = str(next(stop for stop in scene.stops if stop != scene.first))
        for code in codes():
            before = sent(at(open_app, scene, lang=code))
            after = sent(at(open_app, scene, lang=code, **{scene.key: stop}))
            assert asked(before, scene.key, stop) == {stop: after["frame"]}
            assert (HANGUL.search(str(after["frame"]["sentences"])) is not None) == (code == "ko")


@pytest.mark.slow
def test_the_language_is_in_the_keys_of_what_is_kept():
    for scene in (SCENES[0], SCENES[-1]):
        documents, looks = set(), set()
        for code in codes():
            with speaking(code):
                drawn, _sentence = story.shown(scene, scene.first, answer)
                drawing = Drawing(drawn.draw, drawn.question, drawn.reduction, drawn.beside)
            documents.add(drawing.key(False))
            looks.add(drawing.in_parts(drawn.question.rows(), False).key)
            is_said = "gradlab.words.languages.speaking('ko')" in drawing.code(False)
            assert is_said == (code == "ko"), "a program makes the same picture"
        assert len(documents) == len(looks) == len(codes())


@pytest.mark.slow
@pytest.mark.browser
def test_the_korean_handout_is_korean_and_its_links_too(page: Page, tmp_path):
    stops = [scene.asked for scene in SCENES]
    html = made_handout(stops, "http://here/story", "ko").decode()
    assert '<html lang="ko">' in html
    assert html.count("lang=ko") == len(SCENES)
    assert SOURCE not in codes()[1:]
    target = tmp_path / "handout.html"
    target.write_text(html, encoding="utf-8")
    page.goto(target.as_uri())
    said = page.locator("h1, h2, p:not(.link)").all_inner_texts()
    alts = page.locator("img").evaluate_all("all => all.map(image => image.alt)")
    assert [text for text in said + alts if ENGLISH.search(text)] == []
    assert all(HANGUL.search(text) for text in said + alts)
    pages = len(re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True)))
    assert 1 < pages <= 10


@pytest.mark.slow
@pytest.mark.browser
def test_each_language_s_link_opens_in_the_other(browser: Browser, app_url):
    titles = {"ko-KR": "5. 게이트를 하나씩", "en-US": "5. One gate after another"}
    contexts = {locale: browser.new_context(locale=locale) for locale in titles}
    links = {}
    for locale, title in titles.items():
        page = contexts[locale].new_page()
        visit(page, f"{app_url}/story?step=5")
        expect(page.get_by_role("heading", level=2)).to_have_text(title)
        expect(page.locator("html")).to_have_attribute("lang", locale[:2])
        page.get_by_role("slider").press("ArrowRight")
        page.get_by_role("slider").press("ArrowRight")
        expect(page).to_have_url(re.compile("story_gates=forget"))
        links[locale] = page.url
    for locale, link in links.items():
        (other,) = titles.keys() - {locale}
        query = parse_qs(urlsplit(link).query)
        assert query.get("lang") == (["ko"] if locale == "ko-KR" else None)
        page = contexts[other].new_page()
        visit(page, link)
        # A Korean link stays Korean; one that names no language is read in the reader's.
        expect(page.get_by_role("heading", level=2)).to_have_text(titles["ko-KR"])
        assert page.get_by_role("slider").get_attribute("aria-valuetext") == "forget"
        page.get_by_role("button", name="English").click()
        expect(page.get_by_role("heading", level=2)).to_have_text(titles["en-US"])
        assert page.get_by_role("slider").get_attribute("aria-valuetext") == "forget"
        expect(page.get_by_test_id("stSidebar").get_by_role("button", name="Copy link")).to_be_attached()
        idle(page)
        page.reload()
        page.locator(f"{CHART} svg, {CHART} canvas").first.wait_for()
        expect(page.get_by_role("heading", level=2)).to_have_text(titles["en-US"])


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.usefixtures("quiet")
def test_what_opens_beside_a_picture_is_korean_though_the_page_is_not_run_again(page: Page, app_url):
    visit(page, f"{app_url}/story?lang=ko")
    for name, wanted in (("읽는 법", "손실은 오른쪽 끝에 있습니다"), ("내보내기", "너비")):
        page.get_by_role("button", name=name).click()
        inside = page.get_by_test_id("stPopoverBody")
        expect(inside).to_contain_text(wanted)
        idle(page)
        lines = [line for line in inside.inner_text().splitlines() if ENGLISH.search(line)]
        assert lines == []
        page.keyboard.press("Escape")
        expect(inside).to_be_hidden()


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_the_keyboard_goes_through_the_korean_story_and_every_step_fits(page: Page, app_url, width, height):
    from tests.ui.test_story import fits, settled

    page.set_viewport_size({"width": width, "height": height})
    visit(page, f"{app_url}/story?lang=ko")
    for place, scene in enumerate(SCENES, 1):
        with speaking("ko"):
            lesson = scene.lesson
        expect(page.get_by_role("heading", level=2)).to_have_text(f"{place}. {lesson.title}")
        settled(page)
        fits(page, f"{scene.name}, as it opens")
        page.get_by_role("button", name=lesson.options[0], exact=True).press("Enter")
        expect(page.locator(".st-key-story_reply p")).to_be_visible()
        settled(page)
        fits(page, f"{scene.name}, answered")
        inside = page.evaluate(
            "() => [...document.querySelectorAll('.st-key-story_top button')]"
            ".every(one => one.getBoundingClientRect().right <= innerWidth)"
        )
        assert inside, "every step and the switch can be reached"
        if scene is not SCENES[-1]:
            page.keyboard.press("ArrowRight")
