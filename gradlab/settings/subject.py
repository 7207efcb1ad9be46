"""Subject: what an analysis is about, of any kind: settings, a training run, a network of the caller.

Analyses and pages ask a subject and never which kind it is. An `Experiment` is a subject, a `Trained` is another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self, TypeGuard

from numpy import ndarray

from gradlab.engine import Cotangents, Size
from gradlab.network.stack import Stack

if TYPE_CHECKING:
    from gradlab.settings.experiment import Experiment


class Subject(Protocol):
    """A network, what it reads, and what its loss injects. Frozen and hashable; nothing is made before it is asked."""

    @property
    def settings(self) -> Experiment:
        """The settings that describe it: sizes, loss placement, truncation, precision, seed."""
        ...

    @property
    def title(self) -> str:
        """What a page calls it."""
        ...

    @property
    def key(self) -> str:
        """Equal for equal subjects alone: a cache key."""
        ...

    @property
    def code(self) -> str:
        """A Python expression that makes the subject again."""
        ...

    @property
    def size(self) -> Size:
        """What decides the cost of one forward pass and one adjoint, known before anything is made."""
        ...

    @property
    def injection_steps(self) -> ndarray:
        """The steps at which the loss enters, in order, [m]."""
        ...

    @property
    def loss_bytes(self) -> int:
        """Memory that the injected gradients take beside a sweep."""
        ...

    def network(self, dtype: str | None = None) -> Stack:
        """The weights, in another precision if named."""
        ...

    def sequence(self) -> ndarray:
        """What the network reads, [T, B, X], in its dtype."""
        ...

    def injected(self, stack: Stack, inputs: ndarray) -> Cotangents:
        """∂L/∂h_t of the top layer by the loss alone, where it is not zero."""
        ...

    def initial_state(self) -> tuple[ndarray, ...]:
        """The states before the first step, one [L, B, H] each, or none for zeros."""
        ...

    def unused(self) -> frozenset[str]:
        """The settings that change nothing here."""
        ...

    def replace(self, **changes: Any) -> Self:
        """The same subject with some settings changed. Raises ValueError for settings that do not fit."""
        ...

    def shortened(self, steps: int) -> Self:
        """The same subject over at most so many steps."""
        ...

    def excerpt(self, steps: int, sequences: int, dtype: str | None) -> Self:
        """The same subject over so many steps of so many sequences, in another precision if named."""
        ...

    def reading(self, names: frozenset[str]) -> Self:
        """The same subject with every setting that is not among `names`, or changes nothing, at its default."""
        ...

    def record(self) -> dict[str, Any]:
        """Every setting as JSON keeps it, for the record that exported files carry."""
        ...


def is_subject(value: Any) -> TypeGuard[Subject]:
    return hasattr(type(value), "network") and hasattr(type(value), "key")
