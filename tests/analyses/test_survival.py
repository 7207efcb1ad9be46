"""Every initialization of one cell: what its rows say is what single traces say, and their order."""

import numpy as np
import pytest

from gradlab import INITIALIZATIONS, Experiment, diagnose, trace
from gradlab.analyses.survival import SUMMARY_COLUMNS, TABLE_COLUMNS, every_initialization

SMALL = Experiment(cell="rnn", hidden_size=6, input_size=3, steps=30, batch_size=2, seed=4)


@pytest.fixture(scope="module")
def found():
    return every_initialization(SMALL, 3)


def traces(name):
    return [trace(SMALL.replace(initialization=name, seed=seed)) for seed in (4, 5, 6)]


def test_a_row_of_the_summary_is_what_single_diagnoses_say(found):
    assert tuple(found.summary.columns) == SUMMARY_COLUMNS
    assert set(found.summary["initialization"]) == set(INITIALIZATIONS)
    for name in ("pytorch", "orthogonal", "kaiming"):
        row = found.summary.set_index("initialization").loc[name]
        diagnoses = [diagnose(one) for one in traces(name)]
        left = sorted(one.log10_left for one in diagnoses)
        assert [row["log10_left_min"], row["log10_left"], row["log10_left_max"]] == pytest.approx(left)
        assert row["decades_per_100_steps"] == pytest.approx(np.median([d.decades_per_100_steps for d in diagnoses]))
        verdicts = [one.verdict for one in diagnoses]
        assert row["seeds"] == verdicts.count(row["verdict"]) == max(map(verdicts.count, verdicts))


def test_the_rows_of_an_initialization_are_the_mean_and_the_range_of_the_relative_norms(found):
    assert tuple(found.table.columns) == TABLE_COLUMNS
    rows = found.table[found.table["initialization"] == "gaussian"].sort_values("step")
    norms = np.stack([one.log10_relative("h")[0].mean(axis=1) for one in traces("gaussian")])  # of each seed, by step
    assert rows["log10_relative"].to_numpy() == pytest.approx(norms.mean(axis=0))
    assert rows["log10_relative_min"].to_numpy() == pytest.approx(norms.min(axis=0))
    assert rows["log10_relative_max"].to_numpy() == pytest.approx(norms.max(axis=0))
    assert (rows["step"] + rows["lag"] == 29).all()


def test_what_leaves_most_comes_first_and_an_exact_zero_last(found):
    left = found.summary["log10_left"].to_numpy()
    assert (np.diff(left[:-1]) <= 0).all()
    last = found.summary.iloc[-1]
    assert (last["initialization"], last["verdict"], last["log10_left"]) == ("zeros", "zero", -np.inf)


def test_the_law_of_the_present_settings_changes_nothing(found):
    other = every_initialization(SMALL.replace(initialization="chrono"), 3)
    assert other.table.equals(found.table)


def test_seeds_beyond_the_bounds_are_refused():
    with pytest.raises(ValueError, match="seeds = 101"):
        every_initialization(SMALL, 101)
