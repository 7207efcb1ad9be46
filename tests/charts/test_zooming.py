"""A zoom into the steps of a picture that follows: what the axes span, what is drawn, and that no export has it."""

import json
import re

import pandas as pd
import pytest
import vl_convert

from gradlab.analyses.thinning import line_ends
from gradlab.charts import traces, zooming
from gradlab.charts.arriving import arriving, by_column, with_first
from gradlab.charts.picture import Picture
from gradlab.exports import html
from tests.charts.drawing import items

SIZE = {"width": 700, "height": 400}
ZOOMS = (("all", None), ("some", [40.0, 50.0]))


def zoomed_vega(picture: Picture, zoom: list[float] | None, autosize: str) -> dict:
    """The chart that the browser draws of a picture when it is zoomed into some steps."""
    first = {"domains": picture.domains, "rows": {name: by_column(rows) for name, rows in picture.rows.items()}}
    vega = with_first(arriving(picture, "event"), first)
    held = {**SIZE, "zoom": zoom and {"steps": zoom, "of": picture.domains["steps"]}}
    signals = [one for one in vega["signals"] if one["name"] not in held]
    signals += [{"name": name, "value": value} for name, value in held.items()]
    return vega | SIZE | {"signals": signals, "autosize": autosize}


def scene(picture: Picture, zoom: list[float] | None, autosize: str = "pad") -> dict:
    return {"items": [vl_convert.vega_to_scenegraph(zoomed_vega(picture, zoom, autosize))["scenegraph"]]}


def numbers(drawn: dict) -> list[int]:
    """Of both axes of steps and lags."""
    labels = [item["text"] for item in items(drawn, role="axis-label")]
    return [int(label.replace(",", "")) for label in labels if label.replace(",", "").isdecimal() and label != "1"]


def seen(drawn: dict, kind: str) -> list[dict]:
    return [item for item in items(drawn, kind) if item.get("opacity", 1) > 0 and item.get("text", True)]


@pytest.fixture
def picture(traced) -> Picture:
    table = traced("rnn", "lstm", steps=60).query("state == 'h'")
    marks = pd.DataFrame({"step": [5, 45], "label": ["early", "late"]})
    return traces._opening(table, line_ends(table), marks=marks)


def test_the_axes_span_the_steps_zoomed_into_and_the_lags_above_them_and_else_all(picture):
    whole = numbers(scene(picture, None))
    assert (min(whole), max(whole)) >= (0, 50)
    zoomed = numbers(scene(picture, [40.0, 50.0]))
    assert set(zoomed) <= {*range(40, 51), *range(59 - 50, 59 - 40 + 1)}
    assert {45, 59 - 45} <= set(zoomed), "a step and its lag"
    assert len(zoomed) == len(set(zoomed)), "whole numbers, each once"


def test_what_stands_at_other_steps_is_left_out_and_lines_are_cut_at_the_axes(picture):
    said = {item["text"] for item in seen(scene(picture, None), "text")}
    assert {"RNN", "LSTM", "early", "late"} <= said
    drawn = scene(picture, [40.0, 50.0])
    assert {"RNN", "LSTM", "early"}.isdisjoint(left := {item["text"] for item in seen(drawn, "text")})
    assert {"late", zooming.HINT} <= left
    assert zooming.HINT not in said
    assert all(0 <= item["x"] <= SIZE["width"] for item in seen(drawn, "symbol"))
    cut = {
        key: re.findall("<[^>]* clip-path=[^>]*>", vl_convert.vega_to_svg(zoomed_vega(picture, zoom, "pad")))
        for key, zoom in ZOOMS
    }
    assert [len(cut[key]) for key, _ in ZOOMS] == [0, 1]


def test_a_window_of_another_width_leaves_the_zoomed_axes_their_width(picture):
    """Vega makes room for all that is drawn beyond the axes, thus also for the steps that are not shown."""
    widths = {key: scene(picture, zoom, "fit")["items"][0]["items"][0]["width"] for key, zoom in ZOOMS}
    assert 0.9 * widths["all"] < widths["some"] < SIZE["width"]


def test_between_two_steps_there_is_nothing_to_zoom_into(picture):
    assert {*numbers(scene(picture, [40.2, 40.6]))} == {40, 41, 59 - 41, 59 - 40}
    assert {*numbers(scene(picture, [40.6, 42.05]))} == {*range(40, 44), *range(59 - 43, 59 - 40 + 1)}


def test_marks_of_exact_zeros_at_other_steps_are_left_out(traced):
    table = traced("rnn", initialization="zeros", hidden_size=3, steps=60)
    picture = traces._opening(table, line_ends(table))
    places = [item["x"] for item in seen(scene(picture, None), "rect") if item.get("width", 0) < 2]
    assert len(places) >= 40
    kept = [item["x"] for item in seen(scene(picture, [20.0, 30.0]), "rect") if item.get("width", 0) < 2]
    assert len(kept) == 11
    assert all(-1 <= x <= SIZE["width"] for x in kept)


def test_no_export_and_no_other_picture_has_it(picture, traced):
    chart = picture.chart()
    for document in (json.dumps(chart.to_dict()), html(chart).decode()):
        assert "shown_steps" not in document
        assert zooming.HINT not in document
    assert not Picture(picture.layers, picture.look, {}, {"steps": [0, 1]}, False, 400).zooms
