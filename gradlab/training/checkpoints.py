"""A run as one file: safetensors with its Experiment, task and recipe in the metadata. Resumed, it does not differ.

Batches follow from the seed and the number of updates done, so weights and the optimizer's state are all there is to
keep. What is read may come from anybody: nothing in it is executed, and everything is checked before it is used.
"""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from gradlab.cells import CELLS
from gradlab.settings.experiment import Experiment, shown
from gradlab.settings.tasks import TASKS, Task, characters
from gradlab.training import Diverged, Recipe, Run

FORMAT = "gradlab run 1"
MOST_BYTES = 2**28
MOST_HEADER_BYTES = 2**23
MOST_TENSORS = 4096


def save(run: Run) -> bytes:
    """The run as safetensors: `network.*` weights, `optimizer.<parameter>.<key>` state, the rest in the metadata."""
    tensors = {f"network.{name}": value for name, value in run.network.state_dict().items()}
    for number, state in run.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{key}": value for key, value in state.items() if isinstance(value, Tensor)}
    about = {
        "format": FORMAT,
        "experiment": run.experiment.model_dump(mode="json"),
        "task": run.task.name,
        "text": run.task.text,
        "recipe": dataclasses.asdict(run.recipe),
        "updates_done": run.done,
        "diverged": run.diverged,
    }
    return save_tensors({name: value.contiguous() for name, value in tensors.items()}, {"gradlab": json.dumps(about)})


def load(data: bytes, task: Task | None = None) -> Run:
    """The run of a file made by `save`, ready to continue; `task` where it was none of TASKS.

    Raises ValueError, saying what is wrong, for anything else: another kind of file, sizes that do not fit, values
    that are not finite.
    """
    about, payload = _metadata(data)
    try:
        experiment = Experiment.model_validate(about["experiment"])
        recipe, updates_done, text = Recipe(**about["recipe"]), about["updates_done"], about["text"]
        name = str(about["task"])
        diverged = None if about.get("diverged") is None else Diverged.read(about["diverged"])
    except KeyError as error:
        raise ValueError(f"the checkpoint's settings cannot be used: {error} is missing") from None
    except (TypeError, ValueError) as error:
        raise ValueError(f"the checkpoint's settings cannot be used: {error}") from None
    _refuse_absent_weights(experiment, payload)
    if task is None and name not in TASKS:
        raise ValueError(f"the checkpoint's task {name[:40]!r} is not known: pass it as `task`")
    task = task or (characters(text) if name == "text" and isinstance(text, str) else TASKS[name])
    if type(updates_done) is not int or not 0 <= updates_done <= recipe.updates:
        made = f"updates_done = {shown(updates_done)} is not allowed: use a whole number from 0 to {recipe.updates}"
        raise ValueError(f"the checkpoint's settings cannot be used: {made}")
    run = Run(experiment, task, recipe)
    try:
        tensors = load_tensors(data)
    except (SafetensorError, ValueError, RuntimeError) as error:
        raise ValueError(f"the checkpoint cannot be read: {str(error)[:200]}") from None
    weights = {f"network.{key}": value for key, value in run.network.state_dict().items()}
    for key, expected in weights.items():
        _check(key, tensors.get(key), tuple(expected.shape), expected.dtype)
    run.network.load_state_dict({key.removeprefix("network."): tensors.pop(key) for key in weights})
    _restore(run, tensors, updates_done)
    run.done, run.diverged = updates_done, diverged
    return run


def _metadata(data: bytes) -> tuple[dict, int]:
    """(what the file says of itself, the bytes of its tensors); its header is bounded before anything is parsed."""
    if len(data) > MOST_BYTES:
        raise ValueError(f"the checkpoint has {len(data)} bytes: at most {MOST_BYTES} are read")
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > min(len(data) - 8, MOST_HEADER_BYTES):
        raise ValueError("this is not a safetensors file: its header does not fit")
    try:
        header = json.loads(data[8 : 8 + size])
        about = json.loads(header["__metadata__"]["gradlab"])
    except (KeyError, TypeError, ValueError, RecursionError):
        raise ValueError("this is not a checkpoint of gradlab: its metadata has no run") from None
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise ValueError(f"this is not a checkpoint that can be read here: its format is not {FORMAT!r}")
    if len(header) > MOST_TENSORS:
        raise ValueError(f"the checkpoint has {len(header)} tensors: at most {MOST_TENSORS} are read")
    return about, len(data) - 8 - size


def _refuse_absent_weights(experiment: Experiment, payload: int) -> None:
    """Raises ValueError where a file has fewer bytes than its recurrent weights U, before any memory is taken."""
    e = experiment
    needed = e.depth * len(CELLS[e.cell].pre_activations) * e.hidden_size**2 * np.dtype(e.dtype).itemsize
    if payload < needed:
        raise ValueError(
            f"the checkpoint has {payload} bytes of weights: depth = {e.depth} and hidden_size = {e.hidden_size} need "
            f"{needed} for the recurrent ones alone"
        )


def _check(name: str, value: Tensor | None, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    if value is None:
        raise ValueError(f"the checkpoint has no {name}")
    if tuple(value.shape) != shape or value.dtype != dtype:
        got = f"{list(value.shape)} in {value.dtype}"
        raise ValueError(f"{name} has shape {got}: {list(shape)} in {dtype} is needed")
    if not torch.isfinite(value).all():
        raise ValueError(f"{name} holds a value that is not finite")


def _restore(run: Run, tensors: dict[str, Tensor], updates_done: int) -> None:
    """The optimizer's state; every tensor that is left must belong to it."""
    expected = _states(run, stepped=updates_done > 0)
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        kind, _, rest = name.partition(".")
        number, _, key = rest.partition(".")
        known = number.isascii() and number.isdigit() and len(number) < 5 and int(number) < len(run.parameters)
        if kind != "optimizer" or not known or key not in expected.get(int(number), {}):
            raise ValueError(f"the checkpoint holds {name[:60]!r}, which belongs to nothing")
        like = expected[int(number)][key]
        _check(name, value, tuple(like.shape), like.dtype)
        state.setdefault(int(number), {})[key] = value
    for number, needed in expected.items():
        if state.get(number, {}).keys() != needed.keys():
            there = ", ".join(state.get(number, {})) or "nothing"
            raise ValueError(f"the optimizer's state {number} is {there}: {', '.join(sorted(needed))} is needed")
    groups = run.optimizer.state_dict()["param_groups"]
    run.optimizer.load_state_dict({"state": state, "param_groups": groups})


def _states(run: Run, stepped: bool) -> dict[int, dict[str, Tensor]]:
    """The optimizer's state of every parameter, by number: discovered on copies, after a dummy step if `stepped`."""
    copies = [torch.nn.Parameter(torch.zeros_like(parameter)) for parameter in run.parameters]
    optimizer = run.recipe.optimizer_of(copies)
    if stepped:
        for copy in copies:
            copy.grad = torch.zeros_like(copy)
        optimizer.step()
    kept = optimizer.state_dict()["state"]
    states = {n: {key: value for key, value in state.items() if isinstance(value, Tensor)} for n, state in kept.items()}
    return {number: state for number, state in states.items() if state}
