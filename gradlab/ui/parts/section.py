"""Places of a page: a section that opens, whose contents are computed when it is open, and the row of its choices."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import streamlit as st

from gradlab.ui.frame import linked


@contextmanager
def section(title: str, key: str, expanded: bool = False) -> Iterator[bool]:
    """Draws into the section, and gives whether it is open; a link says so by the key, which begins with its page."""
    part = linked.expander(title, expanded, key)
    with part:
        yield bool(part.open)


def choices(page: str) -> Any:
    """The place of a page's own settings: on a phone a strip that scrolls, so that the picture stays in view."""
    return st.container(key=f"choices_{page}")
