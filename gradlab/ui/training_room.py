"""The training page's parts: what is chosen, the job that belongs to the session, its buttons, and its tables."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import streamlit as st

from gradlab import checkpoints
from gradlab.cells import CELLS
from gradlab.charts import training
from gradlab.experiment import Experiment
from gradlab.tasks import TASKS
from gradlab.thinning import thin
from gradlab.trained import kept_as
from gradlab.training import OPTIMIZERS, Recipe, Run, clipping, curve, history, reach, solved_at
from gradlab.ui import controls, opened
from gradlab.ui.job import Job
from gradlab.ui.picture import show, show_live

BOUND = {"bind": "query-params", "persist_state": "session"}
LENGTHS = (10, 20, 30, 40, 50, 75, 100, 150, 200, 300, 500)
BATCHES = (1, 4, 8, 16, 32, 64, 128)
UPDATES = (20, 100, 200, 500, 1000, 2000, 3000, 5000, 10000)
RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0)
CLIPS = (0.01, 0.1, 0.3, 1.0, 3.0, 10.0, "none")
PART = {  # settings at which some of the RNN, LSTM and GRU learn a task and others do not, in a minute at most
    "adding": {"task_steps": 50, "updates": 1000, "learning_rate": 3e-3},
    "delayed_recall": {"task_steps": 30, "updates": 1000, "learning_rate": 1e-2, "forget_bias": 3.0},
    "temporal_order": {"task_steps": 30, "updates": 500, "learning_rate": 3e-3},
}
TRACES = 40  # over a run
POINTS = 250  # of a curve on the screen
LOOK_EVERY = 0.5  # seconds, at the curves
LOOK_AT_MAPS_EVERY = 4.0


class Choice(NamedTuple):
    """What is to be trained; it names a job."""

    task: str
    experiments: tuple[Experiment, ...]
    recipe: Recipe


def choose() -> Choice:
    """The page's own settings, and the networks of the shared ones."""
    tasks = [name for name in TASKS if TASKS[name].text is None]
    first = st.columns([3, 2, 2, 2])
    titles = {name: TASKS[name].title for name in tasks}
    help_text = "\n".join(f"- **{titles[name]}**: {TASKS[name].meaning}" for name in tasks)
    with first[0]:
        title = st.selectbox("Task", list(titles.values()), key="task", help=help_text, **BOUND)
        task = next(name for name in tasks if titles[name] == title)
    with first[1]:
        steps = st.select_slider("Length (steps)", LENGTHS, 50, key="task_steps", **BOUND)
    with first[2]:
        updates = st.select_slider("Updates", UPDATES, 1000, key="updates", **BOUND)
    with first[3], st.popover("Optimizer", width="stretch"):
        optimizer = st.selectbox("Optimizer", list(OPTIMIZERS), key="optimizer", **BOUND)
        rate = st.select_slider("Learning rate", RATES, 3e-3, key="learning_rate", **BOUND)
        clip = st.select_slider("Clip the gradient's norm at", CLIPS, 1.0, key="clip_norm", **BOUND)
        batch = st.select_slider("Batch (sequences)", BATCHES, 64, key="task_batch", **BOUND)
    if any(st.session_state[name] != value for name, value in PART.get(task, {}).items()):
        to_part = {"on_click": st.session_state.update, "kwargs": PART[task]}
        st.button("Use settings at which the cells part", key="part", **to_part)
    recipe = Recipe(
        updates=updates, optimizer=optimizer, learning_rate=rate, clip_norm=None if clip == "none" else clip,
        trace_every=max(1, updates // TRACES),
    )  # fmt: skip
    sized = controls.plain_sequence() | {"batch_size": batch, "steps": steps}
    return Choice(task, tuple(one.replace(**sized) for one in controls.current().experiments), recipe)


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


def training_job(choice: Choice) -> Job:
    return job_of("training", choice, lambda: Job([Run(one, choice.task, choice.recipe) for one in choice.experiments]))


def buttons(page: str, job: Job) -> None:
    """Start, pause, stop: a stopped run is put aside, and start begins anew."""
    with st.container(horizontal=True):
        if job.running:
            st.button("Pause", key=f"pause {page}", on_click=job.pause, type="primary")
        elif not job.finished:
            word = "Start training" if job.done <= 1 else "Continue"
            st.button(word, key=f"start {page}", on_click=job.start, type="primary")
        if job.done > 1:
            st.button("Stop and begin anew", key=f"stop {page}", on_click=_put_aside, args=(page, job))
        if job.done > 1 and not all(run.diverged for run in job.runs):
            st.button("Look at it in every page", key=f"look {page}", on_click=_open, args=(job,))


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
    pace = job.done / job.seconds if job.seconds else 0.0
    text = f"Update {job.done} of {job.updates}"
    if job.running and job.done > 1:
        text += f", {pace:.0f} updates a second, about {job.seconds_left:.0f} s left"
    elif job.finished:
        text += f", done in {job.seconds:.1f} s"
    st.progress(min(job.done / job.updates, 1.0), text)
    for run in job.runs:
        if run.diverged is not None:
            st.warning(f"{CELLS[run.experiment.cell].title}: {run.diverged.sentence}")


def histories(job: Job) -> list[pd.DataFrame]:
    """One table an update a run, of what is there now."""
    return [history(list(records), run.experiment.cell) for run, records in zip(job.runs, job.records, strict=True)]


def curves(tables: Sequence[pd.DataFrame], column: str) -> pd.DataFrame:
    """The curves of all runs for the screen."""
    columns = ["log10_value", "log10_mean"]
    return pd.concat([thin(curve(table, column), POINTS, "update", columns, ("cell",)) for table in tables])


def rules(levels: Sequence[tuple[float, str]]) -> pd.DataFrame:
    """Labelled levels for a chart of log10 values."""
    return pd.DataFrame(
        {"log10_value": [np.log10(level) for level, _ in levels], "label": [name for _, name in levels]}
    )


def draw_curve(job: Job, table: pd.DataFrame, rules: pd.DataFrame, quantity: str, description: str) -> Any:
    """Draws a curve: the whole chart, which is returned, where the job stands still, else only its new data."""
    if not job.running:
        chart = training.curve(table, rules, job.updates, quantity=quantity, dark=controls.dark())
        show(chart, description)
        return chart
    domain = training.curve_domain(table, rules)
    specification = _live_curve(training.present(table), domain, job.updates, quantity, controls.dark())
    show_live(specification, {"curves": table, "ends": training.ends(table), "rules": rules}, f"{quantity} by update")
    return None


@st.cache_data(max_entries=60, show_spinner=False)
def _live_curve(cells: tuple[str, ...], domain: tuple[float, float], updates: int, quantity: str, dark: bool) -> dict:
    return training.live_curve(cells, domain, updates, quantity=quantity, dark=dark).to_dict()


def levels(run: Run) -> list[tuple[float, str]]:
    """A task's baselines and where it counts as solved."""
    steps = run.experiment.steps
    found = [(baseline.loss, f"{baseline.of}: {baseline.loss:.4g}") for baseline in run.task.baselines(steps)]
    solved = run.task.solved(steps)
    return found if run.task.solved_share == 1 else [*found, (solved, f"solved: {solved:.3g}")]


def result_sentence(job: Job, tables: Sequence[pd.DataFrame]) -> str:
    """Which cell has solved the task at which update, and where the others are."""
    run = job.runs[0]
    level = run.task.solved(run.experiment.steps)
    baseline = run.task.baselines(run.experiment.steps)[0]
    if job.done <= 1:
        return f"{run.task.meaning} Without learning: {baseline.loss:.4g}, {baseline.of}."
    parts = []
    for one, table in zip(job.runs, tables, strict=True):
        name, at = CELLS[one.experiment.cell].title, solved_at(table, level)
        last = table["loss"].tail(10).mean()
        parts.append(f"{name} solved it at update {at}" if at is not None else f"{name} is at {last:.3g}")
    return (
        f"After {job.done} updates: {', '.join(parts)} (solved below {level:.3g}; {baseline.of}: {baseline.loss:.4g})."
    )


def clipping_sentence(job: Job, tables: Sequence[pd.DataFrame]) -> str:
    """How often each gradient was clipped, and what of its norm it kept."""
    parts = []
    for run, table in zip(job.runs, tables, strict=True):
        share, kept = clipping(table)
        left = f", to {kept:.0%} of its norm on average" if share else ""
        parts.append(f"{title(run)} in {share:.1%} of {len(table)} updates{left}")
    return f"Clipped: {'; '.join(parts)}."


def maps(job: Job) -> tuple[list[pd.DataFrame], list[float]]:
    """Update × lag of every run, and the decades they share."""
    tables = [reach(list(records)) for records in job.records]
    values = np.concatenate([table["log10_relative"].to_numpy(float) for table in tables])
    values = values[np.isfinite(values)]
    return tables, [min(-1.0, float(values.min(initial=0))), max(1.0, float(values.max(initial=0)))]


def traced_updates(job: Job) -> list[int]:
    """The updates of which there is a trace."""
    return [record.update for record in list(job.records[0]) if record.trace is not None]


def flow_at(job: Job, update: int) -> pd.DataFrame:
    """Every run's trace of h at an update."""
    parts = [r.trace.table for records in job.records for r in list(records) if r.update == update and r.trace]
    table = pd.concat(parts, ignore_index=True)
    return table[table["state"] == "h"]


def keep_and_open(page: str, job: Job) -> None:
    """Checkpoints of runs that stand still, and a checkpoint to go on from."""
    with st.popover("Keep or open a run"):
        if job.running:
            st.caption("Pause the training to keep its runs.")
        for run in () if job.running else job.runs:
            name = kept_as(run.task, run.experiment, run.done)
            make = partial(checkpoints.save, run)
            label = f"{CELLS[run.experiment.cell].title}, {run.done} updates"
            st.download_button(label, make, name, "application/octet-stream", on_click="ignore", key=f"keep {name}")
        file = st.file_uploader("Open a kept run", ["safetensors"], key=f"open {page}")
        if file is not None and st.button("Open", key=f"opened {page}"):
            try:
                opened = Job([checkpoints.load(file.getvalue())])
            except ValueError as error:
                st.text(str(error))
                return
            job.pause()
            st.session_state[f"job {page}"] = (st.session_state[f"job {page}"][0], opened)
            st.rerun()


def title(run: Run) -> str:
    return CELLS[run.experiment.cell].title


def together(job: Job) -> pd.DataFrame:
    """Every update of every run, for exports."""
    return pd.concat(histories(job), ignore_index=True)
