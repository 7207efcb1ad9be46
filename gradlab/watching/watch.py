"""`watch`: follows the recurrent parts of a model while it trains, and changes nothing of it.

The cheap mode is for a whole training: hooks are in the model during one update in `every`, and at its end the latest
pass of each part is traced and written. An update is a step of the optimizer that holds the parts' weights.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
from torch import nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook

from gradlab.analyses.diagnosis import Diagnosis
from gradlab.analyses.traces import GradientTrace
from gradlab.watching import network
from gradlab.watching.flow import Flow, Scaler, badness, diagnoses_of
from gradlab.watching.log import Writer

PASSES = 16
EVERY = 50
SEQUENCES = 8  # of a batch, in the cheap mode
Write = Callable[[int, str, Diagnosis, pd.DataFrame], None]


def watch(
    model: nn.Module,
    *,
    every: int | None = None,
    log: str | os.PathLike[str] | None = None,
    writers: Sequence[Write] = (),
    sequences: int | None = None,
    scaler: Scaler | None = None,
    passes: int | None = None,
) -> Flow:
    """Follows the recurrent parts of a model: what goes in, and all gradients that come back.

    with gradlab.watch(model) as flow:
        criterion(model(x), y).backward()
    flow.diagnose()[0].sentence

    Without `with`, `flow = gradlab.watch(model)` watches until `flow.close()`. For a whole training:

    with gradlab.watch(model, every=50, log="training.jsonl"):
        train(model)

    model       any nn.Module with nn.RNN, nn.LSTM, nn.GRU, their cells or gradlab's Recurrent anywhere inside
    every       looks at the first update and at each so many; 50 where only a log or writers are given
    log         file to which a record per part is appended at each of them (gradlab.watching.log); killing the process
                loses at most the last record. Beside it lies what the last one was computed on, by which the app says
                what would help (gradlab.watching.network)
    writers     called with (update, part, its worst layer's Diagnosis, its trace's table) at each of them
    sequences   of each batch that are looked at, evenly spread; all if None, in the cheap mode 8
    scaler      the GradScaler whose scale the gradients carry: they are divided by it
    passes      of each part that are kept, the latest: 16, in the cheap mode 1

    The model, its results, its gradients, its hooks, its training mode and the random state stay as they are, to the
    bit. Gradients are those that come in, before any clipping. Each pass holds a copy of what the part read and
    returned, and of its weights. Raises TypeError for what is no nn.Module, or is scripted, ValueError for settings
    that do not fit.
    """
    for name, value in (("every", every), ("sequences", sequences), ("passes", passes)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise ValueError(f"{name} = {value!r} is not allowed: use a whole number of 1 or more, or None")
    if every is None and log is None and not writers:
        flow = Flow(model, sequences, scaler, passes or PASSES)
        flow.attend()
        return flow
    if log is None and not writers:
        raise ValueError(f"every = {every} needs a place to write to: pass log, a file, or writers")
    return Followed(model, every or EVERY, log, writers, sequences or SEQUENCES, scaler, passes or 1)


class Followed(Flow):
    """A Flow that looks at one update in so many, and writes what it saw."""

    def __init__(
        self,
        model: nn.Module,
        every: int,
        log: str | os.PathLike[str] | None,
        writers: Sequence[Write],
        sequences: int,
        scaler: Scaler | None,
        passes: int,
    ):
        super().__init__(model, sequences, scaler, passes)
        about = {"model": type(model).__name__, "every": every, "sequences": sequences, "parts": list(self.parts)}
        self._file = None if log is None else Writer(log, about)
        self._writers, self._every, self.updates = writers, every, 0
        self._optimizer: Optimizer | None = None
        self._steps = register_optimizer_step_post_hook(self._updated)
        self.attend()

    def close(self) -> None:
        """Ends the watch: no hook is left anywhere, and the log is closed."""
        super().close()
        self._steps.remove()
        if self._file is not None:
            self._file.close()

    def _updated(self, optimizer: Optimizer, _arguments: Any, _options: Any) -> None:
        """An optimizer took a step; whatever goes wrong here is written, and does not end the training."""
        if self._optimizer is None and self._is_of_the_model(optimizer):
            self._optimizer = optimizer
        if optimizer is not self._optimizer:
            return
        self.updates += 1
        if self.is_attending:
            self.rest()
            self._write()
        if (self.updates + 1) % self._every == 0:
            self.attend()

    def _keep(self, name: str, trace: Any) -> None:
        """The network beside the log, where a file holds it."""
        if self._file is None or not isinstance(trace, GradientTrace):
            return
        try:
            data = network.save(trace, name, self.updates)
        except ValueError:
            return  # its record is there; of what no file holds the page says so
        network.replace(network.beside(self._file.path, name), data)

    def _is_of_the_model(self, optimizer: Optimizer) -> bool:
        watched = list(self.parts.values()) or [self._model]
        known = {id(parameter) for part in watched for parameter in part.parameters()}
        return any(id(parameter) in known for group in optimizer.param_groups for parameter in group["params"])

    def _write(self) -> None:
        for name in self.names:
            try:
                numbers = self.passes(name)
                if not numbers and name not in self._failures:
                    continue
                trace = self.trace(name)
                worst = max(diagnoses_of(trace, name), key=badness)
                for write in [*([] if self._file is None else [self._file.append]), *self._writers]:
                    write(self.updates, name, worst, trace.table)
                self._keep(name, trace)
            except Exception as error:
                if self._file is not None:
                    self._file.refuse(self.updates, name, f"{type(error).__name__}: {error}")
