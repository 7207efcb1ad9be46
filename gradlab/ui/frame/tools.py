"""The frame's own buttons: undo, redo, copy the link, present."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.components import v2

from gradlab.ui.frame import history, language, link, present, settings, shelf
from gradlab.words.languages import N_, _

HERE = Path(__file__)
HTML = """<button type="button"></button><span role="status"></span><input type="text" readonly hidden>"""
COPY = {
    "copy": N_("Copy link"),
    "link": N_("Link of these settings"),
    "copied": N_("Link copied"),
    "refused": N_("The clipboard is refused here: copy the link below"),
}


def draw(place: Any) -> None:
    """Draws the buttons into a place of the sidebar; at the end of a run, when all settings are known."""
    session = st.session_state.to_dict()
    history.record(session)
    with place, st.container(gap="small"):
        with st.container(horizontal=True, gap="small", key="tools frame"):
            _step(N_("Undo"), N_("Nothing to undo"), "undo", -1)
            _step(N_("Redo"), N_("Nothing to redo"), "redo", 1)
            st.button(
                _("Present"),
                key="present_page",
                icon=":material/slideshow:",
                help=_(present.HELP),
                on_click=present.begin,
            )
            if st.session_state["drawn on"] != language.STORY:
                language.switch()
        query = link.short_query(settings.current(), session)
        data = {"query": query, "measured": present.is_on(), "shelf": shelf.own()}
        data["language"] = language.of_page(st.session_state["drawn on"])
        data["texts"] = {name: _(text) for name, text in COPY.items()}
        _legends()(key="legends", height=1)
        _copier()(key="copy_link", data=data, on_height_change=_heard, on_paper_change=_heard, on_shelf_change=_adopt)
    shelf.used()


def _step(label: str, nothing: str, name: str, way: int) -> None:
    what = history.hint(way)
    keys = "Ctrl+Z" if way < 0 else "Ctrl+Shift+Z"
    hint = f"{_(label)} ({keys}): {what}" if what else _(nothing)
    st.button(
        _(label), key=name, icon=f":material/{name}:", help=hint,
        on_click=history.move, args=(way,), disabled=not what, type="tertiary",
    )  # fmt: skip


def _heard() -> None:
    """The window's height and the theme's paper arrive as the component's state; the run that follows reads both."""


def _adopt() -> None:
    """The tab says which shelf it had before its reload."""
    shelf.adopt((st.session_state.get("copy_link") or {}).get("shelf"))


def _copier() -> Any:
    return v2.component("gradlab_tools", html=HTML, css=_file("tools.css"), js=_file("tools.js"), isolate_styles=False)


def _legends() -> Any:
    """The component that lets the keyboard toggle the entries of charts' legends; without an element of its own."""
    js = _file("legends.js")
    return v2.component("gradlab_legends", html="<span></span>", js=js, isolate_styles=False)


@lru_cache
def _file(name: str) -> str:
    return HERE.with_name(name).read_text(encoding="utf-8")
