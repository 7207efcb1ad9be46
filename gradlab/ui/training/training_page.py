"""The training page's parts: what is chosen, and what its charts and sentences are made of."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import streamlit as st

from gradlab.analyses.thinning import thin
from gradlab.cells import CELLS
from gradlab.charts import training
from gradlab.charts.polled import polled
from gradlab.settings.experiment import Experiment
from gradlab.settings.tasks import TASKS
from gradlab.training import Recipe, Run, clipping, curve, gradients, reach, solved_at
from gradlab.ui.frame import settings as controls
from gradlab.ui.frame.widgets import URL_OPTIONS
from gradlab.ui.parts.picture import show, show_vega
from gradlab.ui.training import job_controls, live
from gradlab.ui.training.job import Job
from gradlab.ui.training.job_controls import job_of, title

LENGTHS = (10, 20, 25, 30, 40, 50, 75, 100, 150, 200, 300, 500)
BATCHES = (1, 4, 8, 16, 32, 64, 128)
UPDATES = (20, 100, 200, 500, 1000, 2000, 3000, 5000, 10000)
_COPYING = {"initialization": "orthogonal", "hidden_size": 128, "forget_bias": 3.0, "dtype": "float32"}
PART = {  # settings at which some of the RNN, LSTM and GRU learn a task and others do not, in a minute at most
    "adding": {"task_steps": 50, "updates": 1000, "learning_rate": 3e-3},
    "delayed_recall": {"task_steps": 30, "updates": 1000, "learning_rate": 1e-2, "forget_bias": 3.0},
    "copy_memory": {"task_steps": 25, "updates": 2000, "learning_rate": 1e-2, **_COPYING},
    "temporal_order": {"task_steps": 30, "updates": 500, "learning_rate": 3e-3},
}
POINTS = 400  # of a curve on the screen


class Choice(NamedTuple):
    """What is to be trained; it names a job."""

    task: str
    experiments: tuple[Experiment, ...]
    recipe: Recipe


def choose() -> Choice:
    """The page's own settings, and the networks of the shared ones."""
    tasks = [name for name in TASKS if TASKS[name].text is None]
    first = st.columns([3, 2, 2, 2, 2], vertical_alignment="bottom")
    titles = {name: TASKS[name].title for name in tasks}
    help_text = "\n".join(f"- **{titles[name]}**: {TASKS[name].meaning}" for name in tasks)
    with first[0]:
        title = st.selectbox("Task", list(titles.values()), key="task", help=help_text, **URL_OPTIONS)
        task = next(name for name in tasks if titles[name] == title)
    with first[1]:
        steps = st.select_slider("Length (steps)", LENGTHS, 50, key="task_steps", **URL_OPTIONS)
    with first[2]:
        batch = st.select_slider("Batch (sequences)", BATCHES, 64, key="task_batch", **URL_OPTIONS)
    with first[3]:
        updates = st.select_slider("Updates", UPDATES, 1000, key="updates", **URL_OPTIONS)
    with first[4]:
        recipe = job_controls.recipe(updates, "learning_rate", 3e-3)
    if any(st.session_state[name] != value for name, value in PART.get(task, {}).items()):
        to_part = {"on_click": st.session_state.update, "kwargs": PART[task]}
        st.button("Use settings at which the cells part", key="part", **to_part)
    networks = controls.current().experiments
    return Choice(task, tuple(job_controls.sized(one, batch_size=batch, steps=steps) for one in networks), recipe)


def training_job(choice: Choice) -> Job:
    """The session's job: all networks on the same batches."""
    return job_of("training", choice, lambda: Job([Run(one, choice.task, choice.recipe) for one in choice.experiments]))


def opened_job(run: Run) -> Job:
    """A kept run, to go on."""
    return Job([run])


def told(job: Job) -> str:
    """Of an opened run, what is trained: the settings above are not its own."""
    run, recipe = job.runs[0], job.runs[0].recipe
    clips = {"norm": recipe.clip_norm, "entries": recipe.clip_value}
    clipped = ", ".join(f"{what} clipped at {clip:g}" for what, clip in clips.items() if clip is not None)
    back = "" if run.schedule.kind == "full" else f", back-propagated by {run.schedule.kind} of {run.schedule.k2} steps"
    return (
        f"{run.task.title}, {run.experiment.steps} steps, batches of {run.experiment.batch_size}; "
        f"{recipe.optimizer} at {recipe.learning_rate:g}, {clipped or 'not clipped'}{back}."
    )


def histories(job: Job) -> list[pd.DataFrame]:
    """One table a run, a row an update, of what is there now."""
    return job.histories()


def rules(levels: Sequence[tuple[float, str]]) -> pd.DataFrame:
    """Labelled levels for a chart of log10 values."""
    return pd.DataFrame(
        {"log10_value": [np.log10(level) for level, _ in levels], "label": [name for _, name in levels]}
    )


def draw_curve(job: Job, column: str, rules: pd.DataFrame, quantity: str, description: str) -> Any:
    """Draws a curve: the whole chart, which is returned, where the job stands still, else one that follows it."""
    if not job.running:
        table = pd.concat([curve(table, column) for table in histories(job)], ignore_index=True)
        drawn = thin(table, POINTS, "update", ["log10_value"], ("cell",))  # the mean is smooth: any rows draw it
        chart = training.curve(drawn, rules, job.updates, quantity=quantity, dark=controls.dark())
        show(chart, description)
        return chart
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.log10(np.concatenate(live.measured(job, column)))
    domain = training.curve_domain(pd.DataFrame({"log10_value": values}), rules)
    names = tuple(dict.fromkeys(run.experiment.cell for run in job.runs))
    levels = tuple(rules.itertuples(index=False, name=None))
    address = live.address(job, column)
    show_vega(
        _live_curve(names, domain, levels, job.updates, quantity, controls.dark(), address), f"{quantity} by update"
    )
    return None


@lru_cache(maxsize=60)  # compiling takes some 80 ms; Streamlit's cache would make a copy every time
def _live_curve(
    cells: tuple[str, ...], domain: tuple[float, float], levels: tuple, updates: int, quantity: str, dark: bool,
    address: str,
) -> dict:  # fmt: skip
    rules = pd.DataFrame(levels, columns=list(training.RULE_COLUMNS))
    chart = training.live_curve(cells, domain, rules, updates, quantity=quantity, dark=dark)
    return polled(chart, address, live.LOOK_EVERY)


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
    if not job.done:
        return f"{run.task.meaning} Without learning: {baseline.loss:.4g}, {baseline.of}."
    parts = []
    for one, table in zip(job.runs, tables, strict=True):
        name, at = title(one), solved_at(table, level)
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


def maps(job: Job, layer: int, state: str) -> tuple[list[pd.DataFrame], list[float]]:
    """Update × lag of every run, and the decades they share; of cells without the state, their h."""
    tables = [
        reach(list(records), layer=layer, state=state_of(run, state))
        for run, records in zip(job.runs, job.records, strict=True)
    ]
    values = np.concatenate([table["log10_relative"].to_numpy(float) for table in tables])
    values = values[np.isfinite(values)]
    return tables, [min(-1.0, float(values.min(initial=0))), max(1.0, float(values.max(initial=0)))]


def state_of(run: Run, state: str) -> str:
    """The state if the run's cell has it, else h."""
    return state if state in CELLS[run.experiment.cell].states else "h"


def traced_updates(job: Job) -> list[int]:
    """The updates of which there is a trace of any run."""
    return sorted({record.update for records in job.records for record in list(records) if record.trace is not None})


def traces_at(job: Job, update: int) -> pd.DataFrame:
    """Every run's trace of all layers and states at an update."""
    found = [gradients([record for record in list(records) if record.update == update]) for records in job.records]
    return pd.concat([table for table in found if len(table)], ignore_index=True)


def drawn(table: pd.DataFrame, state: str) -> pd.DataFrame:
    """The rows of the state that is shown, or of both; of cells without c, their h."""
    if state == "both":
        return table
    has = table.groupby("cell")["state"].transform(lambda own: state in set(own))
    return table[table["state"] == has.map({True: state, False: "h"})]


def together(job: Job) -> pd.DataFrame:
    """Every update of every run, for exports."""
    return pd.concat(histories(job), ignore_index=True)
