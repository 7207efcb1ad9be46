"""Five placements of input and loss: the unrolled networks, interactive, and the gradient of each."""

from functools import partial

import streamlit as st

from gradlab.ui.frame import settings
from gradlab.ui.parts import following, gallery
from gradlab.ui.parts.cards import state_shown, traces_of
from gradlab.ui.parts.section import section
from gradlab.words.languages import _

shared = settings.current()
state_shown(traces_of(shared.subjects), shared.state)

shown = following.of("sequence_types")
shown.sentence()
gallery.draw(partial(shown.figure, tools=False), shared.one)
st.header(shown.view.figures[gallery.CHOSEN].words.title, anchor=False)
shown.figure(gallery.CHOSEN)

with section(_("Its gradient: at every step, and one loss at a time"), "sequence_types_gradient") as is_open:
    if is_open:
        left, right = st.columns(2)
        with left:
            st.header(_("Gradient trace"), anchor=False)
            shown.figure(gallery.NORMS)
        with right:
            st.header(_("One loss at a time"), anchor=False)
            shown.figure(gallery.MATRIX)
