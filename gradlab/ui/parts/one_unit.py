"""The page of one unit: what it asks of the visitor, and what it shows."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from gradlab.analyses.call import Call, Table
from gradlab.analyses.paths import one_unit
from gradlab.charts.paths import by_hand
from gradlab.ui.frame import linked
from gradlab.ui.frame.shown import Settings
from gradlab.ui.parts.section import choices
from gradlab.ui.parts.view import Answer, Asked, Figure, View
from gradlab.words import paths as sentences
from gradlab.words.how_to_read import Words
from gradlab.words.languages import _

WEIGHTS = [n / 20 for n in range(-30, 31)]
GATES = [*(n / 20 for n in range(1, 20)), 0.99, 0.999]
STEPS = (25, 50, 100, 200, 500, 1000)
WEIGHT, GATE, AT_FIRST = 0.9, 0.9, 100


def choose() -> None:
    """The weight, the gate and the number of steps."""
    with choices("one_unit"):
        first, second, third = st.columns(3)
        with first:
            linked.select_slider(_("Weight w"), WEIGHTS, WEIGHT, key="weight", help="h′ = w h")
        with second:
            linked.select_slider(_("Gate z"), GATES, GATE, key="gate", help="h′ = z h + (1 − z) tanh(w h)")
        with third:
            linked.select_slider(_("Steps"), STEPS, AT_FIRST, key="lags")


def sliders(shared: Settings) -> Mapping[str, Sequence[Any]]:
    """Their stops."""
    return {"weight": WEIGHTS, "gate": GATES, "lags": STEPS}


def view(asked: Asked, answer: Answer) -> View:
    """Both units' gradients, computed and by the formula."""
    weight, gate = asked.one_of("weight", WEIGHTS, WEIGHT), asked.one_of("gate", GATES, GATE)
    steps = asked.one_of("lags", STEPS, AT_FIRST)
    call = Call.of(one_unit, weight, gate, steps)
    sentence = sentences.of_one_unit(answer(call), weight, gate)
    words = Words("one unit", sentences.one_unit_title(weight, gate, steps), sentence)
    return View([Figure(by_hand, Table.of(call), words)], [sentence])
