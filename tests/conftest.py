"""The app as a person meets it: a server of its own on a free port, and a headless Chromium."""

import gc
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("any machine", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("any machine")

# Before torch is loaded: two test processes of two threads each on two cores wait for each other most of the time.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Else every test process compiles all tests, and every server and program that a test starts the whole package.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
REQUIRE_BROWSER = os.environ.get("GRADLAB_REQUIRE_BROWSER") == "1"
SERVER_START_SECONDS = 120


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a browser its tests are skipped, unless GRADLAB_REQUIRE_BROWSER=1 forbids that."""
    if CHROMIUM is None and not REQUIRE_BROWSER:
        skip = pytest.mark.skip(
            reason="no Chromium found: install it, or set GRADLAB_REQUIRE_BROWSER=1 to fail instead"
        )
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(skip)


def pytest_collection_finish():
    """What was imported is left alone by the collector, as in the server (app.py): each run of a page collects.

    Of what tests make little is in cycles, and looking for them takes a fifteenth of the time: it is done more seldom.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


@pytest.fixture
def four_states(monkeypatch):
    """The name of a cell of four states, which is registered for one test."""
    from gradlab.cells import CELLS, KNOWN, as_cell
    from tests.cells.four_states import SLSTM

    for registry in (CELLS, KNOWN):
        monkeypatch.setitem(registry, "slstm", as_cell(SLSTM))
    return "slstm"


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_server(log: Path) -> tuple[subprocess.Popen, str]:
    """Starts `streamlit run app.py` on a free port; returns the process and its address once it answers."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        "app.py",
        "--server.headless=true",
        "--server.address=127.0.0.1",
    ]
    command += [f"--server.port={port}", "--browser.gatherUsageStats=false", "--server.fileWatcherType=none"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    wait_until_it_answers(process, url, log)
    return process, url


def wait_until_it_answers(process: subprocess.Popen, url: str, log: Path) -> None:
    """Waits for a server; one that does not answer is ended, and fails the test with its log."""
    deadline = time.monotonic() + SERVER_START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2) as answer:
                if answer.read() == b"ok":
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    stop_server(process)
    pytest.fail(f"the app's server did not answer:\n{log.read_text()}")


def stop_server(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=10)


@pytest.fixture(scope="session")
def app_url(tmp_path_factory):
    """Address of a server shared by the session's browser tests."""
    from gradlab.engine import warm_up
    from gradlab.ui.frame.shown import DEFAULT_CELLS

    warm_up(DEFAULT_CELLS, ["float64"])  # else the first test waits for the compiler as well
    process, url = start_server(tmp_path_factory.mktemp("server") / "log.txt")
    yield url
    stop_server(process)


@pytest.fixture
def fresh_app_url(tmp_path):
    """Address of a server nobody has visited yet."""
    process, url = start_server(tmp_path / "log.txt")
    yield url
    stop_server(process)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"]
    arguments = ["--no-sandbox", "--disable-gpu", "--no-first-run", *quiet]
    return {**browser_type_launch_args, "executable_path": CHROMIUM, "args": arguments}


@pytest.fixture(scope="session")
def shared_context(browser, browser_context_args):
    """What the tests' pages are opened in: a new one would load and compile Streamlit's scripts anew, for a second."""
    context = browser.new_context(**browser_context_args)
    yield context
    context.close()


@pytest.fixture
def context(shared_context):
    """The shared one as if it were new, but for the scripts that a browser keeps."""
    yield shared_context
    for page in shared_context.pages:
        page.close()
    shared_context.clear_permissions()
    shared_context.set_storage_state({"cookies": [], "origins": []})
