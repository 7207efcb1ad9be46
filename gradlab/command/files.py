"""What a file holds: a log of `gradlab.watch`, the network beside it, a kept run, or a checkpoint of any framework.

Nothing in a file is executed: each kind is read by the module that knows it, which refuses what is not that kind.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gradlab.command.settings import SEVERAL, given

if TYPE_CHECKING:
    from numpy import ndarray

    from gradlab.network.stack import Stack
    from gradlab.settings.subject import Subject
    from gradlab.watching.log import Log

Arguments = tuple[Any, ...]  # of gradlab.trace: a subject, or a stack, its inputs and the injected gradients

LOG = ".jsonl"
MOST_HEADER_BYTES = 2**23
FROM_THE_FILE = ("depth", "hidden_size", "input_size", "dtype", "initialization", "gain", "keep_bias", "forget_bias")


def log(path: Path) -> Log | None:
    """The log of a whole training; None for another kind of file. Raises ValueError for a broken one."""
    if path.suffix != LOG:
        return None
    from gradlab.watching import log

    return log.read(path)


def networks(
    path: Path, data: Path | None, batch_first: bool, part: str | None, settings: Mapping[str, Any]
) -> dict[str, Arguments]:
    """The networks of a file by their names, each with what it reads and what the loss injects.

    data        the sequences; else those that were recorded, or as the settings draw them
    settings    of the line: how many steps and sequences are drawn, the seed, and the loss's placement
    """
    subjects, stacks = _stored(path, settings)
    if part is not None and part not in (*subjects, *stacks):
        raise ValueError(f"part = {part!r} is not in {path.name}: it has {', '.join((*subjects, *stacks))}")
    chosen = [name for name in (*subjects, *stacks) if part in (None, name)]
    if subjects and data is None:
        _refuse_settings(path, settings)
        return {name: (subjects[name],) for name in chosen}
    stacks |= {name: subject.network() for name, subject in subjects.items()}
    read = None if data is None else sequences(data, batch_first)
    return {name: with_sequences(stacks[name], read, settings) for name in chosen}


def _stored(path: Path, settings: Mapping[str, Any]) -> tuple[dict[str, Subject], dict[str, Stack]]:
    """Networks that know what they read, and networks that are weights alone."""
    kind = _own_format(path)
    if kind.startswith("gradlab network"):
        from gradlab.watching import network

        watched = network.read(path)
        return {watched.recorded.part: watched}, {}
    if kind.startswith("gradlab run"):
        from gradlab.training.checkpoints import load

        return {path.stem: load(path.read_bytes()).trained}, {}
    from gradlab import checkpoints

    cell = given(settings).get(SEVERAL)
    return {}, dict(checkpoints.load(path, **({"cell": cell} if cell else {})).stacks)


def _own_format(path: Path) -> str:
    """What a safetensors file of gradlab says it is; "" for any other file."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = file.read(size) if size <= MOST_HEADER_BYTES else b""
    try:
        return str(json.loads(json.loads(header)["__metadata__"]["gradlab"])["format"])
    except (KeyError, TypeError, ValueError, RecursionError):
        return ""


def _refuse_settings(path: Path, settings: Mapping[str, Any]) -> None:
    """Raises ValueError where a line sets what the file has recorded."""
    if named := list(given(settings)):
        raise ValueError(f"{path.name} has its own sequences and loss: leave out {', '.join(named)}, or give --data")


def with_sequences(stack: Stack, read: ndarray | None, settings: Mapping[str, Any]) -> Arguments:
    """A stack that reads the sequences, [T, B, X], or those that the settings draw; the loss is placed as they say."""
    from dataclasses import replace

    import numpy as np

    from gradlab.cells import CELLS
    from gradlab.settings.links import from_query

    named = {name: value for name, value in given(settings).items() if name != SEVERAL}
    if fixed := [name for name in FROM_THE_FILE if name in named]:
        raise ValueError(f"{', '.join(fixed)}: the file decides this; leave it out")
    shape = {"depth": stack.depth, "hidden_size": stack.hidden_size, "input_size": stack.input_size}
    shape |= {"cell": stack.cell if stack.cell in CELLS else "gru", "dtype": stack.dtype.name}
    if read is not None:
        if read.shape[2] != stack.input_size:
            raise ValueError(
                f"the data have {read.shape[2]} channels and the network reads {stack.input_size}: use data of shape "
                f"[steps, sequences, {stack.input_size}]"
            )
        shape |= {"steps": len(read), "batch_size": read.shape[1]}
    described = from_query({**named, **{name: str(value) for name, value in shape.items()}})
    stack = replace(stack, batch_first=False) if stack.batch_first else stack
    inputs = described.sequence() if read is None else read.astype(stack.dtype)
    loss = described.injected(stack, inputs)
    cotangents = np.zeros((*inputs.shape[:2], stack.hidden_size), stack.dtype)
    cotangents[loss.steps, loss.at] = loss.values
    return stack, inputs, cotangents


def sequences(path: Path, batch_first: bool) -> ndarray:
    """The sequences of a file, [T, B, X]; a file of two axes is one sequence, [T, X].

    Raises ValueError for another kind of file, another number of axes and values that are not finite, with the first.
    """
    import numpy as np

    try:
        read = np.load(path, allow_pickle=False)
    except (EOFError, ValueError):
        raise ValueError(f"{path.name} is no array of numbers: save one with numpy.save") from None
    if not isinstance(read, np.ndarray) or read.dtype.kind not in "fiu":
        raise ValueError(f"{path.name} holds no array of real numbers: save one with numpy.save")
    if read.ndim == 2:
        read = read[:, None]
    elif batch_first:
        read = read.swapaxes(0, 1)
    if read.ndim != 3 or 0 in read.shape:
        raise ValueError(f"{path.name} has shape {list(read.shape)}: [steps, sequences, channels] is needed")
    if not np.isfinite(read).all():
        t, b, x = (int(i) for i in np.argwhere(~np.isfinite(read))[0])
        raise ValueError(f"{path.name} is not finite at step {t} of sequence {b}, channel {x}: fill in missing values")
    return np.ascontiguousarray(read)
