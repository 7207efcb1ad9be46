"""Initial weights: spectra of the recurrent weights, gates' biases and parameter counts of one stack."""

import streamlit as st

from gradlab.analyses import weights
from gradlab.analyses.call import Call, Table
from gradlab.ui.ask import ask
from gradlab.ui.frame import settings
from gradlab.ui.parts import following, pins
from gradlab.ui.parts.section import section
from gradlab.words.languages import _

shared = settings.current()
counts = Table.of(Call.of(weights.parameter_counts, shared.one))
with pins.below(compares=True):
    shown = following.of("weights")
    shown.sentence()
    headers = [_("Singular values"), _("Eigenvalues"), _("Gate biases")]
    if shared.pins:
        shown.side_by_side([0, 2, 1], headers)
    else:
        for column, header, number in zip(st.columns(3), headers, [0, 2, 1], strict=True):
            with column:
                st.header(header, anchor=False)
                shown.figure(number)
with section(_("Parameters"), "weights_parameters") as is_open:
    if is_open:
        columns = {"layer": _("layer"), "parameter": _("parameter"), "count": _("count")}
        st.dataframe(ask(counts)[[*columns]].rename(columns=columns), hide_index=True)
