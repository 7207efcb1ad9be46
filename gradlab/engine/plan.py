"""How a sweep is cut into chunks of steps, and what it will cost: decided before anything is allocated.

Forward values of a step cost several times what its states do. What fits four times into `STORE_BYTES` is kept whole.
Of a longer sweep the forward pass keeps everything only for the last chunks, as many as `STORE_BYTES` holds; of the
others it keeps the states at their ends, and computes them again on the way back. Memory is therefore bounded at any
length, and a chunk is worked on in the processor's cache.
"""

import sys
import time
from bisect import bisect_left
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil

from gradlab.cells import KNOWN
from gradlab.engine.products import padded
from gradlab.words.languages import _

CHUNK_BYTES = 2**21  # of one layer's values in a chunk: about what the second-level cache holds
STORE_BYTES = 2**27
CHUNK_WORK = 10**9  # multiply-adds: a chunk takes some tens of milliseconds, so that cancellation is prompt
MOST_BYTES = 4 * 2**30
CONTAINER = Path("/sys/fs/cgroup")  # what Linux says of a container's own bounds


class Size(NamedTuple):
    """The shape of a sweep: everything that decides its cost."""

    cell: str
    depth: int
    hidden_size: int
    input_size: int
    steps: int
    sequences: int
    rows: int  # of cotangents: sequences times cotangents of each
    dtype: str | np.dtype
    keep: bool = False  # all adjoints are wanted, and not only their norms
    parts: int = 1  # sweeps that run at once, this one among them, and share what may be stored
    with_inputs: bool = False  # the inputs' gradients are wanted
    breaks: tuple[int, ...] = ()  # steps at which a chunk has to begin


class Plan(NamedTuple):
    """The cut, and its cost."""

    size: Size
    edges: tuple[int, ...]  # steps at which chunks begin, and the end
    stored: int  # chunks whose forward values are kept, the last ones
    bytes: int  # peak memory, the result included
    multiply_adds: int
    held: int  # bytes of them, of the stored forward values, which are given back when the sweep ends

    @property
    def chunks(self) -> int:
        return len(self.edges) - 1

    @property
    def chunk(self) -> int:
        """Steps of the longest chunk."""
        return max(end - begin for begin, end in pairwise(self.edges))

    def steps_of(self, number: int) -> tuple[int, int]:
        """The steps of a chunk, from and to."""
        return self.edges[number], self.edges[number + 1]


def plan(size: Size) -> Plan:
    """The Plan of a Size."""
    return _planned(size, CHUNK_BYTES, STORE_BYTES, CHUNK_WORK)


@lru_cache(maxsize=256)
def _planned(size: Size, chunk_bytes: int, store_bytes: int, chunk_work: int) -> Plan:
    cell = KNOWN[size.cell]
    item = np.dtype(size.dtype).itemsize
    units = padded(size.hidden_size, size.dtype)
    inputs = padded(size.input_size, size.dtype)
    gates, states, saved = len(cell.pre_activations), len(cell.states), len(cell.saved)
    forward_step = item * size.sequences * units * (states + saved)  # a layer
    adjoint_step = item * size.rows * units * (gates + 1 + (states if size.keep else 0))
    transient_step = item * size.sequences * (units * gates + inputs)
    weights = units * gates * (units * size.depth + units * (size.depth - 1) + inputs)
    work_step = size.sequences * weights + size.rows * (weights - units * gates * inputs)
    step_bytes = forward_step + adjoint_step + transient_step
    chunk = max(1, min(size.steps, max(chunk_bytes // step_bytes, 32), max(1, chunk_work // work_step)))
    chunk = -(-size.steps // max(1, round(size.steps / chunk)))  # all of one length: each costs its caller's time too
    edges = tuple(sorted({*range(0, size.steps, chunk), *size.breaks, size.steps}))
    chunks = len(edges) - 1
    all_layers, store = forward_step * size.depth, store_bytes // size.parts
    may_be_held = size.steps if size.steps * all_layers <= 4 * store else store // all_layers
    stored = max(1, chunks - bisect_left(edges, size.steps - may_be_held))
    boundaries = chunks * size.depth * item * size.sequences * units * states
    held = (size.steps - edges[chunks - stored]) * all_layers
    result = 8 * size.steps * size.rows * size.depth * states
    if size.keep:
        result += size.depth * size.rows * size.steps * (8 + item * units * (states + 2 * gates))
    if size.with_inputs:
        result += size.steps * size.rows * (8 + item * size.input_size)
    own_inputs = item * size.steps * size.sequences * size.input_size
    recomputed = edges[chunks - stored] / size.steps
    work = int(size.steps * (work_step + recomputed * size.sequences * weights))
    working = chunk * (adjoint_step + transient_step) + 2 * item * weights
    return Plan(size, edges, stored, boundaries + held + result + own_inputs + working, work, held)


class TooLarge(ValueError):
    """What is asked for does not fit into memory; the message names the settings and what to lower."""


def refuse_too_large(needed: float, what: str, to_lower: str, limit: float | None = None) -> None:
    """Raises TooLarge where more than `limit` bytes are needed (default: `memory_limit`) by `what`."""
    limit = memory_limit() if limit is None else limit
    if needed > limit:
        text = _("{what} need {needed} GB; at most {allowed} GB are allowed: lower {to_lower}")
        gigabytes = {"needed": f"{needed / 2**30:.1f}", "allowed": f"{limit / 2**30:.1f}"}
        raise TooLarge(text.format(what=_(what), to_lower=_(to_lower), **gigabytes))


def memory_limit() -> int:
    """Bytes that a sweep may take: at most `MOST_BYTES`, at most half of what the machine has free."""
    return int(min(MOST_BYTES, _available(int(10 * time.monotonic())) / 2))


@lru_cache(maxsize=1)
def _available(tenth_of_a_second: int) -> int:
    """Free bytes; a query takes as long as a short trace, so at most ten are made per second."""
    return min(psutil.virtual_memory().available, left_in_container(CONTAINER))


def left_in_container(folder: Path) -> int:
    """Bytes that a control group (version 2), a container's bound, leaves; without one what no machine has."""
    try:
        most, used = ((folder / name).read_text().strip() for name in ("memory.max", "memory.current"))
    except OSError:
        return sys.maxsize
    return max(int(most) - int(used), 0) if most.isdigit() else sys.maxsize
