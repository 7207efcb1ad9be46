"""`?hide=story_weight,question`: what a teacher's link leaves out of the pages, by the widgets' names in links.

It stays while pages change. Hidden is not locked: a link may still set what it hides.
"""

import re
from typing import Any

import streamlit as st

from gradlab.settings.experiment import shown
from gradlab.words.languages import _

NAME = "hide"  # in the address
KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
MOST = 40  # names
PARTS = {  # that have no name in links
    "sidebar": '[data-testid="stSidebar"], [data-testid="stExpandSidebarButton"]',
    "navigation": '[data-testid="stTopNavSection"], [data-testid="stSidebarNav"]',
}


def names() -> tuple[str, ...]:
    """What is hidden."""
    return st.session_state.get(NAME, ())


def read(query: Any) -> list[str]:
    """Reads a visit's first address: a sentence for each name that no control can have."""
    asked = list(dict.fromkeys(part.strip() for part in query.get(NAME, "").split(",") if part.strip()))[:MOST]
    st.session_state[NAME] = tuple(name for name in asked if KEY.fullmatch(name))
    return [
        _("{setting} is not the name of a control: use names as they stand in links, such as keep_bias.").format(
            setting=f"{NAME} = {shown(name)}"
        )
        for name in asked
        if name not in names()
    ]


def text() -> str:
    """As the address has it."""
    return ",".join(names())


def frame() -> None:
    """Hides, and keeps the address saying so on every page."""
    if not names():
        if NAME in st.query_params:
            del st.query_params[NAME]
        return
    chosen = ", ".join(PARTS.get(name, f".st-key-{name}") for name in names())
    st.html(f"<style>{chosen} {{ display: none !important; }}</style>")
    st.query_params[NAME] = text()
