"""One unit, one weight: the power that can be worked out by hand, and what a gate adds to it."""

import streamlit as st

from gradlab.analyses.call import Call, Table
from gradlab.analyses.paths import one_unit
from gradlab.charts.paths import by_hand
from gradlab.ui.ask import ask
from gradlab.ui.parts.figure import figure
from gradlab.ui.parts.one_unit import chosen
from gradlab.words import paths as sentences
from gradlab.words.how_to_read import Words

weight, gate, steps = chosen()
rows = Table.of(Call.of(one_unit, weight, gate, steps))
sentence = sentences.of_one_unit(ask(rows), weight, gate)

st.markdown(sentence)
figure(by_hand, rows, Words("one unit", sentences.one_unit_title(weight, gate, steps), sentence))
