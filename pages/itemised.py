"""What each loss sends to each state, cell beside cell, and why their sum hides that it vanishes."""

import streamlit as st

from gradlab.analyses.itemised import with_rows
from gradlab.ui.ask import results
from gradlab.ui.frame import settings
from gradlab.ui.parts import matrices
from gradlab.ui.parts.cards import traces_of
from gradlab.words import sequences
from gradlab.words.how_to_read import Words

shared = settings.current()
subjects = [with_rows(subject) for subject in shared.subjects]
layer, state = place = matrices.place(shared)
computed = results([matrices.pairs_of(subject) for subject in subjects])
sentence = sequences.hiding(computed, traces_of(subjects), layer, state)

st.markdown(sentence)
st.caption(sequences.rows_note(computed, subjects[0], shared.subjects[0], layer, state))
domain = matrices.domain_of(subjects, place)
for column, subject in matrices.in_threes(subjects):
    with column:
        st.header(subject.title, anchor=False)
        title = f"One loss at a time: {subject.title}"
        words = Words(f"{subject.title} matrix", title, sentence, "itemised matrix")
        matrices.matrix(subject, place, domain, words)

st.header("Individual losses and their sum", anchor=False)
st.markdown(sequences.losses_and_sum(computed, layer, state))
for column, subject in matrices.in_threes(subjects):
    with column:
        title = f"Individual losses and their sum: {subject.title}"
        words = Words(f"{subject.title} sum", title, sentence, "sum of losses")
        matrices.losses_and_sum(subject, place, domain, words)
