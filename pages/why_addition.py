"""Why addition wins: how the gradient came back, what arrives, its parts by path, and what a cut leaves of it."""

import streamlit as st

from gradlab.ui.ask import result
from gradlab.ui.frame import settings
from gradlab.ui.parts import cuts, direct_path, following, passes
from gradlab.ui.parts.cards import traces_of
from gradlab.ui.parts.section import section
from gradlab.words import paths as sentences
from gradlab.words.languages import _

shared, shown = settings.current(), following.of("why_addition")
one, rnn = shared.one, shared.of("rnn")
networks, by_path = passes.compared(shared), result(passes.direct(one))
traces_of(networks)
shown.sentence(2)
left, right = st.columns([2, 3])
with left:
    shown.sentence(0)
    shown.figure(0)
with right:
    shown.sentence(1)
    shown.figure(1)
st.caption(sentences.networks_compared(networks))
with section(_("Cut a route and see what is left"), "why_addition_cuts") as is_open:
    if is_open:
        cuts.draw(one, rnn, by_path.lag, shared.relative)
with section(_("How often did the gradient pass U? The exact decomposition"), "why_addition_orders") as is_open:
    if is_open:
        direct_path.orders(one, shared.relative)
with section(_("Textbook claims, at these settings"), "why_addition_claims", expanded=True) as is_open:
    direct_path.claims(one, by_path, rnn)
