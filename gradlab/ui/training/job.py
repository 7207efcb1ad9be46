"""Job: runs that train in a process of their own while their page is open.

A page that shows a job says so each time it draws (`attended`). Its training stops within half a second when the page
is left or the session ends, and goes on when the page is drawn again. What the process measures stays here, and now and
then it sends its weights: where it dies, the training continues from the last of these, and the updates after them are
made again, to the same bits.
"""

import math
import threading
import time
from collections.abc import Callable, Sequence
from contextvars import copy_context
from operator import attrgetter
from typing import Any

import pandas as pd

from gradlab.training import Record, Run, history
from gradlab.training.process import Died, TrainingProcess
from gradlab.training.replay import Measured, Replay
from gradlab.training.worker import Begin, Ended, News, Stopping
from gradlab.ui.training.places import KEPT_BYTES, PLACES, Places
from gradlab.words import training as words
from gradlab.words.languages import _

HEAR_EVERY = 0.1  # seconds: how long it may take until an end is heard
GRACE = 0.3  # seconds for the updates that are being made, then the process is ended in the middle of them
TURN = 5.0  # seconds at work, after which a training makes room for one that waits
STATES_EVERY = 2.0  # seconds from one copy of the weights to the next
COPIES, RECORD = 5, 300  # of the weights: parameters, gradients, two moments, a snapshot; bytes of a record


def always() -> bool:
    return True


class Job:
    """Runs that take their updates in turn, so that all have made equally many. It belongs to one session.

    runs         as they were when the process sent its weights last; whenever it has stopped, as they are
    records      one list per run, growing; at first what the run's next update measures, before it is made
    snapshots    what `snapshot` makes of each run whenever its weights have come
    is_open      whether the session is still there, called from any thread
    """

    def __init__(
        self,
        runs: Sequence[Run],
        snapshot: Callable[[Run], Any] | None = None,
        is_open: Callable[[], bool] = always,
        places: Places = PLACES,
    ):
        self.runs = tuple(runs)
        self.records: list[list[Record]] = [[run.measured()] for run in self.runs]
        self.snapshots: list[Any] = [snapshot and snapshot(run) for run in self.runs]
        self.finished = all(run.finished for run in self.runs)
        self.wanted = False  # start was pressed, and neither pause nor discard since
        self.error: str | None = None
        self.seconds = 0.0  # at work
        self.pid: int | None = None  # of the process that trains, while one does
        self.is_starting = False  # that process, which takes some seconds where none was warm
        self._snapshot, self.is_open, self._places = snapshot, is_open, places
        self._made = [run.done for run in self.runs]
        self._lock = threading.Lock()  # of beginning and ending
        self._ending = threading.Event()
        self._is_left = threading.Event()
        self._thread: threading.Thread | None = None  # that hears the process
        self._measured: tuple[Measured, ...] = ()
        self._histories = [history([run.measured()], run.experiment.cell) for run in self.runs]

    @property
    def running(self) -> bool:
        return self.wanted and not self.finished and self.error is None

    @property
    def done(self) -> int:
        """Updates made, of the run that has made most."""
        return max(self._made)

    @property
    def updates_made(self) -> int:
        """Updates made since the job began."""
        return self.done - min(records[0].update for records in self.records)

    @property
    def updates(self) -> int:
        return self.runs[0].recipe.updates

    @property
    def depth(self) -> int:
        """Layers that every run has."""
        return min(run.experiment.depth for run in self.runs)

    @property
    def pace(self) -> float:
        """Updates per second so far; 0 before the first."""
        return self.updates_made / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> float:
        """At the pace so far; infinite before there is one."""
        return (self.updates - self.done) / self.pace if self.pace else math.inf

    @property
    def ahead(self) -> int | None:
        """How many other trainings wait for a place before this one; None where it does not wait."""
        return self._places.ahead(self)

    @property
    def size(self) -> int:
        """About how many bytes it holds at its end: weights with an optimizer's state and a snapshot, and records."""
        size = 0
        for run, records in zip(self.runs, self.records, strict=True):
            weights = sum(parameter.nbytes for parameter in run.parameters)
            updates, every = run.recipe.updates, run.recipe.trace_every
            traces = [record.trace for record in list(records) if record.trace is not None]
            norms = max((trace.log10_norms.nbytes + trace.log10_norms_last.nbytes for trace in traces), default=0)
            count = max(len(traces), updates // every + 1 if every else 0)
            size += (COPIES + count) * weights + norms * count + RECORD * updates + 4 * len(run.task.text or "")
        return size

    def measured(self) -> tuple[Measured, ...]:
        """What every run has measured up to now, for questions about it; the same values until there is more."""
        grows, counts = self.running, [len(records) for records in self.records]
        kept = [(len(run.records), run.grows) for run in self._measured]
        if kept != [(count, grows) for count in counts]:
            pairs = zip(self.runs, self.records, strict=True)
            self._measured = tuple(Measured.of(run, records, grows) for run, records in pairs)
        return self._measured

    def histories(self) -> list[pd.DataFrame]:
        """`gradlab.training.history` of every run; only what is new since the last call is made into rows."""
        for number, (run, records) in enumerate(zip(self.runs, self.records, strict=True)):
            table = self._histories[number]
            if new := records[len(table) :]:
                self._histories[number] = pd.concat([table, history(new, run.experiment.cell)], ignore_index=True)
        return list(self._histories)

    def start(self) -> None:
        """Begins, or resumes after a pause or an error."""
        self.error = None
        self.wanted = True
        self.attended()

    def pause(self) -> None:
        """Ends the training, and waits for that: then nothing changes any more."""
        with self._lock:
            self.wanted = False
            self._ending.set()
            thread = self._thread
        if thread is not None:
            thread.join()

    def attended(self) -> None:
        """Says that the page is drawn: the training goes on if it had stopped because the page was not open."""
        with self._lock:
            self._is_left.clear()
            is_alive = self._thread is not None and self._thread.is_alive()
            if self.running and not is_alive:
                self._ending = threading.Event()
                self._thread = threading.Thread(
                    target=copy_context().run, args=(self._work, self._ending), name="training", daemon=True
                )
                self._thread.start()

    def left(self) -> None:
        """Says that the session shows another page: the training stops until this one is drawn again."""
        self._is_left.set()

    def _work(self, ending: threading.Event) -> None:
        def is_over() -> bool:
            return ending.is_set() or self._is_left.is_set() or not self.is_open()

        while self.running and not is_over():
            try:
                process = self._places.enter(self, is_over)
            except OSError as error:  # the page shows it
                text = _("No process could be started to train in: {error}")
                self.error = text.format(error=error)
                return
            if process is None:
                return
            self.pid, is_ready = process.pid, False
            try:
                is_ready = self._train(process, is_over)
            except Exception as error:  # the page shows it
                self.error = str(error)
            finally:
                self.pid, self.is_starting = None, False
                self._places.leave(process, is_ready)

    def _train(self, process: TrainingProcess, is_over: Callable[[], bool]) -> bool:
        """Trains until there is nothing left to do, it is over, or others wait: whether the process can train again."""
        while not process.is_ready(HEAR_EVERY):
            self.is_starting = True
            if is_over():
                return True
        self.is_starting = False
        process.begin(self._begin())
        seconds, made, turn_ends, deadline = self.seconds, self.done, time.monotonic() + TURN, math.inf
        is_stopped = is_stopping = False
        while time.monotonic() < deadline:
            news = process.news(HEAR_EVERY)
            if isinstance(news, News):
                self._take(news, seconds)
            elif isinstance(news, Stopping):
                is_stopping, deadline = True, math.inf
            elif isinstance(news, Ended):
                self.error = news.error
                return news.most_bytes < KEPT_BYTES
            elif isinstance(news, Died):
                self.error = words.died(news.how, self.done, min(run.done for run in self.runs))
                return False
            over = is_over()
            has_had_turn = self.done > made and time.monotonic() > turn_ends  # with an update, however long one takes
            if not is_stopped and (over or (has_had_turn and self._places.is_wanted)):
                process.stop()
                is_stopped = True
            if over and not is_stopping:
                deadline = min(deadline, time.monotonic() + GRACE)
        return False

    def _begin(self) -> Begin:
        replays, states = (tuple(map(of, self.runs)) for of in (Replay.of, attrgetter("state")))
        return Begin(replays, states, STATES_EVERY if self._snapshot is None else 0.0)

    def _take(self, news: News, seconds: float) -> None:
        """What is new, and of an update that was made again nothing."""
        for number, (records, new) in enumerate(zip(self.records, news.records, strict=True)):
            for record in new:
                if record.update > records[-1].update:
                    records.append(record)
                elif record.update == records[-1].update:  # what was measured before it was made
                    records[-1] = record
            self._made[number] = max(self._made[number], news.done[number])
        self.seconds = seconds + news.seconds
        if news.states is not None:
            for number, (run, state) in enumerate(zip(self.runs, news.states, strict=True)):
                run.restore(state)
                if self._snapshot is not None and not run.diverged:  # its weights may be not finite
                    self.snapshots[number] = self._snapshot(run)
            self.finished = all(run.finished for run in self.runs)
