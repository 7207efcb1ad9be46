"""The unrolled network around a lag, every edge in the colour of the gradient that flows through it."""

import streamlit as st

from gradlab.charts.unrolled import network
from gradlab.ui import cached_paths, made
from gradlab.ui.frame import settings as controls
from gradlab.ui.frame.widgets import URL_OPTIONS
from gradlab.ui.parts.export_bar import export_bar
from gradlab.ui.parts.picture import show
from gradlab.words import paths as story
from gradlab.words.how_to_read import how_to_read

STEPS_SHOWN = 30
SCALES = ("these steps", "the whole sequence")

one = controls.current().one
most = max(one.steps - STEPS_SHOWN, 0)
stops = sorted({0, *range(0, most, max(1, most // 100)), most})
left, right = st.columns([2, 1], vertical_alignment="bottom")
lag = (
    left.select_slider("Lag at the right edge: walk back from the loss", stops, 0, key="lag", **URL_OPTIONS)
    if most
    else 0
)
scale = right.segmented_control(
    "Colours from least to most of", SCALES, default=SCALES[0], required=True, key="colours", **URL_OPTIONS
)
last = one.steps - 1 - lag
first = max(0, last - STEPS_SHOWN + 1)
table = cached_paths.edges(one, first, last)
sentence = story.of_edges(table)
st.markdown(sentence)
domain = cached_paths.decades(one if scale == SCALES[1] else None, table)
chart = network(table, domain, dark=controls.dark())
show(chart, sentence)
with st.container(horizontal=True):
    told = {"title": "The unrolled network", "subtitle": sentence, "made": made.edges(first, last)}
    export_bar(chart, table.copy, [one], "unrolled", **told)
    how_to_read("unrolled")
