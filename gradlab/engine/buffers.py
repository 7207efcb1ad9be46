"""Arrays that one sweep leaves to the next.

Fresh memory costs a page fault every 4 kB, which at these speeds is more than the arithmetic done on it. A chunk's
shape does not depend on the length of the sequence, so a slider's next sweep finds the last one's arrays.
"""

import math
import threading
from collections import OrderedDict

import numpy as np
from numpy import ndarray

MOST_BYTES = 2**28
CACHE_LINE = 64

_lock = threading.Lock()
_left: OrderedDict[tuple, list[ndarray]] = OrderedDict()
_bytes = 0


def aligned(shape: tuple[int, ...], dtype: np.dtype) -> ndarray:
    """An array of unknown content that starts at a cache line."""
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    memory = np.empty(size + CACHE_LINE, np.uint8)
    start = -memory.ctypes.data % CACHE_LINE
    return memory[start : start + size].view(dtype).reshape(shape)


def take(shape: tuple[int, ...], dtype: np.dtype) -> ndarray:
    """An array of unknown content, one that was left behind if there is one."""
    global _bytes
    key = (shape, np.dtype(dtype))
    with _lock:
        arrays = _left.get(key)
        if arrays:
            array = arrays.pop()
            _bytes -= array.nbytes
            if not arrays:
                del _left[key]
            return array
    return aligned(shape, dtype)


def leave(*arrays: ndarray) -> None:
    """Leaves arrays that nobody reads any more; beyond `MOST_BYTES` the shapes longest untouched are dropped."""
    global _bytes
    with _lock:
        for array in arrays:
            key = (array.shape, array.dtype)
            _left.setdefault(key, []).append(array)
            _left.move_to_end(key)
            _bytes += array.nbytes
        while _bytes > MOST_BYTES:
            key, oldest = next(iter(_left.items()))
            _bytes -= oldest.pop().nbytes
            if not oldest:
                del _left[key]
