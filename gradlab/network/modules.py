"""What a torch module holds: the weights of its layers, read without changing anything in it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from gradlab.network.layer import DTYPES, PYTORCH_NAMES, Layer

HALF = ("float16", "bfloat16")
RECURRENT = (nn.LSTM, nn.GRU, nn.RNN, nn.LSTMCell, nn.GRUCell, nn.RNNCell)
KINDS = "nn.RNN, nn.LSTM, nn.GRU, nn.RNNCell, nn.LSTMCell or nn.GRUCell"


class Held(NamedTuple):
    """One layer in one direction."""

    layer: Layer  # U is [G·H, P] where there is a projection
    reverse: bool = False
    projection: ndarray | None = None  # [P, H]


class Reading(NamedTuple):
    """A module's layers, lowest first, forward before reverse."""

    kind: str  # the name of its class
    cell: str
    levels: tuple[tuple[Held, ...], ...]
    batch_first: bool
    precision: str  # "float16" or "bfloat16", "" for others, which are copied as they are
    dropout: float  # that is on between layers
    fixed: frozenset[str]  # why lines that change a module's parameters, or call it, may not do: as `Stack.fixed`


def read(module: nn.Module) -> Reading:
    """The layers of a recurrent module of torch's, in float32 where it is of half precision.

    Wrappers (`DataParallel`, `torch.compile`) are opened. Raises TypeError and ValueError as `Stack.from_torch` does.
    """
    module = opened(module)
    base = _base_of(module)
    several = isinstance(module, nn.RNNBase)
    suffixes = [[f"_l{number}"] for number in range(module.num_layers)] if several else [[""]]
    if several and module.bidirectional:
        suffixes = [[suffix, f"{suffix}_reverse"] for (suffix,) in suffixes]
    _refuse_stale(module)
    precisions = {_precision_of(module, f"weight_hh{suffix}") for level in suffixes for suffix in level}
    dropout = float(module.dropout) if several and module.training and module.num_layers > 1 else 0.0
    return Reading(
        type(module).__name__,
        _cell_of(module, base),
        tuple(tuple(_held(module, suffix) for suffix in level) for level in suffixes),
        bool(getattr(module, "batch_first", False)),
        next((precision for precision in precisions if precision in HALF), ""),
        dropout,
        _fixed(module, [suffix for level in suffixes for suffix in level]),
    )


def _fixed(module: nn.Module, suffixes: list[str]) -> frozenset[str]:
    """What a module lacks of an nn.LSTM as it is made: parameters of its own, a sequence read by one call."""
    held = {
        kind: [module._parameters.get(f"{kind}{suffix}") for suffix in suffixes] for kind in ("bias_ih", "weight_hh")
    }
    lacks = {kind for kind, parameters in held.items() if any(parameter is None for parameter in parameters)}
    shared = any(len({id(parameter) for parameter in of_kind}) < len(of_kind) for of_kind in held.values())
    steps = isinstance(module, nn.RNNCellBase)
    return frozenset(lacks | ({"shared"} if shared and not lacks else set()) | ({"steps"} if steps else set()))


def opened(module: nn.Module) -> nn.Module:
    """The module inside of wrappers that leave its equations as they are."""
    while isinstance(module, nn.Module):
        if isinstance(inner := getattr(module, "_orig_mod", None), nn.Module):  # torch.compile
            module = inner
        elif isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
            module = module.module
        else:
            break
    return module


def recurrent_parts(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Path and module of every recurrent module of torch's inside of a model, quantized and scripted ones too."""
    for path, part in model.named_modules():
        if path and (isinstance(part, RECURRENT) or _is_quantized(part)):
            yield path, part


def _is_quantized(module: nn.Module) -> bool:
    kind = type(module)
    return "quantiz" in kind.__module__ and any(name in kind.__name__ for name in ("LSTM", "GRU", "RNN"))


def _base_of(module: nn.Module) -> type[nn.Module]:
    """The class of torch's that the module is. Raises TypeError for what is none, or has equations of its own."""
    kind = type(module).__name__
    if isinstance(module, torch.jit.ScriptModule):
        raise TypeError(
            f"{kind} is scripted, and its weights tell nothing of its code: pass the module it was made from"
        )
    if isinstance(module, nn.Module) and _is_quantized(module):
        raise TypeError(
            f"{kind} is quantized, and no gradient passes whole numbers: pass the float module it was made from"
        )
    base = next((base for base in RECURRENT if isinstance(module, base)), None)
    if base is None:
        parts = (
            [f".{path} ({type(part).__name__})" for path, part in recurrent_parts(module)]
            if isinstance(module, nn.Module)
            else []
        )
        held = f"; it holds {', '.join(parts)}: pass one of these, or the whole to gradlab.watch" if parts else ""
        raise TypeError(f"{kind} is not a recurrent module gradlab knows: pass an {KINDS}{held}")
    if type(module).forward is not base.forward or "forward" in vars(module):
        raise TypeError(
            f"{kind} is an nn.{base.__name__} with a forward of its own, which its weights do not tell: pass a plain "
            f"nn.{base.__name__} with them (load_state_dict) if it computes the same, or use gradlab.mark in its loop"
        )
    return base


def _cell_of(module: nn.Module, base: type[nn.Module]) -> str:
    if base in (nn.LSTM, nn.LSTMCell):
        return "lstm"
    if base in (nn.GRU, nn.GRUCell):
        return "gru"
    return {"tanh": "rnn", "relu": "rnn_relu"}[str(module.nonlinearity)]


def _refuse_stale(module: nn.Module) -> None:
    """Raises ValueError where torch's old weight_norm or spectral_norm has not yet made a weight of its new parts."""
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, BasePruningMethod):
            with torch.no_grad():
                name, fresh = hook._tensor_name, hook.apply_mask(module)
            if not torch.equal(fresh, getattr(module, name)):
                raise ValueError(
                    f"{name} is stale: it was trained since the last forward pass, in which torch.nn.utils.prune makes "
                    "it. Run the module once, or make the pruning permanent with torch.nn.utils.prune.remove"
                )
        if not isinstance(hook, WeightNorm | SpectralNorm):
            continue
        with torch.no_grad():
            by_norm = isinstance(hook, WeightNorm)
            fresh = hook.compute_weight(module) if by_norm else hook.compute_weight(module, do_power_iteration=False)
        if not torch.allclose(fresh, getattr(module, hook.name), rtol=1e-6, atol=0):
            new = "weight_norm" if by_norm else "spectral_norm"
            raise ValueError(
                f"{hook.name} is stale: its parts have changed since the last forward pass, in which "
                f"torch.nn.utils.{new} makes it. Run the module once, or use torch.nn.utils.parametrizations.{new}"
            )


def weight_of(module: nn.Module, name: str) -> Tensor:
    """A weight. One that is parametrized is made by a copy, since making it may change what it is made of."""
    if not parametrize.is_parametrized(module, name):
        return getattr(module, name)
    with torch.no_grad():
        return copy.deepcopy(module.get_submodule(f"parametrizations.{name}")).eval()()


def _precision_of(module: nn.Module, name: str) -> str:
    return str(weight_of(module, name).dtype).removeprefix("torch.")


def _held(module: nn.Module, suffix: str) -> Held:
    def array(name: str) -> ndarray:
        tensor = weight_of(module, name + suffix)
        if tensor.is_meta:
            raise ValueError(f"{name}{suffix} is on the meta device and has no values: load the weights first")
        dtype = str(tensor.dtype).removeprefix("torch.")
        if dtype not in (*DTYPES, *HALF):
            raise ValueError(f"{name}{suffix} has dtype {tensor.dtype}: call .float() or .double() first")
        tensor = tensor.detach().cpu()
        return (tensor.float() if dtype in HALF else tensor).numpy().copy()

    W, U = (array(PYTORCH_NAMES[name]) for name in ("W", "U"))
    has_bias = getattr(module, PYTORCH_NAMES["b_W"] + suffix, None) is not None
    b_W, b_U = (array(PYTORCH_NAMES[name]) if has_bias else np.zeros(len(U), U.dtype) for name in ("b_W", "b_U"))
    projection = array("weight_hr") if getattr(module, "proj_size", 0) else None
    return Held(Layer(W, U, b_W, b_U), suffix.endswith("_reverse"), projection)
