"""One card a network under training: its loss, how it does, and how much of its gradient was clipped."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from gradlab.cells import CELLS
from gradlab.ui.training.job import Job
from gradlab.ui.verdicts import COLOURS

RECENT = 20  # updates that a card's numbers are means of


def cards(job: Job, tables: Sequence[pd.DataFrame]) -> None:
    """A card a run, side by side."""
    for column, run, table in zip(st.columns(len(tables)), job.runs, tables, strict=True):
        colour = COLOURS.get(run.experiment.cell, "gray")
        recent = table.tail(RECENT)
        metric = recent["metric"].mean()
        does = f"{metric:.0%} right" if run.task.metric == "accuracy" else f"{metric:.3g} {run.task.metric}"
        column.metric(
            f":{colour}[**{CELLS[run.experiment.cell].title}**] loss",
            f"{recent['loss'].mean():.4f}",
            f"{does}, clipped {table['clipped'].mean():.0%} of updates",
            delta_color=colour,
            delta_arrow="off",
            border=True,
        )
