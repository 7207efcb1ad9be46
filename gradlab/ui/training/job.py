"""Job: runs that train in a background thread while their page is open.

A page that shows a job calls `polled` each time it draws. The thread ends, after the update it is in, when the page was
left (`left`), the tab was closed (`is_open`), or nobody has polled for `PATIENCE` seconds; the next poll resumes it.
"""

import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from gradlab.training import Record, Run, history
from gradlab.training.replay import Measured

PATIENCE = 4.0  # seconds without a poll
PUBLISH_EVERY = 0.4  # seconds from one snapshot to the next


class Job:
    """Runs that take their updates in turn, so that all have made equally many. It belongs to one session.

    records      one list per run, growing; at first what the run's next update measures, before it is made
    snapshots    what `snapshot` made last of each run, by the thread that trains, so never of weights half changed
    clock        seconds, from any origin
    is_open      whether the session is still there, asked before every round of updates
    """

    def __init__(
        self,
        runs: Sequence[Run],
        snapshot: Callable[[Run], Any] = lambda run: None,
        clock: Callable[[], float] = time.monotonic,
        is_open: Callable[[], bool] = lambda: True,
    ):
        self.runs = tuple(runs)
        self.records: list[list[Record]] = [[] for _ in runs]
        self.snapshot = snapshot
        self.wanted = False  # start was pressed, and neither pause nor discard since
        self.error: Exception | None = None
        self.seconds = 0.0  # at work
        self.is_open = is_open
        self._clock = clock
        self._lock = threading.Lock()  # of beginning and ending: a chart polls beside the page
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._polled_at = clock()
        self.snapshots = [snapshot(run) for run in self.runs]
        self._measured: tuple[Measured, ...] = ()
        self._histories = [history([run.measured()], run.experiment.cell) for run in self.runs]
        for run, records in zip(self.runs, self.records, strict=True):
            records.append(run.measured())

    @property
    def running(self) -> bool:
        return self.wanted and not self.finished and self.error is None

    @property
    def finished(self) -> bool:
        return all(run.finished for run in self.runs)

    @property
    def done(self) -> int:
        """Updates made, of the run that has made most."""
        return max(run.done for run in self.runs)

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
        """Begins, or resumes after a pause."""
        self.wanted = True
        self.polled()

    def pause(self) -> None:
        """Ends the thread after the updates it is in, and waits for that: then nothing changes any more."""
        with self._lock:
            self.wanted = False
            self._ending.set()
            thread = self._thread
        if thread is not None:
            thread.join()

    def left(self, since: float) -> None:
        """Ends the thread after the updates it is in where nobody has polled since then; a poll resumes it."""
        with self._lock:
            if self._polled_at < since:
                self._ending.set()

    def polled(self) -> None:
        """Says that the page is open: keeps the work going, and resumes it if it had stopped because nobody polled."""
        with self._lock:
            self._polled_at = self._clock()
            is_at_work = self._thread is not None and self._thread.is_alive() and not self._ending.is_set()
            if self.running and not is_at_work:
                self._ending, previous = threading.Event(), self._thread
                arguments = (self._ending, previous)
                self._thread = threading.Thread(target=self._work, args=arguments, name="training", daemon=True)
                self._thread.start()

    def _work(self, ending: threading.Event, previous: threading.Thread | None) -> None:
        if previous is not None:  # it may be in its last update
            previous.join()
        published = self._clock()
        try:
            while not (ending.is_set() or self.finished or not self.is_open() or self._is_forgotten()):
                before = self._clock()
                self._round()
                after = self._clock()
                self.seconds += after - before
                if after - published > PUBLISH_EVERY:
                    self._publish()
                    published = after
        except Exception as error:
            self.error = error  # the page shows it
        self._publish()

    def _is_forgotten(self) -> bool:
        return self._clock() - self._polled_at > PATIENCE

    def _round(self) -> None:
        for run, records in zip(self.runs, self.records, strict=True):
            if not run.finished:
                record = run.update()
                if records[-1].update == record.update:  # what was measured before it was made
                    records[-1] = record
                else:
                    records.append(record)

    def _publish(self) -> None:
        """Copies, but of a run that diverged: its weights may be not finite, and the last sound copy stays."""
        pairs = zip(self.runs, self.snapshots, strict=True)
        self.snapshots = [last if run.diverged else self.snapshot(run) for run, last in pairs]
