"""What each loss sends to each state, cell beside cell, and why their sum hides that it vanishes."""

import streamlit as st

from gradlab.ui.frame import settings
from gradlab.ui.parts import following, matrices, pins
from gradlab.ui.parts.cards import traces_of
from gradlab.ui.parts.section import section
from gradlab.words.languages import _

shared = settings.current()
above = st.container()
with section(_("Individual losses and their sum"), matrices.SUMS) as is_open:
    sums = st.container()

with above, pins.below(compares=True):
    matrices.place(shared)
    traces_of(matrices.work(shared))
    shown = following.of("itemised")

    shown.sentence(0)
    for column, (number, subject) in matrices.in_threes([*enumerate(shared.subjects)]):
        with column:
            st.header(subject.title, anchor=False)
            shown.figure(number)
    shown.sentence(1, "caption")
    if shared.pins:
        shown.sentence(3)
    for column, (number, subject) in matrices.in_threes(matrices.of_pin(shared)):
        with column:
            st.header(f"{shared.pins[0].name}: {subject.title}", anchor=False)
            shown.figure(number)
if is_open:
    with sums:
        shown.sentence(2)
        for group in matrices.sums(shared):
            for column, (number, caption) in matrices.in_threes(group):
                with column:
                    st.caption(caption)
                    shown.figure(number)
