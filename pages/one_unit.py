"""One unit, one weight: the power that one can work out by hand, and what a gate adds to it."""

import streamlit as st

from gradlab.charts.paths import by_hand
from gradlab.ui import cached_paths, made
from gradlab.ui.frame import settings as controls
from gradlab.ui.frame.widgets import URL_OPTIONS
from gradlab.ui.parts.export_bar import export_bar
from gradlab.ui.parts.picture import show
from gradlab.words import paths as story
from gradlab.words.how_to_read import how_to_read

weights, gates = [n / 20 for n in range(-30, 31)], [n / 20 for n in range(1, 20)] + [0.99, 0.999]
places = st.columns(3)
weight = places[0].select_slider("Weight w", weights, 0.9, key="weight", help="h′ = w h", **URL_OPTIONS)
gate = places[1].select_slider("Gate z", gates, 0.9, key="gate", help="h′ = z h + (1 − z) tanh(w h)", **URL_OPTIONS)
lags = places[2].select_slider("Steps", [25, 50, 100, 200, 500, 1000], 100, key="lags", **URL_OPTIONS)

table = cached_paths.one_unit(weight, gate, lags)
sentence = story.of_one_unit(table, weight, gate)
st.markdown(sentence)
chart = by_hand(table, dark=controls.dark())
show(chart, sentence)
with st.container(horizontal=True):
    title = f"One unit over {lags} steps: w = {weight:g}, gate z = {gate:g}"
    export_bar(chart, table.copy, [], "one unit", title, sentence, made=made.one_unit(weight, gate, lags))
    how_to_read("one unit")
