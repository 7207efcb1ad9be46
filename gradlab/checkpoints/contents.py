"""What a format's reader hands over: tensors by name, not yet read, or recurrent parts and what was left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from gradlab.cells import KNOWN
from gradlab.network.layer import DTYPES
from gradlab.network.modules import HALF, Held

Cells = str | Mapping[str, str] | None  # what a caller says of the cell: of every part, or of each by name


class Entry(NamedTuple):
    """A tensor of a file: what its header says, and how it is read."""

    shape: tuple[int, ...]
    dtype: str  # "float32", "bfloat16", "int64", …
    read: Callable[[], ndarray]  # float64 or float32; of half precision a copy in float32. Raises ValueError

    @property
    def elements(self) -> int:
        return int(np.prod(self.shape, dtype=object))


class Part(NamedTuple):
    """A recurrent part as it stands in the file, its rows already in the cell's order."""

    name: str
    cell: str
    levels: tuple[tuple[Held, ...], ...]
    gate_order: str  # of the file, and whose
    bias: str  # its form in the file
    precision: str = ""  # "float16" or "bfloat16" where the arrays are copies in float32
    without: str = ""  # what of it the stack leaves out, and why
    steps: bool = False  # whether it is a module that reads one step a call


class Contents(NamedTuple):
    """What a file holds."""

    format: str
    parts: tuple[Part, ...]
    ignored: tuple[tuple[str, str], ...]  # name and reason


def finite(array: ndarray, name: str) -> ndarray:
    """The array. Raises ValueError where a value is NaN or infinite, with its name and index."""
    for start in range(0, len(array), 256):  # by rows: no second array of its size
        rows = array[start : start + 256]
        if not np.isfinite(rows).all():
            index = [int(i) for i in np.argwhere(~np.isfinite(rows))[0]]
            value = float(rows[tuple(index)])
            index[0] += start
            raise ValueError(f"{name} is {value} at {index}: weights must be finite")
    return array


def one_dtype(entries: Mapping[str, Entry]) -> str:
    """The dtype of all of them. Raises ValueError where they differ, or are of numbers that no gradient passes."""
    first, entry = next(iter(entries.items()))
    for name, other in entries.items():
        if other.dtype not in (*DTYPES, *HALF):
            raise ValueError(
                f"{name} is {other.dtype}, quantized or whole numbers that no gradient passes: save the float weights"
            )
        if other.dtype != entry.dtype:
            raise ValueError(f"{name} is {other.dtype} and {first} is {entry.dtype}: save a part in one dtype")
    return entry.dtype


class AmbiguousError(ValueError):
    """A part that can be read in several ways: which it is, and what would answer."""

    def __init__(self, sentence: str, part: str, answers: tuple[str, ...]):
        super().__init__(sentence)
        self.part, self.answers = part, answers


def decided(
    cells: Cells, name: str, likely: Iterable[str], possible: Iterable[str], why: str, ask: bool = False
) -> str:
    """The cell of a part: what the caller says, if it is possible, else the likely one where there is but one.

    likely      the cells that the file may mean
    possible    those that its shapes allow
    ask         also where one cell is likely
    Raises AmbiguousError, a ValueError with the question and its answers, where the file may mean several.
    """
    wanted = cells if isinstance(cells, str) or cells is None else cells.get(name)
    if wanted is not None and wanted not in KNOWN:
        raise ValueError(f"cell = {wanted!r} is not known: use one of {', '.join(KNOWN)}")
    if wanted is not None and wanted in (*likely, *possible):
        return wanted
    likely = tuple(likely)
    if isinstance(cells, Mapping) and wanted is not None:
        raise ValueError(f"cell = {wanted!r} does not fit {name or 'the weights'}: use one of {', '.join(possible)}")
    if len(likely) == 1 and not ask:
        return likely[0]
    called = name or "the weights"
    if not likely:
        raise ValueError(f"{called}: {why}")
    answers = " or ".join(f'cell="{cell}"' for cell in likely)
    sentence = f"{called} can be read in several ways, since {why}: say which, load(…, {answers})"
    raise AmbiguousError(sentence, name, likely)


def of_gates(count: int) -> tuple[str, ...]:
    """The cells with so many pre-activations."""
    return tuple(name for name, cell in KNOWN.items() if len(cell.pre_activations) == count and name != "gru_half")
