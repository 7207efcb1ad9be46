"""`.npz`: numpy's archive of arrays, without pickles. Headers are read first, an array only where it is needed."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from functools import partial
from typing import IO

import numpy as np
from numpy import ndarray
from numpy.lib import format as npy

from gradlab.checkpoints.contents import Entry
from gradlab.checkpoints.source import Source

READ_HEADER = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
SUFFIX = ".npy"


def tensors(source: Source, listed: Mapping[str, zipfile.ZipInfo]) -> dict[str, Entry]:
    """The arrays by name. Raises ValueError for pickles, and for headers that do not fit what follows them."""
    found = {}
    with source.open() as file, zipfile.ZipFile(file) as archive:
        for name, info in listed.items():
            if not name.endswith(SUFFIX):
                continue
            called = name.removesuffix(SUFFIX)
            with damaged(called), archive.open(info) as stream:
                shape, _, dtype = header(stream, called)
                begin = stream.tell()
            if int(np.prod(shape, dtype=object)) * dtype.itemsize != info.file_size - begin:
                raise ValueError(
                    f"{called} says {list(shape)} in {dtype}, but {info.file_size - begin} bytes follow: it is damaged"
                )
            found[called] = Entry(shape, dtype.name, partial(_read, source, name, called, dtype))
    return found


def header(stream: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    """(shape, whether columns come first, dtype) of a .npy. Raises ValueError for a pickle or another version."""
    version = npy.read_magic(stream)
    if version not in READ_HEADER:
        raise ValueError(f"{name} is .npy of version {version}: use 1.0 or 2.0, as numpy.save writes")
    shape, by_columns, dtype = READ_HEADER[version](stream)
    if dtype.hasobject:
        raise ValueError(f"{name} holds Python objects, a pickle, which may run code: save numbers alone")
    return shape, by_columns, dtype


def _read(source: Source, entry: str, name: str, dtype: np.dtype) -> ndarray:
    with source.open() as file, zipfile.ZipFile(file) as archive, damaged(name), archive.open(entry) as stream:
        array = np.asarray(npy.read_array(stream, allow_pickle=False))
    return array.astype(np.float32 if dtype.itemsize < 4 else dtype.newbyteorder("="), copy=False)


class damaged:
    """Says of which array an error is."""

    def __init__(self, name: str):
        self.name = name

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ValueError) and str(error).startswith(self.name):
            return
        if isinstance(error, Exception):  # of whatever kind a damaged archive or header ends in
            raise ValueError(f"{self.name} is truncated or damaged: {str(error)[:120]}") from None
