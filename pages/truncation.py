"""Truncated back-propagation: what a window keeps, what it loses, and what it saves."""

import streamlit as st

from gradlab.analyses.call import Call
from gradlab.analyses.truncation import Schedule, departure, window_for, with_window
from gradlab.ui.ask import result, results
from gradlab.ui.frame import settings
from gradlab.ui.parts import matrices, windows
from gradlab.words import sequences

shared = settings.current()
subjects, one = [with_window(subject) for subject in shared.subjects], with_window(shared.one)
layer, state = place = matrices.place(shared)
schedule = Schedule.of(one.settings)
departures = results([Call.of(departure, subject, schedule=schedule) for subject in subjects])
kept = [windows.kept(subject, schedule, layer) for subject in subjects]
computed = [result(matrices.pairs_of(one))]
sentence = sequences.statement(schedule, subjects, departures)
lengths = results([Call.of(window_for, subject, schedule=schedule) for subject in subjects])

st.subheader(sentence, anchor=False)
st.markdown(sequences.needed(schedule, subjects, lengths))
st.markdown(sequences.kept_of_states(subjects, kept, layer))
windows.choose(shared.one)
st.caption(sequences.window_note(shared.one, computed, one, layer, state))
left, right = st.columns(2)
with left:
    windows.band(one, place, schedule, sentence)
with right:
    windows.lost(subjects, place, schedule, sentence)
left, right = st.columns(2)
with left:
    windows.angle(subjects, schedule, sentence)
with right:
    windows.savings(one, schedule, sentence)
