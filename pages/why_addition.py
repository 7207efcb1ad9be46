"""Why addition wins: the total gradient, its parts by path, and what is left when a route is cut."""

from functools import partial

import pandas as pd
import streamlit as st

from gradlab.charts import paths
from gradlab.charts.traces import opening
from gradlab.ui import cached, cached_paths, made, verdicts
from gradlab.ui.frame import settings as controls
from gradlab.ui.parts import cuts
from gradlab.ui.parts.export_bar import export_bar
from gradlab.ui.parts.picture import show
from gradlab.words import paths as story
from gradlab.words.how_to_read import how_to_read

settings = controls.current()
one = settings.one
look = {"relative": settings.relative, "dark": controls.dark()}
gate = st.empty()

st.subheader("1. The gradient that arrives", anchor=False)
networks = [settings.of(cell) for cell in dict.fromkeys(("rnn", "lstm", "gru", "lstm_squashed", one.cell))]
flows = cached.flows(networks)
sentence = verdicts.opening_sentence(flows)
st.markdown(sentence)
st.caption(story.networks_compared(networks))
verdicts.non_finite(flows)
marks = cached.marks(flows)


def totals(lines):
    return opening(lines, cached.ends(lines, settings.relative), marks=marks, **look)


show(totals(cached.shown(flows, state="h", layer=0)), verdicts.alternative(flows))
with st.container(horizontal=True):
    table = partial(cached.full_table, networks)
    whole = partial(cached.whole, networks, "h", 0)
    export_bar(totals, table, networks, "totals", f"Gradient norms: {verdicts.names(flows)}", sentence, whole)
    how_to_read("gradient norms")

st.subheader("2. Around the recurrent weights, or through them", anchor=False)
st.caption(story.what_parts_are(one))
parts = cached_paths.parts(one)
gate.markdown(story.resting_gate(one, parts))
sentence = story.of_parts(one, parts)
st.markdown(sentence)
if "forget_bias" not in one.unused():
    st.markdown(story.at_biases(cached_paths.direct_at_biases(one)))
told, table = {"title": "The gradient by path", "made": made.PARTS}, partial(cached_paths.parts_table, one)
pictures = [
    ("shares", partial(paths.shares, cell=one.cell, dark=look["dark"]), parts.shares, cached_paths.whole_shares),
    ("parts", partial(paths.parts, **look), parts.lines, cached_paths.whole_lines),
]
plain = sentence.replace("**", "")
for subject, picture, rows, whole in pictures:
    show(picture(rows), plain)
    with st.container(horizontal=True):
        export_bar(picture, table, [one], subject, subtitle=plain, rows=partial(whole, one), **told)
        how_to_read(subject)

st.subheader("3. Cut a route and see what is left", anchor=False)
cut = cuts.chosen(one.cell)
left = cached_paths.left(one, cut)
left = left.assign(path=left["path"].replace({f"without {name}": f"without {story.route_title(name)}" for name in cut}))
rnn = cached_paths.left(settings.of("rnn"), ())
sentence = story.of_cuts(left, parts.lag)
st.markdown(sentence)
beside = pd.concat([left] if one.cell == "rnn" else [left, rnn], ignore_index=True)
picture = partial(paths.left, **look)
show(picture(cached_paths.thinned(beside)), sentence)
with st.container(horizontal=True):
    drawn = [one] if one.cell == "rnn" else [one, settings.of("rnn")]
    table = partial(cached_paths.cuts_table, drawn, cut)
    whole = partial(cached_paths.thinned, beside, cached.MOST_ROWS)
    export_bar(picture, table, drawn, "cuts", "What is left after a cut", sentence, whole, made=made.cuts(cut))
    how_to_read("cuts")

st.subheader("What textbooks say, at these settings", anchor=False)
rnn_left = rnn.loc[rnn["lag"].sub(parts.lag).abs().idxmin(), "log10_relative"]
verdict = next(flow.diagnosis.verdict for flow in flows if flow.experiment.cell == one.cell)
for holds, claim in story.textbook(one, parts, rnn_left, verdict):
    st.markdown(f"{':green[**holds**]' if holds else ':red[**does not hold**]'} {claim}")
