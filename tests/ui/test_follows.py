"""What follows the finger is what the page shows on release, to the bit; and what a request may ask."""

import asyncio
import copy
import json
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qsl, urlencode

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from app import ROUTES, stops
from gradlab.analyses.call import each
from gradlab.analyses.traces import trace
from gradlab.settings.experiment import Experiment
from gradlab.ui import work
from gradlab.ui.ask import answer
from gradlab.ui.frame import link, widgets
from gradlab.ui.frame.shown import Settings
from gradlab.ui.parts import following, gallery, matrices
from gradlab.ui.parts.view import Asked
from gradlab.words.following import NOT_ALLOWED, OTHER_PARTS, TOO_LONG
from gradlab.words.languages import speaking
from gradlab.words.sequences import KINDS
from tests.ui.conftest import SMALL, sent

MOVES = [
    ("keep_bias", "3.0"),
    ("keep_bias", "none"),
    ("gain", "1.5"),
    ("steps", "60"),
    ("hidden_size", "16"),
    ("batch_size", "4"),
]


def asked(data: dict, setting: str, *values: str, **more: str) -> dict:
    query = {"page": data["page"], "setting": setting, "stops": ",".join(values)} | more
    work.KEPT.clear()  # what the page has made
    return whole(json.loads(following.stops(f"{urlencode(query)}&{data['query']}")), data)


def whole(answers: dict, data: dict) -> dict:
    """Answers with all rows: what a stop leaves out is the page's."""
    for frame in (found for found in answers.values() if isinstance(found, dict)):
        for picture, own in zip(frame["pictures"], data["frame"]["pictures"], strict=True):
            picture["rows"] = own["rows"] | picture["rows"]
    return answers


def at(subjects: list[Experiment]) -> Asked:
    return Asked(Settings(tuple(subjects), subjects[0], "h", True), (), False)


STOPS = [(page, *move) for page in ("home", "gradient_flow") for move in MOVES]
STOPS += [("one_unit", *move) for move in (("weight", "-0.5"), ("gate", "0.999"), ("lags", "25"))]
STOPS += [(page, "keep_bias", "3.0") for page in ("why_addition", "gates", "unrolled", "weights")]
STOPS += [
    ("unrolled", "lag", "7"),
    ("weights", "gain", "0.5"),
    ("why_addition", "steps", "60"),
    ("gates", "steps", "60"),
]
STOPS += [(page, "keep_bias", "3.0") for page in ("sequence_types", "itemised", "jacobians", "spectrum")]
STOPS += [("memory", "memory_eigenvalue", "0.9")]


BEFORE = {}  # what each page gave the browser before any move of it


@pytest.mark.slow
@pytest.mark.parametrize(("page", "setting", "value"), sorted(STOPS))
def test_what_follows_the_finger_is_what_the_page_shows_on_release(open_app, page, setting, value):
    query = SMALL | {"steps": "50", "cells": ["RNN", "LSTM"], "keep_bias": "1.0"}
    if page not in BEFORE:
        BEFORE[page] = sent(open_app(page, **query))
    before = copy.deepcopy(BEFORE[page])
    released = {name: given for name, given in (query | {setting: value}).items() if given != "none"}
    after = sent(open_app(page, **released))
    assert asked(before, setting, value) == {value: after["frame"]}
    assert after["frame"]["pictures"] != before["frame"]["pictures"]


def test_steps_that_are_left_out_of_an_unrolled_network_leave_its_look(open_app):
    before, after = (
        sent(open_app("sequence_types", **SMALL | {"steps": steps}, sequence_types_gradient="false"))
        for steps in ("10", "60")
    )
    assert asked(before, "steps", "60") == {"60": after["frame"]}
    assert [picture["domains"]["numbers"][-1] for picture in after["frame"]["pictures"]][-1] == 59


def test_a_picture_stays_as_it_began_until_its_look_is_another(open_app):
    def drawn(app):
        specification = json.loads(app.get("vega_lite_chart")[0].proto.spec)
        return {one["name"]: one["value"] for one in specification["signals"] if one["name"].startswith("rows_")}

    app = open_app("home", **SMALL, cells=["RNN", "LSTM"])
    begun = drawn(app)
    assert [*begun.values()] == [*sent(app)["frame"]["pictures"][0]["rows"].values()]
    app.session_state["gain"] = 2.0
    assert drawn(app.run()) == begun, "a chart with another specification is drawn anew"
    app.session_state["keep_bias"], app.session_state["cells"] = 3.0, ["RNN", "LSTM", "GRU"]
    assert [*drawn(app.run()).values()] == [*sent(app)["frame"]["pictures"][0]["rows"].values()] != [*begun.values()]


def test_pictures_that_are_kept_are_of_the_settings_the_theme_and_the_language():
    e = Experiment(steps=9, hidden_size=4, batch_size=2)
    for subject, dark, spoken in (
        (e, False, "en"),
        (e, True, "en"),
        (e, False, "ko"),
        (e.replace(gain=2.0), False, "en"),
    ):
        seen = at([subject])._replace(dark=dark, language=spoken)
        with speaking(spoken):
            figures = [figure for figure in gallery.view(seen, answer).figures if figure.key is not None]
            assert len(figures) == len(KINDS)
            for figure in figures:
                (kept, rows), (made, fresh) = following._drawn(figure, dark), following._made(figure, dark)
                assert (kept.key, kept.domains, rows) == (made.key, made.domains, fresh)


@pytest.mark.parametrize(
    ("page", "section", "closed", "opened"),
    [("itemised", matrices.SUMS, 2, 4), ("sequence_types", gallery.GRADIENT, 6, 8)],
)
def test_a_stop_has_the_pictures_of_a_section_where_the_page_has_them(open_app, page, section, closed, opened):
    query = SMALL | {"cells": ["RNN", "LSTM"], "keep_bias": "1.0"}
    for spelt, count in (("x", closed), ("TRUE", opened)):
        data = sent(open_app(page, **query, **{section: spelt}))
        assert len(data["frame"]["pictures"]) == count
        data["query"] += f"&{urlencode({section: spelt})}"  # as a link may spell it: the last of a name counts
        assert len(asked(data, "keep_bias", "3.0")["3.0"]["pictures"]) == count


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "is_dragged"), [("jacobians", True), ("itemised", True), ("sequence_types", True), ("truncation", False)]
)
def test_the_default_network_is_quick_enough_to_follow(page, is_dragged):
    asked_for = {
        "page": page,
        "setting": "keep_bias",
        "stops": "1.0",
        "dark": "false",
        "dragged": str(is_dragged).lower(),
    }
    found = json.loads(following.stops(urlencode(asked_for | {"one_cell": "LSTM"})))
    assert isinstance(found["1.0"], dict), "a sentence says why a page does not follow"
    assert any(picture["rows"] for picture in found["1.0"]["pictures"])


@pytest.mark.parametrize("page", ["home", "gradient_flow"])
def test_a_picture_that_follows_holds_the_rows_that_the_export_takes(open_app, page):
    app = open_app(page, **SMALL, cells=["RNN", "LSTM"])
    lines = sent(app)["frame"]["pictures"][0]["rows"]["lines"]
    shared, _ = link.read(parse_qsl(sent(app)["query"]))
    own = [answer(call).table for call in each(trace, shared.subjects)]
    every = [table.query("layer == 0 and state == 'h'").log10_relative.tolist() for table in own]
    assert lines["log10_relative"] == [value for values in every for value in values]


def test_a_full_link_is_read_as_the_page_that_wrote_it(open_app):
    query = SMALL | {"cells": ["GRU", "RNN"], "gain": "0.5", "state": "both", "relative": "false"}
    app = open_app("gradient_flow", **query)
    shared, problems = link.read(parse_qsl(sent(app)["query"], keep_blank_values=True))
    assert problems == []
    assert isinstance(shared, Settings)
    assert shared == app.session_state["settings"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"page": "elsewhere"}, "page"),
        ({"setting": "seed"}, "setting"),
        ({"stops": ",".join(["1.0"] * 9)}, "stops"),
        ({"hidden_size": "9999"}, "hidden_size = '9999' is not allowed"),
        ({"cells": "NoCell"}, "is not a cell"),
        ({"state": "z"}, "state = 'z' is not allowed"),
    ],
)
def test_a_request_that_no_page_makes_is_refused_by_name(open_app, change, named):
    data = sent(open_app(**SMALL))
    query = dict(parse_qsl(data["query"])) | {"page": "home", "setting": "gain", "stops": "1.0"} | change
    with pytest.raises(ValueError, match=named):
        following.stops(urlencode(query))


def test_a_stop_that_does_not_follow_says_why(open_app):
    data = sent(open_app(steps="1000"))
    answers = asked(data, "hidden_size", "8", "512", dragged="true")
    assert answers["512"] == TOO_LONG
    assert answers["8"]["pictures"]
    assert asked(data, "hidden_size", "9999") == {"9999": NOT_ALLOWED}
    layers = sent(open_app("gradient_flow", **SMALL))
    assert asked(layers, "depth", "2") == {"2": OTHER_PARTS}, "it has a line for each layer"
    assert asked(sent(open_app(**SMALL)), "depth", "2")["2"]["pictures"]


def test_a_pointer_is_answered_soon_and_a_key_may_wait_for_one_stop():
    soon, curve, stop, ahead = 20.0, following.BUDGET, following.MOST_OF_A_STOP, following.MOST_AHEAD
    for curves, dragged, pressed in [
        ([], False, False),
        ([curve, curve], False, False),
        ([curve + 1], True, False),
        ([curve, curve, soon], True, False),
        ([ahead], True, False),
        ([stop, ahead], True, True),
    ]:
        assert following.takes_too_long(curves, True) is dragged
        assert following.takes_too_long(curves, False) is pressed


@pytest.mark.slow
def test_what_a_pointer_does_not_get_a_key_does(open_app):
    data = sent(open_app("truncation", steps="100", hidden_size="64", truncation="windows"))
    assert asked(data, "keep_bias", "3.0", dragged="true") == {"3.0": TOO_LONG}
    assert asked(data, "keep_bias", "3.0")["3.0"]["pictures"]
    found = asked(data, "keep_bias", "3.0", "4.0", "5.0")
    assert found["4.0"]["pictures"]
    assert found["5.0"] == TOO_LONG, "one ahead"


def test_a_setting_that_a_cell_does_not_read_costs_that_cell_nothing():
    base, moved = (at([Experiment(cell=cell, keep_bias=bias) for cell in ("rnn", "lstm")]) for bias in (1.0, 2.0))
    lstm = at([Experiment(cell="lstm", keep_bias=2.0)])
    (alone,) = following.milliseconds("home", base, lstm)
    assert following.milliseconds("home", base, moved) == [alone]
    assert alone > 0
    assert following.milliseconds("home", base, base) == []


@pytest.mark.parametrize("page", ["sequence_types", "itemised"])
def test_a_matrix_takes_no_less_than_the_trace_beside_it(page):
    base, moved = (at([Experiment(cell="lstm", hidden_size=128, keep_bias=bias)]) for bias in (1.0, 2.0))
    (alone,) = following.milliseconds("home", base, moved)
    assert following.milliseconds(page, base, moved)[0] > alone, "one loss is one row of the matrix"


def test_every_slider_of_the_ladders_is_offered_with_its_own_stops(open_app):
    app = open_app(steps="37")
    ladders = sent(app)["ladders"]
    assert ladders.keys() == widgets.LADDERS.keys()
    for slider in app.select_slider:
        ladder = ladders[slider.key]
        assert ladder["texts"] == slider.options
        assert len(ladder["stops"]) == len(slider.options)
        assert ladder["value"] in ladder["stops"]
    assert ladders["steps"]["value"] == "37"


@pytest.mark.parametrize("before", ["", "/lab", "/gradient_flow", "/some/proxy/gradient_flow"])
def test_the_route_answers_wherever_the_page_is(open_app, before):
    data = sent(open_app(**SMALL))
    query = f"page=home&setting=gain&stops=0.5&{data['query']}"
    scope = {"type": "http", "method": "GET", "path": f"{before}/following/stops", "query_string": query.encode()}
    scope |= {"headers": [(b"host", b"here")], "scheme": "http", "server": ("here", 80)}
    route = next(route for route in ROUTES if route.matches(scope)[0] is Match.FULL)
    assert route.endpoint is stops

    async def still_there() -> dict:
        return {"type": "http.request"}

    def answered(scope: dict) -> Response:
        with ThreadPoolExecutor(1) as thread:  # a browser test of the same process has a loop of its own
            return thread.submit(asyncio.run, stops(Request(scope, still_there))).result()

    assert whole(json.loads(answered(scope).body), data) == asked(data, "gain", "0.5")
    refused = answered(scope | {"query_string": b"page=home"})
    assert refused.status_code == 400
