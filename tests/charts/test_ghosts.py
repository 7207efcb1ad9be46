"""Pins on the picture of norms: grey, as far from the end as they are, named, and one of them alone under a key."""

import numpy as np
import pandas as pd
import pytest

from gradlab import Experiment, trace
from gradlab.analyses.thinning import Lines, line_ends, pin_names
from gradlab.charts import colours, ghosts, theme, traces
from gradlab.settings.pins import NOW
from tests.charts.drawing import strangers, texts

SMALL = {"hidden_size": 8, "batch_size": 2, "input_size": 4}


def compared(now: list[Experiment], **pins: list[Experiment]) -> pd.DataFrame:
    tables = {NOW: now} | pins
    rows = [trace(e).table.assign(pin=name) for name, listed in tables.items() for e in listed]
    return Lines().on_screen(pd.concat(rows, ignore_index=True))


def lstm(**settings) -> Experiment:
    return Experiment(**SMALL | {"steps": 60} | settings)


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("spread", [True, False])
def test_every_field_of_every_layer_is_a_column_of_the_layer_s_own_table(relative, spread):
    table = compared([lstm(), lstm(cell="rnn")], A=[lstm(keep_bias=3.0)], B=[lstm(gain=2.0)])
    names = pin_names(table, {"A": "a", "B": "b"}, relative)
    assert not strangers(traces.lines(table, relative=relative, pins=names, spread=spread))
    assert not strangers(traces.opening(table.query("layer == 0 and state == 'h'"), line_ends(table), pins=names))


def test_a_ghost_lies_as_far_from_the_end_as_it_is_and_the_axes_span_it():
    table = compared([lstm()], A=[lstm(steps=90)], B=[lstm(steps=30)])
    picture = traces._lines(table)
    drawn = picture.rows["ghosts"]
    for name, steps in (("A", 90), ("B", 30)):
        own = drawn[(drawn["pin"] == name) & (drawn["state"] == "h")]
        assert own["step"].tolist() == [*range(60 - steps, 60)]
        e = lstm(steps=steps)
        norms = (trace(e).log10_norm("h")[0] - trace(e).log10_cotangent).mean(axis=1)
        np.testing.assert_allclose(own["log10_relative"], norms, rtol=1e-12)
    assert picture.domains["steps"] == [-30, 59]
    assert picture.domains["lags"] == [0, 89]
    least = min(drawn["log10_relative"].min(), table["log10_relative"].min())
    assert picture.domains["norms"][0] == pytest.approx(least)
    labels = [text.lines[0] for text in texts(traces.lines(table), 800)[0] if text.role == "axis-label"]
    assert not [label for label in labels if label.startswith(("-", "−"))], "there is no step before 0"


def test_a_line_that_is_the_present_one_s_is_not_drawn_grey_nor_named():
    table = compared([lstm(), lstm(cell="rnn")], A=[lstm(keep_bias=3.0), lstm(cell="rnn", keep_bias=3.0)])
    drawn = traces._lines(table).rows["ghosts"]
    assert drawn.groupby("cell")["same"].agg(["all", "any"]).to_dict("index") == {
        "lstm": {"all": False, "any": False},
        "rnn": {"all": True, "any": True},
    }
    assert pin_names(table, {"A": "keep-gate bias 3"})["label"].tolist() == ["A LSTM: keep-gate bias 3"]


def test_a_picture_without_pins_has_nothing_of_them():
    table = trace(lstm()).table
    plain, empty = traces._lines(table), traces._lines(compared([lstm()]))
    assert plain.rows.keys() == empty.rows.keys()
    assert "ghosts" not in plain.rows
    assert plain.key == empty.key


def test_ghosts_are_grey_and_the_first_pin_alone_is_in_its_cells_colours_and_in_no_exported_picture():
    table = compared([lstm()], A=[lstm(gain=0.5)], B=[lstm(gain=2.0), lstm(cell="gru")])
    for dark in (False, True):
        layers = {
            layer.name: layer.to_dict() for layer in traces.lines(table, dark=dark).layer if isinstance(layer.name, str)
        }
        assert layers[ghosts.GHOSTS]["mark"]["color"] == colours.INKS[dark].muted
        alone = layers[ghosts.ALONE]
        assert alone["mark"]["style"] == theme.POINTER, "exports leave such marks out"
        assert alone["transform"] == [{"filter": "datum.pin === 'A'"}]
        of_cells = {one["test"]: one["value"] for one in alone["encoding"]["color"]["condition"]}
        assert of_cells == {f"datum.cell === '{cell}'": colours.cell_colour(cell, dark) for cell in ("lstm", "gru")}


def test_every_pin_is_named_once_inside_the_picture():
    pins = {name: [lstm(gain=gain)] for name, gain in (("A", 0.3), ("B", 0.8), ("C", 1.6), ("D", 3.0))}
    table = compared([lstm()], **pins)
    names = pin_names(table, dict.fromkeys(pins, "a difference that is rather long and takes room"))
    assert sorted(name[0] for name in names["label"]) == [*"ABCD"]
    found, width, height = texts(traces.lines(table, pins=names), 900)
    drawn = [text for text in found if text.lines[0][:2] in ("A:", "B:", "C:", "D:")]
    assert len(drawn) == 8, "each on paper of its own"
    assert all(text.left >= 0 and text.right <= width and text.top >= 0 and text.bottom <= height for text in drawn)
    assert names["room"].between(0, 1).all()


def test_lines_of_a_pin_that_run_beside_each_other_have_one_name_and_others_their_own():
    now = [lstm(cell=cell) for cell in ("lstm", "gru", "rnn_linear")]
    table = compared(now, A=[e.replace(gain=0.5) for e in now[:2]] + [now[2].replace(gain=1.8)])
    labels = pin_names(table, {"A": "gain"})["label"].tolist()
    assert labels == ["A RNN (linear): gain", "A LSTM, GRU"] or labels == ["A RNN (linear): gain", "A GRU, LSTM"]


def test_the_pointer_reads_the_pins_where_it_reads_the_lines():
    table = compared([lstm()], A=[lstm(gain=0.5, steps=30)])
    hover = traces._lines(table[table["state"] == "h"]).rows["hover"]
    assert [*hover.columns[2:]] == ["LSTM", "A, LSTM"]
    assert hover["A, LSTM"].isna().tolist() == [step < 30 for step in hover["step"]]
