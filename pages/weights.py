"""What was built: spectra of the recurrent weights, gates' biases and parameter counts of one stack."""

import streamlit as st

from gradlab.charts import weights
from gradlab.ui import cached, made, verdicts
from gradlab.ui.frame import settings as controls
from gradlab.ui.parts.export_bar import export_bar
from gradlab.ui.parts.picture import show
from gradlab.words.how_to_read import how_to_read

experiment = controls.current().one
spectra = cached.spectra(experiment)
look = {"dark": controls.dark()}
sentence = verdicts.weights_sentence(experiment, spectra)

st.markdown(sentence)
left, right = st.columns(2)
pictures = [
    (left, "singular values", "stretch", weights.singular_values(spectra.singular, **look), spectra.singular),
    (right, "eigenvalues", "content", weights.eigenvalues(spectra.eigen, **look), spectra.eigen),
    (left, "gate biases", "stretch", weights.gate_biases(spectra.biases, **look), spectra.biases),
]
for column, subject, width, chart, table in pictures:
    with column:
        st.subheader(subject.capitalize(), anchor=False)
        show(chart, f"{subject.capitalize()}. {sentence}", width)
        with st.container(horizontal=True):
            told = {"title": subject.capitalize(), "subtitle": sentence, "made": made.SPECTRA[subject]}
            export_bar(chart, table.copy, [experiment], subject, **told)
            how_to_read(subject)
with right:
    st.subheader("Parameters", anchor=False)
    st.dataframe(spectra.counts[["layer", "parameter", "count"]], hide_index=True)
