"""Pins on the page that trains: the curves of networks that were trained on the same task, beside the present ones.

A pin keeps settings, not a training: its curves are there where this visit has trained it, by the same recipe.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import pandas as pd
import streamlit as st

from gradlab.settings.pins import MOST, Pin
from gradlab.training import Run
from gradlab.training.replay import History, Measured, Replay
from gradlab.training.tables import Curve, beside
from gradlab.ui.ask import Rows
from gradlab.ui.training.job import Job

KEPT = "trained for pins"  # in the session: trainings by what they follow from, the latest last


class Trained(NamedTuple):
    """What was measured of the networks of a training."""

    updates: int  # that were made
    measured: tuple[Measured, ...]


class OfPin(NamedTuple):
    """A pin, and its training; None where this visit has not trained its networks."""

    pin: Pin
    trained: Trained | None


def remember(job: Job) -> None:
    """Keeps the numbers of a training that stands still: of as many as there can be pins, and the present one."""
    if job.running or not job.done:
        return
    kept = _kept()
    key = tuple(map(Replay.of, job.runs))
    known = kept.pop(key, None)
    if known is None or known.updates != job.done:
        known = Trained(job.done, tuple(measured.without_traces() for measured in job.measured()))
    kept[key] = known
    while len(kept) > MOST + 1:
        del kept[next(iter(kept))]


def of_pins(runs_of: Sequence[tuple[Pin, Sequence[Run]]]) -> list[OfPin]:
    """Each pin with the training of the runs that its networks would be."""
    return [OfPin(pin, _kept().get(tuple(map(Replay.of, runs)))) for pin, runs in runs_of]


def rows(pins: Sequence[OfPin], column: str) -> list[Rows]:
    """The curves of every pin that was trained, with its name."""
    return [
        Rows(History(found.trained.measured), Curve(column), (("pin", found.pin.name),))
        for found in pins
        if found.trained is not None
    ]


def curves(pins: Sequence[OfPin], column: str) -> pd.DataFrame | None:
    """The same, made; None where there are none."""
    tables = [one.asked() for one in rows(pins, column)]
    return pd.concat(tables, ignore_index=True) if tables else None


def beside_curves(pins: Sequence[OfPin], column: str) -> dict[str, partial[pd.DataFrame]]:
    """What a chart of curves takes beside its own rows."""
    found = rows(pins, column)
    return {"pins": partial(beside, *found)} if found else {}


def _kept() -> dict[tuple[Replay, ...], Trained]:
    return st.session_state.setdefault(KEPT, {})
