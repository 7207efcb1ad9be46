"""The opening figure: one bold line per subject, the bottom layer's h."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import streamlit as st

from gradlab.analyses.call import Table, each
from gradlab.analyses.thinning import Lines, line_ends
from gradlab.analyses.traces import trace
from gradlab.charts import annotations
from gradlab.charts.traces import opening
from gradlab.settings.subject import Subject
from gradlab.ui.parts import following
from gradlab.ui.parts.cards import traces_of
from gradlab.ui.parts.figure import figure
from gradlab.ui.parts.promise import promised
from gradlab.words import flow
from gradlab.words.how_to_read import Words

WHERE = "layer == 0 and state == 'h'"


def totals(subjects: Sequence[Subject], relative: bool, name: str, caption: str = "", follows: str = "") -> None:
    """Says how much of the gradient arrives, and draws it; `follows` as in `figure`."""
    traces = traces_of(subjects)
    sentence = flow.opening(traces)
    following.sentence(sentence)
    if caption:
        st.caption(caption)
    rows = Table.of(each(trace, subjects), "table", WHERE)
    words = Words(name, f"Gradient norms: {flow.names(traces)}", sentence, "gradient norms")
    other = promised(subjects, WHERE) if follows else None
    draw = partial(opening, relative=relative, marks=flow.marks(traces))
    heights = annotations.heights(subject.settings.cell for subject in subjects)
    beside: dict[str, Any] = {"ends": partial(line_ends, relative=relative, heights=heights)} | (
        {"promised": other} if other else {}
    )
    figure(draw, rows, words, Lines(), beside=beside, follows=follows)
