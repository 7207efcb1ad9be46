"""Many adjoints over one forward pass: the itemised matrix, product Jacobians of all steps, the gradient by path."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.results import Row, raced
from benchmarks.turns import in_turn
from gradlab import Experiment, Stack, trace
from gradlab.analyses.itemised import pairs
from gradlab.analyses.jacobians import product_jacobians
from gradlab.analyses.paths import decompose
from gradlab.settings.drawing import inputs_of

ITEMISED, JACOBIANS, PARTS = 0.5, 3.0, 1.0  # seconds, at T = 200, at T = 1000, and at T = 1000 with 8 orders


def measure(quick: bool) -> Iterator[list[Row]]:
    """LSTM, GRU and RNN of 64 units, one sequence; the peer is one trace after the other."""
    for dtype in ("float64", "float32"):
        for cell in ("lstm", "gru", "rnn"):
            e = Experiment(cell=cell, hidden_size=64, batch_size=1, steps=200, loss="every", dtype=dtype)
            yield matrix(e.shortened(40) if quick else e, quick)
            yield jacobians(e.replace(steps=100 if quick else 1000), quick)
            yield parts(e.replace(steps=100 if quick else 1000, batch_size=8, loss="last"), quick)


def matrix(e: Experiment, quick: bool) -> list[Row]:
    """Every (loss step, step) pair of a sequence."""
    stack, inputs = Stack.from_experiment(e), inputs_of(e)

    def one_by_one() -> None:
        for step in range(e.steps):
            cotangents = np.zeros((e.steps, 1, e.hidden_size), e.dtype)
            cotangents[step] = 1
            trace(stack, inputs, cotangents)

    contenders = {"gradlab": lambda: pairs(e), "a trace each": one_by_one}
    contenders["gradlab"]()
    times = in_turn(contenders, 0.1 if quick else 1.0)
    return _limited(
        raced("Many cotangents", f"{e.steps} × {e.steps} itemised, {e.cell}, {e.dtype}", times, {}), ITEMISED
    )


def jacobians(e: Experiment, quick: bool) -> list[Row]:
    """∂s_T/∂s_t of every step."""
    stack, inputs = Stack.from_experiment(e), inputs_of(e)
    contenders = {"gradlab": lambda: product_jacobians(stack, inputs)}
    contenders["gradlab"]()
    times = in_turn(contenders, 0.1 if quick else 1.0)
    size = len(contenders["gradlab"]().rows[0])
    case = f"{e.steps} Jacobians of {size} × {size}, {e.cell}, {e.dtype}"
    return _limited(raced("Many cotangents", case, times, {}), JACOBIANS)


def parts(e: Experiment, quick: bool) -> list[Row]:
    """Direct path, orders 1 to 8, rest and total, with shares, as a table; beside it the total alone."""
    contenders = {"gradlab": lambda: decompose(e, orders=8), "the total alone": lambda: trace(e).table}
    for call in contenders.values():
        call()
    times = in_turn(contenders, 0.1 if quick else 1.0)
    case = f"{e.steps} steps of {e.batch_size} × {e.hidden_size} by path, 8 orders, {e.cell}, {e.dtype}"
    return _limited(raced("Many cotangents", case, times, {}), PARTS)


def _limited(rows: list[Row], seconds: float) -> list[Row]:
    return [one._replace(at_most=seconds) if one.contender == "gradlab" else one for one in rows]
