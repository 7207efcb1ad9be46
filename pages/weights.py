"""Initial weights: spectra of the recurrent weights, gates' biases and parameter counts of one stack."""

import streamlit as st

from gradlab.analyses import weights
from gradlab.analyses.call import Call, Table
from gradlab.charts.weights import eigenvalues, gate_biases, singular_values
from gradlab.ui.ask import ask
from gradlab.ui.frame import settings
from gradlab.ui.parts.figure import figure
from gradlab.words.how_to_read import Words
from gradlab.words.weights import of_weights

one = settings.current().one
singular, eigen, biases, counts = (
    Table.of(Call.of(analysis, one))
    for analysis in (weights.singular_values, weights.eigenvalues, weights.gate_biases, weights.parameter_counts)
)
sentence = of_weights(one, ask(singular), ask(eigen), ask(counts))

st.markdown(sentence)
left, right = st.columns(2)
with left:
    st.header("Singular values", anchor=False)
    figure(singular_values, singular, Words("singular values", "Singular values", sentence))
    st.header("Gate biases", anchor=False)
    figure(gate_biases, biases, Words("gate biases", "Gate biases", sentence))
with right:
    st.header("Eigenvalues", anchor=False)
    figure(eigenvalues, eigen, Words("eigenvalues", "Eigenvalues", sentence), width="content")
    st.header("Parameters", anchor=False)
    st.dataframe(ask(counts)[["layer", "parameter", "count"]], hide_index=True)
