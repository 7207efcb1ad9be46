"""The app without a browser: its main script run by Streamlit's own test harness."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).resolve().parents[2]
SMALL = {"steps": "30", "hidden_size": "8", "input_size": "4", "batch_size": "2"}


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
