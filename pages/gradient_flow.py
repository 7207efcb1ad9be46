"""The explorer: every layer's and state's gradient norm, for any set of cells and any settings."""

from functools import partial

import streamlit as st

from gradlab.charts.heatmap import layers_by_steps
from gradlab.charts.traces import lines
from gradlab.ui import cached, verdicts
from gradlab.ui.frame import settings as controls
from gradlab.ui.parts import check_section
from gradlab.ui.parts.export_bar import export_bar
from gradlab.ui.parts.picture import show
from gradlab.words.how_to_read import how_to_read

settings = controls.current()
flows = cached.flows(settings.experiments)
state = verdicts.state_shown(flows, settings.state)
look = {"relative": settings.relative, "dark": controls.dark()}
told = {"subtitle": verdicts.opening_sentence(flows)}
table = partial(cached.full_table, settings.experiments)

st.markdown(told["subtitle"])
verdicts.non_finite(flows)
picture = partial(lines, marks=cached.marks(flows), **look)
show(picture(cached.shown(flows, state)), verdicts.alternative(flows))
with st.container(horizontal=True):
    heading = f"Gradient norms: {verdicts.names(flows)}"
    whole = partial(cached.whole, settings.experiments, state)
    export_bar(picture, table, settings.experiments, "gradient norms", heading, **told, rows=whole)
    how_to_read("gradient norms")
verdicts.cards(flows, st.columns(len(flows)))

st.subheader("Every layer at every step", anchor=False)
picture = partial(layers_by_steps, **look)
show(picture(cached.bins(settings.experiments, state)), verdicts.alternative(flows))
with st.container(horizontal=True):
    heading = f"Layers and steps: {verdicts.names(flows)}"
    whole = partial(cached.whole_bins, settings.experiments, state)
    export_bar(picture, table, settings.experiments, "layers and steps", heading, **told, rows=whole)
    how_to_read("layers and steps")

check_section.draw(settings.experiments)
