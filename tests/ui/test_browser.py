"""The app in a real browser: what AppTest cannot see."""

import io
import itertools
import json
import re
import struct

import pandas as pd
import pytest
from playwright.sync_api import expect

import gradlab
from gradlab.analyses.thinning import POINTS_ON_SCREEN
from gradlab.charts.colours import INKS
from gradlab.words.numbers import number
from tests.ui.browser import (
    CHART,
    WAIT,
    comes_to_rest,
    download,
    drawing,
    follows_the_theme,
    go,
    idle,
    press,
    server_of,
    visit,
    works,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.usefixtures("quiet")]

LONG = "steps=10000&hidden_size=512&depth=2&batch_size=8&cells=LSTM"


def begin_long_work(page, app_url):
    """Opens work of some ten seconds; where this machine takes more, the page says so before and asks to begin it."""
    page.goto(f"{app_url}/?{LONG}")
    begin = page.get_by_role("button", name="Begin", exact=True)
    begin.or_(page.get_by_test_id("stProgress")).first.wait_for(timeout=WAIT)
    if begin.is_visible():
        begin.click()


def test_a_cold_deep_link_on_a_fresh_server_draws_its_own_picture(page, fresh_app_url):
    visit(page, f"{fresh_app_url}/gradient_flow?cells=GRU&steps=60&seed=3")
    expect(page.get_by_role("heading", name="Gradient flow", exact=True)).to_be_visible()
    left = (
        gradlab.trace(gradlab.Experiment(cell="gru", steps=60, seed=3)).table.query("step == 0").log10_relative.item()
    )
    expect(page.get_by_text(f"GRU {number(left)}")).to_be_visible()
    expect(page.get_by_role("slider", name="Steps")).to_have_attribute("aria-valuetext", re.compile("60"))


def test_a_key_press_on_a_slider_changes_the_chart_and_the_address(page, app_url):
    visit(page, app_url)
    press(page, "Steps", "ArrowRight")
    expect(page).to_have_url(re.compile("steps=250"))


def test_downloads_are_real_files_and_the_csv_holds_the_plotted_numbers(page, app_url):
    visit(page, f"{app_url}/gradient_flow?steps=2000")  # more than are drawn
    png = download(page, "gradient norms", "PNG")
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">I", png[16:20])[0] > 1500, "twice as many pixels as the chart has"
    svg = download(page, "gradient norms", "SVG").decode()
    assert svg.startswith("<svg")
    assert "LSTM" in svg
    table = pd.read_csv(io.BytesIO(download(page, "gradient norms", "CSV")))
    assert len(table) == 2000 * 3, "every step of the h of RNN, LSTM and GRU: the lines of the chart"
    page.keyboard.press("Escape")
    box = page.locator(CHART).first.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tip = page.locator("#vg-tooltip-element, .vg-tooltip").first
    expect(tip).to_be_visible()
    words = re.split(r"[ \n\t]+", tip.inner_text())  # not at the no-break spaces of a number
    step = int(words[words.index("step") + 1].replace(",", ""))
    assert int(words[words.index("lag") + 1].replace(",", "")) == 1999 - step
    for cell, title in (("rnn", "RNN"), ("lstm", "LSTM"), ("gru", "GRU")):
        value = table.query(f"cell == {cell!r} and state == 'h' and step == {step}").log10_relative.item()
        assert f"{title} {number(value)}" in " ".join(words)


def test_every_other_format_downloads_too(page, app_url):
    visit(page, f"{app_url}/?steps=60")
    for kind, start in (("PDF", b"%PDF"), ("HTML", b"<!DOCTYPE html>"), ("JSON", b"["), ("Python", b"# Made with")):
        assert download(page, "gradient norms", kind).startswith(start), kind


@pytest.mark.parametrize(
    ("address", "subject", "lines"),
    [
        ("", "gradient norms", 3),
        ("gradient_flow?gradient_flow_layers=true&", "layers and steps", 4),
        ("why_addition?why_addition_orders=true&", "parts", 11),
    ],
)
def test_a_picture_taken_home_holds_every_row_where_the_screen_has_fewer(page, app_url, address, subject, lines):
    steps = 3000
    visit(page, f"{app_url}/{address}{'' if address else '?'}steps={steps}&hidden_size=8&batch_size=2&state=both")
    text = download(page, subject, "HTML").decode()
    spec = json.loads(re.search(r'id="spec">(.*?)</script>', text).group(1))
    most = max(spec["datasets"].values(), key=len)
    assert len(most) == lines * steps
    assert {row["step"] for row in most} == set(range(steps))
    assert len(most) > POINTS_ON_SCREEN, "the screen has as many"


PHONE = ["", "gradient_flow?depth=3", "weights?depth=2", "why_addition?depth=2", "gates?inputs=text", "unrolled"]
PHONE += ["training", "character_model?reads_text=text", "truncation"]


@pytest.mark.parametrize(("address", "scheme"), [*zip(PHONE, itertools.cycle(["light", "dark"]), strict=False)])
def test_nothing_is_wider_than_a_phone(page, app_url, address, scheme):
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme=scheme)
    visit(page, f"{app_url}/{address}")
    wide = """main => [...main.querySelectorAll('svg, canvas, p, h1, h2, h3')]
        .filter(e => !e.closest('.st-key-at_hand, [class*="st-key-choices_"]'))
        .filter(e => e.getBoundingClientRect().right > 391).map(e => e.tagName + ' ' + e.textContent.slice(0, 60))"""
    beneath = """main => {
        const strips = '.st-key-at_hand, [class*="st-key-choices_"]';
        const of = kind => [...main.querySelectorAll(kind)]
            .filter(e => e.checkVisibility({opacityProperty: true}) && !e.closest(strips))
            .map(e => [e, e.getBoundingClientRect()]).filter(([, box]) => box.width * box.height > 0);
        return of('button').flatMap(([button, one]) => of('p, h1, h2, h3')
            .filter(([text, other]) => !button.contains(text) && !text.contains(button) &&
                Math.min(one.right, other.right) - Math.max(one.left, other.left) > 1 &&
                Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top) > 1)
            .map(([text]) => text.textContent.slice(0, 60)));
    }"""
    assert page.get_by_test_id("stMain").evaluate(wide) == []  # but settings, in strips that scroll
    assert page.get_by_test_id("stMain").evaluate(beneath) == [], "no button lies on a text"
    assert follows_the_theme(page, scheme)


def test_back_and_forward_restore_each_page_as_it_was_left_and_reload_keeps(page, app_url):
    visit(page, app_url)
    steps = page.get_by_role("slider", name="Steps")
    expect(page).to_have_title("Where does the gradient go? · gradlab")
    press(page, "Steps", "ArrowRight")
    expect(page).to_have_url(re.compile(r"/\?steps=250$"))
    expect(page).to_have_title("Where does the gradient go? (steps 250) · gradlab")
    go(page, "See", "Gradient flow")
    expect(page).to_have_url(re.compile(r"/gradient_flow\?steps=250$"))
    expect(page.get_by_text("Every layer at every step")).to_be_visible()
    press(page, "Steps", "ArrowRight")
    expect(page).to_have_url(re.compile(r"/gradient_flow\?steps=300$"))
    page.go_back()
    expect(page).to_have_url(re.compile(r"/\?steps=250$"))
    expect(page.get_by_role("heading", name="Where does the gradient go?")).to_be_visible()
    expect(steps).to_have_attribute("aria-valuetext", "250")
    page.go_forward()
    expect(page).to_have_url(re.compile(r"/gradient_flow\?steps=300$"))
    expect(steps).to_have_attribute("aria-valuetext", "300")
    page.reload()
    idle(page)
    expect(page.get_by_text("Every layer at every step")).to_be_visible()
    expect(steps).to_have_attribute("aria-valuetext", "300")


def test_a_bad_value_in_the_address_is_named_and_taken_out_of_it(page, app_url):
    visit(page, f"{app_url}/?hidden_size=9999&steps=60")
    expect(page.get_by_text("hidden_size = '9999' is not allowed")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/\?steps=60$"))


def test_one_click_copies_a_link_that_names_what_is_not_at_its_default_and_opens_the_same_picture(page, app_url):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visit(page, f"{app_url}/gradient_flow?cells=GRU&gain=0.7&steps=60")
    picture = drawing(page)
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("status").filter(has_text="Link copied")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == f"{app_url}/gradient_flow?version=1&gain=0.7&steps=60&cells=GRU"
    visit(page, link)
    assert drawing(page) == picture


def test_where_the_clipboard_is_refused_the_link_stands_in_a_box(page, app_url):
    page.add_init_script("navigator.clipboard.writeText = () => Promise.reject(new Error('refused'))")
    visit(page, f"{app_url}/?steps=60")
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("status").filter(has_text="The clipboard is refused here")).to_be_visible()
    expect(page.get_by_role("textbox", name="Link of these settings")).to_have_value(f"{app_url}/?version=1&steps=60")


def test_keys_undo_and_redo_a_slider_and_a_reset_but_not_while_somebody_types(page, app_url):
    visit(page, f"{app_url}/?steps=60")
    steps = page.get_by_role("slider", name="Steps")
    press(page, "Steps", "ArrowRight")
    expect(steps).to_have_attribute("aria-valuetext", "70")
    page.keyboard.press("Control+z")
    expect(steps).to_have_attribute("aria-valuetext", "60")
    expect(page).to_have_url(f"{app_url}/?steps=60")
    page.keyboard.press("Control+Shift+Z")
    expect(steps).to_have_attribute("aria-valuetext", "70")
    idle(page)
    page.get_by_role("button", name="Reset every setting").click()
    expect(steps).to_have_attribute("aria-valuetext", "200")
    idle(page)
    page.get_by_text("Network", exact=True).click()
    seed = page.get_by_role("spinbutton", name="Seed")
    seed.focus()
    page.keyboard.press("Control+z")  # of what is typed
    page.wait_for_timeout(1000)
    expect(steps).to_have_attribute("aria-valuetext", "200")
    page.get_by_role("button", name="Undo").click()
    expect(steps).to_have_attribute("aria-valuetext", "70")


@pytest.mark.parametrize("width", [1440, 1920])
def test_a_presented_page_has_large_type_and_its_picture_and_sliders_on_one_screen_until_escape(page, app_url, width):
    page.set_viewport_size({"width": width, "height": width * 9 // 16})
    visit(page, f"{app_url}/?steps=60&present=1")
    page.wait_for_timeout(1500)  # the window tells its height, and the chart is drawn anew for it
    idle(page)
    sizes = [float(size) for size in page.locator(f"{CHART} svg text").evaluate_all(
        "texts => texts.map(text => parseFloat(getComputedStyle(text).fontSize))"
    )]  # fmt: skip
    assert len(sizes) > 10
    assert min(sizes) >= 16.5
    expect(page.get_by_test_id("stSidebar")).to_be_hidden()
    page.wait_for_timeout(1500)
    idle(page)
    chart, slider = page.locator(CHART).first.bounding_box(), page.locator(".st-key-at_hand").bounding_box()
    assert chart["y"] + chart["height"] <= slider["y"] + 1
    assert slider["y"] + slider["height"] <= width * 9 // 16
    assert chart["height"] > 0.35 * width * 9 / 16
    go(page, "See", "Gradient flow")
    expect(page.get_by_role("heading", name="Gradient flow")).to_be_visible()
    expect(page).to_have_url(re.compile("present=1"))
    idle(page)
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("stSidebar")).to_be_visible()
    expect(page).not_to_have_url(re.compile("present"))


@pytest.mark.parametrize("path", ["", "gradient_flow", "why_addition"])
def test_on_a_phone_settings_and_picture_are_on_one_screen_and_the_sidebar_closes_after_a_choice(page, app_url, path):
    page.set_viewport_size({"width": 390, "height": 844})
    visit(page, f"{app_url}/{path}?steps=60")
    chart, strip = page.locator(CHART).first.bounding_box(), page.locator(".st-key-at_hand").bounding_box()
    assert chart["y"] + chart["height"] <= strip["y"] + 60
    assert strip["y"] + strip["height"] <= 845
    expect(page.locator(".st-key-at_hand").get_by_text("Keep-gate bias")).to_be_in_viewport()
    page.get_by_test_id("stExpandSidebarButton").click()
    expect(page.get_by_test_id("stSidebar")).to_have_attribute("data-collapsed", "false")
    page.get_by_test_id("stSidebarNavLink").filter(has_text="Gates and units").click()
    expect(page.get_by_test_id("stSidebar")).to_have_attribute("data-collapsed", "true")
    expect(page.get_by_role("heading", name="Gates and units")).to_be_visible()


@pytest.mark.parametrize("path", ["phase_map?phase_map_size=5&phase_map_seeds=1", "unrolled?steps=60", "one_unit"])
def test_on_a_phone_a_page_s_own_choices_leave_its_picture_on_the_first_screen(page, app_url, path):
    page.set_viewport_size({"width": 390, "height": 844})
    visit(page, f"{app_url}/{path}")
    chart, strip = page.locator(CHART).first.bounding_box(), page.locator(".st-key-at_hand")
    assert chart["y"] + chart["height"] <= (strip.bounding_box()["y"] if strip.count() else 844)


def test_long_work_shows_progress_and_stops_when_a_setting_changes(page, app_url):
    server = server_of(app_url)
    begin_long_work(page, app_url)
    expect(page.get_by_test_id("stProgress")).to_contain_text("s left")
    assert works(server)
    page.get_by_role("button", name="Reset every setting").click()
    expect(page.get_by_test_id("stProgress")).to_have_count(0)
    page.locator(f"{CHART} svg, {CHART} canvas").first.wait_for(timeout=WAIT)
    idle(page)
    assert comes_to_rest(server), "the old work goes on beside the new"


def test_a_long_check_shows_progress_and_stops_when_a_setting_changes(page, app_url):
    server = server_of(app_url)
    page.goto(f"{app_url}/gradient_flow?depth=4&hidden_size=128&gradient_flow_check=true")
    page.get_by_role("button", name="Check the current settings").click(timeout=WAIT)
    expect(page.get_by_test_id("stProgress")).to_contain_text("Check, RNN")
    expect(page.get_by_test_id("stProgress")).to_contain_text("s left")
    assert works(server)
    page.get_by_role("button", name="Reset every setting").click()
    expect(page.get_by_test_id("stProgress")).to_have_count(0)
    idle(page)
    assert comes_to_rest(server), "the old check goes on"


def test_long_work_stops_when_the_tab_is_closed(page, app_url):
    server = server_of(app_url)
    begin_long_work(page, app_url)
    expect(page.get_by_test_id("stProgress")).to_contain_text("s left")
    assert works(server)
    page.close()
    assert comes_to_rest(server), "nobody is there to see it"


def test_a_tab_is_named_after_its_page_and_what_differs_from_the_defaults(page, app_url):
    visit(page, f"{app_url}/?steps=60&keep_bias=3")
    expect(page).to_have_title("Where does the gradient go? (keep-gate bias 3, steps 60) · gradlab")
    go(page, "See", "Gradient flow")
    expect(page).to_have_title("Gradient flow (keep-gate bias 3, steps 60) · gradlab")


def test_a_drag_over_a_chart_marks_no_text(page, app_url):
    visit(page, f"{app_url}/?steps=60")
    box = page.locator(CHART).first.bounding_box()
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.3 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.9 * box["height"], steps=8)
    assert page.evaluate("getSelection().toString()") == ""
    page.mouse.up()


def test_the_keyboard_toggles_a_legend_s_entries_as_a_click_does(page, app_url):
    visit(page, f"{app_url}/gradient_flow?steps=60&depth=2&hidden_size=8")
    chart = page.locator(CHART).first
    faint = chart.locator('.mark-line path[opacity="0.06"]')
    legend = chart.get_by_role("group", name="cell", exact=True)
    lstm, rnn = (legend.get_by_role("button", name=f"cell {name}", exact=True) for name in ("LSTM", "RNN"))
    layer = chart.get_by_role("button", name="layer 1", exact=True)
    expect(lstm).to_have_attribute("aria-pressed", "false")
    rnn.focus()
    page.keyboard.press("Tab")
    expect(lstm).to_be_focused()
    page.keyboard.press("Enter")
    expect(lstm).to_have_attribute("aria-pressed", "true")
    expect(faint).to_have_count(4)  # two layers each of RNN and GRU
    expect(rnn).to_have_attribute("aria-pressed", "false")
    for _ in ("GRU", "layer 0", "layer 1"):
        page.keyboard.press("Tab")
    expect(layer).to_be_focused()
    page.keyboard.press("Space")
    expect(layer).to_have_attribute("aria-pressed", "true")
    expect(lstm).to_have_attribute("aria-pressed", "true")
    expect(faint).to_have_count(5)
    page.keyboard.press("Space")
    expect(layer).to_have_attribute("aria-pressed", "false")
    lstm.click()
    expect(lstm).to_have_attribute("aria-pressed", "false")
    expect(faint).to_have_count(0)


def test_home_s_picture_takes_the_height_that_a_large_window_has_and_goes_on_following(page, app_url):
    heights, ends = {}, {}
    for width, height in ((1440, 900), (1920, 1080)):
        page.set_viewport_size({"width": width, "height": height})
        visit(page, f"{app_url}/?steps=60")
        heights[height] = page.locator(CHART).first.bounding_box()["height"]
        below = page.locator(".st-key-at_hand").bounding_box()
        ends[height] = below["y"] + below["height"]
    assert heights == {900: 400, 1080: 400 + 180}, "all that the window is higher"
    assert 0.85 * 1080 < ends[1080] < 1080, "one screen, whose lower quarter is not empty"
    page.set_viewport_size({"width": 1920, "height": 980})
    expect(page.locator(f"{CHART} svg").first).to_have_attribute("height", "480")
    press(page, "Keep-gate bias", "ArrowRight")
    assert page.locator(CHART).first.bounding_box()["height"] == 480
    page.set_viewport_size({"width": 390, "height": 1080})
    expect(page.locator(f"{CHART} svg").first).to_have_attribute("height", "400")


@pytest.mark.parametrize("address", ["gradient_flow?depth=3&state=all", "sequence_types"])
def test_streamlit_s_tools_over_a_chart_cover_no_sentence(page, app_url, address):
    page.set_viewport_size({"width": 1440, "height": 900})  # where the sentence is as long as the picture is wide
    visit(page, f"{app_url}/{address}")
    page.locator(CHART).first.hover()
    page.wait_for_timeout(600)  # they rise as they appear
    assert page.get_by_test_id("stElementToolbarButtonContainer").count(), "Streamlit calls its tools so"
    covered = page.get_by_test_id("stMain").evaluate(
        """main => {
            const tools = [...main.querySelectorAll('[data-testid="stElementToolbarButtonContainer"]')]
                .map(e => e.getBoundingClientRect()).filter(box => box.width);
            const lines = text => {
                const range = document.createRange();
                range.selectNodeContents(text);
                return [...range.getClientRects()];
            };
            return [...main.querySelectorAll('p, h1, h2, h3')].filter(text => lines(text).some(line => tools.some(box =>
                Math.min(line.right, box.right) - Math.max(line.left, box.left) > 1 &&
                Math.min(line.bottom, box.bottom) - Math.max(line.top, box.top) > 1))).map(text => text.textContent);
        }"""
    )
    assert covered == []


@pytest.mark.parametrize("address", ["one_unit", "gradient_flow?present=1"])
def test_pictures_take_the_theme_that_the_system_turns_to_while_a_page_is_open(page, app_url, address):
    page.emulate_media(color_scheme="light")
    visit(page, f"{app_url}/{address}")
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        _comes_to_follow(page, scheme)


def test_pictures_take_the_theme_that_the_system_turns_to_while_a_page_loads(page, app_url):
    page.emulate_media(color_scheme="light")
    with page.expect_websocket(timeout=WAIT) as opened:
        page.goto(f"{app_url}/one_unit", wait_until="commit")
    with opened.value.expect_event("framesent", timeout=WAIT):
        pass  # the run for the light theme is asked for
    page.emulate_media(color_scheme="dark")
    _comes_to_follow(page, "dark")


def _comes_to_follow(page, scheme):
    ink = [*(set(INKS[scheme == "dark"]) - set(INKS[scheme != "dark"]))]
    page.wait_for_function(
        """ink => [...document.querySelectorAll('[data-testid="stVegaLiteChart"] svg text')]
            .some(text => ink.includes(text.getAttribute('fill')))""",
        arg=ink,
        timeout=WAIT,
    )
    idle(page)
    assert follows_the_theme(page, scheme)
