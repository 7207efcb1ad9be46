"""`Sweep`: one batch's forward pass and adjoints over a stack, chunk by chunk.

    weights     packed once: transposed for the forward pass, as they are for the adjoint (`products.pack`)
    forward     all chunks in turn, layer by layer within one, so that a layer's weights stay in the cache
    adjoint     the chunks back, the top layer first; what was not kept is computed again (`plan` says what)

A forward pass serves any number of adjoints, and an adjoint any number of cotangents of a sequence at once.
"""

from collections.abc import Collection

import numpy as np
from numpy import ndarray

from gradlab.cells import KNOWN
from gradlab.engine.adjoint_pass import AdjointPass
from gradlab.engine.buffers import acquire, release
from gradlab.engine.compiled import told_apart
from gradlab.engine.kernels import affine, forward
from gradlab.engine.packing import packed, rows_of
from gradlab.engine.plan import Size, plan, refuse_too_large
from gradlab.engine.products import padded
from gradlab.engine.progress import Progress, silent
from gradlab.engine.records import NEVER, Chunk, Cotangents, Dimensions, Episodes, Swept
from gradlab.engine.refusals import refuse_cotangents, refuse_episodes, refuse_inputs, refuse_places, refuse_wanted
from gradlab.network.stack import Stack

NO_CUT = np.empty(0)


class Sweep:
    """A stack over inputs [T, B, X] in its dtype, from initial states (one [L, B, H] per state, or none for zeros).

    rows    of cotangents that adjoints will have: B if None
    parts   how many sweeps, slices of one batch, share the memory
    episodes    where sequences begin anew, and end: chunks are cut there, and kernels know nothing of it
    with_inputs    whether adjoints will be asked for the inputs' gradients, for the plan
    Raises ValueError for arrays of another shape or dtype and for inputs that are not finite.
    """

    def __init__(self, stack: Stack, inputs: ndarray, initial_state: tuple[ndarray, ...] = (),
                 rows: int | None = None, parts: int = 1, episodes: Episodes | None = None,
                 with_inputs: bool = False):  # fmt: skip
        cell = KNOWN[stack.cell]
        refuse_inputs(stack, inputs, initial_state, cell.states)
        T, B, X = inputs.shape
        if episodes is not None:
            refuse_episodes(episodes, T, B)
        self.episodes = episodes
        H, dtype = stack.hidden_size, stack.dtype
        G, S, V = len(cell.pre_activations), len(cell.states), len(cell.saved)
        self.dimensions = Dimensions(stack.depth, T, B, X, G, S, V, H, padded(H, dtype), dtype)
        self.cell, self.inputs = told_apart(cell)(), inputs
        self.weights = [packed(layer, G) for layer in stack.layers]
        breaks = () if episodes is None else episodes.breaks
        size = Size(stack.cell, stack.depth, H, X, T, B, rows or B, dtype, False, parts, with_inputs, breaks)
        self.plan = plan(size)
        start = np.zeros((stack.depth, B, S, self.dimensions.units), dtype)
        for kind, value in enumerate(initial_state):
            start[:, :, kind, :H] = value
        self._last_states = np.zeros((stack.depth, B, S, H), dtype)
        self._begin(0, start)
        self.ends = [start]  # states at the start of each chunk
        self.stored: dict[int, list[Chunk]] = {}
        self.non_finite = np.full((stack.depth, B), NEVER)

    def forward(self, progress: Progress = silent) -> None:
        """The forward pass."""
        for number in range(self.plan.chunks):
            keep = number >= self.plan.chunks - self.plan.stored
            values = self._forward(number, keep)
            if keep:
                self.stored[number] = values
            end = np.stack([layer.states[-1] for layer in values])
            self._begin(self.plan.steps_of(number)[1], end)
            self.ends.append(end)
            if not keep:
                self._release(values)
            progress((number + 1) / self.plan.chunks)
        if self.episodes is not None:  # what overflows behind a sequence's end does not exist
            self.non_finite[self.non_finite >= self.episodes.lengths] = NEVER

    def _begin(self, step: int, states: ndarray) -> None:
        """Notes the last states of the sequences that end before a step, and sets back those that begin anew at it."""
        if self.episodes is None or step == self.dimensions.steps:
            return
        ended = self.episodes.lengths == step
        self._last_states[:, ended] = states[:, ended, :, : self.dimensions.hidden]
        states[:, self.episodes.begins(step)] = 0

    @property
    def last_states(self) -> ndarray:
        """[L, B, S, H]"""
        last = self.ends[-1][..., : self.dimensions.hidden]
        if self.episodes is None:
            return last
        whole = self.episodes.lengths == self.dimensions.steps
        return np.where(whole[:, None, None], last, self._last_states)

    def values(self, progress: Progress = silent) -> tuple[ndarray, ndarray]:
        """All states after every step [L, T, B, S, H] and all values the cell saves [L, T, B, V, H].

        Raises TooLarge where they do not fit into memory.
        """
        d = self.dimensions
        numbers = d.depth * d.steps * d.sequences * (d.states + d.saved) * d.hidden
        sizes = f"steps = {d.steps}, batch_size = {d.sequences}, hidden_size = {d.hidden}, depth = {d.depth}"
        what = f"all states and gates of {sizes}"
        refuse_too_large(numbers * d.dtype.itemsize, what, "steps, batch_size, hidden_size or depth")
        states = np.empty((d.depth, d.steps, d.sequences, d.states, d.hidden), d.dtype)
        saved = np.empty((d.depth, d.steps, d.sequences, d.saved, d.hidden), d.dtype)
        for number in range(self.plan.chunks):
            begin, end = self.plan.steps_of(number)
            for layer, chunk in enumerate(self.stored.get(number) or self._forward(number, True)):
                states[layer, begin:end] = chunk.states[1:, ..., : d.hidden]
                saved[layer, begin:end] = chunk.saved[..., : d.hidden]
            progress((number + 1) / self.plan.chunks)
        return states, saved

    def top_h(self) -> ndarray:
        """h of the top layer after every step, [T, B, H]."""
        d = self.dimensions
        h = np.empty((d.steps, d.sequences, d.hidden), d.dtype)
        for number in range(self.plan.chunks):
            begin, end = self.plan.steps_of(number)
            values = self.stored.get(number) or self._forward(number, False)
            h[begin:end] = values[-1].states[1:, :, 0, : d.hidden]
            if number not in self.stored:
                self._release(values)
        return h

    def _forward(self, number: int, keep: bool) -> list[Chunk]:
        """All layers over one chunk."""
        d = self.dimensions
        begin, end = self.plan.steps_of(number)
        steps, B, units = end - begin, d.sequences, d.units
        a_x = acquire((steps, B, d.pre_activations, units), d.dtype)
        scratch = acquire((B, d.pre_activations, units), d.dtype)
        below = rows_of(self.inputs[begin:end])
        values = []
        for layer, weights in enumerate(self.weights):
            affine(*below, weights.W_forward, weights.b_W, a_x.reshape(steps * B, -1))
            states = acquire((steps + 1, B, d.states, units), d.dtype)
            states[0] = self.ends[number][layer]
            saved = acquire((steps if keep else 0, B, d.saved, units), d.dtype)
            forward(
                self.cell, a_x, weights.U_forward, weights.b_U, states, saved, scratch, begin, self.non_finite[layer]
            )  # fmt: skip
            values.append(Chunk(states, saved))
            below = values[-1].h_after
        release(a_x, scratch)
        return values

    def _release(self, values: list[Chunk]) -> None:
        for chunk in values:
            release(*chunk)

    def close(self) -> None:
        """Releases the stored forward values; no adjoint can follow."""
        while self.stored:
            self._release(self.stored.popitem()[1])

    def adjoint(
        self,
        cotangents: Cotangents,
        *,
        keep: Collection[str] = (),
        independent: bool = False,
        with_parameters: bool = False,
        with_inputs: bool = False,
        orders: bool = False,
        passes: bool = False,
        routes: ndarray = NO_CUT,
        progress: Progress = silent,
    ) -> Swept:
        """One adjoint back over the forward pass.

        keep             names of the `Adjoints` that are wanted of every step
        independent      totals are derivatives with a step's states, also of different layers, independent of each
                         other: rows of a Jacobian
        with_parameters  the weights' gradients are wanted (then there is one cotangent per sequence)
        with_inputs      the inputs' gradients are wanted
        orders           rows are groups of B: what passes U once more goes to the next group's row (`kernels.adjoint`)
        passes           rows are two groups of B, of which the second has no cotangents: it becomes the derivative of
                         the first by a factor on U in the adjoint, at 1
        routes           factors that leave routes out of the adjoint: [G+3] of `kernels.adjoint`, then [V] of what the
                         cell saves

        Raises ValueError, before any kernel runs, for cotangents or options that do not fit (`refusals`).
        """
        d = self.dimensions
        refuse_places(cotangents, d.steps, (d.depth, d.sequences, d.states, d.hidden), d.dtype)
        refuse_cotangents(cotangents, self.non_finite)
        factors = d.pre_activations + 3 + d.saved
        refuse_wanted(keep, cotangents.rows, d.sequences, factors, with_parameters, routes)
        cotangents = cotangents._replace(
            steps=cotangents.steps.astype(np.int64, copy=False),
            at=cotangents.at.astype(np.int64, copy=False),
            values=np.ascontiguousarray(cotangents.values),
        )
        adjoint = AdjointPass(
            self.cell, self.weights, d, self.inputs, cotangents, frozenset(keep), independent, with_parameters,
            with_inputs, orders, passes, routes, self.episodes,
        )  # fmt: skip
        for count, number in enumerate(reversed(range(self.plan.chunks))):
            stored = self.stored.get(number)
            values = stored or self._forward(number, True)
            adjoint.chunk(*self.plan.steps_of(number), values)
            if stored is None:
                self._release(values)
            progress((count + 1) / self.plan.chunks)
        return adjoint.result(self.non_finite, self.last_states)
