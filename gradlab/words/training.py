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
from gradlab.words.languages import N_, _
from gradlab.words.numbers import counted, listed, number
from gradlab.words.pins import difference

RECENT = 10  # updates that a card's numbers, and the sentence's, are means of
STARTING = N_("Starts a process to train in: a few seconds, the first time")


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
    clips = ((_("norm clipped at {clip}"), recipe.clip_norm), (_("entries clipped at {clip}"), recipe.clip_value))
    clipped = ", ".join(text.format(clip=f"{clip:g}") for text, clip in clips if clip is not None)
    backs = {
        "full": "", "chunks": _(", back-propagated by chunks of {steps}"),
        "windows": _(", back-propagated by windows of {steps}"),
    }  # fmt: skip
    back = backs[run.schedule.kind].format(steps=counted(run.schedule.k2, "step"))
    text = _("{task}, {steps}, batches of {batch}; {optimizer} at {rate}, {clipped}{back}")
    return text.format(
        task=run.task.title, steps=counted(run.experiment.steps, "step"), batch=run.experiment.batch_size,
        optimizer=recipe.optimizer, rate=f"{recipe.learning_rate:g}", clipped=clipped or _("not clipped"), back=back,
    )  # fmt: skip


def loss_levels(task: Task, steps: int) -> pd.DataFrame:
    """A task's baselines and where it counts as solved, as rules of a chart: columns log10_value and label."""
    levels = [(baseline.loss, f"{baseline.of}: {baseline.loss:.4g}") for baseline in task.baselines(steps)]
    if task.solved_share != 1:
        levels.append((task.solved(steps), _("solved: {level}").format(level=f"{task.solved(steps):.3g}")))
    return _rules(levels)


def clip_levels(recipe: Recipe) -> pd.DataFrame:
    """The norm above which a gradient is clipped, as a rule likewise."""
    return _rules([(recipe.clip_norm, _("clipped above"))] if recipe.clip_norm else [])


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
        text = _("{task} Without learning the loss is {loss} ({of}).")
        return text.format(task=task.meaning, loss=f"{baseline.loss:.4g}", of=baseline.of)
    parts = []
    for run, table in zip(runs, tables, strict=True):
        at = solved_at(table, level)
        text = _("{cell} is at {loss}") if at is None else _("{cell} solved it at update {update}")
        loss = f"{table['loss'].tail(RECENT).mean():.3g}"
        parts.append(text.format(cell=run.experiment.title, loss=loss, update=at))
    text = _("After {updates}: {cells} (solved below {level}; {of}: {baseline}).")
    levels = {"level": f"{level:.3g}", "of": baseline.of, "baseline": f"{baseline.loss:.4g}"}
    return text.format(updates=counted(done, "update"), cells=", ".join(parts), **levels)


def clipped(runs: Sequence[Run], tables: Sequence[pd.DataFrame]) -> str:
    """How often each gradient was clipped, and what share of its norm was kept."""
    parts = []
    for run, table in zip(runs, tables, strict=True):
        share, kept = clipping(table)
        text = (
            _("{cell} in {share} of {updates}, to {kept} of its norm on average")
            if share
            else _("{cell} in {share} of {updates}")
        )
        shares = {"share": f"{share:.1%}", "kept": f"{kept:.0%}"}
        parts.append(text.format(cell=run.experiment.title, updates=counted(len(table), "update"), **shares))
    return _("Clipped: {cells}.").format(cells="; ".join(parts))


def recent_loss(table: pd.DataFrame) -> str:
    """The loss of the last updates, for a card."""
    return f"{table['loss'].tail(RECENT).mean():.4f}"


def recent_metric(task: Task, table: pd.DataFrame) -> str:
    """The metric over the last updates, and the share of updates clipped, for a card."""
    metric = table["metric"].tail(RECENT).mean()
    text = _("{share} right") if task.objective == "cross_entropy" else _("{share} of answers within {tolerance}")
    does = text.format(share=f"{metric:.0%}", tolerance=f"{task.tolerance:g}")
    does = does if task.metric == "accuracy" else f"{metric:.3g} {_(task.metric)}"
    return _("{does}; {share} clipped").format(does=does, share=f"{clipping(table)[0]:.0%}")


def under_way(done: int, updates: int, pace: float, seconds_left: float) -> str:
    """How far a training is, how fast, and how long it still takes; a pace of 0 is not known yet."""
    text = (
        _("Update {done} of {all}, {pace} updates a second, about {seconds} s left")
        if pace
        else _("Update {done} of {all}")
    )
    return text.format(done=done, all=updates, pace=f"{pace:.0f}", seconds=f"{seconds_left:.0f}")


def waiting(ahead: int) -> str:
    """Of a training that waits for a place."""
    text = (
        _("Waits for a place among the trainings of this server: {trainings} before this one")
        if ahead
        else _("Waits for a place among the trainings of this server: this one is next")
    )
    return text.format(trainings=counted(ahead, "other training"))


def died(how: str, done: int, kept: int) -> str:
    """That the process of a training has ended; `kept` is the update whose weights are there."""
    if not done:
        text = _("The process that trains ended {how} before it had made an update. Start the training again.")
        return text.format(how=how)
    text = (
        _(
            "The process that trains ended {how} after update {done}. What was measured until then is kept. "
            "Continue: it goes on from the weights of update {kept}."
        )
        if kept == done
        else _(
            "The process that trains ended {how} after update {done}. What was measured until then is kept. "
            "Continue: it goes on from the weights of update {kept} and makes {updates} again, to the same numbers."
        )
    )
    return text.format(how=how, done=done, kept=kept, updates=counted(done - kept, "update"))


def reach(experiment: Experiment) -> str:
    """Above a map of update and lag."""
    return _("**{cell}**: how far back the gradient reaches").format(cell=experiment.title)


def reached(table: pd.DataFrame, state: str) -> str:
    """What arrives from the farthest lag at the first update of a map and at the last, as `gradlab.training.reach`."""
    if table.empty:
        return ""
    farthest = table[table["lag"] == table["lag"].max()].sort_values("update")
    sizes = [number(size) for size in farthest["log10_relative"].iloc[[0, -1]]]
    updates = [counted(int(update), "update") for update in farthest["update"].iloc[[0, -1]]]
    text = _("{size} after {updates}")
    each = [text.format(size=size, updates=when) for when, size in dict(zip(updates, sizes, strict=True)).items()]
    text = _("At the farthest lag, relative to the injected gradient, in {state}: {sizes}.")
    return text.format(state=state, sizes=listed(each))


def arriving(table: pd.DataFrame, state: str) -> str:
    """What arrives in a state of the bottom layer at the first step, of every cell; of one that has none, in its h."""
    first = table[(table["layer"] == 0) & (table["step"] == table["step"].min())]
    parts = []
    for cell, rows in first.groupby("cell", sort=False):
        sizes = rows.set_index("state")["log10_relative"]
        shown = sizes.index if state == "all" else [state if state in sizes.index else "h"]
        text = _("{cell} {size} in {state}")
        parts += [text.format(cell=CELLS[str(cell)].title, size=number(sizes[name]), state=name) for name in shown]
    text = _("At the first step of the bottom layer, relative to the injected gradient: {sizes}.")
    return text.format(sizes=", ".join(parts))
