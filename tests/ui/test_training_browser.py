"""Training in a real browser: it is read from the page, ends with the visit, and is every visitor's own."""

import os
import re
import signal
import time

import psutil
import pytest
from playwright.sync_api import Page, expect

from tests.ui.browser import CHART, WAIT, comes_to_rest, drawing, go, idle, server_of, visit, works

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LONG = "training?updates=10000&cells=GRU&hidden_size=64&task_steps=100"
SECONDS = 3  # within which the work has to end


def test_the_word_hello_is_trained_in_the_page_to_a_loss_below_a_tenth(page: Page, app_url):
    page.goto(f"{app_url}/character_model?text_updates=100")
    loss = page.get_by_test_id("stMetric").filter(has_text="Loss").get_by_test_id("stMetricValue")
    expect(loss).to_have_text(re.compile(r"1\.\d+"))  # untrained, about ln 4
    page.get_by_role("button", name="Start training").click()
    expect(loss).to_have_text(re.compile(r"0\.0\d+"))
    assert float(loss.inner_text()) < 0.1
    expect(page.get_by_text("Update 100 of 100")).to_be_visible()
    expect(page.get_by_test_id("stCode")).to_contain_text("hello")
    assert page.get_by_test_id("stException").count() == 0


def update(page: Page) -> int:
    """How far the page says the training is."""
    return int(re.search(r"Update (\d+) of", page.get_by_test_id("stProgress").first.inner_text())[1])


def start(page: Page, address: str) -> None:
    """Opens a page, starts its training and waits until it is under way."""
    page.goto(address)
    page.get_by_role("button", name="Start training").click(timeout=WAIT)
    expect(page.get_by_test_id("stProgress").first).to_contain_text("s left")


def goes_on(page: Page) -> None:
    """Waits until the training is further than it is."""
    expect(page.get_by_test_id("stProgress").first).not_to_contain_text(f"Update {update(page)} of")


@pytest.mark.parametrize("leave", ["page", "tab"])
def test_the_training_ends_soon_after_its_page_is_left_or_its_tab_closed(page: Page, app_url, leave):
    server = server_of(app_url)
    start(page, f"{app_url}/{LONG}")
    assert works(server)
    if leave == "page":
        go(page, "Why", "One unit, one weight")
        expect(page.get_by_role("heading", name="One unit, one weight")).to_be_visible()
    else:
        page.close()
    assert comes_to_rest(server)


def trainings(server) -> list[psutil.Process]:
    """The server's processes that train, or wait for a training."""
    return [child for child in server.children() if "gradlab.training.worker" in " ".join(child.cmdline())]


def test_a_training_whose_process_is_killed_says_so_and_goes_on_while_the_server_lives(page: Page, app_url):
    server = server_of(app_url)
    start(page, f"{app_url}/{LONG}")
    page.wait_for_function("/Update [0-9]{2,} of/.test(document.body.innerText)", timeout=WAIT)
    for process in trainings(server):
        os.kill(process.pid, signal.SIGKILL)
    expect(page.get_by_text("The process that trains ended by signal 9 after update")).to_be_visible()
    reached = update(page)
    assert reached >= 10
    page.get_by_role("button", name="Continue").click()
    page.wait_for_function(f"Number(/Update ([0-9]+) of/.exec(document.body.innerText)?.[1]) > {reached}", timeout=WAIT)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Continue")).to_be_visible()
    assert server.is_running()


def test_a_training_goes_on_where_it_was_when_the_visitor_comes_back(page: Page, app_url):
    start(page, f"{app_url}/{LONG}")
    page.wait_for_function("/Update [0-9]{3,} of/.test(document.body.innerText)", timeout=WAIT)
    before = update(page)
    go(page, "Why", "One unit, one weight")
    expect(page.get_by_role("heading", name="One unit, one weight")).to_be_visible()
    time.sleep(SECONDS)
    go(page, "Train", "Training")
    expect(page.get_by_test_id("stProgress").first).to_contain_text("s left")
    assert update(page) >= before >= 100, "it began anew: a hundred updates take seconds"


def test_two_visitors_train_different_tasks_and_one_who_leaves_does_not_stop_the_other(browser, app_url):
    first, second = (browser.new_context().new_page() for _ in range(2))
    start(first, f"{app_url}/{LONG}&task=adding")
    start(second, f"{app_url}/{LONG}&task=parity")
    expect(first.get_by_text("always answering 1").first).to_be_visible()
    expect(second.get_by_text("guessing, but for the first step").first).to_be_visible()
    second.get_by_role("button", name="Pause").click()
    expect(second.get_by_role("button", name="Continue")).to_be_visible()
    idle(second)  # the words below the button are drawn after it
    stood = update(second)
    goes_on(first)
    time.sleep(2)
    assert update(second) == stood
    second.context.close()
    time.sleep(SECONDS)
    goes_on(first)
    first.context.close()


def test_the_curve_follows_the_training_and_asks_no_more_when_that_stands_still(page: Page, app_url, quiet):
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "/live/" in request.url else None)
    start(page, f"{app_url}/{LONG}")
    expect(page.locator(f"{CHART} svg .mark-line path").first).to_be_visible()
    begun, before = len(asked), drawing(page)
    for _ in range(WAIT // 100):
        page.wait_for_timeout(100)
        if len(asked) >= begun + 10 and drawing(page) != before:
            break
    assert len(asked) >= begun + 10
    assert drawing(page) != before
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Continue")).to_be_visible()
    idle(page)
    page.wait_for_timeout(2000)  # the picture that asks is replaced
    begun = len(asked)
    page.wait_for_timeout(2000)
    assert len(asked) == begun


def test_how_far_a_training_is_stands_in_the_row_of_its_buttons_which_stays_as_high(page, app_url):
    page.set_viewport_size({"width": 1440, "height": 900})
    row, heights = page.locator(".st-key-job_row"), []
    visit(page, f"{app_url}/{LONG}")
    expect(row.get_by_test_id("stProgress")).to_contain_text("Update 0 of 10000")
    heights.append(row.bounding_box()["height"])
    page.get_by_role("button", name="Start training").click()
    expect(row.get_by_test_id("stProgress")).to_contain_text("s left")
    heights.append(row.bounding_box()["height"])
    assert heights[0] == heights[1] < 50


def test_a_training_and_an_uploaded_text_survive_a_reload_of_their_tab_and_are_in_no_other(page, app_url, browser):
    text = ("여기 다시, here again. " * 20).encode()
    visit(page, f"{app_url}/character_model?reads_text=text&text_updates=100&hidden_size=8")
    page.get_by_text("Text to learn").click()
    file = {"name": "mine.txt", "mimeType": "text/plain", "buffer": text}
    page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(file)
    uploaded = page.get_by_text(f"An uploaded text of {len(text.decode())} characters is learned")
    expect(uploaded).to_be_visible()
    idle(page)
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_test_id("stProgress")).to_contain_text("100 of 100")
    idle(page)
    address = page.url
    page.reload()
    expect(page.get_by_test_id("stProgress")).to_contain_text("100 of 100")
    page.get_by_text("Text to learn").click()
    expect(uploaded).to_be_visible()
    other = browser.new_context().new_page()
    visit(other, address)
    expect(other.get_by_test_id("stProgress")).to_contain_text("0 of 100")


def test_a_training_goes_on_from_where_it_was_when_its_tab_is_reloaded(page, app_url):
    start(page, f"{app_url}/{LONG}")
    progress = page.get_by_test_id("stProgress")
    expect(progress).to_contain_text(re.compile(r"Update [1-9]\d+ of"))
    before = int(re.search(r"Update (\d+) of", progress.inner_text())[1])
    page.reload()
    expect(progress).to_contain_text(re.compile(r"Update [1-9]\d+ of"))
    page.wait_for_timeout(3000)
    assert int(re.search(r"Update (\d+) of", progress.inner_text())[1]) > before
