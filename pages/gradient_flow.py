"""The explorer: every layer's and state's gradient norm, for any set of cells and any settings."""

from functools import partial

import streamlit as st

from gradlab.charts.traces import lines
from gradlab.ui import cached, check_section, controls, verdicts
from gradlab.ui.export_bar import export_bar
from gradlab.ui.reading import how_to_read

settings = controls.current()
flows = cached.flows(settings.experiments)

st.title("Gradient flow", anchor=False)
st.markdown(verdicts.opening_sentence(flows))
verdicts.non_finite(flows)
verdicts.cards(flows, st.columns(len(flows)))

shown = cached.shown(flows, verdicts.state_shown(flows, settings.state))
look = {"relative": settings.relative, "marks": cached.marks(flows), "dark": controls.dark()}
told = {"title": f"Gradient norms: {verdicts.names(flows)}", "subtitle": verdicts.opening_sentence(flows)}
table = partial(cached.full_table, settings.experiments)
chart = lines(shown, **look)
st.altair_chart(chart, theme=None, alt=verdicts.alternative(flows))
with st.container(horizontal=True):
    export_bar(chart, table, settings.experiments, "gradient norms", **told)
    how_to_read("gradient norms")

check_section.draw(settings.experiments)
