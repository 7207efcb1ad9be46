"""One card per network in training: its loss, how it does, and how much of its gradient was clipped."""

from typing import Any

import streamlit as st

from gradlab.charts.colours import CARD_COLOURS
from gradlab.ui.training.job import Job
from gradlab.words import training as words
from gradlab.words.languages import _


def cards(job: Job) -> None:
    """One card per run, side by side."""
    tables = job.histories()
    for column, run, table in zip(st.columns(len(tables)), job.runs, tables, strict=True):
        colour: Any = CARD_COLOURS.get(run.experiment.cell, "gray")
        column.metric(
            _("{cell} loss").format(cell=f":{colour}[**{run.experiment.title}**]"),
            words.recent_loss(table),
            words.recent_metric(run.task, table),
            delta_color=colour,
            delta_arrow="off",
            border=True,
        )
