"""What a page draws goes to the server's thread in bunches.

Streamlit hands over every element by itself, some eighty times a run. Each time the server's thread is woken, takes the
interpreter from the page's thread and gives it back, which costs about as much as making the element. Here all that
comes within `SECONDS` is handed over at once, in its order; Streamlit itself sends what it has no more often than that.
"""

import asyncio
import threading
from collections.abc import Callable

from streamlit.runtime.app_session import AppSession

SECONDS = 0.01
METHOD = "_call_soon_on_event_loop"  # of Streamlit's sessions; it has no public name

Callback = Callable[[], None]


class Bunches:
    """Callbacks for one event loop, from any thread, called there in the order in which they came."""

    def __init__(self, loop: asyncio.AbstractEventLoop):
        self.loop = loop
        self._waiting: list[Callback] = []
        self._lock = threading.Lock()

    def add(self, callback: Callback) -> None:
        """Hands a callback over, with what comes soon after it. RuntimeError where the loop is closed."""
        with self._lock:
            is_first = not self._waiting
            self._waiting.append(callback)
        if is_first:
            try:
                self.loop.call_soon_threadsafe(self.loop.call_later, SECONDS, self._hand_over)
            except RuntimeError:
                self._taken()
                raise

    def _hand_over(self) -> None:
        for callback in self._taken():
            self.loop.call_soon(callback)

    def _taken(self) -> list[Callback]:
        with self._lock:
            taken, self._waiting = self._waiting, []
        return taken


def begin(loop: asyncio.AbstractEventLoop) -> bool:
    """Sessions of this loop hand over in bunches from now on; False, and nothing is changed, where they cannot."""
    one_by_one = getattr(AppSession, METHOD, None)
    if one_by_one is None:
        return False
    bunches = Bunches(loop)

    def in_bunches(session: AppSession, callback: Callback) -> None:
        if session._event_loop is not loop or loop.is_closed():
            one_by_one(session, callback)
        else:
            bunches.add(callback)

    setattr(AppSession, METHOD, in_bunches)
    return True
