"""A real browser trains "hello" and reads from the page that it is learned."""

import re

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WAIT = 60_000


def test_the_word_hello_is_trained_in_the_page_to_a_loss_below_a_tenth(page: Page, app_url):
    page.goto(f"{app_url}/character_model?text_updates=100")
    loss = page.get_by_test_id("stMetric").filter(has_text="Loss").get_by_test_id("stMetricValue")
    expect(loss).to_have_text(re.compile(r"1\.\d+"), timeout=WAIT)  # untrained, about ln 4
    page.get_by_role("button", name="Start training").click()
    expect(loss).to_have_text(re.compile(r"0\.0\d+"), timeout=WAIT)
    assert float(loss.inner_text()) < 0.1
    expect(page.get_by_text("Update 100 of 100")).to_be_visible(timeout=WAIT)
    expect(page.get_by_test_id("stCode")).to_contain_text("hello")
    assert page.get_by_test_id("stException").count() == 0
