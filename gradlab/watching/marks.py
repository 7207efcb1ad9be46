"""`mark`: a tensor of a hand-written cell is followed by the gradient that autograd gives it.

Any tensors of any architecture have a trace in this way; it is autograd's, so that it ends where the precision does.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from gradlab.engine import log10_norms
from gradlab.watching import graph
from gradlab.watching.measured import MeasuredTrace

REASON = "the tensor was marked inside a loop that gradlab does not know"
_numbers = count()
_open: weakref.WeakSet[Marks] = weakref.WeakSet()  # a watch that nobody holds hears nothing


@dataclass(eq=False)
class Marked:
    """One sequence of marked tensors: what came back, by step."""

    name: str
    precision: str
    latest: int = -1  # the step marked last
    bars: dict[int, Tensor] = field(default_factory=dict)  # the sums over all backward passes
    number: int = field(default_factory=lambda: next(_numbers))

    @property
    def trace(self) -> MeasuredTrace:
        """Steps whose tensor got no gradient are not there."""
        at = np.array(sorted(self.bars))
        sizes = {len(_norms(self.bars[int(step)])) for step in at}
        if len(sizes) > 1:
            raise ValueError(
                f"{self.name} is marked with {max(sizes)} sequences at some steps and {min(sizes)} at others: mark "
                "tensors of the whole batch, or give sequences of another length another name"
            )
        norms = np.stack([_norms(self.bars[int(step)]) for step in at])
        return MeasuredTrace("marked", (self.name,), REASON, self.precision, at, norms[None, :, :, None], norms[-1])


class Marks:
    """What one watch noted of marked tensors, by name."""

    def __init__(self, most: int, scale: Callable[[], float]):
        self.sequences: dict[str, list[Marked]] = {}  # of which a gradient came back
        self.dropped: dict[str, set[int]] = {}  # the numbers of sequences that are no longer kept
        self._latest: dict[str, Marked] = {}
        self._most, self._scale = most, scale
        self._of_leaves: list[RemovableHandle] = []  # hooks of tensors that outlive the pass, such as parameters

    def open(self) -> None:
        """From now on `mark` is heard; what was noted before is dropped."""
        self.sequences.clear()
        self.dropped.clear()
        self._latest.clear()
        _open.add(self)

    def close(self) -> None:
        """No longer heard, and what comes back later is not noted; what was noted stays."""
        _open.discard(self)
        while self._of_leaves:
            self._of_leaves.pop().remove()

    def note(self, tensor: Tensor, name: str, step: int) -> None:
        """Notes a tensor: a step that does not follow the one before begins a new sequence."""
        marked = self._latest.get(name)
        if marked is None or step <= marked.latest:
            marked = self._latest[name] = Marked(name, str(tensor.dtype).removeprefix("torch."))
        marked.latest = step
        edge = graph.edge_of(tensor)
        if edge is not None:
            edge.node.register_prehook(partial(self._enter, marked, step, edge.number))
        else:
            hook = tensor.register_hook(lambda gradient: self._enter(marked, step, 0, (gradient,)))
            self._of_leaves.append(hook)

    def _enter(self, marked: Marked, step: int, number: int, gradients: tuple[Tensor | None, ...]) -> None:
        if self not in _open or (gradient := gradients[number]) is None:
            return
        kept, dropped = self.sequences.setdefault(marked.name, []), self.dropped.setdefault(marked.name, set())
        if marked.number in dropped:
            return
        if marked not in kept:
            kept.append(marked)
            kept.sort(key=lambda sequence: sequence.number)
            dropped |= {sequence.number for sequence in kept[: -self._most]}
            del kept[: -self._most]
        gradient = gradient.detach().to("cpu", torch.float64) / self._scale()
        before = marked.bars.get(step)
        marked.bars[step] = gradient if before is None else before + gradient


def _norms(bar: Tensor) -> ndarray:
    """log10 of the norm of each sequence's gradient, [B]."""
    return log10_norms(bar.reshape(bar.shape[0] if bar.ndim > 1 else 1, -1).numpy())


def mark(tensor: Tensor, name: str, step: int) -> Tensor:
    """Follows a tensor while a watch is open, and returns it: `h = gradlab.mark(cell(x, h), "h", t)` in a loop.

    tensor    the first axis is the batch where it has several
    name      what `flow.names` calls it
    step      of the sequence; one that does not rise begins the next pass

    `flow.trace(name)` is a `MeasuredTrace` of ∂L/∂(tensor) as autograd gives it: the total where later steps read the
    tensor. Zeros of the precision are marked as such. Without a watch, or a gradient, nothing happens.
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name} at step {step} is a {type(tensor).__name__}: mark one tensor at a time")
    if torch.is_grad_enabled() and tensor.requires_grad:
        for marks in list(_open):
            marks.note(tensor, name, int(step))
    return tensor
