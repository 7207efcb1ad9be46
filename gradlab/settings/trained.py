"""Trained: a training run as a subject: its weights, readout and batches, under settings that they leave open.

Every analysis takes one as it takes an Experiment, over any steps, sequences, seed of the batch, loss and truncation.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Self

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from gradlab.engine import Cotangents, Size
from gradlab.network.readout import Readout
from gradlab.network.stack import Layer, Stack
from gradlab.settings.drawing import drawn_signal, drawn_targets_of, injected_by, inputs_of, output_size_of, streams
from gradlab.settings.experiment import Experiment
from gradlab.settings.losses import LOSSES
from gradlab.settings.tasks import Batch, Task
from gradlab.words.languages import _
from gradlab.words.numbers import counted

DECIDED = ("cell", "depth", "hidden_size", "inputs", "input_size", "text", "output_size")  # settings, by the weights
OPEN = (  # settings that weights leave open
    "steps", "batch_size", "loss", "loss_step", "loss_steps", "reads", "writes", "truncation", "k1", "k2", "seed",
)  # fmt: skip
REPLACED = frozenset(("initialization", "gain", "keep_bias", "forget_bias"))  # do not apply to learned weights


@dataclass(frozen=True)
class Weights:
    """What a training run left behind. Two of one fingerprint are equal."""

    fingerprint: str  # SHA-256 of the task, the number of updates and every array
    updates: int
    experiment: Experiment = field(compare=False)  # of the run
    task: Task = field(compare=False, repr=False)
    layers: tuple[tuple[ndarray, ...], ...] = field(compare=False, repr=False)  # (W, U, b_W, b_U) of each
    readout: Readout = field(compare=False, repr=False)
    source: str = field(default="", compare=False)  # a Python expression that trains it again, where it is in no file

    @classmethod
    def of(cls, experiment: Experiment, task: Task, updates: int, layers: tuple, readout: Readout) -> Weights:
        digest = sha256(f"{task.name} {updates} {task.text}".encode("utf-8", "surrogatepass"))
        for array in (*(array for layer in layers for array in layer), *readout):
            digest.update(array.tobytes())
        return cls(digest.hexdigest(), updates, experiment, task, layers, readout)

    @property
    def file_name(self) -> str:
        return kept_as(self.task, self.experiment, self.updates)


def kept_as(task: Task, experiment: Experiment, updates: int) -> str:
    """The file name of a kept run."""
    return f"gradlab-{task.name}-{experiment.cell}-{updates}.safetensors"


@dataclass(frozen=True)
class Trained:
    """Weights that were learned, and the settings under which they are analysed.

    Raises ValueError for settings that the weights decide otherwise.
    """

    weights: Weights
    settings: Experiment

    def __post_init__(self) -> None:
        of, task = self.weights.experiment, self.weights.task
        needed = {name: getattr(of, name) for name in DECIDED if name not in self.unused()}
        needed |= {} if self.settings.objective == "direction" else {"objective": of.objective}
        needed |= {"steps": task.own_steps} if task.own_steps and self.settings.inputs != "text" else {}
        for name, value in needed.items():
            if getattr(self.settings, name) != value:
                raise ValueError(
                    f"{name} = {getattr(self.settings, name)!r} does not fit the trained weights: they need {value!r}"
                )

    @property
    def title(self) -> str:
        return self.settings.title

    @property
    def key(self) -> str:
        return f"{self.weights.fingerprint} {self.settings.key}"

    @property
    def code(self) -> str:
        """Trains it again, or reads the kept run from the file name under which it was downloaded."""
        if self.weights.source:
            return f"{self.weights.source}.replace{self.settings.arguments}"
        read = f'gradlab.training.checkpoints.load(open("{self.weights.file_name}", "rb").read()).trained'
        return f"{read}.expected({self.weights.fingerprint!r}).replace{self.settings.arguments}"

    def expected(self, fingerprint: str) -> Self:
        """The same, where its weights have a fingerprint. Raises ValueError for a file of another run of that name."""
        if self.weights.fingerprint != fingerprint:
            raise ValueError(
                f"the file {self.weights.file_name} holds another run of this task, cell and number of updates: "
                "use the file that was kept with this program"
            )
        return self

    @property
    def size(self) -> Size:
        return self.settings.size

    @property
    def injection_steps(self) -> ndarray:
        return self.settings.injection_steps

    @property
    def loss_bytes(self) -> int:
        return self.settings.loss_bytes

    def unused(self) -> frozenset[str]:
        return self.settings.unused() | REPLACED

    def replace(self, **changes: Any) -> Self:
        """The same weights under other settings."""
        return type(self)(self.weights, self.settings.replace(**changes))

    def under(self, shared: Experiment) -> Self:
        """Under what a visitor has set: the settings that the weights leave open."""
        objective = "direction" if LOSSES[shared.loss].needs_states else self.weights.experiment.objective
        return self.replace(objective=objective, **{name: getattr(shared, name) for name in OPEN})

    @property
    def origin(self) -> str:
        """Where its weights come from, for a sentence."""
        text, task = _("trained on “{task}” for {updates}"), self.weights.task.title.strip("“”")
        return text.format(task=task, updates=counted(self.weights.updates, "update"))

    def shortened(self, steps: int) -> Self:
        return type(self)(self.weights, self.settings.shortened(steps))

    def excerpt(self, steps: int, sequences: int, dtype: str | None) -> Self:
        return type(self)(self.weights, self.settings.excerpt(steps, sequences, dtype))

    def reading(self, names: frozenset[str]) -> Self:
        decided = frozenset((*DECIDED, "objective"))
        return type(self)(self.weights, self.settings.reading((names - REPLACED) | decided))

    def record(self) -> dict[str, Any]:
        """Every setting, and the fingerprint of the weights."""
        return self.settings.record() | {"weights": self.weights.fingerprint}

    def network(self, dtype: str | None = None) -> Stack:
        dtype = dtype or self.settings.dtype
        return Stack(
            self.settings.cell, tuple(Layer(*(a.astype(dtype) for a in layer)) for layer in self.weights.layers)
        )

    def sequence(self) -> ndarray:
        return inputs_of(self)

    def injected(self, stack: Stack, inputs: ndarray) -> Cotangents:
        return injected_by(self, stack, inputs)

    def initial_state(self) -> tuple[ndarray, ...]:
        return ()

    def signal(self, steps: int) -> ndarray:
        """A batch of the task; of a text, the text."""
        if self.settings.inputs == "text":
            return drawn_signal(self.settings, steps)
        return self._batch(steps, streams(self.settings.seed).inputs).inputs

    def readout(self) -> Readout:
        return self.weights.readout

    def targets(self) -> ndarray:
        """The task's; of a text, its next character."""
        e = self.settings
        if e.inputs == "text":
            return drawn_targets_of(e)
        values = self._batch(e.steps, streams(e.seed).inputs).targets
        return np.eye(output_size_of(e))[values] if e.objective == "cross_entropy" else values

    def _batch(self, steps: int, generator: Generator) -> Batch:
        """A batch of the task; of one that needs more steps, the first ones."""
        task = self.weights.task
        drawn = task.draw(max(steps, task.fewest_steps), self.settings.batch_size, generator)
        return Batch(*(part[:steps] for part in drawn))
