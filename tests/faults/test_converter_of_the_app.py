"""The process that converts pictures dies while a visitor waits for one: the page says so, and the server lives."""

import os
import signal
import threading

import psutil
import pytest
from playwright.sync_api import expect

from tests.ui.browser import download, idle, server_of, visit

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def converters(server):
    return [child for child in server.children() if "converter_process.py" in " ".join(child.cmdline())]


def test_a_visitor_whose_picture_is_lost_gets_a_sentence_and_the_next_picture(page, fresh_app_url):
    visit(page, f"{fresh_app_url}/gradient_flow?steps=60&cells=GRU&layer=0")
    server = server_of(fresh_app_url)
    assert converters(server) == []
    before = download(page, "gradient norms", "PNG")
    [converter] = converters(server)
    os.kill(converter.pid, signal.SIGSTOP)
    killer = threading.Timer(1, os.kill, (converter.pid, signal.SIGKILL))
    killer.start()
    page.get_by_role("button", name="PNG", exact=True).click()
    expect(page.get_by_text("This file could not be made")).to_be_visible()
    expect(
        page.get_by_text("the PNG was not made: the process that converts pictures ended by signal 9")
    ).to_be_visible()
    killer.join()
    idle(page)
    assert "cells=GRU" in page.url
    assert download(page, "gradient norms", "PNG") == before
    assert psutil.pid_exists(server.pid)


def test_a_text_that_ended_the_server_is_exported(page, app_url):
    visit(page, f"{app_url}/gates?inputs=text&text=ab%1bcab%1bc&steps=8&cells=LSTM&gates_units=true")
    assert download(page, "units h", "PNG").startswith(b"\x89PNG")
    assert "␛" in download(page, "units h", "SVG").decode()
