"""Five ways to read and be judged: the unrolled networks, alive, and the gradient that each gives."""

from functools import partial

import streamlit as st

from gradlab.charts import itemised, sequences, traces
from gradlab.charts.axes import decades_domain
from gradlab.ui import cached, cached_sequences, made, verdicts
from gradlab.ui.frame import settings as controls
from gradlab.ui.parts.export_bar import export_bar
from gradlab.words import sequences as words
from gradlab.words.how_to_read import how_to_read

MOST_COLUMNS = 12  # of the large diagram

settings = controls.current()
one = settings.one
dark = controls.dark()
chosen = words.kind_of(one)
flows = cached.flows(settings.experiments)
(own,) = cached.flows([one])
total = cached.shown([own], "h", layer=0)
sentence = words.type_sentence(one, float(total["log10_relative"].iloc[0]), one.steps, own.losses)

st.markdown(sentence)
short = [
    one.replace(loss=kind.loss, objective="direction", reads=None, writes=None).shortened(5) for kind in words.KINDS
]
gallery = cached_sequences.diagrams(short, most=5)
domain = decades_domain([found.links["log10_relative"] for found in gallery])
for column, kind, found in zip(st.columns(len(words.KINDS)), words.KINDS, gallery, strict=True):
    with column.container(border=True, height="stretch"):
        parts = (found.boxes, found.links, found.gaps)
        chart = sequences.unrolled(*parts, cell=one.cell, columns=5, domain=domain, small=True, dark=dark)
        st.altair_chart(chart, theme=None, alt=f"{kind.name}, {kind.task}, over {short[0].steps} steps")
        st.markdown(f"**{kind.name}**  \n:small[{kind.task}]")
        st.button(
            "Shown below" if kind == chosen else "Show",
            key=f"show {kind.loss}",
            disabled=kind == chosen,
            on_click=st.session_state.update,
            kwargs={"loss": kind.loss},
            width="stretch",
        )

st.subheader(chosen.name if chosen else f"Loss: {one.loss}", anchor=False)
(found,) = cached_sequences.diagrams([one], most=MOST_COLUMNS)
chart = sequences.unrolled(found.boxes, found.links, found.gaps, cell=one.cell, columns=found.columns, dark=dark)
st.altair_chart(chart, theme=None, alt=sentence)
with st.container(horizontal=True):
    told = {"title": chosen.name if chosen else one.loss, "subtitle": sentence, "made": made.diagram(MOST_COLUMNS)}
    export_bar(chart, found.links.copy, [one], "unrolled network", **told)
    how_to_read("unrolled network")

left, right = st.columns(2)
with left:
    st.subheader("The trace it gives", anchor=False)
    state = verdicts.state_shown(flows, settings.state)
    picture = partial(traces.lines, relative=settings.relative, dark=dark)
    st.altair_chart(picture(cached.shown(flows, state)), theme=None, alt=verdicts.alternative(flows))
    with st.container(horizontal=True):
        table = partial(cached.full_table, settings.experiments)
        whole = partial(cached.whole, settings.experiments, state)
        told = verdicts.opening_sentence(flows)
        export_bar(picture, table, settings.experiments, "gradient norms", "Gradient norms", told, whole)
        how_to_read("gradient norms")
with right:
    st.subheader("The itemised matrix", anchor=False)
    (matrix,) = cached_sequences.matrices([one])
    domain = decades_domain([matrix.bins["log10_norm"]])
    curve = total[["step", "log10_norm"]]
    chart = itemised.matrix(matrix.bins, curve, cell=one.cell, domain=domain, last=one.steps - 1, dark=dark)
    st.altair_chart(chart, theme=None, alt=sentence)
    with st.container(horizontal=True):
        table = partial(cached_sequences.matrix_table, [one])
        rows = made.itemised(cached_sequences.most_rows(one))
        export_bar(chart, table, [one], "itemised matrix", "Itemised gradients", sentence, made=rows)
        how_to_read("itemised matrix")
