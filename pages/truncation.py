"""Truncated back-propagation: what a window keeps, what it loses, and what it saves."""

from functools import partial

import streamlit as st

from gradlab.charts import itemised, truncation
from gradlab.charts.axes import decades_domain
from gradlab.ui import cached_sequences, made
from gradlab.ui.frame import settings as controls
from gradlab.ui.parts.export_bar import export_bar
from gradlab.words import sequences as words
from gradlab.words.how_to_read import how_to_read

settings = controls.current()
dark = controls.dark()
experiments = [cached_sequences.with_window(one) for one in settings.experiments]
one = cached_sequences.with_window(settings.one)
place = cached_sequences.Place(controls.layer(settings.one.depth), "c" if settings.state == "c" else "h")
found = cached_sequences.truncated(experiments, place)
(own,) = cached_sequences.truncated([one], place)
matrices = cached_sequences.matrices(experiments, place)
(matrix,) = cached_sequences.matrices([one], place)
sentence = words.statement(found)
window = own.schedule.k2

st.subheader(sentence, anchor=False)
if settings.one.truncation == "full":
    to_windows = {"on_click": st.session_state.update, "kwargs": {"truncation": "windows"}}
    st.button("Choose the window: k1 and k2", key="choose window", **to_windows)
st.caption(f"{words.window_note(settings.one)} {words.rows_note([matrix], settings.one)}")
lost, angle = cached_sequences.lost(matrices), cached_sequences.angles(found)
domain = decades_domain([matrix.bins["log10_norm"]])
outline = cached_sequences.outline(own)
last, rows = one.steps - 1, cached_sequences.most_rows(one)
pictures = [
    (
        "truncation band",
        f"What the {words.title(one)} loses: under the veil",
        itemised.band(matrix.bins, outline, domain=domain, last=last, state=matrix.place.state, dark=dark),
        [one],
        partial(cached_sequences.matrix_table, [one]),
        made.itemised(rows),
    ),
    (
        "lost gradient",
        "Gradient from beyond the window",
        truncation.lost(lost, window, dark=dark),
        experiments,
        lost.copy,
        made.lost(rows, place),
    ),
    (
        "angle",
        "Cosine to the full parameter gradient",
        truncation.angle(angle, window, dark=dark),
        experiments,
        angle.copy,
        made.angles(own.windows),
    ),
    (
        "savings",
        words.savings_sentence(own),
        truncation.savings(cached_sequences.savings(own), window, dark=dark),
        [one],
        own.cost.copy,
        made.savings([*own.windows, own.schedule]),
    ),
]
for row in (pictures[:2], pictures[2:]):
    for column, (subject, heading, chart, whose, table, rows_of) in zip(st.columns(2), row, strict=True):
        with column:
            st.markdown(f"**{heading}**")
            st.altair_chart(chart, theme=None, alt=f"{heading}. {sentence}")
            with st.container(horizontal=True):
                export_bar(chart, table, whose, subject, title=heading, subtitle=sentence, made=rows_of)
                how_to_read(subject)
