"""Itemised matrices: which pairs are asked for at which layer and state, and the figures of one subject."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeVar

import streamlit as st

from gradlab.analyses.call import Call, Table
from gradlab.analyses.itemised import Pairs, drawn_rows, individual_losses, pairs, state_of, with_rows
from gradlab.analyses.thinning import Lines, PairBins
from gradlab.analyses.traces import GradientTrace, trace
from gradlab.charts import itemised
from gradlab.charts.axes import decades_domain
from gradlab.settings.pins import Pin
from gradlab.settings.subject import Subject
from gradlab.ui.ask import Rows, rows_on_screen
from gradlab.ui.frame import settings
from gradlab.ui.frame.shown import EVERY_STATE, Settings
from gradlab.ui.parts.view import Answer, Asked, Figure, View
from gradlab.words import sequences
from gradlab.words.how_to_read import Words
from gradlab.words.languages import N_, _

V = TypeVar("V")
ROWS = Lines(("log10_norm",), ("loss_step",))
A_ROW = 3  # charts side by side, at most
BESIDE = 67  # bins of each, at most
PER_MILLISECOND = 70e6  # of the multiply-adds of the pairs, as measured on two cores
MATRIX = ("matrix", N_("One loss at a time"), "itemised matrix")  # name, title, how to read
SUMS = "itemised_sums"  # the section of these, which are made where it is open
SUM = ("sum", N_("Individual losses and their sum"), "sum of losses")


class Place(NamedTuple):
    """Which states of a network are looked at; of a cell that does not have the state, its h."""

    layer: int = 0
    state: str = "h"

    def within(self, depth: int) -> "Place":
        """The same in a stack of another depth."""
        return self._replace(layer=min(self.layer, depth - 1))

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


def in_threes(values: Sequence[V]) -> Iterator[tuple[Any, V]]:
    """Each value with its column of the page."""
    for first in range(0, len(values), A_ROW):
        group = values[first : first + A_ROW]
        yield from zip(st.columns(len(group)), group, strict=True)


def pairs_of(subject: Subject) -> Call:
    """The pairs of a subject whose matrix is drawn."""
    return Call.of(pairs, subject, most=drawn_rows(subject))


def matrix_of(subject: Subject, at: Place) -> Table:
    """Every pair of the matrix that is drawn."""
    return Table.of(pairs_of(subject), "table", at.rows(subject))


def bins_of(subjects: Sequence[Subject]) -> PairBins:
    """The bins of matrices side by side: a narrower picture has larger ones."""
    return PairBins() if len(subjects) == 1 else PairBins(BESIDE)


def domain_of(subjects: Sequence[Subject], at: Place, bins: PairBins) -> list[float]:
    """The log10 range of the subjects' matrices."""
    tables = (matrix_of(subject, at.within(subject.settings.depth)) for subject in subjects)
    return decades_domain([rows_on_screen(table, bins)["log10_norm"] for table in tables])


def matrix(subject: Subject, at: Place, domain: list[float], bins: PairBins, words: Words) -> Figure:
    """The matrix of one subject."""
    cell, state = subject.settings.cell, at.state_in(subject)
    draw = partial(itemised.matrix, cell=cell, domain=domain, state=state)
    return Figure(draw, matrix_of(subject, at), words, bins, {"total": _total(subject, at)})


def losses_and_sum(subject: Subject, at: Place, domain: list[float], words: Words) -> Figure:
    """Some individual losses of one subject, and the sum of all."""
    cell, state = subject.settings.cell, at.state_in(subject)
    rows = Table.of(pairs_of(subject).then(individual_losses), where=at.rows(subject))
    draw = partial(itemised.losses_and_sum, cell=cell, domain=domain, state=state)
    return Figure(draw, rows, words, ROWS, {"total": _total(subject, at)})


def view(asked: Asked, answer: Answer) -> View:
    """What each loss sends to each state: a matrix for each subject, then for each of a pin, on the same scale; where
    their section is open, the losses of each beside their sum."""
    at, shared = place_of(asked), asked.settings
    bins = bins_of(shared.subjects)
    domain = domain_of(work(shared), at, bins)
    compared = [_Compared.of(shared.subjects, at, answer)]
    if (pin := pinned(shared)) is not None:
        compared.append(_Compared.of(pin.subjects, at.within(pin.experiment.depth), answer, pin))
    figures = [figure for each in compared for figure in each.matrices(domain, bins)]
    if asked.is_open(SUMS):
        figures += [figure for each in compared for figure in each.sums(domain)]
    now, *pins = compared
    said = [now.hiding, now.note(shared.subjects[0]), sequences.losses_and_sum(now.computed, *now.at)]
    return View(figures, [*said, *(f"**{each.pin.name}**: {each.hiding}" for each in pins if each.pin)])


class _Compared(NamedTuple):
    """Some subjects side by side, and what is made of them."""

    subjects: Sequence[Subject]
    at: Place
    computed: Sequence[Pairs]
    traces: Sequence[GradientTrace]
    pin: Pin | None

    @classmethod
    def of(cls, compared: Sequence[Subject], at: Place, answer: Answer, pin: Pin | None = None) -> "_Compared":
        subjects = [with_rows(subject) for subject in compared]
        computed = [answer(pairs_of(subject)) for subject in subjects]
        traces = [answer(Call.of(trace, subject)) for subject in subjects]
        return cls(subjects, at, computed, traces, pin)

    @property
    def hiding(self) -> str:
        """Whether the sums show the last losses."""
        return sequences.hiding(self.computed, self.traces, *self.at)

    def matrices(self, domain: list[float], bins: PairBins) -> list[Figure]:
        return [
            matrix(one, self.at, domain, bins, self._words(one, MATRIX, sequences.hiding([found], [of_one], *self.at)))
            for one, found, of_one in zip(self.subjects, self.computed, self.traces, strict=True)
        ]

    def sums(self, domain: list[float]) -> list[Figure]:
        return [
            losses_and_sum(one, self.at, domain, self._words(one, SUM, sequences.of_sum(found, of_one, *self.at)))
            for one, found, of_one in zip(self.subjects, self.computed, self.traces, strict=True)
        ]

    def note(self, first: Subject) -> str:
        """Which rows are drawn of the first one."""
        return sequences.rows_note(self.computed, self.subjects[0], first, *self.at)

    def _words(self, subject: Subject, kind: tuple[str, str, str], sentence: str) -> Words:
        name, title, how = kind
        of = f" {self.pin.name}" if self.pin else ""
        return Words(f"{subject.title} {name}{of}", f"{_(title)}: {subject.title}{of and f',{of}'}", sentence, how)


def pinned(shared: Settings) -> Pin | None:
    """The pin whose matrices stand below the present ones."""
    return shared.pins[0] if shared.pins else None


def of_pin(shared: Settings) -> list[tuple[int, Subject]]:
    """The numbers of its matrices in the view, each with its subject."""
    pin = pinned(shared)
    return [*enumerate(pin.subjects, len(shared.subjects))] if pin else []


def sums(shared: Settings) -> list[list[tuple[int, str]]]:
    """The numbers of the figures of losses and their sum, the present ones and then a pin's, each with a caption."""
    pin, now = pinned(shared), [subject.title for subject in shared.subjects]
    of_pin = [f"{pin.name}: {subject.title}" for subject in pin.subjects] if pin else []
    numbers = iter(range(len(now) + len(of_pin), 2 * (len(now) + len(of_pin))))
    return [[(next(numbers), f"**{title}**") for title in titles] for titles in (now, of_pin)]


def work(shared: Settings) -> list[Subject]:
    """The subjects whose matrices are made."""
    pin = pinned(shared)
    return [with_rows(subject) for subject in (*shared.subjects, *(pin.subjects if pin else ()))]


def milliseconds(subject: Subject) -> float:
    """About how long a subject's matrix takes."""
    return pairs_of(subject).work / PER_MILLISECOND


def _total(subject: Subject, at: Place) -> Rows:
    """The norm of the sum of all rows, at every step."""
    return Rows(Table.of(Call.of(trace, subject), "table", at.rows(subject)), Lines())
