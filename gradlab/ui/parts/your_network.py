"""A visitor's own network: the network shown, its diagnosis, what would help it, and the way to every other page."""

from collections.abc import Sequence
from functools import partial

import pandas as pd
import streamlit as st

from gradlab.analyses import repaired
from gradlab.analyses.call import Call, Table
from gradlab.analyses.remedies import Remedy, remedies
from gradlab.analyses.thinning import Lines
from gradlab.analyses.traces import trace
from gradlab.analyses.worst import Worst, worst
from gradlab.charts import traces as charts
from gradlab.charts.remedies import before_and_after
from gradlab.settings.subject import Subject
from gradlab.training import example
from gradlab.ui.ask import result
from gradlab.ui.frame import linked, opened_runs
from gradlab.ui.frame.link import PAGES
from gradlab.ui.parts import passes
from gradlab.ui.parts.figure import figure
from gradlab.ui.parts.section import section
from gradlab.words import your_network as words
from gradlab.words.how_to_read import Words
from gradlab.words.languages import _
from gradlab.words.languages import said as in_words

CHOSEN = "your_network_remedy"
OTHERS = ("gradient_flow", "why_addition", "gates", "unrolled", "jacobians", "weights", "itemised", "truncation")


def network(subjects: Sequence[Subject]) -> Subject:
    """The network shown, asked for where several are open; where none is, the example, with a word about it."""
    if not (opened_runs.yours() or st.session_state.get("opened")):
        st.caption(words.example(example()))
    titles = [words.name(subject, number) for number, subject in enumerate(subjects, 1)]
    if len(subjects) == 1:
        return subjects[0]
    chosen = linked.segmented_control(_("Network"), titles, default=titles[0], required=True, key="your_network_shown")
    return subjects[titles.index(chosen)]


def diagnosis(one: Subject) -> Worst:
    """In words: where the gradient is lost, and by which path what is left came."""
    where = result(Call.of(trace, one).then(worst))
    sentence = f"{words.where(where, one.settings.depth)} {words.path(one.settings.cell, result(passes.direct(one)))}"
    st.markdown(sentence)
    marks = pd.DataFrame({"step": [], "label": []})
    if where.step is not None:
        marks = pd.DataFrame({"step": [where.step], "label": [_("a thousandth is left, or less")]})
    title = _("Where the gradient dies: {cell}").format(cell=one.title)
    said = Words("gradient norms", title, words.where(where, one.settings.depth))
    figure(partial(charts.lines, marks=marks), Table.of(Call.of(trace, one), "table"), said, Lines())
    st.caption(where.diagnosis.sentence)
    return where


def helps(one: Subject, where: Worst) -> None:
    """What would help: the chosen remedy before and after, with its lines of PyTorch, and all of them."""
    call = Call.of(trace, one).then(remedies, layer=where.diagnosis.layer)
    found = result(call)
    st.markdown(words.of_remedies(found))
    remedy = _chosen(found)
    left, right = st.columns([3, 2])
    with left:
        title = _("Now and after: {remedy}").format(remedy=in_words(remedy.title))
        said = Words("before and after a remedy", title, words.remedy(remedy))
        rows = Table.of(call.then(repaired.lines, title=remedy.title))
        figure(before_and_after, rows, said, Lines(("log10_relative",), ("line",)))
    with right:
        st.markdown(words.remedy(remedy))
        if remedy.code:
            st.code(remedy.code, language="python", wrap_lines=True)
    with section(_("All changes, side by side"), "your_network_changes") as is_open:
        if is_open:
            st.dataframe(words.table(result(call.then(repaired.summary)), found), hide_index=True)


def _chosen(found: Sequence[Remedy]) -> Remedy:
    """The remedy shown, by its title; where another network has none of that title, the first."""
    titles = [remedy.title for remedy in found]
    if st.session_state.get(CHOSEN) not in titles:
        st.session_state.pop(CHOSEN, None)
    chosen = linked.selectbox(_("Remedy"), titles, key=CHOSEN)
    return repaired.called(found, chosen)


def everywhere() -> None:
    """Every analysis page on this network and this data."""
    if tuple(st.session_state.get("opened", ())) != opened_runs.networks(opened_runs.YOURS):
        brought = opened_runs.networks(opened_runs.YOURS)
        label = _("Show this network on every page")
        st.button(label, key="open yours", on_click=opened_runs.open_networks, args=(brought,))
        return
    with st.container(horizontal=True):
        for name in OTHERS:
            st.page_link(str(PAGES / f"{name}.py"))
