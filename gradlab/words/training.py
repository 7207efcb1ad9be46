"""Sentences about runs: recipe, progress and clipping."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from gradlab.cells import CELLS
from gradlab.settings.experiment import Experiment
from gradlab.settings.pins import Pin
from gradlab.settings.subject import Subject
from gradlab.settings.tasks import Task
from gradlab.training import Recipe, Run, clipping, solved_at
from gradlab.training.replay import Measured
from gradlab.words.languages import _
from gradlab.words.numbers import counted, listed, number
from gradlab.words.pins import difference

RECENT = 10  # updates that a card's numbers, and the sentence's, are means of
STARTING = "Starts a process to train in: a few seconds, the first time"


def names(runs: Sequence[Run]) -> str:
    """The cells that are trained, as a phrase."""
    return listed([run.experiment.title for run in runs])


def compared(pin: Pin, measured: Sequence[Measured], made: int, now: Sequence[Subject]) -> str:
    """A pin's losses after so many updates, means of the last ones, or why it has none."""
    name = f"**{pin.name}** ({difference(pin, now)})"
    if not measured:
        return _(
            "{pin} has no curves yet: a pin keeps settings. Swap with it and start the training; they then stay here."
        ).format(pin=name)
    means = [np.mean([record.loss for record in run.records[-RECENT:]]) for run in measured]
    losses = [f"{run.experiment.title} {mean:.3g}" for run, mean in zip(measured, means, strict=True)]
    text = _("{pin}, grey: a loss of {losses} after {updates}.")
    return text.format(pin=name, losses=listed(losses), updates=counted(made, "update"))


def description(run: Run) -> str:
    """What is trained, and how: the settings of a run that was opened are not those of the page."""
    recipe = run.recipe
    clips = {"norm": recipe.clip_norm, "entries": recipe.clip_value}
    clipped = ", ".join(f"{what} clipped at {clip:g}" for what, clip in clips.items() if clip is not None)
    back = (
        ""
        if run.schedule.kind == "full"
        else f", back-propagated by {run.schedule.kind} of {counted(run.schedule.k2, 'step')}"
    )
    return (
        f"{run.task.title}, {counted(run.experiment.steps, 'step')}, batches of {run.experiment.batch_size}; "
        f"{recipe.optimizer} at {recipe.learning_rate:g}, {clipped or 'not clipped'}{back}"
    )


def loss_levels(task: Task, steps: int) -> pd.DataFrame:
    """A task's baselines and where it counts as solved, as rules of a chart: columns log10_value and label."""
    levels = [(baseline.loss, f"{baseline.of}: {baseline.loss:.4g}") for baseline in task.baselines(steps)]
    if task.solved_share != 1:
        levels.append((task.solved(steps), f"solved: {task.solved(steps):.3g}"))
    return _rules(levels)


def clip_levels(recipe: Recipe) -> pd.DataFrame:
    """The norm above which a gradient is clipped, as a rule likewise."""
    return _rules([(recipe.clip_norm, "clipped above")] if recipe.clip_norm else [])


def _rules(levels: Sequence[tuple[float, str]]) -> pd.DataFrame:
    values = np.array([level for level, _name in levels], float)
    return pd.DataFrame({"log10_value": np.log10(values), "label": [name for _level, name in levels]})


def result(runs: Sequence[Run], tables: Sequence[pd.DataFrame], done: int) -> str:
    """Which cell has solved the task at which update, and where the others are.

    tables    the runs' histories
    done      updates that were made
    """
    task, steps = runs[0].task, runs[0].experiment.steps
    level, baseline = task.solved(steps), task.baselines(steps)[0]
    if not done:
        return f"{task.meaning} Without learning the loss is {baseline.loss:.4g} ({baseline.of})."
    parts = []
    for run, table in zip(runs, tables, strict=True):
        at = solved_at(table, level)
        here = f"is at {table['loss'].tail(RECENT).mean():.3g}" if at is None else f"solved it at update {at}"
        parts.append(f"{run.experiment.title} {here}")
    levels = f"solved below {level:.3g}; {baseline.of}: {baseline.loss:.4g}"
    return f"After {counted(done, 'update')}: {', '.join(parts)} ({levels})."


def clipped(runs: Sequence[Run], tables: Sequence[pd.DataFrame]) -> str:
    """How often each gradient was clipped, and what share of its norm was kept."""
    parts = []
    for run, table in zip(runs, tables, strict=True):
        share, kept = clipping(table)
        left = f", to {kept:.0%} of its norm on average" if share else ""
        parts.append(f"{run.experiment.title} in {share:.1%} of {counted(len(table), 'update')}{left}")
    return f"Clipped: {'; '.join(parts)}."


def recent_loss(table: pd.DataFrame) -> str:
    """The loss of the last updates, for a card."""
    return f"{table['loss'].tail(RECENT).mean():.4f}"


def recent_metric(task: Task, table: pd.DataFrame) -> str:
    """The metric over the last updates, and the share of updates clipped, for a card."""
    metric = table["metric"].tail(RECENT).mean()
    near = "right" if task.objective == "cross_entropy" else f"of answers within {task.tolerance:g}"
    does = f"{metric:.0%} {near}" if task.metric == "accuracy" else f"{metric:.3g} {task.metric}"
    return f"{does}, clipped {clipping(table)[0]:.0%} of updates"


def under_way(done: int, updates: int, pace: float, seconds_left: float) -> str:
    """How far a training is, how fast, and how long it still takes; a pace of 0 is not known yet."""
    speed = f", {pace:.0f} updates a second, about {seconds_left:.0f} s left" if pace else ""
    return f"Update {done} of {updates}{speed}"


def waiting(ahead: int) -> str:
    """Of a training that waits for a place."""
    before = f"{counted(ahead, 'other training')} before this one" if ahead else "this one is next"
    return f"Waits for a place among the trainings of this server: {before}"


def died(how: str, done: int, kept: int) -> str:
    """That the process of a training has ended; `kept` is the update whose weights are there."""
    again = "" if kept == done else f" and makes {counted(done - kept, 'update')} again, to the same numbers"
    if not done:
        return f"The process that trains ended {how} before it had made an update. Start the training again."
    return (
        f"The process that trains ended {how} after update {done}. What was measured until then is kept. "
        f"Continue: it goes on from the weights of update {kept}{again}."
    )


def reach(experiment: Experiment) -> str:
    """Above a map of update and lag."""
    return f"**{experiment.title}**: how far back the gradient reaches"


def reached(table: pd.DataFrame, state: str) -> str:
    """What arrives from the farthest lag at the first update of a map and at the last, as `gradlab.training.reach`."""
    if table.empty:
        return ""
    farthest = table[table["lag"] == table["lag"].max()].sort_values("update")
    sizes = [number(size) for size in farthest["log10_relative"].iloc[[0, -1]]]
    updates = [counted(int(update), "update") for update in farthest["update"].iloc[[0, -1]]]
    each = [f"{size} after {when}" for when, size in dict(zip(updates, sizes, strict=True)).items()]
    return f"At the farthest lag, relative to the injected gradient, in {state}: {listed(each)}."


def arriving(table: pd.DataFrame, state: str) -> str:
    """What arrives in a state of the bottom layer at the first step, of every cell; of one that has none, in its h."""
    first = table[(table["layer"] == 0) & (table["step"] == table["step"].min())]
    parts = []
    for cell, rows in first.groupby("cell", sort=False):
        sizes = rows.set_index("state")["log10_relative"]
        shown = sizes.index if state == "all" else [state if state in sizes.index else "h"]
        parts += [f"{CELLS[str(cell)].title} {number(sizes[name])} in {name}" for name in shown]
    return f"At the first step of the bottom layer, relative to the injected gradient: {', '.join(parts)}."
