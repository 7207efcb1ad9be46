"""A log that a training is writing, in a real browser: followed, its diagnosis read, a remedy applied."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.conftest import ROOT, start_server, stop_server
from tests.ui.browser import CHART, idle, visit

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.usefixtures("quiet")]
TRAINING = Path(__file__).with_name("training_to_follow.py")
LATEST = re.compile(r"run\.jsonl, update (\d+)")


@pytest.fixture
def followed(tmp_path, monkeypatch):
    """The address of a server that follows a folder, and a training that is writing there."""
    logs = tmp_path / "logs"
    logs.mkdir()
    monkeypatch.setenv("GRADLAB_LOGS", str(logs))
    process, url = start_server(tmp_path / "server.txt")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    training = subprocess.Popen([sys.executable, str(TRAINING), str(logs / "run.jsonl"), "2000"], env=environment)
    deadline = time.monotonic() + 120
    try:
        while not (logs / "run.rnn.safetensors").exists():
            assert training.poll() is None, "the training ended"
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield url
    finally:
        training.terminate()
        training.wait(30)
        stop_server(process)


def chart(page, number):
    """What a chart of the page looks like."""
    return page.locator(CHART).nth(number).evaluate(
        "view => view.querySelector('canvas')?.toDataURL()"
        " ?? [...view.querySelectorAll('path')].map(path => path.getAttribute('d')).join()"
    )  # fmt: skip


def update_shown(page):
    return int(LATEST.search(page.get_by_text(LATEST).first.inner_text())[1])


def test_a_log_is_followed_while_a_training_writes_it_and_a_remedy_moves_the_line(page, followed):
    visit(page, f"{followed}/your_network")
    expect(page.get_by_text("An example, trained by gradlab itself")).to_be_visible()
    page.get_by_role("combobox", name="Follow a log").click()
    page.get_by_role("option", name="run.jsonl").click()
    page.keyboard.press("Escape")
    expect(page.get_by_text(LATEST).first).to_be_visible()
    first = update_shown(page)
    expect(page.get_by_text("The gradient of this LSTM dies").first).to_be_visible()
    expect(page.get_by_text("An example, trained by gradlab itself")).to_have_count(0)
    expect(page.get_by_text(re.compile(r"Below: rnn as it was at update \d+")).first).to_be_visible()
    for _ in range(100):
        if update_shown(page) > first:
            break
        page.wait_for_timeout(500)
    assert update_shown(page) > first, "it does not follow"
    idle(page)
    remedies = page.locator(CHART).count() - 1
    before = chart(page, remedies)
    page.get_by_role("combobox", name=re.compile("Remedy")).click()
    page.keyboard.type("Forget bias up by 1")  # a long list draws what is in sight alone
    page.get_by_role("option", name="Forget bias up by 1", exact=True).click()
    expect(page.locator("code").filter(has_text="add_(1.0)").first).to_be_visible()
    idle(page)
    for _ in range(100):
        if chart(page, remedies) != before:
            return
        page.wait_for_timeout(100)
    pytest.fail("the line did not move")
