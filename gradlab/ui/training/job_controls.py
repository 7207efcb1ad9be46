"""What the pages that train have in common: the session's job, how it is trained, its buttons, and its kept runs."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st

from gradlab.cells import CELLS
from gradlab.settings.catalogue import default
from gradlab.settings.experiment import Experiment
from gradlab.settings.trained import kept_as
from gradlab.training import OPTIMIZERS, Recipe, Run, checkpoints
from gradlab.ui.frame import opened_runs as opened
from gradlab.ui.frame import settings as controls
from gradlab.ui.frame.widgets import URL_OPTIONS
from gradlab.ui.training.job import Job

RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0)
CLIPS = (0.01, 0.1, 0.3, 1.0, 3.0, 10.0, "none")
TRACES = 40  # over a run
LOOK_EVERY = 0.5  # seconds, at what a character model writes and expects
LOOK_AT_WORDS_EVERY = 1.0  # where the curves look for themselves
LOOK_AT_MAPS_EVERY = 6.0


def title(run: Run) -> str:
    return CELLS[run.experiment.cell].title


def recipe(updates: int, rate_key: str, rate: float) -> Recipe:
    """How it is trained; the learning rate is asked for under a key of the page's own, since tasks need their own."""
    with st.popover("Optimizer", width="stretch"):
        optimizer = st.selectbox("Optimizer", list(OPTIMIZERS), key="optimizer", **URL_OPTIONS)
        chosen = st.select_slider("Learning rate", RATES, rate, key=rate_key, **URL_OPTIONS)
        norm = st.select_slider("Clip the gradient's norm at", CLIPS, 1.0, key="clip_norm", **URL_OPTIONS)
        value = st.select_slider("Clip every entry at", CLIPS, "none", key="clip_value", **URL_OPTIONS)
    clips = {"clip_norm": norm, "clip_value": value}
    return Recipe(
        updates=updates, optimizer=optimizer, learning_rate=chosen, trace_every=max(1, updates // TRACES),
        **{name: None if clip == "none" else clip for name, clip in clips.items()},
    )  # fmt: skip


def sized(one: Experiment, **sizes: int) -> Experiment:
    """The network over a task's sizes: what it reads and where its loss is are the task's, not the sidebar's."""
    plain = {name: default(name) for name in controls.OF_THE_TASK}
    longest = max(sizes["steps"], one.steps)  # a window of the sidebar's sequence fits it, and is shortened with it
    return one.replace(**plain | sizes | {"steps": longest}).shortened(sizes["steps"])


def job_of(page: str, choice: Any, make: Callable[[], Job]) -> Job:
    """The session's job for a choice; another choice ends the one before. Stops the page where it cannot be made."""
    kept = st.session_state.get(f"job {page}")
    if kept is not None and kept[0] == choice:
        return kept[1]
    if kept is not None:
        kept[1].pause()
    try:
        with st.spinner("Preparing the networks …"):
            job = make()
    except ValueError as error:
        st.error(str(error), title="This cannot be trained")
        st.stop()
    st.session_state[f"job {page}"] = (choice, job)
    return job


def buttons(page: str, job: Job) -> None:
    """Start, pause, stop: a paused run is kept and goes on, a stopped one is put aside and start begins anew."""
    with st.container(horizontal=True):
        if job.running:
            st.button("Pause", key=f"pause {page}", on_click=job.pause, type="primary")
        elif not job.finished:
            word = "Continue" if job.done else "Start training"
            st.button(word, key=f"start {page}", on_click=job.start, type="primary")
        if job.done:
            st.button("Stop and begin anew", key=f"stop {page}", on_click=_put_aside, args=(page, job))
        if job.done and not all(run.diverged for run in job.runs):
            st.button("Open these weights in every page", key=f"look {page}", on_click=_open, args=(job,))


def _open(job: Job) -> None:
    job.pause()
    opened.open_runs(job.runs)


def _put_aside(page: str, job: Job) -> None:
    job.pause()
    st.session_state.pop(f"job {page}", None)


def look(job: Job, draw: Callable[[], None], every: float) -> None:
    """Draws, and draws again while the job runs; when it has ended the whole page is drawn once more."""
    running = job.running

    def part() -> None:
        job.watch()
        if job.error is not None:
            st.error(str(job.error), title="The training ended with an error")
        draw()
        if running and not job.running:
            st.rerun()

    st.fragment(part, run_every=every if running else None)()


def progress(job: Job) -> None:
    """How far, how fast, how long still."""
    text = f"Update {job.done} of {job.updates}"
    if job.running and job.pace:
        text += f", {job.pace:.0f} updates a second, about {job.seconds_left:.0f} s left"
    elif job.finished:
        text += f", done in {job.seconds:.1f} s"
    st.progress(min(job.done / job.updates, 1.0), text)
    for run in job.runs:
        if run.diverged is not None:
            st.warning(f"{title(run)}: {run.diverged.sentence}")


def _traced(run: Run) -> Run:
    """The run, with as many traces as the page's own have where it was to have none: they change nothing else."""
    if run.recipe.trace_every is None:
        run.recipe = replace(run.recipe, trace_every=max(1, run.recipe.updates // TRACES))
    return run


def keep_and_open(page: str, job: Job, make: Callable[[Run], Job]) -> None:
    """Runs that stand still as files, and a file to go on from; `make` gives the page's job of the opened run.

    What is opened stays until another setting of the page is chosen.
    """
    with st.popover("Keep or open a run"):
        if job.running:
            st.caption("Pause the training to keep its runs.")
        for run in () if job.running else job.runs:
            name = kept_as(run.task, run.experiment, run.done)
            data = partial(checkpoints.save, run)
            label = f"{title(run)}, {run.done} updates"
            st.download_button(label, data, name, "application/octet-stream", on_click="ignore", key=f"keep {name}")
        file = st.file_uploader("Open a kept run", ["safetensors"], key=f"open {page}")
        if file is not None and st.button("Open", key=f"opened {page}"):
            try:
                found = make(_traced(checkpoints.load(file.getvalue())))
            except ValueError as error:
                st.text(str(error))
                return
            job.pause()
            st.session_state[f"job {page}"] = (st.session_state[f"job {page}"][0], found)
            st.rerun()
