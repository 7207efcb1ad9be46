"""`gradlab app`: how servers start and end. What they serve is tested in tests/ui and tests/faults."""

import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from http.cookiejar import CookieJar
from urllib.request import HTTPCookieProcessor, build_opener

import psutil
import pytest

from tests.conftest import ROOT, free_port, stop_server, wait_until_it_answers

CADDY = shutil.which("caddy")
SECONDS = 30  # in which everything has to end


def started(tmp_path, *options):
    port, log = free_port(), tmp_path / "log.txt"
    command = [sys.executable, "-m", "gradlab", "app", "--no-browser", f"--port={port}", *options]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=tmp_path, stdout=output, stderr=subprocess.STDOUT, env=os.environ | {"PYTHONPATH": str(ROOT)},
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # which tests in the background ignore
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    wait_until_it_answers(process, url, log)
    return process, url, log


def gone(processes):
    _, alive = psutil.wait_procs(processes, timeout=SECONDS)
    return not alive


@pytest.mark.slow
def test_one_server_answers_and_ends_with_the_command(tmp_path):
    process, _, _ = started(tmp_path)
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    stop_server(process)
    assert gone(family)


def servers_of(process):
    """The servers that a command has started and that run."""
    children = psutil.Process(process.pid).children()
    return [one for one in children if one.status() != psutil.STATUS_ZOMBIE and "streamlit" in " ".join(one.cmdline())]


@pytest.fixture
def two(tmp_path):
    if CADDY is None and os.environ.get("GRADLAB_REQUIRE_BROWSER") != "1":
        pytest.skip("Caddy is not installed (Debian: apt-get install caddy)")
    process, url, log = started(tmp_path, "--workers=2")
    yield process, url, log
    stop_server(process)


@pytest.mark.slow
def test_a_visitor_of_two_servers_stays_with_one_by_a_cookie(two):
    _, url, _ = two
    jar = CookieJar()
    visitor = build_opener(HTTPCookieProcessor(jar))
    cookies = []
    for _ in range(4):
        with visitor.open(url, timeout=10) as answer:
            assert b"streamlit" in answer.read().lower()
        cookies += [cookie.value for cookie in jar]
    assert len(cookies) == 4
    assert len(set(cookies)) == 1


@pytest.mark.slow
def test_a_server_that_dies_is_started_again(two):
    process, url, log = two
    before = servers_of(process)
    assert len(before) == 2
    before[0].kill()
    deadline = time.monotonic() + SECONDS
    while len(after := servers_of(process)) < 2 or before[0] in after:
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)
    assert before[1] in after
    with build_opener().open(url, timeout=10) as answer:
        assert answer.status == 200


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_servers_and_proxy_end_with_the_command(two, sent):
    process, _, log = two
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) >= 3
    process.send_signal(sent)
    assert process.wait(SECONDS) == 128 + sent
    assert gone(family)
    assert "Traceback" not in log.read_text()


def test_several_servers_without_a_proxy_are_refused(call, monkeypatch):
    monkeypatch.setenv("PATH", "")
    result = call("app", "--workers", "2")
    assert result.exit_code == 2
    assert "needs Caddy" in result.stderr
