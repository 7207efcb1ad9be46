"""The trace of a `Net`: each of its layers traced as the plain stack that it is, the top one first.

What a layer passes to its inputs is what enters the layers below: beside powers of two, so that it is exact at any
length, through the mask of a dropout as it was drawn, and from both directions added up. A layer that reads from the
end is traced in the order in which it reads; what is reported of it lies at the steps of the sequence again.

Layers in one direction follow the last loss through all of them, as in a plain stack. Of layers in both directions each
follows the last step, in the order in which it reads, at which something enters it from above.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd
from numpy import ndarray

from gradlab.analyses.arguments import as_array, as_episodes, as_sequence, refuse_behind_the_end, sparse
from gradlab.analyses.frames import Frame, as_one, frame_of
from gradlab.analyses.pictures import Pictured
from gradlab.analyses.problem import SIZES_TO_LOWER, Arrays, Problem, injection_steps
from gradlab.analyses.spans import Spans
from gradlab.cells import KNOWN
from gradlab.engine import (
    NEVER,
    Cotangents,
    Episodes,
    Progress,
    Scaled,
    Swept,
    outputs,
    plan_in_slices,
    refuse_too_large,
    sweep,
    times_power,
)
from gradlab.engine.scaling import NOTHING
from gradlab.network.arrays import ArrayLike, Lengths, StatesLike, on_the_cpu
from gradlab.network.stack import Net, Part

ALL = "all"


class Traced(Protocol):
    """What a Net's trace asks of a trace of one of its layers."""

    @property
    def states(self) -> tuple[str, ...]: ...
    @property
    def table(self) -> pd.DataFrame: ...
    @property
    def propagation(self) -> pd.DataFrame: ...
    @property
    def non_finite(self) -> Any: ...
    def rate(self) -> pd.DataFrame: ...
    def log10_norm(self, state: str = "h", losses: str = ALL) -> ndarray: ...
    def log10_relative(self, state: str = "h", losses: str = ALL) -> ndarray: ...


class OfLayer(NamedTuple):
    """The trace of one layer, in the order in which it reads."""

    layer: int
    direction: str
    trace: Any  # a GradientTrace
    initial: tuple[Scaled, ...]  # ∂L/∂(initial state), one [B, size] per state


@dataclass(frozen=True, eq=False, repr=False)
class NetTrace(Pictured):
    """The result of `trace` for a `Net`: a trace of every layer and direction."""

    net: Net
    layers: tuple[OfLayer, ...]  # in PyTorch's order: level 0 forward, level 0 reverse, level 1 forward …
    inputs: Scaled  # [T, B, X]
    spans: Spans
    log10_cotangent: ndarray  # [E] log10 of what the loss injects into the net

    def __repr__(self) -> str:
        return f"NetTrace({self.net!r}, {self.spans.steps} steps, {self.spans.sequences} sequences)"

    @property
    def cell(self) -> str:
        return self.net.cell

    @property
    def states(self) -> tuple[str, ...]:
        return KNOWN[self.cell].states

    @property
    def steps(self) -> int:
        return self.spans.steps

    @property
    def non_finite(self) -> Any:
        """Where a number first left the floating-point range, in the highest layer in which one did, as that reads."""
        return next((found.trace.non_finite for found in self.layers if found.trace.non_finite), None)

    def of(self, layer: int, direction: str = "forward") -> OfLayer:
        """One layer's trace. Raises ValueError for a layer or direction that is not there."""
        for found in self.layers:
            if (found.layer, found.direction) == (layer, direction):
                return found
        there = ", ".join(f"{found.layer} {found.direction}" for found in self.layers)
        raise ValueError(f"layer = {layer!r}, direction = {direction!r} is not there: use one of {there}")

    def log10_norm(self, state: str = "h", losses: str = ALL) -> ndarray:
        """log10 ‖∂L/∂s_t‖₂, [layers and directions in PyTorch's order, T, B], at the steps of the sequence.

        "x" is of the inputs, [T, B]; all else as `GradientTrace.log10_norm` has it.
        """
        if state == "x":
            return self.spans.without_padding(self.inputs.log10_norms[..., None])[..., 0]
        return np.stack([self._in_order(found, found.trace.log10_norm(state, losses)[0]) for found in self.layers])

    def log10_relative(self, state: str = "h", losses: str = ALL) -> ndarray:
        """`log10_norm` minus log10 of what the loss, or the last thing that enters a layer, injects."""
        return np.stack([self._in_order(found, found.trace.log10_relative(state, losses)[0]) for found in self.layers])

    def log10_initial(self, state: str = "h") -> ndarray:
        """log10 ‖∂L/∂(initial state)‖₂, [layers and directions, B]; -inf where it is exactly zero."""
        if state == ALL:
            return as_one(np.stack([self.log10_initial(name) for name in self.states], axis=-1))
        return np.stack([found.initial[self.states.index(state)].log10_norms for found in self.layers])

    @property
    def initial_bar(self) -> tuple[Any, ...]:
        """∂L/∂(initial states), one per state: [layers and directions, B, size], or a list where sizes differ."""
        of_states = []
        for kind, state in enumerate(self.states):
            arrays = [found.initial[kind].array for found in self.layers]
            of_states.append(np.stack(arrays) if len(set(self.net.layer_sizes(state))) == 1 else arrays)
        return tuple(of_states)

    @property
    def inputs_bar(self) -> ndarray:
        """∂L/∂x_t as the inputs came, [T, B, X] or [B, T, X]; out of the dtype's range 0 or infinite."""
        values = self.inputs.array
        return np.ascontiguousarray(values.swapaxes(0, 1)) if self.net.batch_first else values

    @cached_property
    def table(self) -> pd.DataFrame:
        """Tidy, as `GradientTrace.table`, with the column direction: "forward" or "reverse"."""
        return self._together(lambda trace: trace.table)

    @cached_property
    def propagation(self) -> pd.DataFrame:
        """Tidy, as `GradientTrace.propagation`, likewise."""
        return self._together(lambda trace: trace.propagation)

    def rate(self) -> pd.DataFrame:
        """As `GradientTrace.rate`, likewise; lags of a reverse layer count in the order in which it reads."""
        return self._together(lambda trace: trace.rate())

    def _together(self, view: Callable[[Any], pd.DataFrame]) -> pd.DataFrame:
        tables = []
        for found in self.layers:
            table = view(found.trace).assign(layer=found.layer)
            table.insert(list(table.columns).index("layer") + 1, "direction", found.direction)
            if found.direction == "reverse" and "step" in table:
                table["step"] = self.steps - 1 - table["step"]
            tables.append(table)
        return pd.concat(tables, ignore_index=True)

    def _in_order(self, found: OfLayer, norms: ndarray) -> ndarray:
        """A layer's values [T, B] at the steps of the sequence."""
        return turned(norms[..., None], self.spans)[..., 0] if found.direction == "reverse" else norms


def traced_net(
    net: Net,
    inputs: ArrayLike | None,
    cotangents: ArrayLike | None,
    initial_state: StatesLike | None,
    final_cotangents: StatesLike | None,
    resets: ArrayLike | None,
    lengths: Lengths | None,
    *,
    traced: Callable[[Problem, Frame, Swept], Any],
    progress: Progress | None = None,
) -> NetTrace:
    """As `trace` takes its arguments; states are [layers and directions, B, H], or a sequence of [B, size].

    traced    makes the trace of one layer of its sweep
    Raises ValueError as `trace` does, and for resets of a net that reads in both directions.
    """
    ends_only = cotangents is None and final_cotangents is not None
    x, dense = as_sequence(net, inputs, cotangents, (net.output_size, "outputs"), lengths, ends_only)
    T, B, _ = x.shape
    episodes = as_episodes(resets, lengths, T, B, net.batch_first)
    if net.is_bidirectional and episodes is not None and episodes.resets.any():
        raise ValueError("resets and a bidirectional net: pass each episode as a sequence, with lengths")
    if episodes is not None:
        refuse_behind_the_end(sparse(dense), episodes.lengths, net.batch_first)
    run = _Run(net, x, episodes, _of_parts(net, initial_state, B, "initial_state"),
               _of_parts(net, final_cotangents, B, "final_cotangents"))  # fmt: skip
    run.refuse_too_large()
    return run.traced(dense, traced, progress)


@dataclass(frozen=True, eq=False)
class _Run:
    """A net over a batch."""

    net: Net
    inputs: ndarray  # [T, B, X]
    episodes: Episodes | None
    states: list[list[ndarray]]  # of each part, one [B, size] a state, or none
    final: list[list[ndarray]]

    @cached_property
    def spans(self) -> Spans:
        T, B, _ = self.inputs.shape
        return Spans.of(self.episodes, T, B)

    @property
    def numbered(self) -> Iterator[tuple[int, int, Part]]:
        """Place among all parts, level, part."""
        return ((place, level, part) for place, (level, part) in enumerate(self.net.parts))

    def refuse_too_large(self) -> None:
        """Raises TooLarge where the largest layer's adjoint, all levels' outputs and all results do not fit."""
        T, B, _ = self.inputs.shape
        item, needed, most = self.net.dtype.itemsize, 0, 0
        for _, part in self.net.parts:
            stack = part.stack
            arrays = Arrays(
                stack, np.broadcast_to(np.zeros((), stack.dtype), (T, B, stack.input_size)), _nothing(B), ()
            )
            size = arrays.size._replace(rows=2 * B, with_inputs=True, keep=part.projection is not None)
            size = size._replace(steps=2 * T) if part.in_halves else size
            most = max(most, plan_in_slices(size).bytes)
            needed += T * B * (item * (part.output_size + 2 * part.input_size) + 32 * len(KNOWN[part.cell].states))
        what = f"steps = {T}, batch_size = {B} of {self.net!r}"
        refuse_too_large(needed + most, what, SIZES_TO_LOWER)

    def traced(self, dense: ndarray, traced: Callable[..., Any], progress: Progress | None) -> NetTrace:
        """All levels forward, then all back."""
        below = self._forward(progress)
        loss = sparse(dense)
        if any(part.any() for parts in self.final for part in parts):
            flat = np.concatenate([part for parts in self.final for part in parts], axis=1)
            loss = loss._replace(final=flat[None, :, None])
        B = dense.shape[1]
        lengths = np.full(B, len(dense)) if self.episodes is None else self.episodes.lengths
        frame = frame_of(loss, self.spans, injection_steps(loss, lengths))
        rows = B if self.net.is_bidirectional else frame.both.rows
        entering = Scaled(
            np.zeros((len(dense), rows, dense.shape[2]), dense.dtype), np.zeros((len(dense), rows), np.int64)
        )
        if rows == B:
            entering.values[:] = dense
        else:
            entering.values[frame.both.steps, frame.both.at] = frame.both.values
        found, parts, non_finite = [], list(self.numbered), None
        for level in reversed(range(self.net.depth)):
            start, passed, above = 0, None, non_finite
            for place, _, part in [entry for entry in parts if entry[1] == level]:
                here = Scaled(entering.values[..., start : start + part.output_size], entering.exponents)
                start += part.output_size
                of_layer, at_inputs = self._back(place, level, part, below[level], here, frame, traced)
                if first := of_layer.trace.non_finite:
                    first = above or replace(first, layer=level)
                    of_layer = of_layer._replace(trace=replace(of_layer.trace, non_finite=first))
                    non_finite = non_finite or first
                found.append((place, of_layer))
                passed = at_inputs if passed is None else added(passed, at_inputs)
            assert passed is not None
            entering = passed
            if level and self.net.masks and (mask := self.net.masks[level - 1]) is not None:
                tiled = np.tile(mask, (1, rows // B, 1))
                entering = Scaled(entering.values * tiled, entering.exponents)
            if progress:
                progress(1 - 0.5 * level / self.net.depth)
        layers = tuple(of_layer for _, of_layer in sorted(found, key=lambda entry: entry[0]))
        at_x = Scaled(entering.values[:, :B], entering.exponents[:, :B])
        return NetTrace(self.net, layers, at_x, self.spans, frame.entered)

    def _forward(self, progress: Progress | None) -> list[ndarray]:
        """What each level reads, [T, B, X]."""
        below = [self.inputs]
        for number in range(self.net.depth - 1):
            above = []
            for place, _, part in [entry for entry in self.numbered if entry[1] == number]:
                h = _outputs(part, *self._read(place, part, below[-1]), self.episodes)
                h = h if part.projection is None else h @ part.projection.T
                above.append(turned(h, self.spans) if part.reverse else h)
            together = np.concatenate(above, axis=2)
            if self.spans.exists is not None:
                together[~self.spans.exists] = 0
            if self.net.masks and (mask := self.net.masks[number]) is not None:
                if mask.shape != together.shape:
                    raise ValueError(f"masks of layer {number} have shape {mask.shape}: {together.shape} is needed")
                together = together * mask
            if not np.isfinite(together).all():
                t, b, _ = (int(i) for i in np.argwhere(~np.isfinite(together))[0])
                raise ValueError(f"layer {number} overflows at step {t} of sequence {b}: nothing above it is defined")
            below.append(np.ascontiguousarray(together, self.net.dtype))
            if progress:
                progress(0.5 * (number + 1) / self.net.depth)
        return below

    def _read(self, place: int, part: Part, below: ndarray) -> tuple[ndarray, tuple[ndarray, ...]]:
        """What a part's stack reads, in its order, and its initial states, one [1, B, H] each."""
        x = turned(below, self.spans) if part.reverse else below
        states = list(self.states[place])
        if part.projection is not None:
            T, B, _ = x.shape
            further = np.zeros((T, B, part.output_size), x.dtype)
            if states:
                further[0] = states[0]
                states[0] = np.zeros((B, part.stack.hidden_size), x.dtype)
                if self.episodes is not None:
                    further[0, self.episodes.resets[0]] = 0
            x = np.concatenate([x, further], axis=2)
        return np.ascontiguousarray(x), tuple(state[None] for state in states)

    def _back(self, place: int, level: int, part: Part, below: ndarray, entering: Scaled, frame: Frame,
              traced: Callable[..., Any]) -> tuple[OfLayer, Scaled]:  # fmt: skip
        """A part's trace, and what it passes to its inputs, [T, N, X]."""
        x, states = self._read(place, part, below)
        B, N = x.shape[1], entering.values.shape[1]
        if part.reverse:
            entering = Scaled(
                turned(entering.values, self.spans), turned(entering.exponents[..., None], self.spans)[..., 0]
            )
        final = [np.tile(state, (N // B, 1)) for state in self.final[place]]
        # a layer above that reads the same way has spread it already, up to a reset
        undefined = _undefined(entering, self.net.is_bidirectional)
        if undefined.any():
            # some other number, which reaches what is undefined alone
            entering = Scaled(np.where(np.isfinite(entering.values), entering.values, 1), entering.exponents)
        given = entering
        if part.projection is not None:
            given = Scaled(entering.values @ part.projection, entering.exponents)
            final = [final[0] @ part.projection, *final[1:]] if final else []
        loss = of_scaled(given)
        if any(state.any() for state in final):
            loss = loss._replace(final=np.ascontiguousarray(np.stack(final, axis=1)[None]))
        lengths = np.full(B, len(x)) if self.episodes is None else self.episodes.lengths
        if self.net.is_bidirectional:
            own = frame_of(loss, self.spans, injection_steps(loss, lengths))._replace(entered=frame.entered)
        else:
            own = frame._replace(both=loss)
        arrays = Arrays(part.shown, x, _nothing(B), states, self.episodes)
        swept = _swept(part, x, own.both, states, self.episodes)
        if part.projection is not None:
            swept = swept._replace(log10_norms=self._of_projected(place, part, swept, own, entering))
        if undefined.any():
            swept = _without(swept, undefined, self.episodes)
        trace = traced(Problem(arrays.size, arrays), own, swept)
        passed = Scaled(swept.inputs.values[:, :N], swept.inputs.exponents[:, :N])
        initial = [
            Scaled(swept.initial.values[0, :B, kind], swept.initial.exponents[0, :B])
            for kind in range(len(KNOWN[part.cell].states))
        ]
        if part.projection is not None:
            at_h = passed.values[0, :B, part.input_size :].copy()
            if self.episodes is not None:
                at_h[self.episodes.resets[0]] = 0
            initial[0] = Scaled(at_h, passed.exponents[0, :B])
            passed = Scaled(passed.values[..., : part.input_size], passed.exponents)
        if self.spans.exists is not None:  # what does not exist passes nothing
            passed.values[np.tile(~self.spans.exists, (1, N // B))] = 0
        if part.reverse:
            passed = Scaled(turned(passed.values, self.spans), turned(passed.exponents[..., None], self.spans)[..., 0])
        return OfLayer(level, part.direction, trace, tuple(initial)), passed

    def _of_projected(self, place: int, part: Part, swept: Swept, own: Frame, entering: Scaled) -> ndarray:
        """The norms, with those of h = P m in the place of m's: what a_h and the levels above pass to it."""
        T, N = swept.log10_norms.shape[1:3]
        B = self.inputs.shape[1]
        bars, exponents = swept.adjoints[0].a_h_bar, swept.adjoints[0].exponents
        passed = Scaled(bars.reshape(T, N, -1) @ part.layer.U, exponents)
        later = Scaled(np.zeros_like(passed.values), np.full((T, N), NOTHING))
        later.values[:-1], later.exponents[:-1] = passed.values[1:], passed.exponents[1:]
        if self.episodes is not None:
            for step in range(1, T):
                begins = np.tile(self.episodes.begins(step), N // B)
                later.values[step - 1, begins] = 0
        if entering.values.shape[1] < N:  # rows of the last loss alone beside those of all
            both = np.zeros((T, N, part.output_size), passed.values.dtype)
            powers = np.zeros((T, N), np.int64)
            both[:, :B], powers[:, :B] = entering.values, entering.exponents
            chosen = own.both.at >= B
            steps, at = own.both.steps[chosen], own.both.at[chosen]
            both[steps, at], powers[steps, at] = entering.values[steps, at - B], entering.exponents[steps, at - B]
            entering = Scaled(both, powers)
        total = added(later, entering)
        if self.final[place]:
            at_end = np.zeros_like(total.values)
            lengths = np.full(B, T) if self.episodes is None else self.episodes.lengths
            at_end[np.tile(lengths - 1, N // B), np.arange(N)] = np.tile(self.final[place][0], (N // B, 1))
            total = added(total, Scaled(at_end, np.zeros((T, N), np.int64)))
        norms = swept.log10_norms.copy()
        norms[0, ..., 0] = total.log10_norms
        return norms


def _outputs(part: Part, x: ndarray, states: tuple[ndarray, ...], episodes: Episodes | None) -> ndarray:
    """What a part's stack gives of x [T, B, X], [T, B, H]."""
    if not part.in_halves:
        return outputs(part.stack, x, states, episodes=episodes)[0]
    x, states, episodes = in_halves(x, states, episodes)
    return outputs(part.stack, x, states, episodes=episodes)[0][1::2]


def _undefined(entering: Scaled, spread: bool) -> ndarray:
    """Where a gradient depends on values from above that are not finite, [T, N]; `spread` to all steps before them."""
    undefined: ndarray = np.any(~np.isfinite(entering.values), axis=2)
    return np.maximum.accumulate(undefined[::-1])[::-1] if spread else undefined


def _without(swept: Swept, undefined: ndarray, episodes: Episodes | None) -> Swept:
    """An adjoint with NaN where it is undefined, [T, N]; in its rows of the last loss alone as well."""
    undefined = np.tile(undefined, (1, swept.log10_norms.shape[2] // undefined.shape[1]))
    norms, inputs, initial = swept.log10_norms.copy(), swept.inputs.values.copy(), swept.initial.values.copy()
    norms[:, undefined], inputs[undefined] = np.nan, np.nan
    unread = False if episodes is None else np.tile(episodes.resets[0], undefined.shape[1] // episodes.resets.shape[1])
    initial[:, undefined[0] & ~np.asarray(unread)] = np.nan
    at_inputs, at_states = Scaled(inputs, swept.inputs.exponents), Scaled(initial, swept.initial.exponents)
    return swept._replace(log10_norms=norms, inputs=at_inputs, initial=at_states)


def _swept(part: Part, x: ndarray, both: Cotangents, states: tuple[ndarray, ...], episodes: Episodes | None) -> Swept:
    """The adjoint of a part over x [T, B, X]."""
    keep = () if part.projection is None else ("a_h_bar",)
    if not part.in_halves:
        return sweep(part.stack, x, both, states, episodes=episodes, with_inputs=True, keep=keep)
    width, (x, states, episodes) = x.shape[2], in_halves(x, states, episodes)
    final = both.final
    if final is not None:
        final = np.concatenate([final, np.zeros_like(final).repeat(3, axis=2)], axis=2)
    both = both._replace(steps=2 * both.steps + 1, final=final)
    swept = sweep(part.stack, x, both, states, episodes=episodes, with_inputs=True)
    values, exponents = swept.inputs.values[..., :width], swept.inputs.exponents
    return swept._replace(
        log10_norms=swept.log10_norms[:, 1::2, :, :1],
        non_finite=np.where(swept.non_finite == NEVER, NEVER, swept.non_finite // 2),
        last_states=swept.last_states[:, :, :1],
        initial=Scaled(swept.initial.values[:, :, :1], swept.initial.exponents),
        inputs=added(Scaled(values[::2], exponents[::2]), Scaled(values[1::2], exponents[1::2])),
    )


def in_halves(
    x: ndarray, states: tuple[ndarray, ...], episodes: Episodes | None
) -> tuple[ndarray, tuple[ndarray, ...], Episodes | None]:
    """What the halves of T steps read: each input twice, beside which half it is; they begin and end where steps do."""
    T, B, X = x.shape
    twice = np.zeros((2 * T, B, X + 1), x.dtype)
    twice[..., :X] = x.repeat(2, axis=0)
    twice[1::2, :, X] = 1
    states = (*states, *(np.zeros_like(states[0]) for _ in range(3))) if states else ()
    if episodes is not None:
        resets = np.zeros((2 * T, B), bool)
        resets[::2] = episodes.resets
        episodes = Episodes(resets, 2 * episodes.lengths)
    return twice, states, episodes


def turned(values: ndarray, spans: Spans) -> ndarray:
    """[T, N, …] with every sequence from its end to its start; steps that it does not have stay where they are."""
    if spans.exists is None:
        return values[::-1]
    lengths = np.tile(spans.exists.sum(axis=0), values.shape[1] // spans.sequences)
    steps = np.arange(len(values))[:, None]
    order = np.where(steps < lengths, lengths - 1 - steps, steps)
    return np.take_along_axis(values, order.reshape(*order.shape, *[1] * (values.ndim - 2)), axis=0)


def added(first: Scaled, second: Scaled) -> Scaled:
    """The sum of vectors beside their powers of two."""
    powers = [np.where(part.values.any(axis=-1), part.exponents, NOTHING) for part in (first, second)]
    exponents = np.maximum(*powers)
    values = [times_power(part.values, own - exponents) for part, own in zip((first, second), powers, strict=True)]
    return Scaled(values[0] + values[1], exponents)


def of_scaled(entering: Scaled) -> Cotangents:
    """[T, N, H] beside powers of two as the entries of an adjoint."""
    dense = sparse(np.ascontiguousarray(entering.values))
    return dense._replace(exponents=entering.exponents[dense.steps, dense.at])


def _nothing(rows: int) -> Cotangents:
    none = np.empty(0, np.int64)
    return Cotangents(none, none, np.empty((0, 1)), rows)


def _of_parts(net: Net, given: Any, sequences: int, called: str) -> list[list[ndarray]]:
    """States as a caller has them, by parts: one [B, size] a state. Raises ValueError for what does not fit."""
    if given is None:
        return [[] for _ in net.parts]
    names = KNOWN[net.cell].states
    values = given if len(names) > 1 else (given,)
    if len(names) == 1 and isinstance(given, Sequence) and len(given) == 1 and np.ndim(given[0]) == 3:
        values = given
    if len(values) != len(names):
        raise ValueError(f"{called} has {len(values)} parts: {net.cell} needs {len(names)}, ({', '.join(names)})")
    by_parts: list[list[ndarray]] = [[] for _ in net.parts]
    for value, name in zip(values, names, strict=True):
        arrays = value if isinstance(value, Sequence) else on_the_cpu(value, f"{called} {name}")
        sizes = net.layer_sizes(name)
        if len(arrays) != len(sizes):
            raise ValueError(
                f"{called} {name} is of {len(arrays)} layers: {len(sizes)} are needed, one for each layer and direction"
            )
        for place, (array, size) in enumerate(zip(arrays, sizes, strict=True)):
            whole = on_the_cpu(array, called)
            whole = whole[0] if whole.ndim == 3 and len(whole) == 1 else whole
            by_parts[place].append(as_array(whole, f"{called} {name} {place}", net.dtype, (sequences, size), "[B, H]"))
    return by_parts
