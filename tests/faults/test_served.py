"""What the server sends with its answers, and what it writes into its log."""

import urllib.error
import urllib.request
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from tests.conftest import start_server, stop_server
from tests.ui.browser import visit

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TYPED = "abracadabra"


@pytest.fixture
def server(tmp_path):
    log = tmp_path / "log.txt"
    process, url = start_server(log)
    yield url, log
    stop_server(process)


def test_answers_say_what_a_browser_may_do_with_them_and_the_log_has_nothing_that_was_typed(page, server):
    url, log = server
    for path in ("/", "/gates", "/_stcore/health", f"/following/stops?page={TYPED}"):
        try:
            headers = urllib.request.urlopen(f"{url}{path}", timeout=30).headers
        except urllib.error.HTTPError as refused:
            headers = refused.headers
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["Referrer-Policy"] == "no-referrer", path
        assert headers["Content-Security-Policy"] == "frame-ancestors 'self'", path
    visit(page, f"{url}/gates?inputs=text&text={quote(TYPED * 3)}&steps=12&hidden_size=8&gain={TYPED}&{TYPED}=1")
    expect(page.get_by_text(f"gain = '{TYPED}' is not allowed")).to_be_visible()
    assert TYPED not in log.read_text()
