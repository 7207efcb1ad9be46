"""The training page: the same batches for every cell, the loss as it falls, and the gradient's reach as it changes."""

from functools import partial

import streamlit as st

from gradlab.ui.frame import settings
from gradlab.ui.parts import pins
from gradlab.ui.parts.section import section
from gradlab.ui.training import job_controls, training_page
from gradlab.ui.training.job_controls import MAPS_EVERY, WORDS_EVERY, redraw_while_running
from gradlab.words.languages import _

choice = training_page.choose()
with pins.below(holds=False):
    job = training_page.training_job(choice)
    state = settings.current().state

    job_controls.row("training", job, training_page.opened_job, WORDS_EVERY)
    redraw_while_running(job, partial(training_page.curves, job, training_page.of_pins(choice)), WORDS_EVERY)

st.header(_("The gradient as the network learns"), anchor=False)
layer = settings.layer(job.depth)
redraw_while_running(job, partial(training_page.maps, job, layer, state), MAPS_EVERY)

with section(_("Before and after"), "training_before") as is_open:
    if is_open:
        redraw_while_running(job, partial(training_page.before_and_after, job, layer, state), MAPS_EVERY)
