"""A slider that moves: the picture, its sentence and its cards follow before it is let go."""

import re
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import Page, expect

from gradlab.analyses.paths import microscope
from gradlab.charts.zooming import HINT
from gradlab.settings.experiment import Experiment
from gradlab.words.following import TOO_LONG
from tests.ui.browser import CHART, WAIT, drawing, idle, press, visit

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.usefixtures("quiet")]

SENTENCE = ".st-key-followed_0"
WATCH = """() => {
  window.lost = 0; window.anew = 0; window.drawn = new Set();
  const first = document.querySelector('[data-testid="stVegaLiteChart"] .marks');
  const look = () => {
    const marks = document.querySelector('[data-testid="stVegaLiteChart"] .marks');
    const paths = marks ? [...marks.querySelectorAll('.mark-line path, .mark-rect path, .mark-rule line')] : [];
    const lines = paths.map(path => path.outerHTML).join();
    if (!lines) window.lost++;
    if (marks !== first) window.anew++;
    window.drawn.add(lines);
    requestAnimationFrame(look);
  };
  look();
}"""

COUNT = """() => {
  if (window.asked !== undefined) return;
  window.asked = 0;
  const own = window.fetch, done = () => { window.asked--; };
  window.fetch = (url, ...rest) => {
    const answer = own(url, ...rest);
    if (String(url).includes("following/stops")) {
      window.asked++;
      answer.then(done, done);
    }
    return answer;
  };
}"""

RESTS = """setting => {
  window.rests = [];
  const thumb = document.querySelector(`.st-key-${setting} input[type=range]`);
  let moved = null, stop = thumb.getAttribute('aria-valuetext'), drawn = null;
  const look = () => {  // Streamlit writes the same stop again whenever it draws the slider
    if (stop !== thumb.getAttribute('aria-valuetext')) moved = performance.now();
    stop = thumb.getAttribute('aria-valuetext');
  };
  new MutationObserver(look)
    .observe(thumb, { attributes: true, attributeFilter: ["aria-valuetext"] });
  const send = window.dispatchEvent.bind(window);  // a look's event has the look in its name
  window.dispatchEvent = event => {
    const isDrawing = event.type.startsWith("gradlab-home") && event.detail !== drawn;  // else Vega asked again
    if (isDrawing && moved !== null) window.rests.push(performance.now() - moved);
    if (isDrawing) drawn = event.detail;
    return send(event);
  };
}"""


def place(page: Page, setting: str) -> tuple[float, float]:
    """The middle of a slider's thumb."""
    handle = page.locator(f".st-key-{setting} input[type=range]").locator("xpath=../..")
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page: Page, setting: str, by: float, moves: int = 10) -> None:
    """Presses the thumb and moves it, without letting go."""
    page.evaluate(COUNT)
    x, y = place(page, setting)
    page.mouse.move(x, y)
    page.mouse.down()
    for move in range(1, moves + 1):
        page.mouse.move(x + by * move / moves, y)
        page.wait_for_timeout(30)


def look(page: Page) -> list[str]:
    """What follows: the sentence, the cards, the lines."""
    page.wait_for_timeout(300)
    cards = page.get_by_test_id("stMetric").all_inner_texts()
    lines = page.locator(f"{CHART} .mark-line path").evaluate_all("all => all.map(path => path.getAttribute('d'))")
    return [page.locator(SENTENCE).inner_text(), *cards, *lines]


def settled(page: Page) -> list[str]:
    """What follows, when every answer is there."""
    page.wait_for_timeout(700)
    before = look(page)
    for _ in range(50):
        page.wait_for_function("window.asked === 0", timeout=WAIT)  # a busy server answers late
        page.wait_for_timeout(200)  # what it was too busy for is asked again within 300 ms
        if (now := look(page)) == before and page.evaluate("window.asked") == 0:
            return now
        before = now
    pytest.fail("the picture does not come to rest")


@pytest.mark.parametrize("address", ["", "gradient_flow"])
def test_the_picture_follows_and_stays_as_it_is_on_release(page, app_url, address):
    visit(page, f"{app_url}/{address}")
    page.evaluate(WATCH)
    for setting, by in (("keep_bias", 40), ("gain", 20), ("steps", 30), ("hidden_size", -30)):
        if not page.locator(f".st-key-{setting}").is_visible():
            page.get_by_text("Network", exact=True).click()
        before = look(page)
        page.evaluate("window.drawn.clear()")
        drag(page, setting, by)
        moving = settled(page)
        assert moving[0] != before[0], setting
        expect(page).not_to_have_url(re.compile(setting))
        page.mouse.up()
        expect(page).to_have_url(re.compile(f"{setting}="))
        idle(page)
        page.wait_for_timeout(500)
        released = look(page)
        assert released[:4] == moving[:4], f"the sentence and the cards after {setting}"
        assert page.evaluate("window.lost") == 0, f"frames without a chart at {setting}"
        assert page.evaluate("window.anew") == 0, f"the chart was drawn anew at {setting}"
        assert page.evaluate("window.drawn.size") >= 3, setting


@pytest.mark.parametrize(
    ("address", "setting", "by", "sentences"),
    [("one_unit", "weight", 60, 1), ("why_addition", "keep_bias", 20, 3), ("unrolled", "lag", 60, 1)],
)
def test_pages_with_other_pictures_follow_too(page, app_url, address, setting, by, sentences):
    visit(page, f"{app_url}/{address}?steps=100&hidden_size=16&batch_size=2")
    page.wait_for_timeout(1000)
    before = said(page, sentences)
    page.evaluate(WATCH)
    drag(page, setting, by)
    settled(page)
    moving = said(page, sentences)
    assert all(now != then for now, then in zip(moving, before, strict=True))
    expect(page).not_to_have_url(re.compile(rf"\b{setting}="))
    page.mouse.up()
    expect(page).to_have_url(re.compile(rf"\b{setting}="))
    idle(page)
    page.wait_for_timeout(500)
    assert said(page, sentences) == moving
    assert page.evaluate("window.lost") == 0, "frames without a chart"
    assert page.evaluate("window.anew") == 0, "the chart was drawn anew"
    assert page.evaluate("window.drawn.size") >= 3


def said(page: Page, sentences: int) -> list[str]:
    """The sentences that follow, and what the first picture says of itself."""
    texts = [page.locator(f".st-key-followed_{n}").inner_text() for n in range(sentences)]
    return [*texts, page.locator(CHART).first.get_attribute("aria-label")]


def test_the_axis_stays_under_the_finger_and_is_the_pages_own_on_release(page, app_url):
    visit(page, f"{app_url}/?keep_bias=6.0&cells=LSTM")
    ticks = f"{CHART} .role-axis-label text"
    seen = set()
    x, y = place(page, "keep_bias")
    page.mouse.move(x, y)
    page.mouse.down()
    for move in range(60):
        page.mouse.move(x - 2 * move, y)
        page.wait_for_timeout(30)
        seen.add(tuple(page.locator(ticks).all_inner_texts()))
    assert 1 < len(seen) <= 6, "a few rungs over forty decades"
    page.mouse.up()
    idle(page)
    page.wait_for_timeout(500)
    settled = drawing(page)
    visit(page, page.url)
    assert drawing(page) == settled


def test_a_key_press_is_followed_before_the_page_has_run(page, app_url):
    visit(page, app_url)
    slider = page.get_by_role("slider", name="Keep-gate bias")
    slider.focus()
    page.wait_for_timeout(1000)
    before = look(page)
    with page.expect_request(lambda request: "following/stops" in request.url):
        slider.press("ArrowRight")
        slider.press("ArrowRight")
    idle(page)
    assert look(page) != before


def test_nothing_is_asked_for_before_a_slider_moves(page, app_url):
    visit(page, app_url)
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "following/stops" in request.url else None)
    page.mouse.move(*place(page, "keep_bias"))
    page.get_by_role("slider", name="Keep-gate bias").focus()
    page.wait_for_timeout(1000)
    assert asked == []


def test_the_picture_is_described_by_what_it_shows(page, app_url):
    visit(page, app_url)
    drag(page, "keep_bias", 40)
    settled(page)
    said = page.locator(SENTENCE).inner_text()
    assert page.locator(f"{CHART}").first.get_attribute("aria-label").endswith(said)
    page.mouse.up()
    idle(page)
    page.wait_for_timeout(500)
    said = page.locator(SENTENCE).inner_text()
    assert page.locator(f"{CHART}").first.get_attribute("aria-label").endswith(said)


def test_the_pointer_reads_the_values_of_a_picture_that_follows(page, app_url):
    visit(page, f"{app_url}/gates?steps=40&hidden_size=8&batch_size=2&unit=3")
    box = page.locator(CHART).first.bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    tip = page.locator("#vg-tooltip-element.visible")
    tip.wait_for()
    step, *shown = re.fullmatch(r"step (\d+)\s+h: (\S+)\s+c: (\S+)", tip.inner_text().replace("−", "-")).groups()
    states = microscope(Experiment(steps=40, hidden_size=8, batch_size=2)).values
    assert shown == [f"{states[name][int(step), 3]:.4g}" for name in ("h", "c")]


READ = """share => {  // what the pointer is told at a share of the first picture's places, and whether they stay
  const every = [...document.querySelectorAll('[data-testid="stVegaLiteChart"] .mark-path path')].filter(
    area => area.__data__?.isVoronoi
  );
  const areas = every.filter(area => area.ownerSVGElement === every[0].ownerSVGElement);
  const area = areas[Math.floor(share * areas.length)], { x, y, width, height } = area.getBoundingClientRect();
  const at = { bubbles: true, clientX: x + width / 2, clientY: y + height / 2 };
  for (const kind of ["pointerover", "pointermove"]) area.dispatchEvent(new PointerEvent(kind, at));
  const told = document.querySelector("#vg-tooltip-element").innerText;
  for (const kind of ["pointermove", "pointerout"]) area.dispatchEvent(new PointerEvent(kind, at));
  const stays = ((window.areas ??= {})[share] ??= area) === area;
  return [told, stays];
}"""


KEPT = """() => {  // what a chart gets that Streamlit makes anew
  const send = window.dispatchEvent.bind(window);
  window.kept = {};
  window.dispatchEvent = event => {
    if (event.detail?.rows?.hover) window.kept[event.type] = Object.values(event.detail.rows.hover);
    return send(event);
  };
}"""


@pytest.mark.parametrize(
    ("address", "setting"),
    [("", "keep_bias"), ("gates?unit=3&", "keep_bias"), ("one_unit?lags=50&", "weight")],
)
def test_the_pointer_is_told_what_is_drawn_and_its_places_stay(page, app_url, address, setting):
    small = "steps=40&hidden_size=8&batch_size=2&keep_bias=1"
    visit(page, f"{app_url}/{address or '?'}{small}")
    before = [page.evaluate(READ, share)[0] for share in (0.5, 0.25)]
    page.evaluate(KEPT)
    drag(page, setting, 40)
    settled(page)
    during = [page.evaluate(READ, share) for share in (0.5, 0.25)]
    assert during[1][1], "a picture whose places stay is drawn whole at every stop"
    kept = page.evaluate("Object.values(window.kept)[0].map(column => column[Math.floor(column.length / 2)])")
    told = "".join(during[0][0].split())
    assert all("".join(text.split()) in told for text in kept if isinstance(text, str)), "a chart made anew says else"
    page.mouse.up()
    idle(page)
    page.wait_for_timeout(500)
    after = [page.evaluate(READ, share)[0] for share in (0.5, 0.25)]
    assert [told for told, _ in during] == after
    assert all(now != then and now.split()[:2] == then.split()[:2] for now, then in zip(after, before, strict=True))


def test_a_pointer_that_rests_on_a_picture_is_told_what_a_key_press_makes_of_it(page, app_url):
    visit(page, f"{app_url}/gates?steps=40&hidden_size=8&batch_size=2&unit=3&keep_bias=1")
    slider = page.get_by_role("slider", name="Keep-gate bias")
    slider.focus()
    box = page.locator(CHART).first.bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    tip = page.locator("#vg-tooltip-element.visible")
    tip.wait_for()
    slider.press("ArrowRight")
    bias = float(slider.get_attribute("aria-valuetext"))
    states = microscope(Experiment(steps=40, hidden_size=8, batch_size=2, keep_bias=bias)).values
    step = int(re.match(r"step (\d+)", tip.inner_text())[1])
    for name in ("h", "c"):
        expect(tip).to_contain_text(f"{name}: {states[name][step, 3]:.4g}".replace("-", "−"))


def test_what_follows_is_written_on_the_card_it_is_about_when_others_are_not_drawn_yet(page, app_url):
    visit(page, f"{app_url}/?steps=50&hidden_size=16")
    cards = page.get_by_test_id("stMetric")
    before = cards.all_inner_texts()
    cards.first.evaluate("card => card.removeAttribute('data-testid')")
    drag(page, "keep_bias", 40)
    moving = settled(page)[1:3]
    assert [card.split("\n")[0].split(":")[0] for card in moving] == ["LSTM h and c", "GRU h"]
    assert all(now != then for now, then in zip(moving, before[1:], strict=True))


def test_a_finger_on_a_touch_screen_is_followed(browser, app_url):
    context = browser.new_context(has_touch=True, viewport={"width": 1000, "height": 1200})
    page = context.new_page()
    visit(page, app_url)
    before = look(page)
    x, y = place(page, "keep_bias")
    session = context.new_cdp_session(page)
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for move in range(1, 11):
        session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": x + 4 * move, "y": y}]})
        page.wait_for_timeout(30)
    moving = look(page)
    assert moving[0] != before[0]
    assert "keep_bias" not in page.url
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(page).to_have_url(re.compile("keep_bias="))
    idle(page)
    assert look(page)[0] == moving[0]
    context.close()


def test_less_motion_waits_for_the_finger_to_rest(page, app_url):
    page.emulate_media(reduced_motion="reduce")
    visit(page, app_url)
    before = page.locator(SENTENCE).inner_text()
    page.evaluate(RESTS, "keep_bias")
    drag(page, "keep_bias", 40)
    expect(page.locator(SENTENCE)).not_to_have_text(before)
    rests = page.evaluate("window.rests")
    assert rests
    assert min(rests) >= 145, "milliseconds without a move before a drawing"
    page.mouse.up()


def test_what_is_known_is_forgotten_when_another_setting_changes(page, app_url):
    visit(page, f"{app_url}/?cells=LSTM")
    drag(page, "keep_bias", 40)
    page.mouse.up()
    expect(page).to_have_url(re.compile("keep_bias="))
    press(page, "Steps", "ArrowRight")
    with page.expect_request(lambda request: "setting=keep_bias" in request.url and "steps=250" in request.url):
        drag(page, "keep_bias", -40)
    moving = look(page)
    page.mouse.up()
    idle(page)
    page.wait_for_timeout(500)
    assert look(page)[0] == moving[0]
    assert "249 steps earlier" in moving[0]


def test_a_slider_whose_curves_take_too_long_says_so_and_acts_on_release(page, app_url):
    visit(page, f"{app_url}/?steps=1000&cells=LSTM&hidden_size=256")
    before, asked = look(page), []
    page.on("request", lambda request: "following/stops" in request.url and asked.append(parse_qs(request.url)))
    drag(page, "keep_bias", 40)
    expect(page.locator(".st-key-keep_bias")).to_have_attribute("data-follows", TOO_LONG)
    assert look(page) == before
    page.mouse.up()
    expect(page).to_have_url(re.compile("keep_bias="))
    expect(page.locator(SENTENCE)).not_to_have_text(before[0])
    dragged = {stop for query in asked for stop in query["stops"][0].split(",")}
    asked.clear()
    press(page, "Keep-gate bias", "ArrowLeft")
    assert {query["dragged"][0] for query in asked} == {"false"}
    assert dragged & {stop for query in asked for stop in query["stops"][0].split(",")}, "a key may get what it did not"


@pytest.mark.parametrize(
    "without",
    [
        "const set = Element.prototype.setAttribute; Element.prototype.setAttribute = function (name, value) "
        "{ if (name !== 'aria-valuetext') set.call(this, name, value); }",
        "const own = window.fetch; window.fetch = (url, ...rest) => String(url).includes('following/stops') "
        "? Promise.reject(new Error('no route')) : own(url, ...rest)",
    ],
)
def test_without_what_it_stands_on_the_page_behaves_as_before(page, app_url, without):
    page.add_init_script(without)
    visit(page, app_url)
    before = look(page)
    drag(page, "keep_bias", 40)
    assert look(page) == before
    page.mouse.up()
    expect(page).to_have_url(re.compile("keep_bias="))
    expect(page.locator(SENTENCE)).not_to_have_text(before[0])


STEPS = """chart => [...chart.querySelectorAll('.role-axis-label text')].map(label => label.textContent)
  .filter(text => /^\\d+$/.test(text) && text !== '1').map(Number)"""


def test_a_drag_on_the_picture_zooms_while_sliders_go_on_and_a_double_click_or_other_steps_end_it(page, app_url):
    visit(page, f"{app_url}/?steps=60&hidden_size=16")
    chart = page.locator(CHART).first
    box = chart.bounding_box()
    left, right, y = box["x"] + 0.55 * box["width"], box["x"] + 0.7 * box["width"], box["y"] + 0.5 * box["height"]
    hint = chart.get_by_text(HINT)

    def zoom() -> list[int]:
        page.mouse.move(left, y)
        page.mouse.down()
        page.mouse.move(right, y + 30, steps=6)
        page.mouse.up()
        expect(hint).to_have_count(1)
        return chart.evaluate(STEPS)

    whole = chart.evaluate(STEPS)
    assert min(whole) == 0
    zoomed = zoom()
    assert min(zoomed) > 0
    assert max(zoomed) < max(whole)
    press(page, "Keep-gate bias", "ArrowRight")
    assert sorted(chart.evaluate(STEPS)) == sorted(zoomed), "the same steps at another setting"
    page.mouse.move(left, y)
    page.mouse.wheel(0, 200)
    assert sorted(chart.evaluate(STEPS)) == sorted(zoomed), "the wheel is the page's"
    page.mouse.wheel(0, -200)
    page.mouse.dblclick(left, box["y"] + box["height"] - 5)
    expect(hint).to_have_count(1)  # below the axes, where legends stand too, a second click is another entry's
    page.mouse.dblclick(left, y)
    expect(hint).to_have_count(0)
    assert sorted(chart.evaluate(STEPS)) == sorted(whole)
    zoom()
    press(page, "Steps", "ArrowRight")
    expect(hint).to_have_count(0)
    assert min(chart.evaluate(STEPS)) == 0
