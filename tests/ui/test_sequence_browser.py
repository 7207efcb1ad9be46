"""The pages of sequences in a real browser: pictures that are pressed, rows that are pointed at, windows typed in."""

import re

import pytest
from playwright.sync_api import expect

from tests.ui.browser import CHART, drawing, visit

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.usefixtures("quiet")]


def test_a_type_is_chosen_by_its_picture(page, app_url):
    visit(page, f"{app_url}/sequence_types?steps=40&hidden_size=16&batch_size=2")
    page.get_by_role("button", name="Show", exact=True).nth(2).click()
    expect(page.get_by_role("heading", name="Many-to-many, delayed")).to_be_visible()
    expect(page).to_have_url(re.compile(r"loss=many-to-many(\+|%20)delayed"))


def test_pointing_at_a_row_of_the_matrix_draws_its_curve(page, app_url):
    visit(page, f"{app_url}/itemised?steps=40&hidden_size=16&batch_size=2&cells=LSTM")
    before = drawing(page)
    box = page.locator(CHART).first.bounding_box()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.45 * box["height"])
    for _ in range(200):
        if drawing(page) != before:
            return
        page.wait_for_timeout(100)
    pytest.fail("the picture did not follow the pointer")


BARS = """() => [...document.querySelectorAll('.role-legend-gradient path')].map(bar => {
  const [address, id] = bar.getAttribute('fill').match(/url\\("?([^"]*)"?\\)/)[1].split('#');
  return (!address || address === location.href) && document.getElementById(id)?.tagName === 'linearGradient';
})"""


def test_bars_of_colours_keep_them_when_the_address_changes(page, app_url):
    visit(page, f"{app_url}/itemised?steps=40&hidden_size=16&batch_size=2&cells=LSTM")
    assert page.evaluate(BARS) == [True]
    page.get_by_test_id("stMain").locator("summary").first.click()
    expect(page).to_have_url(re.compile("itemised_sums"))
    expect(page.locator(f"{CHART} svg").nth(1)).to_be_visible()
    assert page.evaluate(BARS) == [True]


def test_the_window_is_in_the_address_and_changes_the_statement(page, app_url):
    visit(page, f"{app_url}/truncation?steps=60&hidden_size=16&batch_size=2&truncation=chunks&k2=12")
    expect(page.get_by_role("heading", name="Chunks of 12 steps give")).to_be_visible()
    page.get_by_role("slider", name="k2").press("ArrowRight")
    expect(page.get_by_role("heading", name="Chunks of 14 steps give")).to_be_visible()
    expect(page).to_have_url(re.compile("k2=14"))
