"""Five placements of input and loss: the unrolled networks, interactive, and the gradient of each."""

from functools import partial

import streamlit as st

from gradlab.analyses.call import Call, Table, each
from gradlab.analyses.thinning import Lines
from gradlab.analyses.traces import trace
from gradlab.charts.traces import lines
from gradlab.ui.ask import result
from gradlab.ui.frame import settings
from gradlab.ui.parts import gallery, matrices
from gradlab.ui.parts.cards import state_shown, traces_of
from gradlab.ui.parts.figure import figure
from gradlab.words import flow, sequences
from gradlab.words.how_to_read import Words

shared = settings.current()
one, place = shared.one, matrices.Place()
sentence = sequences.type_sentence(one, result(Call.of(trace, one)))

st.markdown(sentence)
gallery.draw(one)
gallery.chosen(one, sentence)

left, right = st.columns(2)
with left:
    st.header("Gradient trace", anchor=False)
    traces = traces_of(shared.subjects)
    rows = Table.of(each(trace, shared.subjects), "table", settings.of_state(state_shown(traces, shared.state)))
    words = Words("gradient norms", f"Gradient norms: {flow.names(traces)}", flow.opening(traces))
    figure(partial(lines, relative=shared.relative, marks=flow.marks(traces)), rows, words, Lines())
with right:
    st.header("One loss at a time", anchor=False)
    words = Words("itemised matrix", f"One loss at a time: {one.title}", sentence)
    matrices.matrix(one, place, matrices.domain_of([one], place), words)
