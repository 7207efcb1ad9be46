"""Initial weights: spectra of the recurrent weights, gates' biases and parameter counts of one stack."""

import streamlit as st

from gradlab.analyses import weights
from gradlab.analyses.call import Call, Table
from gradlab.ui.ask import ask
from gradlab.ui.frame import settings
from gradlab.ui.parts import following, pins
from gradlab.words.languages import _

shared = settings.current()
counts = Table.of(Call.of(weights.parameter_counts, shared.one))
with pins.below(compares=True):
    shown = following.of("weights")
    shown.sentence()
    left, right = st.columns(2)
    if shared.pins:
        shown.side_by_side([0, 2, 1], [_("Singular values"), _("Eigenvalues"), _("Gate biases")])
    else:
        with left:
            st.header(_("Singular values"), anchor=False)
            shown.figure(0)
            st.header(_("Gate biases"), anchor=False)
            shown.figure(1)
        with right:
            st.header(_("Eigenvalues"), anchor=False)
            shown.figure(2)
with st.container() if shared.pins else right:
    st.header(_("Parameters"), anchor=False)
    columns = {"layer": _("layer"), "parameter": _("parameter"), "count": _("count")}
    st.dataframe(ask(counts)[[*columns]].rename(columns=columns), hide_index=True)
