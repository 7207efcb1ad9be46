"""The masks that dropout between a module's layers has drawn: its random state played again.

Nothing else in a recurrent module draws, so that the state of torch's generator before the forward pass gives the same
masks once more. Whether it did is seen in the output: it has to be the module's to the last bit.
"""

from __future__ import annotations

from typing import Any

import torch
from numpy import ndarray
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from gradlab.network.modules import opened, weight_of

Read = Tensor | PackedSequence


def replay(
    module: nn.RNNBase,
    inputs: Read,
    output: Read | None = None,
    random_state: Tensor | None = None,
    initial_state: Tensor | tuple[Tensor, Tensor] | None = None,
) -> tuple[ndarray, ...]:
    """The masks of a forward pass, one [T, B, outputs] between two layers each: the factors 0 and 1 / (1 - dropout).

    inputs, initial_state    as the module was called with them
    output                   what it returned as its output sequence
    random_state             of torch's generator on the module's device before the call (`torch.get_rng_state()`)

    The module is not run, and torch's generators are left as they are. Raises ValueError where its layers one by one,
    with these masks between them, do not give the output bit by bit: the random state was another, or weights changed.
    """
    module = opened(module)  # type: ignore[assignment]
    if output is None or random_state is None:
        raise ValueError(
            "output and random_state are needed: random_state = torch.get_rng_state() before output, _ = module(inputs)"
        )
    device = next(module.parameters()).device
    on_gpu = [device] if device.type == "cuda" else []
    flat = output.data if isinstance(output, PackedSequence) else output
    with (
        torch.random.fork_rng(devices=on_gpu),
        torch.set_grad_enabled(flat.requires_grad),
    ):  # oneDNN's bits depend on it
        if on_gpu:
            torch.cuda.set_rng_state(random_state, device)
        else:
            torch.set_rng_state(random_state)
        masks = tuple(_drawn(module, inputs, output) for _ in range(module.num_layers - 1))
        _refuse_other(module, inputs, initial_state, masks, output)
    return tuple(_padded(module, mask, inputs) for mask in masks)


def _drawn(module: nn.RNNBase, inputs: Read, output: Read) -> Tensor:
    """One mask, in the order of memory in which the module draws it: steps first."""
    flat = output.data if isinstance(output, PackedSequence) else output
    if module.batch_first and not isinstance(output, PackedSequence):
        flat = flat.transpose(0, 1)
    return torch.dropout(torch.ones(flat.shape, dtype=flat.dtype, device=flat.device), module.dropout, True)


def _refuse_other(
    module: nn.RNNBase, inputs: Read, initial_state: Any, masks: tuple[Tensor, ...], output: Read
) -> None:
    """Raises ValueError unless the layers one by one, with these masks between them, give the output bit by bit."""
    packed = isinstance(inputs, PackedSequence)
    below = inputs.data if packed else inputs.transpose(0, 1) if module.batch_first else inputs
    directions = 2 if module.bidirectional else 1
    for number in range(module.num_layers):
        layer = _layer(module, number)
        start = None
        if initial_state is not None:
            parts = (initial_state,) if isinstance(initial_state, Tensor) else initial_state
            own = slice(directions * number, directions * (number + 1))
            picked = tuple(part[own].contiguous() for part in parts)
            start = picked[0] if isinstance(initial_state, Tensor) else picked
        below = below.detach()
        given = PackedSequence(below, *inputs[1:]) if isinstance(inputs, PackedSequence) else below
        above = layer(given, start)[0]
        below = above.data if isinstance(above, PackedSequence) else above
        if number < len(masks):
            below = below * masks[number]
    whole = output.data if isinstance(output, PackedSequence) else output
    found = below.transpose(0, 1) if module.batch_first and not packed else below
    if found.dtype != whole.dtype or not torch.equal(found, whole):
        raise ValueError(
            "dropout cannot be replayed: with the masks drawn again from this random state the module's layers do not "
            "give its output bit by bit. Take torch.get_rng_state() right before the forward pass, and replay before "
            "weights change; or call .eval() first, where no dropout is on"
        )


def _layer(module: nn.RNNBase, number: int) -> nn.RNNBase:
    """One layer as a module of its own, steps first, with the same weights."""
    directions = 2 if module.bidirectional else 1
    inputs = (module.proj_size or module.hidden_size) * directions if number else module.input_size
    options = {"nonlinearity": module.nonlinearity} if isinstance(module, nn.RNN) else {}
    if module.proj_size:
        options["proj_size"] = module.proj_size
    kind = next(base for base in (nn.LSTM, nn.GRU, nn.RNN) if isinstance(module, base))
    weight = next(module.parameters())
    layer = kind(
        inputs, module.hidden_size, bias=module.bias, bidirectional=module.bidirectional, device=weight.device,
        dtype=weight.dtype, **options,
    )  # fmt: skip
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            parameter.copy_(weight_of(module, name.replace("_l0", f"_l{number}")))
    return layer


def _padded(module: nn.RNNBase, mask: Tensor, inputs: Read) -> ndarray:
    """[T, B, outputs]; ones at steps that a packed sequence does not have."""
    if isinstance(inputs, PackedSequence):
        mask = pad_packed_sequence(PackedSequence(mask, *inputs[1:]), padding_value=1.0)[0]
    elif mask.ndim == 2:  # one sequence without a batch
        mask = mask[:, None]
    mask = mask.float() if mask.dtype in (torch.float16, torch.bfloat16) else mask
    return mask.cpu().numpy()
