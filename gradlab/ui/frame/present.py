"""`?present=1`, the page for a room: large type, no sidebar, a high chart, and the sliders that matter below it.

It stays on while pages change, and ends by its button or Escape.
"""

from pathlib import Path
from typing import Any

import streamlit as st

from gradlab.words.languages import N_, _

NAME = "present"  # in the address
HELP = N_("Large type, a high chart and the sliders that matter, for a room. Escape ends it.")
STYLE = Path(__file__).with_name("present.css")
MOST_SLIDERS = 4
AROUND, LOWEST = 470, 330  # pixels that the page needs around its chart; of the chart
PINNED = 80  # pixels more, of the sentence about a pin
UNKNOWN = 900  # height of a window that has not told its own


def is_on() -> bool:
    return st.session_state.get(NAME, False)


def read(query: Any) -> None:
    """Reads a visit's first address."""
    st.session_state[NAME] = query.get(NAME, "").lower() in ("1", "true")


def begin() -> None:
    st.session_state[NAME] = True


def leave() -> None:
    st.session_state[NAME] = False


def frame() -> None:
    """The look of the page and the button that ends it; the address says that it is on, on every page."""
    if is_on():
        st.html(STYLE)
        label, hint = _("End"), _("End (Escape)")
        st.button(label, key="leave_presentation", icon=":material/close:", help=hint, on_click=leave)
        st.query_params[NAME] = "1"
    elif NAME in st.query_params:
        del st.query_params[NAME]
    st.session_state["high chart"] = None


def sliders(at_hand: tuple[str, ...]) -> tuple[str, ...]:
    """The settings that stand in the page, of those that it has at hand."""
    return at_hand[:MOST_SLIDERS] if is_on() else at_hand


def height() -> int | None:
    """The height of the page's main picture, the first that asks; of the others None, their own."""
    if st.session_state.get("high chart") is not None:
        return None
    window = (st.session_state.get("copy_link") or {}).get("height") or UNKNOWN
    around = AROUND + (PINNED if st.session_state.get("pins") else 0)
    st.session_state["high chart"] = max(LOWEST, int(window) - around)
    return st.session_state["high chart"]
