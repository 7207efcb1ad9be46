"""A character model: what it expects next, what it writes, how far back it looks, and what one unit does."""

from functools import partial

import streamlit as st

from gradlab.analyses.characters import activity, predictions, reach
from gradlab.cells import CELLS
from gradlab.charts import characters
from gradlab.settings.tasks import HELLO
from gradlab.ui import made
from gradlab.ui.frame import settings as controls
from gradlab.ui.frame.widgets import URL_OPTIONS
from gradlab.ui.parts.export_bar import export_bar
from gradlab.ui.parts.picture import show
from gradlab.ui.training import character_page as character_room
from gradlab.ui.training import job_controls
from gradlab.ui.training import training_page as training_room
from gradlab.words.how_to_read import how_to_read

choice = character_room.choose()
job = character_room.job(choice)
run = job.runs[0]
dark = controls.dark()
job_controls.buttons("characters", job)
st.caption(training_room.told(job))
text = character_room.text_to_read(job)


def picture(chart, table, subject: str, sentence: str, program: str) -> None:
    show(chart, f"{subject}. {sentence}")
    if not job.running:
        take_home(chart, table, subject, sentence, program)


def take_home(chart, table, subject: str, sentence: str, program: str) -> None:
    with st.container(horizontal=True):
        heading = f"{subject.capitalize()}: {training_room.told(job)}"
        export_bar(chart, table.copy, [run.experiment], subject, heading, sentence, made=program)
        how_to_read(subject)


def learning() -> None:
    tables = training_room.histories(job)
    job_controls.progress(job)
    left, right = st.columns(2)
    last = tables[0].iloc[-1]
    with left:
        figures = st.columns(2)
        figures[0].metric("Loss (nats a character)", f"{last.loss:.4f}", border=True)
        figures[1].metric("Bits a character", f"{last.metric:.4f}", border=True)
        rules = training_room.rules(training_room.levels(run))
        chart = training_room.draw_curve(job, "loss", rules, "loss", "Loss by update.")
        if chart is not None:
            take_home(chart, tables[0], "loss", "Loss by update.", made.history(job))
    with right:
        st.markdown("**It writes**")
        temperature = st.slider("Temperature", 0.0, 2.0, 0.8, 0.1, key="temperature", **URL_OPTIONS)
        st.code(character_room.written(job, temperature), None, wrap_lines=True)
        st.markdown("**It expects** :small[(green: what the text really goes on with)]")
        most = max(len(text) - 1 - character_room.MOST_STEPS, 0)
        first = st.slider("From character", 0, most, 0, key="first_shown", **URL_OPTIONS) if most else 0
        table = predictions(character_room.model(job), text)
        chart = characters.expectations(character_room.bars(table, character_room.model(job), first), dark=dark)
        picture(chart, table, "expectations", "The likeliest next characters.", made.read(run, "predictions", text))


def looking_back() -> None:
    at = len(text) - 2
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    if len(text) > 3:
        options = {"key": "prediction_at", **URL_OPTIONS}
        at = left.slider("The prediction after character", 0, len(text) - 2, len(text) - 2, **options)
    with right:
        domain = character_room.shading()
    table = reach(character_room.model(job), text, at)
    sentence = character_room.reach_sentence(table)
    st.markdown(sentence)
    rows = character_room.in_rows(table, "log10_gradient")
    look = {"quantity": "norm of ∂ℓ/∂x", "log10": True, "domain": domain, "marked": at, "dark": dark}
    picture(
        characters.shaded(rows, **look), table, "characters' gradients", sentence, made.read(run, "reach", text, at)
    )


def one_unit() -> None:
    first, second, third = st.columns(3)
    unit = first.number_input("Unit", 0, run.experiment.hidden_size - 1, 0, key="watched_unit", **URL_OPTIONS)
    layer = second.number_input("Layer", 0, run.experiment.depth - 1, 0, key="watched_layer", **URL_OPTIONS)
    states = CELLS[run.experiment.cell].states
    chosen = third.segmented_control("Of state", states, default="h", required=True, key="watched_state", **URL_OPTIONS)
    state = chosen or "h"
    table = activity(character_room.model(job), text, unit, layer, state)
    chart = characters.shaded(
        character_room.in_rows(table, "value"), quantity=f"{state}[{unit}]", log10=False, dark=dark
    )
    sentence = f"Unit {unit} of layer {layer} over the text."
    picture(chart, table, "unit", sentence, made.read(run, "activity", text, unit, layer, state))


watch = partial(job_controls.look, job)
watch(learning, job_controls.LOOK_EVERY)
st.subheader("How far back does a prediction look?", anchor=False)
watch(looking_back, job_controls.LOOK_AT_MAPS_EVERY)
st.subheader("One unit, watched over the text", anchor=False)
watch(one_unit, job_controls.LOOK_AT_MAPS_EVERY)
if text == HELLO:
    st.subheader("In numbers", anchor=False)
    numbers = partial(character_room.in_numbers, text=text)
    show_numbers = character_room.show_numbers
    watch(lambda: show_numbers(numbers(character_room.model(job))), job_controls.LOOK_EVERY)
job_controls.keep_and_open("characters", job, character_room.opened_job)
