"""Layer × step: every bin in its place, zeros and undefined values marked as such."""

import numpy as np
import pytest

from gradlab.analyses.thinning import bin_steps
from gradlab.charts.heatmap import COLUMNS, UNDEFINED, ZERO, layers_by_steps
from tests.charts.drawing import axis_labels, layers, strangers, texts

NORMS = ["log10_norm", "log10_relative"]


def test_the_columns_that_the_chart_reads_are_columns_of_binned_traces(traced):
    assert set(COLUMNS) <= set(bin_steps(traced("lstm")).columns)


@pytest.mark.parametrize("relative", [True, False])
def test_every_field_of_every_layer_is_a_column_of_the_layer_s_own_table(traced, relative):
    table = traced("rnn", "lstm", depth=2)
    table.loc[table["step"] < 9, NORMS] = -np.inf
    assert not strangers(layers_by_steps(bin_steps(table), relative=relative))


def test_every_bin_is_drawn_once_as_finite_as_exactly_zero_or_as_undefined(traced):
    table = traced("rnn", depth=3)
    table.loc[(table["layer"] == 1) & (table["step"] < 20), NORMS] = -np.inf
    table.loc[(table["layer"] == 2) & (table["step"] < 10), NORMS] = np.nan
    bins = bin_steps(table, columns=30)
    finite, rest = layers(layers_by_steps(bins), "rect")
    assert len(finite.data) + len(rest.data) == len(bins) == 90
    assert rest.data["kind"].value_counts().to_dict() == {ZERO: 10, UNDEFINED: 5}
    assert np.isfinite(finite.data["log10_relative"]).all()


def rows(chart) -> list[str]:
    return chart.layer[0].to_dict()["encoding"]["y"]["scale"]["domain"]


def test_rows_have_the_lowest_layer_at_the_bottom_and_each_cell_its_name_above(traced):
    chart = layers_by_steps(bin_steps(traced("gru", "rnn", depth=2)))
    assert rows(chart) == ["RNN", "RNN 1", "RNN 0", "GRU", "GRU 1", "GRU 0"]
    drawn, _, _ = texts(chart, 600)
    column = [t for t in drawn if t.lines[0] in ("RNN", "GRU", "1", "0") and t.left < 60 and t.bottom < 300]
    assert [t.lines[0] for t in sorted(column, key=lambda t: t.top)] == ["RNN", "1", "0", "GRU", "1", "0"]


def test_a_single_cell_s_rows_are_its_layers(traced):
    assert rows(layers_by_steps(bin_steps(traced("rnn", depth=3)))) == ["RNN 2", "RNN 1", "RNN 0"]


@pytest.mark.slow
@pytest.mark.parametrize("width", [340, 1000])
@pytest.mark.parametrize("steps", [2, 60, 3000])
def test_no_text_is_cut_off_and_no_label_stands_twice(traced, steps, width):
    chart = layers_by_steps(bin_steps(traced("rnn", "lstm", "lstm_1997", depth=4, steps=steps)))
    drawn, wide, high = texts(chart, width)
    assert all(t.left >= -1 and t.right <= wide + 1 and t.top >= -1 and t.bottom <= high + 1 for t in drawn)
    below, above, *_ = axis_labels(chart, width)
    for labels in (below, above):
        assert len(set(labels)) == len(labels)


def test_an_empty_table_is_refused_in_words(traced):
    with pytest.raises(ValueError, match="no rows"):
        layers_by_steps(bin_steps(traced("rnn")).head(0))
