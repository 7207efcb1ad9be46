"""A section of a page that opens: what it shows is computed when it is open."""

from collections.abc import Iterator
from contextlib import contextmanager

from gradlab.ui.frame import linked


@contextmanager
def section(title: str, key: str, expanded: bool = False) -> Iterator[bool]:
    """Draws into the section, and gives whether it is open; a link says so by the key, which begins with its page."""
    part = linked.expander(title, expanded, key)
    with part:
        yield bool(part.open)
