"""The settings that all pages share: which are drawn where, and what the pages read of them."""

from typing import Any

import streamlit as st

from gradlab.cells import CELLS
from gradlab.cells.contract import keep_gate_of
from gradlab.settings.catalogue import GROUPS, SETTINGS, Fields, default
from gradlab.settings.conflicts import unused
from gradlab.settings.links import read_query
from gradlab.ui.frame import link, linked, pinned, present, visit
from gradlab.ui.frame import opened_runs as opened
from gradlab.ui.frame.presets import FIRST, PRESETS
from gradlab.ui.frame.shown import DEFAULT_CELLS, EVERY_STATE, Settings
from gradlab.ui.frame.widgets import widget
from gradlab.words import subjects as words
from gradlab.words.languages import N_, _
from gradlab.words.numbers import listed

AT_HAND = {  # settings that a page shows in its own column instead of the sidebar, by the page's address
    "": ("steps", "keep_bias", "gain", "initialization"),
    "gradient_flow": ("keep_bias", "gain", "depth", "steps"),
    "why_addition": ("one_cell", "keep_bias", "gain", "depth", "steps", "initialization"),
    "gates": ("one_cell", "keep_bias", "inputs", "steps"),
    "unrolled": ("one_cell", "keep_bias", "depth", "steps"),
    "jacobians": ("one_cell", "keep_bias", "gain", "initialization", "steps"),
    "initializations": ("one_cell", "initialization", "gain", "keep_bias", "steps"),
    "phase_map": ("one_cell", "initialization", "gain", "keep_bias", "steps"),
    "weights": ("one_cell", "initialization", "gain", "keep_bias"),
    "spectrum": ("one_cell", "initialization", "gain", "keep_bias", "steps"),
    "sequence_types": ("one_cell", "loss", "inputs", "steps"),
    "itemised": ("steps", "keep_bias", "gain", "initialization"),
    "truncation": ("truncation", "k1", "k2", "keep_bias", "steps"),
    "training": ("cells", "hidden_size", "keep_bias", "truncation", "k1", "k2"),
    "character_model": ("one_cell", "hidden_size", "keep_bias", "truncation", "k1", "k2"),
}
EXPANDERS = {  # of the sidebar; the cells compared stand for the setting `cell`
    N_("Network"): ("cells", *(name for name in (*GROUPS["network"], *GROUPS["numerics"]) if name != "cell")),
    N_("Sequence"): GROUPS["sequence"],
    N_("Loss"): (*GROUPS["loss"], *GROUPS["truncation"]),
    N_("Display"): ("state", "relative", "one_cell"),
}
DRAWN = (*(name for name in (*GROUPS["network"], *GROUPS["numerics"]) if name != "cell"), *GROUPS["sequence"])
INPUT = ("inputs", "input_size", "text")  # which decide how many columns W has
COMPARED, EXAMINED, INJECTED = ("cells", *DRAWN, *GROUPS["loss"]), ("one_cell", *DRAWN), GROUPS["loss"]
ACTS_ON = {  # the settings that can change what a page shows, by the page's address; it asks for no others
    "": (*COMPARED, "relative"),
    "gradient_flow": (*COMPARED, "state", "relative"),
    "story": (),  # its networks are its own
    "one_unit": (),
    "memory": (),
    "why_addition": (*EXAMINED, *INJECTED, "relative"),
    "gates": (*EXAMINED, *INJECTED),
    "unrolled": (*EXAMINED, *INJECTED),
    "jacobians": (*EXAMINED, "loss", "reads", "writes"),  # which steps have an input
    "initializations": (*EXAMINED, *INJECTED),
    "phase_map": (*EXAMINED, *INJECTED),
    "weights": ("one_cell", *(name for name in DRAWN if name in INPUT or name not in GROUPS["sequence"])),
    "spectrum": (*EXAMINED, "loss", "reads", "writes"),  # which steps have an input
    "sequence_types": ("one_cell", *COMPARED, "state", "relative"),
    "itemised": (*(name for name in COMPARED if name != "loss_step"), "state"),
    "truncation": ("one_cell", *(name for name in COMPARED if name != "loss_step"), *GROUPS["truncation"], "state"),
    "training": ("cells", *DRAWN, *GROUPS["truncation"]),
    "your_network": ("steps", "batch_size", "seed", "loss", "loss_step", "loss_steps", "reads", "writes"),
    "character_model": (*EXAMINED, *GROUPS["truncation"]),
}
ONE_STACK = frozenset(page for page, names in ACTS_ON.items() if "cells" not in names and page != "why_addition")
MOST_CHANGES = 3  # in a tab's title
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
    return linked.number_input(_("Layer"), 0, depth - 1, step=1, key="layer", width=200)


def aside() -> Any:
    """The column beside the home page's picture."""
    return st.session_state["aside"]


def dark() -> bool:
    """Whether the visitor's theme is the dark one."""
    return st.context.theme.type == "dark"


def differences() -> str:
    """What differs from the defaults, for the tab's title: " (depth 2, keep-gate bias 3)"; the first three at most."""
    changed = words.differences(current().subjects[0])
    return f" ({', '.join(changed[:MOST_CHANGES])})" if changed else ""


def draw(page: str, at_hand: Any) -> None:
    """Draws every setting and keeps their values for `current`; the page's own go into the container `at_hand`."""
    _send_again(page)
    idle = _idle(page)
    elsewhere = OF_THE_TASK if page in opened.LEARN else frozenset()
    acts = frozenset(ACTS_ON.get(page, (*SETTINGS, "cells", "one_cell", "state", "relative")))
    at_hand_names = [name for name in present.sliders(AT_HAND.get(page, ())) if name not in idle]
    with st.sidebar:
        if acts:
            _starting_points(page)
        for group, names in EXPANDERS.items():
            left_out = {*at_hand_names, *idle, *elsewhere}
            shown = [name for name in names if name in acts and name not in left_out]
            if shown:
                with st.expander(_(group), expanded=page != "" and group != "Loss"):
                    for name in shown:
                        widget(name, _why_not(page, name))
    if at_hand_names:
        with at_hand, st.container(key="at_hand"):
            widths = [2 if name == "cells" else 1 for name in at_hand_names]
            for column, name in zip(st.columns(widths), at_hand_names, strict=True):
                with column:
                    widget(name, _why_not(page, name))
    settings = _settings(page, idle)
    st.session_state["settings"] = settings
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
    address, session = visit.current().address, st.session_state.to_dict()
    return {name: session.get(name, getattr(address, name)) for name in SETTINGS}


def _idle(page: str) -> frozenset[str]:
    """Settings that change nothing, because of another one: they are neither drawn nor handed to the pages."""
    values: dict[str, Any] = _values() | {"cell": "lstm"}  # which gates a cell has is not asked here
    superseded = frozenset(("forget_bias",) if values["forget_bias"] is None else ())  # by keep_bias; old links have it
    return unused(Fields.model_construct(None, **values)) | opened.decided(page) | superseded


def _why_not(page: str, name: str) -> str:
    """Why a setting changes nothing of what the page shows, though other cells have it; "" where it does."""
    if name != "keep_bias" or (page not in ONE_STACK and "cells" not in ACTS_ON.get(page, ("cells",))):
        return ""
    titles = [_of_display("one_cell")] if page in ONE_STACK else _of_display("cells")
    shown = [link.cell_called(title) for title in titles] or list(DEFAULT_CELLS)
    if any(keep_gate_of(CELLS[cell]) for cell in shown):
        return ""
    names = listed([CELLS[cell].title for cell in shown])
    text = (
        _("{cells} has no gate that keeps the old state.")
        if len(shown) == 1
        else _("{cells} have no gate that keeps the old state.")
    )
    return text.format(cells=names)


def _of_display(name: str) -> Any:
    """What the display, or the cells compared, are set to: by their widget, or by the address where none was drawn."""
    return st.session_state.get(name, link.display_in_address(name))


def _settings(page: str, idle: frozenset[str]) -> Settings:
    experiment, problems = read_query({n: v for n, v in _values().items() if n not in {*idle, "cell"}})
    link.report(problems)
    state, relative = _of_display("state") or "h", str(_of_display("relative")).lower() == "true"
    examined = link.cell_called(_of_display("one_cell"))
    if trained := opened.networks(page):
        subjects = tuple(opened.with_settings(run, experiment) for run in trained)
        settings = Settings(subjects, subjects[0], state, relative, pinned.current(experiment))
        return settings._replace(one=settings.of(examined))
    names = [name for name, cell in CELLS.items() if cell.title in _of_display("cells")] or DEFAULT_CELLS
    subjects = tuple(experiment.replace(cell=name) for name in names)
    return Settings(subjects, experiment.replace(cell=examined), state, relative, pinned.current(experiment))


def first_presets() -> None:
    """The presets that a lesson begins with, as buttons, and why the one that is set does what it does."""
    with st.container(horizontal=True, key="first presets"):
        for name in FIRST:
            kind = "primary" if name == _active() else "secondary"
            args = (PRESETS[name].settings,)
            st.button(_(name), key=f"preset {name}", on_click=link.apply, args=args, type=kind)
    with st.container():  # always there: what comes and goes before a chart would have the browser draw it anew
        if (name := _active()) is not None:
            st.caption(_(PRESETS[name].why))


def _active() -> str | None:
    """The preset that the settings are, if they are one."""
    shared = current()
    now = {name: value for name, value in shared.subjects[0].settings if name != "cell"}
    now["cells"] = tuple(subject.settings.cell for subject in shared.subjects)
    standard = {name: default(name) for name in SETTINGS if name != "cell"} | {"cells": DEFAULT_CELLS}
    for name, preset in PRESETS.items():
        wanted = standard | preset.settings
        if now | {"cells": sorted(now["cells"])} == wanted | {"cells": sorted(wanted["cells"])}:
            return name
    return None


def _starting_points(page: str) -> None:
    with st.expander(_("Presets")):
        for name, preset in PRESETS.items():
            if page == "" and name in FIRST:
                continue
            st.button(_(name), key=f"preset {name}", on_click=link.apply, args=(preset.settings,), width="stretch")
            st.caption(_(preset.why))
    st.button(_("Reset every setting"), key="reset", on_click=link.apply, args=({},), width="stretch")
