"""Pins by keyboard alone: pinned, renamed, swapped, blinked and removed; in an address that shows the same anew."""

import re
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.ui.browser import CHART, idle, visit
from tests.ui.test_follows_browser import drag, settled

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.usefixtures("quiet")]

GHOSTS = f"{CHART} .ghosts_marks path"
LINES = f"{CHART} g.mark-line.role-mark:not(.ghosts_marks, .alone_marks) path"
ALONE = f"{CHART} .alone_marks path"
SMALL = "steps=60&hidden_size=16&batch_size=2"


def shapes(page: Page, marks: str) -> list[str]:
    return page.locator(marks).evaluate_all("all => all.map(path => path.getAttribute('d'))")


def drawn(page: Page) -> tuple[list[str], list[str], str]:
    """The lines, the ghosts, and the sentences about them."""
    idle(page)
    page.wait_for_timeout(500)
    said = page.locator('[class*="st-key-followed_"] p').all_inner_texts()
    return shapes(page, LINES), shapes(page, GHOSTS), "\n".join(said)


def tab_to(page: Page, selector: str) -> None:
    """Presses Tab until an element has the focus."""
    for _ in range(150):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement?.matches(selector)", selector):
            return
    pytest.fail(f"Tab does not reach {selector}")


@pytest.mark.parametrize("address", ["", "gradient_flow"])
def test_the_keyboard_alone_pins_renames_swaps_and_unpins(page: Page, app_url, address):
    visit(page, f"{app_url}/{address}?{SMALL}&cells=LSTM")
    before = drawn(page)[0]
    page.keyboard.press("p")
    expect(page).to_have_url(re.compile(r"pin=name%3DA"))
    tab_to(page, ".st-key-keep_bias input")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile("keep_bias="))
    expect(page.locator(GHOSTS).first).to_be_visible()
    lines, ghosts, said = drawn(page)
    assert lines != before
    assert "Compared with A, at step 0: LSTM keeps" in said
    assert "They differ in the keep-gate bias alone: now 1.5, in A default." in said

    tab_to(page, ".st-key-pin_0 button")
    page.keyboard.press("Enter")
    name = page.get_by_role("textbox", name="Name")
    expect(name).to_be_visible()
    tab_to(page, '[class*="st-key-pin_name_0"] input')
    page.keyboard.press("Control+A")
    page.keyboard.type("xp px", delay=30)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"pin=name%3Dxp"))
    assert page.url.count("pin=") == 1, "what is typed into a field pins nothing and swaps nothing"
    page.keyboard.press("Escape")
    idle(page)
    assert "Compared with xp px, at step 0" in drawn(page)[2]

    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("x")
    expect(page).to_have_url(re.compile(r"keep_bias%3D1\.5"))
    swapped = drawn(page)
    assert "They differ in the keep-gate bias alone: now default, in xp px 1.5." in swapped[2]
    page.keyboard.press("x")
    expect(page).to_have_url(re.compile(r"[?&]keep_bias=1\.5"))
    assert drawn(page)[:2] == (lines, ghosts)

    link = page.url
    again = page.context.new_page()
    visit(again, link)
    expect(again.locator(GHOSTS).first).to_be_visible()
    assert drawn(again) == drawn(page)
    again.close()

    tab_to(page, ".st-key-pin_0 button")
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox", name="Name")).to_be_visible()
    tab_to(page, ".st-key-pin_remove_0 button")
    page.keyboard.press("Enter")
    expect(page.locator(GHOSTS)).to_have_count(0)
    expect(page).not_to_have_url(re.compile("pin="))
    assert "Compared with" not in drawn(page)[2]


def test_space_shows_the_first_pin_alone_as_long_as_it_is_held(page: Page, app_url):
    pin = quote(f"name=A&cells=lstm,rnn&{SMALL}")
    visit(page, f"{app_url}/?{SMALL}&cells=LSTM&cells=RNN&keep_bias=3.0&pin={pin}")
    expect(page.locator(GHOSTS).first).to_be_visible()
    drawn(page)
    assert opacity(page, ALONE) == {"0"}
    page.keyboard.down("Space")
    expect(page.locator(LINES).first).not_to_be_visible()
    expect(page.get_by_role("button", name="Hold: A alone")).to_have_attribute("aria-pressed", "true")
    assert opacity(page, ALONE) == {"1"}
    colours = page.locator(ALONE).evaluate_all("all => all.map(path => path.getAttribute('stroke').toLowerCase())")
    lines = page.locator(LINES).evaluate_all("all => all.map(path => path.getAttribute('stroke').toLowerCase())")
    assert set(colours) == set(lines), "in their cells' colours"
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop") == 0
    page.keyboard.up("Space")
    expect(page.locator(LINES).first).to_be_visible()
    assert opacity(page, ALONE) == {"0"}

    held = page.get_by_role("button", name="Hold: A alone")
    held.hover()
    page.mouse.down()
    expect(page.locator(LINES).first).not_to_be_visible()
    page.mouse.up()
    expect(page.locator(LINES).first).to_be_visible()
    held.focus()
    page.keyboard.down("Space")
    expect(page.locator(LINES).first).not_to_be_visible()
    page.keyboard.up("Space")


def opacity(page: Page, marks: str) -> set[str]:
    return set(page.locator(marks).evaluate_all("all => all.map(path => getComputedStyle(path).opacity)"))


def test_keys_are_letters_where_somebody_types_and_do_nothing_without_pins(page: Page, app_url):
    visit(page, f"{app_url}/gradient_flow?{SMALL}&cells=LSTM")
    page.keyboard.press("x")
    page.keyboard.press("Space")
    page.keyboard.press("Control+p")
    seed = page.get_by_role("spinbutton", name="Seed")
    seed.focus()
    for key in ("p", "x", "Space"):
        page.keyboard.press(key)
    idle(page)
    page.wait_for_timeout(500)
    assert "pin=" not in page.url
    assert page.evaluate("document.body.className.includes('pin-alone')") is False


def test_pins_stand_still_under_a_finger_and_on_release(page: Page, app_url):
    visit(page, f"{app_url}/?{SMALL}&cells=LSTM")
    drawn(page)  # a key that comes before the page listens does nothing
    page.keyboard.press("p")
    expect(page).to_have_url(re.compile("pin="))
    idle(page)
    drag(page, "keep_bias", 30)
    settled(page)
    moving = drawn(page)
    assert moving[1], "ghosts are there as soon as the lines leave them"
    assert "They differ in the keep-gate bias alone" in moving[2]
    assert "keep_bias=" not in page.url.partition("pin=")[0]
    page.mouse.up()
    expect(page).to_have_url(re.compile("[?&]keep_bias="))
    released = drawn(page)
    assert released[2] == moving[2]
    drag(page, "keep_bias", 15)
    settled(page)
    further = drawn(page)
    assert further[2] != released[2]
    page.mouse.up()


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_four_pins_of_long_names_make_no_page_wider_than_its_screen(page: Page, app_url, width, height):
    page.set_viewport_size({"width": width, "height": height})
    long = f"cells=rnn,lstm,gru&initialization=orthogonal&{SMALL}"
    pins = "&".join(f"pin={quote(f'name=a rather long name {n}&gain=1.{n}&{long}')}" for n in range(1, 5))
    visit(page, f"{app_url}/gradient_flow?{SMALL}&{pins}")
    expect(page.locator(GHOSTS).first).to_be_attached()
    idle(page)
    main = page.locator('[data-testid="stMain"]')
    wide = main.evaluate("main => main.scrollWidth - main.clientWidth")
    assert wide <= 0
    inside = page.locator(".st-key-pins button").evaluate_all(
        "all => all.filter(one => !one.hidden && one.offsetWidth).map(one => one.getBoundingClientRect().right)"
    )
    assert max(inside) <= width
