"""Truncated back-propagation: what a window keeps, what it loses, and what it saves."""

import streamlit as st

from gradlab.analyses.truncation import Schedule
from gradlab.ui.ask import result
from gradlab.ui.frame import settings
from gradlab.ui.parts import following, matrices, windows
from gradlab.words import sequences

shared = settings.current()
subjects, one = windows.truncated(shared)
layer, state = matrices.place(shared)
schedule, computed = Schedule.of(one.settings), [result(windows.pairs_of(one))]
shown = following.of("truncation")
sentence = shown.view.sentences[0]

shown.sentence(0, "header")
shown.sentence(1)
shown.sentence(2)
windows.choose(shared.one)
st.caption(sequences.window_note(shared.one, computed, one, layer, state))
for number, column in enumerate(st.columns(2)):
    with column:
        st.markdown(f"**{shown.view.figures[number].words.title}**")
        shown.figure(number)
left, right = st.columns(2)
with left:
    windows.angle(subjects, schedule, sentence)
with right:
    windows.savings(one, schedule, sentence)
