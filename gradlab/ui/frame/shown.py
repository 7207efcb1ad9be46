"""What the pages show: a subject for each cell compared, the one examined, and how to show them."""

from typing import NamedTuple

from gradlab.cells import CELLS
from gradlab.settings.subject import Subject
from gradlab.ui.frame import opened_runs

DEFAULT_CELLS = ("rnn", "lstm", "gru")
TITLES = {cell.title: name for name, cell in CELLS.items()}
ONE_CELL = CELLS["lstm"].title
DISPLAY = {"state": ("h", "c", "both"), "relative": ("true", "false"), "one_cell": tuple(TITLES)}


class Settings(NamedTuple):
    """What the pages read: a subject for each cell compared, and how to show them."""

    subjects: tuple[Subject, ...]
    one: Subject  # of the cell that pages about a single stack show
    state: str  # "h", "c" or "both"
    relative: bool  # to the injected gradient

    def of(self, cell: str) -> Subject:
        """The settings with another cell: trained where that is open, else with initial weights."""
        same = (subject for subject in self.subjects if subject.settings.cell == cell)
        return next(same, None) or opened_runs.with_cell(self.one, cell)
