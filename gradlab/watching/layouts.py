"""How a module's tensors lie, and copies of them as the engine reads them: steps first, a sample of the sequences."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from gradlab.watching.parts import RECURRENT


class Layout(NamedTuple):
    """One call's."""

    is_cell: bool  # one step: [B, X]
    batch_first: bool  # [B, T, X]
    is_batched: bool  # else there is no B anywhere
    packed: PackedSequence | None  # its indices
    chosen: Tensor | None  # [n] the sequences that are copied; all if None

    def sequence(self, tensor: Tensor) -> Tensor:
        """A copy [T, B, X] of an input, an output or its gradient; beyond a packed sequence's length it is 0."""
        tensor = tensor.detach()
        if self.packed is not None:
            tensor, _ = pad_packed_sequence(self.packed._replace(data=tensor))
        else:
            tensor = tensor if self.is_batched else tensor.unsqueeze(0 if self.is_cell else 1)
            if self.is_cell:
                tensor = tensor.unsqueeze(0)
            elif self.batch_first and self.is_batched:
                tensor = tensor.transpose(0, 1)
        return self._copied(tensor)

    def state(self, tensor: Tensor) -> Tensor:
        """A copy [L, B, H] of a state or its gradient."""
        tensor = tensor.detach()
        if not self.is_batched:
            tensor = tensor.unsqueeze(0 if self.is_cell else 1)
        return self._copied(tensor.unsqueeze(0) if self.is_cell else tensor)

    @property
    def lengths(self) -> Tensor | None:
        """Steps of each sequence copied, [B]; None where all have the same."""
        if self.packed is None:
            return None
        sizes, at = self.packed.batch_sizes, self.packed.unsorted_indices
        lengths = (sizes[:, None] > torch.arange(int(sizes[0]), device=sizes.device)).sum(dim=0)
        lengths = lengths if at is None else lengths[at.cpu()]
        lengths = lengths if self.chosen is None else lengths[self.chosen]
        return None if bool((lengths == lengths[0]).all()) else lengths

    def _copied(self, tensor: Tensor) -> Tensor:
        tensor = tensor.clone() if self.chosen is None else tensor.index_select(1, self.chosen.to(tensor.device))
        return tensor.contiguous().cpu()


def layout_of(module: nn.Module, inputs: Tensor | PackedSequence, sequences: int | None) -> Layout:
    """The layout of a call with these inputs, of which at most so many sequences are copied, evenly spread."""
    assert isinstance(module, RECURRENT)
    if isinstance(inputs, PackedSequence):
        return Layout(False, False, True, inputs, chosen_of(int(inputs.batch_sizes[0]), sequences))
    is_cell = isinstance(module, nn.RNNCellBase)
    is_batched = inputs.ndim == (2 if is_cell else 3)
    batch_first = bool(getattr(module, "batch_first", False))
    B = inputs.shape[0 if is_cell or batch_first else 1] if is_batched else 1
    return Layout(is_cell, batch_first, is_batched, None, chosen_of(B, sequences))


def chosen_of(count: int, sequences: int | None) -> Tensor | None:
    """Which of `count` sequences are looked at: at most so many, evenly spread; None for all."""
    if sequences is None or count <= sequences:
        return None
    return torch.linspace(0, count - 1, sequences).round().long()
