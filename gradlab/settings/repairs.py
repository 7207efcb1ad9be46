"""Repairs: other weights for a stack that is there, each with the lines of PyTorch that do the same to its module.

A repair keeps every weight that it does not name, so that a network in training may go on from it. The lines are for
`rnn`, the part itself: nn.RNN, nn.LSTM, nn.GRU, one of their cells, or gradlab's Recurrent; they draw what the repair
draws, to the bit, since both ask the same generator of torch in the same precision.

    raised        the bias of the gate that keeps, higher
    chrono        biases for a memory as long as the sequence (Tallec & Ollivier 2018): log u, u from 1 to T - 1
    orthogonal    the blocks of U of some gates as random orthogonal matrices (Saxe et al. 2014)
    scaled        U times a number
    replaced      a gated cell of the same size, drawn as PyTorch does, in place of an RNN
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy import ndarray
from torch import nn

from gradlab.cells import CELLS
from gradlab.cells.contract import keep_gate_of, without
from gradlab.network.stack import Layer, Stack, gate_rows
from gradlab.words.languages import N_, SOURCE, Title, _, current, said

SEED = 0  # of what is drawn
MODULES: dict[str, type[nn.LSTM] | type[nn.GRU]] = {"lstm": nn.LSTM, "gru": nn.GRU}  # that may take an RNN's place
FORGETS = ("lstm", "lstm_peephole")  # whose gate that keeps is called by its usual name


class Repair(NamedTuple):
    """Another stack, and how a module becomes it."""

    kind: str  # "bias", "chrono", "orthogonal", "orthogonal and bias", "scale" or "cell"
    title: str
    stack: Stack
    code: tuple[str, ...]  # lines of Python on `rnn`
    lost: int  # weights and biases that are no longer what they were


def keeps(cell: str) -> bool:
    """Whether a cell has a gate whose bias decides how much of the old state is kept."""
    return keep_gate_of(CELLS[cell]) is not None


def raised(stack: Stack, by: float) -> Repair:
    """The bias of the gate that keeps, higher by so much in every layer; lower where a lower one keeps more.

    Raises ValueError for a cell without such a gate.
    """
    gate, sign = _keep_gate(stack)
    rows = gate_rows(stack.cell, gate, stack.hidden_size)

    def change(layer: Layer) -> Layer:
        b_W = layer.b_W.copy()
        b_W[rows] += sign * by
        return layer._replace(b_W=b_W)

    of = f"bias[{_slice(rows)}].add_({sign * by!r})"
    if stack.cell in FORGETS:
        text = N_("Forget bias up by {by}") if sign > 0 else N_("Forget bias down by {by}")
    else:
        text = N_("Bias of the {gate} gate up by {by}") if sign > 0 else N_("Bias of the {gate} gate down by {by}")
    title = Title(text, gate=partial(_, gate), by=f"{by:g}")
    return Repair("bias", title, _with(stack, change), (NO_GRAD, _each(of, "bias", "bias_ih")), _width(stack))


def chrono(stack: Stack, steps: int) -> Repair:
    """Biases with which the units' memories are spread from 1 to `steps` - 1 steps, on a logarithmic scale.

    The law draws u uniformly; here the units have evenly spaced ones, so that nothing is left to chance. An LSTM's
    input gate gets the same with the other sign. Raises ValueError for a cell without a gate that keeps, and below 3
    steps.
    """
    gate, sign = _keep_gate(stack)
    if steps < 3:
        raise ValueError(f"steps = {steps} is too short for chrono biases: use 3 or more")
    H, dtype = stack.hidden_size, stack.dtype.name
    memory = torch.linspace(1, steps - 1, H, dtype=getattr(torch, dtype)).log().numpy()
    signs = {gate: sign} | ({"input": -1} if "input" in CELLS[stack.cell].pre_activations else {})
    rows = {name: gate_rows(stack.cell, name, H) for name in signs}

    def change(layer: Layer) -> Layer:
        b_W, b_U = layer.b_W.copy(), layer.b_U.copy()
        for name, of_gate in rows.items():
            b_W[of_gate], b_U[of_gate] = signs[name] * memory, 0
        return layer._replace(b_W=b_W, b_U=b_U)

    values = ", ".join(f"(slice({r.start}, {r.stop}), {'-' if signs[name] < 0 else ''}b)" for name, r in rows.items())
    code = (
        f"b = torch.linspace(1, {steps - 1}, {H}, dtype=torch.{dtype}).log()",
        f"{NO_GRAD} "
        + _each("p[at].copy_(v * ('bias_ih' in name))", "p", "bias", f" for at, v in ({values},)").strip(),
    )
    return Repair(
        "chrono",
        Title(N_("Chrono biases for {steps} steps"), steps=steps),
        _with(stack, change),
        code,
        2 * len(rows) * _width(stack),
    )


def recurrent_gates(cell: str) -> tuple[str, ...]:
    """The pre-activations that U goes into."""
    idle = without(CELLS[cell], "U")
    return tuple(name for name in CELLS[cell].pre_activations if name not in idle)


def orthogonal(stack: Stack, gates: Sequence[str]) -> Repair:
    """The blocks of U of some gates as random orthogonal matrices, in every layer."""
    H = stack.hidden_size
    blocks = [gate_rows(stack.cell, gate, H) for gate in gates]
    generator = torch.Generator().manual_seed(SEED)

    def change(layer: Layer) -> Layer:
        U = torch.from_numpy(layer.U.copy())
        for rows in blocks:
            nn.init.orthogonal_(U[rows], generator=generator)
        return layer._replace(U=U.numpy())

    at = ", ".join(f"slice({rows.start}, {rows.stop})" for rows in blocks)
    code = (
        f"g = torch.Generator().manual_seed({SEED})",
        _each("torch.nn.init.orthogonal_(U[at], generator=g)", "U", "weight_hh", f" for at in ({at},)").strip(),
    )
    named = [f"{gate} gate" if gate in CELLS[stack.cell].gates else gate for gate in gates]
    whole = len(gates) == len(recurrent_gates(stack.cell))
    one = len(gates) == len(CELLS[stack.cell].pre_activations) == 1
    text = (
        N_("Orthogonal U")
        if one
        else N_("Orthogonal U of every gate")
        if whole
        else N_("Orthogonal U of the {gates} alone")
    )
    title = Title(text, gates=partial(_gates, named, gates))
    return Repair("orthogonal", title, _with(stack, change), code, len(gates) * H * _width(stack))


def _gates(named: Sequence[str], gates: Sequence[str]) -> str:
    """Gates in a title: "input gate and reset gate"."""
    return " and ".join(named) if current() == SOURCE else ", ".join(map(_, gates))


def scaled(stack: Stack, by: float) -> Repair:
    """U of every layer times a number."""
    factor = float(stack.dtype.type(by))
    changed = _with(stack, lambda layer: layer._replace(U=layer.U * stack.dtype.type(factor)))
    code = (NO_GRAD, _each(f"U.mul_({factor!r})", "U", "weight_hh"))
    lost = sum(layer.U.size for layer in stack.layers)
    return Repair("scale", Title(N_("U times {factor}"), factor=f"{factor:.3g}"), changed, code, lost)


def replaced(stack: Stack, cell: str) -> Repair:
    """A gated cell of the same sizes, drawn as PyTorch does."""
    module, dtype = MODULES[cell], stack.dtype.name
    sizes = f"{stack.input_size}, {stack.hidden_size}, num_layers={stack.depth}, batch_first={stack.batch_first}"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        drawn = module(
            stack.input_size, stack.hidden_size, num_layers=stack.depth, batch_first=stack.batch_first,
            dtype=getattr(torch, dtype),
        )  # fmt: skip
    code = (f"torch.manual_seed({SEED})", f"rnn = torch.nn.{module.__name__}({sizes}, dtype=torch.{dtype})")
    new = Stack.from_torch(drawn)
    assert isinstance(new, Stack)
    return Repair(
        "cell", Title(N_("{cell} of the same size"), cell=CELLS[cell].title), new, code, stack.parameter_count
    )


def both(first: Repair, second: Repair, kind: str) -> Repair:
    """One repair, then another, made of the stack that the first gives."""
    return Repair(
        kind,
        Title(N_("{first}, {second}"), first=partial(said, first.title), second=partial(_within, second.title)),
        second.stack,
        first.code + second.code,
        first.lost + second.lost,
    )


def _within(title: str) -> str:
    """A title behind another one."""
    text = said(title)
    return f"{text[0].lower()}{text[1:]}" if current() == SOURCE else text


NO_GRAD = "with torch.no_grad():"


def _each(what: str, called: str, kind: str, more: str = "") -> str:
    """A line that does something with each parameter of a kind."""
    return f"    [{what} for name, {called} in rnn.named_parameters() if name.startswith({kind!r}){more}]"


def _slice(rows: slice) -> str:
    return f"{rows.start}:{rows.stop}"


def _width(stack: Stack) -> int:
    """Units of all layers: of a gate's biases there are as many."""
    return stack.depth * stack.hidden_size


def _keep_gate(stack: Stack) -> tuple[str, int]:
    found = keep_gate_of(CELLS[stack.cell])
    if found is None:
        raise ValueError(f"cell = {stack.cell!r} has no gate whose bias decides how much of the old state is kept")
    return found


def _with(stack: Stack, change: Callable[[Layer], Layer]) -> Stack:
    return replace(stack, layers=tuple(change(layer) for layer in stack.layers))


def spectral_norm(stack: Stack, layer: int) -> float:
    """The largest singular value of a layer's U, all gates together."""
    U = stack.layers[layer].U.astype(np.float64)
    return float(np.sqrt(np.linalg.eigvalsh(U.T @ U)[-1].clip(min=0)))


def spectral_radius(stack: Stack, layer: int) -> float:
    """The largest modulus of the eigenvalues of a layer's U, where that is one square block."""
    return float(np.abs(np.linalg.eigvals(stack.layers[layer].U.astype(np.float64))).max())


def drawn_states(stack: Stack, states: Sequence[ndarray], count: int) -> tuple[ndarray, ...]:
    """States [L, B, H] for a cell with `count` of them: those that it has beyond them are zeros."""
    if not states:
        return ()
    more = [np.zeros_like(states[0]) for _state in range(count - len(states))]
    return (*states[:count], *more)
