"""The network that a watch saw last, beside its log: weights, the batch that it read and what the loss injected.

A log holds norms alone, a line of it some kilobytes. What would help is computed on weights and data, so the latest of
each part is kept in a file of its own, `<log>.<part>.safetensors`, which each record replaces whole: who reads it while
a training writes gets the one before or the one after. Of sequences of several lengths it holds the longest. It may
come from anybody: nothing in it is executed, and everything is checked before it is used.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
from numpy import ndarray
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from gradlab.analyses.traces import GradientTrace
from gradlab.cells import CELLS
from gradlab.engine import Cotangents
from gradlab.network.stack import Layer, Stack
from gradlab.settings.watched import Recorded, Watched

FORMAT = "gradlab network 1"
MOST_BYTES = 2**28
MOST_HEADER_BYTES = 2**20
MOST_LAYERS = 64


def beside(log: str | os.PathLike[str], part: str) -> Path:
    """Where the network of a part lies beside a log: `run.jsonl` and `run.encoder.rnn.safetensors`."""
    log = Path(log)
    return log.with_name(f"{log.stem}.{re.sub('[^A-Za-z0-9_.-]', '-', part)}.safetensors")


def save(trace: GradientTrace, part: str, update: int) -> bytes:
    """What a trace was made of. Raises ValueError where a file does not hold it, with the reason."""
    problem = trace.problem
    stack, episodes = problem.stack, problem.episodes
    if not isinstance(stack, Stack) or (episodes is not None and episodes.resets.any()):
        raise ValueError(f"{part} is kept in no file: its episodes begin between others, or its layers are not alike")
    exists = problem.spans.exists
    longest = np.arange(problem.size.sequences) if exists is None else np.flatnonzero(exists[-1])
    inputs, states = problem.inputs[:, longest], [state[:, longest] for state in problem.initial_state]
    loss = _of_rows(problem.loss, longest)
    if loss.final is not None and loss.final.any():
        raise ValueError(f"{part} is kept in no file: its last states have gradients of their own")
    if not len(loss.steps):
        raise ValueError(f"{part} is kept in no file: no gradient comes into its longest sequence")
    arrays = {
        f"layers.{n}.{name}": array for n, layer in enumerate(stack.layers) for name, array in layer._asdict().items()
    }
    arrays |= {"inputs": inputs, "loss.steps": loss.steps, "loss.at": loss.at, "loss.values": loss.values}
    arrays |= {f"states.{number}": state for number, state in enumerate(states)}
    about = {"format": FORMAT, "cell": stack.cell, "part": part, "update": update}
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return save_arrays(contiguous, {"gradlab": json.dumps(about)})


def _of_rows(loss: Cotangents, rows: ndarray) -> Cotangents:
    """The cotangents of some of the sequences, which are counted anew."""
    chosen = np.isin(loss.at, rows)
    final = None if loss.final is None else loss.final[:, rows]
    at = np.searchsorted(rows, loss.at[chosen])
    return Cotangents(loss.steps[chosen], at, loss.values[chosen], len(rows), final)


def replace(path: Path, data: bytes) -> None:
    """Writes a file whole in the place of the one that is there."""
    waiting = path.with_name(f"{path.name}.{os.getpid()}.part")
    waiting.write_bytes(data)
    waiting.replace(path)


def load(data: bytes, file_name: str = "") -> Watched:
    """The network of a file made by `save`. Raises ValueError, saying what is wrong, for anything else."""
    about = _about(data)
    try:
        arrays = load_arrays(data)
    except (SafetensorError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise ValueError(f"the network cannot be read: {str(error)[:200]}") from None
    cell, part, update = str(about.get("cell")), str(about.get("part"))[:200], about.get("update")
    if cell not in CELLS:
        raise ValueError(f"cell = {cell[:40]!r} is not known: use one of {', '.join(CELLS)}")
    if type(update) is not int or not 0 <= update < 2**53:
        raise ValueError("update is no whole number of 0 or more: the file was changed")
    depth = sum(re.fullmatch(r"layers\.\d+\.U", name) is not None for name in arrays)
    if not 0 < depth <= MOST_LAYERS:
        raise ValueError(f"the network has {depth} layers: 1 to {MOST_LAYERS} are read")
    layers = tuple(Layer(*(_of(arrays, f"layers.{n}.{name}") for name in Layer._fields)) for n in range(depth))
    stack = Stack(cell, layers)
    inputs = _of(arrays, "inputs")
    _check("inputs", inputs, (None, None, stack.input_size), stack.dtype)
    T, B, _ = inputs.shape
    steps, at, values = (_of(arrays, f"loss.{name}") for name in ("steps", "at", "values"))
    m = len(steps)
    _check("loss.steps", steps, (m,), np.dtype(np.int64))
    _check("loss.at", at, (m,), np.dtype(np.int64))
    _check("loss.values", values, (m, stack.hidden_size), stack.dtype)
    if m and (steps.min() < 0 or steps.max() >= T or at.min() < 0 or at.max() >= B or (np.diff(steps) < 0).any()):
        raise ValueError("loss.steps and loss.at lie outside the sequences, or are not in order: the file was changed")
    kinds = CELLS[cell].states
    states = tuple(_of(arrays, f"states.{n}") for n in range(len(kinds)) if "states.0" in arrays)
    for number, state in enumerate(states):
        _check(f"states.{number}", state, (depth, B, stack.hidden_size), stack.dtype)
    name = Path(file_name).name or "network.safetensors"
    return Watched.of(Recorded.of(part, update, name, stack, inputs, Cotangents(steps, at, values, B), states))


def read(path: str | os.PathLike[str]) -> Watched:
    """The network of a file. Raises ValueError likewise."""
    return load(Path(path).read_bytes(), os.fspath(path))


def is_one(data: bytes) -> bool:
    """Whether a file says that `save` made it."""
    try:
        return bool(_about(data))
    except ValueError:
        return False


def _about(data: bytes) -> dict:
    """What the file says of itself; its header is bounded before anything is parsed."""
    if len(data) > MOST_BYTES:
        raise ValueError(f"the network has {len(data)} bytes: at most {MOST_BYTES} are read")
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > min(len(data) - 8, MOST_HEADER_BYTES):
        raise ValueError("this is not a safetensors file: its header does not fit")
    try:
        about = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["gradlab"])
    except (KeyError, TypeError, ValueError, RecursionError):
        raise ValueError("this is no network of gradlab.watch: its metadata names none") from None
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise ValueError(f"this is no network that can be read here: its format is not {FORMAT!r}")
    return about


def _of(arrays: dict[str, ndarray], name: str) -> ndarray:
    if name not in arrays:
        raise ValueError(f"the network has no {name}: the file was changed")
    return arrays[name]


def _check(name: str, array: ndarray, shape: tuple[int | None, ...], dtype: np.dtype) -> None:
    fits = array.ndim == len(shape) and all(w is None or w == s for w, s in zip(shape, array.shape, strict=False))
    if not fits or array.dtype != dtype or (len(shape) == 3 and 0 in array.shape):
        raise ValueError(f"{name} has shape {list(array.shape)} in {array.dtype}: {list(shape)} in {dtype} is needed")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds a value that is not finite")
