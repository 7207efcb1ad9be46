"""Truncated back-propagation: what a window keeps, what it loses, and what it saves."""

import streamlit as st

from gradlab.analyses.truncation import Schedule
from gradlab.ui.ask import result
from gradlab.ui.frame import settings
from gradlab.ui.parts import following, matrices, windows
from gradlab.ui.parts.section import section
from gradlab.words import sequences
from gradlab.words.languages import _

shared = settings.current()
subjects, one = windows.truncated(shared)
layer, state = matrices.place(shared)
schedule, computed = Schedule.of(one.settings), [result(windows.pairs_of(one))]
shown = following.of("truncation")
sentence = shown.view.sentences[0]

shown.sentence(0, "header")
with st.container(horizontal=True, vertical_alignment="center", key="sentence and button"):
    shown.sentence(1)
    windows.choose(shared.one)
for number, column in enumerate(st.columns(2)):
    with column:
        st.markdown(f"**{shown.view.figures[number].words.title}**")
        shown.figure(number)
shown.sentence(2)
st.caption(sequences.window_note(shared.one, computed, one, layer, state))
with section(_("Other windows: the angle to the full gradient, and what they save"), "truncation_others") as is_open:
    if is_open:
        left, right = st.columns(2)
        with left:
            windows.angle(subjects, schedule, sentence)
        with right:
            windows.savings(one, schedule)
