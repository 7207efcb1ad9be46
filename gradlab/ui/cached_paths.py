"""Cached calls of the pages that ask why: parts and cuts of a gradient, gates, units, edges."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
import streamlit as st

from gradlab.analyses import paths
from gradlab.analyses.thinning import thin
from gradlab.engine import TooLarge
from gradlab.settings.experiment import Experiment
from gradlab.ui.cached import MOST_ROWS, Progress, essential, flows

ORDERS = 8
POINTS_ON_SCREEN = 6000  # of all lines of a chart together
SHARES_ON_SCREEN = 400  # steps of the stacked picture
LEVEL = 1e-9  # decades a step: less is rounding
BIASES = (0.0, 1.0, 3.0)  # forget biases that the story compares


class Parts(NamedTuple):
    """A gradient by the order of its paths, of the lowest layer's additive state (c, else h)."""

    lines: pd.DataFrame  # thinned for the screen
    shares: pd.DataFrame  # at evenly spaced steps, without the total
    direct: pd.DataFrame  # the direct path's share at every lag
    direct_half_life: float | None  # in steps of lag, by a line through its log10 norms; infinite, negative: not lost
    at_lag: pd.DataFrame  # all rows of one lag
    lag: int


def refused(call: Callable, *arguments, **options):
    """What the call gives; a sentence instead of the page where it is too large for memory."""
    try:
        return call(*arguments, **options)
    except TooLarge as error:
        st.error(str(error), title="This does not fit into memory")
        st.stop()


def parts(experiment: Experiment) -> Parts:
    """The parts of one experiment's gradient, for the screen."""
    slot = st.empty()
    found = refused(_parts, essential(experiment), Progress(slot, "Splitting the gradient by path"))
    slot.empty()
    return found


def parts_table(experiment: Experiment) -> pd.DataFrame:
    """Every row, for exports."""
    return paths.decompose(essential(experiment), orders=ORDERS)


def whole_lines(experiment: Experiment) -> pd.DataFrame:
    """The lines of `Parts` with every row, for pictures that leave the screen."""
    return _lines(of_lowest(parts_table(experiment)), MOST_ROWS)


def whole_shares(experiment: Experiment) -> pd.DataFrame:
    """The shares of `Parts` at every step, for pictures that leave the screen."""
    return _shares(of_lowest(parts_table(experiment)), MOST_ROWS // (ORDERS + 2))


def direct_at_biases(experiment: Experiment) -> pd.DataFrame:
    """How much of the gradient is direct at lag 100 (or the first step) for three forget biases: bias, lag,
    log10_direct, log10_total, share."""
    slot = st.empty()
    found = refused(_direct_at_biases, essential(experiment), Progress(slot, "Comparing forget biases"))
    slot.empty()
    return found


def left(experiment: Experiment, cuts: tuple[str, ...]) -> pd.DataFrame:
    """The whole gradient and what each cut leaves of it; path names the cut."""
    one = essential(experiment)
    return pd.concat([refused(_cut, one, names) for names in ((), *((name,) for name in cuts))], ignore_index=True)


def cuts_table(experiments: Sequence[Experiment], cuts: tuple[str, ...]) -> pd.DataFrame:
    """Every row of the first experiment's whole and of what its cuts leave, and of the others' wholes, for exports."""
    one, *others = map(essential, experiments)
    tables = [paths.cut(one, without=without) for without in ((), *((name,) for name in cuts))]
    return pd.concat([*tables, *(paths.cut(other, without=()) for other in others)], ignore_index=True)


def thinned(left: pd.DataFrame, points: int = POINTS_ON_SCREEN) -> pd.DataFrame:
    """The same with at most so many points of all lines together: for the screen, or for a picture that leaves it."""
    return thin(left, points // left["path"].nunique(), columns=("log10_relative",), by=("cell", "path"))


def statistics(experiment: Experiment) -> pd.DataFrame:
    """Gates over all units and sequences, step by step."""
    return refused(_statistics, essential(experiment))


def microscope(experiment: Experiment, layer: int, sequence: int) -> paths.Microscope:
    """All units of one layer in one sequence."""
    return refused(_microscope, essential(experiment), layer, sequence)


def edges(experiment: Experiment, first: int, last: int) -> pd.DataFrame:
    """What flows through the edges that arrive at some steps."""
    return refused(_edges, essential(experiment), first, last)


def decades(experiment: Experiment | None, table: pd.DataFrame) -> tuple[float, float]:
    """From the least to the most of a table of edges; with an experiment, of its whole trace too."""
    parts = [table["log10_relative"]]
    if experiment is not None:
        parts += [flow.lines["log10_relative"] for flow in flows([experiment])]
    together = pd.concat(parts)
    finite = together[np.isfinite(together)]
    return (float(finite.min()), float(finite.max())) if len(finite) else (-1.0, 0.0)


def one_unit(weight: float, gate: float, steps: int) -> pd.DataFrame:
    return _one_unit(weight, gate, steps)


def of_lowest(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the lowest layer's additive state: c where there is one, else h."""
    state = "c" if (table["state"] == "c").any() else "h"
    return table[(table["layer"] == 0) & (table["state"] == state)].reset_index(drop=True)


@st.cache_data(max_entries=20, show_spinner=False)
def _parts(experiment: Experiment, _progress: Callable[[float], None]) -> Parts:
    table = of_lowest(paths.decompose(experiment, orders=ORDERS, progress=_progress))
    lag = min(100, experiment.steps - 1)
    at_lag = table[table["lag"] == lag].set_index("path")
    direct = table[table["path"] == "direct"]
    lines, shares = _lines(table, POINTS_ON_SCREEN), _shares(table, SHARES_ON_SCREEN)
    return Parts(lines, shares, direct[["lag", "share"]], _half_life(direct, lag), at_lag, lag)


def _half_life(direct: pd.DataFrame, lag: int) -> float | None:
    """Over the lags up to one; None where the path is not there at all."""
    some = direct[(direct["lag"] <= lag) & np.isfinite(direct["log10_norm"])]
    if len(some) < 2:
        return None
    slope = np.polyfit(some["lag"], some["log10_norm"], 1)[0]
    return math.inf if abs(slope) < LEVEL else float(-math.log10(2) / slope)


def _lines(table: pd.DataFrame, points: int) -> pd.DataFrame:
    return thin(table, points // (ORDERS + 3), columns=("log10_relative",), by=("path",))


def _shares(table: pd.DataFrame, steps: int) -> pd.DataFrame:
    """Every part at the same, evenly spaced steps, without the total."""
    every = math.ceil((table["lag"].max() + 1) / steps)
    some = table[((table["lag"] % every == 0) | (table["step"] == 0)) & (table["path"] != "total")]
    return some.reset_index(drop=True)


@st.cache_data(max_entries=20, show_spinner=False)
def _direct_at_biases(experiment: Experiment, _progress: Callable[[float], None]) -> pd.DataFrame:
    lag = min(100, experiment.steps - 1)
    rows = []
    for number, bias in enumerate(BIASES):
        done = partial(_part_done, _progress, number)
        table = of_lowest(paths.decompose(experiment.replace(forget_bias=bias), orders=0, progress=done))
        at = table[table["lag"] == lag].set_index("path")
        rows.append((bias, lag, at.log10_norm["direct"], at.log10_norm["total"], at.share["direct"]))
    return pd.DataFrame(rows, columns=["bias", "lag", "log10_direct", "log10_total", "share"])


def _part_done(progress: Callable[[float], None], number: int, fraction: float) -> None:
    progress((number + fraction) / len(BIASES))


@st.cache_data(max_entries=60, show_spinner=False)
def _cut(experiment: Experiment, without: tuple[str, ...]) -> pd.DataFrame:
    return of_lowest(paths.cut(experiment, without=without))


@st.cache_data(max_entries=20, show_spinner=False)
def _statistics(experiment: Experiment) -> pd.DataFrame:
    return paths.gate_statistics(experiment)


@st.cache_resource(max_entries=10, show_spinner=False)
def _microscope(experiment: Experiment, layer: int, sequence: int) -> paths.Microscope:
    return paths.microscope(experiment, layer=layer, sequence=sequence)


@st.cache_data(max_entries=60, show_spinner=False)
def _edges(experiment: Experiment, first: int, last: int) -> pd.DataFrame:
    return paths.edges(experiment, first=first, last=last)


@st.cache_data(max_entries=200, show_spinner=False)
def _one_unit(weight: float, gate: float, steps: int) -> pd.DataFrame:
    return paths.one_unit(weight, gate, steps)
