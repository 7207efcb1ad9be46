"""The last step of the guided story: the story's networks learn a task that asks for memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from gradlab.analyses.story import Step
from gradlab.engine import Progress
from gradlab.engine.progress import silent
from gradlab.settings.experiment import Experiment
from gradlab.training.recipe import Recipe
from gradlab.training.run import Run

LEARNING_COLUMNS = ("path", "update", "loss")
TASK, CELLS_COMPARED = "temporal_order", ("rnn", "lstm", "gru")
RECIPE = Recipe(updates=120, learning_rate=1e-2)
SMOOTHED = 10  # updates, over which a loss is a mean: batches differ
STAYS = 0.9  # of the baseline, above which a cell has not left it


def learning(
    subject: Experiment, cells: Sequence[str] = CELLS_COMPARED, *, progress: Progress | None = None
) -> pd.DataFrame:
    """The loss of every update of every cell, columns `LEARNING_COLUMNS`: `path` is the cell, the loss a running mean.

    The task is the temporal order; the subject's weights, batch size and length are those of the runs. `progress` is
    called with the fraction done; an exception it raises aborts.
    """
    report, tables = progress or silent, []
    for number, cell in enumerate(cells):
        run, losses = Run(subject.replace(cell=cell), TASK, RECIPE), []
        for record in run.records():
            losses.append(record.loss)
            report((number + len(losses) / RECIPE.updates) / len(cells))
        mean = pd.Series(losses).rolling(SMOOTHED, min_periods=1).mean()
        tables.append(pd.DataFrame({"path": cell, "update": np.arange(len(losses)), "loss": mean}))
    return pd.concat(tables, ignore_index=True)


def baseline(subject: Experiment) -> float:
    """The loss of guessing."""
    return Run(subject, TASK, RECIPE).task.baselines(subject.steps)[0].loss


def until(table: pd.DataFrame, updates: int, level: float) -> Step:
    """What has been learned in so many updates; `level` is the baseline.

    Numbers: updates; baseline; and of each cell its loss there, and stays_<cell>, 1 where it has not left the baseline.
    """
    shown = table[table["update"] < updates].reset_index(drop=True)
    losses = {str(row["path"]): float(row["loss"]) for _, row in shown.groupby("path", sort=False).tail(1).iterrows()}
    stays = {f"stays_{cell}": float(not loss < STAYS * level) for cell, loss in losses.items()}
    return Step(shown, {"updates": float(updates), "baseline": level} | losses | stays)
