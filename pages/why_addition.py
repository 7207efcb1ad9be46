"""Why addition wins: the total gradient, its parts by path, and what is left when a route is cut."""

from functools import partial

import streamlit as st

from gradlab.analyses.call import Call, Table
from gradlab.analyses.paths import decompose, lowest, summary
from gradlab.analyses.thinning import EvenSteps, Lines
from gradlab.charts import paths
from gradlab.ui.ask import ask, result
from gradlab.ui.frame import settings
from gradlab.ui.parts import cuts, direct_path, passes
from gradlab.ui.parts.figure import figure
from gradlab.ui.parts.totals import totals
from gradlab.words import paths as sentences
from gradlab.words.how_to_read import Words

shared, gate = settings.current(), st.empty()
one, rnn, cell = shared.one, shared.of("rnn"), shared.one.settings.cell

st.subheader("1. The gradient that arrives", anchor=False)
networks = [shared.of(name) for name in dict.fromkeys((*sentences.COMPARED, cell))]
totals(networks, shared.relative, "totals", sentences.networks_compared(networks))
st.subheader("2. Around the recurrent weights, or through them", anchor=False)
passes.draw([rnn, shared.of("lstm_squashed"), one])
parts = Call.of(decompose, one, orders=8, losses="last").then(lowest)
by_path = result(parts.then(summary))
direct_path.say(gate, one, by_path)
words = Words("shares", "The gradient by path", sentences.of_parts(by_path))
figure(partial(paths.shares, cell=cell), Table.of(parts, where="path != 'total'"), words, EvenSteps())
draw, lines = partial(paths.parts, relative=shared.relative), Lines(("log10_relative",), ("path",))
figure(draw, Table.of(parts), words._replace(name="parts"), lines)
st.subheader("3. Cut a route and see what is left", anchor=False)
left = cuts.left(one, cuts.chosen(cell), beside=rnn)
words = Words("cuts", "What is left after a cut", sentences.of_cuts(ask(left), cell, by_path.lag))
st.markdown(words.sentence)
draw, lines = partial(paths.left, relative=shared.relative), Lines(("log10_relative",), ("cell", "path"))
figure(draw, left, words, lines)
direct_path.claims(one, by_path, rnn)
