"""Five placements of input and loss: the unrolled networks, interactive, and the gradient of each."""

from functools import partial

import streamlit as st

from gradlab.ui.frame import settings
from gradlab.ui.parts import following, gallery
from gradlab.ui.parts.cards import state_shown, traces_of
from gradlab.ui.parts.section import section
from gradlab.words.languages import _

shared = settings.current()
above = st.container()
with section(_("Its gradient: at every step, and one loss at a time"), gallery.GRADIENT) as is_open:
    gradient = st.container()

with above:
    traces = traces_of(shared.subjects if is_open else [shared.one])
    if is_open:
        state_shown(traces, shared.state)
    shown = following.of("sequence_types")
    shown.sentence()
    gallery.draw(partial(shown.figure, tools=False), shared.one)
    st.header(shown.view.figures[gallery.CHOSEN].words.title, anchor=False)
    shown.figure(gallery.CHOSEN)
if is_open:
    with gradient:
        for column, header, number in zip(
            st.columns(2),
            (_("Gradient trace"), _("One loss at a time")),
            (gallery.NORMS, gallery.MATRIX),
            strict=True,
        ):
            with column:
                st.header(header, anchor=False)
                shown.figure(number)
