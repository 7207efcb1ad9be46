"""The gallery's panels and the phase map draw the numbers of their tables, also where some are missing."""

import numpy as np
import pandas as pd
import pytest

from gradlab import Experiment
from gradlab.analyses import survival
from gradlab.charts import initializations, phase_map
from gradlab.exports import svg
from gradlab.sweeps import maps
from tests.charts.drawing import texts

SMALL = Experiment(cell="rnn", hidden_size=4, input_size=2, steps=20, batch_size=1)


@pytest.fixture(scope="module")
def found():
    return survival.every_initialization(SMALL, 2)


def test_the_charts_read_the_columns_that_the_library_gives():
    assert initializations.COLUMNS == survival.TABLE_COLUMNS
    assert initializations.SUMMARY_COLUMNS == survival.SUMMARY_COLUMNS
    assert phase_map.BORDER_COLUMNS == maps.BORDER_COLUMNS
    assert set(phase_map.COLUMNS) <= set(maps.phase_map(SMALL, "steps", 2, 1).table.columns)


@pytest.mark.parametrize("width", [340, 900])
def test_every_panel_has_its_name_and_what_is_left_within_the_picture(found, width):
    chart = initializations.panels(found.table, summary=found.summary, cell="rnn", in_use="keras", pinned=found.table)
    written, wide, _ = texts(chart, width)
    lines = [line for text in written for line in text.lines]
    assert "IRNN" in lines
    assert "exactly 0" in lines  # what the law of zeros leaves
    for text in written:
        assert text.left >= -1, text
        assert text.right <= wide + 2, text


def test_places_without_a_rate_are_marked_and_a_map_of_none_is_drawn():
    table = maps.phase_map(SMALL, "steps", 3, 1).table  # at a gain of 0 nothing arrives
    assert table["median"].isna().any()
    chart = phase_map.phase_map(table, "gain", "steps", border=pd.DataFrame({"x": [1.0, 1.0], "y": [20.0, 400.0]}))
    rates = chart.layer[0].data
    shown = rates["shade"].to_numpy()
    assert np.isnan(shown).tolist() == table["median"].isna().tolist()
    assert (np.sign(shown) == np.sign(table["median"].to_numpy())).sum() == table["median"].notna().sum()
    assert len(chart.layer[1].data) == table["median"].isna().sum()
    assert svg(phase_map.phase_map(table.assign(median=np.nan), "gain", "steps", dark=True))
