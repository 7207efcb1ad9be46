"""One forward call of a recurrent part: what it read, and all gradients that come into what it returned.

What comes into a state that is handed on to the next call is a total: the loss's own part, and what goes through that
call. The second is read where it leaves the call, so that the first is known exactly where there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.nn.utils.rnn import PackedSequence

from gradlab.network.stack import Net, Stack
from gradlab.watching import graph
from gradlab.watching.graph import Edge
from gradlab.watching.layouts import Layout, layout_of

EDITED = "its state is changed between two steps by more than a reset to zeros"
CLOSED = "what it reads depends on the states before: the loop is closed, another network than its cell alone"
Weights = Stack | Net | ValueError | TypeError  # or why they cannot be read
HALF = (torch.float16, torch.bfloat16)
_numbers = count()


@dataclass(eq=False)
class Call:
    """Tensors are copies on the CPU, steps first."""

    name: str
    weights: Weights
    states: tuple[str, ...]
    inputs: Tensor  # [T, B, X]
    start: tuple[Tensor, ...]  # the states before, [L, B, H] each; none for zeros
    final: tuple[Tensor, ...]  # the states returned
    lengths: Tensor | None  # [B]
    sequences: int  # of the whole batch
    precision: torch.dtype  # of what it returned
    previous: Call | None = None  # whose states it read
    resets: Tensor | None = None  # [B] of which sequences the state was set to zeros before
    obstacle: str = ""  # why the engine cannot speak for it
    output_bar: Tensor | None = None  # [T, B, H]
    states_bar: list[Tensor | None] = field(default_factory=list)  # [L, B, H] each
    through_bar: list[Tensor | None] = field(default_factory=list)  # through it into the states that it was given
    inner_bar: list[Tensor | None] = field(default_factory=list)  # from a cell's h into its own c
    has_next: bool = False
    number: int = field(default_factory=lambda: next(_numbers))
    handles: list[Any] = field(default_factory=list)

    @property
    def first(self) -> Call:
        """Of the chain."""
        return self if self.previous is None else self._first

    def __post_init__(self) -> None:
        for name in ("states_bar", "through_bar", "inner_bar"):
            setattr(self, name, [None] * len(self.states))
        self._first = self if self.previous is None else self.previous.first

    @property
    def steps(self) -> int:
        return len(self.inputs)

    @property
    def has_gradient(self) -> bool:
        return any(bar is not None for bar in (self.output_bar, *self.states_bar))


Arrived = Callable[[Call], float]  # told that a gradient came in; returns what it is to be divided by


def noted(
    name: str,
    module: nn.Module,
    weights: Callable[[Call | None, str | None, Tensor | None], Weights],
    arguments: tuple[Any, ...],
    output: Any,
    sequences: int | None,
    key: str,
    arrived: Arrived,
) -> Call | None:
    """The Call of a part's forward pass, with its hooks in the graph; None where nothing of it has a gradient.

    weights      of the part, given the call before, whose weights may be the same, the half precision in which it
                 computed, if it did, and the sequences that are copied
    sequences    how many are copied, at most
    key          of this watch and this part, in the graph
    """
    inputs, given = arguments[0], arguments[1] if len(arguments) > 1 else None
    layout = layout_of(module, inputs, sequences)
    results, states = (None, output) if layout.is_cell else output
    results = results.data if isinstance(results, PackedSequence) else results
    states, given = _each(states), _each(given)
    returned = [tensor for tensor in (results, *states) if tensor is not None]
    if not torch.is_grad_enabled() or not any(tensor.requires_grad for tensor in returned):
        return None
    read = inputs.data if isinstance(inputs, PackedSequence) else inputs
    previous, edited = _previous(given, key)
    dtype = returned[0].dtype
    half = str(dtype).removeprefix("torch.") if dtype in HALF else None
    call = Call(
        name=name,
        weights=weights(previous, half, layout.chosen),
        states=("h", "c")[: len(states)],
        inputs=layout.sequence(read),
        start=tuple(layout.state(state) for state in given),
        final=tuple(layout.state(state) for state in states),
        lengths=layout.lengths,
        sequences=_batch(layout, read),
        precision=dtype,
        previous=previous,
    )
    if previous is not None:
        _join(call, previous, edited, graph.edges_of([read]), key)
    _hook_what_goes_through(
        call, [*states] if results is None else [*states, results], given, read, layout, key, arrived
    )
    _hook_what_comes_in(call, results, states, layout, key, arrived)
    return call


def _each(states: Any) -> list[Tensor]:
    if states is None:
        return []
    return [states] if isinstance(states, Tensor) else list(states)


def _batch(layout: Layout, read: Tensor) -> int:
    if layout.packed is not None:
        return int(layout.packed.batch_sizes[0])
    return read.shape[0 if layout.is_cell or layout.batch_first else 1] if layout.is_batched else 1


def _previous(given: Sequence[Tensor], key: str) -> tuple[Call | None, bool]:
    """The call whose states these are, and whether something was done to them in between."""
    edges = [graph.edge_of(state) for state in given]
    if not edges or any(edge is None for edge in edges):
        return None, False
    makers = [graph.maker_of(edge, key) for edge in edges if edge is not None]
    if all(maker is not None and maker[1] == number for number, maker in enumerate(makers)):
        calls = {maker[0] for maker in makers if maker is not None}
        edited = False
    else:
        calls, edited = {graph.nearest_maker(edge, key) for edge in edges if edge is not None}, True
    call = calls.pop() if len(calls) == 1 else None
    return (None, False) if call is None or call.has_next else (call, edited)


def _join(call: Call, previous: Call, edited: bool, inputs: list[Edge], key: str) -> None:
    """Makes a call the one after `previous`, and notes what keeps the engine from following both as one network."""
    previous.has_next = True
    call.obstacle = previous.obstacle
    if any(start.shape != final.shape for start, final in zip(call.start, previous.final, strict=True)):
        call.obstacle = EDITED
    if not call.obstacle:  # values may be changed without a trace in the graph
        same = torch.stack([_alike(*pair) for pair in zip(call.start, previous.final, strict=True)]).all(dim=0)
        zero = torch.stack([(state == 0).flatten(2).all(dim=2).all(dim=0) for state in call.start]).all(dim=0)
        call.resets = zero & ~same
        call.obstacle = "" if bool((same | zero).all()) else EDITED
    if not call.obstacle and graph.depends_on(inputs, key, call.first):
        call.obstacle = CLOSED


def _alike(start: Tensor, final: Tensor) -> Tensor:
    """Which sequences of two states [L, B, H] are equal, [B]."""
    return (start == final).all(dim=2).all(dim=0)


def _hook_what_comes_in(
    call: Call, results: Tensor | None, states: Sequence[Tensor], layout: Layout, key: str, arrived: Arrived
) -> None:
    """Lets every gradient that enters the nodes of a call's results be added up in the call."""

    def enter(state: int | None, number: int, gradients: tuple[Tensor | None, ...]) -> None:
        if (gradient := gradients[number]) is None:
            return
        with torch.no_grad():
            scale = arrived(call)
            if state is None:
                call.output_bar = _sum(call.output_bar, layout.sequence(gradient), scale)
            else:
                call.states_bar[state] = _sum(call.states_bar[state], layout.state(gradient), scale)

    tensors = [(None, results)] if results is not None else []
    for state, tensor in [*tensors, *enumerate(states)]:
        edge = None if tensor is None else graph.edge_of(tensor)
        if edge is not None:
            graph.sign(edge, key, call, state)
            call.handles.append(edge.node.register_prehook(partial(enter, state, edge.number)))


def _hook_what_goes_through(
    call: Call,
    returned: Sequence[Tensor],
    given: Sequence[Tensor],
    read: Tensor,
    layout: Layout,
    key: str,
    arrived: Arrived,
) -> None:
    """Lets what leaves a call for the states that it was given be added up in the call, and what its h gives its c."""
    into = [*((call.through_bar, n, graph.edge_of(tensor)) for n, tensor in enumerate(given) if call.previous),
            *((call.inner_bar, n, graph.edge_of(tensor)) for n, tensor in enumerate(returned[: len(call.states)])
              if layout.is_cell and n)]  # fmt: skip

    def leave(at: list[tuple[int, int]], gradients: tuple[Tensor | None, ...], _: Any) -> None:
        with torch.no_grad():
            scale = arrived(call)
            for number, place in at:
                bars, state, _edge = into[place]
                if (gradient := gradients[number]) is not None:
                    bars[state] = _sum(bars[state], layout.state(gradient), scale)

    places: dict[Node, list[tuple[int, int]]] = {}
    wanted = {edge: number for number, (_, _, edge) in enumerate(into) if edge is not None}
    if wanted:
        for node, number, place in graph.users(graph.edges_of(returned), wanted, graph.edges_of([read]), key):
            places.setdefault(node, []).append((number, place))
    call.handles += [node.register_hook(partial(leave, at)) for node, at in places.items()]


def _sum(before: Tensor | None, gradient: Tensor, scale: float) -> Tensor:
    gradient = gradient if scale == 1 else gradient.to(torch.promote_types(gradient.dtype, torch.float32)) / scale
    return gradient if before is None else before + gradient
