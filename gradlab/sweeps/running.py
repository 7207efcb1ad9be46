"""The loop that has points measured: while some are missing, they are submitted, few at a time.

A worker that dies takes its whole pool with it, and any point in flight may be the reason. These are suspects: the pool
is replaced, and each suspect runs alone, so that the one that kills its worker again is found and recorded, and all the
others are measured. On dask a worker's death is noticed by the scheduler, which tries its points on other workers; the
point that it gives up (`KilledWorker`) is a suspect too.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from typing import Any, NamedTuple

from gradlab.settings.experiment import Experiment
from gradlab.sweeps.grid import Point
from gradlab.sweeps.measures import Measure
from gradlab.words.languages import SOURCE, speaking

DONE, FAILED, KILLED = "done", "failed", "killed"
POLL_SECONDS = 0.1


class Answer(NamedTuple):
    """What came of a point."""

    status: str  # DONE, FAILED or KILLED
    value: float  # NaN unless DONE
    reason: str  # "" where DONE
    seconds: float  # in the worker


def measured(settings: dict[str, Any], measure: Measure) -> Answer:
    """In the worker: the measure of an Experiment; what it raises is an answer too, in English wherever it is made."""
    begun = time.perf_counter()
    try:
        with speaking(SOURCE):
            value = float(measure(Experiment(**settings)))
    except Exception as error:
        return Answer(FAILED, float("nan"), f"{type(error).__name__}: {error}", time.perf_counter() - begun)
    return Answer(DONE, value, "", time.perf_counter() - begun)


class Here(Executor):
    """Measures in the caller's thread, at once."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class Workers:
    """An executor that can be replaced where it is ours, or is made by a function of the caller."""

    def __init__(self, executor: Executor | Callable[[], Executor] | None):
        self._make = executor if callable(executor) else None if executor is not None else _processes
        self._ours = self._make is not None
        self.executor: Executor = executor if isinstance(executor, Executor) else self._made()

    def _made(self) -> Executor:
        assert self._make is not None
        return self._make()

    def submit(self, point: Point, measure: Measure) -> Future[Answer]:
        try:
            return self.executor.submit(measured, point.settings, measure)
        except BrokenExecutor:  # it broke while nobody looked
            self.replace()
            return self.executor.submit(measured, point.settings, measure)

    def replace(self) -> None:
        """Raises RuntimeError where a caller's executor has broken, which cannot be made again."""
        if not self._ours:
            raise RuntimeError(
                "the executor has broken, as a worker was killed: pass a function that makes one, and it is replaced; "
                "what was measured is in the store"
            )
        self.executor.shutdown(wait=False, cancel_futures=True)
        self.executor = self._made()

    def close(self, at_once: bool) -> None:
        """Ends what is ours; `at_once` without waiting for what runs."""
        if not self._ours:
            return
        running = list((getattr(self.executor, "_processes", None) or {}).values())
        self.executor.shutdown(wait=not at_once, cancel_futures=True)
        for process in running if at_once else ():
            process.terminate()


def run(
    waiting: Iterator[Point],
    measure: Measure,
    workers: Workers,
    in_flight: int,
    answered: Callable[[Point, Answer], None],
    look: Callable[[], None],
) -> None:
    """Has every point measured, `in_flight` at a time; `look` is called ten times a second and may end it."""
    flying: dict[Future[Answer], Point] = {}
    suspects: deque[Point] = deque()
    alone = False  # whether what flies is one suspect
    try:
        while True:
            if not flying:
                alone = bool(suspects)
                if alone:
                    point = suspects.popleft()
                    flying[workers.submit(point, measure)] = point
            while not suspects and not alone and len(flying) < in_flight and (point := next(waiting, None)) is not None:
                flying[workers.submit(point, measure)] = point
            if not flying:
                return
            ended, _ = wait(flying, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
            broken = any(isinstance(future.exception(), BrokenExecutor) for future in ended)
            for future in list(flying) if broken else ended:
                point = flying.pop(future)
                error = future.exception() if future.done() else BrokenExecutor()
                if error is None:
                    answered(point, future.result())
                elif not _is_of_a_killed_worker(error):
                    answered(point, Answer(FAILED, float("nan"), f"{type(error).__name__}: {error}", float("nan")))
                elif alone:
                    answered(point, Answer(KILLED, float("nan"), "its worker was killed, also alone", float("nan")))
                else:
                    suspects.append(point)
            if broken:
                workers.replace()
            look()
    finally:
        for future in flying:
            future.cancel()


def _is_of_a_killed_worker(error: BaseException) -> bool:
    return isinstance(error, BrokenExecutor) or type(error).__name__ == "KilledWorker"  # a pool's or dask's


def _processes() -> Executor:
    """A process for each core, begun anew and not forked: the engine's threads do not survive a fork."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(os.cpu_count(), context, _begin_worker)


def _begin_worker() -> None:
    """One thread in each process; a process whose coordinator has died ends too."""
    os.environ["GRADLAB_THREADS"] = "1"
    threading.Thread(target=_end_with_the_coordinator, daemon=True).start()


def _end_with_the_coordinator() -> None:
    coordinator = multiprocessing.parent_process()
    if coordinator is not None:
        coordinator.join()
        os._exit(1)
