"""Charts of training and of a character model: fields of their tables, texts in one piece, and data that come later."""

import itertools

import numpy as np
import pandas as pd
import pytest
import vl_convert

from gradlab.analyses import characters as readings
from gradlab.analyses.characters import CharacterModel, activity, predictions
from gradlab.analyses.characters import reach as characters_reach
from gradlab.charts import characters, training
from gradlab.charts.polled import polled
from gradlab.settings.experiment import Experiment
from gradlab.training import Recipe, Run, clipping, curve, history, reach, tables
from tests.charts.drawing import strangers, texts

RULES = pd.DataFrame({"log10_value": [-0.78, -2.0], "label": ["always answering 1: 0.1667", "solved: 0.01"]})
DOMAIN = [-6.0, 0.0]
SHADED = {"value": "log10_gradient", "quantity": "norm of ∂ℓ/∂x", "log10": True}


@pytest.fixture(scope="module")
def records():
    def of(cell):
        run = Run(Experiment(cell=cell, hidden_size=6, steps=20, batch_size=4), "adding", Recipe(30, trace_every=10))
        return list(run.records())

    return {cell: of(cell) for cell in ("rnn", "lstm", "gru")}


@pytest.fixture(scope="module")
def model():
    run = Run(Experiment(cell="gru", hidden_size=6, steps=4, batch_size=1), "hello", Recipe(updates=3))
    list(run.records())
    return CharacterModel.of(run)


def charts(records, model, dark=False):
    losses = pd.concat([curve(history(own, cell), "loss") for cell, own in records.items()], ignore_index=True)
    traces = pd.concat([own[0].trace.table for own in records.values()], ignore_index=True)
    shaded = characters_reach(model, "hello", 3)
    return {
        "curve": training.curve(losses, RULES, 30, quantity="loss", dark=dark),
        "reach": training.reach(reach(records["gru"]), DOMAIN, dark=dark),
        "flow": training.flow(traces, DOMAIN, state="h", dark=dark),
        "flow of both states": training.flow(traces, DOMAIN, dark=dark),
        "expectations": characters.expectations(predictions(model, "hello"), dark=dark),
        "shaded": characters.shaded(shaded, **SHADED, marked=3, dark=dark),
        "shaded absolutely": characters.shaded(shaded, **SHADED, domain=characters.ABSOLUTE, marked=3, dark=dark),
        "unit": characters.shaded(activity(model, "hello", 0), value="value", quantity="h[0]", log10=False, dark=dark),
    }


@pytest.mark.slow
def test_tables_and_charts_meet_in_the_names_of_columns(records):
    assert tables.REACH_COLUMNS == training.REACH_COLUMNS == tuple(reach(records["rnn"]).columns)
    assert (
        tuple(curve(history(records["rnn"], "rnn"), "loss").columns) == training.CURVE_COLUMNS == tables.CURVE_COLUMNS
    )
    assert set(training.FLOW_COLUMNS) <= set(records["rnn"][0].trace.table.columns)
    assert characters.PREDICTION_COLUMNS == readings.PREDICTION_COLUMNS
    for columns in (readings.ACTIVITY_COLUMNS, readings.REACH_COLUMNS):
        assert set(characters.SHADED_COLUMNS) < set(columns)


@pytest.mark.parametrize(("state", "lstm"), [("h", "h"), ("c", "c"), ("all", "ch")])
def test_of_cells_without_the_state_chosen_h_is_drawn(records, state, lstm):
    traces = pd.concat([own[0].trace.table for own in records.values()], ignore_index=True)
    drawn = training.flow(traces, DOMAIN, state=state).layer[0].data
    states = {cell: "".join(sorted(set(own["state"]))) for cell, own in drawn.groupby("cell")}
    assert states == {"rnn": "h", "lstm": lstm, "gru": "h"}


def test_bars_stand_under_the_character_read_each_symbol_in_its_row_where_there_are_few(model):
    table = predictions(model, "hello")
    rows = characters.expectations(table, first=1).layer[0].data
    assert rows.drop_duplicates("step")["place"].tolist() == ["after e", "after l", "after l"]
    assert rows.drop_duplicates("symbol").set_index("symbol")["row"].to_dict() == {"e": 0, "h": 1, "l": 2, "o": 3}
    assert rows.loc[rows["expected"], "symbol"].tolist() == list("llo")
    widths = (rows["right"] - rows["left"]) / rows["probability"]
    assert widths.to_numpy() == pytest.approx(widths.iloc[0])
    many = pd.DataFrame(
        [(0, " ", "a", symbol, rank, 0.1) for rank, symbol in enumerate("\nabcdefg")],
        columns=list(characters.PREDICTION_COLUMNS),
    )
    rows = characters.expectations(many).layer[0].data
    assert rows["symbol"].tolist() == ["⏎", *"abcde"]
    assert rows["row"].tolist() == [0, 1, 2, 3, 4, 5]
    assert set(rows["place"]) == {"after ␣"}


def test_a_text_is_shaded_in_rows_as_it_is_read():
    text = "ab " * 30
    table = pd.DataFrame({"step": range(len(text)), "character": list(text), "value": 0.5})
    rows = characters.shaded(table, value="value", quantity="h[0]", log10=False).layer[1].data
    width = characters.CHARACTERS_PER_ROW
    read = {(row.row, row.column): row.character for row in rows.itertuples()}
    assert "".join(read[divmod(step, width)] for step in range(len(text))) == text.replace(" ", "␣")


@pytest.mark.parametrize("dark", [False, True])
def test_every_field_of_every_layer_is_a_column_of_its_table_and_the_charts_fit_vega_lite(records, model, dark):
    for name, chart in charts(records, model, dark).items():
        assert not strangers(chart), name
        chart.to_dict()  # held against the schema


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [340, 900])
def test_every_chart_is_drawn_and_no_text_is_cut_off(records, model, width, dark):
    for name, chart in charts(records, model, dark).items():
        found, full, high = texts(chart, width)
        assert found, name
        outside = [t for t in found if t.left < -2 or t.right > full + 2 or t.top < -4 or t.bottom > high + 4]
        assert not outside, (name, outside)


@pytest.mark.parametrize("levels", [[4.344, 3.726, 2.4], [2.773, 2.566, 0.478], [1.0, 0.01], []])
def test_the_names_of_close_rules_do_not_lie_on_each_other(records, levels):
    names = [f"knowing how often {level} occurs" for level in levels]
    rules = pd.DataFrame({"log10_value": np.log10(levels), "label": names})
    chart = training.curve(curve(history(records["gru"], "gru"), "loss"), rules, 30, quantity="loss")
    drawn, _, _ = texts(chart, 460)
    boxes = {text.lines[0]: text for text in drawn if text.lines[0] in names}
    assert list(boxes) == names
    for one, other in itertools.combinations(boxes.values(), 2):
        assert one.bottom <= other.top or other.bottom <= one.top, (one, other)


def test_a_polled_curve_is_the_same_chart_with_rows_that_are_fetched(records):
    losses = curve(history(records["gru"], "gru"), "loss")
    whole = vl_convert.vegalite_to_vega(training.curve(losses, RULES, 30, quantity="loss").to_dict())
    chart = training.live_curve(("gru",), training.curve_domain(losses, RULES), RULES, 30, quantity="loss")
    live = polled(chart, "live/there", 0.45)
    group = live["marks"][0]
    for part in (whole, group):
        for mark in part["marks"]:
            mark.pop("from")
    assert group["marks"] == whole["marks"]
    assert [live[name] for name in ("scales", "axes")] == [whole[name] for name in ("scales", "axes")]
    sources = {source["name"]: source for source in group["data"]}
    assert sources["fetched"]["url"] == {"signal": "'live/there?' + tick"}
    assert live["signals"][-1]["on"][0]["events"] == {"type": "timer", "throttle": 450}
    for name in ("curves", "ends"):
        assert sources[name]["source"] == "fetched"
        assert sources[name]["transform"][0]["expr"] == f"datum.dataset == '{name}'"
    assert "data" not in live, "Streamlit would take it away"
    assert "padding" not in live, "the picture would jump when the job stands still"


def test_the_decades_shown_hold_every_value_and_change_in_quarters():
    table = pd.DataFrame({"log10_value": [-1.93, -0.2, np.nan, -np.inf]})
    low, high = training.curve_domain(table, RULES)
    assert low < -2
    assert high > -0.2
    assert (4 * low, 4 * high) == (round(4 * low), round(4 * high))


def test_absolute_shading_is_one_scale_for_every_text_and_relative_shading_its_own(model):
    def domain(text, **look):
        rows = characters_reach(model, text, len(text) - 2)
        return characters.shaded(rows, **SHADED, **look).to_dict()["layer"][0]["encoding"]["color"]["scale"]["domain"]

    assert (
        domain("he", domain=characters.ABSOLUTE)
        == domain("hellohello", domain=characters.ABSOLUTE)
        == [*characters.ABSOLUTE]
    )
    assert domain("he") != domain("hellohello")


def test_clipping_is_counted_and_measured():
    table = pd.DataFrame({"clipped": [True, False, True, False], "clipped_norm": [1.0, 0.3, 1.0, 0.1]})
    table["gradient_norm"] = [2.0, 0.3, 4.0, 0.1]
    assert clipping(table) == (0.5, 0.375)
