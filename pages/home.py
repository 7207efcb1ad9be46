"""The opening picture: the same input through each cell, and how much of the gradient is left at every step."""

import streamlit as st

from gradlab.charts.traces import opening
from gradlab.ui import cached, controls, verdicts

settings = controls.current()
flows = cached.flows(settings.experiments)

st.title("Where does the gradient go?", anchor=False)
st.markdown(verdicts.opening_sentence(flows))
verdicts.non_finite(flows)
lines = cached.shown(flows, state="h", layer=0)
chart = opening(lines, cached.ends(lines, settings.relative), relative=settings.relative, dark=controls.dark())
st.altair_chart(chart, theme=None, alt=verdicts.alternative(flows))
verdicts.cards(flows)
