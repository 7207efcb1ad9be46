"""What a call holds at its peak."""

import gc
import tracemalloc
from collections.abc import Callable

from gradlab.engine import buffers


def peak_bytes(call: Callable[[], object], monkeypatch) -> int:
    """Bytes of numpy's and Python's own that a call holds at its peak, its result included, in one thread.

    The engine's pool of scratch arrays, which outlives a call, is left out.
    """
    monkeypatch.setenv("GRADLAB_THREADS", "1")
    monkeypatch.setattr(buffers, "MOST_BYTES", 0)
    call()  # what a first call loads
    gc.collect()
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
