"""The unrolled network around a lag, every edge in the colour of the gradient that flows through it."""

from functools import partial

import numpy as np
import streamlit as st

from gradlab.charts.unrolled import network
from gradlab.ui import cached_paths, controls, story
from gradlab.ui.export_bar import export_bar
from gradlab.ui.picture import show
from gradlab.ui.reading import how_to_read
from gradlab.ui.widgets import URL_OPTIONS

STEPS_SHOWN = 30

one = controls.current().one
most = max(one.steps - STEPS_SHOWN, 0)
stops = sorted({0, *range(0, most, max(1, most // 100)), most})
lag = (
    st.select_slider("Lag at the right edge: walk back from the loss", stops, 0, key="lag", **URL_OPTIONS)
    if most
    else 0
)
last = one.steps - 1 - lag
table = cached_paths.edges(one, max(0, last - STEPS_SHOWN + 1), last)
sentence = story.of_edges(table)
st.markdown(sentence)
finite = table.loc[np.isfinite(table["log10_relative"]), "log10_relative"]
domain = (float(finite.min()), float(finite.max())) if len(finite) else (-1.0, 0.0)
chart = network(table, domain, dark=controls.dark())
show(chart, sentence)
with st.container(horizontal=True):
    export_bar(chart, partial(table.copy), [one], "unrolled", title="The unrolled network", subtitle=sentence)
    how_to_read("unrolled")
