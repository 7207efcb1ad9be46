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
from tests.ui.browser import idle, visit
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


def upload(page, number, name, content):
    """Hands a file to one of the popover's two places, and waits until the page has read it."""
    place = page.get_by_test_id("stFileUploaderDropzoneInput").nth(number)
    place.set_input_files({"name": name, "mimeType": "application/octet-stream", "buffer": content})
    expect(page.get_by_text(name).first).to_be_visible()
    idle(page)


def test_a_checkpoint_is_opened_its_diagnosis_read_and_a_remedy_applied(page, app_url, files, tmp_path):
    weights, data = files
    visit(page, f"{app_url}/your_network")
    page.get_by_role("button", name="Open weights, or a log").click()
    upload(page, 0, "model.pt", weights)
    upload(page, 1, "x.npy", data)
    page.keyboard.press("Escape")
    expect(page.get_by_text(re.compile(r"model\.pt \(torch zip\) holds 1 recurrent part"))).to_be_visible()
    expect(page.get_by_text(re.compile(r"read as \[steps, sequences, inputs\]: 80 steps, 3 sequences"))).to_be_visible()
    expect(page.get_by_text("An example, trained by gradlab itself")).to_have_count(0)
    (tmp_path / "x.npy").write_bytes(data)
    found = gradlab.trace(load(weights).subject("model.rnn", tmp_path / "x.npy"))
    where = worst(found)
    said = words.where(where, 1).replace("**", "")
    expect(page.get_by_text(said).first).to_be_visible()
    offered = [remedy for remedy in gradlab.remedies(found, layer=where.diagnosis.layer) if remedy.helps]
    assert offered
    before = chart(page, 1)
    page.get_by_role("combobox", name="Remedy").click()
    page.get_by_role("option", name=offered[-1].title, exact=True).click()
    idle(page)
    expect(page.get_by_text(offered[-1].title).first).to_be_visible()
    page.wait_for_timeout(1000)
    assert chart(page, 1) != before
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
    upload(page, 0, "model.pt", files[0])
    page.keyboard.press("Escape")
    expect(page.get_by_text(re.compile(r"holds 1 recurrent part"))).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
