"""Run: a network in training, one update at a time; and `train`, its records.

Update n draws its batch, and its noise if any, from generators of (seed, n) alone. So the batches are the same for
every cell, a run that was stopped and resumed reads what it would have read, and no measurement changes them.
The same run gives the same bits whatever number of threads torch is allowed, and in whichever thread it is run.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from itertools import islice
from typing import Any, NamedTuple, Never

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from gradlab.analyses.problem import refuse_too_large
from gradlab.analyses.traces import GradientTrace, trace
from gradlab.analyses.truncation import Schedule
from gradlab.settings.catalogue import bounds
from gradlab.settings.experiment import Experiment
from gradlab.settings.inputs import default_text
from gradlab.settings.meant import refuse_unknown_options
from gradlab.settings.step_sets import StepSet
from gradlab.settings.tasks import TASKS, Batch, Task, characters
from gradlab.settings.trained import Trained, Weights
from gradlab.training.divergence import Diverged, forward_divergence, gradient_divergence, weights_divergence
from gradlab.training.network import Network, Overflow, Tensors, back_propagated, loss_of, metric_of
from gradlab.training.recipe import Recipe, gradient_of

BATCHES, PROBE, NOISE = 100, 101, 102  # spawn keys of the seed, beyond those of gradlab.settings.drawing
MOST_SYMBOLS = bounds("input_size")[1]  # of a text too long to be a setting
DEFAULT = Recipe()


class Record(NamedTuple):
    """One update: what was measured of the weights as they were before it."""

    update: int  # updates done before this one, from 0
    loss: float  # of its batch
    metric: float  # accuracy, or bits per character
    gradient_norm: float  # of all parameters together, before clipping
    clipped_norm: float  # after clipping
    learning_rate: float
    trace: GradientTrace | None  # on the probe batch
    diverged: Diverged | None  # then the update was not made, and the run ends


class State(NamedTuple):
    """What a run has beside its experiment, task and recipe, between two updates, in arrays of its own."""

    done: int
    diverged: Diverged | None
    is_new: bool  # its next record has a trace, whatever the recipe
    network: dict[str, ndarray]  # the weights by name
    optimizer: dict[int, dict[str, ndarray]]  # by parameter, in the network's order


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch with the calling thread alone: sums over more are rounded otherwise, and at these sizes they are slower."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Run:
    """A network, its optimizer and how many updates were made.

    experiment   of which cell, depth, hidden_size, initialization, gain, forget_bias, seed, dtype, steps, batch_size
                 and truncation are read; the task decides inputs and loss
    task         a name in TASKS or a Task; "text" reads the Experiment's text
    """

    def __init__(self, experiment: Experiment, task: str | Task, recipe: Recipe | None = None):
        self.task = task_named(task, experiment)
        self.recipe = recipe or Recipe()
        self.experiment = fitted(experiment, self.task)
        refuse_too_large(self.experiment)
        self.schedule = Schedule.of(self.experiment)
        self.network = Network.from_experiment(self.experiment)
        self.parameters: list[Tensor] = list(self.network.parameters())
        self.optimizer = self.recipe.optimizer_of(self.parameters)
        self.done = 0
        self.diverged: Diverged | None = None
        self._is_new = True  # the first record has a trace, also of a run that is resumed
        self._measured: Record | None = None  # of the update that comes next

    @property
    def finished(self) -> bool:
        return self.diverged is not None or self.done >= self.recipe.updates

    @property
    def trained(self) -> Trained:
        """The run's Experiment with a copy of the present weights. Raises ValueError where they are not finite."""
        layers, readout = self.network.recurrent.stack.layers, self.network.numpy_readout
        weights = Weights.of(self.experiment, self.task, self.done, layers, readout)
        return Trained(weights, self.experiment)

    @property
    def state(self) -> State:
        """A copy of what `restore` continues from. What is measured of the next update is left out: it follows."""
        is_new = self._is_new or (self._measured is not None and self._measured.trace is not None)
        network = {name: value.numpy().copy() for name, value in self.network.state_dict().items()}
        optimizer = {
            number: {key: value.numpy().copy() for key, value in state.items() if isinstance(value, Tensor)}
            for number, state in self.optimizer.state_dict()["state"].items()
        }
        return State(self.done, self.diverged, is_new, network, optimizer)

    def restore(self, state: State) -> None:
        """Continues from a state of the same run: its next records are those of the run that has never stopped."""
        self.network.load_state_dict({name: torch.from_numpy(value) for name, value in state.network.items()})
        kept = {n: {key: torch.tensor(v) for key, v in values.items()} for n, values in state.optimizer.items()}
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": kept, "param_groups": groups})
        self.done, self.diverged, self._is_new, self._measured = state.done, state.diverged, state.is_new, None

    def records(self) -> Iterator[Record]:
        """One record per update, until the recipe's updates are made or the run diverges."""
        while not self.finished:
            yield self.update()

    def advance(self, updates: int) -> list[Record]:
        """Makes up to so many updates: their records."""
        return list(islice(self.records(), updates))

    def after(self, updates: int) -> Run:
        """The run itself, after up to so many updates more; as of one that is resumed, its next record has a trace."""
        self.advance(updates)
        self._is_new = True
        return self

    def batch(self, update: int) -> Batch:
        """The batch of an update, [T, B, …]."""
        return self._drawn((BATCHES, update), self.experiment.batch_size)

    def probe_batch(self) -> Batch:
        """The batch that every trace of this run is made on."""
        return self._drawn((PROBE,), self.recipe.probe_sequences)

    def update(self) -> Record:
        """Makes one update; after a divergence, none: the weights stay as they were."""
        record, self._measured = self.measured(), None
        if self.diverged is None:
            self._step()
        self.done += 0 if self.diverged else 1
        return record._replace(diverged=self.diverged)

    def measured(self) -> Record:
        """What the next update measures, before it is made."""
        self._measured = self._measured or self._measure()
        return self._measured

    @one_thread()
    def _measure(self) -> Record:
        """The record of the present weights; it leaves the clipped gradient in the parameters."""
        recipe, batch = self.recipe, self.network.tensors(self.batch(self.done))
        due = self._is_new or self.done + 1 >= recipe.updates or self.done % (recipe.trace_every or 1) == 0
        traced = self.trace() if due and recipe.trace_every is not None else None
        self._is_new = False
        self.optimizer.zero_grad()
        before = after = math.nan
        try:
            loss, scores = back_propagated(self.network, self.task, batch, self.schedule)
        except Overflow as overflow:
            loss, scores = self._loss(batch)
            self.diverged = Diverged(self.done, self.experiment.depth, overflow.step, "readout's gradient")
        metric = metric_of(self.task, loss, scores, batch)
        if not math.isfinite(loss):
            self.diverged = forward_divergence(self.done, self.network, self.task, batch)
        elif self.diverged is None:
            self.network.hold()
            before, after = recipe.clipped(self.parameters)
            if not math.isfinite(before):
                full = self.schedule.kind == "full"
                cotangents = self._cotangents(batch) / self.experiment.batch_size if full else None
                self.diverged = gradient_divergence(self.done, self.network, batch, cotangents)
        rate = self.optimizer.param_groups[0]["lr"]
        return Record(self.done, loss, metric, before, after, rate, traced, self.diverged)

    def _loss(self, batch: Tensors) -> tuple[float, Tensor]:
        """The loss and the scores, without gradients."""
        with torch.no_grad():
            scores, _ = self.network(batch.inputs)
            return float(loss_of(self.task, scores, batch.targets, batch.scored)), scores

    @one_thread()
    def trace(self) -> GradientTrace:
        """The full trace of the present weights on the probe batch, every sequence's own loss; nothing is changed."""
        batch = self.network.tensors(self.probe_batch())
        found = trace(self.network.recurrent.stack, batch.inputs, self._cotangents(batch))
        return replace(found, source=None)  # a run has many of them, all of one batch

    def _cotangents(self, batch: Tensors) -> Tensor:
        """∂ℓ_b/∂h_t of the top layer by the loss alone, ℓ_b being sequence b's own loss, [T, B, H]."""
        with torch.no_grad():
            h, _ = self.network.recurrent(batch.inputs)
        h.requires_grad_()
        loss = loss_of(self.task, self.network.readout(h), batch.targets, batch.scored)
        return torch.autograd.grad(h.shape[1] * loss, h)[0]

    @one_thread()
    def _step(self) -> None:
        if self.recipe.gradient_noise:
            noise = self._generator((NOISE, self.done))
            for parameter in self.parameters:
                drawn = self.recipe.gradient_noise * noise.standard_normal(parameter.shape)
                gradient_of(parameter).add_(torch.from_numpy(drawn).to(parameter.dtype))
            self.network.hold()
        kept = [parameter.detach().clone() for parameter in self.parameters]
        self.optimizer.step()
        self.diverged = weights_divergence(self.done, self.network)
        if self.diverged is not None:  # the last sound weights stay
            with torch.no_grad():
                for parameter, sound in zip(self.parameters, kept, strict=True):
                    parameter.copy_(sound)

    def _generator(self, key: tuple[int, ...]) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(self.experiment.seed, spawn_key=key))

    def _drawn(self, key: tuple[int, ...], sequences: int) -> Batch:
        return self.task.draw(self.experiment.steps, sequences, self._generator(key))


def train(
    experiment: Experiment,
    task: str | Task,
    *,
    updates: int = DEFAULT.updates,
    optimizer: str = DEFAULT.optimizer,
    learning_rate: float = DEFAULT.learning_rate,
    clip_norm: float | None = DEFAULT.clip_norm,
    clip_value: float | None = DEFAULT.clip_value,
    gradient_noise: float = DEFAULT.gradient_noise,
    trace_every: int | None = DEFAULT.trace_every,
    probe_sequences: int = DEFAULT.probe_sequences,
    **unknown: Never,
) -> Iterator[Record]:
    """Trains and yields one Record per update; the options are those of Recipe.

    The same arguments always give the same records. Hold a `Run` instead where the trained weights are wanted. Raises
    TypeError for an unknown option, with the one that may have been meant, and ValueError as Run and Recipe do.
    """
    refuse_unknown_options("train", unknown, (field.name for field in fields(Recipe)))
    recipe = Recipe(
        updates=updates,
        optimizer=optimizer,
        learning_rate=learning_rate,
        clip_norm=clip_norm,
        clip_value=clip_value,
        gradient_noise=gradient_noise,
        trace_every=trace_every,
        probe_sequences=probe_sequences,
    )
    return Run(experiment, task, recipe).records()


def task_named(task: str | Task, experiment: Experiment) -> Task:
    """The Task of a name. Raises ValueError for a name that is not in TASKS."""
    if isinstance(task, Task):
        return task
    if not isinstance(task, str) or task not in TASKS:
        raise ValueError(f"task = {task!r} is not allowed: use one of {', '.join(TASKS)}, or a Task")
    return characters(experiment.text) if task == "text" and experiment.text is not None else TASKS[task]


def fitted(experiment: Experiment, task: Task) -> Experiment:
    """The Experiment of a network that can do the task: its inputs, loss and readout have the task's sizes."""
    free = {"loss": "last", "loss_step": None, "loss_steps": None, "reads": None, "writes": None}
    steps = task.steps(experiment.steps)
    shorter = experiment.replace(**free, objective="direction").shortened(steps)
    scored = np.flatnonzero(task.draw(steps, 1, np.random.default_rng(0)).scored).tolist()
    loss = {"loss": "steps", "loss_steps": str(StepSet.of(range(step, step + 1) for step in scored))}
    if scored == [steps - 1]:
        loss = {"loss": "last"}
    elif len(scored) == steps:
        loss = {"loss": "every"}
    reads: dict[str, Any] = {"inputs": "noise", "input_size": task.input_size, "output_size": task.output_size}
    if task.text is not None:
        reads = {"inputs": "text", "text": None if task.text == default_text() else task.text}
    settings = {"steps": steps, "objective": task.objective, **loss, **reads}
    try:
        return shorter.replace(**settings)
    except ValueError:
        if task.text is None or task.input_size > MOST_SYMBOLS:
            raise
    # A text too long to be a setting: its vocabulary decides the sizes.
    sizes = {"inputs": "noise", "input_size": task.input_size, "output_size": task.output_size}
    return shorter.replace(**settings | {"text": None} | sizes)
