"""What is trained: a recurrent stack and a readout on its top layer; and the loss of a task's batch."""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from gradlab.analyses.truncation import Schedule
from gradlab.cells import CELLS
from gradlab.cells.contract import without
from gradlab.engine.recurrent import Recurrent
from gradlab.network.readout import Readout
from gradlab.network.stack import Stack, gate_rows
from gradlab.settings.drawing import readout_of
from gradlab.settings.experiment import Experiment
from gradlab.settings.tasks import Batch, Task
from gradlab.training.recipe import gradient_of


class Tensors(NamedTuple):
    """A Batch as the network takes it."""

    inputs: Tensor  # [T, B, X] in the network's dtype
    targets: Tensor  # [T, B] classes, or [T, B, Y] numbers
    scored: Tensor  # [T] bool


class Network(nn.Module):
    """`recurrent`, a Stack of the engine, and `readout`, o_t = V h_t + b_V; drawn as the Experiment says."""

    def __init__(self, stack: Stack, readout: Readout):
        super().__init__()
        self.recurrent = Recurrent(stack)
        V, b_V = (torch.from_numpy(np.array(part)) for part in readout)
        # No layer is built the usual way, which would draw from torch's global generator.
        self.readout = cast(nn.Linear, nn.utils.skip_init(nn.Linear, V.shape[1], V.shape[0], dtype=V.dtype))
        self.readout.weight, self.readout.bias = nn.Parameter(V), nn.Parameter(b_V)

    @classmethod
    def from_experiment(cls, experiment: Experiment) -> Network:
        return cls(Stack.from_experiment(experiment), readout_of(experiment))

    @property
    def layers(self) -> list[tuple[Tensor, ...]]:
        """The recurrent parameters of every layer: (W, U, b_W, b_U)."""
        return [cast(tuple[Tensor, ...], tuple(layer)) for layer in self.recurrent.layers]

    def hold(self) -> None:
        """Sets the gradient to zero where a cell reads no input or no recurrent state: these rows stay zero."""
        stack = self.recurrent
        cell, H = CELLS[stack.cell], stack.layers[0].U.shape[1]
        for W, U, _, b_U in self.layers:
            for weight, parts in (("W", (W,)), ("U", (U, b_U))):
                for gate in without(cell, weight):
                    for part in parts:
                        gradient_of(part)[gate_rows(stack.cell, gate, H)] = 0

    def forward(self, inputs: Tensor, initial_state=None) -> tuple[Tensor, object]:
        """inputs [T, B, X] -> (scores [T, B, Y], the recurrent stack's last states)"""
        h, state = self.recurrent(inputs, initial_state)
        return self.readout(h), state

    @property
    def numpy_readout(self) -> Readout:
        """A copy of the present readout."""
        return Readout(*(part.detach().numpy().copy() for part in (self.readout.weight, self.readout.bias)))

    def tensors(self, batch: Batch) -> Tensors:
        dtype = self.readout.weight.dtype
        targets = torch.from_numpy(np.array(batch.targets))
        if targets.is_floating_point():
            targets = targets.to(dtype)
        return Tensors(torch.from_numpy(batch.inputs).to(dtype), targets, torch.from_numpy(np.array(batch.scored)))


def loss_of(task: Task, scores: Tensor, targets: Tensor, scored: Tensor) -> Tensor:
    """The mean over scored steps and sequences, of squared errors or of cross-entropies in nats."""
    if task.objective == "squared_error":
        return functional.mse_loss(scores[scored], targets[scored])
    return functional.cross_entropy(scores[scored].flatten(0, 1), targets[scored].flatten())


def metric_of(task: Task, loss: float, scores: Tensor, batch: Tensors) -> float:
    """Bits per character, or the share of scored answers that are right: the likeliest class, or a close number."""
    if task.metric != "accuracy":
        return loss / math.log(2)
    answers, targets = scores[batch.scored], batch.targets[batch.scored]
    if task.objective == "squared_error":
        return float(((answers - targets).abs() < task.tolerance).double().mean())
    return float((answers.argmax(dim=-1) == targets).double().mean())


def back_propagated(network: Network, task: Task, batch: Tensors, schedule: Schedule) -> tuple[float, Tensor]:
    """Adds the loss's gradient to every parameter's `grad`, truncated as scheduled: (loss, scores [T, B, Y]).

    The state is carried across the spans of a schedule, the gradient is not. Raises Overflow.
    """
    T = len(batch.inputs)
    total = int(batch.scored.sum())
    parts, loss, known, state = [], 0.0, 0, None
    for span in schedule.spans(T):
        if known != span.first:
            with torch.no_grad():
                state = network(batch.inputs[known : span.first], state)[1]
        known = span.first
        h, last = network.recurrent(batch.inputs[span.first : span.end], state)
        if h.requires_grad:
            h.register_hook(partial(_refuse_overflow, span.first))
        scores = network.readout(h)
        scores = scores[span.first_loss - span.first :]
        parts.append(scores.detach())
        steps = slice(span.first_loss, span.end)
        if share := int(batch.scored[steps].sum()) / total:
            part = share * loss_of(task, scores, batch.targets[steps], batch.scored[steps])
            loss += float(part.detach())
            part.backward()
        if schedule.kind == "chunks":
            known, state = span.end, _detached(last)
    return loss, torch.cat(parts)


class Overflow(Exception):
    """What the readout passes down to the recurrent stack is not finite, at `step`, the latest one."""

    def __init__(self, step: int):
        super().__init__(step)
        self.step = step


def _refuse_overflow(first: int, h_bar: Tensor) -> None:
    """A hook on h [T, B, H] of the steps from `first` on, where the engine would refuse the gradient that it gets."""
    finite = torch.isfinite(h_bar).all(dim=2).all(dim=1)
    if not finite.all():
        raise Overflow(first + int(torch.nonzero(~finite)[-1]))


def _detached(state):
    return state.detach() if isinstance(state, Tensor) else tuple(part.detach() for part in state)
