"""The charts of spectra and of the curse of memory: the table's numbers, and nothing that is not one."""

import numpy as np
import pandas as pd
import pytest

from gradlab import Experiment
from gradlab.analyses import remembering
from gradlab.analyses import spectra as analyses
from gradlab.charts import memory, spectra
from gradlab.exports import svg
from tests.charts.drawing import layers, strangers, texts

SMALL = Experiment(cell="rnn", hidden_size=6, steps=40, batch_size=2, input_size=3)
NEWTON = pd.DataFrame(
    {"cell": "rnn", "factor": [0.5, 1.0, 2.0, 4.0], "iterations": [2.0, 3.0, 9.0, np.nan], "steps": 12,
     "exponent": [-1.0, -0.2, 0.6, -0.2]}
)  # fmt: skip


@pytest.fixture(scope="module")
def curse():
    table = remembering.curse_and_remedy([0.5, 0.9], sequences=16)
    return table[table["quantity"] != remembering.VARIANCE]


@pytest.mark.parametrize("dark", [False, True])
def test_the_charts_are_valid_and_name_only_columns_that_are_there(dark, curse):
    assert spectra.SPECTRUM_COLUMNS == analyses.SPECTRUM_COLUMNS
    assert spectra.NEWTON_COLUMNS == analyses.NEWTON_COLUMNS
    assert spectra.CALMING_COLUMNS == analyses.CALMING_COLUMNS
    assert set(memory.COLUMNS) == set(remembering.BOTH_COLUMNS)
    calm = analyses.calming(2.0, (0.0, 3.0), hidden_size=8, steps=20, seeds=2)
    charts = [
        spectra.exponents(analyses.spectrum(SMALL).table, dark=dark),
        spectra.exponents(analyses.spectrum(SMALL.replace(cell="lstm", hidden_size=1)).table, dark=dark),
        spectra.newton(NEWTON, dark=dark),
        spectra.calming(calm, dark=dark),
        memory.sensitivities(curse, at=0.9, dark=dark),
    ]
    for chart in charts:
        assert strangers(chart) == set()
        assert svg(chart).startswith(b"<svg")


def test_exponents_that_are_no_numbers_are_drawn_as_nothing():
    table = analyses.spectrum(SMALL.replace(initialization="zeros")).table
    assert np.isneginf(table["exponent"]).any()
    for drawn in layers(spectra.exponents(table), "line"):
        assert not np.isinf(drawn.data["exponent"]).any()
    assert svg(spectra.exponents(table.assign(exponent=np.nan)))


def test_the_shade_begins_and_ends_where_the_line_passes_0_on_the_log_axis():
    (shade,) = layers(spectra.newton(NEWTON), "rect")
    assert shade.data["begin"].tolist() == pytest.approx([2**0.25])
    assert shade.data["end"].tolist() == pytest.approx([2**1.75])
    (all_above,) = layers(spectra.newton(NEWTON.assign(exponent=0.1)), "rect")
    assert all_above.data.to_numpy().tolist() == pytest.approx(np.array([[0.5, 4.0]]))
    (none,) = layers(spectra.newton(NEWTON.assign(exponent=-np.inf)), "rect")
    assert none.data.empty


def test_the_bars_are_two_standard_errors_to_each_side(curse):
    (bars,) = [one for one in layers(memory.sensitivities(curse, at=0.5), "rule") if "log10_low" in one.data]
    low, high = (10 ** bars.data[name].to_numpy() for name in ("log10_low", "log10_high"))
    errors = curse["standard_error"].to_numpy()
    np.testing.assert_allclose(high - low, 4 * errors)
    np.testing.assert_allclose((high + low) / 2, curse["measured"])


def test_nothing_that_is_written_leaves_the_picture_of_a_phone(curse):
    for chart in (spectra.exponents(analyses.spectrum(SMALL).table), memory.sensitivities(curse, at=0.9)):
        found, width, _ = texts(chart, 340)
        for text in found:
            assert text.left >= -1, text
            assert text.right <= width + 2, text
