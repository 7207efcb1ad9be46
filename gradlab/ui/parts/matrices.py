"""Itemised matrices: which pairs are asked for at which layer and state, and the figures of one subject."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import streamlit as st

from gradlab.analyses.call import Call, Table
from gradlab.analyses.itemised import individual_losses, most_rows, pairs, state_of
from gradlab.analyses.thinning import Lines, PairBins
from gradlab.analyses.traces import trace
from gradlab.charts import itemised
from gradlab.charts.axes import decades_domain
from gradlab.settings.subject import Subject
from gradlab.ui.ask import Rows, ask
from gradlab.ui.frame import settings
from gradlab.ui.frame.shown import EVERY_STATE
from gradlab.ui.parts.figure import figure
from gradlab.ui.parts.view import Asked
from gradlab.words.how_to_read import Words

ROWS = Lines(("log10_norm",), ("loss_step",))
A_ROW = 3  # charts side by side, at most


class Place(NamedTuple):
    """Which states of a network are looked at; of a cell that does not have the state, its h."""

    layer: int = 0
    state: str = "h"

    def state_in(self, subject: Subject) -> str:
        return state_of(subject.settings.cell, self.state)

    def rows(self, subject: Subject) -> str:
        """Its rows of a tidy table, as a Table's `where`."""
        return f"layer == {self.layer} and state == {self.state_in(subject)!r}"


def place(shared: settings.Settings) -> Place:
    """The place that the visitor chose; the layer is asked for where there are several."""
    return Place(settings.layer(shared.one.settings.depth), "h" if shared.state == EVERY_STATE else shared.state)


def place_of(asked: Asked) -> Place:
    """The place that a page's link asks for."""
    shared = asked.settings
    state = "h" if shared.state == EVERY_STATE else shared.state
    return Place(asked.number("layer", shared.one.settings.depth - 1, 0), state)


def in_threes(subjects: Sequence[Subject]) -> Iterator[tuple[Any, Subject]]:
    """Each subject with its column of the page."""
    for first in range(0, len(subjects), A_ROW):
        group = subjects[first : first + A_ROW]
        yield from zip(st.columns(len(group)), group, strict=True)


def pairs_of(subject: Subject) -> Call:
    """The pairs of a subject: as many rows as are worth looking at."""
    return Call.of(pairs, subject, most=most_rows(subject))


def matrix_of(subject: Subject, at: Place) -> Table:
    """Every pair of the matrix that is drawn."""
    return Table.of(pairs_of(subject), "table", at.rows(subject))


def domain_of(subjects: Sequence[Subject], at: Place) -> list[float]:
    """The log10 range of the subjects' matrices."""
    return decades_domain([ask(matrix_of(subject, at), PairBins())["log10_norm"] for subject in subjects])


def matrix(subject: Subject, at: Place, domain: list[float], words: Words) -> None:
    """The matrix of one subject."""
    cell, state = subject.settings.cell, at.state_in(subject)
    draw = partial(itemised.matrix, cell=cell, domain=domain, state=state)
    figure(draw, matrix_of(subject, at), words, PairBins(), beside={"total": _total(subject, at)})


def losses_and_sum(subject: Subject, at: Place, domain: list[float], words: Words) -> None:
    """Some individual losses of one subject, and the sum of all."""
    cell, state = subject.settings.cell, at.state_in(subject)
    rows = Table.of(pairs_of(subject).then(individual_losses), where=at.rows(subject))
    draw = partial(itemised.losses_and_sum, cell=cell, domain=domain, state=state)
    figure(draw, rows, words, ROWS, beside={"total": _total(subject, at)})


def _total(subject: Subject, at: Place) -> Rows:
    """The norm of the sum of all rows, at every step."""
    return Rows(Table.of(Call.of(trace, subject), "table", at.rows(subject)), Lines())
