"""The explorer: every layer's and state's gradient norm, for any set of cells and any settings."""

from functools import partial

import streamlit as st

from gradlab.charts.heatmap import layers_by_steps
from gradlab.charts.traces import lines
from gradlab.ui import cached, check_section, controls, verdicts
from gradlab.ui.export_bar import export_bar
from gradlab.ui.picture import show
from gradlab.ui.reading import how_to_read

settings = controls.current()
flows = cached.flows(settings.experiments)
state = verdicts.state_shown(flows, settings.state)
look = {"relative": settings.relative, "dark": controls.dark()}
told = {"subtitle": verdicts.opening_sentence(flows)}
table = partial(cached.full_table, settings.experiments)

st.markdown(told["subtitle"])
verdicts.non_finite(flows)
chart = lines(cached.shown(flows, state), marks=cached.marks(flows), **look)
show(chart, verdicts.alternative(flows))
with st.container(horizontal=True):
    export_bar(chart, table, settings.experiments, "gradient norms", f"Gradient norms: {verdicts.names(flows)}", **told)
    how_to_read("gradient norms")
verdicts.cards(flows, st.columns(len(flows)))

st.subheader("Every layer at every step", anchor=False)
bins = cached.bins(settings.experiments, state)
chart = layers_by_steps(bins, **look)
show(chart, verdicts.alternative(flows))
with st.container(horizontal=True):
    export_bar(
        chart, table, settings.experiments, "layers and steps", f"Layers and steps: {verdicts.names(flows)}", **told
    )
    how_to_read("layers and steps")

check_section.draw(settings.experiments)
