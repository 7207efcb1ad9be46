"""`AdjointPass`: one adjoint over a forward pass, chunk by chunk from the last: its buffers and its results."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from gradlab.engine.buffers import acquire, release
from gradlab.engine.kernels import OF_EACH_OTHER, OF_LAYERS, TOTAL, accumulate, adjoint, descend, enter
from gradlab.engine.packing import Weights, rows_of
from gradlab.engine.products import padded
from gradlab.engine.records import (
    Adjoints,
    Chunk,
    Cotangents,
    Dimensions,
    Episodes,
    Scaled,
    Strided,
    Swept,
    times_power,
)
from gradlab.engine.scaling import NOTHING, lost
from gradlab.network.stack import Layer

ROWS_AT_ONCE = 128  # whose outer products are added up together: both sides of them fit the second-level cache


class Sums(NamedTuple):
    """One layer's parameter gradients so far, padded, times 2^exponent (a list of one, since it grows)."""

    W: ndarray
    U: ndarray
    b_W: ndarray
    b_U: ndarray
    exponent: list[int]


class AdjointPass:
    """The buffers of one adjoint. cell: an instance, for the kernels; other arguments as `Sweep.adjoint` has them."""

    def __init__(self, cell: Any, weights: list[Weights], dimensions: Dimensions, inputs: ndarray,
                 cotangents: Cotangents, keep: Collection[str], independent: bool, with_parameters: bool,
                 with_inputs: bool, orders: bool, passes: bool, routes: ndarray,
                 episodes: Episodes | None = None):  # fmt: skip
        self.cell, self.weights, self.dimensions, self.inputs = cell, weights, dimensions, inputs
        self.cotangents, self.independent, self.routes = cotangents, independent, routes
        self.with_parameters = with_parameters
        self.N, d = cotangents.rows, dimensions
        rows, units, dtype = (d.depth, self.N), d.units, d.dtype
        self.carry = np.zeros((*rows, d.states, units), dtype)
        self.carry_exponents = np.full(rows, NOTHING)
        self.episodes = episodes
        self._end(d.steps, np.ones(self.N, bool) if episodes is None else self._of_rows(episodes.lengths == d.steps))
        self.through = np.empty((self.N if orders or passes else 0, units), dtype)
        self.keeping = 0 if passes else self.N - d.sequences
        self.log10_norms = np.empty((d.depth, d.steps, self.N, d.states))
        self.adjoints = tuple(self._adjoints(keep) for _ in range(d.depth))
        steps = d.steps if with_inputs else 0
        self.at_inputs = Scaled(np.empty((steps, self.N, d.inputs), dtype), np.empty((steps, self.N), np.int64))
        columns = [padded(d.inputs, dtype)] + [units] * (d.depth - 1)
        self.sums = [self._sums(below) for below in columns if with_parameters]

    def _of_rows(self, of_sequences: ndarray) -> ndarray:
        """What holds of sequences, [B], by rows, [N]."""
        return np.tile(of_sequences, self.N // self.dimensions.sequences)

    def _end(self, step: int, rows: ndarray) -> None:
        """Lets the cotangents of the last states of some rows, [N], enter: their sequences end before this step."""
        c = self.cotangents
        if c.final is None or not rows.any():
            return
        final = c.final[:, rows]
        largest, powers = _powers(final.reshape(*final.shape[:2], -1))
        self.carry[:, rows, :, : self.dimensions.hidden] = times_power(final, -powers)
        if c.final_exponents is not None:
            powers = powers + c.final_exponents[:, rows]
        self.carry_exponents[:, rows] = np.where(largest == 0, NOTHING, powers)

    def _begin(self, step: int) -> None:
        """Stops what goes back from a step into the one before where a sequence begins; what enters there comes in."""
        if self.episodes is None:
            return
        rows = self._of_rows(self.episodes.begins(step))
        self.carry[:, rows] = 0
        self.carry_exponents[:, rows] = NOTHING
        self._end(step, self._of_rows(self.episodes.lengths == step))

    def _adjoints(self, keep: Collection[str]) -> Adjoints:
        """One layer's buffers, over every step where they are kept."""
        d, N = self.dimensions, self.N

        def array(name: str, size: int) -> ndarray:
            return np.empty((d.steps if name in keep else 0, N, size, d.units), d.dtype)

        exponents = np.empty((d.steps if keep else 0, N), np.int64)
        a_x_bar, a_h_bar = array("a_x_bar", d.pre_activations), array("a_h_bar", d.pre_activations)
        return Adjoints(array("totals", d.states), a_x_bar, a_h_bar, exponents)

    def _sums(self, columns: int) -> Sums:
        """One layer's sums, for so many inputs."""
        d = self.dimensions
        width = d.pre_activations * d.units
        W, U = (np.zeros((width, size), d.dtype) for size in (columns, d.units))
        return Sums(W, U, np.zeros(width, d.dtype), np.zeros(width, d.dtype), [NOTHING])

    def _scaled(self, saved: ndarray) -> ndarray:
        """What the cell saved, [n, B, V, H], with the factors of `routes` for it."""
        factors = self.routes[self.dimensions.pre_activations + 3 :]
        return saved if (factors == 1).all() else saved * factors[:, None].astype(saved.dtype)

    def chunk(self, begin: int, end: int, values: list[Chunk]) -> None:
        """All layers back over the steps begin … end-1, the top one first."""
        d, N, units = self.dimensions, self.N, self.dimensions.units
        steps = end - begin
        entering, entering_exponents = self._loss(begin, end)
        for layer in reversed(range(d.depth)):
            weights = self.weights[layer]
            kept = Adjoints(*(part[begin:end] for part in self.adjoints[layer]))
            every = steps if self.with_parameters else 1
            totals = kept.totals if len(kept.totals) else acquire((1, N, d.states, units), d.dtype)
            a_h_bar = kept.a_h_bar if len(kept.a_h_bar) else acquire((every, N, d.pre_activations, units), d.dtype)
            a_x_bar = kept.a_x_bar if len(kept.a_x_bar) else acquire((steps, N, d.pre_activations, units), d.dtype)
            exponents = kept.exponents if len(kept.exponents) else np.empty((steps, N), np.int64)
            saved = self._scaled(values[layer].saved)
            adjoint(
                self.cell, saved, values[layer].states, entering, entering_exponents, weights.U_adjoint,
                self.carry[layer], self.carry_exponents[layer], self.through, self.keeping, self.routes,
                self._independent(layer), a_x_bar, a_h_bar, totals, exponents, self.log10_norms[layer, begin:end],
            )  # fmt: skip
            release(entering)
            if layer or len(self.at_inputs.values):
                width = units if layer else padded(d.inputs, d.dtype)
                entering = acquire((steps, N, width), d.dtype)
                entering_exponents = np.empty((steps, N), np.int64)
                descend(a_x_bar, exponents, weights.W_adjoint, entering, entering_exponents)
            if self.with_parameters:
                below = values[layer - 1].h_after if layer else rows_of(self.inputs[begin:end])
                self._accumulate(layer, a_x_bar, a_h_bar, exponents, below, values[layer].h_before)
            scratch = zip((totals, a_x_bar, a_h_bar), kept, strict=False)
            release(*(array for array, result in scratch if not len(result)))
        if len(self.at_inputs.values):
            nothing = entering_exponents == NOTHING
            self.at_inputs.values[begin:end] = np.where(nothing[..., None], 0, entering[..., : d.inputs])
            self.at_inputs.exponents[begin:end] = entering_exponents
            release(entering)
        self._begin(begin)

    def _independent(self, layer: int) -> int:
        if not self.independent:
            return TOTAL
        return OF_EACH_OTHER if layer == self.dimensions.depth - 1 else OF_LAYERS  # the top layer's loss is no layer

    def _loss(self, begin: int, end: int) -> tuple[ndarray, ndarray]:
        """The gradient injected by the loss over a chunk, each entry brought near 1."""
        c, steps = self.cotangents, end - begin
        chosen = slice(*np.searchsorted(c.steps, (begin, end)))
        entering = acquire((steps, self.N, self.dimensions.units), self.dimensions.dtype)
        exponents = np.empty((steps, self.N), np.int64)
        enter(c.steps[chosen] - begin, c.at[chosen], c.values[chosen], entering, exponents)
        if c.exponents is not None:
            here = exponents[c.steps[chosen] - begin, c.at[chosen]]
            exponents[c.steps[chosen] - begin, c.at[chosen]] = np.where(
                here == NOTHING, NOTHING, here + c.exponents[chosen]
            )
        return entering, exponents

    def _accumulate(self, layer: int, a_x_bar: ndarray, a_h_bar: ndarray, exponents: ndarray, below: Strided,
                    h_before: Strided) -> None:  # fmt: skip
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
        rows = (len(flat), self.dimensions.pre_activations * self.dimensions.units)
        for a_bar, right, out, sum_ in ((a_x_bar, below, sums.W, sums.b_W), (a_h_bar, h_before, sums.U, sums.b_U)):
            scratch = [acquire((ROWS_AT_ONCE * width,), out.dtype) for width in out.shape]
            accumulate(a_bar.reshape(rows), flat, sums.exponent[0], *right, out, sum_, *scratch)
            release(*scratch)

    def result(self, non_finite: ndarray, last_states: ndarray) -> Swept:
        """The results, with those of the forward pass."""
        d = self.dimensions
        adjoints = tuple(
            layer._replace(**{name: getattr(layer, name)[..., : d.hidden] for name in Adjoints._fields[:3]})
            for layer in self.adjoints
        )
        initial = Scaled(self.carry[..., : d.hidden].copy(), self.carry_exponents)
        parameters = tuple(self._layer(sums, d.hidden if layer else d.inputs) for layer, sums in enumerate(self.sums))
        return Swept(self.log10_norms, non_finite, last_states, adjoints, initial, self.at_inputs, parameters)

    def _layer(self, sums: Sums, columns: int) -> Layer:
        d = self.dimensions
        exponent = np.array(sums.exponent[0])

        def unpadded(part: ndarray) -> ndarray:
            rows = part.reshape(d.pre_activations, d.units, *part.shape[1:])[:, : d.hidden]
            return times_power(rows.reshape(d.pre_activations * d.hidden, *part.shape[1:]), exponent)

        W, U, b_W, b_U = (unpadded(part) for part in sums[:4])
        return Layer(W[:, :columns], U[:, : d.hidden], b_W, b_U)


def _powers(values: ndarray) -> tuple[ndarray, ndarray]:
    """The largest magnitude along the last axis, and the power of two that brings it near 1."""
    largest = np.abs(values).max(axis=-1) if values.size else np.zeros(values.shape[:-1], values.dtype)
    return largest, np.frexp(largest)[1].astype(np.int64)
