"""A character model: what it expects next, what it writes, how far back it looks, and what one unit does."""

from functools import partial

import streamlit as st

from gradlab.cells import CELLS
from gradlab.charts import characters
from gradlab.ui import character_room, controls, training_room
from gradlab.ui.export_bar import export_bar
from gradlab.ui.picture import show
from gradlab.ui.reading import how_to_read

choice = character_room.choose()
job = character_room.job(choice)
dark = controls.dark()
experiment = job.runs[0].experiment
training_room.buttons("characters", job)
text = character_room.text_to_read(character_room.model(job), choice)


def picture(chart, table, subject: str, sentence: str) -> None:
    show(chart, f"{subject}. {sentence}")
    if not job.running:
        take_home(chart, table, subject, sentence)


def take_home(chart, table, subject: str, sentence: str) -> None:
    with st.container(horizontal=True):
        export_bar(chart, table.copy, [experiment], subject, subject.capitalize(), sentence)
        how_to_read(subject)


def learning() -> None:
    tables = training_room.histories(job)
    training_room.progress(job)
    left, right = st.columns(2)
    last = tables[0].iloc[-1]
    with left:
        figures = st.columns(2)
        figures[0].metric("Loss (nats a character)", f"{last.loss:.4f}", border=True)
        figures[1].metric("Bits a character", f"{last.metric:.4f}", border=True)
        drawn, rules = training_room.curves(tables, "loss"), training_room.rules(training_room.levels(job.runs[0]))
        chart = training_room.draw_curve(job, drawn, rules, "loss", "Loss by update.")
        if chart is not None:
            take_home(chart, tables[0], "loss", "Loss by update.")
    with right:
        st.markdown("**It writes**")
        temperature = st.slider("Temperature", 0.0, 2.0, 0.8, 0.1, key="temperature", **training_room.BOUND)
        st.code(character_room.written(character_room.model(job), choice, temperature, job.done), None, wrap_lines=True)
        st.markdown("**It expects** :small[(green: what the text really goes on with)]")
        most = max(len(text) - 1 - character_room.MOST_STEPS, 0)
        first = st.slider("From character", 0, most, 0, key="first shown") if most else 0
        table = character_room.bars(character_room.model(job), text, first)
        picture(characters.expectations(table, dark=dark), table, "expectations", "The likeliest next characters.")


def looking_back() -> None:
    model = character_room.model(job)
    at = len(text) - 2
    if len(text) > 3:
        at = st.slider("The prediction after character", 0, len(text) - 2, len(text) - 2, key="prediction at")
    table = character_room.reach_rows(model, text, at)
    sentence = character_room.reach_sentence(table)
    st.markdown(sentence)
    chart = characters.shaded(table, quantity="norm of ∂ℓ/∂x", log10=True, marked=at, dark=dark)
    picture(chart, table, "characters' gradients", sentence)


def one_unit() -> None:
    model = character_room.model(job)
    first, second, third = st.columns(3)
    unit = first.number_input("Unit", 0, experiment.hidden_size - 1, 0, key="unit")
    layer = second.number_input("Layer", 0, experiment.depth - 1, 0, key="unit layer")
    state = third.segmented_control(
        "Of state", CELLS[experiment.cell].states, default="h", required=True, key="unit state"
    )
    table = character_room.unit_rows(model, text, unit, layer, state or "h")
    chart = characters.shaded(table, quantity=f"{state}[{unit}]", log10=False, dark=dark)
    picture(chart, table, "unit", f"Unit {unit} of layer {layer} over the text.")


watch = partial(training_room.look, job)
watch(learning, training_room.LOOK_EVERY)
st.subheader("How far back does a prediction look?", anchor=False)
watch(looking_back, training_room.LOOK_AT_MAPS_EVERY)
st.subheader("One unit, watched over the text", anchor=False)
watch(one_unit, training_room.LOOK_AT_MAPS_EVERY)
if choice.reads == "hello":
    st.subheader("In numbers", anchor=False)
    numbers = partial(character_room.in_numbers, text=text)
    watch(lambda: st.dataframe(numbers(character_room.model(job)), hide_index=True), training_room.LOOK_EVERY)
training_room.keep_and_open("characters", job)
