"""What the pages that train have in common: the session's job, how it is trained, its buttons, and its kept runs."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from gradlab.settings.catalogue import default
from gradlab.settings.experiment import Experiment
from gradlab.settings.trained import kept_as
from gradlab.training import OPTIMIZERS, Recipe, Run, checkpoints
from gradlab.ui.frame import language, linked, opened_runs, shelf
from gradlab.ui.frame.again import by_itself, is_connected, session_id
from gradlab.ui.frame.refusal import refusal
from gradlab.ui.frame.settings import OF_THE_TASK
from gradlab.ui.training.job import Job
from gradlab.ui.training.places import PLACES
from gradlab.words import training as words
from gradlab.words.languages import _, current, speaking

RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0)
CLIPS = (0.01, 0.1, 0.3, 1.0, 3.0, 10.0, "none")
TRACES = 40  # over a run
EVERY = 0.5  # seconds, at what a character model writes and expects
WORDS_EVERY = 1.0  # where the curves fetch their points themselves
MAPS_EVERY = 6.0
ADDRESSES = {"training": "training", "characters": "character_model"}  # of the pages that train


def recipe(updates: int, rate_key: str, rate: float) -> Recipe:
    """How it is trained; the learning rate is asked for under a key of the page's own, since tasks need their own."""
    with st.popover(_("Optimizer"), width="stretch"):
        optimizer = linked.selectbox(_("Optimizer"), list(OPTIMIZERS), key="optimizer")
        learning_rate = _stops(_("Learning rate"), RATES, rate, rate_key)
        clip_norm = _stops(_("Clip the gradient's norm at"), CLIPS, 1.0, "clip_norm")
        clip_value = _stops(_("Clip every entry at"), CLIPS, "none", "clip_value")
    return Recipe(
        updates=updates,
        optimizer=optimizer,
        learning_rate=learning_rate,
        clip_norm=None if clip_norm == "none" else clip_norm,
        clip_value=None if clip_value == "none" else clip_value,
        trace_every=max(1, updates // TRACES),
    )


def _stops(label: str, stops: Sequence[Any], standard: Any, key: str) -> Any:
    return linked.select_slider(label, stops, standard, key=key)


def sized(experiment: Experiment, *, steps: int, batch_size: int) -> Experiment:
    """The network over a task's sizes: what it reads and where its loss is are the task's, not the sidebar's."""
    plain = {name: default(name) for name in OF_THE_TASK if name not in ("steps", "batch_size")}
    longest = max(steps, experiment.steps)  # a window of the sidebar's sequence fits it, and is shortened with it
    return experiment.replace(**plain, steps=longest, batch_size=batch_size).shortened(steps)


def job(runs: Sequence[Run], snapshot: Callable[[Run], Any] | None = None) -> Job:
    """A job of the session whose page is drawn: its training ends with the session."""
    return Job(runs, snapshot, _is_here())


def _is_here() -> Callable[[], bool]:
    return partial(is_connected, session_id())


def left(url_path: str) -> None:
    """Stops what is trained on another page than that at an address: a page that is not seen does not train."""
    for page, address in ADDRESSES.items():
        kept = st.session_state.get(f"job {page}")
        if kept is not None and address != url_path:
            kept[1].left()


def present(page: str) -> Job | None:
    """The session's job of a page, where it has one."""
    kept = st.session_state.get(f"job {page}")
    return None if kept is None else kept[1]


def job_of(page: str, choice: Hashable, make: Callable[[], Job]) -> Job:
    """The session's job for a choice; another choice ends the one before. Stops the page where it cannot be made."""
    kept = st.session_state.get(f"job {page}")
    if kept is None or not kept[1].running:  # it has a process, or waits for one
        PLACES.warm()
    if kept is not None and kept[0] == choice:
        return _kept(page, kept)
    if kept is not None:
        kept[1].pause()
    try:
        with st.spinner(_("Preparing the networks …")):
            job = make()
    except ValueError as error:
        refusal(_("This cannot be trained"), str(error))
        st.stop()
    return _kept(page, (choice, job))


def _kept(page: str, chosen: tuple[Hashable, Job]) -> Job:
    """The job of a choice as the session's, kept over a reload once it is begun."""
    job = chosen[1]
    job.is_open = _is_here()  # after a reload the job is another session's
    if not (job.done or job.running):
        st.session_state[f"job {page}"] = chosen
        return job
    fits = shelf.keep(f"job {page}", chosen, job.size)
    st.session_state[f"kept {page}"] = shelf.SAID if fits else shelf.TOO_LARGE
    return job


def row(page: str, job: Job, opened: Callable[[Run], Job], every: float) -> None:
    """Start, pause, discard: a paused run is kept and can be continued, a discarded one starts from update 0 again; and
    beside these the runs as files, what is trained, and how far it is, drawn again after `every` so many seconds.
    `opened` gives the page's job of an opened run."""
    with st.container(horizontal=True, vertical_alignment="center", key="job_row"):
        if job.running:
            st.button(_("Pause"), key=f"pause {page}", on_click=job.pause, type="primary")
        elif not job.finished:
            word = _("Continue") if job.done else _("Start training")
            st.button(word, key=f"start {page}", on_click=language.spoken(job.start), type="primary")
        if job.done:
            st.button(_("Discard and restart"), key=f"discard {page}", on_click=_discard, args=(page, job))
        if job.done and not all(run.diverged for run in job.runs):
            st.button(_("Show these weights on the other pages"), key=f"show {page}", on_click=_show, args=(job,))
        _keep_and_open(page, job, opened)
        st.caption(words.description(job.runs[0]), width="content")
        redraw_while_running(job, partial(_progress, job), every)
    if job.done:
        st.caption(_(st.session_state.get(f"kept {page}", shelf.SAID)))


def _show(job: Job) -> None:
    job.pause()
    opened_runs.open_runs(job.runs)


def _discard(page: str, job: Job) -> None:
    job.pause()
    shelf.forget(f"job {page}")


def redraw_while_running(job: Job, draw: Callable[[], None], every: float) -> None:
    """Draws, and draws again while the job runs; when it has ended the whole page is drawn once more."""
    running, spoken = job.running, current()

    def part() -> None:
        job.attended()
        with speaking(spoken):  # a fragment is drawn again without its page
            draw()
        if running and not job.running:
            st.rerun()

    by_itself(part, every if running else None)


def _progress(job: Job) -> None:
    """How far, how fast, and how long still."""
    pace = job.pace if job.running else 0.0
    text = words.under_way(job.done, job.updates, pace, job.seconds_left)
    if (ahead := job.ahead) is not None:
        text = words.waiting(ahead)
    elif job.is_starting:
        text = _(words.STARTING)
    if job.finished:
        text += _(", done in {seconds} s").format(seconds=f"{job.seconds:.1f}")
    st.progress(min(job.done / job.updates, 1.0), text)


def trouble(job: Job) -> None:
    """What ended all runs, and which of them diverged."""
    if job.error is not None:
        refusal(_("The training ended with an error"), job.error)
    for run in job.runs:
        if run.diverged is not None:
            st.warning(f"{run.experiment.title}: {run.diverged.sentence}")


def _traced(run: Run) -> Run:
    """The run, with as many traces as the page's own runs where it was to have none: they change nothing else."""
    if run.recipe.trace_every is None:
        run.recipe = replace(run.recipe, trace_every=max(1, run.recipe.updates // TRACES))
    return run


def _keep_and_open(page: str, job: Job, make: Callable[[Run], Job]) -> None:
    """Runs that stand still as files, and a file to continue.

    What is opened stays until another setting of the page is chosen.
    """
    with st.popover(_("Keep or open a run")):
        if job.running:
            st.caption(_("Pause the training to keep its runs."))
        for run in () if job.running else job.runs:
            name = kept_as(run.task, run.experiment, run.done)
            label = _("{cell}, {count} updates").format(cell=run.experiment.title, count=run.done)
            st.download_button(
                label, partial(checkpoints.save, run), name, "application/octet-stream", on_click="ignore",
                key=f"keep {name}",
            )  # fmt: skip
        file = st.file_uploader(_("Open a kept run"), ["safetensors"], key=f"open {page}")
        if file is not None:
            st.button(_("Open"), key=f"opened {page}", on_click=_open, args=(page, job, make, file))
            st.text(st.session_state.get(f"refused {page}", {}).get(file.file_id, ""))


def _open(page: str, job: Job, make: Callable[[Run], Job], file: UploadedFile) -> None:
    try:
        opened = make(_traced(checkpoints.load(file.getvalue())))
    except ValueError as error:
        st.session_state[f"refused {page}"] = {file.file_id: str(error)}
        return
    job.pause()
    shelf.keep(f"job {page}", (st.session_state[f"job {page}"][0], opened), opened.size)
