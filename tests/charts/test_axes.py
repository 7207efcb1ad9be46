"""The axes that charts have in common, read from what is drawn: whole numbers, each at its place, lag beside step."""

import math
import re

import altair as alt
import numpy as np
import pandas as pd
import pytest
import vl_convert

from gradlab.charts import axes
from gradlab.exports import svg
from tests.charts.drawing import texts

WIDTH = 600


def drawn(x, y, lags=None):
    """(label, place in pixels) of the step, decade and lag axes, as far as they are there."""
    rows = pd.DataFrame({"step": [0.0], "value": [0.0]})
    points = alt.Chart(rows).mark_point().encode(x=x, y=y)
    domains = [alt.param(name="both_steps", value=[0, 40]), alt.param(name="both_decades", value=[-7.5, 1.0])]
    chart = alt.layer(points, *([] if lags is None else [lags])).resolve_scale(x="independent", y="independent")
    chart = chart.add_params(*domains).configure_axis(labelFlush=False)  # each label in the middle under its tick
    labels = [text for text in texts(chart, WIDTH)[0] if text.role == "axis-label"]
    return sorted((text.lines[0], (text.left + text.right) / 2, (text.top + text.bottom) / 2) for text in labels)


def numbered(labels):
    return {int(label.replace(",", "")): x for label, x, _ in labels}


@pytest.mark.parametrize("last", [1, 2, 5, 40, 999, 123_456])
def test_steps_stand_at_whole_numbers_in_their_places_and_each_lag_above_its_step(last):
    hidden = alt.Y("value:Q", axis=None)
    places = numbered(drawn(axes.steps(0, last, "step t"), hidden))
    assert len(places) >= 2
    (first, left), (second, right) = sorted(places.items())[:2]
    pixel = (second - first) / (right - left)  # steps in a pixel
    assert all(x == pytest.approx(left + (step - first) / pixel, abs=1) for step, x in places.items())
    assert last * 0.9 < WIDTH * pixel < last * 1.1 + 1, "the whole sequence fills the width"
    nothing = alt.X("step:Q", axis=None, scale=alt.Scale(domain=[0, last], nice=False))
    lags = numbered(drawn(nothing, hidden, axes.lags(0, last)))
    assert len(lags) >= 2
    origin = left - first / pixel  # of step 0
    for lag, x in lags.items():
        assert x - origin == pytest.approx((last - lag) / pixel, abs=3), lag


@pytest.mark.parametrize("domain", [[-1.0, 1.0], [-0.4, 0.4], [-7.5, 1.0], [-45.0, 3.2], [-3000.0, 1.0]])
def test_powers_of_ten_stand_at_whole_decades_and_no_two_are_the_same(domain):
    labels = drawn(alt.X("step:Q", axis=None), axes.decades("value", domain, ["norm"]))
    written = [label for label, _, _ in labels]
    assert "1" in written
    assert len(set(written)) == len(written)
    assert len(written) <= max(1, domain[1] - domain[0] + 1)


def test_a_domain_that_a_signal_holds_is_drawn_as_one_of_numbers_is():
    of_numbers = axes.decades("value", [-7.5, 1.0], ["norm"], minExtent=axes.LABELS)  # as where labels change
    numbers = drawn(axes.along([0, 40], "step t"), of_numbers)
    signals = drawn(axes.along("both_steps", "step t"), axes.decades("value", "both_decades", ["norm"]))
    assert len(numbers) > 6
    assert signals == numbers
    rows = pd.DataFrame({"lag": [0, 40]})
    one, other = (
        drawn(axes.steps(0, 40), alt.Y("value:Q", axis=None), axes.back(of, rows)) for of in ([0, 40], "both_steps")
    )
    assert len(one) > 3
    assert one == other


def test_the_decades_in_view_hold_every_finite_value_and_1_and_are_two_at_least():
    nothing = pd.Series([math.nan, -math.inf])
    assert axes.decades_domain([]) == axes.decades_domain([nothing, np.array([])]) == [-1, 1]
    assert axes.decades_domain([np.array([0.25, -0.25])]) == [-1, 1]
    assert axes.decades_domain([np.array([-1.25, -1.0])]) == [-1.625, 0.375], "as much room above as below"
    assert axes.decades_domain([pd.Series([-5.5, math.nan, -2.0])]) == [-5.5, 0], "nothing above 1 is drawn"
    assert axes.decades_domain([pd.Series([-5.5, math.nan, -2.0]), nothing, np.array([3.5, -9.0, math.inf])]) == [
        -9,
        3.5,
    ]


def test_an_axis_without_a_title_is_its_scale_alone():
    hidden = alt.Y("value:Q", axis=None)
    assert drawn(axes.along([0, 40]), hidden) == []
    assert drawn(axes.along([0, 40], goes_on=True), hidden) == []


@pytest.mark.parametrize("goes_on", [False, True])
def test_steps_before_0_have_numbers_unless_nothing_is_there(goes_on):
    axis = drawn(axes.along([-20, 20], "step t", goes_on), alt.Y("value:Q", axis=None))
    labels = {label for label, _, _ in axis}
    assert {"0", "10"} <= labels
    assert ("−10" in labels) == (not goes_on)


def test_the_axis_of_lags_draws_no_points():
    picture = svg(axes.lags(0, 40).properties(width=WIDTH)).decode()
    points = re.findall(r'<path aria-label="lag[^>]*>', picture)
    assert len(points) == 2
    assert all('opacity="0"' in point for point in points)


@pytest.mark.parametrize("domain", [[-7.5, 1.0], "both_decades"])
def test_a_domain_begins_and_extends_as_its_numbers_say(domain):
    """As Vega works out the expressions: two points at the start, and at the start and the length, of one domain."""
    rows = pd.DataFrame({"x": [0.0]})
    at = [alt.value(alt.ExprRef(f"400 + 10 * ({value})")) for value in (axes.start(domain), axes.span(domain))]
    chart = alt.Chart(rows).mark_text(text="here").encode(x=at[0], y=at[1])
    chart = chart.add_params(alt.param(name="both_decades", value=[-7.5, 1.0])).properties(width=WIDTH, height=600)
    graph = vl_convert.vegalite_to_scenegraph(chart.to_dict())
    (item,) = items_of(graph["scenegraph"], "text")
    assert (item["x"], item["y"]) == (400 - 75, 400 + 85)


def items_of(mark, kind):
    if mark["marktype"] == "group":
        return [found for item in mark["items"] for inner in item.get("items", []) for found in items_of(inner, kind)]
    return mark["items"] if mark["marktype"] == kind and mark.get("role") == "mark" else []
