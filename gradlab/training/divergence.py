"""Where a training run left the floating-point range."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from gradlab.tasks import Task
from gradlab.traces import trace
from gradlab.training.network import Network, Tensors, loss_of


class Diverged(NamedTuple):
    """Where a number that is not finite first arose; `layer` is the depth of the stack where it was the readout."""

    update: int
    layer: int
    step: int | None  # of the sequence; none for weights, which have none
    where: str  # "state" | "readout" | "gradient" | "weights" | "readout's weights"

    @property
    def sentence(self) -> str:
        place = {
            "state": f"a state of layer {self.layer} overflows at step {self.step}",
            "readout": f"the readout's loss overflows at step {self.step}",
            "gradient": f"the gradient of layer {self.layer} overflows at step {self.step}",
            "weights": f"the optimizer's step overflows the weights of layer {self.layer}",
            "readout's weights": "the optimizer's step overflows the weights of the readout",
        }[self.where]
        return f"Training diverged at update {self.update}: {place}. Lower the learning rate or clip the gradient."


def forward_divergence(update: int, network: Network, task: Task, batch: Tensors) -> Diverged:
    """Of a loss that is not finite: the first state that is not, or else the first step whose loss is not."""
    with torch.no_grad():
        h, _ = network.recurrent(batch.inputs)
        first = trace(network.recurrent.stack, batch.inputs, torch.zeros_like(h)).non_finite
        if first is not None:
            return Diverged(update, first.layer, first.step, "state")
        scores = network.readout(h)
        for step in torch.nonzero(batch.scored).flatten().tolist():
            one = torch.tensor([True])
            if not torch.isfinite(loss_of(task, scores[step, None], batch.targets[step, None], one)):
                return Diverged(update, network.recurrent.depth, step, "readout")
    return Diverged(update, network.recurrent.depth, len(batch.inputs) - 1, "readout")  # only their sum is too large


def gradient_divergence(update: int, network: Network, batch: Tensors, cotangents: Tensor) -> Diverged:
    """Of a gradient that is not finite while the loss is: the step, going back, at which it leaves the range.

    The engine's adjoint is scaled and goes on where the dtype's own numbers end, so its log10 norms tell.
    """
    found = trace(network.recurrent.stack, batch.inputs, cotangents)
    if found.non_finite is not None:
        return Diverged(update, found.non_finite.layer, found.non_finite.step, "gradient")
    norms = torch.from_numpy(found.log10_norms).amax(dim=(2, 3))  # [L, T]
    limit = float(torch.log10(torch.tensor(torch.finfo(batch.inputs.dtype).max, dtype=torch.float64)))
    beyond = torch.nonzero((norms > limit).T)  # (step, layer), ordered by step
    step, layer = beyond[-1].tolist() if len(beyond) else divmod(int(norms.T.argmax()), norms.shape[0])
    return Diverged(update, layer, step, "gradient")


def weights_divergence(update: int, network: Network) -> Diverged | None:
    """After an optimizer's step: the first layer whose weights are not finite, or None."""
    parts = [*network.recurrent.layers, tuple(network.readout.parameters())]
    for number, layer in enumerate(parts):
        if not all(bool(torch.isfinite(part).all()) for part in layer):
            where = "weights" if number < network.recurrent.depth else "readout's weights"
            return Diverged(update, number, None, where)
    return None
