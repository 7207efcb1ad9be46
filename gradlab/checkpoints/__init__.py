"""Checkpoints of other programs: the recurrent parts of a file of weights, as stacks.

>>> checkpoint = gradlab.checkpoints.load("model.pt")
>>> checkpoint.table, checkpoint.stacks["encoder.lstm"]

    safetensors   .safetensors
    torch_files   .pt, .pth, .bin, .ckpt: what torch.save wrote of tensors, in its zip and its legacy format
    npz           .npz of numpy
    names         recurrent parts of these, by PyTorch's names and shapes
    onnx          LSTM, GRU and RNN nodes of .onnx
    keras         .keras, .weights.h5, .h5 and .hdf5 of Keras 1, 2 and 3
    data          .npy, .npz, .csv, .parquet and .txt as what a network reads
    subject       a part beside data, as every analysis takes it

A file may come from anybody: nothing in it is executed, nothing is extracted to a disk, and sizes are checked before
memory is taken. Where names or shapes can be read in two ways, the file is refused with the question.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from gradlab.checkpoints import hdf5, keras, names, npz, onnx, safetensors, torch_files
from gradlab.checkpoints.contents import AmbiguousError, Cells, Contents, Part
from gradlab.checkpoints.data import Data, read
from gradlab.checkpoints.source import Source, entries
from gradlab.checkpoints.subject import arguments, of_part
from gradlab.engine.plan import TooLarge
from gradlab.network.modules import Held
from gradlab.network.stack import Net, Stack, of_levels
from gradlab.settings.watched import Watched
from gradlab.words.letters import printable

TABLE_COLUMNS = (
    "name", "cell", "layers", "input_size", "hidden_sizes", "directions", "gate_order", "bias", "dtype", "ignored",
)  # fmt: skip
MOST_CHARACTERS = 600  # of a refusal
FORMATS = ".safetensors, .pt, .pth, .bin (torch.save), .npz, .onnx, .keras, .weights.h5, .h5 or .hdf5"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The recurrent parts of a file.

    A file that was read from its path may be mapped: leave it as it is until `stacks` was asked for.
    """

    format: str
    parts: tuple[Part, ...]
    ignored: tuple[tuple[str, str], ...]  # what is no recurrent part, or none that can be read, and why
    file_name: str = ""
    cell: Cells = None  # what the caller said of it

    @cached_property
    def stacks(self) -> dict[str, Stack | Net]:
        """Copies of the weights by the part's prefix in the file, "" where its names have none; a `Net` where a part is
        bidirectional, has a projection, layers of unequal sizes or a reset before the product."""
        return {part.name: self._stack(part) for part in self.parts}

    def _stack(self, part: Part) -> Stack | Net:
        lacks = {"bias_ih"} if part.bias == "none" else set()
        fixed = frozenset(lacks | ({"steps"} if part.steps else set()))
        return of_levels(part.cell, part.levels, precision=part.precision, fixed=fixed)

    @cached_property
    def table(self) -> pd.DataFrame:
        """A row per part, then one per group of other tensors.

        name, cell, layers, input_size, hidden_sizes (of the layers, the lowest first; "64 → 16" with a projection),
        directions, gate_order and bias (as the file has them), dtype, ignored (what was left out, and why).
        """
        rows: list[tuple[object, ...]] = []
        for part in self.parts:
            lowest = part.levels[0][0]
            first, alone = lowest.layer, "reverse" if lowest.reverse else "forward"
            sizes = ", ".join(_size(level[0]) for level in part.levels)
            directions = "both" if len(part.levels[0]) > 1 else alone
            rows.append((
                part.name, part.cell, len(part.levels), first.W.shape[1], sizes, directions, part.gate_order, part.bias,
                part.precision or first.U.dtype.name, part.without,
            ))  # fmt: skip
        rows += [(name, "", 0, 0, "", "", "", "", "", why) for name, why in self.ignored]
        return pd.DataFrame(rows, columns=list(TABLE_COLUMNS))

    def subject(
        self,
        part: str,
        data: str | os.PathLike[str] | bytes | Data | None = None,
        *,
        array: str | None = None,
        batch_first: bool = False,
        scaling: str = "none",
    ) -> Watched:
        """A part beside data, as every analysis takes it; it reads noise where there are none.

        data                          a file (`gradlab.checkpoints.data.read`), or what was read of one
        array, batch_first, scaling   how the file is read

        Raises ValueError for a part that is not there, for one that is no plain stack, and as `data.read` does.
        """
        if part not in self.stacks:
            raise ValueError(f"part = {part!r} is not in the file: it holds {', '.join(map(repr, self.stacks))}")
        network = self.stacks[part]
        if data is not None and not isinstance(data, Data):
            data = read(data, network.input_size, array=array, batch_first=batch_first, scaling=scaling)
        loaded = f"gradlab.checkpoints.load({self.file_name!r}{'' if self.cell is None else f', {self.cell!r}'})"
        return of_part(part, network, data, f"{loaded}.subject({part!r}{arguments(data)})", self.file_name)

    def __repr__(self) -> str:
        parts = ", ".join(f"{part.name or 'weights'}: {part.cell}" for part in self.parts)
        return f"Checkpoint({self.format}, {parts})"


def _size(held: Held) -> str:
    """The units of a layer, and what a projection makes of them."""
    P = held.layer.U.shape[1]
    return str(P) if held.projection is None else f"{held.projection.shape[1]} → {P}"


def load(path_or_bytes: str | os.PathLike[str] | bytes, cell: Cells = None, *, file_name: str = "") -> Checkpoint:
    """The recurrent parts of a file of weights, whatever its name ends in; its first bytes say what it is.

    cell         which cell it is, where the file can be read in several ways; of all parts, or {"encoder": "gru"}
    file_name    what programs call it, where bytes are passed

    Raises ValueError, in one sentence, for what cannot be read: an unknown or damaged file, code, values that are not
    finite, options that no cell has; for what can be read in several ways; and where nothing recurrent is in it.
    ImportError where a library is missing, with the command that installs it; TooLarge, a ValueError, before memory is
    taken that is not there; OSError as `open` does.
    """
    source = Source.of(path_or_bytes)
    try:
        contents = _contents(source, cell)
    except AmbiguousError as error:
        raise AmbiguousError(_one_line(str(error)), error.part, error.answers) from None
    except TooLarge:
        raise
    except ValueError as error:  # with names that the file chose
        raise ValueError(_one_line(str(error))) from None
    if not contents.parts:
        why = "; ".join(f"{name or 'the weights'}: {reason}" for name, reason in contents.ignored[:4]) or "it is empty"
        raise ValueError(_one_line(f"no recurrent part that can be read is in this {contents.format} file: {why}"))
    if unknown := _not_there(cell, contents):
        raise ValueError(f"cell = {unknown!r} fits no part of the file: it holds {_held(contents)}")
    return Checkpoint(*contents, file_name or ("" if source.path is None else os.fspath(source.path)), cell)


def _one_line(text: str) -> str:
    return printable(" ".join(text.split()))[:MOST_CHARACTERS]


def _contents(source: Source, cells: Cells) -> Contents:
    """By the format that the first bytes tell. Raises ValueError for an unknown one."""
    head = source.head(16)
    if head.startswith(b"PK\x03\x04"):
        with source.open() as file:
            listed = entries(file)
        if any(name.endswith("data.pkl") or "/code/" in name for name in listed):
            return _by_names("torch zip", torch_files.tensors(source, listed), cells)
        if any(name.endswith(".npy") for name in listed):
            return _by_names("npz", npz.tensors(source, listed), cells)
        if keras.is_keras(listed):
            return keras.of_archive(source, listed)
        raise ValueError(f"the zip archive is of no format that is read here: use {FORMATS}")
    if safetensors.header_bytes(source) is not None:
        tensors, stated = safetensors.tensors(source)
        return _by_names("safetensors", tensors, cells, stated)
    if torch_files.is_legacy(source):
        return _by_names("torch legacy", torch_files.tensors(source, None), cells)
    if head.startswith(hdf5.MAGIC):
        return keras.of_file(source, cells)
    if head[:1] == b"\x80":
        raise ValueError(f"this is a plain pickle, which may run code, and nothing of it was run: {torch_files.PLAIN}")
    if onnx.is_onnx(source):
        return onnx.contents(source)
    raise ValueError(f"the format of this file is not known: use {FORMATS}")


def _by_names(called: str, tensors: Mapping, cells: Cells, stated: str | None = None) -> Contents:
    return Contents(called, *names.recognized(tensors, cells, stated))


def _not_there(cell: Cells, contents: Contents) -> str | None:
    """What the caller says of a cell or a part that the file has not."""
    if isinstance(cell, str):
        return None if any(part.cell == cell for part in contents.parts) else cell
    there = {part.name for part in contents.parts}
    return next((name for name in cell or () if name not in there), None)


def _held(contents: Contents) -> str:
    return ", ".join(f"{part.name or 'weights'} ({part.cell})" for part in contents.parts)
