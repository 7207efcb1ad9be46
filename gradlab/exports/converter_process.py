"""The process that converts pictures: run by `gradlab.exports.converter` as a file of its own, with vl-convert alone.

It reads requests from its input and writes replies to its output, each a length of 8 bytes and then so many bytes. A
request is JSON: {"function": a name in vl_convert, "arguments": {…}, "seconds": the time it may take}. A reply begins
with "+" and the result, or with "-" and the reason why there is none.

It ends with its input, so with the process that started it. In the middle of a conversion, where no Python runs, the
system's signals do that: SIGIO when nobody holds the other end of the input any more, SIGALRM when the time is over.
"""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

try:
    import fcntl
    import resource
except ImportError:  # Windows has none of these; there the process that started this one ends it
    fcntl = resource = None


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Ends this process where the block takes longer, or its input is closed meanwhile: unhandled signals do."""
    if fcntl is None:
        yield
        return
    flags = fcntl.fcntl(0, fcntl.F_GETFL)
    fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(0, fcntl.F_SETFL, flags | os.O_ASYNC)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    fcntl.fcntl(0, fcntl.F_SETFL, flags)


def main() -> None:
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints does not come between the replies
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        # RLIMIT_DATA counts what can be written; RLIMIT_AS would count the 64 GB of addresses that V8 reserves.
        resource.setrlimit(resource.RLIMIT_DATA, (int(sys.argv[1]), int(sys.argv[1])))
    import vl_convert  # under the limits

    while len(head := requests.read(8)) == 8:
        request = json.loads(requests.read(int.from_bytes(head, "little")))
        with bounded(request["seconds"]):
            try:
                result = getattr(vl_convert, request["function"])(**request["arguments"])
                reply = b"+" + (result if isinstance(result, bytes) else result.encode())
            except Exception as error:
                reply = b"-" + str(error).encode("utf-8", "replace")
        replies.write(len(reply).to_bytes(8, "little") + reply)
        replies.flush()


if __name__ == "__main__":
    main()
