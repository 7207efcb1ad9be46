"""What an open keep gate promises: the line of a gated cell at another bias, beside the one that the settings give."""

from collections.abc import Sequence

from gradlab.analyses.call import Call, Table
from gradlab.analyses.thinning import POINTS_ON_SCREEN, Lines
from gradlab.analyses.traces import trace
from gradlab.cells import CELLS
from gradlab.charts.traces import columns_drawn
from gradlab.settings.conflicts import bias_to_keep
from gradlab.settings.subject import Subject
from gradlab.ui.ask import Rows
from gradlab.words.languages import _

BIAS = 3.0


def promised(subjects: Sequence[Subject], where: str, relative: bool) -> Rows | None:
    """The rows of the first subject whose keep gate can be opened further, with a `label`; None where there is none."""
    for subject in subjects:
        bias = bias_to_keep(subject.settings)
        if "keep_bias" in subject.unused() or (bias is not None and bias >= BIAS):
            continue
        opened = subject.replace(keep_bias=BIAS, forget_bias=None)
        text = _("{cell} at keep-gate bias {bias}")
        label = text.format(cell=CELLS[opened.settings.cell].title, bias=f"{BIAS:g}")
        line = Lines(columns_drawn(relative)[:1], points=POINTS_ON_SCREEN // 3)
        return Rows(Table.of(Call.of(trace, opened), "table", where), line, (("label", label),))
    return None
