"""Charts of sequence types, itemised gradients and truncation: their columns, their texts, their one scale."""

import numpy as np
import pandas as pd
import pytest

from gradlab.analyses.itemised import binned, pairs
from gradlab.analyses.sequences import BOX_COLUMNS, GAP_COLUMNS, LINK_COLUMNS, diagram
from gradlab.analyses.truncation import BIAS_COLUMNS, Schedule, bias
from gradlab.charts import itemised, sequences, truncation
from gradlab.settings.experiment import Experiment
from tests.charts.drawing import strangers, texts

SETTINGS = {"hidden_size": 6, "input_size": 3, "batch_size": 2, "steps": 40, "loss": "every"}
DOMAIN = [-30.0, 1.0]


@pytest.fixture(scope="module")
def matrix():
    e = Experiment(cell="lstm", **SETTINGS)
    found = pairs(e)
    total = pd.DataFrame({"step": np.arange(40), "log10_norm": 0.0})
    rows = pd.DataFrame(
        {"loss_step": 39, "step": np.arange(40), "log10_norm": found.log10_norms[0, 39, :, :, 0].mean(-1)}
    )
    return binned(found, most=20), total, rows


def charts(matrix, dark=False):
    bins, total, rows = matrix
    angle = bias(Experiment(cell="lstm", **SETTINGS), schedules=[Schedule("windows", 1, 2), Schedule("windows", 5, 10)])
    lost = pd.DataFrame(
        {"cell": "lstm", "window": [1, 9], "lost": [0.5, 0.1], "lost_min": [0.4, 0], "lost_max": [0.6, 0.2]}
    )
    saved = pd.DataFrame({"k2": [1, 9], "share": [0.1, 1.2], "what": ["memory", "multiply-adds"]})
    outline = pd.DataFrame({"loss_step": [0, 20, 20, 40], "first": [0, 0, 10, 10]})
    return {
        "matrix": itemised.matrix(bins, total, cell="lstm", domain=DOMAIN, last=39, dark=dark),
        "band": itemised.band(bins, outline, domain=DOMAIN, last=39, dark=dark),
        "comb": itemised.comb(rows, total, cell="lstm", domain=DOMAIN, dark=dark),
        "lost": truncation.lost(lost, 5, dark=dark),
        "angle": truncation.angle(angle[angle.parameter == "all"].assign(cell="lstm"), 5, dark=dark),
        "savings": truncation.savings(saved, 5, dark=dark),
    }


def drawn(loss="many_to_many_delayed", **options):
    found = diagram(Experiment(cell="lstm", **SETTINGS | {"loss": loss}), most=9)
    return sequences.unrolled(found.boxes, found.links, found.gaps, cell="lstm", columns=found.columns, **options)


def test_tables_and_charts_meet_in_the_names_of_columns(matrix):
    assert (sequences.BOX_COLUMNS, sequences.LINK_COLUMNS, sequences.GAP_COLUMNS) == (
        BOX_COLUMNS,
        LINK_COLUMNS,
        GAP_COLUMNS,
    )
    assert tuple(matrix[0].columns) == itemised.BIN_COLUMNS
    assert set(truncation.ANGLE_COLUMNS) - {"cell"} <= set(BIAS_COLUMNS)


@pytest.mark.parametrize("dark", [False, True])
def test_every_field_of_every_layer_is_a_column_of_its_table(matrix, dark):
    for name, chart in (charts(matrix, dark) | {"unrolled": drawn(dark=dark)}).items():
        assert not strangers(chart), name
        chart.to_dict()  # Vega-Lite's schema


@pytest.mark.slow
@pytest.mark.parametrize("width", [340, 900])
def test_no_text_is_cut_off(matrix, width):
    for name, chart in (charts(matrix) | {"unrolled": drawn(), "one": drawn("one_to_one")}).items():
        found, wide, high = texts(chart, width)
        outside = [t for t in found if t.left < -1 or t.right > wide + 1 or t.top < -1 or t.bottom > high + 1]
        assert not outside, (name, outside)


def test_bins_hold_the_mean_of_their_pairs_and_none_lies_above_the_diagonal():
    found = pairs(Experiment(cell="rnn", **SETTINGS))
    bins = binned(found, most=20)
    assert (bins.step < bins.loss_step_end).all()
    norms = found.log10_norms[0, :, :, :, 0].mean(-1)
    one = bins.query("loss_step == 30 and step == 10")
    assert one.log10_norm.item() == pytest.approx(norms[30:32, 10:12].mean())
    corner = bins.query("loss_step == 30 and step == 30")
    assert corner.log10_norm.item() == pytest.approx((norms[30, 30] + norms[31, 30] + norms[31, 31]) / 3)


def test_the_row_under_the_pointer_begins_as_the_last_one_so_that_exports_show_a_curve(matrix):
    spec = charts(matrix)["matrix"].to_dict()
    (param,) = [p for p in spec["params"] if p["name"] == "row"]
    assert param["value"] == [{"loss_step": matrix[0].loss_step.max()}]
