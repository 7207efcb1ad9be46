"""A visitor without a browser: speaks Streamlit's websocket protocol, and leaves when a test says so."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Self

import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

IDLE_SHARE = 0.1  # of a processor: what a server without work takes, and more
WINDOW = 0.5  # seconds


class Visitor:
    """One tab of the app at an address."""

    def __init__(self, url: str, page: str, query: str) -> None:
        address = url.replace("http://", "ws://") + "/_stcore/stream"
        opened = connect(address, subprotocols=["streamlit"], max_size=None, open_timeout=60, close_timeout=1)
        self.tab = ExitStack()
        self.socket = self.tab.enter_context(opened)
        self.page, self.query = page, query
        self.elements: list[ForwardMsg] = []
        self.cached: set[str] = set()  # hashes of the messages that a browser would keep
        self.widgets: dict[str, Any] = {}  # by key: the sliders and the like that the page has drawn
        self.run()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.leave()

    def run(self, query: str | None = None, click: str | None = None) -> None:
        """Runs the page, at another address or after a click on a button."""
        self.query = self.query if query is None else query
        message = self._asking()
        if click is not None:
            state = message.rerun_script.widget_states.widgets.add()
            state.id, state.trigger_value = click, True
        self.socket.send(message.SerializeToString())

    def go(self, page: str) -> None:
        """Goes to another page in the same tab."""
        self.page, self.query = page, ""
        self.run()

    def stops(self, key: str) -> list[str]:
        """What a slider of stops may be let go at; nothing where it holds any number."""
        return [*self.widgets[key].options]

    def move(self, key: str, value: float | str) -> None:
        """Runs the page after a slider has been let go at a value, or at one of its stops."""
        message = self._asking()
        state = message.rerun_script.widget_states.widgets.add()
        state.id = self.widgets[key].id
        if isinstance(value, str):
            state.string_array_value.data.append(value)
        else:
            state.double_array_value.data.append(value)
        self.socket.send(message.SerializeToString())

    def wait_for(self, found: Callable[[ForwardMsg], bool], seconds: float = 120) -> ForwardMsg:
        """The first message to come of which that holds; AssertionError where none comes in time."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            message = ForwardMsg()
            message.ParseFromString(self.socket.recv(timeout=left, decode=False))
            self.elements.append(message)
            self._note(message)
            if found(message):
                return message
        raise AssertionError(f"nothing came in {seconds} s")

    def _asking(self) -> BackMsg:
        """The message that runs the page."""
        message = BackMsg()
        message.rerun_script.query_string, message.rerun_script.page_name = self.query, self.page
        message.rerun_script.cached_message_hashes.extend(self.cached)
        return message

    def _note(self, message: ForwardMsg) -> None:
        """Remembers a slider that a message draws, its id ends with its key, and what a browser would keep."""
        if message.metadata.cacheable:
            self.cached.add(message.ref_hash or message.hash)
        slider = message.delta.new_element.slider
        if slider.id:
            self.widgets[slider.id.split("-", 2)[-1]] = slider

    def leave(self) -> None:
        """Closes the tab."""
        self.tab.close()


def progress_of(message: ForwardMsg) -> str:
    """The text of a progress bar that a message draws; "" for any other."""
    return message.delta.new_element.progress.text


def button_of(message: ForwardMsg, label: str) -> str | None:
    """The id of a button of that label that a message draws; None for any other."""
    button = message.delta.new_element.button
    return button.id if button.label == label else None


def is_chart(message: ForwardMsg) -> bool:
    """Whether a message draws a chart."""
    return message.delta.new_element.HasField("vega_lite_chart")


def is_finished(message: ForwardMsg) -> bool:
    """Whether the page's run has ended."""
    return message.WhichOneof("type") == "script_finished"


def seconds_at_work(process: psutil.Process) -> float:
    """Processor seconds that a process and those that it has started have used."""
    family = [process, *process.children(recursive=True)]
    return sum(sum(one.cpu_times()[:2]) for one in family)


def until_idle(process: psutil.Process, seconds: float = 120) -> float:
    """Waits until a process does next to nothing; the processor seconds that it used until then."""
    begun = before = seconds_at_work(process)
    deadline, quiet = time.monotonic() + seconds, 0
    while quiet < 3:
        assert time.monotonic() < deadline, f"still at work after {seconds} s"
        time.sleep(WINDOW)
        now = seconds_at_work(process)
        quiet = quiet + 1 if now - before < IDLE_SHARE * WINDOW else 0
        before = now
    return before - begun
