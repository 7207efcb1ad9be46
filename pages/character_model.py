"""A character model: what it expects next, what it writes, how far back it looks, and what one unit does."""

from functools import partial

import streamlit as st

from gradlab.settings.tasks import HELLO
from gradlab.ui.parts.section import section
from gradlab.ui.training import character_page, job_controls
from gradlab.ui.training.job_controls import EVERY, MAPS_EVERY, redraw_while_running
from gradlab.words.languages import _

job = character_page.character_job(character_page.choose())
job_controls.row("characters", job, character_page.opened_job, EVERY)
text = character_page.text_to_read(job)
redraw_while_running(job, partial(character_page.learning, job, text), EVERY)

st.header(_("How far back does a prediction look?"), anchor=False)
redraw_while_running(job, partial(character_page.looking_back, job, text), MAPS_EVERY)

with section(_("One unit, watched over the text"), "character_model_unit") as is_open:
    if is_open:
        redraw_while_running(job, partial(character_page.one_unit, job, text), MAPS_EVERY)
if text == HELLO:
    with section(_("In numbers"), "character_model_numbers") as is_open:
        if is_open:
            redraw_while_running(job, partial(character_page.numbers, job), EVERY)
