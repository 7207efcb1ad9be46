"""Trained: an Experiment whose weights were learned: its stack, readout and batches are those of a training run.

Every analysis takes one as it takes an Experiment, over any steps, sequences, seed of the batch, loss and truncation.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Annotated, Self

from numpy import ndarray
from numpy.random import Generator
from pydantic import InstanceOf, PlainSerializer, model_validator
from pydantic_core import PydanticCustomError

from gradlab.network.readout import Readout
from gradlab.settings.experiment import Experiment
from gradlab.settings.tasks import Batch, Task

DECIDED = ("cell", "depth", "hidden_size", "inputs", "input_size", "text", "output_size")  # settings, by the weights
REPLACED = ("initialization", "gain", "forget_bias")  # settings that say nothing of weights that were learned


@dataclass(frozen=True)
class Weights:
    """What a training run left behind. Two of one fingerprint are equal."""

    fingerprint: str  # SHA-256 of the task's name, the number of updates and every array
    updates: int
    experiment: Experiment = field(compare=False)  # of the run
    task: Task = field(compare=False, repr=False)
    layers: tuple[tuple[ndarray, ...], ...] = field(compare=False, repr=False)  # (W, U, b_W, b_U) of each
    readout: Readout = field(compare=False, repr=False)

    @classmethod
    def of(cls, experiment: Experiment, task: Task, updates: int, layers: tuple, readout: Readout) -> Weights:
        digest = sha256(f"{task.name} {updates}".encode())
        for array in (*(array for layer in layers for array in layer), *readout):
            digest.update(array.tobytes())
        return cls(digest.hexdigest(), updates, experiment, task, layers, readout)

    @property
    def file_name(self) -> str:
        return kept_as(self.task, self.experiment, self.updates)


def kept_as(task: Task, experiment: Experiment, updates: int) -> str:
    """What the file of a kept run is called."""
    return f"gradlab-{task.name}-{experiment.cell}-{updates}.safetensors"


class Trained(Experiment):
    """An Experiment with the weights of a run; dumped, and wherever it is a key, they are their fingerprint.

    Raises ValueError for settings that the weights decide otherwise.
    """

    weights: Annotated[InstanceOf[Weights], PlainSerializer(lambda weights: weights.fingerprint)]

    @model_validator(mode="after")
    def _settings_fit_the_weights(self) -> Self:
        of, task = self.weights.experiment, self.weights.task
        needed = {name: getattr(of, name) for name in DECIDED if name not in self.unused()}
        needed |= {} if self.objective == "direction" else {"objective": of.objective}
        needed |= {"steps": task.own_steps} if task.own_steps and self.inputs != "text" else {}
        for name, value in needed.items():
            if getattr(self, name) != value:
                sentence = f"{name} = {getattr(self, name)!r} does not fit the trained weights: they need {value!r}"
                raise PydanticCustomError("misfit", "{sentence}", {"sentence": sentence, "setting": name})
        return self

    @property
    def initial(self) -> Experiment:
        """The same settings, with weights drawn as they say."""
        return Experiment.model_validate(self.model_dump(exclude={"weights"}))

    def unused(self) -> frozenset[str]:
        return super().unused() | set(REPLACED)

    def batch(self, steps: int, generator: Generator) -> Batch:
        """A batch of the task; of one that needs more steps, the first ones."""
        task = self.weights.task
        drawn = task.draw(max(steps, task.fewest_steps), self.batch_size, generator)
        return Batch(*(part[:steps] for part in drawn))
