"""The chart of product Jacobians draws the table's numbers, and leaves out those that rounding decided."""

import numpy as np
import pytest

from gradlab import Experiment
from gradlab.analyses.jacobians import LAG_COLUMNS, singular_values_by_lag
from gradlab.charts.jacobians import COLUMNS, stretches
from gradlab.exports import svg
from tests.charts.drawing import layers, strangers, texts

SMALL = Experiment(hidden_size=6, steps=60, batch_size=2, input_size=3)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_the_chart_is_valid_and_names_only_columns_that_are_there(cell, dark):
    assert COLUMNS == LAG_COLUMNS
    table = singular_values_by_lag(SMALL.replace(cell=cell))
    chart = stretches(table, dark=dark)
    assert strangers(chart) == set()
    assert svg(chart).startswith(b"<svg")
    lines = {layer.data["quantity"].iloc[0]: layer.data for layer in layers(chart, "line")}
    assert set(lines) == set(table["quantity"])
    drawn, own = lines["singular value"], table[table["quantity"] == "singular value"]
    assert not own["resolved"].all()
    assert (drawn["log10_value"].notna().to_numpy() == own["resolved"].to_numpy()).all()
    assert drawn["log10_value"].min() == own.loc[own["resolved"], "log10_value"].min()


def test_zeros_and_undefined_values_are_drawn_as_nothing():
    table = singular_values_by_lag(SMALL.replace(cell="rnn", initialization="zeros"))
    assert svg(stretches(table))
    assert svg(stretches(table.assign(log10_value=np.nan, resolved=False)))


def test_nothing_that_is_written_leaves_the_picture_of_a_phone():
    found, width, _ = texts(stretches(singular_values_by_lag(SMALL.replace(cell="rnn"))), 340)
    for text in found:
        assert text.left >= -1, text
        assert text.right <= width + 2, text
