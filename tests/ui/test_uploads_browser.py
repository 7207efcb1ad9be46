"""A file of weights in a real browser: opened, its diagnosis read, a remedy applied, and every other page on it."""

import io
import re

import numpy as np
import pytest
import torch
from playwright.sync_api import expect
from torch import nn

import gradlab
from gradlab.analyses.worst import worst
from gradlab.checkpoints import load
from gradlab.words import your_network as words
from tests.ui.browser import CHART, idle, visit
from tests.ui.test_logs_browser import chart

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.usefixtures("quiet")]
X, H, T, B = 4, 12, 80, 3


@pytest.fixture(scope="module")
def files():
    """The weights of an LSTM whose forget gates hardly keep, as a checkpoint of a training, and data."""
    torch.manual_seed(0)
    lstm = nn.LSTM(X, H)
    with torch.no_grad():
        lstm.bias_ih_l0[H : 2 * H] = -2
    weights, data = io.BytesIO(), io.BytesIO()
    torch.save({"step": 3, "model": {"rnn": lstm.state_dict(), "head": nn.Linear(H, 2).state_dict()}}, weights)
    np.save(data, np.random.default_rng(0).standard_normal((T, B, X)))
    return weights.getvalue(), data.getvalue()


def upload(page, number, name, content, says):
    """Hands a file to one of the popover's two places, and waits until the page says what it read."""
    place = page.get_by_test_id("stFileUploaderDropzoneInput").nth(number)
    place.set_input_files({"name": name, "mimeType": "application/octet-stream", "buffer": content})
    expect(page.get_by_text(re.compile(says)).first).to_be_visible()
    idle(page)


def test_a_checkpoint_is_opened_its_diagnosis_read_and_a_remedy_applied(page, app_url, files, tmp_path):
    weights, data = files
    visit(page, f"{app_url}/your_network")
    page.get_by_role("button", name="Open weights, or a log").click()
    upload(page, 0, "model.pt", weights, r"model\.pt \(torch zip\) holds 1 recurrent part")
    upload(page, 1, "x.npy", data, r"read as \[steps, sequences, inputs\]: 80 steps, 3 sequences")
    page.keyboard.press("Escape")
    expect(page.get_by_text("An example, trained by gradlab itself")).to_have_count(0)
    (tmp_path / "x.npy").write_bytes(data)
    found = gradlab.trace(load(weights).subject("model.rnn", tmp_path / "x.npy"))
    where = worst(found)
    said = words.where(where, 1).replace("**", "")
    expect(page.get_by_text(said).first).to_be_visible()
    title = "Forget bias up by 1"
    assert any(remedy.helps for remedy in gradlab.remedies(found, layer=where.diagnosis.layer) if remedy.title == title)
    remedies = page.locator(CHART).count() - 1
    before = chart(page, remedies)
    page.get_by_role("combobox", name=re.compile("Remedy")).click()
    page.keyboard.type(title)  # the list is longer than what is drawn of it
    page.get_by_role("option", name=title, exact=True).click()
    expect(page.locator("code").filter(has_text="add_(1.0)").first).to_be_visible()
    idle(page)
    for _ in range(100):
        if chart(page, remedies) != before:
            break
        page.wait_for_timeout(100)
    assert chart(page, remedies) != before, "the line did not move"
    page.get_by_role("button", name="Show this network on every page").click()
    idle(page)
    page.get_by_role("link", name="Gates and units").first.click()
    idle(page)
    expect(page.get_by_text("model.rnn of model.pt, reading its own data")).to_be_visible()


@pytest.mark.parametrize("width", [390])
def test_on_a_phone_what_was_found_is_no_wider_than_the_screen(page, app_url, files, width):
    page.set_viewport_size({"width": width, "height": 844})
    visit(page, f"{app_url}/your_network")
    page.get_by_role("button", name="Open weights, or a log").click()
    upload(page, 0, "model.pt", files[0], r"holds 1 recurrent part")
    page.keyboard.press("Escape")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
