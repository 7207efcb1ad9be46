"""HDF5 files as datasets by path: nothing but plain datasets of the file itself, each read only where it is needed.

An HDF5 file may point to other files, hold groups in circles, or say of an empty dataset that it is as large as it
likes: links and circles are left out, and a dataset of which the file does not hold the bytes is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy import ndarray

from gradlab.checkpoints.contents import Entry
from gradlab.checkpoints.source import COMPRESSED
from gradlab.network.layer import DTYPES

INSTALL = "h5py is not installed, which reads this format: pip install --group keras (or pip install h5py)"
MAGIC = b"\x89HDF\r\n\x1a\n"
MOST_DEPTH = 32
MOST_OBJECTS = 2**16
MOST_TEXT = 2**24  # bytes of an attribute


class Tree(NamedTuple):
    """A file's datasets and the attributes of its groups, by path; "" is the root."""

    entries: dict[str, Entry]
    attributes: dict[str, Mapping[str, Any]]

    def below(self, path: str) -> list[str]:
        """The paths of the datasets in a group, at any depth, in their order."""
        start = f"{path}/" if path else ""
        return [name for name in self.entries if name.startswith(start)]


@contextmanager
def opened(file: BinaryIO, size: int) -> Iterator[Tree]:
    """The tree of a file of `size` bytes, whose entries can be read inside of the context.

    Raises ImportError without h5py, ValueError for a damaged file.
    """
    try:
        import h5py
    except ImportError:
        raise ImportError(INSTALL) from None
    try:
        whole = h5py.File(file, "r")
    except Exception as error:  # of whatever kind a damaged file ends in
        raise ValueError(f"the HDF5 file is truncated or damaged: {str(error)[:100]}") from None
    with whole:
        try:
            yield _walked(whole, size)
        except (
            OSError,
            RuntimeError,
            KeyError,
            TypeError,
            OverflowError,
        ) as error:  # of h5py, wherever what it reads is damaged
            raise ValueError(f"the HDF5 file is truncated or damaged: {str(error)[:100]}") from None


def _walked(root: Any, size: int) -> Tree:
    import h5py

    tree, waiting, seen = Tree({}, {}), [("", root, 0)], set()
    while waiting:
        path, group, depth = waiting.pop()
        if depth > MOST_DEPTH or len(tree.entries) + len(tree.attributes) > MOST_OBJECTS:
            raise ValueError(
                f"the HDF5 file nests more than {MOST_DEPTH} deep, or holds more than {MOST_OBJECTS} objects"
            )
        if group in seen:  # by its place in the file
            continue
        seen.add(group)
        tree.attributes[path] = _Attributes(group)
        inside = []
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                continue
            called, value = f"{path}/{name}" if path else name, group[name]
            if isinstance(value, h5py.Dataset):
                tree.entries[called] = _entry(called, value, size)
            elif isinstance(value, h5py.Group):
                inside.append((called, value, depth + 1))
        waiting += reversed(inside)
    return tree


class _Attributes(Mapping):
    """A group's attributes, each read where it is asked for, text as str."""

    def __init__(self, group: Any):
        self._group = group

    def __getitem__(self, name: str) -> Any:
        attribute = self._group.attrs.get_id(name)
        if attribute.get_storage_size() > MOST_TEXT:
            raise ValueError(
                f"the attribute {name} has {attribute.get_storage_size()} bytes: at most {MOST_TEXT} are read"
            )
        value = self._group.attrs[name]
        if isinstance(value, bytes | np.bytes_):
            return bytes(value).decode("utf-8", "replace")
        if isinstance(value, ndarray):
            return [entry.decode("utf-8", "replace") if isinstance(entry, bytes) else entry for entry in value.tolist()]
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._group.attrs)

    def __len__(self) -> int:
        return len(self._group.attrs)


def _entry(name: str, dataset: Any, size: int) -> Entry:
    kind = dataset.dtype.name if dataset.dtype.kind in "fiub" else f"{dataset.dtype} and no number"
    return Entry(tuple(dataset.shape or ()), kind, partial(_read, name, dataset, size))


def _read(name: str, dataset: Any, size: int) -> ndarray:
    """Raises ValueError where the values lie in another file or are not in the file, and for a bomb."""
    if dataset.is_virtual or dataset.external:
        raise ValueError(f"{name} lies in another file, which is not opened: save the weights inside")
    stored, bytes_of = dataset.id.get_storage_size(), dataset.size * dataset.dtype.itemsize
    if bytes_of > COMPRESSED * stored or stored > size:
        raise ValueError(f"{name} says {list(dataset.shape)}, but the file holds {stored} bytes of it: it is damaged")
    try:
        values = dataset[()]
    except Exception as error:  # of whatever kind a damaged dataset ends in
        raise ValueError(f"{name} is truncated or damaged: {str(error)[:100]}") from None
    values = np.asarray(values)
    return values.astype(values.dtype.newbyteorder("=") if values.dtype.name in DTYPES else np.float32, copy=False)
