"""What an Experiment feeds its stack: inputs, and at the loss steps a direction or a readout's gradient.

Weights, inputs, loss directions, readout and targets draw from separate generators of one seed, in float64, and are
cast afterwards: a change of the cell or of the precision changes none of the others. A trained one has the readout that
it learned, and reads batches of its task.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy import ndarray

from gradlab.network.readout import Read, Readout, drawn, drawn_targets, read
from gradlab.settings.experiment import Experiment
from gradlab.settings.inputs import INPUTS, vocabulary
from gradlab.settings.losses import LOSSES
from gradlab.settings.trained import Trained


class Streams(NamedTuple):
    """Separate generators of one seed, so that a change to what one draws leaves the others' draws alone."""

    weights: torch.Generator  # input weights and biases
    recurrent: torch.Generator  # recurrent weights
    inputs: np.random.Generator
    loss: np.random.Generator
    readout: np.random.Generator
    targets: np.random.Generator


def streams(seed: int) -> Streams:
    """The generators of a seed, each at its beginning."""
    sequences = [np.random.SeedSequence(seed, spawn_key=(key,)) for key in range(len(Streams._fields))]
    states = [int(sequence.generate_state(1)[0]) for sequence in sequences[:2]]  # torch's generator takes 32 bits
    return Streams(*(torch.Generator().manual_seed(s) for s in states), *map(np.random.default_rng, sequences[2:]))


def input_size_of(experiment: Experiment) -> int:
    """X: the setting `input_size`, or the size of the vocabulary where the input is text."""
    return len(vocabulary(experiment.text)) if experiment.inputs == "text" else experiment.input_size


def read_steps_of(experiment: Experiment) -> int:
    """How many leading steps have an input, by the sequence type; the others read zeros."""
    return LOSSES[experiment.loss].reads(experiment.steps, **experiment.placement)


def loss_steps_of(experiment: Experiment) -> ndarray:
    """The steps at which the loss enters, in order."""
    return np.array(LOSSES[experiment.loss].steps(experiment.steps, **experiment.placement))


def inputs_of(experiment: Experiment) -> ndarray:
    """What an Experiment's network reads, [T, B, X], in its dtype."""
    values = _signal(experiment, experiment.steps)
    values[read_steps_of(experiment) :] = 0
    return values.astype(experiment.dtype, copy=False)


def _signal(e: Experiment, steps: int) -> ndarray:
    if isinstance(e, Trained) and e.inputs != "text":
        return e.batch(steps, streams(e.seed).inputs).inputs
    own = {"text": e.text} if e.inputs == "text" else {}
    return INPUTS[e.inputs](steps, e.batch_size, input_size_of(e), streams(e.seed).inputs, **own)


def output_size_of(experiment: Experiment) -> int:
    """Y: the setting `output_size`, or the size of the vocabulary where the input is text."""
    return input_size_of(experiment) if experiment.inputs == "text" else experiment.output_size


def readout_of(experiment: Experiment) -> Readout:
    """The readout on the top layer's h, in the Experiment's dtype."""
    if isinstance(experiment, Trained):
        values = experiment.weights.readout
    else:
        values = drawn(output_size_of(experiment), experiment.hidden_size, streams(experiment.seed).readout)
    return Readout(*(part.astype(experiment.dtype, copy=False) for part in values))


def targets_of(experiment: Experiment) -> ndarray:
    """What the readout is to give, [T, B, Y], in its dtype: the task's own; of a text, its next character."""
    e = experiment
    if e.inputs == "text":
        values = _signal(e, e.steps + 1)[1:]
    elif isinstance(e, Trained):
        values = e.batch(e.steps, streams(e.seed).inputs).targets
        values = np.eye(output_size_of(e))[values] if e.objective == "cross_entropy" else values
    else:
        values = drawn_targets(e.objective, e.steps, e.batch_size, output_size_of(e), streams(e.seed).targets)
    return values.astype(e.dtype, copy=False)


def needs_states(experiment: Experiment) -> bool:
    """Whether the loss's gradient depends on the states, so that the forward pass comes first."""
    return experiment.objective != "direction" or LOSSES[experiment.loss].needs_states


def read_of(experiment: Experiment, states: ndarray) -> Read:
    """The readout's losses and gradients at the loss steps; states [.., B, H], the top layer's last ones at least."""
    at = loss_steps_of(experiment) - experiment.steps  # from the end
    return read(readout_of(experiment), experiment.objective, states[at], targets_of(experiment)[at])


def cotangents_of(experiment: Experiment, states: ndarray | None = None) -> ndarray:
    """∂L/∂h_t of the top layer by the loss alone, [T, B, H], in the Experiment's dtype; arguments as `entries_of`."""
    e = experiment
    entering = np.zeros((e.steps, e.batch_size, e.hidden_size), e.dtype)
    entering[loss_steps_of(e)] = entries_of(e, states)
    return entering


def entries_of(experiment: Experiment, states: ndarray | None = None) -> ndarray:
    """∂L/∂h_t of the top layer by the loss alone, at its m steps (`loss_steps_of`), [m, B, H], in the dtype.

    `states` are the top layer's h_t [T, B, H], of which those from the first loss step on are read; ValueError where
    the loss needs them and they are not given.
    """
    e = experiment
    if e.objective == "direction":
        shape = (len(loss_steps_of(e)), e.batch_size, e.hidden_size)
        return LOSSES[e.loss].entries(shape, streams(e.seed).loss, states).astype(e.dtype, copy=False)
    if states is None:
        raise ValueError(
            f"objective = {e.objective!r} needs the top layer's states [T, B, H]: run the forward pass first"
        )
    return read_of(e, states).cotangents.astype(e.dtype, copy=False)
