"""The guided story in the app: its steps, their controls, questions, links and handout."""

import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from gradlab.ui.ask import answer
from gradlab.ui.frame import hidden
from gradlab.ui.parts import story
from gradlab.ui.parts.story import SCENES, STEPS, address, made_handout
from gradlab.words import story as words
from tests.ui.browser import CHART, WAIT, drawing, idle, visit
from tests.ui.conftest import sent

SIZES = [(1440, 900), (390, 844)]
MOST_PRESSES, MOST_PAGES = 12, 10
OVERFLOW = """() => {
  const main = document.querySelector('[data-testid="stMain"]');
  const inside = document.querySelector('.st-key-story').getBoundingClientRect();
  const walk = document.querySelector('.st-key-story_walk').getBoundingClientRect();
  const tools = document.querySelector('.st-key-story [class*="st-key-tools-"]').getBoundingClientRect();
  return {
    scrolls: main.scrollHeight - main.clientHeight, wide: main.scrollWidth - main.clientWidth,
    below: Math.max(inside.bottom, walk.bottom) - innerHeight,
    covered: walk.bottom >= innerHeight ? tools.bottom - walk.top : -1,  // by the row that a phone has at its edge
  };
}"""


def scene_of(name: str) -> story.Scene:
    return next(scene for scene in SCENES if scene.name == name)


def texts(app) -> list[str]:
    return [part.value for part in (*app.header, *app.markdown)]


def at(open_app, scene, **query):
    return open_app("story", step=str(SCENES.index(scene) + 1), **query)


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_a_step_shows_its_words_its_picture_and_one_control(open_app, scene):
    app = at(open_app, scene)
    lesson, stop = scene.lesson, scene.first
    said = lesson.says(stop, answer(scene.call(stop)).numbers)
    assert {lesson.text, said, f"**{lesson.question}**"} <= set(texts(app))
    assert app.header[0].value == words.step_title(SCENES.index(scene) + 1, lesson)
    assert [slider.key for slider in app.main.select_slider] == [scene.key]
    assert len(app.get("vega_lite_chart")) == 1
    assert not app.text, "what could not be used"


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_an_answer_moves_the_control_and_gets_its_number(open_app, scene):
    lesson = scene.lesson
    right = lesson.answer(story.numbers_of(scene, answer)).option
    for chosen in (right, (right + 1) % len(lesson.options)):
        app = at(open_app, scene)
        app.button(key=f"guess {scene.name} {chosen}").click().run()
        assert not app.exception
        assert str(app.select_slider(key=scene.key).value) == str(scene.asked)
        assert words.reply(lesson, chosen, story.numbers_of(scene, answer)) in texts(app)
        assert lesson.says(scene.asked, answer(scene.call(scene.asked)).numbers) in texts(app)


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_what_follows_the_finger_is_what_the_page_shows_on_release(open_app, scene):
    from tests.ui.test_follows import asked

    stop = str(next(stop for stop in scene.stops if stop != scene.first))
    before = sent(at(open_app, scene))
    after = sent(at(open_app, scene, **{scene.key: stop}))
    assert asked(before, scene.key, stop) == {stop: after["frame"]}
    assert after["frame"]["pictures"] != before["frame"]["pictures"], "its control changes its picture"
    assert after["frame"]["sentences"] != before["frame"]["sentences"]


def test_every_move_of_a_control_changes_what_is_drawn():
    for scene in SCENES:
        tables = [answer(scene.call(stop)).table.to_csv() for stop in scene.stops]
        assert len(set(tables)) == len(tables), scene.name


def test_a_link_opens_a_step_with_its_control_and_a_copied_one_says_so(open_app):
    app = open_app("story", step="5", story_gates="output")
    assert app.header[0].value.startswith("5. ")
    assert app.select_slider(key="story_gates").value == "output"
    query = parse_qs(json.loads(app.get("bidi_component")[-1].proto.json)["query"])
    assert (query["step"], query["story_gates"]) == (["5"], ["output"])
    assert open_app("story", step="11").text[0].value.startswith("step = '11' is not allowed: use one of 1, 2")


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_the_page_that_goes_deeper_takes_every_setting_of_its_link(open_app, scene):
    for stop in {scene.stops[0], scene.first, scene.asked, scene.stops[-1]}:
        link = urlsplit(address(scene, stop))
        query = {name: values if len(values) > 1 else values[0] for name, values in parse_qs(link.query).items()}
        app = open_app(link.path, **query)
        assert not app.text, [text.value for text in app.text]
        shared = app.session_state["settings"].one.settings
        for name, value in scene.query(stop).items():
            if name in type(shared).model_fields and scene.name != "learning":
                assert str(getattr(shared, name)) == str(value), name
            elif name in app.session_state:
                found = str(app.session_state[name]).lower()
                assert found in (str(value).lower(), f"['{value}']".lower()) or name == "task", name


def test_the_link_that_goes_deeper_is_on_the_page(open_app):
    app = open_app("story", step="1", story_weight="0.7")
    assert f"[Go deeper: One unit, one weight]({address(SCENES[0], 0.7)})" in texts(app)
    assert "weight=0.7" in address(SCENES[0], 0.7)


def test_a_name_that_no_control_can_have_is_refused_and_others_are_hidden(open_app):
    app = open_app("story", hide="question,story_weight,}body{,<b>")
    assert app.session_state[hidden.NAME] == ("question", "story_weight")
    refused = [text.value for text in app.text]
    assert [text for text in refused if text.startswith("hide = '}body{' is not the name of a control")]
    styles = [part.proto.body for part in app.get("html")]
    assert "<style>.st-key-question, .st-key-story_weight { display: none !important; }</style>" in styles
    assert app.query_params["hide"] in ("question,story_weight", ["question,story_weight"])


@pytest.mark.slow
def test_the_networks_of_the_last_step_begin_to_learn_before_it(open_app, monkeypatch):
    begun = []
    monkeypatch.setattr(story.ask, "answer", lambda call: begun.append(call.function.__name__))
    monkeypatch.setattr(story, "kept", lambda key: story.MISSING)
    monkeypatch.setattr(story, "LATER", 0.0)
    for place in range(len(SCENES)):
        story._look_ahead(place)
    for timer in [thread for thread in story.threading.enumerate() if isinstance(thread, story.threading.Timer)]:
        timer.join(5)
    assert set(begun) == {"learning"}
    assert 1 <= len(begun) <= story.AHEAD
    begun.clear()
    monkeypatch.setattr(story, "kept", lambda key: "there")
    story._learn()
    assert not begun


@pytest.mark.slow
@pytest.mark.browser
def test_the_handout_has_every_step_as_it_stands_on_at_most_ten_pages(page: Page, tmp_path):
    stops = [scene.stops[0] for scene in SCENES]
    html = made_handout(stops, "http://here/story").decode()
    assert html.count("<img ") == html.count("<section>") == len(SCENES)
    assert "http://here/story?step=4&amp;story_clipping=0.01" in html
    for scene, stop in zip(SCENES, stops, strict=True):
        said = scene.lesson.says(stop, answer(scene.call(stop)).numbers).replace("**", "")
        assert said.replace("'", "&#x27;") in html
    target = tmp_path / "handout.html"
    target.write_text(html, encoding="utf-8")
    page.goto(target.as_uri())
    assert page.locator("img").evaluate_all("all => all.every(image => image.complete && image.naturalWidth > 0)")
    pages = len(re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True)))
    assert 1 < pages <= MOST_PAGES


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_right_arrow_goes_through_the_whole_and_every_step_fits_the_screen(page: Page, app_url, width, height):
    page.set_viewport_size({"width": width, "height": height})
    visit(page, f"{app_url}/story")
    presses = 0
    for scene in SCENES:
        expect(page.get_by_role("heading", level=2)).to_have_text(
            words.step_title(SCENES.index(scene) + 1, scene.lesson)
        )
        settled(page)
        fits(page, f"{scene.name}, as it opens")
        page.get_by_role("button", name=scene.lesson.options[0], exact=True).click()
        expect(page.locator(".st-key-story_reply p")).to_be_visible()
        settled(page)
        fits(page, f"{scene.name}, answered")
        if scene is not SCENES[-1]:
            page.keyboard.press("ArrowRight")
            presses += 1
    assert presses <= MOST_PRESSES
    page.keyboard.press("ArrowLeft")
    expect(page).to_have_url(re.compile(f"step={len(SCENES) - 1}"))


def settled(page: Page) -> None:
    """Until the page stands still with the step's picture in it."""
    page.locator(f"{CHART} svg, {CHART} canvas").first.wait_for(timeout=WAIT)
    idle(page)
    page.wait_for_timeout(500)


def fits(page: Page, where: str) -> None:
    found = page.evaluate(OVERFLOW)
    assert max(found.values()) <= 0, (where, found)


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.usefixtures("quiet")
def test_a_slider_keeps_the_arrows_and_its_picture_changes(page: Page, app_url):
    visit(page, f"{app_url}/story?step=2")
    settled(page)
    before = drawing(page)
    page.get_by_role("slider").press("ArrowRight")
    expect(page).to_have_url(re.compile("story_product=1.25"))
    settled(page)
    assert drawing(page) != before
    expect(page).to_have_url(re.compile("step=2"))


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.usefixtures("quiet")
def test_a_teacher_s_link_hides_controls_and_presents(page: Page, app_url):
    visit(page, f"{app_url}/story?step=6&present=1&hide=question,story_routes")
    expect(page.locator(".st-key-question")).to_be_hidden()
    expect(page.locator(".st-key-story_routes")).to_be_hidden()
    expect(page.get_by_test_id("stSidebar")).to_be_hidden()
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile("step=7"))
    expect(page).to_have_url(re.compile("hide=question"))
    expect(page).to_have_url(re.compile("present=1"))
    expect(page.locator(".st-key-story_addition")).to_be_visible()
    expect(page.locator(".st-key-question")).to_be_hidden()
    settled(page)
    fits(page, "presented")
    assert STEPS[-1] == len(SCENES)
