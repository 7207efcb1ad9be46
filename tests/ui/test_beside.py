"""A pin's picture beside the present one, on one scale; and many seeds as a band, paired with a pin."""

import numpy as np
import pandas as pd
import pytest

from gradlab import Experiment, trace
from gradlab.analyses import jacobians, weights
from gradlab.analyses.paths import edges
from gradlab.analyses.seeds import over_seeds
from gradlab.settings.pins import Pin
from gradlab.ui.parts import following, norms
from gradlab.words import seeds as words
from tests.ui.conftest import SMALL, sent, visited
from tests.ui.test_follows import asked, at

SIZES = {"steps": 40, "hidden_size": 8, "input_size": 4, "batch_size": 2}
THERE = Experiment(gain=2.5, initialization="gaussian", keep_bias=1.0, **SIZES)
PIN = Pin.of("A", [THERE]).text


def pictures(app) -> list[dict]:
    return sent(app)["frame"]["pictures"]


@pytest.mark.parametrize("page", ["jacobians", "weights", "spectrum"])
def test_a_pin_s_picture_stands_beside_the_present_one_on_the_same_scale(open_app, page):
    alone, both = pictures(open_app(page, **SMALL)), pictures(open_app(page, **SMALL, pin=PIN))
    assert len(both) == 2 * len(alone)
    for now, then in zip(both, both[len(alone) :], strict=False):
        assert now["rows"] != then["rows"]
        shared = {name: domain for name, domain in now["domains"].items() if name not in ("steps",)}
        assert shared == {name: then["domains"][name] for name in shared}
        assert {name: end[1] - end[0] for name, end in now["domains"].items()} == {
            name: end[1] - end[0] for name, end in then["domains"].items()
        }


def test_what_stands_beside_is_the_pin_s_own(open_app):
    _, then = pictures(open_app("jacobians", **SMALL, pin=PIN))
    table = jacobians.singular_values_by_lag(THERE)
    drawn = table[(table["quantity"] == "random cotangent") & table["resolved"]]
    assert then["rows"]["random cotangent"]["log10_value"] == drawn["log10_value"].tolist()
    found = pictures(open_app("weights", **SMALL, pin=PIN))[3]["rows"]["values"]["singular_value"]
    assert found == weights.singular_values(THERE)["singular_value"].tolist()


def test_one_network_s_page_shows_the_pin_with_the_cell_that_is_examined(open_app):
    app = open_app("weights", **SMALL, pin=PIN, one_cell="GRU")
    found = pictures(app)[3]["rows"]["values"]["singular_value"]
    assert found == weights.singular_values(THERE.replace(cell="gru"))["singular_value"].tolist()
    said = [part.value for part in app.caption]
    assert "**A: initialization gaussian, gain 2.5, keep-gate bias 1, steps 40**" in said
    assert "**Now**" in said


def test_an_unrolled_pin_stands_below_at_the_same_lag_and_in_the_same_colours(open_app):
    app = open_app("unrolled", **SMALL, pin=PIN, lag="0", colours="the whole sequence")
    now, then = pictures(app)
    assert then["rows"]["some"]["lag"] == edges(THERE, first=10, last=39).query("log10_relative > -inf")["lag"].tolist()
    assert now["domains"]["colours"] == then["domains"]["colours"]
    norms_of = [trace(e).table["log10_relative"] for e in (app.session_state["settings"].one, THERE)]
    assert now["domains"]["colours"][0] <= min(norms.min() for norms in norms_of)


def test_single_losses_of_a_pin_stand_below_on_the_same_scale(open_app):
    app = open_app("itemised", **SMALL, cells=["RNN", "LSTM"], pin=PIN)
    found = pictures(app)
    assert len(found) == 2 * 2 + 2, "a matrix and a sum for each cell, and for the pin's one"
    scales = {tuple(picture["domains"]["colours"]) for picture in found[:3]}
    assert len(scales) == 1
    said = [part.value for part in app.markdown]
    assert any(text.startswith("**A**: The gradient at step 0, of the last loss alone") for text in said)
    assert "A: LSTM" in [part.value for part in app.header]


@pytest.mark.slow
def test_units_of_both_have_the_same_colours_for_the_same_values(open_app, drawn):
    seen = visited(open_app, drawn, "gates", {"pin": PIN.replace("hidden_size=8", "hidden_size=6")})
    maps = [(drawing, words) for drawing, words in seen.exported if words.name.startswith("units ")]
    assert len(maps) % 2 == 0
    assert maps
    for (now, here), (then, there) in zip(maps[::2], maps[1::2], strict=True):
        assert there.name == f"{here.name} A"
        scales = [
            chart.to_dict()["layer"][-1]["encoding"]["color"]["scale"]["domain"]
            for chart in (one.picture(dark=False) for one in (now, then))
        ]
        assert scales[0] == scales[1]


def test_seeds_draw_the_range_of_their_traces_and_pins_have_bands_too(open_app):
    app = open_app("gradient_flow", **SMALL, cells=["RNN", "LSTM"], gradient_flow_seeds="5", pin=PIN)
    lines, ghosts = (pd.DataFrame(pictures(app)[0]["rows"][name]) for name in ("lines", "ghosts"))
    e = Experiment(**{name: int(value) for name, value in SMALL.items()}, cell="lstm")
    own = lines[(lines["cell"] == "lstm") & (lines["state"] == "h")]
    each = [trace(e.replace(seed=seed)) for seed in range(5)]
    norms_of = np.stack([(one.log10_norm("h")[0] - one.log10_cotangent).mean(axis=1) for one in each])
    np.testing.assert_allclose(own["log10_relative"], norms_of.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(own["log10_relative_min"], norms_of.min(axis=0), rtol=1e-12)
    np.testing.assert_allclose(own["log10_relative_max"], norms_of.max(axis=0), rtol=1e-12)
    of_pin = over_seeds(THERE, 5).table
    both = ghosts[ghosts["state"] == "h"]
    np.testing.assert_allclose(both["log10_relative_max"], of_pin[of_pin["state"] == "h"]["log10_relative_max"])
    said = [part.value for part in app.markdown]
    rnn, lstm = (over_seeds(e.replace(cell=cell), 5) for cell in ("rnn", "lstm"))
    assert words.spread([rnn, lstm]) in said
    assert words.paired("A", [rnn, lstm], [over_seeds(THERE, 5)]) in said


def test_the_number_of_seeds_is_in_the_link_and_a_bad_one_is_refused(open_app):
    app = open_app("gradient_flow", **SMALL, gradient_flow_seeds="10")
    assert app.session_state[norms.SEEDS] == 10
    assert not app.text
    bad = open_app("gradient_flow", **SMALL, gradient_flow_seeds="7")
    assert bad.session_state[norms.SEEDS] == 1
    assert bad.text[0].value.startswith("gradient_flow_seeds = '7' is not allowed: use one of 1, 5, 10, 20")


@pytest.mark.slow
def test_seeds_and_pins_follow_a_slider_as_they_are_on_release(open_app):
    query = SMALL | {"cells": ["LSTM"], "gradient_flow_seeds": "5", "pin": PIN}
    before = sent(open_app("gradient_flow", **query))
    after = sent(open_app("gradient_flow", **query, keep_bias="3.0"))
    assert asked(before, "keep_bias", "3.0") == {"3.0": after["frame"]}
    for page in ("jacobians", "weights"):
        before = sent(open_app(page, **SMALL, pin=PIN))
        after = sent(open_app(page, **SMALL, pin=PIN, gain="0.5"))
        assert asked(before, "gain", "0.5") == {"0.5": after["frame"]}


def test_many_seeds_count_in_what_a_slider_may_take():
    base, moved = (at([Experiment(keep_bias=bias)]) for bias in (1.0, 2.0))
    many = [one._replace(own=((norms.SEEDS, "20"),)) for one in (base, moved)]
    (alone,) = following.milliseconds("gradient_flow", base, moved)
    assert following.milliseconds("gradient_flow", *many) == [20 * alone]
    assert alone > 0
    long = at([Experiment(steps=5000, hidden_size=128)])
    assert following.follows("gradient_flow", long)
    assert not following.follows("gradient_flow", long._replace(own=((norms.SEEDS, "20"),)))
