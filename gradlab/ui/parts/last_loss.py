"""What arrives of all losses beside how the last one's gradient propagates, where the loss enters more than once."""

from collections.abc import Sequence

import streamlit as st

from gradlab.analyses.call import Table, each
from gradlab.analyses.thinning import Lines
from gradlab.analyses.traces import GradientTrace, trace
from gradlab.charts.traces import propagation
from gradlab.settings.subject import Subject
from gradlab.ui.parts.figure import figure
from gradlab.words import flow
from gradlab.words.how_to_read import Words
from gradlab.words.languages import _


def draw(subjects: Sequence[Subject], traces: Sequence[GradientTrace], sentence: str) -> None:
    """The figure under its heading; nothing where the two are the same."""
    if not flow.several_losses(traces):
        return
    st.header(_("What arrives, and how one injection propagates"), anchor=False)
    rows = Table.of(each(trace, subjects), "propagation", "layer == 0")
    title = _("All losses and the last loss alone: {cells}").format(cells=flow.names(traces))
    words = Words("propagation", title, sentence)
    figure(propagation, rows, words, Lines(("log10_norm",), ("cell", "path")))
