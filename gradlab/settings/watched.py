"""Watched: a network that was watched in somebody's training as a subject: its weights and the batch that it read.

Every analysis takes one as it takes an Experiment, over the steps and sequences that were recorded. Where the loss is
placed as it was watched, what it injects is what was watched; at another placement it is a direction, as in an
Experiment.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any, Self

import numpy as np
from numpy import ndarray

from gradlab.cells import CELLS
from gradlab.engine import Cotangents, Size
from gradlab.network.readout import Readout
from gradlab.network.stack import Layer, Stack
from gradlab.settings.drawing import drawn_readout, drawn_targets_of, injected_by, inputs_of
from gradlab.settings.experiment import Experiment
from gradlab.settings.losses import LOSSES
from gradlab.settings.trained import OPEN, REPLACED
from gradlab.words.languages import _

DECIDED = ("cell", "depth", "hidden_size", "input_size", "dtype")
UNUSED = REPLACED | {"inputs", "text"}
PLACED = ("loss", "loss_step", "loss_steps", "reads", "writes")


@dataclass(frozen=True)
class Recorded:
    """What a watch recorded of one part at one update, or what a file of weights holds beside data. Two of one
    fingerprint are equal."""

    fingerprint: str  # SHA-256 of every array
    part: str  # its path in the model
    update: int
    file_name: str = field(compare=False)
    stack: Stack = field(compare=False, repr=False)
    inputs: ndarray = field(compare=False, repr=False)  # [T, B, X]
    loss: Cotangents = field(compare=False, repr=False)
    states: tuple[ndarray, ...] = field(compare=False, repr=False)  # [L, B, H] each, or none
    source: str = field(
        default="", compare=False
    )  # a Python expression that makes its Watched, where no watch wrote it
    origin: str = field(default="", compare=False)  # in words, where no watch recorded it

    @classmethod
    def of(
        cls, part: str, update: int, file_name: str, stack: Stack, inputs: ndarray, loss: Cotangents,
        states: tuple[ndarray, ...], source: str = "", origin: str = "",
    ) -> Recorded:  # fmt: skip
        digest = sha256(f"{stack.cell} {part} {update}".encode("utf-8", "surrogatepass"))
        weights = [array for layer in stack.layers for array in layer]
        for array in (*weights, inputs, *loss[:3], *states):
            digest.update(np.ascontiguousarray(array).tobytes())
        return cls(digest.hexdigest(), part, update, file_name, stack, inputs, loss, states, source, origin)

    @cached_property
    def experiment(self) -> Experiment:
        """The settings that describe it. Raises ValueError where it is larger than settings can be."""
        T, B, X = self.inputs.shape
        stack, placed = self.stack, _placement(self.loss, T)
        return Experiment(
            cell=stack.cell, depth=stack.depth, hidden_size=stack.hidden_size, input_size=X, steps=T, batch_size=B,
            dtype=stack.dtype.name, **placed,
        )  # fmt: skip


def _placement(loss: Cotangents, steps: int) -> dict[str, Any]:
    """The loss placement of the registry that a recorded one is; one of too many single steps counts as every step."""
    at = np.unique(loss.steps)
    if len(at) == 0 or (len(at) == 1 and at[0] == steps - 1):
        return {"loss": "last"}
    if len(at) == 1:
        return {"loss": "step", "loss_step": int(at[0])}
    if len(at) == steps or len(at) > 50:
        return {"loss": "every"}
    return {"loss": "steps", "loss_steps": ",".join(map(str, at))}


@dataclass(frozen=True)
class Watched:
    """What was recorded, and the settings under which it is analysed.

    Raises ValueError for settings that the recording decides otherwise.
    """

    recorded: Recorded
    settings: Experiment

    def __post_init__(self) -> None:
        of = self.recorded.experiment
        for name in DECIDED:
            if name != "dtype" and getattr(self.settings, name) != getattr(of, name):
                value = getattr(of, name)
                raise ValueError(
                    f"{name} = {getattr(self.settings, name)!r} does not fit what was watched: it has {value!r}"
                )
        for name in ("steps", "batch_size"):
            if getattr(self.settings, name) > getattr(of, name):
                raise ValueError(
                    f"{name} = {getattr(self.settings, name)} is more than was watched: use at most {getattr(of, name)}"
                )

    @classmethod
    def of(cls, recorded: Recorded) -> Self:
        """As it was watched. Raises ValueError where it is larger than settings can be."""
        return cls(recorded, recorded.experiment)

    @property
    def title(self) -> str:
        return self.settings.title

    @property
    def key(self) -> str:
        return f"{self.recorded.fingerprint} {self.settings.key}"

    @property
    def code(self) -> str:
        """Reads the recording, from the file name under which it lies beside its log, or as its source says."""
        read = self.recorded.source or f"gradlab.watching.network.read({self.recorded.file_name!r})"
        return f"{read}.expected({self.recorded.fingerprint!r}).replace{self.settings.arguments}"

    def expected(self, fingerprint: str) -> Self:
        """The same, where it has a fingerprint. Raises ValueError for another recording of that name."""
        if self.recorded.fingerprint != fingerprint:
            raise ValueError(f"the file {self.recorded.file_name} holds another update: training went on since")
        return self

    @property
    def weights(self) -> Recorded:
        """What a session keeps of it."""
        return self.recorded

    @property
    def origin(self) -> str:
        text = _("update {update} of {part}, on the batch that was watched")
        return self.recorded.origin or text.format(update=self.recorded.update, part=self.recorded.part)

    @property
    def size(self) -> Size:
        return self.settings.size

    @property
    def injection_steps(self) -> ndarray:
        return np.unique(self._entries[0]) if self._is_as_watched else self.settings.injection_steps

    @property
    def loss_bytes(self) -> int:
        return self.settings.loss_bytes

    def unused(self) -> frozenset[str]:
        return self.settings.unused() | UNUSED

    def replace(self, **changes: Any) -> Self:
        return type(self)(self.recorded, self.settings.replace(**changes))

    def under(self, shared: Experiment) -> Self:
        """Under what a visitor has set, as far as what was recorded reaches."""
        of = self.recorded.experiment
        wanted = of.replace(objective="direction", **{name: getattr(shared, name) for name in OPEN})
        wanted = wanted.shortened(min(wanted.steps, of.steps))
        return type(self)(self.recorded, wanted.replace(batch_size=min(wanted.batch_size, of.batch_size)))

    def shortened(self, steps: int) -> Self:
        return type(self)(self.recorded, self.settings.shortened(steps))

    def excerpt(self, steps: int, sequences: int, dtype: str | None) -> Self:
        return type(self)(self.recorded, self.settings.excerpt(steps, sequences, dtype))

    def reading(self, names: frozenset[str]) -> Self:
        plain = self.settings.reading((names - UNUSED) | frozenset((*DECIDED, "steps", "batch_size", *PLACED)))
        return type(self)(self.recorded, plain)

    def with_cell(self, cell: str) -> Self:
        """Another cell on the same batch, drawn as PyTorch does."""
        e = self.settings.replace(cell=cell)
        stack = e.network(self.recorded.stack.dtype.name)
        count = len(CELLS[cell].states)
        states = tuple(self.recorded.states[:count]) if len(self.recorded.states) >= count else ()
        r = self.recorded
        source = f"{self.code}.with_cell({cell!r})"
        return type(self)(Recorded.of(r.part, 0, r.file_name, stack, r.inputs, r.loss, states, source, r.origin), e)

    def record(self) -> dict[str, Any]:
        """Every setting, and the fingerprint of what was recorded."""
        return self.settings.record() | {"weights": self.recorded.fingerprint}

    def network(self, dtype: str | None = None) -> Stack:
        to, stack = np.dtype(dtype or self.settings.dtype), self.recorded.stack
        if to == stack.dtype:
            return stack
        return Stack(stack.cell, tuple(Layer(*(array.astype(to) for array in layer)) for layer in stack.layers))

    def sequence(self) -> ndarray:
        return inputs_of(self)

    def injected(self, stack: Stack, inputs: ndarray) -> Cotangents:
        if not self._is_as_watched:
            return injected_by(self, stack, inputs)
        steps, at, values = self._entries
        return Cotangents(steps, at, values.astype(stack.dtype), self.settings.batch_size)

    def initial_state(self) -> tuple[ndarray, ...]:
        B = self.settings.batch_size
        return tuple(np.ascontiguousarray(s[:, :B], self.settings.dtype) for s in self.recorded.states)

    def signal(self, steps: int) -> ndarray:
        """What it read; behind the end of it, zeros."""
        read = self.recorded.inputs[:steps, : self.settings.batch_size]
        return np.pad(read, ((0, steps - len(read)), (0, 0), (0, 0)))

    def readout(self) -> Readout:
        return drawn_readout(self.settings)

    def targets(self) -> ndarray:
        return drawn_targets_of(self.settings)

    @property
    def _is_as_watched(self) -> bool:
        of, now = self.recorded.experiment, self.settings
        if now.steps < of.steps and now.loss == of.loss and LOSSES[of.loss].placed_by:
            return True
        return all(getattr(now, name) == getattr(of, name) for name in PLACED)

    @property
    def _entries(self) -> tuple[ndarray, ndarray, ndarray]:
        """What was injected within the steps and sequences that are looked at; where that is nothing, the latest of
        each sequence at the last step."""
        T, loss = self.settings.steps, self.recorded.loss
        own = loss.at < self.settings.batch_size
        steps, at, values = (part[own] for part in loss[:3])
        inside = steps < T
        if inside.any() or not len(steps):
            return steps[inside], at[inside], values[inside]
        latest = np.array([np.flatnonzero(at == b)[-1] for b in np.unique(at)])
        return np.full(len(latest), T - 1), at[latest], values[latest]
