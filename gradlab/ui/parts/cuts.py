"""The toggles of routes to leave out of the adjoint, the question that they make, and its picture."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from gradlab.analyses.call import Call, Table
from gradlab.analyses.paths import cut, lowest, routes
from gradlab.analyses.thinning import Lines
from gradlab.charts import paths
from gradlab.settings.subject import Subject
from gradlab.ui.ask import ask
from gradlab.ui.frame import linked
from gradlab.ui.parts.figure import figure
from gradlab.words import paths as sentences
from gradlab.words.how_to_read import Words
from gradlab.words.languages import _
from gradlab.words.routes import in_links


def chosen(cell: str) -> tuple[str, ...]:
    """The routes switched off, of those the cell has; at first the additive path and U."""
    names = list(routes(cell))
    if (kept := st.session_state.get("cuts")) is not None:
        st.session_state["cuts"] = [name for name in kept if name in names]  # another cell has other gates
    label = _("Cut in the backward pass only")
    several = partial(linked.pills, selection_mode="multi", format_func=in_links)
    return tuple(several(label, names, default=names[:2], key="cuts"))


def whole(subject: Subject) -> Call:
    """The last loss's gradient by all routes."""
    return Call.of(cut, subject, without=(), losses="last").then(lowest)


def left(subject: Subject, names: Sequence[str], beside: Subject) -> Table:
    """The whole of a subject, what each cut leaves of it, and the whole of another cell beside it."""
    calls = [whole(subject), *(Call.of(cut, subject, without=(name,), losses="last").then(lowest) for name in names)]
    return Table.of(calls if beside.settings.cell == subject.settings.cell else [*calls, whole(beside)])


def draw(subject: Subject, beside: Subject, lag: int, relative: bool) -> None:
    """The toggles, and what each cut leaves: in words at a lag, and as a figure."""
    cell = subject.settings.cell
    after = left(subject, chosen(cell), beside)
    words = Words("cuts", _("What is left after a cut"), sentences.of_cuts(ask(after), cell, lag))
    st.markdown(words.sentence)
    lines = Lines(("log10_relative",), ("cell", "path"))
    figure(partial(paths.left, relative=relative), after, words, lines)
