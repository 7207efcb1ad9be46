"""In Firefox too the picture and its sentence follow a slider before it is let go."""

import json
import os
import time

import pytest

from tests.ui.firefox import PROGRAM, firefox

REQUIRED = "GRADLAB_REQUIRE_BROWSER" in os.environ
pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None and not REQUIRED, reason="needs Firefox"),
]

SENTENCE = "document.querySelector('.st-key-followed_0')?.innerText"
LINES = """[...document.querySelectorAll('[data-testid="stVegaLiteChart"] .mark-line path')]
    .map(path => path.getAttribute('d'))"""
IDLE = """document.querySelector('[data-testid="stApp"]')?.dataset.testScriptState === "notRunning"
    && document.querySelectorAll('[data-testid="stVegaLiteChart"] .mark-line path').length > 0"""
THUMB = """(() => {
  const thumb = document.querySelector('.st-key-keep_bias input[type=range]').parentElement.parentElement;
  const box = thumb.getBoundingClientRect();
  return [box.left + box.width / 2, box.top + box.height / 2];
})()"""


def settled(tab):
    """The sentence and the lines, when every answer is there."""
    before = None
    while (now := (tab.evaluate(SENTENCE), tab.evaluate(LINES))) != before:
        before = now
        time.sleep(1.0)
    return now


def test_the_picture_follows_before_the_slider_is_let_go(app_url, tmp_path):
    with firefox(tmp_path) as tab:
        tab.size(1440, 900)
        tab.goto(f"{app_url}/?cells=LSTM")
        tab.wait_for(IDLE)
        sentence, lines = settled(tab)
        address = tab.evaluate("location.href")
        tab.drag(*tab.evaluate(THUMB), by=40)
        tab.wait_for(f"{SENTENCE} !== {json.dumps(sentence)}")
        following = settled(tab)
        assert following[1] != lines
        assert tab.evaluate("location.href") == address, "nothing was released"
        tab.release()
        tab.wait_for("location.href.includes('keep_bias=')")
        tab.wait_for(IDLE)
        assert settled(tab)[0] == following[0], "what follows is what the release shows"
