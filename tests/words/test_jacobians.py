"""What is said of product Jacobians, beside torch's Jacobian of a network of a few units."""

import math

import numpy as np
import pytest

from gradlab import CELLS, Experiment
from gradlab.analyses.jacobians import Farthest, farthest, product_jacobians, singular_values_by_lag
from gradlab.words import jacobians as words
from gradlab.words.numbers import number

KNOWN = Farthest(
    lag=9, count=8, resolved=5, zero=1, largest=-1.0, smallest=-4.0, keep_half=2, cotangent=-2.0, bound=0.5
)


def test_what_becomes_of_every_singular_value_is_said_and_adds_up():
    e = Experiment(cell="rnn")
    said = words.of_singular_values(e, "state", KNOWN).replace("\u00a0", " ")
    assert said == (
        "RNN: the singular values of ∂s_T/∂s_t, 9 steps back, run from **0.1** down to 1.0 × 10⁻⁴; 1 of 8 are exactly "
        "0; 2 of 8 are lost to rounding. Directions that keep more than half their norm: **2 of 8**. A random "
        "cotangent keeps 0.01. The spectral norm of U bounds them all by 3.2."
    )
    whole = words.of_singular_values(e, "h", KNOWN._replace(resolved=8, zero=0, lag=1))
    assert "∂h_T/∂h_t, 1 step back, run from" in whole
    assert "exactly 0" not in whole
    assert "rounding" not in whole
    assert "lost to rounding" not in words.of_singular_values(e, "h", KNOWN._replace(resolved=7))
    gone = words.of_singular_values(e, "h", KNOWN._replace(resolved=0, zero=8, largest=-math.inf))
    assert gone.startswith("RNN: ∂h_T/∂h_t, 9 steps back is exactly 0: no direction arrives. The spectral norm")
    overflow = words.of_singular_values(e, "h", KNOWN._replace(largest=math.nan))
    assert overflow.endswith("9 steps back is undefined, since the forward pass overflows.")


def test_a_bound_is_said_where_there_is_one_and_else_why_there_is_none():
    none = KNOWN._replace(bound=None)
    stack = words.of_singular_values(Experiment(cell="rnn", depth=2), "h", none)
    assert stack.endswith("a power of the spectral norm of U bounds one layer, not a stack.")
    lstm = words.of_singular_values(Experiment(cell="lstm"), "h", none)
    assert lstm.endswith("a power of the spectral norm of U does not bound the LSTM.")
    for depth, cell in ((1, "rnn"), (2, "rnn"), (1, "gru")):
        e = Experiment(cell=cell, depth=depth, hidden_size=3, steps=6)
        found = farthest(singular_values_by_lag(e))
        assert (found.bound is None) == ("No bound is drawn" in words.of_singular_values(e, "h", found))


@pytest.mark.parametrize(("depth", "layers"), [(1, "the layer"), (3, "all 3 layers")])
@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_the_size_that_is_said_is_that_of_the_matrix(cell, depth, layers):
    e = Experiment(cell=cell, depth=depth, hidden_size=5, steps=4, batch_size=1)
    for block in words.BLOCKS.values():
        size = farthest(singular_values_by_lag(e, of=block)).count
        assert size == 5 * depth * (len(CELLS[cell].states) if block == "state" else 1)
        said = words.size_of_block(e, block)
        assert f"of {layers} after a step" in said
        assert said.endswith(f": {size} × {size} numbers.")


def test_the_ends_of_the_range_are_those_of_the_matrix():
    e = Experiment(cell="rnn", hidden_size=4, steps=5)
    sizes = np.linalg.svd(product_jacobians(e).at(0), compute_uv=False)
    said = words.of_singular_values(e, "state", farthest(singular_values_by_lag(e)))
    assert f"run from **{number(math.log10(sizes[0]))}** down to {number(math.log10(sizes[-1]))}." in said
    assert f"more than half their norm: **{(sizes > 0.5).sum()} of 4**" in said
