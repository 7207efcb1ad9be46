"""The page of every initialization: the gallery of one cell, and a click that uses one everywhere."""

from functools import partial
from typing import Any

import streamlit as st

from gradlab.analyses.call import Call, Table
from gradlab.analyses.survival import every_initialization
from gradlab.analyses.thinning import Lines
from gradlab.charts.initializations import CHOSEN, panels
from gradlab.settings.subject import Subject
from gradlab.ui.ask import Rows, result
from gradlab.ui.frame import linked
from gradlab.ui.frame.pinned import is_drawn as is_drawn_anew
from gradlab.ui.frame.shown import Settings
from gradlab.ui.parts import pins
from gradlab.ui.parts.figure import Chosen, figure
from gradlab.words import initializations as sentences
from gradlab.words.how_to_read import Words
from gradlab.words.languages import _

SEEDS = "initializations_seeds"
COUNTS = (1, 3, 5, 10, 20)
THINNED = Lines(("log10_relative", "log10_relative_min", "log10_relative_max"), ("initialization",), points=4600)


def ask_seeds() -> None:
    """Over how many seeds."""
    linked.segmented_control(_("Seeds"), COUNTS, default=5, required=True, key=SEEDS)


def draw(shared: Settings) -> None:
    """What came out, and the panels; grey behind them those of the first pin."""
    call, pinned = _call(shared.one), pins.of_one(shared)
    found = result(call)
    in_use = shared.one.settings.initialization
    sentence = sentences.headline(found)
    st.markdown(sentence)
    st.markdown(sentences.of_defaults(found, in_use))
    beside: dict[str, Any] = {"summary": Rows(Table.of(call, "summary"))}
    if pinned is not None:
        other = _call(pinned.subject)
        grey = _("Grey: **{pin}**.").format(pin=pinned.label)
        st.caption(f"{grey} {sentences.paired(found, result(other), pinned.pin.name)}")
        beside["pinned"] = Rows(Table.of(other, "table"), THINNED)
    chart = partial(panels, cell=shared.one.settings.cell, in_use=in_use)
    title = _("Every initialization: {cell}").format(cell=shared.one.title)
    words = Words("initializations", title, sentence, sentences.HOW_TO_READ)
    is_drawn = is_drawn_anew(shared)
    chosen = Chosen("initializations gallery", CHOSEN, _use) if is_drawn else None
    figure(chart, Table.of(call, "table"), words, THINNED, beside=beside, chosen=chosen)
    st.caption(_(sentences.CLICK if is_drawn else sentences.OF_TRAINED))


def _call(subject: Subject) -> Call:
    return Call.of(every_initialization, subject, seeds=st.session_state[SEEDS])


def _use(picked: list[dict[str, Any]]) -> None:
    """The initialization of the panel that was clicked is that of every page from the next run on."""
    if picked:
        st.session_state["initialization"] = str(picked[0]["initialization"])
