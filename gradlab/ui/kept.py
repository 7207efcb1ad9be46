"""What the server keeps of its answers, for all sessions: so many bytes, beyond which the longest unused go."""

import ctypes
import dataclasses
import sys
import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
from numpy import ndarray

MISSING = object()
SMALL = 10_000  # cells of a small table, whose columns are not asked
CELL = 8  # bytes of a cell, at most: a number or a reference to a text; no table has complex numbers
LEAVES = (str, int, float, type(None), ndarray, pd.DataFrame, pd.Series)


def most_bytes(total: int) -> int:
    """What a server keeps on a machine of so much memory."""
    return min(2**30, total // 16)


MOST_BYTES = most_bytes(psutil.virtual_memory().total)


class Kept:
    """Values by key, at most so many bytes of them; what is larger than that alone is not kept."""

    def __init__(self, most_bytes: int):
        self.most_bytes = most_bytes
        self.bytes = 0
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Any:
        """The value, which is used now; MISSING where there is none."""
        with self._lock:
            if key not in self._values:
                return MISSING
            self._values.move_to_end(key)
            return self._values[key][0]

    def put(self, key: Hashable, value: Any) -> None:
        size = bytes_of(value)
        with self._lock:
            self._drop(key)
            if size > self.most_bytes:
                return
            self._values[key] = value, size
            self.bytes += size
            while self.bytes > self.most_bytes:
                self._drop(next(iter(self._values)))

    def clear(self) -> None:
        with self._lock:
            self._values.clear()
            self.bytes = 0

    def _drop(self, key: Hashable) -> None:
        if key in self._values:
            self.bytes -= self._values.pop(key)[1]


def bytes_of(value: Any) -> int:
    """What a value holds in memory, to what matters: arrays with all that they are views of, each once."""
    seen: set[int] = set()
    total, rest = 0, [value]
    while rest:
        value = rest.pop()
        if isinstance(value, ndarray):
            while isinstance(value.base, ndarray):
                value = value.base
        if id(value) not in seen:
            seen.add(id(value))
            total += _size(value)
            rest += _inside(value)
    return total


def _size(value: Any) -> int:
    """Of the value without what it refers to, and of a table's columns."""
    if isinstance(value, ndarray | pd.Series):
        return value.nbytes
    if isinstance(value, pd.DataFrame):
        if value.size < SMALL:
            return CELL * value.size
        return sum(_column_bytes(value, place, dtype) for place, dtype in enumerate(value.dtypes))
    return sys.getsizeof(value)


def _inside(value: Any) -> Iterable[Any]:
    """What a value refers to."""
    if isinstance(value, LEAVES):  # most values are, and to ask whether they are mappings takes long
        return ()
    if isinstance(value, Mapping):
        return value.values()
    if isinstance(value, tuple | list | set | frozenset):
        return value
    if dataclasses.is_dataclass(value):
        return vars(value).values()
    if isinstance(value, partial):
        return (*value.args, *value.keywords.values())
    return ()


def _column_bytes(table: pd.DataFrame, place: int, dtype: Any) -> int:
    """By the type where that says it: pandas' `memory_usage` takes as long as some rows take to be made."""
    return len(table) * dtype.itemsize if isinstance(dtype, np.dtype) else table.iloc[:, place].nbytes


def _trimming() -> Any:
    """The C library's function that gives freed memory back to the system; None where it has none."""
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None


_TRIM = _trimming()


def give_back() -> None:
    """Gives memory that is no longer used back to the system: without it a process stays as large as it ever was."""
    pa.default_memory_pool().release_unused()
    if _TRIM is not None:
        _TRIM(0)
