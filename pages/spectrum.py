"""The spectrum: what the eigenvalues of U promise, and what the directions of the whole network do."""

import streamlit as st

from gradlab.ui.frame import settings
from gradlab.ui.parts import following, pins, spectrum
from gradlab.ui.parts.section import section
from gradlab.words.languages import _

shared = settings.current()
with pins.below(compares=True):
    shown = following.of("spectrum")
    shown.sentence(0)
    if shared.pins:
        shown.side_by_side([0, 1], [_("Lyapunov spectrum"), _("Eigenvalues of U")])
    else:
        left, right = st.columns([3, 2])
        with left:
            st.header(_("Lyapunov spectrum"), anchor=False)
            shown.figure(0)
        with right:
            st.header(_("Eigenvalues of U"), anchor=False)
            shown.figure(1)
    shown.sentence(1, "caption")
with section(_("Four demonstrations: what does not decide explosion, and what does"), "spectrum_claims") as is_open:
    if is_open:
        spectrum.demonstration()
with section(_("Can its steps be computed in parallel? Newton iterations as U grows"), "spectrum_newton") as is_open:
    if is_open:
        spectrum.by_newton(shared.one)
with section(_("All singular values of the product Jacobian, against lag"), "spectrum_lags") as is_open:
    if is_open:
        spectrum.by_lag(shared.one)
