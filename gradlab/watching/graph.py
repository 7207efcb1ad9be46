"""autograd's graph, read and left as it is: which call made a tensor, what depends on it, who uses it.

A node's `metadata` says which call of a watched part made its outputs, and what was searched already: it lives and dies
with the graph, so nothing here keeps one alive.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, cast

from torch import Tensor
from torch.autograd.graph import Node

NEAR = 200  # nodes: an edit of a state between two steps has no more


class Edge(NamedTuple):
    """One output of a node: what a tensor is to autograd."""

    node: Node
    number: int


def _noted(node: Node) -> dict[str, Any]:
    """What stands in the graph beside a node; torch's types call it a method."""
    return cast(dict[str, Any], node.metadata)


def edge_of(tensor: Tensor) -> Edge | None:
    """None for a tensor that nothing has made: a leaf, or one without gradient."""
    return None if tensor.grad_fn is None else Edge(tensor.grad_fn, tensor.output_nr)


def edges_of(tensors: Iterable[Tensor]) -> list[Edge]:
    return [edge for tensor in tensors if (edge := edge_of(tensor)) is not None]


def sign(edge: Edge, key: str, call: Any, state: int | None) -> None:
    """Notes in the graph that a call made this tensor; state: which of its states, None for its output."""
    made = _noted(edge.node).setdefault(key, {})
    made[edge.number] = (weakref.ref(call), state)


def maker_of(edge: Edge, key: str) -> tuple[Any, int | None] | None:
    """The call that made this very tensor, and which of its states it is; None where none that is still there did."""
    call, state = _noted(edge.node).get(key, {}).get(edge.number, (lambda: None, None))
    return None if (call := call()) is None else (call, state)


def nearest_maker(edge: Edge, key: str) -> Any | None:
    """The call whose states this tensor was computed from by a few operations; None where there is none."""
    for node, _ in _back_from([edge], lambda _: False, NEAR):
        made = _noted(node).get(key)
        for call, state in (made or {}).values():
            if state is not None and call() is not None:
                return call()
    return None


def depends_on(edges: list[Edge], key: str, first: Any) -> bool:
    """Whether these tensors were computed, through gradients, from what a call of one chain made: that of call `first`.

    What was searched once is not searched again.
    """
    searched = f"{key} {first.number}"
    for node, _ in _back_from(edges, lambda node: searched in _noted(node)):
        calls = (call() for call, _ in _noted(node).get(key, {}).values())
        if any(call is not None and call.first is first for call in calls):
            return True
        _noted(node)[searched] = True
    return False


def users(made: list[Edge], of: dict[Edge, int], inputs: list[Edge], key: str) -> Iterator[tuple[Node, int, int]]:
    """Which nodes between a call's results and its states read the states: (node, which of its inputs, which state).

    made      the results: the search goes back from there
    of        the states, numbered
    inputs    the call's inputs, at which the search ends, as it does at what another call made
    """
    ends = {edge.node for edge in inputs}
    for node, edges in _back_from(made, lambda node: node in ends or key in _noted(node)):
        for number, edge in enumerate(edges):
            if edge is not None and edge in of:
                yield node, number, of[edge]


def _back_from(
    edges: Iterable[Edge], is_end: Any, most: float = float("inf")
) -> Iterator[tuple[Node, list[Edge | None]]]:
    """Every node that these come from, with what it reads, until `is_end`; at most so many."""
    waiting, seen = [edge.node for edge in edges], set()
    while waiting and len(seen) < most:
        node = waiting.pop()
        if node in seen or is_end(node):
            continue
        seen.add(node)
        reads = [None if before is None else Edge(before, number) for before, number in node.next_functions]
        yield node, reads
        waiting += [edge.node for edge in reads if edge is not None]
