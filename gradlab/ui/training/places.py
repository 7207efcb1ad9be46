"""Places: the processes that train, for the whole server: at most so many at once, who waits longest is next.

A process that a training leaves in order waits for the next one, for its start takes seconds: one at most, and not for
ever. `warm` starts one before it is needed.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
from collections.abc import Callable

from gradlab.training.process import TrainingProcess

MOST = min(max(2, os.cpu_count() or 1), 8)  # at once; each takes 300 MB and what its networks need
IDLE = 600.0  # seconds that a process waits for a training
KEPT_BYTES = 2**30  # a process that has taken more than this is ended, for it would keep the memory
LOOK_EVERY = 0.1  # seconds, at whether who waits still wants to


class Places:
    """At most `most` processes that train, and one that waits for `idle` seconds."""

    def __init__(self, most: int = MOST, idle: float = IDLE):
        self.most, self.idle = most, idle
        self._change = threading.Condition()
        self._waiting: list[object] = []  # in the order of their coming
        self._busy: set[TrainingProcess] = set()
        self._spare: TrainingProcess | None = None
        self._alarm: threading.Timer | None = None  # ends the spare

    def enter(self, who: object, is_over: Callable[[], bool]) -> TrainingProcess | None:
        """A process for `who`, once there is a place; None where `is_over` comes to be true before. Then `leave`."""
        with self._change:
            self._waiting.append(who)
            try:
                while len(self._busy) >= self.most or self._waiting[0] is not who:
                    if is_over():
                        return None
                    self._change.wait(LOOK_EVERY)
                process = self._take_spare() or TrainingProcess()
                self._busy.add(process)
                return process
            finally:
                self._waiting.remove(who)
                self._change.notify_all()

    def leave(self, process: TrainingProcess, is_ready: bool) -> None:
        """Gives the place back; a process that is ready for another training is kept where none is."""
        with self._change:
            self._busy.discard(process)
            if is_ready and process.is_alive and self._spare is None:
                self._keep(process)
            else:
                process.end()
            self._change.notify_all()

    def ahead(self, who: object) -> int | None:
        """How many wait before `who`; None where it does not wait."""
        with self._change:
            return self._waiting.index(who) if who in self._waiting else None

    @property
    def is_wanted(self) -> bool:
        """Whether anybody waits for a place."""
        return bool(self._waiting)

    def warm(self) -> None:
        """Sees to it that a process waits, unless every place is taken."""
        with self._change:
            if self._spare is None or not self._spare.is_alive:
                self._take_spare()
                if len(self._busy) < self.most:
                    with contextlib.suppress(OSError):  # who begins a training is told
                        self._keep(TrainingProcess())

    def close(self) -> None:
        """Ends every process; a training in one of them has died."""
        with self._change:
            spare = self._take_spare()
            for process in (*self._busy, *([spare] if spare else [])):
                process.end()

    def _take_spare(self) -> TrainingProcess | None:
        """The process that waits, if it still lives."""
        process, self._spare = self._spare, None
        if self._alarm is not None:
            self._alarm.cancel()
        return process if process is not None and process.is_alive else None

    def _keep(self, process: TrainingProcess) -> None:
        self._spare = process
        self._alarm = threading.Timer(self.idle, self._dismiss, (process,))
        self._alarm.daemon = True
        self._alarm.start()

    def _dismiss(self, process: TrainingProcess) -> None:
        with self._change:
            if self._spare is process:
                self._take_spare()
                process.end()


PLACES = Places()
atexit.register(PLACES.close)
