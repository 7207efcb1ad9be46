"""The unrolled network around a lag, every edge in the colour of the gradient that flows through it."""

from functools import partial

import streamlit as st

from gradlab.analyses.call import Call, Table
from gradlab.analyses.paths import decades, edges
from gradlab.analyses.thinning import Lines
from gradlab.analyses.traces import trace
from gradlab.charts.unrolled import FIXED_DECADES, network
from gradlab.ui.ask import Rows, ask, result
from gradlab.ui.frame import settings
from gradlab.ui.parts import walk
from gradlab.ui.parts.figure import figure
from gradlab.words import paths as sentences
from gradlab.words.how_to_read import Words

one = settings.current().one
first, last, span = walk.chosen(one.settings.steps)
rows = Table.of(Call.of(edges, one, first=first, last=last))
sequence = [Rows(Table.of(Call.of(trace, one), "table"), Lines())] if span == walk.ALL else []
sentence = sentences.of_edges(ask(rows), result(Call.of(trace, one)).loss_steps)

st.markdown(sentence)
words = Words("unrolled", "The unrolled network", sentence)
span_of = {} if span == walk.FIXED else {"domain": partial(decades, *sequence)}
figure(partial(network, domain=FIXED_DECADES), rows, words, beside=span_of)
