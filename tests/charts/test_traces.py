"""Gradient norm against step: the right columns in the right colours, nothing dropped, nothing cut."""

import itertools
import re

import numpy as np
import pandas as pd
import pytest

from gradlab.analyses.thinning import line_ends, thin
from gradlab.analyses.traces import TABLE_COLUMNS
from gradlab.cells import CELLS
from gradlab.charts import annotations, colours, theme, traces
from gradlab.charts.annotations import MOST_READINGS, hover_rows
from gradlab.charts.arriving import arriving
from gradlab.charts.presented import presented
from gradlab.exports import svg
from gradlab.settings.pins import NOW
from gradlab.words.numbers import number
from tests.charts.drawing import axis_labels, layers, line_pieces, strangers, swatches, texts

POWER = re.compile("1|10⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
NORMS = [*traces.RELATIVE, *traces.ABSOLUTE]


def ramp(decades_a_step: float, steps: int, cells=("rnn", "lstm", "gru"), depth: int = 1) -> pd.DataFrame:
    """A trace's table with straight lines of a known slope."""
    lag = np.arange(steps)[::-1]
    parts = [
        {"cell": cell, "layer": layer, "state": state, "path": "total", "step": np.arange(steps), "lag": lag}
        | dict.fromkeys(NORMS, decades_a_step * lag * (1 + 0.1 * number))
        for number, (cell, layer) in enumerate(itertools.product(cells, range(depth)))
        for state in CELLS[cell].states
    ]
    return pd.concat([pd.DataFrame(part) for part in parts], ignore_index=True)


def test_the_columns_that_the_chart_reads_are_columns_of_a_trace_and_of_its_line_ends(traced):
    table = traced("lstm")
    assert set(traces.COLUMNS) <= set(TABLE_COLUMNS)
    assert set(traces.COLUMNS) <= set(table.columns)
    assert set(annotations.END_COLUMNS) <= set(line_ends(table).columns)


@pytest.mark.parametrize("relative", [True, False])
def test_every_field_of_every_layer_is_a_column_of_the_layer_s_own_table(traced, relative):
    table = traced("rnn", "lstm", depth=2)
    table.loc[table["step"] < 9, NORMS] = -np.inf
    marks = pd.DataFrame({"step": [3], "label": ["here"]})
    chart = traces.lines(table, relative=relative, ends=line_ends(table).head(2), marks=marks)
    assert not strangers(chart)


@pytest.mark.parametrize(("relative", "names"), [(True, traces.RELATIVE), (False, traces.ABSOLUTE)])
def test_the_line_is_the_mean_and_the_band_the_range_over_the_batch(traced, relative, names):
    table = traced("gru", loss="every")
    chart = traces.lines(table, relative=relative)
    (line,), (band,) = layers(chart, "line"), layers(chart, "area")
    pd.testing.assert_frame_equal(line.data[list(names)], table[list(names)])
    assert line.to_dict()["encoding"]["y"]["field"] == names[0]
    assert (band.to_dict()["encoding"]["y"]["field"], band.to_dict()["encoding"]["y2"]["field"]) == names[1:]


def test_a_cell_has_its_colour_whichever_cells_stand_beside_it(traced):
    for dark in (False, True):
        for cells in (("lstm",), ("gru", "lstm"), ("lstm", "rnn", "rnn_relu")):
            (line,) = layers(traces.lines(traced(*cells), dark=dark), "line")
            scale = line.to_dict()["encoding"]["color"]["scale"]
            assert dict(zip(scale["domain"], scale["range"], strict=True)) == {
                cell: colours.cell_colour(cell, dark) for cell in cells
            }


def test_a_layer_has_its_shade_however_deep_the_stack(traced):
    scales = []
    for depth in (1, 3):
        (line,) = layers(traces.lines(traced("rnn", depth=depth)), "line")
        opacity = line.to_dict()["encoding"]["opacity"]
        scales.append(opacity.get("condition", opacity)["scale"])
    assert scales[0] == scales[1]
    assert scales[0]["range"] == sorted(scales[0]["range"], reverse=True)


def test_exact_zeros_are_marked_at_every_step_where_they_are_and_named(traced):
    table = traced("rnn", "gru")
    gone = (table["cell"] == "gru") & (table["step"] < 20)
    table.loc[gone, NORMS] = -np.inf
    chart = traces.lines(table)
    (ticks,) = layers(chart, "tick")
    assert list(ticks.data["step"]) == list(range(20))
    assert set(ticks.data["cell"]) == {"gru"}
    drawn, _, _ = texts(chart, 600)
    assert ["exactly 0"] in [text.lines for text in drawn]


def test_without_exact_zeros_none_are_spoken_of(traced):
    assert layers(traces.lines(traced("rnn")), "tick") == []


def test_undefined_values_break_the_line(traced):
    table = traced("rnn")
    assert line_pieces(traces.lines(table)) == [1]
    table.loc[table["step"].between(20, 29), NORMS] = np.nan
    assert line_pieces(traces.lines(table)) == [2]


def test_a_marked_step_has_a_rule_and_its_words(traced):
    marks = pd.DataFrame({"step": [41], "label": ["not finite from step 41 of layer 0"]})
    chart = traces.lines(traced("rnn"), marks=marks)
    assert [41] in [list(layer.data["step"]) for layer in layers(chart, "rule")]
    drawn, _, _ = texts(chart, 340)
    assert "not finite from step 41 of layer 0" in [" ".join(text.lines) for text in drawn]


def limits_drawn(table, **options):
    rules = [layer for layer in layers(traces.lines(table, **options), "rule") if "log10" in layer.data]
    return list(rules[0].data["log10"]) if rules else []


def test_float32_limits_are_drawn_where_the_lines_reach_below_them():
    normal, subnormal = np.log10(2.0**-126), np.log10(2.0**-149)
    assert limits_drawn(ramp(-0.1, 200)) == []
    assert limits_drawn(ramp(-0.1, 360)) == pytest.approx([normal], abs=1e-12)
    assert limits_drawn(ramp(-0.3, 200)) == pytest.approx([normal, subnormal], abs=1e-12)


def test_float32_limits_are_left_out_of_a_relative_chart_where_they_would_be_wrong():
    table = ramp(-0.3, 200)
    table[list(traces.ABSOLUTE)] += 2.0
    assert limits_drawn(table, relative=True) == []
    assert len(limits_drawn(table, relative=False)) == 2


@pytest.mark.slow
@pytest.mark.parametrize("width", [340, 1000])
@pytest.mark.parametrize("steps", [2, 3, 61, 10_000])
@pytest.mark.parametrize("decades", [-6000.0, -3.0, 0.0, 3000.0])
def test_no_label_stands_twice_on_an_axis_and_norms_are_whole_powers_of_ten(decades, steps, width):
    table = thin(ramp(decades / (steps - 1), steps), points=100)
    below, above, side = axis_labels(traces.lines(table), width)
    for labels in (below, above, side):
        assert len(set(labels)) == len(labels) >= 2
    assert all(POWER.fullmatch(label) for label in side)
    assert "0" in below
    assert "0" in above


TABLES = {
    "vanishing": ramp(-0.3, 200, depth=8),
    "exploding": ramp(0.3, 10_000, depth=2),
    "steady": ramp(0.0, 200),
    "far below": ramp(-0.3, 10_000),
    "many cells": ramp(-0.3, 200, cells=tuple(CELLS)),
}


@pytest.mark.slow
@pytest.mark.parametrize("width", [340, 1000])
@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("named", [False, True])
def test_no_text_is_cut_off_on_a_phone_or_a_desk(name, named, width):
    table = thin(TABLES[name], points=100)
    marks = pd.DataFrame({"step": [0, 199], "label": ["the first of all the steps", "the last of all the steps"]})
    one = table[(table["layer"] == 0) & (table["state"] == "h")]
    options = {"marks": marks}
    chart = traces.opening(one, line_ends(one), **options) if named else traces.lines(table, **options)
    drawn, wide, high = texts(chart, width)
    assert wide == width
    for text in drawn:
        assert text.left >= -1, text
        assert text.right <= wide + 1, text
        assert text.top >= -1, text
        assert text.bottom <= high + 1, text


def test_the_opening_names_each_line_in_its_colour_and_needs_no_legend(traced):
    table = traced("rnn", "lstm", "gru")
    table = table[table["state"] == "h"]
    chart = traces.opening(table, line_ends(table))
    drawn, _, _ = texts(chart, 700)
    assert {text.lines[0] for text in drawn if text.role == "mark"} >= {"RNN", "LSTM", "GRU"}
    assert not [text for text in drawn if text.role.startswith("legend")]


def test_names_at_the_ends_of_lines_do_not_touch():
    table = ramp(-0.1, 100, cells=("rnn", "gru", "rnn_linear", "rnn_relu"))
    table.loc[table["cell"] != "rnn", NORMS] = table.loc[table["cell"] == "gru", NORMS].to_numpy().repeat(3, axis=0)
    drawn, _, _ = texts(traces.opening(table, line_ends(table)), 340)
    names = sorted((text for text in drawn if text.role == "mark" and text.right < 200), key=lambda text: text.top)
    assert len(names) == 4
    assert all(upper.bottom <= lower.top + 3 for upper, lower in itertools.pairwise(names))


def test_the_hover_names_every_line_with_its_value(traced):
    table = traced("rnn", "lstm", depth=2)
    hover = next(layer for layer in layers(traces.lines(table), "rule") if layer.mark.style == theme.POINTER)
    assert len(hover.data) == 60
    row = hover.data[hover.data["step"] == 17].iloc[0]
    assert row["lag"] == 42
    at = table[table["step"] == 17]
    assert len(at) == 6
    for line, name in zip(at.itertuples(), theme.line_names(at), strict=True):
        assert row[name] == number(line.log10_relative)


@pytest.mark.parametrize("steps", [1, 2, MOST_READINGS, MOST_READINGS + 1, 3 * MOST_READINGS - 1])
def test_the_hover_of_many_steps_has_the_first_and_the_last(steps):
    step = np.arange(steps)
    line = {"step": step, "lag": steps - 1 - step, "layer": 0, "state": "h", "log10_norm": -0.1 * step}
    table = pd.concat([pd.DataFrame(line | {"cell": cell}) for cell in ("rnn", "lstm")], ignore_index=True)
    read = hover_rows(table, "log10_norm")
    assert len(read) == min(steps, MOST_READINGS)
    assert read["step"].iloc[[0, -1]].tolist() == [0, steps - 1]
    assert (read["step"] + read["lag"] == steps - 1).all()
    assert read["LSTM"].tolist() == [number(-0.1 * at) for at in read["step"]]


def test_the_hover_of_thinned_tables_meets_every_line_many_times(traced):
    parts = [thin(traced(cell, steps=900), points=120) for cell in ("rnn", "lstm")]
    chart = traces.lines(pd.concat(parts, ignore_index=True))
    hover = next(layer for layer in layers(chart, "rule") if layer.mark.style == theme.POINTER)
    assert len(hover.data) >= 30
    assert hover.data.notna().all(axis=None)


def test_only_what_varies_has_a_legend_and_can_be_put_aside(traced):
    assert not traces.lines(traced("rnn")).to_dict().get("params", [])[:-1]  # the hover alone
    names = {param["name"] for param in traces.lines(traced("rnn", "lstm", depth=2)).to_dict()["params"]}
    assert names == {"cell_shown", "layer_shown", "state_shown", "near"}


def legends(picture) -> dict[str, bool]:
    """By title, whether each legend of a picture that follows a slider takes clicks, symbols and labels alike."""
    (group,) = arriving(picture, "event")["marks"]
    parts = [(legend["title"], legend["encode"]) for legend in group["legends"]]
    return {
        title: all(part.get(name, {}).get("interactive") for name in ("symbols", "labels")) for title, part in parts
    }


@pytest.mark.parametrize("pinned", [False, True])
def test_every_legend_of_a_picture_that_follows_takes_clicks(traced, pinned):
    table = traced("rnn", "lstm", depth=2).assign(pin=NOW)
    pins = table.assign(pin="A", log10_relative=table["log10_relative"] - 1)
    picture = traces._lines(pd.concat([table, pins] if pinned else [table], ignore_index=True))
    assert bool(picture.look.pinned.names) == pinned
    assert legends(picture) == {"cell": True, "layer": True, "state": True}


def test_lines_are_as_wide_and_as_strong_as_their_layer_s_swatch(traced):
    chart = traces.lines(traced("gru", depth=3, steps=9))
    drawn = re.findall(r'class="mark-line role-mark[^>]*><path[^>]*?stroke-width="([\d.]+)"[^>]*?opacity="([\d.]+)"',
                       svg(chart).decode())  # fmt: skip
    wanted = [(one["strokeWidth"], one["opacity"]) for one in swatches(chart, "layer")]
    assert [tuple(map(float, one)) for one in drawn] == wanted


def test_lines_of_every_layer_are_half_as_wide_again_in_a_room(traced):
    picture = traces._lines(traced("gru", depth=3, steps=9))
    for document in (picture.chart().to_dict(), arriving(picture, "event")):
        widths, larger = ranges(document), ranges(presented(document))
        assert len(widths) == 1
        assert larger == [[pytest.approx(1.5 * width) for width in widths[0]]]


def ranges(part) -> list[list[float]]:
    """The ranges of the scales of strokes' widths of a document."""
    if isinstance(part, list):
        return [found for inner in part for found in ranges(inner)]
    if not isinstance(part, dict):
        return []
    own = [part["strokeWidth"]["scale"]["range"]] if "scale" in (part.get("strokeWidth") or {}) and isinstance(
        part["strokeWidth"]["scale"], dict) else []  # fmt: skip
    own += [part["range"]] if part.get("name") == "strokeWidth" and "range" in part else []
    return own + [found for inner in part.values() for found in ranges(inner)]


def test_an_empty_table_is_refused_in_words(traced):
    with pytest.raises(ValueError, match="no rows"):
        traces.lines(traced("rnn").head(0))


def test_zeros_everywhere_and_one_undefined_cell_still_make_a_picture(traced):
    table = traced("rnn", "gru")
    table.loc[table["cell"] == "rnn", NORMS] = -np.inf
    table.loc[table["cell"] == "gru", NORMS] = np.nan
    _, _, side = axis_labels(traces.lines(table), 400)
    assert sorted(side) == ["1", "10¹", "10⁻¹"]
