"""A part of a checkpoint as a subject, which every analysis and every page takes: its weights beside data.

What the loss was is in no file of weights: a random direction of norm 1 is injected at the last step of each sequence.
Without data the network reads Gaussian noise.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy import ndarray

from gradlab.checkpoints.data import Data
from gradlab.network.stack import Net, Stack
from gradlab.settings.experiment import Experiment
from gradlab.settings.watched import Recorded, Watched

STEPS, SEQUENCES = 200, 8  # of the noise that is read where there are no data


def of_part(
    name: str, network: Stack | Net, data: Data | None, expression: str, file_name: str | os.PathLike[str]
) -> Watched:
    """A stack, reading the data.

    name         of the part
    expression   Python whose value the subject is
    file_name    of the checkpoint

    Raises ValueError for a `Net`, and for what is larger than settings can be.
    """
    if not isinstance(network, Stack):
        raise ValueError(
            f"{name or 'this part'} is {network!r}, which pages do not show: trace it in Python, "
            "gradlab.trace(gradlab.checkpoints.load(path).stacks[name], inputs)"
        )
    x = None if data is None else np.ascontiguousarray(data.inputs, network.dtype)
    settings = _settings_of(network, x)
    x = settings.sequence() if x is None else x
    loss = settings.injected(network, x)
    file = Path(file_name).name
    read = "noise" if data is None else "its own data"
    origin = f"{name or 'the weights'} of {file}, reading {read}"
    return Watched.of(Recorded.of(name, 0, file, network, x, loss, (), expression, origin))


def arguments(data: Data | None) -> str:
    """What follows the part's name in the call that reads the data again."""
    if data is None:
        return ""
    options = {"array": data.array, "batch_first": data.batch_first, "scaling": data.scaling}
    plain = {"array": None, "batch_first": False, "scaling": "none"}
    said = "".join(f", {name}={value!r}" for name, value in options.items() if value != plain[name])
    return f", {data.file_name!r}{said}"


def _settings_of(stack: Stack, x: ndarray | None) -> Experiment:
    T, B = (STEPS, SEQUENCES) if x is None else x.shape[:2]
    return Experiment(
        cell=stack.cell, depth=stack.depth, hidden_size=stack.hidden_size, input_size=stack.input_size, steps=T,
        batch_size=B, dtype=stack.dtype.name, inputs="noise",
    )  # fmt: skip
