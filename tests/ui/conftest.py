"""The app without a browser, its main script run by Streamlit's own test harness; and what a browser must never see."""

from pathlib import Path

import pytest
from playwright.sync_api import Page
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).resolve().parents[2]
SMALL = {"steps": "30", "hidden_size": "8", "input_size": "4", "batch_size": "2"}
PROBES = ("/_stcore/health", "/_stcore/host-config")  # below a page's address Streamlit looks for its server, in vain


@pytest.fixture
def open_app():
    """open_app(page="gradient_flow", **query) runs the app at that address and fails on any exception of the script."""

    def run(page: str = "home", **query) -> AppTest:
        app = AppTest.from_file(ROOT / "gradlab" / "ui" / "main.py", default_timeout=120)
        for name, value in query.items():
            app.query_params[name] = value
        app.run()
        if page != "home":
            app.switch_page(str(ROOT / "pages" / f"{page}.py"))
            app.run()
        assert not app.exception, app.exception
        return app

    return run


@pytest.fixture
def quiet(page: Page):
    """No request leaves the machine, no error reaches the console, no exception the page."""
    outside, errors = [], []
    local = ("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:")
    page.on("request", lambda request: None if request.url.startswith(local) else outside.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console",
        lambda message: (
            errors.append(message.text)
            if message.type == "error" and not message.location["url"].endswith(PROBES)
            else None
        ),
    )
    yield
    assert outside == []
    assert errors == []
    assert page.is_closed() or page.get_by_test_id("stException").count() == 0
