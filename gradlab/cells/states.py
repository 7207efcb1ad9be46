"""What a cell carries from one step to the next."""

from typing import Any, NamedTuple


class Hidden(NamedTuple):
    """The state of cells that carry the hidden state alone."""

    h: Any


class HiddenAndCell(NamedTuple):
    """The state of cells that carry a hidden state and, beside it, a cell state."""

    h: Any
    c: Any


STATES = {record._fields: record for record in (Hidden, HiddenAndCell)}  # by a cell's `states`
