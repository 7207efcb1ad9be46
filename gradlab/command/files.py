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
    from gradlab.network.stack import Net, Stack
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
    path: Path, data: Path | None, read_as: Mapping[str, Any], part: str | None, settings: Mapping[str, Any]
) -> dict[str, Arguments]:
    """The networks of a file by their names, each with what it reads and what the loss injects.

    data        the sequences; else those that were recorded, or as the settings draw them
    read_as     options of `gradlab.checkpoints.read`
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
    return {name: with_sequences(stacks[name], data, read_as, settings) for name in chosen}


def _stored(path: Path, settings: Mapping[str, Any]) -> tuple[dict[str, Subject], dict[str, Stack | Net]]:
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

    return {}, checkpoints.load(path, given(settings).get(SEVERAL)).stacks


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


def with_sequences(
    network: Stack | Net, data: Path | None, read_as: Mapping[str, Any], settings: Mapping[str, Any]
) -> Arguments:
    """A network that reads the data, or what the settings draw; the loss is placed as these say."""
    from dataclasses import replace

    import numpy as np

    from gradlab import checkpoints
    from gradlab.cells import CELLS
    from gradlab.network.stack import Stack
    from gradlab.settings.drawing import needs_states
    from gradlab.settings.links import from_query

    named = {name: value for name, value in given(settings).items() if name != SEVERAL}
    if fixed := [name for name in FROM_THE_FILE if name in named]:
        raise ValueError(f"{', '.join(fixed)}: the file decides this; leave it out")
    outputs = network.hidden_size if isinstance(network, Stack) else network.output_size
    shape = {"cell": network.cell if network.cell in CELLS else "gru", "dtype": network.dtype.name}
    shape |= {"hidden_size": outputs, "input_size": network.input_size}
    read = None
    if data is not None:
        read = checkpoints.read(data, network.input_size, **read_as).inputs
        shape |= {"steps": len(read), "batch_size": read.shape[1]}
    described = from_query({**named, **{name: str(value) for name, value in shape.items()}})
    if needs_states(described) and not isinstance(network, Stack):
        raise ValueError(
            f"loss = {described.loss!r} and objective = {described.objective!r} read what the network gives, which is "
            "known of plain stacks alone: use loss = last and objective = direction"
        )
    network = replace(network, batch_first=False) if network.batch_first else network
    inputs = described.sequence() if read is None else read.astype(network.dtype)
    loss = described.injected(network if isinstance(network, Stack) else described.network(), inputs)
    cotangents = np.zeros((*inputs.shape[:2], outputs), network.dtype)
    cotangents[loss.steps, loss.at] = loss.values
    return network, inputs, cotangents
