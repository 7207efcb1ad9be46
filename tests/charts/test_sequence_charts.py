"""Charts of sequence types, itemised gradients and truncation: their columns, their texts, their one scale."""

import numpy as np
import pandas as pd
import pytest

from gradlab.analyses.itemised import individual_losses, pairs
from gradlab.analyses.paths import diagram
from gradlab.analyses.paths.diagram import STEP_COLUMNS
from gradlab.analyses.paths.edges import EDGE_COLUMNS
from gradlab.analyses.thinning import bin_pairs
from gradlab.analyses.truncation import (
    BEYOND_COLUMNS,
    BIAS_COLUMNS,
    COST_COLUMNS,
    OUTLINE_COLUMNS,
    Schedule,
    bias,
    cost,
)
from gradlab.charts import itemised, truncation, unrolled
from gradlab.charts.annotations import MOST_READINGS, readings
from gradlab.settings.experiment import Experiment
from tests.charts.drawing import axis_labels, strangers, texts

SETTINGS = {"hidden_size": 6, "input_size": 3, "batch_size": 2, "steps": 40, "loss": "every"}
DOMAIN = [-30.0, 1.0]
LOWEST = "layer == 0 and state == 'h'"


@pytest.fixture(scope="module")
def matrix():
    e = Experiment(cell="lstm", **SETTINGS)
    found = pairs(e)
    total = pd.DataFrame({"step": np.arange(40), "log10_norm": 0.0})
    rows = individual_losses(found).query(LOWEST)
    return bin_pairs(found.table.query(LOWEST), most=20), total, rows


def charts(matrix, dark=False):
    bins, total, rows = matrix
    angle = bias(Experiment(cell="lstm", **SETTINGS), schedules=[Schedule("windows", 1, 2), Schedule("windows", 5, 10)])
    lost = pd.DataFrame(
        {"cell": "lstm", "window": [1, 9], "lost": [0.5, 0.1], "lost_min": [0.4, 0], "lost_max": [0.6, 0.2]}
    )
    saved = cost(Experiment(cell="lstm", **SETTINGS), schedules=[Schedule("windows", 1, 2), Schedule("windows", 5, 10)])
    outline = pd.DataFrame({"loss_step": [0, 20, 20, 40], "first": [0, 0, 10, 10]})
    return {
        "matrix": itemised.matrix(bins, total, cell="lstm", domain=DOMAIN, dark=dark),
        "band": itemised.band(bins, outline, domain=DOMAIN, dark=dark),
        "losses and sum": itemised.losses_and_sum(rows, total, cell="lstm", domain=DOMAIN, dark=dark),
        "lost": truncation.lost(lost, 5, dark=dark),
        "angle": truncation.angle(angle[angle.parameter == "all"], 5, dark=dark),
        "savings": truncation.savings(saved, 5, dark=dark),
    }


def drawn(loss="many_to_many_delayed", **options):
    found = diagram(Experiment(cell="lstm", **SETTINGS | {"loss": loss}), most=9)
    return unrolled.network(found.edges, steps=found.steps, **options)


def test_tables_and_charts_meet_in_the_names_of_columns(matrix):
    assert unrolled.STEP_COLUMNS == STEP_COLUMNS
    assert set(unrolled.COLUMNS) <= set(EDGE_COLUMNS)
    assert tuple(matrix[0].columns) == itemised.BIN_COLUMNS
    assert set(itemised.ROW_COLUMNS) <= set(matrix[2].columns)
    assert itemised.OUTLINE_COLUMNS == OUTLINE_COLUMNS
    assert truncation.LOST_COLUMNS == BEYOND_COLUMNS
    assert set(truncation.ANGLE_COLUMNS) <= set(BIAS_COLUMNS)
    assert set(truncation.SAVING_COLUMNS) <= set(COST_COLUMNS)


@pytest.mark.parametrize("dark", [False, True])
def test_every_field_of_every_layer_is_a_column_of_its_table(matrix, dark):
    for name, chart in (
        charts(matrix, dark) | {"unrolled": drawn(dark=dark), "small": drawn(dark=dark, small=True)}
    ).items():
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
    bins = bin_pairs(found.table.query(LOWEST), most=20)
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


def rows(chart, column):
    """The rows of every layer whose table has a column, each once."""
    tables = [layer.data for layer in chart.layer if column in layer.data]
    return pd.concat(tables).drop_duplicates().reset_index(drop=True)


def test_each_box_and_edge_stands_in_the_column_of_its_step_and_gaps_between():
    chart = drawn(loss="last")  # steps 0 … 3 and 36 … 39 of 40
    boxes = rows(chart, "box").query("box == 'input'").set_index("step")["middle"]
    assert boxes.to_dict() == {0: 0, 1: 1, 2: 2, 3: 3, 36: 5, 37: 6, 38: 7, 39: 8}
    edges = rows(chart, "edge").query("edge == 'recurrent'").set_index("step")
    half = unrolled.HALF_WIDTH
    assert edges["x2"].to_dict() == pytest.approx(
        {t: x + half for t, x in {**boxes.to_dict(), 35: 4}.items() if t != 39}
    )
    assert (edges["x"] - edges["x2"]).to_numpy() == pytest.approx(1 - 2 * half)
    down = rows(chart, "edge").query("edge == 'input'").set_index("step")["x"]
    assert down.to_dict() == boxes.to_dict()
    (gap,) = rows(chart, "left_out").to_dict("records")
    assert (gap["x"], gap["left_out"].split()) == (4, ["⋯", "32", "steps"])
    assert ["0", "1", "2", "3", "", "36", "37", "38", "39"] in axis_labels(chart, 900)


def test_edges_run_between_the_boxes_of_their_levels():
    found = diagram(Experiment(cell="lstm", **SETTINGS | {"depth": 2}), most=50)
    placed = rows(unrolled.network(found.edges, steps=found.steps), "edge")
    half = unrolled.HALF_HEIGHT
    ends = {"loss": (2, 1), "vertical": (1, 0), "input": (0, -1)}  # from which level to which
    for edge, (above, below) in ends.items():
        assert placed[placed["edge"] == edge][["y", "y2"]].drop_duplicates().to_numpy().tolist() == [
            pytest.approx([above - half, below + half])
        ]
    along = placed[placed["edge"].isin(["direct", "recurrent"])]
    assert set(along.query("edge == 'direct'")["y"]) == {unrolled.APART, 1 + unrolled.APART}
    assert set(along.query("edge == 'recurrent'")["y"]) == {-unrolled.APART, 1 - unrolled.APART}


def test_the_network_of_edges_alone_has_every_step_at_which_one_arrives():
    e = Experiment(cell="gru", **SETTINGS | {"loss": "steps", "loss_steps": "12, 15-17, 39"})
    edges = diagram(e, most=50).edges.query("10 <= step <= 20")
    boxes = rows(unrolled.network(edges, (-20.0, 0.0)), "box")
    assert boxes.query("box == 'input'")["step"].tolist() == list(range(10, 21))
    assert set(boxes.query("box != 'loss'")["label"]) == {""}
    assert boxes.query("box == 'loss'")["step"].tolist() == [12, 15, 16, 17]


def test_the_pointer_says_what_every_line_is_at_its_place():
    rng = np.random.default_rng(0)
    steps = np.arange(1000)
    table = pd.concat(
        [pd.DataFrame({"step": steps, "name": name, "value": rng.random(1000)}) for name in ("b", "a")],
        ignore_index=True,
    )
    table.loc[[0, 1000], "value"] = np.nan  # neither line has a value at step 0
    says = readings(table, "step", "name", "value", "{:.3f}".format)
    assert len(says) <= MOST_READINGS
    for step, text in says.itertuples(index=False, name=None):
        lines = [f"{name}: {value:.3f}" for _, name, value in table[table["step"] == step].itertuples(index=False)]
        assert text == "\n".join([f"step {step:,}", *lines])
    assert 0 not in set(says["step"])
    assert says["step"].iloc[[0, -1]].tolist() == [1, 999], "the ends of what has values"
