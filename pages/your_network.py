"""Your network: where its gradient dies and why, and what to change, proved on its weights and its data."""

import streamlit as st

from gradlab.ui.frame import settings
from gradlab.ui.parts import logs, uploads, your_network
from gradlab.words.languages import _

logs.choose()
logs.draw()
uploads.draw()
shared = settings.current()
one = your_network.network(shared.subjects)
where = your_network.diagnosis(one)
st.header(_("What would help"), anchor=False)
your_network.helps(one, where)
st.header(_("On every page"), anchor=False)
your_network.everywhere()
