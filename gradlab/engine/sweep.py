"""A stack's whole forward pass and adjoint, chunk by chunk: `sweep`.

weights     packed once for a stack: transposed for the forward pass, as they are for the adjoint (`products.pack`)
chunks      forward over all of them, layer by layer within a chunk, so that a layer's weights stay in the cache;
            then back, the top layer first (`plan` says what is kept and what is computed again)
threads     sequences do not know of each other: slices of the batch run in a shared pool, each a sweep of its own
"""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from gradlab.cells import CELLS
from gradlab.engine.kernels import NOTHING, adjoint, affine, descend, forward
from gradlab.engine.plan import Size, plan
from gradlab.engine.products import pack, padded
from gradlab.stack import Layer, Stack

NEVER = 2**62  # the step of what does not happen
SLICE_WORK = 2 * 10**7  # multiply-adds: below it a thread costs more than it brings
POLL_SECONDS = 0.05


class Cotangents(NamedTuple):
    """∂L/∂h_t of the top layer by the loss alone, at the steps where it is not zero."""

    steps: ndarray  # [m], ascending
    values: ndarray  # [m, N, H]; N = B times the number of cotangents of a sequence, row r of sequence r mod B


class Adjoints(NamedTuple):
    """All adjoints of one layer, each times 2^exponents."""

    totals: ndarray  # [T, N, S, H]  ∂L/∂s_t
    a_x_bar: ndarray  # [T, N, G, H]  ∂L/∂a^x_t
    a_h_bar: ndarray  # [T, N, G, H]  ∂L/∂a^h_t
    exponents: ndarray  # [T, N]


class Swept(NamedTuple):
    """What a sweep found."""

    log10_norms: ndarray  # [L, T, N, S]
    non_finite: ndarray  # [L, B]  first step with a non-finite state, NEVER if none
    last_h: ndarray  # [B, H]  the top layer's last hidden state
    adjoints: tuple[Adjoints, ...]  # one a layer, if they were to be kept


class _Weights(NamedTuple):
    """One layer's weights as the kernels read them."""

    W_forward: ndarray
    b_W: ndarray
    U_forward: ndarray
    b_U: ndarray
    U_adjoint: ndarray
    W_adjoint: ndarray


def _pad_gates(array: ndarray, gates: int, units: int) -> ndarray:
    """[G·H, ...] to [G·units, ...], zeros behind each gate's rows."""
    blocks = array.reshape(gates, -1, *array.shape[1:])
    out = np.zeros((gates, units, *array.shape[1:]), array.dtype)
    out[:, : blocks.shape[1]] = blocks
    return out.reshape(gates * units, *array.shape[1:])


def _pad_columns(array: ndarray) -> ndarray:
    out = np.zeros((*array.shape[:-1], padded(array.shape[-1], array.dtype)), array.dtype)
    out[..., : array.shape[-1]] = array
    return out


def _packed(layer: Layer, gates: int) -> _Weights:
    units = padded(layer.U.shape[1], layer.U.dtype)
    W, U = (_pad_columns(_pad_gates(weight, gates, units)) for weight in (layer.W, layer.U))
    b_W, b_U = (_pad_gates(bias, gates, units) for bias in (layer.b_W, layer.b_U))
    return _Weights(pack(W.T), b_W, pack(U.T), b_U.reshape(gates, units), pack(U), pack(W))


class _Chunk(NamedTuple):
    """One layer's forward values over a chunk."""

    states: ndarray  # [n+1, B, S, H]
    saved: ndarray  # [n, B, V, H]


class _Sweep:
    """The buffers and the two passes of one slice of the batch."""

    def __init__(self, stack: Stack, inputs: ndarray, cotangents: Cotangents, initial_state: tuple, keep: bool):
        T, B, X = inputs.shape
        self.cell = CELLS[stack.cell]()
        self.gates, self.kinds, self.kept = (
            len(names) for names in (self.cell.gates, self.cell.states, self.cell.saved)
        )
        self.depth, self.hidden, self.dtype = stack.depth, stack.hidden_size, stack.dtype
        self.units = padded(self.hidden, self.dtype)
        self.inputs, self.cotangents = inputs, cotangents
        self.B, self.N = B, cotangents.values.shape[1]
        self.weights = [_packed(layer, self.gates) for layer in stack.layers]
        self.plan = plan(Size(stack.cell, stack.depth, self.hidden, X, T, B, self.N, self.dtype.name, keep))
        self.start = np.zeros((self.depth, B, self.kinds, self.units), self.dtype)
        for kind, value in enumerate(initial_state):
            self.start[:, :, kind, : self.hidden] = value
        self.log10_norms = np.empty((self.depth, T, self.N, self.kinds))
        self.non_finite = np.full((self.depth, B), NEVER)
        shape = (T if keep else 0, self.N)
        self.adjoints = tuple(
            Adjoints(
                np.empty((*shape, self.kinds, self.units), self.dtype),
                np.empty((*shape, self.gates, self.units), self.dtype),
                np.empty((*shape, self.gates, self.units), self.dtype),
                np.empty(shape, np.int64),
            )
            for _ in range(self.depth if keep else 0)
        )

    def run(self, done: Callable[[float], None]) -> Swept:
        """Both passes; `done` hears the fraction after every chunk and may raise."""
        p = self.plan
        total = p.chunks + (p.chunks - p.stored) + p.chunks
        finished = 0

        def count():
            nonlocal finished
            finished += 1
            done(finished / total)

        ends = [self.start]  # states at the start of each chunk
        stored: dict[int, list[_Chunk]] = {}
        for number in range(p.chunks):
            keep = number >= p.chunks - p.stored
            values = self._forward(number, ends[number], keep)
            if keep:
                stored[number] = values
            ends.append(np.stack([layer.states[-1] for layer in values]))
            count()
        last_h = ends[-1][-1, :, 0, : self.hidden].copy()
        carry = np.zeros((self.depth, self.N, self.kinds, self.units), self.dtype)
        carry_exponents = np.full((self.depth, self.N), NOTHING)
        for number in reversed(range(p.chunks)):
            values = stored.pop(number, None)
            if values is None:
                values = self._forward(number, ends[number], True)
                count()
            self._adjoint(number, values, carry, carry_exponents)
            count()
        adjoints = tuple(
            Adjoints(*(part[..., : self.hidden] for part in adjoint[:3]), adjoint.exponents)
            for adjoint in self.adjoints
        )
        return Swept(self.log10_norms, self.non_finite, last_h, adjoints)

    def _forward(self, number: int, start: ndarray, keep: bool) -> list[_Chunk]:
        """All layers over one chunk, from the states [L, B, S, H] at its start."""
        begin, end = self.plan.steps_of(number)
        steps, B, units = end - begin, self.B, self.units
        x = _pad_columns(np.ascontiguousarray(self.inputs[begin:end])).reshape(-1)
        at, stride = 0, x.size // (steps * B)
        a_x = np.empty((steps, B, self.gates, units), self.dtype)
        scratch = np.empty((B, self.gates, units), self.dtype)
        values = []
        for depth, weights in enumerate(self.weights):
            affine(x, at, stride, weights.W_forward, weights.b_W, a_x.reshape(steps * B, -1))
            states = np.empty((steps + 1, B, self.kinds, units), self.dtype)
            states[0] = start[depth]
            saved = np.empty((steps if keep else 0, B, self.kept, units), self.dtype)
            first = np.where(self.non_finite[depth] == NEVER, NEVER, self.non_finite[depth] - begin)
            forward(self.cell, a_x, weights.U_forward, weights.b_U, states, saved, scratch, first)
            self.non_finite[depth] = np.where(first == NEVER, NEVER, first + begin)
            values.append(_Chunk(states, saved))
            x, at, stride = states.reshape(-1), B * self.kinds * units, self.kinds * units
        return values

    def _adjoint(self, number: int, values: list[_Chunk], carry: ndarray, carry_exponents: ndarray) -> None:
        """All layers back over one chunk, the top one first."""
        begin, end = self.plan.steps_of(number)
        steps, N, units = end - begin, self.N, self.units
        entering, entering_exponents = self._loss(begin, end)
        for depth in reversed(range(self.depth)):
            weights = self.weights[depth]
            if self.adjoints:
                totals, a_x_bar, a_h_bar, exponents = (part[begin:end] for part in self.adjoints[depth])
            else:
                totals = np.empty((1, N, self.kinds, units), self.dtype)
                a_h_bar = np.empty((1, N, self.gates, units), self.dtype)
                a_x_bar = np.empty((steps, N, self.gates, units), self.dtype)
                exponents = np.empty((steps, N), np.int64)
            adjoint(
                self.cell, values[depth].saved, values[depth].states, entering, entering_exponents,
                weights.U_adjoint, carry[depth], carry_exponents[depth],
                a_x_bar, a_h_bar, totals, exponents, self.log10_norms[depth, begin:end],
            )  # fmt: skip
            if depth:
                entering = np.empty((steps, N, units), self.dtype)
                entering_exponents = np.empty((steps, N), np.int64)
                descend(a_x_bar, exponents, weights.W_adjoint, entering, entering_exponents)

    def _loss(self, begin: int, end: int) -> tuple[ndarray, ndarray]:
        """What the loss puts in over a chunk, each row brought near 1."""
        steps = self.cotangents.steps
        chosen = slice(*np.searchsorted(steps, (begin, end)))
        entering = np.empty((end - begin, self.N, self.units), self.dtype)
        exponents = np.full((end - begin, self.N), NOTHING)
        for step, values in zip(steps[chosen], self.cotangents.values[chosen], strict=True):
            largest = np.abs(values).max(axis=1)
            power = np.frexp(largest)[1]
            entering[step - begin, :, self.hidden :] = 0
            entering[step - begin, :, : self.hidden] = np.ldexp(values, -power[:, None])
            exponents[step - begin] = np.where(largest == 0, NOTHING, power)
        return entering, exponents


def _slices(work: int, sequences: int) -> list[slice]:
    """Slices of the batch, by the work alone: the same sweep is always cut in the same way."""
    count = max(1, min(os.cpu_count() or 1, sequences, work // SLICE_WORK))
    edges = [sequences * i // count for i in range(count + 1)]
    return [slice(a, b) for a, b in pairwise(edges)]


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="gradlab")


def sweep(
    stack: Stack,
    inputs: ndarray,
    cotangents: Cotangents,
    initial_state: tuple[ndarray, ...] = (),
    *,
    keep: bool = False,
    progress: Callable[[float], None] | None = None,
) -> Swept:
    """The forward pass and the adjoint of a stack.

    inputs [T, B, X] and cotangents in the stack's dtype; initial_state: one [L, B, H] a state, or none for zeros.
    keep: all adjoints are wanted, not only their norms. progress hears a fraction some ten times a second, in the
    calling thread; what it raises stops the work and is passed on.
    """
    T, B, X = inputs.shape
    rows = cotangents.values.shape[1]
    work = plan(Size(stack.cell, stack.depth, stack.hidden_size, X, T, B, rows, stack.dtype.name, keep)).multiply_adds
    slices = _slices(work, B)
    if len(slices) == 1:
        return _Sweep(stack, inputs, cotangents, initial_state, keep).run(progress or (lambda fraction: None))

    fractions = [0.0] * len(slices)
    stop = threading.Event()

    def run(number: int) -> Swept:
        own = slices[number]
        values = cotangents.values.reshape(len(cotangents.steps), -1, B, stack.hidden_size)[:, :, own]
        part = Cotangents(cotangents.steps, values.reshape(len(values), -1, stack.hidden_size))

        def done(fraction: float) -> None:
            fractions[number] = fraction
            if stop.is_set():
                raise _Stopped

        state = tuple(value[:, own] for value in initial_state)
        return _Sweep(stack, inputs[:, own], part, state, keep).run(done)

    futures = [_pool().submit(run, number) for number in range(len(slices))]
    try:
        while wait(futures, timeout=POLL_SECONDS).not_done:
            if progress:
                progress(sum(fractions) / len(fractions))
    except BaseException:  # Streamlit stops a script by an exception that is no Exception
        stop.set()
        raise
    parts = [future.result() for future in futures]
    return _joined(parts, B)


class _Stopped(Exception):
    """The caller has left."""


def _joined(parts: list[Swept], sequences: int) -> Swept:
    """Slices of the batch put together again; a row's place is (cotangent, sequence)."""

    def rows(arrays: list[ndarray], axis: int) -> ndarray:
        split = []
        for array, part in zip(arrays, parts, strict=True):
            own = part.last_h.shape[0]
            shape = (*array.shape[:axis], array.shape[axis] // own, own, *array.shape[axis + 1 :])
            split.append(array.reshape(shape))
        joined = np.concatenate(split, axis=axis + 1)
        return joined.reshape(*joined.shape[:axis], -1, *joined.shape[axis + 2 :])

    adjoints = tuple(
        Adjoints(*(rows(list(arrays), 1) for arrays in zip(*layers, strict=True)))
        for layers in zip(*(part.adjoints for part in parts), strict=True)
    )
    return Swept(
        rows([part.log10_norms for part in parts], 2),
        np.concatenate([part.non_finite for part in parts], axis=1),
        np.concatenate([part.last_h for part in parts]),
        adjoints,
    )
