"""The settings that all pages share: which are drawn where, and what the pages read of them."""

from typing import Any

import streamlit as st

from gradlab.cells import CELLS
from gradlab.settings.catalogue import GROUPS, SETTINGS, Fields
from gradlab.settings.conflicts import unused
from gradlab.settings.links import read_query
from gradlab.ui.frame import link, linked
from gradlab.ui.frame import opened_runs as opened
from gradlab.ui.frame.presets import PRESETS
from gradlab.ui.frame.shown import DEFAULT_CELLS, EVERY_STATE, Settings
from gradlab.ui.frame.widgets import widget

AT_HAND = {  # settings that a page shows in its own column instead of the sidebar, by the page's address
    "": ("steps", "forget_bias", "gain", "initialization"),
    "why_addition": ("one_cell", "forget_bias", "gain", "depth", "steps", "initialization"),
    "gates": ("one_cell", "forget_bias", "inputs", "steps"),
    "unrolled": ("one_cell", "forget_bias", "depth", "steps"),
    "jacobians": ("one_cell", "forget_bias", "gain", "initialization", "steps"),
    "weights": ("one_cell", "initialization", "gain", "forget_bias"),
    "sequence_types": ("one_cell", "loss", "inputs", "steps"),
    "itemised": ("steps", "forget_bias", "gain", "initialization"),
    "truncation": ("truncation", "k1", "k2", "forget_bias", "steps"),
    "training": ("cells", "hidden_size", "forget_bias", "truncation", "k1", "k2"),
    "character_model": ("one_cell", "hidden_size", "forget_bias", "truncation", "k1", "k2"),
}
EXPANDERS = {  # of the sidebar; the cells compared stand for the setting `cell`
    "Network": ("cells", *(name for name in (*GROUPS["network"], *GROUPS["numerics"]) if name != "cell")),
    "Sequence": GROUPS["sequence"],
    "Loss": (*GROUPS["loss"], *GROUPS["truncation"]),
    "Display": ("state", "relative", "one_cell"),
}
OF_THE_TASK = frozenset((*GROUPS["sequence"], *GROUPS["loss"]))  # where something is trained, its task decides these


def current() -> Settings:
    """The settings as the frame drew them in this run."""
    return st.session_state["settings"]


def of_state(state: str) -> str:
    """The rows of one state, or of all, as a Table's `where`."""
    return "" if state == EVERY_STATE else f"state == {state!r}"


def layer(depth: int) -> int:
    """The layer to show of stacks of this depth, asked for where there are several."""
    if depth == 1:
        return 0
    st.session_state["layer"] = min(int(st.session_state.get("layer") or 0), depth - 1)
    return linked.number_input("Layer", 0, depth - 1, step=1, key="layer", width=200)


def aside() -> Any:
    """The column beside the home page's picture."""
    return st.session_state["aside"]


def dark() -> bool:
    """Whether the visitor's theme is the dark one."""
    return st.context.theme.type == "dark"


def draw(page: str, at_hand: Any) -> None:
    """Draws every setting and keeps their values for `current`; the page's own go into the container `at_hand`."""
    link.read_first_address()
    _send_again(page)
    idle = _idle(page)
    elsewhere = OF_THE_TASK if page in opened.LEARN else frozenset()
    at_hand_names = [name for name in AT_HAND.get(page, ()) if name not in idle]
    with st.sidebar:
        _starting_points()
        for group, names in EXPANDERS.items():
            shown = [name for name in names if name not in at_hand_names and name not in idle and name not in elsewhere]
            if shown:
                with st.expander(group, expanded=page != "" and group != "Loss"):
                    for name in shown:
                        widget(name)
    if at_hand_names:
        with at_hand:
            widths = [2 if name == "cells" else 1 for name in at_hand_names]
            for column, name in zip(st.columns(widths), at_hand_names, strict=True):
                with column:
                    widget(name)
    settings = _settings(page, idle)
    st.session_state["settings"] = settings
    with st.sidebar:
        link.copy(settings)
    st.session_state["drawn on"] = page


def _send_again(page: str) -> None:
    """On another page every widget is set to its value again.

    A widget that moves, say from the sidebar to the page's own column, may be gone from the browser for a moment. There
    Streamlit forgets its value, not always but where it is busy, and would show the default while pages use the value.
    """
    if st.session_state.get("drawn on") != page:
        st.session_state.pop("first frame", None)
        for name in (name for names in EXPANDERS.values() for name in names if name in st.session_state):
            st.session_state[name] = st.session_state[name]


def _values() -> dict[str, Any]:
    """Every setting's value: its widget's, or the address bar's before there is a widget."""
    return {name: st.session_state.get(name, link.value_in_address(name)) for name in SETTINGS}


def _idle(page: str) -> frozenset[str]:
    """Settings that change nothing, because of another one: they are neither drawn nor handed to the pages."""
    values: dict[str, Any] = _values() | {"cell": "lstm"}  # which gates a cell has is not asked here
    return unused(Fields.model_construct(None, **values)) | opened.decided(page)


def _settings(page: str, idle: frozenset[str]) -> Settings:
    state = st.session_state
    experiment, problems = read_query({n: v for n, v in _values().items() if n not in {*idle, "cell"}})
    link.report(problems)
    shown_state, relative = state["state"] or "h", bool(state["relative"])
    examined = link.cell_called(state["one_cell"])
    if trained := opened.networks(page):
        subjects = tuple(opened.with_settings(run, experiment) for run in trained)
        settings = Settings(subjects, subjects[0], shown_state, relative)
        return settings._replace(one=settings.of(examined))
    names = [name for name, cell in CELLS.items() if cell.title in state["cells"]] or DEFAULT_CELLS
    subjects = tuple(experiment.replace(cell=name) for name in names)
    return Settings(subjects, experiment.replace(cell=examined), shown_state, relative)


def _starting_points() -> None:
    with st.popover("Presets", width="stretch"):
        for name, preset in PRESETS.items():
            st.button(name, key=f"preset {name}", on_click=link.apply, args=(preset.settings,), width="stretch")
            st.caption(preset.why)
    st.button("Reset every setting", key="reset", on_click=link.apply, args=({},), width="stretch")
