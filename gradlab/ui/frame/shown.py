"""What the pages show: a subject for each cell compared, the one examined, and how to show them."""

from typing import NamedTuple

from gradlab.cells import CELLS, state_names
from gradlab.settings.pins import Pin
from gradlab.settings.subject import Subject
from gradlab.ui.frame import opened_runs

DEFAULT_CELLS = ("rnn", "lstm", "gru")
ONE_CELL = CELLS["lstm"].title
EVERY_STATE = "all"


def titles() -> dict[str, str]:
    """The cells' names by their titles."""
    return {cell.title: name for name, cell in CELLS.items()}


def display() -> dict[str, tuple[str, ...]]:
    """What each setting of the display may be."""
    return {
        "state": (*state_names(), EVERY_STATE),
        "relative": ("true", "false"),
        "one_cell": tuple(titles()),
    }


class Settings(NamedTuple):
    """What the pages read: a subject for each cell compared, and how to show them."""

    subjects: tuple[Subject, ...]
    one: Subject  # of the cell that pages about a single stack show
    state: str  # "h", "c", … or EVERY_STATE
    relative: bool  # to the injected gradient
    pins: tuple[Pin, ...] = ()  # settings kept beside these

    def of(self, cell: str) -> Subject:
        """The settings with another cell: trained where that is open, else with initial weights."""
        same = (subject for subject in self.subjects if subject.settings.cell == cell)
        return next(same, None) or opened_runs.with_cell(self.one, cell)
