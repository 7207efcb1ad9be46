"""A section of a page that opens: what it shows is computed when it is open."""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st


@contextmanager
def section(title: str, key: str, expanded: bool = False) -> Iterator[bool]:
    """Draws into the section, and gives whether it is open; a link says so by the key, which begins with its page."""
    part = st.expander(title, expanded, key=key, on_change="rerun", bind="query-params")
    with part:
        yield bool(part.open)
