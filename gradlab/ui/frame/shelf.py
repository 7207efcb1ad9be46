"""What a browser's reload would lose, kept by the server for its visitor: a training, opened weights, an uploaded text.

A reload begins another session. What is kept stands on a shelf of the server's memory, under an id that nobody can
guess and that only the visitor's tab, or a copy of it, knows (its sessionStorage, see tools.js): it is in no link. Of
the whole server's shelves at most `MOST_BYTES` are kept, each for `SECONDS` after it was last used; what was used
longest ago goes first.
"""

import secrets
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import streamlit as st

from gradlab.words.languages import N_

MOST_BYTES = 2**28  # of all visitors together
SECONDS = 30 * 60.0  # since it was last used
BYTES, LETTERS = 24, 32  # of an id: random, and as text
SAID = N_("Kept for this tab over a reload, for 30 minutes after it was last used.")
TOO_LARGE = N_("Too large to be kept over a reload of this tab: keep its runs as files.")


class Item(NamedTuple):
    value: Any
    size: int  # bytes


class Shelves:
    """Items by name, one shelf per id. From any thread.

    clock    seconds, from any origin
    """

    def __init__(
        self, most_bytes: int = MOST_BYTES, seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic
    ):
        self.most_bytes, self.seconds = most_bytes, seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._items: dict[str, dict[str, Item]] = {}  # the shelf that was used last at the end
        self._used: dict[str, float] = {}

    @property
    def size(self) -> int:
        """Bytes on all shelves."""
        return sum(item.size for shelf in self._items.values() for item in shelf.values())

    def put(self, shelf: str, name: str, item: Item) -> bool:
        """Keeps an item in the place of one of its name; False where it is too large for all shelves together."""
        with self._lock:
            own = self._take(shelf) | {name: item}
            fits = sum(kept.size for kept in own.values()) <= self.most_bytes
            if not fits:
                del own[name]
            self._place(shelf, own)
            while self.size > self.most_bytes:
                self._drop(next(iter(self._items)))
            return fits

    def remove(self, shelf: str, name: str) -> None:
        """Takes an item away, if it is there."""
        with self._lock:
            own = self._take(shelf)
            own.pop(name, None)
            self._place(shelf, own)

    def use(self, shelf: str) -> dict[str, Any] | None:
        """What stands on a shelf, by name, used at this moment; None where there is no such shelf any more."""
        with self._lock:
            own = self._take(shelf)
            self._place(shelf, own)
            return {name: item.value for name, item in own.items()} or None

    def _take(self, shelf: str) -> dict[str, Item]:
        now = self._clock()
        for old in [name for name, used in self._used.items() if now - used > self.seconds]:
            self._drop(old)
        own = self._items.get(shelf, {})
        self._drop(shelf)
        return dict(own)

    def _place(self, shelf: str, items: dict[str, Item]) -> None:
        if items:
            self._items[shelf], self._used[shelf] = items, self._clock()

    def _drop(self, shelf: str) -> None:
        self._items.pop(shelf, None)
        self._used.pop(shelf, None)


SHELVES = Shelves()  # of the whole server


def own() -> str:
    """The id of the session's shelf."""
    return st.session_state.setdefault("shelf", secrets.token_urlsafe(BYTES))


def keep(name: str, value: Any, size: int) -> bool:
    """Sets a value of the session and keeps it over a reload; False where it is too large for that."""
    st.session_state[name] = value
    return SHELVES.put(own(), name, Item(value, size))


def forget(name: str) -> None:
    """Takes a value from the session and its shelf, if it is there."""
    st.session_state.pop(name, None)
    SHELVES.remove(own(), name)


def adopt(shelf: Any) -> None:
    """After a reload: the session's shelf is the tab's, even an empty one, for the tab goes on with its id."""
    if not isinstance(shelf, str) or len(shelf) != LETTERS:
        return
    st.session_state["shelf"] = shelf
    for name, value in (SHELVES.use(shelf) or {}).items():
        st.session_state[name] = value


def used() -> None:
    """Says that the visitor is here."""
    SHELVES.use(own())
