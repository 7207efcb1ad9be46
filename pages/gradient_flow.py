"""The explorer: every layer's and state's gradient norm, for any set of cells and any settings."""

import streamlit as st

from gradlab.charts.traces import lines
from gradlab.ui import cached, controls, verdicts

settings = controls.current()
flows = cached.flows(settings.experiments)

st.title("Gradient flow", anchor=False)
st.markdown(verdicts.opening_sentence(flows))
verdicts.non_finite(flows)
verdicts.cards(flows)
shown = cached.shown(flows, settings.state)
chart = lines(shown, relative=settings.relative, dark=controls.dark())
st.altair_chart(chart, theme=None, alt=verdicts.alternative(flows))
