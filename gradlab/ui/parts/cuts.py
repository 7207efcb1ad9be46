"""The toggles of routes to leave out of the adjoint."""

import streamlit as st

from gradlab.analyses.paths import routes
from gradlab.ui.frame.widgets import URL_OPTIONS
from gradlab.words.paths import route_title


def chosen(cell: str) -> tuple[str, ...]:
    """The routes switched off, of those the cell has; at first the additive path and U."""
    names = list(routes(cell))
    if (kept := st.session_state.get("cuts")) is not None:
        st.session_state["cuts"] = [name for name in kept if name in names]  # another cell has other gates
    options = {"default": names[:2], "selection_mode": "multi", "key": "cuts", "format_func": route_title}
    return tuple(st.pills("Leave out, on the way back alone", names, **options, **URL_OPTIONS))
