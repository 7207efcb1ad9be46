"""A page asks for the settings that can change what it shows, and for no others."""

import re

import pytest

from gradlab.settings.catalogue import SETTINGS, default
from gradlab.ui.frame.link import PAGES
from gradlab.ui.frame.opened_runs import LEARN
from gradlab.ui.frame.settings import ACTS_ON, AT_HAND

pytestmark = pytest.mark.slow

BASE = {"steps": "12", "hidden_size": "4", "input_size": "3", "batch_size": "2", "depth": "2", "loss": "steps"}
BASE |= {"objective": "squared_error", "truncation": "windows", "k1": "2", "k2": "4", "loss_steps": "5,11"}
DELAYED = {"loss": "many_to_many_delayed"}
OTHERWISE = {  # another value of each setting
    "cells": ["RNN", "leaky RNN"], "one_cell": "GRU", "depth": 1, "hidden_size": 8, "initialization": "orthogonal",
    "gain": 1.5, "keep_bias": 2.0, "forget_bias": 2.0, "steps": 20, "batch_size": 4, "inputs": "sines", "input_size": 2,
    "text": "abcabcabcabc", "loss": "one_to_one", "loss_steps": "4,11", "loss_step": 6, "reads": 5, "writes": 4,
    "objective": "direction", "output_size": 5, "truncation": "chunks", "k1": 1, "k2": 6, "seed": 3, "dtype": "float32",
    "state": "c", "relative": False,
}  # fmt: skip
DEFAULTS = {name: default(name) for name in SETTINGS} | {"text": "", "state": "h", "relative": True, "one_cell": "LSTM"}
DEFAULTS |= {"cells": ["RNN", "LSTM", "GRU"]}
NEEDED = {"text": {"inputs": "text", "text": "abcabcabcabd"}, "loss_step": {"loss": "step"}, "reads": DELAYED,
          "writes": DELAYED}  # fmt: skip  # without which a setting decides nothing


def shown(app, drawn, settings):
    """What the page shows with some settings: its texts, the questions of its figures, and the titles in its charts."""
    before = {name: app.session_state[name] for name in settings if name in app.session_state}
    for seen in drawn:
        seen.clear()
    for name, value in settings.items():
        app.session_state[name] = value
    app.run()
    assert not app.exception
    texts = sorted(text.value for text in (*app.markdown, *app.caption, *app.header))
    titles = [re.findall(r'"title": (.*?)[,}]', chart.proto.spec) for chart in app.get("vega_lite_chart")]
    found = texts, [(question.key, reduction) for question, reduction, _ in drawn.asked], titles
    for name in settings:
        app.session_state[name] = before.get(name, DEFAULTS.get(name))
    return found


@pytest.mark.parametrize("page", sorted({path.stem for path in PAGES.glob("*.py")} - {*LEARN}))
def test_a_setting_is_asked_for_exactly_where_it_can_change_what_is_shown(open_app, drawn, page):
    address = "" if page == "home" else page
    acts = ACTS_ON[address]
    assert set(AT_HAND.get(address, ())) <= set(acts)
    assert set(OTHERWISE) == {*SETTINGS, "cells", "one_cell", "state", "relative"} - {"cell"}
    app = open_app(page, **BASE)
    without = {}  # what is shown with what a setting needs
    for name, value in OTHERWISE.items():
        needed = NEEDED.get(name, {})
        of_needs = frozenset(needed.items())
        if of_needs not in without:
            without[of_needs] = shown(app, drawn, needed)
        assert (shown(app, drawn, needed | {name: value}) != without[of_needs]) == (name in acts), (page, name)
