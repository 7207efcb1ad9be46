"""`Sweep`: one batch's forward pass and adjoints over a stack, chunk by chunk.

    weights     packed once: transposed for the forward pass, as they are for the adjoint (`products.pack`)
    forward     all chunks in turn, layer by layer within one, so that a layer's weights stay in the cache
    adjoint     the chunks back, the top layer first; what was not kept is computed again (`plan` says what)

A forward pass serves any number of adjoints, and an adjoint any number of cotangents of a sequence at once.
"""

import math
from collections.abc import Callable, Collection
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from gradlab.cells import CELLS
from gradlab.engine.buffers import leave, take
from gradlab.engine.kernels import (
    NOTHING,
    OF_EACH_OTHER,
    OF_LAYERS,
    TOTAL,
    accumulate,
    adjoint,
    affine,
    descend,
    enter,
    forward,
)
from gradlab.engine.plan import Size, plan
from gradlab.engine.products import pack, padded
from gradlab.stack import Layer, Stack

NEVER = 2**62  # the step of what does not happen
LOG10_2 = math.log10(2)
NO_CUT = np.empty(0)

Done = Callable[[float], None]


class Cotangents(NamedTuple):
    """∂L/∂h_t of the top layer by the loss alone, where it is not zero: m entries, ordered by step.

    There are `rows` rows, B times the number of cotangents of a sequence; row r belongs to sequence r mod B.
    """

    steps: ndarray  # [m]
    at: ndarray  # [m]  each entry's row
    values: ndarray  # [m, H]
    rows: int
    final: ndarray | None = None  # [L, N, S, H]  ∂L/∂(last states), each taken as independent of the others


class Adjoints(NamedTuple):
    """All adjoints of one layer, each times 2^exponents; what was not asked for has no steps."""

    totals: ndarray  # [T, N, S, H]  ∂L/∂s_t
    a_x_bar: ndarray  # [T, N, G, H]  ∂L/∂a^x_t
    a_h_bar: ndarray  # [T, N, G, H]  ∂L/∂a^h_t
    exponents: ndarray  # [T, N]


class Swept(NamedTuple):
    """What an adjoint found, over the forward pass that it went back over."""

    log10_norms: ndarray  # [L, T, N, S]
    non_finite: ndarray  # [L, B]  first step with a non-finite state, NEVER if none
    last_states: ndarray  # [L, B, S, H]
    adjoints: tuple[Adjoints, ...]  # one a layer
    initial_bar: ndarray  # [L, N, S, H]  ∂L/∂(initial states)
    inputs_bar: ndarray  # [T, N, X]  ∂L/∂x_t, no steps unless asked for
    parameters_bar: tuple[Layer, ...]  # ∂L/∂ weights, summed over the batch, one Layer a layer if asked for


class _Weights(NamedTuple):
    """One layer's weights as the kernels read them."""

    W_forward: ndarray
    b_W: ndarray
    U_forward: ndarray
    b_U: ndarray
    U_adjoint: ndarray
    W_adjoint: ndarray


class _Chunk(NamedTuple):
    """One layer's forward values over a chunk."""

    states: ndarray  # [n+1, B, S, H]
    saved: ndarray  # [n, B, V, H]


class _Sums(NamedTuple):
    """One layer's parameter gradients so far, padded, times 2^exponent (a list of one, since it grows)."""

    W: ndarray
    U: ndarray
    b_W: ndarray
    b_U: ndarray
    exponent: list[int]


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
    return _Weights(pack(W.T), b_W, pack(U.T), b_U, pack(U), pack(W))


def times_power(values: ndarray, exponents: ndarray) -> ndarray:
    """values · 2^exponents, exponents along the leading axes; what is out of range becomes 0 or infinite."""
    one = values.dtype.type(1)
    exponents = exponents.clip(-5000, 5000).reshape(*exponents.shape, *[1] * (values.ndim - exponents.ndim))
    half = exponents // 2  # a power of two that is a number itself, for all but what is out of range anyway
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return values * np.ldexp(one, half) * np.ldexp(one, exponents - half)


class Sweep:
    """A stack over inputs [T, B, X] in its dtype, from initial states (one [L, B, H] a state, or none for zeros)."""

    def __init__(self, stack: Stack, inputs: ndarray, initial_state: tuple[ndarray, ...] = (), rows: int | None = None):
        T, B, X = inputs.shape
        self.cell = CELLS[stack.cell]()
        self.gates, self.kinds, self.kept = (
            len(names) for names in (self.cell.gates, self.cell.states, self.cell.saved)
        )
        self.depth, self.hidden, self.dtype = stack.depth, stack.hidden_size, stack.dtype
        self.units = padded(self.hidden, self.dtype)
        self.inputs, self.T, self.B, self.X = inputs, T, B, X
        self.weights = [_packed(layer, self.gates) for layer in stack.layers]
        self.plan = plan(Size(stack.cell, stack.depth, self.hidden, X, T, B, rows or B, self.dtype.name))
        start = np.zeros((self.depth, B, self.kinds, self.units), self.dtype)
        for kind, value in enumerate(initial_state):
            start[:, :, kind, : self.hidden] = value
        self.ends = [start]  # states at the start of each chunk
        self.stored: dict[int, list[_Chunk]] = {}
        self.non_finite = np.full((self.depth, B), NEVER)

    def forward(self, done: Done = lambda fraction: None) -> None:
        """The forward pass; `done` hears the fraction after every chunk and may raise."""
        for number in range(self.plan.chunks):
            keep = number >= self.plan.chunks - self.plan.stored
            values = self._forward(number, keep)
            if keep:
                self.stored[number] = values
            self.ends.append(np.stack([layer.states[-1] for layer in values]))
            if not keep:
                self._leave(values)
            done((number + 1) / self.plan.chunks)

    @property
    def last_states(self) -> ndarray:
        """[L, B, S, H]"""
        return self.ends[-1][..., : self.hidden]

    def values(self, done: Done = lambda fraction: None) -> tuple[ndarray, ndarray]:
        """All states after every step [L, T, B, S, H] and all values the cell keeps [L, T, B, V, H]."""
        states = np.empty((self.depth, self.T, self.B, self.kinds, self.hidden), self.dtype)
        saved = np.empty((self.depth, self.T, self.B, self.kept, self.hidden), self.dtype)
        for number in range(self.plan.chunks):
            begin, end = self.plan.steps_of(number)
            for layer, chunk in enumerate(self.stored.get(number) or self._forward(number, True)):
                states[layer, begin:end] = chunk.states[1:, ..., : self.hidden]
                saved[layer, begin:end] = chunk.saved[..., : self.hidden]
            done((number + 1) / self.plan.chunks)
        return states, saved

    def top_h(self) -> ndarray:
        """h of the top layer after every step, [T, B, H]."""
        h = np.empty((self.T, self.B, self.hidden), self.dtype)
        for number in range(self.plan.chunks):
            begin, end = self.plan.steps_of(number)
            values = self.stored.get(number) or self._forward(number, False)
            h[begin:end] = values[-1].states[1:, :, 0, : self.hidden]
            if number not in self.stored:
                self._leave(values)
        return h

    def _input(self, number: int) -> tuple[ndarray, int, int]:
        """What the lowest layer reads in a chunk: flat, where it starts, and its stride."""
        begin, end = self.plan.steps_of(number)
        x = _pad_columns(np.ascontiguousarray(self.inputs[begin:end]))
        return x.reshape(-1), 0, x.shape[-1]

    def _h(self, chunk: _Chunk) -> tuple[ndarray, int, int]:
        """What the layer above reads: h after each step."""
        row = self.kinds * self.units
        return chunk.states.reshape(-1), self.B * row, row

    def _forward(self, number: int, keep: bool) -> list[_Chunk]:
        """All layers over one chunk."""
        begin, end = self.plan.steps_of(number)
        steps, B, units = end - begin, self.B, self.units
        a_x = take((steps, B, self.gates, units), self.dtype)
        scratch = take((B, self.gates, units), self.dtype)
        below = self._input(number)
        values = []
        for layer, weights in enumerate(self.weights):
            affine(*below, weights.W_forward, weights.b_W, a_x.reshape(steps * B, -1))
            states = take((steps + 1, B, self.kinds, units), self.dtype)
            states[0] = self.ends[number][layer]
            saved = take((steps if keep else 0, B, self.kept, units), self.dtype)
            first = np.where(self.non_finite[layer] == NEVER, NEVER, self.non_finite[layer] - begin)
            forward(self.cell, a_x, weights.U_forward, weights.b_U, states, saved, scratch, first)
            self.non_finite[layer] = np.where(first == NEVER, NEVER, first + begin)
            values.append(_Chunk(states, saved))
            below = self._h(values[-1])
        leave(a_x, scratch)
        return values

    def _leave(self, values: list[_Chunk]) -> None:
        for chunk in values:
            leave(*chunk)

    def close(self) -> None:
        """Leaves the stored forward values to the next sweep; no adjoint can follow."""
        while self.stored:
            self._leave(self.stored.popitem()[1])

    def adjoint(
        self,
        cotangents: Cotangents,
        *,
        keep: Collection[str] = (),
        independent: bool = False,
        with_parameters: bool = False,
        with_inputs: bool = False,
        orders: bool = False,
        routes: ndarray = NO_CUT,
        done: Done = lambda fraction: None,
    ) -> Swept:
        """One adjoint back over the forward pass; `done` hears the fraction after every chunk and may raise.

        keep             names of the `Adjoints` that are wanted of every step
        independent      totals are derivatives with a step's states, also of different layers, independent of each
                         other: rows of a Jacobian
        with_parameters  the weights' gradients are wanted (then there is one cotangent a sequence)
        with_inputs      the inputs' gradients are wanted
        orders           rows are groups of B: what passes U once more goes to the next group's row (`kernels.adjoint`)
        routes           factors that leave routes out of the adjoint (`kernels.adjoint`)
        """
        back = _Back(self, cotangents, frozenset(keep), independent, with_parameters, with_inputs, orders, routes)
        for count, number in enumerate(reversed(range(self.plan.chunks))):
            stored = self.stored.get(number)
            values = stored or self._forward(number, True)
            back.chunk(number, values)
            if stored is None:
                self._leave(values)
            done((count + 1) / self.plan.chunks)
        return back.result()


class _Back:
    """The buffers of one adjoint."""

    def __init__(self, sweep: Sweep, cotangents: Cotangents, keep, independent, parameters, inputs, orders, routes):
        self.sweep, self.cotangents = sweep, cotangents
        self.independent, self.routes, self.parameters = independent, routes, parameters
        self.N, s = cotangents.rows, sweep
        rows, units, dtype = (s.depth, self.N), s.units, s.dtype
        self.carry = np.zeros((*rows, s.kinds, units), dtype)
        self.carry_exponents = np.full(rows, NOTHING)
        if cotangents.final is not None:
            largest, powers = _powers(cotangents.final.reshape(*rows, -1))
            self.carry[..., : s.hidden] = times_power(cotangents.final, -powers)
            self.carry_exponents = np.where(largest == 0, NOTHING, powers)
        self.through = np.empty((self.N if orders else 0, units), dtype)
        self.log10_norms = np.empty((s.depth, s.T, self.N, s.kinds))
        sizes = {"totals": s.kinds, "a_x_bar": s.gates, "a_h_bar": s.gates}
        self.adjoints = tuple(
            Adjoints(
                *(np.empty((s.T if name in keep else 0, self.N, size, units), dtype) for name, size in sizes.items()),
                np.empty((s.T if keep else 0, self.N), np.int64),
            )
            for _ in range(s.depth)
        )
        self.inputs_bar = np.empty((s.T if inputs else 0, self.N, s.X), dtype)
        width = s.gates * units
        columns = [padded(s.X, dtype)] + [units] * (s.depth - 1)
        self.sums = [
            _Sums(
                np.zeros((width, below), dtype),
                np.zeros((width, units), dtype),
                np.zeros(width, dtype),
                np.zeros(width, dtype),
                [NOTHING],
            )
            for below in columns
            if parameters
        ]

    def chunk(self, number: int, values: list[_Chunk]) -> None:
        """All layers back over one chunk, the top one first."""
        s, N, units = self.sweep, self.N, self.sweep.units
        begin, end = s.plan.steps_of(number)
        steps = end - begin
        entering, entering_exponents = self._loss(begin, end)
        for layer in reversed(range(s.depth)):
            weights = s.weights[layer]
            kept = Adjoints(*(part[begin:end] for part in self.adjoints[layer]))
            every = steps if self.parameters else 1
            totals = kept.totals if len(kept.totals) else take((1, N, s.kinds, units), s.dtype)
            a_h_bar = kept.a_h_bar if len(kept.a_h_bar) else take((every, N, s.gates, units), s.dtype)
            a_x_bar = kept.a_x_bar if len(kept.a_x_bar) else take((steps, N, s.gates, units), s.dtype)
            exponents = kept.exponents if len(kept.exponents) else np.empty((steps, N), np.int64)
            squares, scales = np.empty((steps, N, s.kinds)), np.empty((steps, N, s.kinds), np.int64)
            adjoint(
                s.cell, values[layer].saved, values[layer].states, entering, entering_exponents, weights.U_adjoint,
                self.carry[layer], self.carry_exponents[layer], self.through, self.routes, self._independent(layer),
                a_x_bar, a_h_bar, totals, exponents, squares, scales,
            )  # fmt: skip
            with np.errstate(divide="ignore"):  # a gradient of exactly zero is -inf
                np.log10(squares, out=squares)
            np.add(0.5 * squares, LOG10_2 * scales, out=self.log10_norms[layer, begin:end])
            leave(entering)
            if layer or len(self.inputs_bar):
                width = units if layer else padded(s.X, s.dtype)
                entering = take((steps, N, width), s.dtype)
                entering_exponents = np.empty((steps, N), np.int64)
                descend(a_x_bar, exponents, weights.W_adjoint, entering, entering_exponents)
            if self.parameters:
                below = s._h(values[layer - 1]) if layer else s._input(number)
                own = (values[layer].states.reshape(-1), 0, s.kinds * units)
                self._accumulate(layer, a_x_bar, a_h_bar, exponents, below, own)
            own_buffers = zip((totals, a_x_bar, a_h_bar), kept, strict=False)
            leave(*(buffer for buffer, result in own_buffers if not len(result)))
        if len(self.inputs_bar):
            self.inputs_bar[begin:end] = times_power(entering[..., : s.X], entering_exponents)
            leave(entering)

    def _independent(self, layer: int) -> int:
        if not self.independent:
            return TOTAL
        return OF_EACH_OTHER if layer == self.sweep.depth - 1 else OF_LAYERS  # the top layer's loss is no layer

    def _loss(self, begin: int, end: int) -> tuple[ndarray, ndarray]:
        """What the loss puts in over a chunk, each entry brought near 1."""
        c, steps = self.cotangents, end - begin
        chosen = slice(*np.searchsorted(c.steps, (begin, end)))
        entering = take((steps, self.N, self.sweep.units), self.sweep.dtype)
        exponents = np.empty((steps, self.N), np.int64)
        enter(c.steps[chosen] - begin, c.at[chosen], c.values[chosen], entering, exponents)
        return entering, exponents

    def _accumulate(self, layer: int, a_x_bar, a_h_bar, exponents, below, own) -> None:
        """Adds a chunk to the layer's parameter gradients; their common exponent follows the largest."""
        sums = self.sums[layer]
        highest = int(exponents.max())
        if highest == NOTHING:
            return
        if highest > sums.exponent[0]:
            for part in sums[:4]:
                part *= np.ldexp(1.0, max(sums.exponent[0] - highest, -2000))
            sums.exponent[0] = highest
        flat = exponents.reshape(-1)
        rows = (len(flat), self.sweep.gates * self.sweep.units)
        kept = self.adjoints[layer]  # `accumulate` scales in place
        a_x_bar = a_x_bar.copy() if len(kept.a_x_bar) else a_x_bar
        a_h_bar = a_h_bar.copy() if len(kept.a_h_bar) else a_h_bar
        accumulate(a_x_bar.reshape(rows), flat, sums.exponent[0], *below, sums.W, sums.b_W)
        accumulate(a_h_bar.reshape(rows), flat, sums.exponent[0], *own, sums.U, sums.b_U)

    def result(self) -> Swept:
        s = self.sweep
        adjoints = tuple(
            Adjoints(*(part[..., : s.hidden] for part in layer[:3]), layer.exponents) for layer in self.adjoints
        )
        initial = times_power(self.carry[..., : s.hidden], self.carry_exponents)
        parameters = tuple(self._layer(sums, s.hidden if layer else s.X) for layer, sums in enumerate(self.sums))
        return Swept(self.log10_norms, s.non_finite, s.last_states, adjoints, initial, self.inputs_bar, parameters)

    def _layer(self, sums: _Sums, columns: int) -> Layer:
        gates, hidden = self.sweep.gates, self.sweep.hidden
        exponent = np.array(sums.exponent[0])

        def gated(part: ndarray) -> ndarray:
            own = part.reshape(gates, self.sweep.units, *part.shape[1:])[:, :hidden]
            return times_power(own.reshape(gates * hidden, *part.shape[1:]), exponent)

        return Layer(gated(sums.W)[:, :columns], gated(sums.U)[:, :hidden], gated(sums.b_W), gated(sums.b_U))


def _powers(values: ndarray) -> tuple[ndarray, ndarray]:
    """The largest magnitude along the last axis, and the power of two that brings it near 1."""
    largest = np.abs(values).max(axis=-1) if values.size else np.zeros(values.shape[:-1], values.dtype)
    return largest, np.frexp(largest)[1].astype(np.int64)
