"""Maps under way: phase maps that processes, or a cluster, measure for the whole server while somebody looks.

A map is measured once for all who look at it. The first colours are measured in the map's own thread, and where the
rest takes seconds it goes to the server's one pool of processes, or to the operator's cluster. Maps take turns, so that
however many are looked at, one pool is at work. A map that nobody looks at ends; what was measured is in the store,
from which it goes on, also after a restart of the server.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from gradlab.engine import compiled
from gradlab.engine.progress import stopped_by
from gradlab.sweeps import cluster, running
from gradlab.sweeps.maps import MEASURE, Measured, PhaseMap, Plan
from gradlab.sweeps.pool import Pool
from gradlab.sweeps.sweep import points
from gradlab.ui.work import KEPT

FOLDER = "GRADLAB_MAPS"  # the environment variable: where maps are kept; else beside the compiled kernels
MOST_BYTES = 2**28  # of all maps that are kept; the oldest go first
MOST = 16  # maps under way on the server
COARSE_SECONDS = 0.8  # in the map's own thread, after its first grid
POOLED_FROM = 4.0  # seconds that the rest would take here, from which on it goes to the pool
TURN = 5.0  # seconds, after which a map makes room for one that waits
MARKS, MARK_SECONDS = 10, 1.0  # of what the time left is told by
KEEPS = 60.0  # seconds that the pool's processes wait for another map
POLL = 0.05
NICENESS = 3  # of the pool: pages come first


class Ended(BaseException):
    """Nobody looks any more. No Exception, so that no computation takes it for its own error."""


class EnoughHere(Exception):
    """The rest goes to the pool."""


class Turns:
    """Whose turn the pool is; the others wait in the order in which they came."""

    def __init__(self) -> None:
        self._queue: list[Map] = []
        self._lock = threading.Lock()
        self._begun = 0.0

    def enter(self, one: Map) -> None:
        with self._lock:
            self._queue.append(one)
            if len(self._queue) == 1:
                self._begun = time.monotonic()

    def leave(self, one: Map) -> None:
        with self._lock:
            self._queue.remove(one)
            self._begun = time.monotonic()

    def is_mine(self, one: Map) -> bool:
        """Whether it is a map's turn; one whose turn has lasted long enough goes behind those that wait."""
        with self._lock:
            if self._queue[0] is one and len(self._queue) > 1 and time.monotonic() - self._begun > TURN:
                self._queue.append(self._queue.pop(0))
                self._begun = time.monotonic()
            return self._queue[0] is one

    def ahead(self, one: Map) -> int:
        """How many are before it; 0 also for one that does not wait."""
        with self._lock:
            return self._queue.index(one) if one in self._queue else 0

    def __len__(self) -> int:
        return len(self._queue)


class Map:
    """One map under way.

    measured    what there is of it so far
    error       what ended it, where that is no reader's leaving
    """

    def __init__(self, key: Hashable, plan: Plan, server: Maps):
        self.key, self.plan, self.measured = key, plan, Measured(plan)
        self.error = ""
        self.is_over = False
        self._server = server
        self._looking: dict[str, Callable[[], bool]] = {}
        self._ending = False
        self._marks: deque[tuple[float, int]] = deque(maxlen=MARKS)  # times, and how many points there were
        self._thread = threading.Thread(target=self._work, name="map", daemon=True)

    @property
    def fraction(self) -> float:
        return self.measured.count / len(self.plan)

    @property
    def seconds_left(self) -> float | None:
        """At the pace of the last seconds; None before there is one."""
        marks = [*self._marks]
        if len(marks) < 2 or marks[-1][1] == marks[0][1]:
            return None
        return (len(self.plan) - marks[-1][1]) * (marks[-1][0] - marks[0][0]) / (marks[-1][1] - marks[0][1])

    @property
    def ahead(self) -> int:
        """How many other maps are measured before it."""
        return self._server.turns.ahead(self)

    def look(self, session: str, is_there: Callable[[], bool]) -> None:
        """Says that a session's page shows it; `is_there` says from any thread whether the session has not ended."""
        self._looking[session] = is_there

    def leave(self, session: str) -> None:
        """Says that a session's page does so no more: with the last one it ends within a fraction of a second."""
        self._looking.pop(session, None)
        self._ending = not self._looking

    def join(self, seconds: float | None = None) -> None:
        self._thread.join(seconds)

    def _stop(self) -> None:
        if self._ending or not any(is_there() for is_there in [*self._looking.values()]):
            self._ending = True
            raise Ended

    def _work(self) -> None:
        try:
            with stopped_by(self._stop):
                self._coarse()
                if self.fraction < 1:
                    self._fine()
            self._server.keep(self)
        except Ended:
            pass
        except Exception as error:  # the page says it
            self.error = f"{type(error).__name__}: {error}"
        finally:
            self.is_over = True
            self._server.over(self)

    def _look(self, fraction: float) -> None:
        self._stop()
        now = time.monotonic()
        if not self._marks or now - self._marks[-1][0] > MARK_SECONDS:
            self._marks.append((now, self.measured.count))

    def _coarse(self) -> None:
        """The first colours here, and all the rest where that takes no longer than the pool's beginning."""
        begun, stored = time.monotonic(), -1

        def look(fraction: float) -> None:
            nonlocal stored
            self._look(fraction)
            stored = self.measured.count - 1 if stored < 0 else stored  # what the store has is no work of now
            elapsed, left = time.monotonic() - begun, len(self.plan) - self.measured.count
            if elapsed > COARSE_SECONDS and elapsed * left / max(self.measured.count - stored, 1) > POOLED_FROM:
                raise EnoughHere

        self._here(look)

    def _fine(self) -> None:
        """The rest by the pool, when it is its turn; here as long as the pool's processes begin."""
        turns, server = self._server.turns, self._server
        turns.enter(self)
        try:

            def look(fraction: float) -> None:
                self._look(fraction)
                while not turns.is_mine(self):
                    time.sleep(POLL)
                    self._look(fraction)

            look(self.fraction)
            executor, in_flight = server.executor()
            is_ready = executor.submit(os.getpid)

            def until_ready(fraction: float) -> None:
                look(fraction)
                if is_ready.done():
                    raise EnoughHere

            self._here(until_ready)
            if self.fraction < 1:
                self._points(executor, look, in_flight)
        finally:
            turns.leave(self)

    def _here(self, look: Callable[[float], None]) -> None:
        """In this thread, one point after the other, until `look` says that it is enough."""
        with contextlib.suppress(EnoughHere):
            self._points(running.Here, look, 1)

    def _points(self, executor: Any, look: Callable[[float], None], in_flight: int) -> None:
        plan, folder = self.plan, self._server.folder_of(self.plan)
        points(
            plan.base, plan.axes, MEASURE, plan.seeds, executor, folder, look, in_flight, on_point=self.measured.take
        )


class Maps:
    """All maps of a server."""

    def __init__(self, folder: Path | None = None, address: str | None = None) -> None:
        self.pool, self.turns = Pool(os.cpu_count() or 1, NICENESS), Turns()
        self._under_way: dict[Hashable, Map] = {}
        self._lock = threading.Lock()
        self._folder, self._address = folder, address
        self._cluster: cluster.Cluster | None = None
        self.no_cluster = False  # there is an address, at which nothing answered

    def of(self, key: Hashable, plan: Plan, session: str, is_there: Callable[[], bool]) -> Map | None:
        """The map of a key, begun where it is not under way; None where the server has as many as it takes. The
        session leaves all others."""
        self.left(session, key)
        with self._lock:
            found = self._under_way.get(key)
            if found is not None and not found._ending:
                found.look(session, is_there)
                return found
            if len(self._under_way) >= MOST:
                return None
            made = self._under_way[key] = Map(key, plan, self)
            made.look(session, is_there)
            made._thread.start()
            return made

    def left(self, session: str, but: Hashable = None) -> None:
        """Says that a session looks at no map any more, or at none but that of a key."""
        for key, one in [*self._under_way.items()]:
            if key != but:
                one.leave(session)

    def executor(self) -> tuple[Executor, int]:
        """What measures, and how many points it takes at a time: the operator's cluster, else this machine's pool."""
        address = os.environ.get(cluster.ADDRESS) if self._address is None else self._address
        if address and self._cluster is None and not self.no_cluster:
            try:
                self._cluster = cluster.connect(address)
            except (ImportError, ValueError):
                self.no_cluster = True
        if self._cluster is not None:
            return self._cluster.executor, self._cluster.in_flight
        return self.pool, 2 * (os.cpu_count() or 1)

    def workers(self) -> int | None:
        """Those of the cluster; None where this machine's processes measure."""
        return None if self._cluster is None else len(self._cluster.workers)

    def folder_of(self, plan: Plan) -> Path | None:
        """Where a map is kept; None where nothing is: what a visitor typed is written nowhere."""
        home = self._home()
        if home is None or plan.base.text is not None or self._is_unwritable(home):
            return None
        content = f"{plan.of} {dict(plan.axes)!r} {plan.base.arguments}"
        return home / hashlib.sha256(content.encode()).hexdigest()[:32]

    def _home(self) -> Path | None:
        given = self._folder or os.environ.get(FOLDER)
        if given:
            return Path(given)
        beside = compiled.cache_folder()
        return None if beside is None else beside / "maps"

    @staticmethod
    def _is_unwritable(home: Path) -> bool:
        """Whether nothing can be kept in a folder, which is made if need be."""
        try:
            home.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=home):
                return False
        except OSError:
            return True

    def keep(self, one: Map) -> None:
        """A finished map's result, for every page that asks for it."""
        KEPT.put(one.key, PhaseMap(one.plan, one.measured.table))

    def over(self, one: Map) -> None:
        """A map has ended: the pool ends in the middle of a long point, or after a while without a map."""
        with self._lock:
            if self._under_way.get(one.key) is one:
                del self._under_way[one.key]
        self._prune()
        if not len(self.turns) and self.pool.pids:
            threading.Thread(
                target=self._end_pool, args=(one.fraction < 1,), name="end of the pool", daemon=True
            ).start()

    def _end_pool(self, is_broken_off: bool) -> None:
        """Where a map was broken off, its last points are given a second."""
        deadline = time.monotonic() + (1.0 if is_broken_off else KEEPS)
        while time.monotonic() < deadline:
            time.sleep(POLL)
            if len(self.turns):
                return
        self.pool.end()

    def _prune(self) -> None:
        home = self._home()
        if home is None or not home.is_dir():
            return
        found = sorted((folder for folder in home.iterdir() if folder.is_dir()), key=lambda f: f.stat().st_mtime)
        sizes = [sum(file.stat().st_size for file in folder.iterdir()) for folder in found]
        over = sum(sizes) - MOST_BYTES
        for folder, size in zip(found, sizes, strict=True):
            if over <= 0:
                return
            shutil.rmtree(folder, ignore_errors=True)
            over -= size


MAPS = Maps()  # of the whole server
