"""The terms of which estimates of memory are made, beside the arrays that they are of."""

import tracemalloc

import numpy as np
import pytest

from gradlab import Experiment, diagnose, trace
from gradlab.analyses import memory
from gradlab.analyses.problem import problem_of
from gradlab.analyses.thinning import Lines
from gradlab.cells import CELLS
from gradlab.engine import plan, plan_in_slices, slices_of, sweep

CASES = [
    Experiment(cell="lstm", depth=3, hidden_size=16, input_size=8, steps=20, batch_size=3, loss="every"),
    Experiment(cell="gru", depth=1, hidden_size=16, input_size=5, steps=30, batch_size=2, dtype="float32"),
]


@pytest.mark.parametrize("e", CASES, ids=["lstm", "gru in float32"])
def test_a_term_is_as_large_as_its_arrays(e):
    """Of whole lanes of units: nothing is padded."""
    problem, size = problem_of(e), e.size
    swept = sweep(problem.stack, problem.inputs, problem.loss, keep=("totals",))
    kept = sum(part.totals.nbytes + part.exponents.nbytes for part in swept.adjoints)
    cell = CELLS[e.cell]
    a_value = np.zeros((e.depth, e.steps, e.batch_size, e.hidden_size), e.dtype)
    assert memory.states_of(size) == swept.log10_norms.shape[-1]
    assert memory.kept_bytes(size, memory.states_of(size)) == kept
    assert memory.result_bytes(size) == swept.log10_norms.nbytes
    assert memory.dense_bytes(size) == problem.cotangents.nbytes
    assert memory.values_bytes(size) == a_value.nbytes * (len(cell.states) + len(cell.saved))
    assert memory.weights_bytes(size) == sum(layer.W.nbytes + layer.U.nbytes for layer in e.network("float64").layers)


def test_what_a_sweep_keeps_is_there_twice_while_its_slices_are_put_together(monkeypatch):
    monkeypatch.setenv("GRADLAB_THREADS", "2")
    small, large = CASES[0].size, CASES[0].replace(hidden_size=512, steps=200, batch_size=8).size
    assert len(slices_of(plan(small).multiply_adds, small.sequences)) == 1
    assert len(slices_of(plan(large).multiply_adds, large.sequences)) == 2
    for size, times in ((small, 1), (large, 2)):
        kept = memory.kept_bytes(size, 3)
        assert memory.keeping(size, 3) == plan_in_slices(size).bytes + times * kept
        assert memory.keeping(size, 3, 7 * kept) == plan_in_slices(size).bytes + 8 * kept
    assert memory.keeping(large, 3, memory.kept_bytes(large, 3) // 2) == memory.keeping(large, 3)


@pytest.mark.parametrize("sequences", [1, 2, 64])
def test_what_a_trace_takes_on_its_way_to_the_screen_is_measured(sequences):
    """One line after the other while it is thinned, and its diagnosis. A process grows by more than Python counts, by
    less than three times that."""
    e = Experiment(cell="lstm", hidden_size=2, input_size=1, steps=5000, batch_size=sequences)
    found = trace(e)
    peaks = []
    for work in (lambda: Lines().on_screen(found.table_parts), lambda: diagnose(found)):
        tracemalloc.start()
        work()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert max(peaks) < memory.screen_bytes(e.size) < 3 * max(peaks), peaks
