"""Data of the caller as the sequence that a network reads: `.npy`, `.npz`, `.csv`, `.parquet`, `.txt`.

    [T, B, X]   steps, sequences, inputs; [B, T, X] where `batch_first` says so
    [T, X]      one sequence; a table's rows are steps and its columns inputs
    [T]         one sequence of one input

Nothing is scaled but by the caller's choice, and nothing is filled in: a missing value is refused with its place.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
from numpy import ndarray
from numpy.lib import format as npy

from gradlab.checkpoints import npz
from gradlab.checkpoints.source import Source, entries
from gradlab.engine.plan import refuse_too_large

FORMATS = (".npy", ".npz", ".csv", ".parquet", ".txt")
MOST_VALUES = 2**25
MOST_LINE = 2**20  # characters of the first line of a table


def _mean_and_deviation(values: ndarray) -> tuple[ndarray, ndarray]:
    return values.mean(axis=(0, 1)), values.std(axis=(0, 1))


def _range(values: ndarray) -> tuple[ndarray, ndarray]:
    low = values.min(axis=(0, 1))
    return low, values.max(axis=(0, 1)) - low


SCALINGS: Mapping[
    str, Callable[[ndarray], tuple[ndarray, ndarray]]
] = {  # (what is subtracted, what is divided by), [X]
    "none": lambda values: (np.zeros(values.shape[2]), np.ones(values.shape[2])),
    "standard": _mean_and_deviation,  # mean 0 and standard deviation 1 of each input
    "unit": _range,  # from 0 to 1
}


class SeveralArraysError(ValueError):
    """An .npz of which it is not said which array is read."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]):
        listed = ", ".join(f"{name[:40]} {list(shape)}" for name, shape in list(shapes.items())[:8])
        super().__init__(f"the .npz holds {len(shapes)} arrays: say which is read by array=: {listed}")
        self.arrays = tuple(shapes)


@dataclass(frozen=True, eq=False)
class Data:
    """A sequence as it was read."""

    inputs: ndarray  # [T, B, X] float64, scaled
    raw: ndarray  # [T, B, X] float64, as in the file
    read_as: str  # a sentence: of which shape, and what its axes are
    file_name: str
    array: str | None  # of an .npz, where one was named
    batch_first: bool
    scaling: str
    axes: int = 3  # of the array in the file

    @property
    def table(self) -> pd.DataFrame:
        """A row per input: lowest, highest, mean and deviation in the file, and lowest and highest as scaled."""
        raw, scaled = self.raw, self.inputs
        of = (0, 1)
        return pd.DataFrame({
            "input": np.arange(raw.shape[2]), "lowest": raw.min(axis=of), "highest": raw.max(axis=of),
            "mean": raw.mean(axis=of), "deviation": raw.std(axis=of), "scaled_lowest": scaled.min(axis=of),
            "scaled_highest": scaled.max(axis=of),
        })  # fmt: skip


def read(
    path_or_bytes: str | os.PathLike[str] | bytes,
    input_size: int,
    *,
    name: str = "",
    array: str | None = None,
    batch_first: bool = False,
    scaling: str = "none",
) -> Data:
    """The sequence of a file, for a network of `input_size` inputs.

    name          the file's, where bytes are passed: its ending says the format
    array         which array of an .npz
    batch_first   whether a 3-dimensional array is [B, T, X]
    scaling       "none", "standard" (mean 0, deviation 1 of each input) or "unit" (from 0 to 1); an input that is
                  constant is only shifted

    Raises ValueError for a shape that does not fit, with what to do; for values that are missing, not finite or no
    numbers, with their place; for damaged files, and for pickles, which may run code. TooLarge, a ValueError, before
    memory is taken that is not there.
    """
    if scaling not in SCALINGS:
        raise ValueError(f"scaling = {scaling!r} is not known: use one of {', '.join(SCALINGS)}")
    source = Source.of(path_or_bytes)
    ending = Path(name or (source.path or "")).suffix.lower()
    if ending not in READERS:
        raise ValueError(f"data of ending {ending[:20]!r} are not read: use one of {', '.join(FORMATS)}")
    values, of, columns = READERS[ending](source, array)
    _refuse_many(values.size)
    refuse_too_large(3 * 8 * values.size, "the data in float64", "the number of steps")
    raw, axes = _as_sequence(values, input_size, batch_first)
    _refuse_missing(raw, values, of, columns, batch_first)
    shift, width = SCALINGS[scaling](raw)
    scaled = raw if scaling == "none" else (raw - shift) / np.where(width > 0, width, 1)
    T, B, X = raw.shape
    read_as = f"{of} has the shape {list(values.shape)}, read as {axes}: {T} steps, {B} sequences, {X} inputs"
    called = name or ("" if source.path is None else os.fspath(source.path))
    return Data(scaled, raw, read_as, called, array, batch_first, scaling, values.ndim)


def _as_sequence(values: ndarray, X: int, batch_first: bool) -> tuple[ndarray, str]:
    """([T, B, X] float64, its axes). Raises ValueError for a shape that does not fit."""
    shape = list(values.shape)
    if values.ndim == 1 and X == 1:
        shaped, axes = values[:, None, None], "[steps]"
    elif values.ndim == 2 and values.shape[1] == X:
        shaped, axes = values[:, None], "[steps, inputs]"
    elif values.ndim == 3 and values.shape[2] == X:
        shaped = values.transpose(1, 0, 2) if batch_first else values
        axes = "[sequences, steps, inputs]" if batch_first else "[steps, sequences, inputs]"
    else:
        turned = "; its first axis has that size: transpose it" if shape[:1] == [X] and len(shape) == 2 else ""
        raise ValueError(
            f"data of shape {shape} do not fit a network of {X} inputs: use [T, {X}] or [T, B, {X}]"
            f"{', or [T]' if X == 1 else ''}{turned}"
        )
    if 0 in values.shape or shaped.shape[0] < 2:
        raise ValueError(f"data of shape {shape} have {shaped.shape[0]} steps: at least 2 are needed")
    return np.ascontiguousarray(shaped, np.float64), axes


def _refuse_missing(raw: ndarray, values: ndarray, of: str, columns: list[str], batch_first: bool) -> None:
    """Raises ValueError for the first value that is not finite, by its place in the file."""
    if np.isfinite(raw).all():
        return
    t, b, x = (int(i) for i in np.argwhere(~np.isfinite(raw))[0])
    value = float(raw[t, b, x])
    if columns:
        place = f"row {t} (counted from 0), column {columns[x][:60]!r}"
    else:
        place = f"{of}{[[t], [t, x], [b, t, x] if batch_first else [t, b, x]][values.ndim - 1]}"
    what = "missing (nan)" if np.isnan(value) else str(value)
    count = int((~np.isfinite(raw)).sum())
    raise ValueError(f"{place} is {what}, the first of {count}: fill or leave out what is missing, nothing is guessed")


def _refuse_many(count: int) -> None:
    if count > MOST_VALUES:
        raise ValueError(f"the data have {count} values: at most {MOST_VALUES} are read, cut out a part")


def _numbers(values: ndarray, of: str) -> ndarray:
    if values.dtype.kind not in "fiub":
        raise ValueError(f"{of} is {values.dtype} and holds no real numbers: save floats")
    return values


def _of_npy(source: Source, _array: str | None) -> tuple[ndarray, str, list[str]]:
    with source.open() as file, npz.damaged("the .npy file"):
        shape, _, dtype = npz.header(file, "the .npy file")
        needed, there = int(np.prod(shape, dtype=object)) * dtype.itemsize, source.size - file.tell()
        if needed != there:
            raise ValueError(f"the .npy file says {list(shape)} in {dtype}, but {there} bytes follow: it is damaged")
        file.seek(0)
        values = np.asarray(npy.read_array(file, allow_pickle=False))
    return _numbers(values, "the .npy file"), "the array", []


def _of_npz(source: Source, array: str | None) -> tuple[ndarray, str, list[str]]:
    with source.open() as file:
        listed = entries(file)
    tensors = npz.tensors(source, listed)
    if array is None and len(tensors) > 1:
        raise SeveralArraysError({name: entry.shape for name, entry in tensors.items()})
    name = next(iter(tensors), "") if array is None else array
    if name not in tensors:
        raise ValueError(
            f"array = {name[:40]!r} is not in the .npz: it holds {', '.join(list(tensors)[:8]) or 'nothing'}"
        )
    if np.dtype(tensors[name].dtype).kind not in "fiub":
        raise ValueError(f"{name} is {tensors[name].dtype} and holds no real numbers: save floats")
    return tensors[name].read(), name, []


def _of_text(source: Source, _array: str | None) -> tuple[ndarray, str, list[str]]:
    """Numbers in rows, between commas, semicolons, tabs or spaces; a first row of names."""
    head = source.head(MOST_LINE)
    try:
        first = (
            head.decode("utf-8-sig", "strict" if source.size <= MOST_LINE else "ignore").lstrip("\n").partition("\n")[0]
        )
    except UnicodeDecodeError as error:
        raise ValueError(f"the table is no text in UTF-8: byte {error.start} cannot be read") from None
    mark = next((mark for mark in ("\t", ";", ",") if mark in first), None)
    cells = first.split(mark)
    named = not all(_is_number(cell) for cell in cells)
    refuse_too_large(8 * source.size, "the data", "the size of the file")  # two characters may be a number
    try:
        frame = pd.read_csv(
            BytesIO(source.head(source.size)), sep=mark or r"\s+", header=0 if named else None, skipinitialspace=True,
            encoding="utf-8-sig",
        )  # fmt: skip
    except Exception as error:  # of whatever kind a damaged table ends in
        raise ValueError(f"the table cannot be read: {str(error).splitlines()[0][:120]}") from None
    return _of_frame(frame)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return not cell.strip()  # an empty cell names nothing
    return True


def _of_parquet(source: Source, _array: str | None) -> tuple[ndarray, str, list[str]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with source.open() as file:
            parquet = pq.ParquetFile(file)
            schema, rows = parquet.schema_arrow, parquet.metadata.num_rows
            names = [field.name for field in schema if not _is_numeric(field.type)]
            if names:
                raise ValueError(f"column {names[0][:60]!r} holds no numbers: leave it out")
            _refuse_many(rows * len(schema))
            frame = parquet.read().to_pandas()
    except (pa.ArrowException, OSError, KeyError, TypeError) as error:
        raise ValueError(f"the .parquet file is truncated or damaged: {str(error)[:120]}") from None
    return _of_frame(frame)


def _is_numeric(kind: object) -> bool:
    import pyarrow.types as kinds

    return bool(kinds.is_floating(kind) or kinds.is_integer(kind) or kinds.is_boolean(kind))


def _of_frame(frame: pd.DataFrame) -> tuple[ndarray, str, list[str]]:
    """Its values, each column an input. Raises ValueError for a cell that is no number, with its place."""
    columns = [str(name) for name in frame.columns]
    for place, name in enumerate(columns):
        column = frame.iloc[:, place]
        if column.dtype.kind not in "fiub":
            numbers = pd.to_numeric(column, errors="coerce")
            wrong = np.flatnonzero(numbers.isna().to_numpy() & column.notna().to_numpy())
            row = int(wrong[0]) if len(wrong) else 0
            raise ValueError(
                f"row {row} (counted from 0), column {name[:60]!r} is {str(column.iloc[row])[:40]!r} and no number: "
                "leave the column out, or save numbers"
            )
    return frame.to_numpy(np.float64), "the table", columns


READERS: Mapping[str, Callable[[Source, str | None], tuple[ndarray, str, list[str]]]] = {
    ".npy": _of_npy,
    ".npz": _of_npz,
    ".csv": _of_text,
    ".txt": _of_text,
    ".parquet": _of_parquet,
}
