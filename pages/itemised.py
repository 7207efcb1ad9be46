"""What each loss sends to each state, cell beside cell, and why their sum hides that it vanishes."""

from functools import partial

import streamlit as st

from gradlab.charts import itemised
from gradlab.charts.axes import decades_domain
from gradlab.ui import cached, cached_sequences, made, verdicts
from gradlab.ui.frame import settings as controls
from gradlab.ui.parts.export_bar import export_bar
from gradlab.words import sequences as words
from gradlab.words.how_to_read import how_to_read

settings = controls.current()
dark = controls.dark()
experiments = [cached_sequences.with_rows(one) for one in settings.experiments]
place = cached_sequences.Place(controls.layer(settings.one.depth), "c" if settings.state == "c" else "h")
flows = cached.flows(experiments)
matrices = cached_sequences.matrices(experiments, place)
totals = [
    cached.shown([flow], matrix.place.state, matrix.place.layer) for flow, matrix in zip(flows, matrices, strict=True)
]
domain = decades_domain([matrix.bins["log10_norm"] for matrix in matrices])
sentence = words.hiding_sentence(matrices, [float(total["log10_norm"].iloc[0]) for total in totals])

st.markdown(sentence)
verdicts.non_finite(flows)
st.caption(words.rows_note(matrices, settings.experiments[0]))
look = {"domain": domain, "dark": dark}
for group in cached_sequences.in_threes(range(len(matrices))):
    for column, number in zip(st.columns(len(group)), group, strict=True):
        matrix, total = matrices[number], totals[number]
        name = words.title(matrix.experiment)
        with column:
            st.subheader(name, anchor=False)
            last = matrix.experiment.steps - 1
            curve = total[["step", "log10_norm"]]
            chart = itemised.matrix(
                matrix.bins, curve, cell=matrix.experiment.cell, last=last, state=matrix.place.state, **look
            )
            st.altair_chart(chart, theme=None, alt=f"Itemised gradients of the {name}. {sentence}")
            table = partial(cached_sequences.matrix_table, [matrix.experiment])
            told = {"title": f"Itemised gradients: {name}", "subtitle": sentence}
            told["made"] = made.itemised(cached_sequences.most_rows(matrix.experiment))
            export_bar(chart, table, [matrix.experiment], f"{name} matrix", **told)
how_to_read("itemised matrix")

st.subheader("Why a loss at every step hides vanishing", anchor=False)
st.markdown(words.comb_sentence())
for group in cached_sequences.in_threes(range(len(matrices))):
    for column, number in zip(st.columns(len(group)), group, strict=True):
        matrix, total = matrices[number], totals[number]
        name = words.title(matrix.experiment)
        with column:
            shown = {"cell": matrix.experiment.cell, "state": matrix.place.state} | look
            chart = itemised.comb(matrix.rows, total[["step", "log10_norm"]], **shown)
            st.altair_chart(chart, theme=None, alt=f"{name}: some losses' own gradients and their sum. {sentence}")
            table = partial(cached_sequences.rows_table, matrix)
            told = {"title": f"Losses and their sum: {name}", "subtitle": sentence}
            told["made"] = made.some_rows(cached_sequences.loss_steps_shown(matrix))
            export_bar(chart, table, [matrix.experiment], f"{name} sum", **told)
how_to_read("sum of losses")
