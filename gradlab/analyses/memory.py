"""What analyses take of memory, in the terms of which their estimates are made: bytes, known before any work.

The peak of a request is that of its sweeps, or that of making and drawing its result, while what the sweeps have left
is still there. tests/analyses/test_memory.py holds the estimates against measured processes.
"""

from __future__ import annotations

import numpy as np

from gradlab.cells import KNOWN
from gradlab.engine import Size, plan, plan_in_slices, slices_of
from gradlab.engine.products import padded

TABLE_ROW = 410  # of a table of norms or statistics while it is made, joined and thinned
LINE_STEP = 280  # of one line of a table in parts, while it is thinned
SEQUENCE_STEP = 110  # of one sequence's norms, while they are diagnosed
PAIR_ROW = 120  # of an itemised matrix, while it is binned

ITEMISED_ROW = 100  # of an itemised table in full


def states_of(size: Size) -> int:
    return len(KNOWN[size.cell].states)


def item_of(size: Size) -> int:
    return np.dtype(size.dtype).itemsize


def values_bytes(size: Size) -> int:
    """All states and all values that the cell keeps, of every step."""
    cell = KNOWN[size.cell]
    numbers = size.depth * size.steps * size.sequences * (len(cell.states) + len(cell.saved)) * size.hidden_size
    return item_of(size) * numbers


def weights_bytes(size: Size) -> int:
    """W and U of every layer, in float64."""
    H, gates = size.hidden_size, len(KNOWN[size.cell].pre_activations)
    return 8 * gates * H * (size.depth * H + (size.depth - 1) * H + size.input_size)


def dense_bytes(size: Size) -> int:
    """The loss's cotangents at every step."""
    return item_of(size) * size.steps * size.sequences * size.hidden_size


def kept_bytes(size: Size, vectors: int) -> int:
    """So many vectors of adjoints of every layer, row and step."""
    return size.depth * size.rows * size.steps * (8 + item_of(size) * padded(size.hidden_size, size.dtype) * vectors)


def result_bytes(size: Size) -> int:
    """The norms of every layer, row, step and state."""
    return 8 * size.depth * size.rows * size.steps * states_of(size)


def copies(size: Size) -> int:
    """How often a sweep's results are there when its slices of the batch are put together."""
    return 2 if len(slices_of(plan(size).multiply_adds, size.sequences)) > 1 else 1


def keeping(size: Size, vectors: int, afterwards: int = 0) -> int:
    """A sweep in slices that keeps so many vectors, and what is made of them afterwards."""
    kept = kept_bytes(size, vectors)
    return plan_in_slices(size).bytes + max(copies(size) * kept, kept + afterwards)


def screen_bytes(size: Size) -> int:
    """What is made of a trace on its way to the screen: one line after the other, and a diagnosis."""
    return size.steps * max(LINE_STEP + 32 * size.sequences, SEQUENCE_STEP * size.sequences)
