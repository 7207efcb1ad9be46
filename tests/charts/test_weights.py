"""Spectra and biases: the tables' own columns, a round unit circle, every value drawn."""

import numpy as np
import pytest

from gradlab import Experiment, Stack
from gradlab.analyses import weights as analysis
from gradlab.charts import weights
from tests.charts.drawing import layers, strangers, texts

CHARTS = {
    "singular_values": weights.SINGULAR_COLUMNS,
    "eigenvalues": weights.EIGEN_COLUMNS,
    "gate_biases": weights.BIAS_COLUMNS,
}


def table_of(name: str, cell: str = "lstm", **settings):
    small = {"hidden_size": 6, "input_size": 3} | settings
    return getattr(analysis, name)(Stack.from_experiment(Experiment(cell=cell, **small)))


@pytest.mark.parametrize("name", CHARTS)
def test_the_columns_that_a_chart_reads_are_columns_of_its_analysis(name):
    table = table_of(name, depth=2)
    assert set(CHARTS[name]) <= set(table.columns)
    assert not strangers(getattr(weights, name)(table))


def test_every_eigenvalue_is_drawn_and_both_axes_have_one_range():
    table = table_of("eigenvalues", gain=4.0, depth=2)
    chart = weights.eigenvalues(table)
    (points,) = layers(chart, "point")
    assert len(points.data) == len(table)
    encoding = points.to_dict()["encoding"]
    assert encoding["x"]["scale"]["domain"] == encoding["y"]["scale"]["domain"]
    assert encoding["x"]["scale"]["domain"][1] > table["modulus"].max()
    assert chart.width == chart.height


def test_the_circle_has_radius_one():
    assert np.allclose(np.hypot(weights.UNIT_CIRCLE["real"], weights.UNIT_CIRCLE["imaginary"]), 1.0, atol=1e-15)


@pytest.mark.slow
@pytest.mark.parametrize("name", CHARTS)
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("settings", [{}, {"hidden_size": 1}, {"initialization": "zeros"}, {"depth": 8}])
def test_no_text_is_cut_off_on_a_phone(name, cell, settings):
    chart = getattr(weights, name)(table_of(name, cell, **settings))
    drawn, wide, high = texts(chart, chart.width if name == "eigenvalues" else 340)
    assert all(t.left >= -1 and t.right <= wide + 1 and t.top >= -1 and t.bottom <= high + 1 for t in drawn)


@pytest.mark.parametrize("name", CHARTS)
@pytest.mark.parametrize("width", [340, 450, 640])
def test_no_two_labels_of_an_axis_touch(name, width):
    chart = getattr(weights, name)(table_of(name, hidden_size=64))
    drawn, _, _ = texts(chart, chart.width if name == "eigenvalues" else width)
    for label in drawn:
        beside = [other for other in drawn if other.top == label.top and other.left > label.left]
        assert all(other.left >= label.right + 3 for other in beside), label


@pytest.mark.parametrize("name", CHARTS)
def test_an_empty_table_is_refused_in_words(name):
    with pytest.raises(ValueError, match="no rows"):
        getattr(weights, name)(table_of(name).head(0))
