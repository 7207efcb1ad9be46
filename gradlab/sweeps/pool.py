"""Processes that measure for a server: begun by exec, each alone, and begun again where one dies.

`concurrent.futures` has a pool too, whose processes run the program's main module once more; a Streamlit server's is
the page that was run last. These import `gradlab.sweeps` alone, never the program that began them, and end with it.
Where one of them dies the others go on: the future of its call has a `KilledWorker`, and `sweep` finds out whether the
call is to blame.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from typing import Any, cast

from gradlab.engine import environment_of_this_process
from gradlab.training.worker import messages, write

PROGRAM = "from gradlab.sweeps.pool import main; main()"


class KilledWorker(RuntimeError):
    """The process of a call has died."""


class Pool(Executor):
    """So many processes, begun with the first call; after `end` with the next one.

    niceness    by how much they give way to other processes
    """

    def __init__(self, size: int, niceness: int = 0):
        self.size, self.niceness = size, niceness
        self._calls: queue.SimpleQueue[tuple[Future[Any], bytes] | None] = queue.SimpleQueue()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self._calls.put((future, pickle.dumps((fn, args, kwargs))))
        with self._lock:
            for _ in range(self.size - len(self._threads)):
                self._threads.append(threading.Thread(target=self._serve, name="pool", daemon=True))
                self._threads[-1].start()
        return future

    @property
    def pids(self) -> list[int]:
        """Of the processes that live."""
        return [process.pid for process in self._processes if process.poll() is None]

    def end(self) -> None:
        """Ends the processes in the middle of what they do; calls that have not begun are cancelled."""
        with self._lock:
            with contextlib.suppress(queue.Empty):
                while True:
                    if (call := self._calls.get_nowait()) is not None:
                        call[0].cancel()
            for process in [*self._processes]:
                process.kill()
            for _ in self._threads:
                self._calls.put(None)
            self._threads.clear()

    def _serve(self) -> None:
        """One process and its calls, one after the other."""
        process, replies = None, iter(())
        while (asked := self._calls.get()) is not None:
            future, call = asked
            if not future.set_running_or_notify_cancel():
                continue
            if process is None or process.poll() is not None:
                self._close(process)
                process = self._begun()
                replies = self._replies(process)
            with contextlib.suppress(OSError, ValueError):  # it has died, which the missing reply says
                write(cast(Any, process.stdin), cast(Any, call))
            reply = next(replies, None)
            if reply is None:
                future.set_exception(KilledWorker(f"the process ended with status {process.wait()}"))
                self._close(process)
                process = None
            elif reply[0]:
                future.set_result(reply[1])
            else:
                future.set_exception(reply[1])

        self._close(process)

    def _close(self, process: subprocess.Popen[bytes] | None) -> None:
        """Lets go of a process that has ended."""
        if process is None:
            return
        self._processes.remove(process)
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):  # what was written and never read
                if stream is not None:
                    stream.close()

    def _begun(self) -> subprocess.Popen[bytes]:
        environment = environment_of_this_process() | {"GRADLAB_THREADS": "1"}
        command = [sys.executable, "-P", "-c", PROGRAM, str(self.niceness)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        self._processes.append(process)
        return process

    @staticmethod
    def _replies(process: subprocess.Popen[bytes]) -> Iterator[tuple[bool, Any]]:
        assert process.stdout is not None
        with process.stdout as stream:
            for data in messages(stream):
                yield pickle.loads(data)


def main() -> None:
    """What a process does until its input ends: it makes calls."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal's whole group: the server ends this process itself
    orders, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints does not come between the replies
    if hasattr(os, "nice"):
        os.nice(int(sys.argv[1]))
    calls: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def read() -> None:
        for data in messages(orders):
            calls.put(data)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    while True:
        function, arguments, options = pickle.loads(pickle.loads(calls.get()))
        try:
            reply = True, function(*arguments, **options)
        except Exception as error:
            reply = False, error
        write(replies, cast(Any, reply))
