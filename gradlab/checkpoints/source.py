"""What a checkpoint is read from: a file or its bytes, never more of it than is needed, never extracted to a disk."""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from gradlab.engine.plan import refuse_too_large

MOST_BYTES = 2**33  # of a file
MOST_ENTRIES = 2**16  # of a zip archive
COMPRESSED = 20  # times as large as its file a zip archive may be: weights hardly shrink, bombs do a thousand times


@dataclass(frozen=True)
class Source:
    """A checkpoint's file or bytes."""

    path: Path | None
    data: bytes | None
    size: int  # bytes

    @classmethod
    def of(cls, path_or_bytes: str | os.PathLike[str] | bytes | bytearray | memoryview) -> Source:
        """Raises TypeError for what is neither, ValueError for an empty or oversized one, OSError as `open` does."""
        if isinstance(path_or_bytes, bytes | bytearray | memoryview):
            data = bytes(path_or_bytes)
            source = cls(None, data, len(data))
        elif isinstance(path_or_bytes, str | os.PathLike):
            path = Path(path_or_bytes)
            if path.is_dir():
                raise ValueError(f"{path.name} is a folder: pass the path of one file in it")
            source = cls(path, None, path.stat().st_size)
        else:
            kind = type(path_or_bytes).__name__
            raise TypeError(f"a checkpoint is read from a path or from bytes, not from {kind}")
        if not source.size:
            raise ValueError("the file is empty")
        if source.size > MOST_BYTES:
            raise ValueError(f"the file has {source.size} bytes: at most {MOST_BYTES} are read")
        refuse_too_large(source.size, "the tensors of the file", "the file's size: keep the recurrent weights alone")
        return source

    def open(self) -> BinaryIO:
        """A binary file, at its start."""
        return BytesIO(self.data or b"") if self.path is None else self.path.open("rb")

    def head(self, count: int) -> bytes:
        """Its first bytes."""
        if self.data is not None:
            return self.data[:count]
        with self.open() as file:
            return file.read(min(count, self.size))

    @property
    def suffix(self) -> str:
        return "" if self.path is None else self.path.suffix.lower()


def entries(file: BinaryIO, most: int | None = None) -> dict[str, zipfile.ZipInfo]:
    """The entries of a zip archive by name; its directory alone is read.

    Raises ValueError for a truncated archive, for an encrypted, repeated or compressed entry where that is a bomb:
    more than `most` bytes in all (default: `COMPRESSED` times the archive, and 1 MB).
    """
    file.seek(0, os.SEEK_END)
    size = file.tell()
    file.seek(0)
    try:
        with zipfile.ZipFile(file) as archive:
            listed = archive.infolist()
    except Exception as error:  # of whatever kind a damaged directory ends in
        raise ValueError(f"the zip archive is truncated or damaged: {str(error)[:100]}") from None
    if len(listed) > MOST_ENTRIES:
        raise ValueError(f"the zip archive has {len(listed)} entries: at most {MOST_ENTRIES} are read")
    unpacked = sum(entry.file_size for entry in listed)
    allowed = COMPRESSED * size + 2**20 if most is None else most
    if unpacked > allowed:
        raise ValueError(f"the zip archive of {size} bytes unpacks to {unpacked}: at most {allowed} are unpacked")
    refuse_too_large(unpacked, "the tensors of the file", "the file's size: keep the recurrent weights alone")
    by_name = {entry.filename: entry for entry in listed}
    if len(by_name) < len(listed):
        raise ValueError("the zip archive holds two entries of one name: which of them counts is not said")
    if encrypted := next((entry.filename for entry in listed if entry.flag_bits & 1), None):
        raise ValueError(f"the zip archive's entry {encrypted[:60]!r} is encrypted: save it without a password")
    return by_name
