"""Cached calls of the pages about sequences: an Experiment in, small tables for the screen out."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import streamlit as st

from gradlab.analyses.itemised import Pairs, binned, evenly, itemised, pairs
from gradlab.analyses.sequences import Diagram, diagram
from gradlab.analyses.truncation import Schedule, beyond, bias, cost, kept_by
from gradlab.cells import CELLS
from gradlab.engine import TooLarge
from gradlab.network.stack import Stack
from gradlab.settings.drawing import loss_steps_of
from gradlab.settings.experiment import Experiment
from gradlab.ui.cached import Progress, essential

MOST_PAIRS = 200_000  # of one cell and sequence: all loss steps of 400 steps, some of more
FEWEST_ROWS = 40
WINDOWS = 12
TEETH = 8  # rows drawn as lines beside their sum


class Place(NamedTuple):
    """Which states of a network are looked at; of a cell without c, its h."""

    layer: int = 0
    state: str = "h"

    def in_cell(self, cell: str) -> "Place":
        return self if self.state in CELLS[cell].states else self._replace(state="h")


LOWEST = Place()


class Matrix(NamedTuple):
    """The itemised matrix of one experiment at one place."""

    experiment: Experiment
    place: Place
    bins: pd.DataFrame
    rows: pd.DataFrame  # a few rows in full: loss_step, step, log10_norm
    beyond: pd.DataFrame  # what windows lose
    losses: int  # at how many steps the loss enters
    chosen: int  # of how many of them a row was computed


class Truncated(NamedTuple):
    """What a truncation does to one experiment, and what windows of other lengths would."""

    experiment: Experiment
    schedule: Schedule
    windows: tuple[Schedule, ...]  # of other lengths
    kept: float  # share of the gradient inside at a place, mean over the batch
    angle: pd.DataFrame  # cell, layer, k1, k2, cosine, relative_error
    cost: pd.DataFrame


def with_rows(experiment: Experiment) -> Experiment:
    """The experiment, with a loss at every step where its own enters at one alone: a matrix of one row says little."""
    return experiment.replace(loss="every") if len(loss_steps_of(experiment)) == 1 else experiment


def with_window(experiment: Experiment) -> Experiment:
    """The experiment with many losses and a truncation: windows of the default lengths where it has none."""
    many = with_rows(experiment)
    return many.replace(truncation="windows") if many.truncation == "full" else many


def in_threes(items: Sequence[Any]) -> list[Sequence[Any]]:
    """Rows of a page, three charts in each at most."""
    return [items[i : i + 3] for i in range(0, len(items), 3)]


def diagrams(experiments: Sequence[Experiment], most: int) -> list[Diagram]:
    """One unrolled network an experiment."""
    return [_diagram(essential(one), most) for one in experiments]


def matrices(experiments: Sequence[Experiment], place: Place = LOWEST) -> list[Matrix]:
    """One Matrix an experiment; stops the page with a sentence where memory does not reach."""
    return _each(experiments, "Itemising the {}", partial(_matrix, place))


def truncated(experiments: Sequence[Experiment], place: Place = LOWEST) -> list[Truncated]:
    """One Truncated an experiment, under its own truncation."""
    return _each(experiments, "Truncating the {}", partial(_truncated, place))


def matrix_table(experiments: Sequence[Experiment]) -> pd.DataFrame:
    """Every pair whose row was computed, for exports."""
    tables = [itemised(one, loss_steps=_rows_of(one)).assign(cell=one.cell) for one in map(essential, experiments)]
    return pd.concat(tables, ignore_index=True)


def rows_table(matrix: Matrix) -> pd.DataFrame:
    """The few rows of a Matrix, of every layer and state, for exports."""
    return itemised(essential(matrix.experiment), loss_steps=loss_steps_shown(matrix))


def loss_steps_shown(matrix: Matrix) -> list[int]:
    """The losses whose own gradients are drawn beside their sum."""
    return matrix.rows["loss_step"].unique().tolist()


def lost(found: Sequence[Matrix]) -> pd.DataFrame:
    """Share of each network's gradient from beyond a window, columns gradlab.charts.truncation.LOST_COLUMNS."""
    return pd.concat([one.beyond for one in found], ignore_index=True)


def angles(found: Sequence[Truncated]) -> pd.DataFrame:
    """The networks' cosines and relative errors, one below the other."""
    return pd.concat([one.angle for one in found], ignore_index=True)


def savings(one: Truncated) -> pd.DataFrame:
    """Memory and work against the window, columns gradlab.charts.truncation.SAVING_COLUMNS."""
    shares = {"memory": "share_of_bytes", "multiply-adds": "share_of_multiply_adds"}
    counted = one.cost.iloc[:-1]
    parts = [pd.DataFrame({"k2": counted["k2"], "share": counted[name], "what": what}) for what, name in shares.items()]
    return pd.concat(parts, ignore_index=True)


def outline(one: Truncated) -> pd.DataFrame:
    """The earliest state that each loss reaches, from corner to corner: columns loss_step and first."""
    spans = one.schedule.spans(one.experiment.steps)
    corners = [(step, span.first) for span in spans for step in (span.first_loss, span.end)]
    return pd.DataFrame(corners, columns=["loss_step", "first"])


def _each(experiments: Sequence[Experiment], title: str, call: Callable[..., Any]) -> list[Any]:
    slot = st.empty()
    found = []
    for one in experiments:
        try:
            found.append(call(essential(one), Progress(slot, title.format(CELLS[one.cell].title))))
        except TooLarge as error:
            st.error(str(error), title="This does not fit into memory")
            st.stop()
    slot.empty()
    return found


def most_rows(experiment: Experiment) -> int:
    """How many rows of a matrix are computed at most."""
    return max(FEWEST_ROWS, MOST_PAIRS // experiment.steps)


def _rows_of(experiment: Experiment) -> np.ndarray:
    return evenly(loss_steps_of(experiment), most_rows(experiment))


@st.cache_data(max_entries=60, show_spinner=False)
def _diagram(experiment: Experiment, most: int) -> Diagram:
    return diagram(experiment, most)


@st.cache_resource(max_entries=6, show_spinner=False)
def _pairs(experiment: Experiment, _progress: Callable[[float], None] | None) -> Pairs:
    return pairs(experiment, loss_steps=_rows_of(experiment), progress=_progress)


@st.cache_data(max_entries=60, show_spinner=False)
def _matrix_of(experiment: Experiment, place: Place, _found: Pairs) -> Matrix:
    layer, state = place.layer, CELLS[experiment.cell].states.index(place.state)
    means = _found.log10_norms[layer, :, :, :, state].mean(axis=-1)  # [K, T]
    teeth = evenly(np.arange(len(_found.loss_steps)), TEETH + 1)[1:] if len(means) > 1 else np.array([0])
    kept = [
        pd.DataFrame(
            {"loss_step": int(_found.loss_steps[k]), "step": np.arange(means.shape[1]), "log10_norm": means[k]}
        )
        for k in teeth
    ]
    losses = len(loss_steps_of(experiment))
    lost, rows = beyond(_found, experiment.cell, layer, place.state), len(_found.loss_steps)
    return Matrix(experiment, place, binned(_found, layer, state), pd.concat(kept), lost, losses, rows)


def _matrix(place: Place, experiment: Experiment, progress: Callable[[float], None]) -> Matrix:
    experiment = essential(experiment.replace(truncation="full"))
    return _matrix_of(experiment, place.in_cell(experiment.cell), _pairs(experiment, progress))


def _truncated(place: Place, experiment: Experiment, progress: Callable[[float], None]) -> Truncated:
    schedule = Schedule.of(experiment)
    plain = essential(experiment.replace(truncation="full"))
    state = CELLS[experiment.cell].states.index(place.in_cell(experiment.cell).state)
    kept = float(kept_by(schedule, _pairs(plain, progress), place.layer, state).mean())
    schedules = windows_of(schedule, experiment.steps)
    angle = _bias(plain, schedules, progress)
    stack = Stack.from_experiment(plain)
    counted = cost(stack, plain.steps, plain.batch_size, [*schedules, schedule])
    return Truncated(experiment, schedule, schedules, kept, angle.assign(cell=experiment.cell), counted)


@st.cache_data(max_entries=60, show_spinner=False)
def _bias(experiment: Experiment, schedules: tuple[Schedule, ...], _progress: Callable[[float], None]) -> pd.DataFrame:
    return bias(experiment, schedules=schedules, progress=_progress).query("parameter == 'all'")


def windows_of(schedule: Schedule, steps: int) -> tuple[Schedule, ...]:
    """At most WINDOWS + 1 windows up to the whole sequence, with k1 : k2 as in the schedule."""
    often = 1.0 if schedule.kind == "chunks" else schedule.k1 / schedule.k2
    strides = np.unique(np.geomspace(1, max(steps * often, 1), WINDOWS).round().astype(int))
    lengths = {min(max(round(k1 / often), 1), steps): int(k1) for k1 in strides} | {steps: max(int(steps * often), 1)}
    return tuple(Schedule(schedule.kind, k1, k2) for k2, k1 in sorted(lengths.items()))
