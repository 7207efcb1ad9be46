"""Work: what is computed once for all who wait for it, in a thread that they may leave.

A page's own thread only waits and draws progress, at which Streamlit stops it: within some tenths of a second of the
tab's closing, or of another setting, whatever the computation is in. Work that nobody waits for any more is abandoned:
the next time that it reports its progress it ends.
"""

import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from gradlab.engine import Progress
from gradlab.engine.progress import stopped_by
from gradlab.ui.kept import MISSING, MOST_BYTES, Kept, give_back
from gradlab.words.languages import current, speaking

POLL_SECONDS = 0.05  # at which a page that waits looks
LARGE_SECONDS = 0.1  # work that takes longer may have freed much

Make = Callable[[Progress], Any]
Watch = Callable[[float], None]  # called with the fraction done, about twenty times a second

KEPT = Kept(MOST_BYTES)
_under_way: dict[Hashable, "Work"] = {}
_lock = threading.Lock()
_held: ContextVar[dict[Hashable, Any] | None] = ContextVar("held", default=None)


class Abandoned(BaseException):
    """Nobody waits any more. No Exception, so that no computation takes it for its own error."""


class Work:
    """One computation under way."""

    def __init__(self, key: Hashable, make: Make):
        self.key, self.make, self.language = key, make, current()
        self.waiting = 0
        self.abandoned = False
        self.fraction = 0.0
        self.done = threading.Event()
        self.value: Any = MISSING
        self.error: BaseException | None = None

    def run(self) -> None:
        begun = time.monotonic()
        try:
            with stopped_by(self._stop), speaking(self.language):
                self.value = self.make(self._report)
            KEPT.put(self.key, self.value)
        except BaseException as error:  # raised again where it is waited for
            self.error = error
        del self.make
        with _lock:
            if _under_way.get(self.key) is self:
                del _under_way[self.key]
        self.done.set()
        if time.monotonic() - begun > LARGE_SECONDS:
            give_back()

    def _report(self, fraction: float) -> None:
        self.fraction = fraction
        self._stop()

    def _stop(self) -> None:
        if self.abandoned:
            raise Abandoned

    def result(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.value


def kept(key: Hashable) -> Any:
    """What is there already; MISSING where nothing is."""
    held = _held.get()
    value = MISSING if held is None else held.get(key, MISSING)
    if value is MISSING:
        value = KEPT.get(key)
        if value is not MISSING and held is not None:
            held[key] = value
    return value


def kept_or_made(key: Hashable, make: Make, watch: Watch | None = None) -> Any:
    """The value of a key: kept, waited for where it is being made already, or made.

    watch    called while it is waited for; an exception it raises leaves the work. None where nobody can leave: then it
             is made in the calling thread.
    """
    value = kept(key)
    if value is not MISSING:
        return value
    with _lock:
        value = KEPT.get(key)
        if value is not MISSING:  # it has been made meanwhile
            return value
        work = _under_way.get(key)
        is_mine = work is None
        if work is None:
            work = _under_way[key] = Work(key, make)
        work.waiting += 1
    try:
        if is_mine and watch is None:
            work.run()
        elif is_mine:
            threading.Thread(target=work.run, name="answer", daemon=True).start()
        while not work.done.wait(POLL_SECONDS):
            if watch is not None:
                watch(work.fraction)
        value = work.result()
    finally:
        _leave(work)
    held = _held.get()
    if held is not None:
        held[key] = value
    return value


def _leave(work: Work) -> None:
    with _lock:
        work.waiting -= 1
        if not work.waiting and not work.done.is_set():
            work.abandoned = True
            if _under_way.get(work.key) is work:  # who asks again begins again
                del _under_way[work.key]


@contextmanager
def holding() -> Iterator[None]:
    """What is answered meanwhile stays until the end, though others need the room: a page asks for it again."""
    token = _held.set({})
    try:
        yield
    finally:
        _held.reset(token)
