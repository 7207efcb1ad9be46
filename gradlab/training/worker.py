"""The process that trains: run by `gradlab.training.process` with a Python of its own, one training after another.

It reads messages from its input and writes messages to its output, each a length of 8 bytes and then a pickle. It says
that it is Ready, is told to Begin and to Stop, and sends News while it trains and Ended when it has stopped, whatever
the reason; then it is ready again.

It ends with its input, so with the process that started it, also in the middle of an update: a thread waits for that.
What it sends is written by another thread, so that a reader that is busy does not hold up the training.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

import torch

from gradlab.settings.experiment import Experiment
from gradlab.training.recipe import Recipe
from gradlab.training.replay import Replay
from gradlab.training.run import Record, Run, State

NEWS_EVERY = 0.4  # seconds, of training that is under way
COPYING = 0.01  # of the time, at most, for states: a large network's are sent more seldom
CELLS = ("rnn", "lstm", "gru")  # whose kernels are loaded while there is nothing to do


class Ready(NamedTuple):
    """The process reads what it is told."""


class Begin(NamedTuple):
    """Runs to be trained in turn, so that all have made equally many updates."""

    replays: tuple[Replay, ...]
    states: tuple[State, ...]
    states_every: float  # seconds from one state that is sent to the next, where copying them costs no more than that


class Stop(NamedTuple):
    """After the updates that are being made."""


class News(NamedTuple):
    """What the runs have done since the last News."""

    records: tuple[list[Record], ...]  # new ones of each run
    done: tuple[int, ...]  # updates that each has made
    states: tuple[State, ...] | None
    seconds: float  # at work since Begin


class Stopping(NamedTuple):
    """No update is made any more; the last News follow, and Ended."""


class Ended(NamedTuple):
    """The training has ended: it was stopped, or its updates are made, or `error` says what an update raised."""

    error: str | None
    most_bytes: int  # that the process has taken so far; 0 where the system does not say


Message = Ready | Begin | Stop | News | Stopping | Ended


def write(stream: IO[bytes], message: Message) -> None:
    data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    stream.write(len(data).to_bytes(8, "little"))
    stream.write(data)
    stream.flush()


def messages(stream: IO[bytes]) -> Iterator[bytes]:
    """The pickles that come in, until the other end is closed; one that is not complete is none."""
    with contextlib.suppress(OSError):
        while len(head := stream.read(8)) == 8:
            size = int.from_bytes(head, "little")
            data = stream.read(size)
            if len(data) < size:
                return
            yield data


class Training:
    """Runs that are trained until they have made their updates, or `stop` is set; `send` takes what is new.

    clock    seconds, from any origin
    """

    def __init__(self, begin: Begin, send: Callable[[Message], None], stop: threading.Event):
        self.runs = [replay.run() for replay in begin.replays]
        for run, state in zip(self.runs, begin.states, strict=True):
            run.restore(state)
        self.send, self.stop, self.states_every = send, stop, begin.states_every
        self._records: tuple[list[Record], ...] = tuple([] for _ in self.runs)
        self._began = self._states_at = time.monotonic()
        self._copying = 0.0  # seconds that the last states took

    def train(self) -> str | None:
        """Trains to the end: what an update raised, if one did. Then the states are those that were sent before it."""
        told, error = time.monotonic(), None
        try:
            while not (self.stop.is_set() or all(run.finished for run in self.runs)):
                self._update()
                now = time.monotonic()
                if now - told > NEWS_EVERY:
                    self._tell(now - self._states_at > max(self.states_every, self._copying / COPYING))
                    told = now
        except Exception as raised:
            error = f"{type(raised).__name__}: {raised}"
        self.send(Stopping())
        self._tell(error is None)
        return error

    def _update(self) -> None:
        for run, records in zip(self.runs, self._records, strict=True):
            if not run.finished:
                records.append(run.update())

    def _tell(self, with_states: bool) -> None:
        records, self._records = self._records, tuple([] for _ in self.runs)
        before, states = time.monotonic(), None
        if with_states:
            states = tuple(run.state for run in self.runs)
            self._states_at = time.monotonic()
            self._copying = 4 * (self._states_at - before)  # they are then pickled, written and read
        done = tuple(run.done for run in self.runs)
        self.send(News(records, done, states, time.monotonic() - self._began))


def warm_up(is_wanted: Callable[[], bool]) -> None:
    """Makes an update of a small run of each cell, for what is loaded and compiled by the first; until it is wanted."""
    recipe = Recipe(updates=1, trace_every=1)
    for cell in CELLS:
        if is_wanted():
            return
        Run(Experiment(cell=cell, hidden_size=2, steps=4, batch_size=1), "adding", recipe).update()


def most_bytes() -> int:
    """That this process has taken at its peak; 0 where the system does not say.

    Not `ru_maxrss` of Linux, which begins with the memory of the process that started this one.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


def main() -> None:
    """What the process does until its input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal's whole group: the server ends this process itself
    orders, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints does not come between the messages
    begins: queue.SimpleQueue[Begin] = queue.SimpleQueue()
    outgoing: queue.SimpleQueue[Message] = queue.SimpleQueue()
    stop = threading.Event()

    def read() -> None:
        for data in messages(orders):
            if isinstance(message := pickle.loads(data), Begin):
                stop.clear()  # a training that ended by itself may have been told to stop after that
                begins.put(message)
            else:
                stop.set()
        os._exit(0)

    def write_all() -> None:
        with contextlib.suppress(OSError):  # nobody reads any more: the input has ended, too
            while True:
                write(replies, outgoing.get())

    for work in (read, write_all):
        threading.Thread(target=work, daemon=True).start()
    outgoing.put(Ready())
    torch.set_num_threads(1)
    warm_up(lambda: not begins.empty())
    gc.collect()
    gc.freeze()
    while True:
        error = Training(begins.get(), outgoing.put, stop).train()
        gc.collect()
        outgoing.put(Ended(error, most_bytes()))
