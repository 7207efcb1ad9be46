"""Firefox by WebDriver BiDi, which it speaks itself: playwright drives a build of its own alone."""

import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

PROGRAM = shutil.which("firefox-esr") or shutil.which("firefox")
WAIT = 60.0  # seconds
PREFERENCES = {  # no request leaves the machine
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "toolkit.telemetry.enabled": False,
}


class Tab:
    """One tab: what a script in it gives, and a pointer."""

    def __init__(self, connection: ClientConnection):
        self._connection, self._numbers = connection, itertools.count(1)
        self._send("session.new", capabilities={})
        self._context = self._send("browsingContext.getTree")["contexts"][0]["context"]

    def _send(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._connection.send(json.dumps({"id": number, "method": method, "params": params}))
        while (answer := json.loads(self._connection.recv(timeout=WAIT))).get("id") != number:
            pass  # events
        assert answer["type"] == "success", answer
        return answer["result"]

    def size(self, width: int, height: int) -> None:
        self._send("browsingContext.setViewport", context=self._context, viewport={"width": width, "height": height})

    def goto(self, url: str) -> None:
        self._send("browsingContext.navigate", context=self._context, url=url, wait="complete")

    def evaluate(self, expression: str) -> Any:
        """What an expression gives, by way of JSON."""
        wrapped = f"JSON.stringify({expression})"
        target = {"context": self._context}
        answer = self._send("script.evaluate", expression=wrapped, target=target, awaitPromise=True)
        assert answer["type"] == "success", answer
        return json.loads(answer["result"].get("value", "null"))

    def wait_for(self, expression: str) -> Any:
        """What an expression gives as soon as that is true."""
        end = time.monotonic() + WAIT
        while not (value := self.evaluate(expression)):
            assert time.monotonic() < end, expression
            time.sleep(0.1)
        return value

    def drag(self, x: float, y: float, by: float, moves: int = 10) -> None:
        """Presses the pointer and moves it, without letting go."""
        places = [x, *(x + by * move / moves for move in range(1, moves + 1))]
        steps = [{"type": "pointerMove", "x": round(at), "y": round(y), "duration": 30} for at in places]
        self._point([steps[0], {"type": "pointerDown", "button": 0}, *steps[1:]])

    def release(self) -> None:
        self._point([{"type": "pointerUp", "button": 0}])

    def _point(self, actions: list[dict[str, Any]]) -> None:
        pointer = {"type": "pointer", "id": "pointer", "actions": actions}
        self._send("input.performActions", context=self._context, actions=[pointer])


@contextmanager
def firefox(folder: Path) -> Iterator[Tab]:
    """A tab of a Firefox whose profile is in an empty folder."""
    assert PROGRAM is not None
    written = (f'user_pref("{name}", {json.dumps(value)});' for name, value in PREFERENCES.items())
    (folder / "user.js").write_text("\n".join(written))
    command = [PROGRAM, "--headless", "--no-remote", "--profile", str(folder), "--remote-debugging-port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with _connected(folder / "WebDriverBiDiServer.json") as connection:
            yield Tab(connection)
    finally:
        process.terminate()
        process.wait(WAIT)


def _connected(port_file: Path) -> ClientConnection:
    end = time.monotonic() + WAIT
    while True:
        try:
            server = json.loads(port_file.read_text())
            return connect(f"ws://{server['ws_host']}:{server['ws_port']}/session", max_size=None)
        except (OSError, ValueError, WebSocketException):
            assert time.monotonic() < end, "Firefox did not start"
            time.sleep(0.1)
