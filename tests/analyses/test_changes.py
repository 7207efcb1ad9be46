"""A change that helps is the network itself under it, and only what changes something is one."""

import math
from functools import partial

import pytest

from gradlab import Experiment, diagnose, trace
from gradlab.analyses.changes import CHANGE_COLUMNS, CHANGES, changes
from gradlab.analyses.problem import problem_of
from gradlab.words.numbers import number
from gradlab.words.remedies import remedy

SMALL = Experiment(hidden_size=8, steps=60, batch_size=2)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "leaky", "min_lstm"])
def test_every_row_is_the_diagnosis_of_the_changed_network_and_the_most_helpful_stands_first(cell):
    e = SMALL.replace(cell=cell)
    table = changes(e)
    assert tuple(table.columns) == CHANGE_COLUMNS
    assert len(table) == (1 if "keep_bias" in e.unused() else 4)
    for row in table.itertuples():
        found = diagnose(trace(e.replace(**row.change)))
        assert (row.verdict, row.log10_left) == (found.verdict, found.log10_left)
    assert table["log10_left"].abs().is_monotonic_increasing
    assert table["log10_left"].abs().iloc[0] < abs(diagnose(trace(e)).log10_left)


def test_what_is_set_already_or_decides_nothing_is_no_remedy():
    opened = changes(SMALL.replace(keep_bias=3.0))
    assert len(opened)
    assert not any("3" in value.split(" and ") for value in opened["value"]), "nor as a part of a change of two"
    assert changes(SMALL.replace(cell="rnn", initialization="orthogonal")).empty
    assert set(changes(SMALL.replace(cell="rnn"))["setting"]) == {"initialization"}


def test_a_remedy_is_said_with_what_it_leaves():
    row = changes(SMALL).iloc[0]
    said = remedy(row)
    assert said.endswith(f": {number(row['log10_left'])} is left, {row['verdict']}")
    assert said.startswith(("keep-gate bias", "weights orthogonal"))


def test_a_bias_that_is_set_by_its_old_name_is_no_remedy_again():
    lstm = SMALL.replace(forget_bias=3.0)
    assert not any(row.change == {"keep_bias": 3.0, "forget_bias": None} for row in changes(lstm).itertuples())
    gru = changes(lstm.replace(cell="gru"))
    assert any(row.change == {"keep_bias": 3.0, "forget_bias": None} for row in gru.itertuples()), "it has no such bias"


def test_changes_are_as_much_work_as_a_trace_of_each_change_and_report_each_in_its_place():
    problem = problem_of(SMALL)
    assert changes.needs(problem) == problem.trace_need._replace(work=4 * problem.trace_need.work)
    heard, alone = [], []
    table = changes(SMALL, progress=heard.append)
    applied = [change for change in CHANGES if change in list(table["change"])]
    for before, change in enumerate(applied):
        part = partial(lambda before, done: alone.append((before + done) / len(applied)), before)
        trace(SMALL.replace(**change), progress=part)
    assert len(applied) == 4
    assert heard == pytest.approx(alone)
    assert heard[-1] == pytest.approx(1)


def test_the_biases_that_are_tried_leave_what_is_known_of_them():
    """PyTorch's LSTM of 128 units over 100 steps keeps some 1.3e-7 at forget bias 1 and some 1.7 at 3."""
    e = Experiment(hidden_size=128, steps=101, batch_size=1)
    left = changes(e).set_index("value")["log10_left"]
    assert left.index.isin(["1", "3", "orthogonal", "orthogonal and 3"]).all()
    assert left["1"] == pytest.approx(math.log10(1.3e-7), abs=1)
    assert left["3"] == pytest.approx(math.log10(1.7), abs=0.7)
