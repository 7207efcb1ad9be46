"""`sweep`: forward pass and adjoint with threads.

Sequences are independent, so slices of the batch run in a shared pool, each with a separate `Sweep`. How the
batch is cut depends on the work alone: the same call always gives the same bits, whatever else runs.
"""

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache, reduce
from itertools import pairwise
from typing import Any

import numpy as np
from numpy import ndarray

from gradlab.cells import KNOWN
from gradlab.engine.plan import Plan, Size, plan
from gradlab.engine.progress import Progress, part_of, silent
from gradlab.engine.records import Adjoints, Cotangents, Episodes, Scaled, Swept
from gradlab.engine.refusals import refuse_episodes, refuse_inputs, refuse_places, refuse_shapes
from gradlab.engine.sweep import Sweep
from gradlab.network.stack import Layer, Stack

SLICE_WORK = 2 * 10**7  # multiply-adds: below it a thread costs more than it brings
POLL_SECONDS = 0.05


def threads() -> int:
    """How many sweeps run at once: the environment's GRADLAB_THREADS if it is set, else one per core."""
    return max(1, int(os.environ.get("GRADLAB_THREADS") or os.cpu_count() or 1))


def slices_of(work: int, sequences: int) -> list[slice]:
    """Slices of the batch."""
    count = max(1, min(threads(), sequences, work // SLICE_WORK))
    edges = [sequences * i // count for i in range(count + 1)]
    return [slice(a, b) for a, b in pairwise(edges)]


def plan_in_slices(size: Size) -> Plan:
    """The Plan of a `sweep`, whose slices of the batch take memory side by side and are then put together."""
    whole = plan(size)
    parts = len(slices_of(whole.multiply_adds, size.sequences))
    if parts == 1:
        return whole
    own = -(-size.sequences // parts)
    part = plan(size._replace(sequences=own, rows=size.rows // size.sequences * own, parts=parts))
    together = 8 * size.steps * size.rows * size.depth * len(KNOWN[size.cell].states)
    return whole._replace(bytes=parts * part.bytes + together, held=parts * part.held)


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="gradlab")


class _Stopped(Exception):
    """The caller has been stopped."""


def in_threads(run: Callable[[int, Progress], Any], count: int, progress: Progress | None = None) -> list[Any]:
    """[run(number, progress of that part) for number in range(count)], in the pool.

    `progress` is called in the calling thread with the mean of the parts' fractions.
    """
    if count == 1:
        return [run(0, progress or silent)]
    fractions = [0.0] * count
    stop = threading.Event()

    def part(number: int) -> Any:
        def of_part(fraction: float) -> None:
            fractions[number] = fraction
            if stop.is_set():
                raise _Stopped

        return run(number, of_part)

    futures = [_pool().submit(part, number) for number in range(count)]
    try:
        while wait(futures, timeout=POLL_SECONDS).not_done:
            if progress:
                progress(sum(fractions) / count)
    except BaseException:  # Streamlit stops a script by an exception that is no Exception
        stop.set()
        for future in futures:  # those that have not begun never do
            future.cancel()
        raise
    return [future.result() for future in futures]


def sweep(
    stack: Stack,
    inputs: ndarray,
    cotangents: Cotangents,
    initial_state: tuple[ndarray, ...] = (),
    *,
    episodes: Episodes | None = None,
    progress: Progress | None = None,
    **wanted: Any,
) -> Swept:
    """The forward pass and the adjoint of a stack.

    inputs [T, B, X] and cotangents in the stack's dtype; initial_state: one [L, B, H] per state, or none for zeros;
    episodes: where sequences begin anew, and end; progress is called in the calling thread; wanted: as `Sweep.adjoint`
    takes it.
    """
    states = KNOWN[stack.cell].states
    refuse_shapes(stack, inputs, initial_state, states)
    T, B, X = inputs.shape
    size = Size(stack.cell, stack.depth, stack.hidden_size, X, T, B, cotangents.rows, stack.dtype)
    with_inputs = bool(wanted.get("with_inputs"))
    slices = slices_of(plan(size).multiply_adds, B)
    if len(slices) > 1:  # each slice would report indices counted from its own start
        refuse_inputs(stack, inputs, initial_state, states)
        refuse_places(cotangents, T, (stack.depth, B, len(states), stack.hidden_size), stack.dtype)
        if episodes is not None:
            refuse_episodes(episodes, T, B)

    def run(number: int, progress: Progress) -> Swept:
        own = slices[number]
        part = cotangents_of_slice(cotangents, own, B)
        start = tuple(value[:, own] for value in initial_state)
        of_part = None if episodes is None else episodes.of(own)
        s = Sweep(stack, inputs[:, own], start, part.rows, len(slices), of_part, with_inputs)
        s.forward(part_of(progress, 0, 0.5))
        swept = s.adjoint(part, progress=part_of(progress, 0.5, 1), **wanted)
        s.close()
        return swept

    return joined(in_threads(run, len(slices), progress))


def outputs(
    stack: Stack, inputs: ndarray, initial_state: tuple[ndarray, ...] = (), *, episodes: Episodes | None = None
) -> tuple[ndarray, ndarray]:
    """h of the top layer after every step, [T, B, H], and the last states, [L, B, S, H], of a forward pass alone."""
    T, B, X = inputs.shape
    size = Size(stack.cell, stack.depth, stack.hidden_size, X, T, B, B, stack.dtype)
    slices = slices_of(plan(size).multiply_adds, B)

    def run(number: int, progress: Progress) -> tuple[ndarray, ndarray]:
        own = slices[number]
        start = tuple(value[:, own] for value in initial_state)
        of_part = None if episodes is None else episodes.of(own)
        s = Sweep(stack, inputs[:, own], start, None, len(slices), of_part)
        s.forward(progress)
        h, last = s.top_h(), s.last_states
        s.close()
        return h, last

    parts = in_threads(run, len(slices))
    h, last = (np.concatenate(arrays, axis=1) for arrays in zip(*parts, strict=True))
    return h, last


def cotangents_of_slice(cotangents: Cotangents, own: slice, sequences: int) -> Cotangents:
    """The cotangents of some sequences, with rows counted from the first of them."""
    count = own.stop - own.start
    if count == sequences:
        return cotangents
    group, sequence = np.divmod(cotangents.at, sequences)
    chosen = (sequence >= own.start) & (sequence < own.stop)
    at = group[chosen] * count + sequence[chosen] - own.start
    rows = cotangents.rows // sequences * count
    final = cotangents.final
    if final is not None:
        shape = (final.shape[0], -1, sequences, *final.shape[2:])
        final = final.reshape(shape)[:, :, own].reshape(final.shape[0], rows, *final.shape[2:])
    exponents = None if cotangents.exponents is None else cotangents.exponents[chosen]
    powers = cotangents.final_exponents
    if powers is not None:
        powers = powers.reshape(len(powers), -1, sequences)[:, :, own].reshape(len(powers), rows)
    return Cotangents(cotangents.steps[chosen], at, cotangents.values[chosen], rows, final, exponents, powers)


def joined(parts: list[Swept]) -> Swept:
    """Slices of the batch put together again; a row's place is (cotangent, sequence)."""
    if len(parts) == 1:
        return parts[0]

    def rows(arrays: Sequence[ndarray], axis: int) -> ndarray:
        split = []
        for array, part in zip(arrays, parts, strict=True):
            own = part.last_states.shape[1]
            split.append(array.reshape(*array.shape[:axis], -1 if array.size else 0, own, *array.shape[axis + 1 :]))
        together = np.concatenate(split, axis=axis + 1)
        shape = (*together.shape[:axis], together.shape[axis] * together.shape[axis + 1], *together.shape[axis + 2 :])
        return together.reshape(shape)

    adjoints = tuple(
        Adjoints(*(rows(arrays, 1) for arrays in zip(*layers, strict=True)))
        for layers in zip(*(part.adjoints for part in parts), strict=True)
    )
    parameters = tuple(
        Layer(*(reduce(np.add, arrays, np.zeros_like(arrays[0])) for arrays in zip(*layers, strict=True)))
        for layers in zip(*(part.parameters_bar for part in parts), strict=True)
    )
    return Swept(
        rows([part.log10_norms for part in parts], 2),
        np.concatenate([part.non_finite for part in parts], axis=1),
        np.concatenate([part.last_states for part in parts], axis=1),
        adjoints,
        Scaled(*(rows(arrays, 1) for arrays in zip(*(part.initial for part in parts), strict=True))),
        Scaled(*(rows(arrays, 1) for arrays in zip(*(part.inputs for part in parts), strict=True))),
        parameters,
    )
