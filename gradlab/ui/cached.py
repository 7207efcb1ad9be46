"""Cached calls: a frozen Experiment in, small tables for the screen out. Long work shows its progress and stops.

Every cache is keyed by the experiment alone, since Streamlit hashes large arrays from a sample. Settings that change
nothing for a cell are set to their defaults first: moving the forget bias computes the LSTM again and no other.
"""

import contextvars
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import pandas as pd
import streamlit as st

from gradlab.analyses.check import Checked, check
from gradlab.analyses.diagnosis import Diagnosis, diagnose
from gradlab.analyses.problem import refuse_too_large
from gradlab.analyses.thinning import bin_steps, line_ends, thin
from gradlab.analyses.traces import GradientTrace, NonFinite, trace
from gradlab.analyses.weights import eigenvalues, gate_biases, parameter_counts, singular_values
from gradlab.cells import CELLS
from gradlab.engine import TooLarge
from gradlab.network.stack import Stack
from gradlab.settings.experiment import Experiment, default

POINTS_ON_SCREEN = 6000  # of all lines together; more make a browser's hover slow
BUILT_FROM = (
    "cell", "depth", "hidden_size", "input_size", "initialization", "gain", "forget_bias", "inputs", "text", "seed",
    "dtype",
)  # fmt: skip
SHOW_AFTER = 0.3  # seconds without an answer before progress is shown
SHOW_EVERY = 0.1  # seconds: a bar drawn at every step of a check takes more time than the check
MOST_ROWS = 400_000  # of all lines of a picture taken home: a PNG of them takes some ten seconds
MOST_CELLS = 100_000  # of a map taken home, which takes as long


class Flow(NamedTuple):
    """What a page shows of one experiment's trace."""

    experiment: Experiment
    lines: pd.DataFrame  # the trace's table, thinned for the screen
    diagnosis: Diagnosis  # of the lowest layer's h
    non_finite: NonFinite | None  # where a pass first left the finite numbers
    losses: int  # at how many steps the loss enters
    last_loss: int  # the last of them


class Spectra(NamedTuple):
    """What was built, as the tables of gradlab.analyses.weights."""

    singular: pd.DataFrame
    eigen: pd.DataFrame
    biases: pd.DataFrame
    counts: pd.DataFrame


def essential(experiment: Experiment) -> Experiment:
    """The same experiment with every setting that changes nothing at its default."""
    return experiment.replace(**{name: default(name) for name in experiment.unused()})


def flows(experiments: Sequence[Experiment]) -> list[Flow]:
    """One Flow an experiment, in their order. Stops the page with a sentence where one is too large for memory."""
    lines = sum(experiment.depth * len(CELLS[experiment.cell].states) for experiment in experiments)
    points = max(POINTS_ON_SCREEN // lines, 100)
    for experiment in experiments:
        try:
            refuse_too_large(experiment)
        except TooLarge as error:
            st.error(str(error), title="This does not fit into memory")
            st.stop()
    slot = st.empty()
    found = []
    for one in map(essential, experiments):
        traced = _traced(one, Progress(slot, f"Tracing the {CELLS[one.cell].title}"))
        found.append(_flow(one, points, traced))
    slot.empty()
    return found


def bins(experiments: Sequence[Experiment], state: str) -> pd.DataFrame:
    """The traces in bins of steps, for the heat map; to be asked for after `flows`, which shows the progress."""
    return _of_state(pd.concat([_bins(one, _traced(one, None)) for one in map(essential, experiments)]), state)


def shown(flows: Sequence[Flow], state: str, layer: int | None = None) -> pd.DataFrame:
    """The lines to draw: of one state or both, of one layer or all."""
    table = _of_state(pd.concat([flow.lines for flow in flows], ignore_index=True), state)
    return table if layer is None else table[table.layer == layer]


def _of_state(table: pd.DataFrame, state: str) -> pd.DataFrame:
    return table if state == "both" else table[table.state == state]


def ends(lines: pd.DataFrame, relative: bool) -> pd.DataFrame:
    """Where the drawn lines end at their first step, and where their names may stand."""
    return line_ends(lines, "log10_relative" if relative else "log10_norm")


def marks(flows: Sequence[Flow]) -> pd.DataFrame:
    """The steps at which a pass left the finite numbers, to be pointed out: columns step and label."""
    found = [flow for flow in flows if flow.non_finite]
    labels = [f"{CELLS[flow.experiment.cell].title}: {flow.non_finite.pass_} pass overflows" for flow in found]
    return pd.DataFrame({"step": [flow.non_finite.step for flow in found], "label": labels})


def full_table(experiments: Sequence[Experiment]) -> pd.DataFrame:
    """Every point of every trace, for exports, which are made outside a page's run."""
    return pd.concat([_traced(one, None).table for one in map(essential, experiments)], ignore_index=True)


def whole(experiments: Sequence[Experiment], state: str, layer: int | None = None) -> pd.DataFrame:
    """As `shown`, with every row, for pictures that leave the screen; more than `MOST_ROWS` are thinned there too."""
    table = _of_state(full_table(experiments), state)
    table = table if layer is None else table[table.layer == layer]
    return thin(table, MOST_ROWS // _lines_in(table))


def whole_bins(experiments: Sequence[Experiment], state: str) -> pd.DataFrame:
    """As `bins`, with a bin a step, for pictures that leave the screen; at most `MOST_CELLS` bins."""
    table = _of_state(full_table(experiments), state)
    return bin_steps(table, MOST_CELLS // _lines_in(table))


def _lines_in(table: pd.DataFrame) -> int:
    return len(table[["cell", "layer", "state"]].drop_duplicates())


def spectra(experiment: Experiment) -> Spectra:
    """Spectra, biases and parameter counts of the stack that the experiment builds."""
    others = {name: default(name) for name in Experiment.model_fields if name not in BUILT_FROM}
    return _spectra(essential(experiment.replace(**others)))


def checked(experiments: Sequence[Experiment]) -> list[Checked]:
    """The engine beside autograd and finite differences on each of the experiments."""
    slot = st.empty()
    found = [_checked(essential(e), Progress(slot, f"Checking the {CELLS[e.cell].title}")) for e in experiments]
    slot.empty()
    return found


@st.cache_resource(max_entries=12, show_spinner=False)
def _traced(experiment: Experiment, _progress: Callable[[float], None] | None) -> GradientTrace:
    return trace(experiment, progress=_progress)


@st.cache_data(max_entries=120, show_spinner=False)
def _flow(experiment: Experiment, points: int, _traced: GradientTrace) -> Flow:
    losses = set(_traced.loss_steps.tolist())
    lines, diagnosis = thin(_traced.table, points), diagnose(_traced)
    return Flow(experiment, lines, diagnosis, _traced.non_finite, len(losses), max(losses, default=0))


@st.cache_data(max_entries=60, show_spinner=False)
def _bins(experiment: Experiment, _traced: GradientTrace) -> pd.DataFrame:
    return bin_steps(_traced.table)


@st.cache_data(max_entries=30, show_spinner="Computing the spectra …")
def _spectra(experiment: Experiment) -> Spectra:
    stack = Stack.from_experiment(experiment)
    return Spectra(singular_values(stack), eigenvalues(stack), gate_biases(stack), parameter_counts(stack))


@st.cache_data(max_entries=30, show_spinner=False)
def _checked(experiment: Experiment, _progress: Callable[[float], None]) -> Checked:
    return check(experiment, _progress)


class Progress:
    """Shows how far the work is; to show it is also to give Streamlit the chance to stop it.

    A stop arrives as an exception out of the call. The bar stands outside the cached function and must not be recorded
    with it, so it is drawn in the context that was there before the function was entered. It may be called as often as
    one likes: what comes too soon after the last drawing is not drawn.
    """

    def __init__(self, slot: st.delta_generator.DeltaGenerator, title: str) -> None:
        self.slot, self.title = slot, title
        self.start = time.monotonic()
        self.due = self.start + SHOW_AFTER
        self.outside = contextvars.copy_context()

    def __call__(self, fraction: float) -> None:
        now = time.monotonic()
        if now >= self.due:
            self.due = now + SHOW_EVERY
            elapsed = now - self.start
            left = elapsed * (1 - fraction) / max(fraction, 1e-3)
            text = f"{self.title}: {fraction:.0%}, about {left:.0f} s left"
            self.outside.run(self.slot.progress, min(fraction, 1.0), text)
