"""Recipe: how a network is trained, as a frozen record whose values are checked."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from numbers import Real
from typing import Any, Self

import torch
from torch import Tensor
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from gradlab.settings.meant import refuse_unknown_options

OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {  # each with torch's defaults, but for the learning rate
    "adam": Adam,
    "adamw": AdamW,
    "rmsprop": RMSprop,
    "sgd": SGD,
    "momentum": partial(SGD, momentum=0.9),
}
BOUNDS: dict[str, tuple[float, float]] = {
    "updates": (1, 1_000_000),
    "learning_rate": (1e-8, 100),
    "clip_norm": (1e-8, 1e8),
    "clip_value": (1e-8, 1e8),
    "gradient_noise": (0, 100),
    "trace_every": (1, 1_000_000),
    "probe_sequences": (1, 256),
}
CAN_BE_NONE = ("clip_norm", "clip_value", "trace_every")
WHOLE = ("updates", "trace_every", "probe_sequences")


@dataclass(frozen=True)
class Recipe:
    """How a network is trained. Raises ValueError that names the setting, its value and what is allowed."""

    updates: int = 1000
    optimizer: str = "adam"  # one of OPTIMIZERS
    learning_rate: float = 3e-3
    clip_norm: float | None = 1.0  # of all parameters' gradients together; None: no clipping
    clip_value: float | None = None  # of every entry, after the norm; None: no clipping
    gradient_noise: float = 0.0  # standard deviation of noise added to every entry after clipping
    trace_every: int | None = None  # updates from one full trace to the next; None: no traces
    probe_sequences: int = 8  # of the batch that traces are made on

    def __new__(cls, *values: Any, **options: Any) -> Self:
        refuse_unknown_options(cls.__name__, options, cls.__dataclass_fields__)
        return super().__new__(cls)

    def __post_init__(self) -> None:
        if not isinstance(self.optimizer, str) or self.optimizer not in OPTIMIZERS:
            raise ValueError(f"optimizer = {self.optimizer!r} is not allowed: use one of {', '.join(OPTIMIZERS)}")
        for name, (low, high) in BOUNDS.items():
            value = getattr(self, name)
            if value is None and name in CAN_BE_NONE:
                continue
            number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
            if not low <= number <= high or (name in WHOLE and not number.is_integer()):
                kind = "a whole number" if name in WHOLE else "a number"
                none = ", or None" if name in CAN_BE_NONE else ""
                raise ValueError(f"{name} = {value!r} is not allowed: use {kind} from {low:g} to {high:g}{none}")
            object.__setattr__(self, name, int(number) if name in WHOLE else number)

    def optimizer_of(self, parameters: Iterable[Tensor]) -> Optimizer:
        return OPTIMIZERS[self.optimizer](parameters, lr=self.learning_rate)

    def clipped(self, parameters: list[Tensor]) -> tuple[float, float]:
        """Clips the gradients in place, as torch does: (their norm before, their norm after).

        By global norm g ← g θ/‖g‖ where ‖g‖ > θ, which keeps the direction (Pascanu et al. 2013, algorithm 1).
        """
        before = norm_of(parameters)
        if not math.isfinite(before):
            return before, math.nan
        after = before
        if self.clip_norm is not None and before > self.clip_norm:
            torch.nn.utils.clip_grads_with_norm_(parameters, self.clip_norm, torch.tensor(before, dtype=torch.float64))
            after = norm_of(parameters)
        if self.clip_value is not None:
            torch.nn.utils.clip_grad_value_(parameters, self.clip_value)
            after = norm_of(parameters)
        return before, after


def norm_of(parameters: list[Tensor]) -> float:
    """The norm of all gradients together, in float64 and of numbers near 1: squares of float32 end at 1e±19.

    Not finite where a gradient is not, or where the norm itself is beyond float64.
    """
    gradients = [gradient_of(parameter).double() for parameter in parameters]
    norm = float(torch.nn.utils.get_total_norm(gradients))
    if 1e-100 < norm < 1e100:
        return norm
    largest = max(float(torch.linalg.vector_norm(gradient, torch.inf)) for gradient in gradients)
    if largest == 0 or not math.isfinite(largest):
        return largest
    return largest * float(torch.nn.utils.get_total_norm([gradient / largest for gradient in gradients]))


def gradient_of(parameter: Tensor) -> Tensor:
    """The gradient that back-propagation left in a parameter."""
    if parameter.grad is None:
        raise ValueError("a parameter has no gradient: back-propagate first")
    return parameter.grad
