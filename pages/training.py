"""The training room: the same batches for every cell, the loss as it falls, and the gradient's reach as it changes."""

from functools import partial

import streamlit as st

from gradlab.charts import training
from gradlab.ui import made
from gradlab.ui.frame import settings as controls
from gradlab.ui.parts.export_bar import export_bar
from gradlab.ui.parts.picture import show
from gradlab.ui.training import job_controls
from gradlab.ui.training import training_page as training_room
from gradlab.ui.training.cards import cards
from gradlab.words.how_to_read import how_to_read

choice = training_room.choose()
job = training_room.training_job(choice)
settings = controls.current()
dark = controls.dark()
experiments = [run.experiment for run in job.runs]


def curves() -> None:
    tables = training_room.histories(job)
    sentence = training_room.result_sentence(job, tables)
    st.markdown(sentence)
    cards(job, tables)
    job_controls.progress(job)
    clip = [(job.runs[0].recipe.clip_norm, "clipped above")] if job.runs[0].recipe.clip_norm else []
    pictures = [("loss", "loss", training_room.levels(job.runs[0])), ("gradient norm", "gradient_norm", clip)]
    for column, (subject, name, levels) in zip(st.columns(2), pictures, strict=True):
        with column:
            st.markdown(f"**{subject.capitalize()}**")
            described = f"{subject.capitalize()} against update. {sentence}"
            chart = training_room.draw_curve(job, name, training_room.rules(levels), subject, described)
            if subject == "gradient norm":
                st.caption(training_room.clipping_sentence(job, tables))
            if chart is not None:
                with st.container(horizontal=True):
                    heading = f"{subject.capitalize()}: {training_room.told(job)}"
                    told = {"title": heading, "subtitle": sentence, "made": made.history(job)}
                    export_bar(chart, partial(training_room.together, job), experiments, subject, **told)
                    how_to_read(subject)


def maps() -> None:
    tables, domain = training_room.maps(job, layer, settings.state)
    for column, run, table in zip(st.columns(len(tables)), job.runs, tables, strict=True):
        with column:
            name, state = job_controls.title(run), training_room.state_of(run, settings.state)
            st.markdown(f"**{name}**: how far back the gradient reaches")
            chart = training.reach(table, domain, state=state, dark=dark)
            show(chart, f"{name}: log10 gradient norm by update and lag")
            if not job.running:
                heading = f"Gradient by update and lag, {name}: {training_room.told(job)}"
                program = made.reach(job, layer, state)
                export_bar(chart, table.copy, [run.experiment], f"{name} reach", heading, made=program)


job_controls.buttons("training", job)
st.caption(training_room.told(job))
job_controls.look(job, curves, job_controls.LOOK_AT_WORDS_EVERY)
st.subheader("The gradient as the network learns", anchor=False)
layer = controls.layer(min(experiment.depth for experiment in experiments))
job_controls.look(job, maps, job_controls.LOOK_AT_MAPS_EVERY)
with st.container(horizontal=True):
    how_to_read("reach")
    job_controls.keep_and_open("training", job, training_room.opened_job)


def before_and_after() -> None:
    updates = training_room.traced_updates(job)
    _, domain = training_room.maps(job, layer, settings.state)
    chosen = updates[-1]
    if len(updates) > 1:
        chosen = st.select_slider(
            "Update shown at the right: pull it to see the gradient change", updates, updates[-1],
            key=f"shown of {len(updates)}",
        )  # fmt: skip
    for column, (word, update) in zip(st.columns(2), (("Before", updates[0]), ("After", chosen)), strict=True):
        with column:
            st.markdown(f"**{word}: {update} updates**")
            table = training_room.traces_at(job, update)
            chart = training.flow(training_room.drawn(table, settings.state), domain, dark=dark)
            show(chart, f"Gradient norms {word.lower()}, at update {update}")
            if not job.running:
                heading = f"Gradient norms at update {update}: {training_room.told(job)}"
                program = made.traces(job, update)
                export_bar(chart, table.copy, experiments, f"traces {word.lower()}", heading, made=program)


st.subheader("Before and after", anchor=False)
job_controls.look(job, before_and_after, job_controls.LOOK_AT_MAPS_EVERY)
how_to_read("before and after")
