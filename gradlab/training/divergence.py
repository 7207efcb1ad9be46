"""Where a training run left the floating-point range."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gradlab.analyses.traces import trace
from gradlab.settings.tasks import Task
from gradlab.training.network import Network, Tensors, loss_of
from gradlab.words.languages import N_, _

PLACES = {
    "state": N_("a state of layer {layer} overflows at step {step}"),
    "readout": N_("the readout's loss overflows at step {step}"),
    "readout's gradient": N_("what the readout passes down overflows at step {step}"),
    "gradient": N_("the gradient of layer {layer} overflows at step {step}"),
    "weights' gradient": N_("the gradient of the weights of layer {layer} overflows"),
    "readout's weights' gradient": N_("the gradient of the readout's weights overflows"),
    "weights": N_("the optimizer's step overflows the weights of layer {layer}"),
    "readout's weights": N_("the optimizer's step overflows the weights of the readout"),
}


class Diverged(NamedTuple):
    """Where a number that is not finite first arose; `layer` is the depth of the stack where it was the readout."""

    update: int
    layer: int
    step: int | None  # of the sequence; none for weights, which have none
    where: str  # a key of PLACES

    @classmethod
    def read(cls, values: object) -> Diverged:
        """From a list of its fields, as JSON keeps it. Raises ValueError for anything else."""
        kept: list[Any] = values if isinstance(values, list) and len(values) == 4 else [None] * 4
        update, layer, step, where = kept
        numbers = [update, layer] if step is None else [update, layer, step]
        if where not in [*PLACES] or not all(type(number) is int and number >= 0 for number in numbers):
            raise ValueError(f"diverged = {str(values)[:60]} is not allowed: update, layer, step and place are needed")
        return cls(update, layer, step, where)

    @property
    def sentence(self) -> str:
        place = _(PLACES[self.where]).format(layer=self.layer, step=self.step)
        text = _("Training diverged at update {update}: {place}. Lower the learning rate or clip the gradient.")
        return text.format(update=self.update, place=place)


def forward_divergence(update: int, network: Network, task: Task, batch: Tensors) -> Diverged:
    """Of a loss that is not finite: the first state that is not, or else the first step whose loss is not."""
    with torch.no_grad():
        h, _state = network.recurrent(batch.inputs)
        first = trace(network.recurrent.stack, batch.inputs, torch.zeros_like(h)).non_finite
        if first is not None:
            return Diverged(update, first.layer, first.step, "state")
        scores = network.readout(h)
        for step in torch.nonzero(batch.scored).flatten().tolist():
            scored = torch.tensor([True])
            if not torch.isfinite(loss_of(task, scores[step, None], batch.targets[step, None], scored)):
                return Diverged(update, network.recurrent.depth, step, "readout")
    return Diverged(update, network.recurrent.depth, len(batch.inputs) - 1, "readout")  # only their sum is too large


def gradient_divergence(update: int, network: Network, batch: Tensors, cotangents: Tensor | None) -> Diverged:
    """Of a gradient that is not finite while the loss is: the step, going back, at which it leaves the range.

    The engine's adjoint is scaled and goes on where the dtype's own numbers end, so its log10 norms tell. `cotangents`
    are of the batch's loss, none where it is truncated: then, and where only a sum over steps is too large, the first
    layer whose weights have a gradient that is not finite.
    """
    if cotangents is not None:
        traced = trace(network.recurrent.stack, batch.inputs, cotangents)
        if traced.non_finite is not None:
            return Diverged(update, traced.non_finite.layer, traced.non_finite.step, "gradient")
        norms = torch.from_numpy(traced.log10_norms).amax(dim=(2, 3))  # [L, T]
        limit = float(torch.log10(torch.tensor(torch.finfo(batch.inputs.dtype).max, dtype=torch.float64)))
        beyond = torch.nonzero((norms > limit).T)  # (step, layer), ordered by step
        if len(beyond):
            step, layer = beyond[-1].tolist()
            return Diverged(update, layer, step, "gradient")
    gradients = [[part.grad for part in layer] for layer in _layers(network)]
    return _first_not_finite(update, network, gradients, "weights' gradient")


def weights_divergence(update: int, network: Network) -> Diverged | None:
    """After an optimizer's step: the first layer whose weights are not finite, or None."""
    if all(bool(torch.isfinite(part).all()) for part in network.parameters()):
        return None
    return _first_not_finite(update, network, _layers(network), "weights")


def _layers(network: Network) -> list[tuple[Tensor, ...]]:
    """The parameters of every layer, and last the readout's."""
    return [*network.layers, tuple(network.readout.parameters())]


def _first_not_finite(update: int, network: Network, layers: list, what: str) -> Diverged:
    """Of gradients that are all finite, while their norm is not, the layer of the largest."""
    largest = [float(torch.stack([part.detach().abs().max() for part in layer]).max()) for layer in layers]
    beyond = [number for number, size in enumerate(largest) if not math.isfinite(size)]
    layer = beyond[0] if beyond else largest.index(max(largest))
    return Diverged(update, layer, None, what if layer < network.recurrent.depth else f"readout's {what}")
