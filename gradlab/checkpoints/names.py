"""Recurrent parts recognized by PyTorch's names and shapes: `encoder.lstm.weight_hh_l0`, `dec_w_hh`.

    weight_ih_l0 [G·H, X]   weight_hh_l0 [G·H, H]   bias_ih_l0, bias_hh_l0 [G·H]      …_l1, …_l0_reverse
    weight_ih, weight_hh, bias_ih, bias_hh                                            one cell, no number
    w_ih, w_hh, b_ih, b_hh                                                            the same, in short
    weight_hr_l0 [P, H]                                                               an LSTM with a projection

What stands before them is the part's name. Four gates are PyTorch's LSTM (i f g o), three its GRU (r z n, reset after
the product); of one, the activation is in no file and is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from gradlab.checkpoints.contents import Cells, Entry, Part, decided, finite, of_gates, one_dtype
from gradlab.network.layer import Layer
from gradlab.network.modules import HALF, Held

WEIGHT = re.compile(
    r"(?:(?P<part>.*?)[._/])??(?P<kind>weight|bias|w|b)_(?P<of>ih|hh|hr)"
    r"(?P<suffix>(?:_l(?P<number>\d{1,4})(?P<reverse>_reverse)?)?)",
    re.DOTALL,
)
DERIVED = re.compile(  # what a parametrization makes a weight of
    r"(?:(?P<part>.*?)[._/])??(?:parametrizations\.)?(?:weight|bias)_(?:ih|hh|hr)(?:_l\d{1,4}(?:_reverse)?)?"
    r"[._](?:original\d?|orig|raw|g|v|mask|u)",
    re.DOTALL,
)
QUANTIZED = re.compile(
    r"(?P<part>.*?)[._/]?(?:_all_weight_values|_packed_params|_packed_weight_(?:ih|hh))\b.*", re.DOTALL
)
ORDERS = {1: "one", 3: "r z n (PyTorch)", 4: "i f g o (PyTorch)"}
LIKELY = {1: ("rnn", "rnn_relu"), 3: ("gru",), 4: ("lstm",)}


class Place(NamedTuple):
    """Where a tensor belongs within its part."""

    number: int | None  # of the layer; None for one cell
    reverse: bool
    kind: str  # "W", "U", "b_W", "b_U" or "P", the projection


def recognized(
    tensors: Mapping[str, Entry], cells: Cells = None, cell_of_file: str | None = None
) -> tuple[tuple[Part, ...], tuple[tuple[str, str], ...]]:
    """(parts, what was ignored and why) of a file's tensors.

    cell_of_file    what the file itself says of its cell
    Raises ValueError for a part whose tensors are missing, do not fit each other or have values that are not finite,
    and for one that can be read in two ways.
    """
    groups: dict[str, dict[Place, str]] = {}
    others: dict[str, list[str]] = {}
    reasons: dict[str, str] = {}
    for name in tensors:
        if match := WEIGHT.fullmatch(name):
            place = _place(match)
            group = groups.setdefault(match["part"] or "", {})
            if place in group:
                raise ValueError(f"{name} and {group[place]} are the same weight by two names: which counts?")
            group[place] = name
        elif match := QUANTIZED.fullmatch(name):
            reasons[match["part"]] = f"{name} is quantized, and no gradient passes whole numbers: save the float model"
        elif match := DERIVED.fullmatch(name):
            reasons[match["part"] or ""] = (
                f"{name} is one of the tensors that weight_norm, pruning or another parametrization makes a weight of: "
                "load them into the module and pass it to Stack.from_torch"
            )
        else:
            others.setdefault(name.rpartition(".")[0] or name, []).append(name)
    whole = {name: group for name, group in groups.items() if name not in reasons}
    parts = tuple(_part(name, group, tensors, cells, cell_of_file) for name, group in sorted(whole.items()))
    rest = (
        (name, f"{len(names)} {'tensor' if len(names) == 1 else 'tensors'} of no recurrent layer's name")
        for name, names in others.items()
    )
    return parts, (*reasons.items(), *rest)


def _place(match: re.Match) -> Place:
    number = None if match["number"] is None else int(match["number"])
    if match["of"] == "hr":
        kind = "P"
    else:
        kind = ("W" if match["kind"][0] == "w" else "b_W") if match["of"] == "ih" else "U"
        kind = "b_U" if match["kind"][0] == "b" and match["of"] == "hh" else kind
    return Place(number, match["reverse"] is not None, kind)


def _part(name: str, group: dict[Place, str], tensors: Mapping[str, Entry], cells: Cells, stated: str | None) -> Part:
    dtype = one_dtype({full: tensors[full] for full in group.values()})
    levels = _levels(name or "the weights", group)
    gates, biases, outputs = set(), set(), None
    for level in levels:
        for of_layer in level:
            count = _gates(of_layer, tensors)
            _check(of_layer, tensors, count, outputs)
            gates.add(count)
            biases.add({0: "none", 1: "one", 2: "two"}[len(of_layer.keys() & {"b_W", "b_U"})])
        outputs = sum(tensors[of_layer["U"]].shape[1] for of_layer in level)
    if len(gates) > 1 or len(biases) > 1:
        raise ValueError(
            f"{name or 'the weights'} has layers of {_listed(gates)} gates and {_listed(biases)} biases: they must be "
            "alike"
        )
    (count,), (bias,) = gates, biases
    cell = _cell(name, count, bias, cells, stated)
    if cell != "lstm" and any("P" in of_layer for level in levels for of_layer in level):
        raise ValueError(f"{name or 'the weights'} has a projection, weight_hr, which {cell} has not: only lstm has")
    read = tuple(
        tuple(_held(of_layer, tensors, bool(reverse)) for reverse, of_layer in enumerate(level)) for level in levels
    )
    steps = all(place.number is None for place in group)
    order = ORDERS.get(count, "of the cell")
    return Part(name, cell, read, order, bias, dtype if dtype in HALF else "", steps=steps)


def _levels(called: str, group: dict[Place, str]) -> list[list[dict[str, str]]]:
    """The names of the tensors by kind, of each layer, forward before reverse.

    Raises ValueError, with the name of what is missing, for a layer without W or U.
    """
    numbers = {place.number for place in group}
    if None in numbers and len(numbers) > 1:
        raise ValueError(f"{called} holds weights of a cell and of numbered layers: which belong together is not said")
    highest = max((number for number in numbers if number is not None), default=None)
    directions = (False, True) if any(place.reverse for place in group) else (False,)
    levels = []
    for number in [None] if highest is None else range(highest + 1):
        level = []
        for reverse in directions:
            of_layer = {place.kind: full for place, full in group.items() if place[:2] == (number, reverse)}
            for kind, wanted in (("W", "weight_ih"), ("U", "weight_hh")):
                if kind not in of_layer:
                    suffix = "" if number is None else f"_l{number}{'_reverse' if reverse else ''}"
                    there = ", ".join(sorted(group.values())[:4])
                    raise ValueError(f"{called} has no {wanted}{suffix}, but {there}: the file is not whole")
            level.append(of_layer)
        levels.append(level)
    return levels


def _gates(of_layer: dict[str, str], tensors: Mapping[str, Entry]) -> int:
    """How many gates the rows of U are."""
    name, entry = of_layer["U"], tensors[of_layer["U"]]
    projection = tensors.get(of_layer.get("P", ""))
    if len(entry.shape) != 2 or 0 in entry.shape or (projection is not None and len(projection.shape) != 2):
        raise ValueError(f"{name} has shape {list(entry.shape)}: a matrix [gates·H, H] is needed")
    H = entry.shape[1] if projection is None else projection.shape[1]
    if not H or entry.shape[0] % H:
        raise ValueError(f"{name} has shape {list(entry.shape)}: its rows are no multiple of {H} units")
    return entry.shape[0] // H


def _check(of_layer: dict[str, str], tensors: Mapping[str, Entry], gates: int, below: int | None) -> None:
    """Raises ValueError where shapes do not fit each other, before a value is read.

    below    outputs of the layer below; None for the lowest
    """
    rows, width = tensors[of_layer["U"]].shape
    W = tensors[of_layer["W"]].shape
    columns = (W[1] if len(W) == 2 else 0) if below is None else below
    wanted = {"W": (rows, columns), "b_W": (rows,), "b_U": (rows,), "P": (width, rows // gates)}
    for kind, expected in wanted.items():
        if kind in of_layer and (tensors[of_layer[kind]].shape != expected or 0 in expected):
            raise ValueError(
                f"{of_layer[kind]} has shape {list(tensors[of_layer[kind]].shape)}: {list(expected)} is needed beside "
                f"{of_layer['U']} {[rows, width]}" + ("" if below is None else f" and the {below} outputs below")
            )


def _cell(name: str, gates: int, bias: str, cells: Cells, stated: str | None) -> str:
    possible = of_gates(gates)
    likely = (stated,) if stated in possible else LIKELY.get(gates, possible)
    why = f"{gates} gates are of no cell that is known here" if not likely else f"it has {gates} gates"
    if gates == 1:
        why = "the activation stands in no tensor"
    if gates == 3 and bias == "one":
        likely = ("gru", "gru_reset_before")
        why = "PyTorch's GRU has two biases and this has one"
    return decided(cells, name, likely, possible, why)


def _held(of_layer: dict[str, str], tensors: Mapping[str, Entry], reverse: bool) -> Held:
    def array(kind: str) -> ndarray | None:
        return finite(tensors[of_layer[kind]].read(), of_layer[kind]) if kind in of_layer else None

    W, U, b_W, b_U = (array(kind) for kind in Layer._fields)
    assert W is not None  # _levels has refused what has none
    assert U is not None
    nothing = np.zeros(len(U), U.dtype)
    layer = Layer(W, U, nothing if b_W is None else b_W, nothing if b_U is None else b_U)
    return Held(layer, reverse, array("P"))


def _listed(values: set) -> str:
    return " and ".join(str(value) for value in sorted(values))
