"""The opening picture: the same input through each cell, and how much of the gradient is left at every step."""

from functools import partial

import streamlit as st

from gradlab.charts.traces import opening
from gradlab.ui import cached, verdicts
from gradlab.ui.frame import settings as controls
from gradlab.ui.parts.export_bar import export_bar
from gradlab.ui.parts.picture import show
from gradlab.words.how_to_read import how_to_read

settings = controls.current()
flows = cached.flows(settings.experiments)

st.markdown(verdicts.opening_sentence(flows))
verdicts.non_finite(flows)
look = {"relative": settings.relative, "marks": cached.marks(flows), "dark": controls.dark()}


def picture(lines):
    return opening(lines, cached.ends(lines, settings.relative), **look)


show(picture(cached.shown(flows, state="h", layer=0)), verdicts.alternative(flows))
with st.container(horizontal=True):
    told = {"title": f"Gradient norms: {verdicts.names(flows)}", "subtitle": verdicts.opening_sentence(flows)}
    table = partial(cached.full_table, settings.experiments)
    whole = partial(cached.whole, settings.experiments, "h", 0)
    export_bar(picture, table, settings.experiments, "gradient norms", **told, rows=whole)
    how_to_read("gradient norms")
verdicts.cards(flows, [controls.aside()] * len(flows))
