"""A mean over a batch is of the sequences that have something: one dead sequence takes nothing from the others."""

import numpy as np
import pytest

from gradlab import Experiment, Stack, paths, trace
from gradlab.analyses.batch import of_batch
from gradlab.analyses.itemised import itemised, pairs
from gradlab.analyses.truncation import share_by_lag
from gradlab.cells.leaky import LEAK
from gradlab.network.stack import Layer
from tests.networks import over_finite

ONE_DEAD = Experiment(cell="rnn_relu", hidden_size=6, batch_size=4, input_size=2, steps=20, seed=4)


def test_mean_and_range_are_over_the_finite_values():
    inf, nan = np.inf, np.nan
    rows = np.array([[1.0, 3.0], [1.0, -inf], [nan, 2.0], [-inf, -inf], [nan, nan], [nan, -inf]])
    found = of_batch(rows)
    assert np.array_equal(found.mean, [2, 1, 2, -inf, nan, nan], equal_nan=True)
    assert np.array_equal(found.least, [1, 1, 2, -inf, nan, nan], equal_nan=True)
    assert np.array_equal(found.most, [3, 1, 2, -inf, nan, nan], equal_nan=True)
    assert found.left_out.tolist() == [0, 1, 1, 2, 2, 2]
    for name, of in (("mean", np.mean), ("least", np.min), ("most", np.max)):
        assert np.array_equal(getattr(found, name), over_finite(rows, of), equal_nan=True)


@pytest.fixture(scope="module")
def alive():
    """Which sequences of `ONE_DEAD` have a gradient at step 0."""
    chosen = ~np.isneginf(trace(ONE_DEAD).log10_norm()[0, 0])
    assert chosen.sum() == 3
    return chosen


def test_tables_of_a_batch_with_a_dead_sequence_are_those_of_the_batch_without_it(alive):
    """The same sequences alone, as another route: the dead one is not in their arrays at all."""
    stack, inputs, loss = ONE_DEAD.network(), ONE_DEAD.sequence(), np.zeros((20, 4, 6))
    injected = ONE_DEAD.injected(stack, inputs)
    loss[injected.steps, injected.at] = injected.values
    whole, living = (stack, inputs, loss), (stack, inputs[:, alive], loss[:, alive])
    for analysis in (
        lambda *case: trace(*case).table,
        lambda *case: paths.decompose(*case, orders=2),
        paths.mean_passes,
        paths.edges,
        lambda *case: paths.cut(*case, without="direct"),
        lambda *case: itemised(*case),
    ):
        found, expected = analysis(*whole), analysis(*living)
        at = found["step"] == 0 if "step" in found else found.index >= 0
        for column in set(found) - {"left_out"}:
            one, other = found[column][at], expected[column][at]
            if one.dtype.kind == "f":
                assert one.to_numpy() == pytest.approx(other.to_numpy(), nan_ok=True, abs=1e-9), column
            else:
                assert (one == other).all()
        if "left_out" in found:
            assert (found["left_out"][at] >= 1).all()


def test_shares_of_lags_are_over_the_sequences_that_have_a_loss():
    stack, inputs = ONE_DEAD.network(), ONE_DEAD.sequence()
    loss = np.random.default_rng(0).standard_normal((20, 4, 6))
    loss[:, 2] = 0
    others = [0, 1, 3]
    found, expected = (
        share_by_lag(pairs(stack, inputs, loss)),
        share_by_lag(pairs(stack, inputs[:, others], loss[:, others])),
    )
    assert found.to_numpy() == pytest.approx(expected.to_numpy(), abs=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("cell", ["rnn", "rnn_linear"])
@pytest.mark.parametrize("steps", [10, 300, 3000])
def test_where_every_path_passes_u_at_every_step_rounding_does_not_change_their_number(cell, dtype, steps):
    for seed in range(3):
        e = Experiment(cell=cell, steps=steps, hidden_size=8, batch_size=3, dtype=dtype, seed=seed, gain=0.98)
        at = paths.passes_at(paths.mean_passes(e.replace(initialization="orthogonal")), lag=steps)
        assert at.through == pytest.approx(at.lag, rel=3e-3 if dtype == "float32" else 1e-9)
        assert not at.cancels


def test_parts_that_cancel_in_one_sequence_alone_are_seen():
    e = Experiment(cell="lstm", steps=3, hidden_size=2, batch_size=2, input_size=2, seed=119)
    at = paths.passes_at(paths.mean_passes(e, losses="last"))
    assert at.least < -0.3
    assert at.most > 0.4
    assert 0 < at.through < 0.1, "the mean over the batch hides both"
    assert at.cancels


def test_additions_are_the_other_steps_and_bounds_that_are_reached_are_no_cancellation():
    e = Experiment(hidden_size=4, steps=30, batch_size=2)
    lstm, rnn, minimal = (paths.passes_at(paths.mean_passes(e.replace(cell=c))) for c in ("lstm", "rnn", "min_gru"))
    for at in (lstm, rnn, minimal):
        assert at.additions == at.lag - at.through
        assert at.lag == 29
        assert not at.cancels
    assert (rnn.most, rnn.additions, minimal.least, minimal.through) == (29, 0, 0, 0)
    ways = paths.steps_by_way(paths.mean_passes(e)).set_index("way")["steps"]
    assert ways.to_dict() == {"through U": lstm.through, "by addition": lstm.additions}


def test_the_last_losses_of_sequences_that_end_apart_are_followed_from_the_latest():
    stack, inputs, loss = ONE_DEAD.network(), ONE_DEAD.sequence(), np.zeros((20, 4, 6))
    loss[7, 0], loss[15, 1] = 1.0, 1.0
    table = paths.mean_passes(stack, inputs, loss, losses="last")
    assert table["step"].max() == 15
    assert table["left_out"].iloc[[7, 15]].tolist() == [2, 3]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("lag", [1, 100, 3000])
def test_opposite_signs_are_seen_at_any_length_with_the_mean_that_they_give(dtype, lag):
    """One leaky unit at rest: a step multiplies by 1 - α + α u, so the mean is lag · α u / (1 - α + α u), below 0."""
    none, u = np.zeros(1, dtype), -0.5
    layer = Layer(np.zeros((1, 1), dtype), np.full((1, 1), u, dtype), none, none)
    loss = np.zeros((lag + 1, 1, 1), dtype)
    loss[-1] = 1
    at = paths.passes_at(paths.mean_passes(Stack("leaky", (layer,)), np.zeros_like(loss), loss), lag)
    through = LEAK * u
    assert at.through == pytest.approx(lag * through / (1 - LEAK + through), rel=1e-3)
    assert at.cancels
