"""The states that most cells carry from one step to the next."""

from typing import Any, NamedTuple


class Hidden(NamedTuple):
    """The hidden state alone."""

    h: Any


class HiddenAndCell(NamedTuple):
    """A hidden state and a cell state."""

    h: Any
    c: Any
