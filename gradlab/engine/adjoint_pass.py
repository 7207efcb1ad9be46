"""`Back`: one adjoint over a stored forward pass, chunk by chunk from the last: its buffers and its results."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy import ndarray

from gradlab.engine.buffers import leave, take
from gradlab.engine.kernels import OF_EACH_OTHER, OF_LAYERS, TOTAL, accumulate, adjoint, descend, enter
from gradlab.engine.products import padded
from gradlab.engine.records import Adjoints, Chunk, Cotangents, Swept, times_power
from gradlab.engine.scaling import NOTHING, lost
from gradlab.network.stack import Layer

if TYPE_CHECKING:
    from gradlab.engine.sweep import Sweep


ROWS_AT_ONCE = 128  # whose outer products are added up together: both sides of them fit the second-level cache


class Sums(NamedTuple):
    """One layer's parameter gradients so far, padded, times 2^exponent (a list of one, since it grows)."""

    W: ndarray
    U: ndarray
    b_W: ndarray
    b_U: ndarray
    exponent: list[int]


class Back:
    """The buffers of one adjoint."""

    def __init__(self, sweep: Sweep, cotangents: Cotangents, keep: Collection[str],
                 independent: bool, parameters: bool, inputs: bool, orders: bool, routes: ndarray):  # fmt: skip
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
            Sums(
                np.zeros((width, below), dtype),
                np.zeros((width, units), dtype),
                np.zeros(width, dtype),
                np.zeros(width, dtype),
                [NOTHING],
            )
            for below in columns
            if parameters
        ]

    def _seen(self, saved: ndarray) -> ndarray:
        """What the cell kept, [n, B, V, H], with the factors of `routes` for it."""
        factors = self.routes[self.sweep.gates + 3 :]
        return saved if (factors == 1).all() else saved * factors[:, None].astype(saved.dtype)

    def chunk(self, number: int, values: list[Chunk]) -> None:
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
            saved = self._seen(values[layer].saved)
            adjoint(
                s.cell, saved, values[layer].states, entering, entering_exponents, weights.U_adjoint,
                self.carry[layer], self.carry_exponents[layer], self.through, self.routes, self._independent(layer),
                a_x_bar, a_h_bar, totals, exponents, self.log10_norms[layer, begin:end],
            )  # fmt: skip
            leave(entering)
            if layer or len(self.inputs_bar):
                width = units if layer else padded(s.X, s.dtype)
                entering = take((steps, N, width), s.dtype)
                entering_exponents = np.empty((steps, N), np.int64)
                descend(a_x_bar, exponents, weights.W_adjoint, entering, entering_exponents)
            if self.parameters:
                below = s.h_of(values[layer - 1]) if layer else s.input_of(number)
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
        if highest == NOTHING or highest - sums.exponent[0] < lost(a_x_bar):
            return
        if highest > sums.exponent[0]:
            for part in sums[:4]:
                part *= np.ldexp(1.0, max(sums.exponent[0] - highest, -2000))
            sums.exponent[0] = highest
        flat = exponents.reshape(-1)
        rows = (len(flat), self.sweep.gates * self.sweep.units)
        for a_bar, right, out, sum_ in ((a_x_bar, below, sums.W, sums.b_W), (a_h_bar, own, sums.U, sums.b_U)):
            scratch = [take((ROWS_AT_ONCE * width,), out.dtype) for width in out.shape]
            accumulate(a_bar.reshape(rows), flat, sums.exponent[0], *right, out, sum_, *scratch)
            leave(*scratch)

    def result(self) -> Swept:
        s = self.sweep
        adjoints = tuple(
            Adjoints(*(part[..., : s.hidden] for part in layer[:3]), layer.exponents) for layer in self.adjoints
        )
        initial = times_power(self.carry[..., : s.hidden], self.carry_exponents)
        parameters = tuple(self._layer(sums, s.hidden if layer else s.X) for layer, sums in enumerate(self.sums))
        return Swept(self.log10_norms, s.non_finite, s.last_states, adjoints, initial, self.inputs_bar, parameters)

    def _layer(self, sums: Sums, columns: int) -> Layer:
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
