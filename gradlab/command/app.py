"""`gradlab app`: the app, from any folder; with several workers, so many servers behind the proxy of deploy/."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

LOCAL = "127.0.0.1"
START_SECONDS = 120  # that a server may take to answer
LOGS, CLUSTER = "GRADLAB_LOGS", "GRADLAB_CLUSTER"
EXAMPLES = """\b
Examples:
  gradlab app
  gradlab app --logs runs --port 8600
  gradlab app --workers 2 --no-browser
"""


@click.command(
    short_help="Start the app.",
    epilog=EXAMPLES,
)
@click.option("--port", type=click.IntRange(1, 65535), default=8501, show_default=True)
@click.option("--address", default=LOCAL, show_default=True, help="0.0.0.0 opens it to the network.")
@click.option(
    "--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Servers; several need Caddy, a proxy."
)
@click.option(
    "--logs",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of logs of gradlab.watch that the page Your network lists.",
)
@click.option("--cluster", metavar="ADDRESS", help="A dask scheduler that measures phase maps, as tcp://host:8786.")
@click.option("--browser/--no-browser", default=True, help="Whether a browser opens.")
def app(port: int, address: str, workers: int, logs: Path | None, cluster: str | None, browser: bool) -> None:
    """Start the app: http://127.0.0.1:8501."""
    if logs is not None:
        os.environ[LOGS] = str(logs.resolve())
    if cluster is not None:
        os.environ[CLUSTER] = cluster
    import webbrowser

    if workers == 1:
        from streamlit.web.cli import main

        sys.exit(main(["run", *options(port, address), f"--server.headless={str(not browser).lower()}"]))
    with proxied(port, address, workers) as (servers, proxy):
        url = f"http://{LOCAL if address == '0.0.0.0' else address}:{port}"
        click.echo(f"{workers} servers answer at {url}")
        if browser:
            webbrowser.open(url)
        while proxy.poll() is None:
            for number, server in servers.items():
                if server.poll() is not None:
                    click.echo(f"the server at port {number} has ended: it is started again", err=True)
                    servers[number] = started(number)
            time.sleep(0.2)
    raise click.ClickException("the proxy has ended, and the servers were stopped")


def options(port: int, address: str) -> list[str]:
    """What `streamlit run` is told of the app."""
    from gradlab.ui.place import FOLDER

    return [str(FOLDER / "app.py"), f"--server.port={port}", f"--server.address={address}"]


Servers = dict[int, subprocess.Popen[bytes]]  # by port


@contextmanager
def proxied(port: int, address: str, workers: int) -> Iterator[tuple[Servers, subprocess.Popen[bytes]]]:
    """So many servers that answer, and a proxy before them; all of them end with the block."""
    from gradlab.ui.place import FOLDER

    caddy = shutil.which("caddy")
    if caddy is None:
        raise ValueError(f"workers = {workers} needs Caddy, which is not on the path (Debian: apt-get install caddy)")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    servers: Servers = {}
    proxy: list[subprocess.Popen[bytes]] = []
    try:
        for number in free_ports(workers):
            servers[number] = started(number)
        for number, server in servers.items():
            _wait_for(server, f"http://{LOCAL}:{number}/_stcore/health")
        settings = {
            "GRADLAB_ADDRESS": f"http://{address}:{port}",
            "GRADLAB_SERVERS": " ".join(f"{LOCAL}:{number}" for number in servers),
        }
        command = [caddy, "run", "--config", str(FOLDER / "deploy" / "Caddyfile"), "--adapter", "caddyfile"]
        proxy.append(subprocess.Popen(command, env=os.environ | settings))
        yield servers, proxy[0]
    finally:
        for process in (*servers.values(), *proxy):
            process.terminate()
        for process in (*servers.values(), *proxy):
            process.wait()


def started(port: int) -> subprocess.Popen[bytes]:
    """One server, for the proxy alone."""
    command = [sys.executable, "-m", "streamlit", "run", *options(port, LOCAL), "--server.headless=true"]
    return subprocess.Popen([*command, "--server.fileWatcherType=none"])


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on now, each another one."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((LOCAL, 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _wait_for(process: subprocess.Popen[bytes], url: str) -> None:
    import urllib.request

    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise click.ClickException(f"a server did not answer at {url}")
