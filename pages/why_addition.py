"""Why addition wins: the total gradient, its parts by path, and what is left when a route is cut."""

from functools import partial

import pandas as pd
import streamlit as st

from gradlab.charts import paths
from gradlab.charts.traces import opening
from gradlab.ui import cached, cached_paths, controls, cuts, story, verdicts
from gradlab.ui.export_bar import export_bar
from gradlab.ui.picture import show
from gradlab.ui.reading import how_to_read

settings = controls.current()
one = settings.one
look = {"relative": settings.relative, "dark": controls.dark()}
st.markdown(story.half_life(one))

st.subheader("1. The gradient that arrives", anchor=False)
told = [one.replace(cell=cell) for cell in dict.fromkeys(("rnn", "lstm", "gru", "lstm_squashed", one.cell))]
flows = cached.flows(told)
sentence = verdicts.opening_sentence(flows)
st.markdown(f"{sentence} The squashed update has the LSTM's gates and weights; only its sum goes through a tanh.")
verdicts.non_finite(flows)
lines = cached.shown(flows, state="h", layer=0)
chart = opening(lines, cached.ends(lines, settings.relative), marks=cached.marks(flows), **look)
show(chart, verdicts.alternative(flows))
with st.container(horizontal=True):
    table = partial(cached.full_table, told)
    export_bar(chart, table, told, "totals", title=f"Gradient norms: {verdicts.names(flows)}", subtitle=sentence)
    how_to_read("gradient norms")

st.subheader("2. Around the recurrent weights, or through them", anchor=False)
parts = cached_paths.parts(one)
sentence = story.of_parts(one, parts)
st.markdown(sentence)
if "forget_bias" not in one.unused():
    st.markdown(story.at_biases(cached_paths.direct_at_biases(one)))
table = partial(cached_paths.parts_table, one)
pictures = [
    ("shares", paths.shares(parts.shares, cell=one.cell, dark=look["dark"])),
    ("parts", paths.parts(parts.lines, **look)),
]
for subject, chart in pictures:
    show(chart, sentence.replace("**", ""))
    with st.container(horizontal=True):
        export_bar(chart, table, [one], subject, title="The gradient by path", subtitle=sentence.replace("**", ""))
        how_to_read(subject)

st.subheader("3. Cut a route and see what is left", anchor=False)
cut = cuts.chosen(one.cell)
left = cached_paths.left(one, cut)
left = left.assign(path=left["path"].replace({f"without {name}": f"without {story.route_title(name)}" for name in cut}))
rnn = cached_paths.left(one.replace(cell="rnn"), ())
sentence = story.of_cuts(left, parts.lag)
st.markdown(sentence)
beside = [left] if one.cell == "rnn" else [left, rnn]
chart = paths.left(cached_paths.for_the_screen(pd.concat(beside, ignore_index=True)), **look)
show(chart, sentence)
with st.container(horizontal=True):
    table = partial(cached_paths.left, one, cut)
    export_bar(chart, table, [one], "cuts", title="What is left after a cut", subtitle=sentence)
    how_to_read("cuts")

st.subheader("What textbooks say, at these settings", anchor=False)
rnn_left = rnn.loc[rnn["lag"].sub(parts.lag).abs().idxmin(), "log10_relative"]
verdict = next(flow.diagnosis.verdict for flow in flows if flow.experiment.cell == one.cell)
for holds, claim in story.textbook(one, parts, rnn_left, verdict):
    st.markdown(f"{':green[**holds**]' if holds else ':red[**does not hold**]'} {claim}")
