"""The page of the phase map: which map, what is measured of it so far, the whole, and a click that opens a place."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import pandas as pd
import streamlit as st

from gradlab.analyses.call import Call, Table
from gradlab.analyses.diagnosis import diagnose
from gradlab.analyses.parts import Part
from gradlab.analyses.traces import trace
from gradlab.cells import CELLS
from gradlab.cells.contract import keep_gate_of
from gradlab.charts import phase_map as charts
from gradlab.engine import TooLarge
from gradlab.settings.catalogue import CHOICES, title
from gradlab.settings.experiment import Experiment
from gradlab.settings.subject import Subject
from gradlab.sweeps.maps import MAPS, PhaseMap, Plan, border, phase_map, place_of
from gradlab.ui import pace
from gradlab.ui.ask import Rows, result
from gradlab.ui.frame import linked
from gradlab.ui.frame.again import by_itself, go_to, is_connected, session_id
from gradlab.ui.frame.link import PAGES
from gradlab.ui.frame.refusal import refusal
from gradlab.ui.frame.shown import Settings
from gradlab.ui.kept import MISSING
from gradlab.ui.maps import MAPS as SERVER
from gradlab.ui.maps import Map
from gradlab.ui.parts.figure import Chosen, figure
from gradlab.ui.parts.section import choices
from gradlab.ui.work import kept
from gradlab.words import phase_map as sentences
from gradlab.words.how_to_read import Words
from gradlab.words.languages import N_, _, current, speaking
from gradlab.words.waiting import takes_long, under_way

OF, SIZE, SEEDS = "phase_map_of", "phase_map_size", "phase_map_seeds"
SIZES, SEED_COUNTS = (5, 11, 21, 41, 101), (1, 3, 5, 10)
AT_ONCE = 100  # points that are not worth a map of their own thread
LONG = 60.0  # seconds, from which on a map is begun by a button alone
ADDRESS = "phase_map"  # of the page
EXPLORER = str(PAGES / "gradient_flow.py")
OPENING, STOPPED = "phase map opens", "phase map stopped"  # in the session: a place was clicked; the map cancelled


def choose() -> None:
    """Which map, how fine, over how many seeds."""
    with choices("phase_map"), st.container(horizontal=True, gap="medium"):
        linked.segmented_control(
            _("Map"), [*MAPS], default="keep_bias", required=True, format_func=sentences.called, key=OF
        )
        linked.segmented_control(_("Places a side"), SIZES, default=21, required=True, key=SIZE)
        linked.segmented_control(_("Seeds"), SEED_COUNTS, default=3, required=True, key=SEEDS)


def draw(shared: Settings) -> None:
    """The map where it is measured; else what there is of it, while it is measured."""
    if st.session_state.pop(OPENING, False):
        go_to(EXPLORER, cells=st.session_state["cells"])
    settings = shared.one.settings
    call = call_of(settings)
    try:
        call.refuse()
    except TooLarge as error:
        refusal(_("This does not fit into memory"), str(error))
        return
    options: dict[str, Any] = dict(call.options)
    plan = Plan.of_settings(cast(Experiment, call.arguments[0]), **options)
    if kept(("result", call.key)) is MISSING and len(plan) > AT_ONCE:
        _measure(call, plan, settings)
        return
    _whole(call, result(call), settings)


def call_of(settings: Experiment) -> Call:
    """The map that the page's settings ask for; those that the map sweeps are at their defaults, so that it stays."""
    of = st.session_state[OF]
    if of == "keep_bias" and keep_gate_of(CELLS[settings.cell]) is None:
        of = "steps"
        st.info(sentences.cell_without_gate(settings.cell))
    size, seeds = st.session_state[SIZE], st.session_state[SEEDS]
    base = Plan.of_settings(settings, of, size, seeds).base.replace(seed=settings.seed)
    return Call.of(phase_map, base, of=of, size=size, seeds=seeds)


def _whole(call: Call, found: PhaseMap, settings: Experiment) -> None:
    sentence, plan = sentences.headline(found), found.plan
    st.markdown(sentence)
    words = _words(plan, sentence)
    chosen = Chosen("phase map", charts.CHOSEN, partial(_open, settings.cell))
    lines = {"border": Rows(Table.of(call, "border"))}
    figure(_chart(plan, settings), Table.of(call, "table"), words, beside=lines, chosen=chosen)
    st.markdown(sentences.here(settings, plan, result(Call.of(trace, settings).then(diagnose))))
    st.markdown(sentences.crossing(found, settings))
    _below(plan, found.border)


def _below(plan: Plan, line: pd.DataFrame) -> None:
    st.caption(sentences.of_theory(plan, line))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(_(sentences.CLICK), width="content")
        st.page_link(EXPLORER)


def _words(plan: Plan, sentence: str) -> Words:
    title = f"{plan.base.title}: {sentences.called(plan.of)}"
    return Words(N_("phase map"), title, sentence, sentences.HOW_TO_READ)


def _chart(plan: Plan, settings: Experiment) -> Any:
    called = {value: title(value) for value in plan.axes[plan.y]} if plan.y in CHOICES else None
    return partial(charts.phase_map, x=plan.x, y=plan.y, at=place_of(settings, plan), names=called)


def _measure(call: Call, plan: Plan, settings: Experiment) -> None:
    """What there is so far, how far it is and a way to stop it; begun by a button where it takes long."""
    expected = pace.seconds(call) / (os.cpu_count() or 1)
    asked = (call.key, session_id())
    if st.session_state.get(STOPPED) == asked:
        with st.container(border=True):
            st.text(_("Stopped. What was measured is kept, and is not measured again."))
            st.button(
                _("Continue"), key="phase map continue", on_click=st.session_state.pop, args=(STOPPED,), type="primary"
            )
        return
    if expected > LONG and st.session_state.get("phase map begun") != asked:
        with st.container(border=True):
            st.text(takes_long([call.title], expected))
            begin = {"phase map begun": asked}
            st.button(_("Begin"), key="phase map begin", on_click=st.session_state.update, kwargs=begin, type="primary")
        return
    one = SERVER.of(("result", call.key), plan, session_id(), partial(is_connected, session_id()))
    if one is None:
        st.info(_(sentences.FULL))
        return
    every = 0.7 if len(plan) < 5000 else 2.0
    by_itself(partial(_so_far, call, one, settings, asked, current()), every)


def _so_far(call: Call, one: Map, settings: Experiment, asked: Any, language: str) -> None:
    """What there is so far: a fragment, which is told the language."""
    with speaking(language):
        _drawn_so_far(call, one, settings, asked)


def _drawn_so_far(call: Call, one: Map, settings: Experiment, asked: Any) -> None:
    plan = one.plan
    if one.is_over and not one.error:
        st.rerun()
    if one.error:
        refusal(_("The map could not be measured"), one.error)
        return
    text = under_way(call.title, one.fraction, one.seconds_left)
    if one.ahead:
        text += f"; {sentences.waiting(one.ahead)}"
    st.progress(one.fraction, text)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(_("Cancel"), key="phase map cancel", on_click=_cancel, args=(one, asked))
        st.caption(sentences.where(SERVER.workers(), os.cpu_count() or 1, SERVER.no_cluster), width="content")
    line = border(plan)
    so_far = Growing(one, call)
    if one.measured.count:
        words = _words(plan, text)
        figure(_chart(plan, settings), so_far, words, beside=cast(Any, {"border": line}), export=False)
        _below(plan, line)


def _cancel(one: Map, asked: Any) -> None:
    one.leave(session_id())
    st.session_state[STOPPED] = asked


def _open(cell: str, picked: list[dict[str, Any]]) -> None:
    """The settings of the place that was clicked, for every page; the page then goes to the explorer."""
    if not picked:
        return
    for name, value in picked[0].items():
        if name in ("gain", "keep_bias", "steps", "depth", "initialization"):
            st.session_state[name] = type_of[name](value)
    st.session_state["cells"] = [CELLS[cell].title]
    st.session_state[OPENING] = True


type_of: dict[str, Any] = {"gain": float, "keep_bias": float, "steps": int, "depth": int, "initialization": str}


@dataclass(frozen=True, eq=False)
class Growing:
    """The question of what there is of a map so far."""

    one: Map
    call: Call

    calls = ()
    key = None

    @property
    def subjects(self) -> tuple[Subject, ...]:
        return (self.one.plan.base,)

    @property
    def code(self) -> str:
        return Table.of(self.call, "table").code

    def refuse(self) -> None:
        """It is refused before it is begun."""

    def rows(self, progress: Any = None) -> pd.DataFrame:
        return self.one.measured.coarse

    def parts_of(self, results: Sequence[Any]) -> Sequence[Part]:
        return [Part.of(self.rows())]
