"""The recurrent parts of a model, by their paths, with wrappers opened."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from gradlab.engine.recurrent import Recurrent

RECURRENT = (nn.RNNBase, nn.RNNCellBase, Recurrent)
PARALLEL = (nn.DataParallel, nn.parallel.DistributedDataParallel)
WANTED = "nn.RNN, nn.LSTM, nn.GRU, one of their cells, or gradlab.recurrent.Recurrent"


def parts_of(model: nn.Module) -> dict[str, nn.Module]:
    """Recurrent parts by path, in the order of the model's modules; a part that is reached twice by its first path.

    `DataParallel` and `torch.compile` wrappers leave no name in a path. A model that is itself a recurrent part is
    called by its class, "lstm". Raises TypeError for what is no nn.Module, or is scripted.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"{type(model).__name__} is no torch.nn.Module: pass the model that is trained")
    parts: dict[str, nn.Module] = {}
    for path, part in _inside(opened(model), ""):
        if not any(part is known for known in parts.values()):
            parts[path or type(part).__name__.lower()] = part
    return parts


def opened(module: nn.Module) -> nn.Module:
    """The module inside wrappers. Raises TypeError for a scripted one, whose steps cannot be seen."""
    while True:
        if isinstance(module, torch.jit.ScriptModule):
            raise TypeError(
                f"{module.original_name} is scripted or traced, and runs outside of Python: watch the module that was "
                "given to torch.jit"
            )
        if isinstance(module, PARALLEL):
            module = module.module
        elif isinstance(inner := getattr(module, "_orig_mod", None), nn.Module):  # torch.compile
            module = inner
        else:
            return module


def _inside(module: nn.Module, path: str) -> Iterator[tuple[str, nn.Module]]:
    if isinstance(module, RECURRENT):
        yield path, module
        return
    for name, child in module.named_children():
        yield from _inside(opened(child), f"{path}.{name}" if path else name)


def nothing_recurrent(model: nn.Module) -> str:
    """What to say of a model without recurrent parts."""
    quantized = [name for name, part in model.named_modules() if "quantized" in type(part).__module__]
    hint = f" .{quantized[0]} is quantized and has no gradient: watch the model before it is." if quantized else ""
    return (
        f"{type(model).__name__} has no recurrent part, which is an {WANTED}.{hint} "
        'A hand-written cell is followed by gradlab.mark(h, "h", step) inside its loop.'
    )
