"""Two servers behind the proxy of `deploy/Caddyfile`: one dies, and its visitor goes on with the other."""

import os
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.conftest import start_server, stop_server
from tests.ui.browser import press, visit

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CADDY = shutil.which("caddy")
FILE = Path(__file__).resolve().parents[2] / "deploy" / "Caddyfile"
SECONDS = 60  # that the proxy may take to answer

if CADDY is None and os.environ.get("GRADLAB_REQUIRE_BROWSER") != "1":
    pytest.skip("Caddy is not installed (Debian: apt-get install caddy)", allow_module_level=True)


@pytest.fixture
def servers(tmp_path):
    """Two servers: address without its scheme → process."""
    started = [start_server(tmp_path / f"server {number}.txt") for number in (1, 2)]
    yield {url.removeprefix("http://"): process for process, url in started}
    for process, _ in started:
        stop_server(process)


@pytest.fixture
def proxy(servers, tmp_path):
    """The address of a proxy before the servers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}"
    assert CADDY, "Caddy is missing (Debian: apt-get install caddy)"
    settings = {"GRADLAB_ADDRESS": address, "GRADLAB_SERVERS": " ".join(servers), "HOME": str(tmp_path)}
    command = [CADDY, "run", "--config", str(FILE), "--adapter", "caddyfile"]
    with (tmp_path / "proxy.txt").open("wb") as log:
        process = subprocess.Popen(command, env=os.environ | settings, stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait_for(f"{address}/_stcore/health")
        yield address
    finally:
        stop_server(process)


def _wait_for(url):
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                assert answer.read() == b"ok"
                return
        except OSError:
            assert time.monotonic() < deadline, url
            time.sleep(0.2)


def sessions(address):
    """How many visitors a server has, by its own count."""
    with urllib.request.urlopen(f"http://{address}/_stcore/metrics", timeout=5) as answer:
        return int(re.search(r"^active_sessions\S* (\d+)", answer.read().decode(), re.M)[1])


def test_a_visitor_whose_server_is_killed_goes_on_with_the_other_with_the_same_settings(page, servers, proxy):
    visit(page, f"{proxy}/gradient_flow?cells=GRU&steps=60&hidden_size=8&batch_size=2&seed=3")
    press(page, "Gain", "ArrowRight")
    visited = [address for address in servers if sessions(address)]
    assert len(visited) == 1, "a visitor has one server"
    for _ in range(3):  # a reload stays there
        visit(page, page.url)
    (other,) = servers.keys() - set(visited)
    assert sessions(other) == 0
    servers[visited[0]].kill()
    servers[visited[0]].wait()
    visit(page, page.url)
    expect(page.get_by_role("slider", name="Gain")).to_have_attribute("aria-valuetext", "1.05")
    expect(page.get_by_role("slider", name="Steps")).to_have_attribute("aria-valuetext", "60")
    press(page, "Gain", "ArrowRight")
    expect(page).to_have_url(re.compile("seed=3"))
    assert sessions(other) == 1
