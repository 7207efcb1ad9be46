"""A network over many seeds: each seed's numbers are those of a trace of it, and pairs are of the same draws."""

import importlib

import numpy as np
import pandas as pd
import pytest

from gradlab import Experiment, trace
from gradlab.analyses.call import Call
from gradlab.analyses.seeds import over_seeds
from gradlab.analyses.traces import TABLE_COLUMNS
from gradlab.engine import TooLarge

SMALL = {"steps": 30, "hidden_size": 6, "input_size": 3, "batch_size": 2}
plan = importlib.import_module("gradlab.engine.plan")


@pytest.mark.parametrize("settings", [{"cell": "lstm", "depth": 2}, {"cell": "rnn", "loss": "every"}, {"cell": "gru"}])
def test_mean_and_range_are_those_of_the_traces_of_every_seed(settings):
    e = Experiment(seed=3, **SMALL | settings)
    found = over_seeds(e, 4)
    assert found.seeds == (3, 4, 5, 6)
    tables = [trace(e.replace(seed=seed)).table for seed in found.seeds]
    table = found.table
    assert tuple(table.columns) == TABLE_COLUMNS
    keys = ["cell", "layer", "state", "path", "step", "lag"]
    pd.testing.assert_frame_equal(table[keys], tables[0][keys])
    for name in ("log10_norm", "log10_relative"):
        each = np.stack([one[name] for one in tables])
        np.testing.assert_allclose(table[name], each.mean(axis=0), rtol=1e-12)
        np.testing.assert_array_equal(table[f"{name}_min"], each.min(axis=0))
        np.testing.assert_array_equal(table[f"{name}_max"], each.max(axis=0))


def test_an_orthogonal_linear_network_s_factor_is_the_same_at_every_seed_and_known():
    e = Experiment(cell="rnn_linear", initialization="orthogonal", **SMALL)
    pair = over_seeds(e, 5).arriving - over_seeds(e.replace(gain=0.8), 5).arriving
    np.testing.assert_allclose(pair, -29 * np.log10(0.8), rtol=1e-10)


def test_a_pair_is_of_the_same_draws():
    e = Experiment(cell="lstm", **SMALL)
    now, then = over_seeds(e.replace(keep_bias=2.0), 3), over_seeds(e, 3)
    for number in range(3):
        there = [trace(e.replace(keep_bias=bias, seed=number)) for bias in (2.0, None)]
        left = [np.mean(one.log10_norm("h")[0, 0] - one.log10_cotangent) for one in there]
        assert now.arriving[number] - then.arriving[number] == pytest.approx(left[0] - left[1])


def test_the_seeds_go_on_after_the_last_one_and_a_seed_without_a_gradient_is_left_out():
    e = Experiment(cell="rnn_relu", seed=2**32 - 1, **SMALL | {"hidden_size": 1, "batch_size": 1})
    found = over_seeds(e, 8)
    assert found.seeds == (2**32 - 1, *range(7))
    dead = np.isneginf(found.log10_norms[0, 0, :, 0]).sum()
    assert dead > 0, "a single ReLU dies at some seeds"
    assert found.table["left_out"].iloc[0] == dead


@pytest.mark.parametrize("seeds", [0, 101, -1, 2.5])
def test_a_number_of_seeds_that_is_not_allowed_is_refused(seeds):
    with pytest.raises((ValueError, TypeError), match="seeds"):
        over_seeds(Experiment(**SMALL), seeds)


def test_its_memory_is_refused_before_anything_is_drawn(monkeypatch):
    e = Experiment(**SMALL | {"steps": 5000})
    call = Call.of(over_seeds, e, seeds=50)
    alone = Call.of(trace, e).need
    assert call.need.bytes > alone.bytes
    assert call.need.work == 50 * alone.work
    assert call.need.kept == call.need.bytes - alone.bytes
    monkeypatch.setattr(plan, "memory_limit", lambda: call.need.bytes - 1)
    with pytest.raises(TooLarge, match="steps = 5000"):
        over_seeds(e, 50)


def test_what_is_kept_is_as_large_as_its_arrays():
    e = Experiment(cell="lstm", depth=3, **SMALL)
    found = over_seeds(e, 2)
    assert Call.of(over_seeds, e, seeds=2).need.kept == found.log10_norms.nbytes + found.log10_relative.nbytes


def test_a_single_seed_is_allowed_and_has_no_spread():
    found = over_seeds(Experiment(**SMALL), 1)
    assert found.seeds == (0,)
    for name in ("log10_norm", "log10_relative"):
        assert (found.table[f"{name}_min"] == found.table[f"{name}_max"]).all()


def test_its_parts_span_the_steps_that_they_have():
    """Bins of a picture begin and end where the parts say they do."""
    found = over_seeds(Experiment(cell="lstm", depth=2, **SMALL), 2)
    for part in found.table_parts:
        rows = part.rows()
        assert part.count == len(rows)
        assert rows["step"].tolist() == list(range(part.span[0], part.span[1] + 1))


def test_progress_rises_from_seed_to_seed():
    shares = []
    over_seeds(Experiment(**SMALL), 3, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
