"""`Sweep`: one batch's forward pass and adjoints over a stack, chunk by chunk.

    weights     packed once: transposed for the forward pass, as they are for the adjoint (`products.pack`)
    forward     all chunks in turn, layer by layer within one, so that a layer's weights stay in the cache
    adjoint     the chunks back, the top layer first; what was not kept is computed again (`plan` says what)

A forward pass serves any number of adjoints, and an adjoint any number of cotangents of a sequence at once.
"""

from collections.abc import Callable, Collection

import numpy as np
from numpy import ndarray

from gradlab.cells import CELLS
from gradlab.engine.adjoint_pass import Back
from gradlab.engine.buffers import leave, take
from gradlab.engine.kernels import affine, forward
from gradlab.engine.packing import packed, pad_columns
from gradlab.engine.plan import Size, plan, refuse_too_large
from gradlab.engine.products import padded
from gradlab.engine.records import NEVER, Chunk, Cotangents, Swept
from gradlab.engine.refusals import refuse_cotangents, refuse_inputs, refuse_places, refuse_wanted
from gradlab.network.stack import Stack

NO_CUT = np.empty(0)

Done = Callable[[float], None]


class Sweep:
    """A stack over inputs [T, B, X] in its dtype, from initial states (one [L, B, H] a state, or none for zeros).

    rows    of cotangents that adjoints will have: B if None
    parts   how many sweeps, slices of one batch, share the memory
    Raises ValueError for arrays of another shape or dtype and for inputs that are not finite.
    """

    def __init__(self, stack: Stack, inputs: ndarray, initial_state: tuple[ndarray, ...] = (),
                 rows: int | None = None, parts: int = 1):  # fmt: skip
        refuse_inputs(stack, inputs, initial_state, CELLS[stack.cell].states)
        T, B, X = inputs.shape
        self.cell = CELLS[stack.cell]()
        self.gates, self.kinds, self.kept = (
            len(names) for names in (self.cell.pre_activations, self.cell.states, self.cell.saved)
        )
        self.depth, self.hidden, self.dtype = stack.depth, stack.hidden_size, stack.dtype
        self.units = padded(self.hidden, self.dtype)
        self.inputs, self.T, self.B, self.X = inputs, T, B, X
        self.weights = [packed(layer, self.gates) for layer in stack.layers]
        size = Size(stack.cell, stack.depth, self.hidden, X, T, B, rows or B, self.dtype, parts=parts)
        self.plan = plan(size)
        start = np.zeros((self.depth, B, self.kinds, self.units), self.dtype)
        for kind, value in enumerate(initial_state):
            start[:, :, kind, : self.hidden] = value
        self.ends = [start]  # states at the start of each chunk
        self.stored: dict[int, list[Chunk]] = {}
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
        """All states after every step [L, T, B, S, H] and all values the cell keeps [L, T, B, V, H].

        Raises TooLarge where they do not fit into memory.
        """
        numbers = self.depth * self.T * self.B * (self.kinds + self.kept) * self.hidden
        sizes = f"steps = {self.T}, batch_size = {self.B}, hidden_size = {self.hidden}, depth = {self.depth}"
        what = f"all states and gates of {sizes}"
        refuse_too_large(numbers * self.dtype.itemsize, what, "steps, batch_size, hidden_size or depth")
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

    def input_of(self, number: int) -> tuple[ndarray, int, int]:
        """What the lowest layer reads in a chunk: flat, where it starts, and its stride."""
        begin, end = self.plan.steps_of(number)
        x = pad_columns(np.ascontiguousarray(self.inputs[begin:end]))
        return x.reshape(-1), 0, x.shape[-1]

    def h_of(self, chunk: Chunk) -> tuple[ndarray, int, int]:
        """What the layer above reads: h after each step."""
        row = self.kinds * self.units
        return chunk.states.reshape(-1), self.B * row, row

    def _forward(self, number: int, keep: bool) -> list[Chunk]:
        """All layers over one chunk."""
        begin, end = self.plan.steps_of(number)
        steps, B, units = end - begin, self.B, self.units
        a_x = take((steps, B, self.gates, units), self.dtype)
        scratch = take((B, self.gates, units), self.dtype)
        below = self.input_of(number)
        values = []
        for layer, weights in enumerate(self.weights):
            affine(*below, weights.W_forward, weights.b_W, a_x.reshape(steps * B, -1))
            states = take((steps + 1, B, self.kinds, units), self.dtype)
            states[0] = self.ends[number][layer]
            saved = take((steps if keep else 0, B, self.kept, units), self.dtype)
            forward(
                self.cell, a_x, weights.U_forward, weights.b_U, states, saved, scratch, begin, self.non_finite[layer]
            )  # fmt: skip
            values.append(Chunk(states, saved))
            below = self.h_of(values[-1])
        leave(a_x, scratch)
        return values

    def _leave(self, values: list[Chunk]) -> None:
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
        routes           factors that leave routes out of the adjoint: [G+3] of `kernels.adjoint`, then [V] of what the
                         cell keeps

        Raises ValueError, before any kernel runs, for cotangents or options that do not fit (`refusals`).
        """
        shape = (self.depth, self.B, self.kinds, self.hidden)
        refuse_places(cotangents, self.T, shape, self.dtype)
        refuse_cotangents(cotangents, self.non_finite)
        refuse_wanted(keep, cotangents.rows, self.B, self.gates + 3 + self.kept, with_parameters, routes)
        cotangents = cotangents._replace(
            steps=cotangents.steps.astype(np.int64, copy=False),
            at=cotangents.at.astype(np.int64, copy=False),
            values=np.ascontiguousarray(cotangents.values),
        )
        back = Back(self, cotangents, frozenset(keep), independent, with_parameters, with_inputs, orders, routes)
        for count, number in enumerate(reversed(range(self.plan.chunks))):
            stored = self.stored.get(number)
            values = stored or self._forward(number, True)
            back.chunk(number, values)
            if stored is None:
                self._leave(values)
            done((count + 1) / self.plan.chunks)
        return back.result()
