"""What settings draw: weights, inputs, and at the loss steps a direction or a readout's gradient.

Weights, inputs, loss directions, readout and targets draw from separate generators of one seed, in float64, and are
cast afterwards: a change of the cell or of the precision changes none of the others.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy import ndarray

from gradlab.cells import CELLS
from gradlab.cells.contract import keep_gate_of, without
from gradlab.engine import Cotangents, Size, Sweep, checkpoint
from gradlab.network.readout import Read, Readout, drawn, drawn_targets, read
from gradlab.network.stack import Layer, Stack
from gradlab.settings.catalogue import Fields
from gradlab.settings.conflicts import bias_to_keep, placement
from gradlab.settings.initializations import INITIALIZATIONS, LayerShape, with_bias
from gradlab.settings.inputs import INPUTS, vocabulary
from gradlab.settings.losses import LOSSES


class Source(Protocol):
    """Where the values come from that settings name: drawn from the seed, or a task's."""

    @property
    def settings(self) -> Fields: ...

    def signal(self, steps: int) -> ndarray:
        """What the network would read over so many steps, [steps, B, X], in float64."""
        ...

    def readout(self) -> Readout:
        """The readout on the top layer's h, in float64."""
        ...

    def targets(self) -> ndarray:
        """What the readout is to give, [T, B, Y], in float64."""
        ...


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
    weights, recurrent = (torch.Generator().manual_seed(state) for state in states)
    return Streams(weights, recurrent, *map(np.random.default_rng, sequences[2:]))


# Sizes and steps, known before anything is drawn


def input_size_of(e: Fields) -> int:
    """X: the setting `input_size`, or the size of the vocabulary where the input is text."""
    return len(vocabulary(e.text)) if e.inputs == "text" else e.input_size


def output_size_of(e: Fields) -> int:
    """Y: the setting `output_size`, or the size of the vocabulary where the input is text."""
    return input_size_of(e) if e.inputs == "text" else e.output_size


def size_of(e: Fields) -> Size:
    """What decides the cost of an Experiment's trace."""
    return Size(e.cell, e.depth, e.hidden_size, input_size_of(e), e.steps, e.batch_size, e.batch_size, e.dtype)


def read_steps_of(e: Fields) -> int:
    """How many leading steps have an input, by the sequence type; the others read zeros."""
    return LOSSES[e.loss].reads(e.steps, placement(e))


def loss_steps_of(e: Fields) -> ndarray:
    """The steps at which the loss enters, in order."""
    return np.array(LOSSES[e.loss].steps(e.steps, placement(e)))


def needs_states(e: Fields) -> bool:
    """Whether the loss's gradient depends on the states, so that the forward pass comes first."""
    return e.objective != "direction" or LOSSES[e.loss].needs_states


def loss_bytes_of(e: Fields) -> int:
    """What the loss's entries need beside the sweep; where they depend on states, those and the readout's scores."""
    item, steps = np.dtype(e.dtype).itemsize, loss_steps_of(e)
    entries = len(steps) * e.batch_size * (item * e.hidden_size + 16)
    if not needs_states(e) or steps[0] == e.steps - 1:
        return entries
    return entries + e.steps * e.batch_size * item * (2 * e.hidden_size + 4 * output_size_of(e))


# What a seed draws


def drawn_stack(e: Fields, dtype: str | None = None) -> Stack:
    """The stack that settings describe, in another precision if named: the same settings give the same weights."""
    random = streams(e.seed)
    return Stack(e.cell, tuple(_drawn_layer(e, number, random, dtype or e.dtype) for number in range(e.depth)))


def _drawn_layer(e: Fields, number: int, random: Streams, dtype: str) -> Layer:
    """One layer by the initialization's law, with the keep-gate bias set and zeros for what the cell does not read."""
    checkpoint()  # the law of a wide layer takes seconds
    columns = e.hidden_size if number else input_size_of(e)
    law = INITIALIZATIONS[e.initialization]
    length = e.steps if reads_length(e) else None
    shape = LayerShape(e.cell, e.hidden_size, columns, length, e.gain, number, e.depth)
    bias, gate = bias_to_keep(e), keep_gate_of(CELLS[e.cell])
    if bias is not None and gate is not None:
        law = with_bias(law, gate[0], gate[1] * bias)
    layer = Layer(*(np.array(part, np.float64) for part in law(shape, random)))
    for gate in without(CELLS[e.cell], "W"):
        layer.W[shape.rows(gate)] = 0
    for gate in without(CELLS[e.cell], "U"):
        layer.U[shape.rows(gate)], layer.b_U[shape.rows(gate)] = 0, 0
    return Layer(*(part.astype(dtype, copy=False) for part in layer))


def reads_length(e: Fields) -> bool:
    """Whether the initialization's law reads the length of the sequence, so that the weights depend on it."""
    return getattr(INITIALIZATIONS[e.initialization], "reads_length", False)


def drawn_signal(e: Fields, steps: int) -> ndarray:
    """The input that settings name, over so many steps, [steps, B, X], in float64."""
    generator = streams(e.seed).inputs
    if e.inputs == "text":
        return INPUTS["text"](steps, e.batch_size, input_size_of(e), generator, text=e.text)
    return INPUTS[e.inputs](steps, e.batch_size, input_size_of(e), generator)


def drawn_readout(e: Fields) -> Readout:
    """A readout as PyTorch draws it."""
    return drawn(output_size_of(e), e.hidden_size, streams(e.seed).readout)


def drawn_targets_of(e: Fields) -> ndarray:
    """Targets [T, B, Y]: of a text its next character."""
    if e.inputs == "text":
        return drawn_signal(e, e.steps + 1)[1:]
    return drawn_targets(e.objective, e.steps, e.batch_size, output_size_of(e), streams(e.seed).targets)


# What a network reads and what its loss injects, wherever the values come from


def inputs_of(source: Source) -> ndarray:
    """What the network reads, [T, B, X], in its dtype."""
    e = source.settings
    values = source.signal(e.steps)
    values[read_steps_of(e) :] = 0
    return values.astype(e.dtype, copy=False)


def readout_of(source: Source) -> Readout:
    """The readout on the top layer's h, in the settings' dtype."""
    return Readout(*(part.astype(source.settings.dtype, copy=False) for part in source.readout()))


def targets_of(source: Source) -> ndarray:
    """What the readout is to give, [T, B, Y], in the settings' dtype."""
    return source.targets().astype(source.settings.dtype, copy=False)


def read_of(source: Source, states: ndarray) -> Read:
    """The readout's losses and gradients at the loss steps; states [.., B, H], the top layer's last ones at least."""
    e = source.settings
    at = loss_steps_of(e) - e.steps  # from the end
    return read(readout_of(source), e.objective, states[at], targets_of(source)[at])


def entries_of(source: Source, states: ndarray | None = None) -> ndarray:
    """∂L/∂h_t of the top layer by the loss alone, at its m steps (`loss_steps_of`), [m, B, H], in the dtype.

    `states` are the top layer's h_t [T, B, H], of which those from the first loss step on are read; ValueError where
    the loss needs them and they are not given.
    """
    e = source.settings
    if e.objective == "direction":
        shape = (len(loss_steps_of(e)), e.batch_size, e.hidden_size)
        return LOSSES[e.loss].entries(shape, streams(e.seed).loss, states).astype(e.dtype, copy=False)
    if states is None:
        raise ValueError(
            f"objective = {e.objective!r} needs the top layer's states [T, B, H]: run the forward pass first"
        )
    return read_of(source, states).cotangents.astype(e.dtype, copy=False)


def cotangents_of(source: Source, states: ndarray | None = None) -> ndarray:
    """∂L/∂h_t of the top layer by the loss alone, [T, B, H], in the dtype; arguments as `entries_of`."""
    e = source.settings
    entering = np.zeros((e.steps, e.batch_size, e.hidden_size), e.dtype)
    entering[loss_steps_of(e)] = entries_of(source, states)
    return entering


def injected_by(source: Source, stack: Stack, inputs: ndarray) -> Cotangents:
    """The same as entries; those of exactly zero are left out. A forward pass comes first where the loss needs it."""
    values = entries_of(source, _states_read(source.settings, stack, inputs))
    m, B, H = values.shape
    steps, at = np.repeat(loss_steps_of(source.settings), B), np.tile(np.arange(B), m)
    values = values.reshape(m * B, H)
    enters = values.any(axis=1)
    if not enters.all():
        steps, at, values = steps[enters], at[enters], values[enters]
    return Cotangents(steps, at, values, B)


def _states_read(e: Fields, stack: Stack, inputs: ndarray) -> ndarray | None:
    """The top layer's h that the loss reads, from its first step on at least; None where it reads none."""
    if not needs_states(e):
        return None
    run = Sweep(stack, inputs)
    run.forward()
    if loss_steps_of(e)[0] == e.steps - 1:
        return run.last_states[-1, :, 0][None]
    return run.top_h()
