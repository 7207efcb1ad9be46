"""A training in a process of its own, which may die; what it measures comes over a pipe, to the bit as in this one.

Here nothing is trained, so Python's one interpreter is free for whoever asks meanwhile. The process is started by exec
rather than fork, which threads and numba do not survive; it imports `gradlab.training` alone, never the program that
started it, and has none of its files and sockets. It ends with this process.
"""

from __future__ import annotations

import pickle
import queue
import subprocess
import sys
import threading
from typing import NamedTuple

from gradlab.engine import environment_of_this_process
from gradlab.training.worker import Begin, Message, Ready, Stop, messages, write

PROGRAM = "from gradlab.training.worker import main; main()"


class Died(NamedTuple):
    """The process has ended, and nothing comes any more."""

    how: str


class TrainingProcess:
    """A process that trains what it is told to, one `Begin` after another. It is ready some seconds after its start."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment_of_this_process(),
        )
        self._news: queue.SimpleQueue[Message | Died] = queue.SimpleQueue()
        self._reads = threading.Event()  # what it is told, or it never will
        threading.Thread(target=self._read, name=f"news of {self.pid}", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def is_ready(self, seconds: float) -> bool:
        """Whether it reads what it is told, or has died, within so many seconds."""
        return self._reads.wait(seconds)

    def begin(self, begin: Begin) -> None:
        """Begins a training: `News` follow, and `Ended`. Waits where the process is not ready."""
        self._tell(begin)

    def stop(self) -> None:
        """Ends the training after the updates that are being made: `Stopping`, the last `News` and `Ended` follow."""
        self._tell(Stop())

    def news(self, seconds: float) -> Message | Died | None:
        """The next message; None where there is none for so long."""
        try:
            return self._news.get(timeout=seconds)
        except queue.Empty:
            return None

    def end(self) -> None:
        """Ends the process, whatever it does."""
        self._process.kill()
        self._process.wait()

    def _tell(self, message: Message) -> None:
        assert self._process.stdin is not None
        try:
            write(self._process.stdin, message)
        except (OSError, ValueError):  # it has died, which the news say
            return

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for data in messages(stream):
                if isinstance(message := pickle.loads(data), Ready):
                    self._reads.set()
                else:
                    self._news.put(message)
        code = self._process.wait()
        self._close_input()
        self._reads.set()
        self._news.put(Died(f"by signal {-code}" if code < 0 else f"with status {code}"))

    def _close_input(self) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
        except OSError:  # what was written and never read
            return
