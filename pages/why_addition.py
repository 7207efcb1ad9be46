"""Why addition wins: how the gradient came back, what arrives, its parts by path, and what a cut leaves of it."""

from functools import partial

import streamlit as st

from gradlab.analyses.thinning import Lines
from gradlab.charts import paths
from gradlab.ui.ask import ask, result
from gradlab.ui.frame import settings
from gradlab.ui.parts import cuts, direct_path, following, passes
from gradlab.ui.parts.cards import traces_of
from gradlab.ui.parts.figure import figure
from gradlab.ui.parts.section import section
from gradlab.words import paths as sentences
from gradlab.words.how_to_read import Words
from gradlab.words.languages import _

shared, shown = settings.current(), following.of("why_addition")
one, rnn, cell = shared.one, shared.of("rnn"), shared.one.settings.cell
networks, by_path = passes.compared(shared), result(passes.direct(one))
shown.sentence(2)
shown.sentence(0)
shown.figure(0)
traces_of(networks)
shown.sentence(1)
st.caption(sentences.networks_compared(networks))
shown.figure(1)
with section(_("Cut a route and see what is left"), "why_addition_cuts") as is_open:
    if is_open:
        left = cuts.left(one, cuts.chosen(cell), beside=rnn)
        words = Words("cuts", _("What is left after a cut"), sentences.of_cuts(ask(left), cell, by_path.lag))
        st.markdown(words.sentence)
        draw, lines = partial(paths.left, relative=shared.relative), Lines(("log10_relative",), ("cell", "path"))
        figure(draw, left, words, lines)
with section(_("How often did the gradient pass U? The exact decomposition"), "why_addition_orders") as is_open:
    if is_open:
        direct_path.orders(one, shared.relative)
with section(_("Textbook claims, at these settings"), "why_addition_claims", expanded=True) as is_open:
    direct_path.claims(one, by_path, rnn)
