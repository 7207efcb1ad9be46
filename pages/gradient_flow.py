"""The explorer: every layer's and state's gradient norm, for any set of cells and any settings."""

from functools import partial

import streamlit as st

from gradlab.analyses.call import Table, each
from gradlab.analyses.thinning import StepBins
from gradlab.analyses.traces import trace
from gradlab.charts.heatmap import layers_by_steps
from gradlab.ui.frame import settings
from gradlab.ui.parts import check_section, following, last_loss, norms, pins, remedies
from gradlab.ui.parts.cards import cards, state_shown, traces_of
from gradlab.ui.parts.figure import figure
from gradlab.ui.parts.section import section
from gradlab.words import flow
from gradlab.words.how_to_read import Words
from gradlab.words.languages import _

shared = settings.current()
with pins.below(norms.ask_seeds) as rest:
    traces = traces_of(shared.subjects, pins.of_pins(shared))
    state, names, sentence = state_shown(traces, shared.state), flow.names(traces), flow.opening(traces)
    norms.begin(shared)
    shown = following.of("gradient_flow")
    shown.every_sentence(rest)
    shown.figure()
places = st.columns(len(traces))
cards(shared.subjects, places)
remedies.draw(shared.subjects, places, "gradient_flow")
last_loss.draw(shared.subjects, traces, sentence)

with section(_("Every layer at every step"), "gradient_flow_layers") as is_open:
    if is_open:
        rows = Table.of(each(trace, shared.subjects), "table", settings.of_state(state))
        draw = partial(layers_by_steps, relative=shared.relative)
        title = _("Layers and steps: {cells}").format(cells=names)
        figure(draw, rows, Words("layers and steps", title, flow.by_layer(traces)), StepBins())
check_section.draw(shared.subjects)
