"""vl-convert in a process of its own, which may die: a sentence is raised then, and the next conversion starts another.

vl-convert aborts its whole process on some input (text that no XML can hold, memory that does not reach), which no
exception handler sees. The process is started at the first conversion, by exec rather than fork, which threads and
numba do not survive; it imports vl-convert alone, some 0.05 s, and is kept. It converts one document at a time, as
vl-convert would in any case, within a bound of memory and of time. It ends with the process that started it.
"""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

MOST_BYTES = 2 * 2**30  # that the process may write to: 200,000 rows take 1.5 GB, an empty chart 0.6 GB
KEPT_BYTES = 4 * 2**20  # of a document; after a longer one the process is ended, for it would keep the memory
MOST_SECONDS = 60.0  # of one conversion; 200,000 rows take 3 s
PROGRAM = Path(__file__).with_name("converter_process.py")
ADVICE = "The settings are kept: export it again, or lower steps or depth for a smaller picture"


class NotConverted(RuntimeError):
    """A picture that could not be made; the text says what, why, and what to do."""


class Converter:
    """One process that converts, started when it is needed.

    most_bytes     the writable memory of the process, where the system has such limits (Linux)
    most_seconds   the time of one conversion
    """

    def __init__(self, most_bytes: int = MOST_BYTES, most_seconds: float = MOST_SECONDS):
        self.most_bytes, self.most_seconds = most_bytes, most_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()  # one conversion at a time

    @property
    def pid(self) -> int | None:
        """The process that waits for the next conversion, or works at one; None before the first."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def convert(self, what: str, function: str, **arguments: Any) -> bytes:
        """What `vl_convert.<function>(**arguments)` gives, text as UTF-8; `what` names the file in errors.

        Raises ValueError where vl-convert refuses the document, NotConverted where it dies or does not end in time.
        """
        request = {"function": function, "arguments": arguments, "seconds": self.most_seconds}
        message = json.dumps(request).encode()
        with self._lock:
            process = self._started()
            alarm = threading.Timer(self.most_seconds + 1, process.kill)  # the process's own alarm goes off first
            alarm.daemon = True
            alarm.start()
            try:
                reply = _answered(process, message)
            finally:
                alarm.cancel()
            if reply is None:
                self._end()
                raise NotConverted(f"the {what} was not made: {self._death(process)}. {ADVICE}.")
            if len(message) > KEPT_BYTES:
                self._end()
        if reply[:1] == b"-":
            reason = " ".join(reply[1:].decode("utf-8", "replace").split())
            raise ValueError(f"the {what} was not made: vl-convert refuses the chart: {reason[:300]}")
        return reply[1:]

    def close(self) -> None:
        """Ends the process, if there is one, and waits for its end."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is not None:
            self._end()
        if self._process is None:
            command = [sys.executable, "-I", str(PROGRAM), str(self.most_bytes)]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        return self._process

    def _death(self, process: subprocess.Popen[bytes]) -> str:
        """Why a process that gave no reply has ended, as part of a sentence."""
        if process.returncode == -ALARM:
            return f"its conversion took more than {self.most_seconds:g} s and was ended"
        how = f"by signal {-process.returncode}" if process.returncode < 0 else f"with status {process.returncode}"
        return f"the process that converts pictures ended {how}, in at most {self.most_bytes / 2**30:.1f} GB of memory"


ALARM = 14  # SIGALRM, which Windows does not name


def _answered(process: subprocess.Popen[bytes], message: bytes) -> bytes | None:
    """The reply to a message; None where the process ends before it is complete."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(len(message).to_bytes(8, "little") + message)
        process.stdin.flush()
        head = process.stdout.read(8)
        size = int.from_bytes(head, "little")
        reply = process.stdout.read(size) if len(head) == 8 else b""
    except OSError:  # a pipe that nobody reads any more
        return None
    return reply if reply and len(reply) == size else None


CONVERTER = Converter()  # of the whole server
atexit.register(CONVERTER.close)
