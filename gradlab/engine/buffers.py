"""A pool of scratch arrays, which one sweep releases and the next acquires.

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
_pool: OrderedDict[tuple, list[ndarray]] = OrderedDict()
_bytes = 0


def aligned(shape: tuple[int, ...], dtype: np.dtype) -> ndarray:
    """An array of unknown content that starts at a cache line."""
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    memory = np.empty(size + CACHE_LINE, np.uint8)
    start = -memory.ctypes.data % CACHE_LINE
    return memory[start : start + size].view(dtype).reshape(shape)


def acquire(shape: tuple[int, ...], dtype: np.dtype) -> ndarray:
    """An array of unknown content, from the pool if it has one of this shape."""
    global _bytes
    key = (shape, np.dtype(dtype))
    with _lock:
        arrays = _pool.get(key)
        if arrays:
            array = arrays.pop()
            _bytes -= array.nbytes
            if not arrays:
                del _pool[key]
            return array
    return aligned(shape, dtype)


def release(*arrays: ndarray) -> None:
    """Puts arrays that nobody reads any more into the pool; beyond `MOST_BYTES` the shapes longest unused go."""
    global _bytes
    with _lock:
        for array in arrays:
            key = (array.shape, array.dtype)
            _pool.setdefault(key, []).append(array)
            _pool.move_to_end(key)
            _bytes += array.nbytes
        while _bytes > MOST_BYTES:
            key, oldest = next(iter(_pool.items()))
            _bytes -= oldest.pop().nbytes
            if not oldest:
                del _pool[key]
