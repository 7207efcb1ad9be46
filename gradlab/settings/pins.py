"""Pins: settings that a comparison keeps beside the present ones, each a link within the link.

A pin's text is a link's query: its name, the cells compared, and what differs from the defaults. It is read by
`gradlab.settings.links`, so that a pin cannot hold what a link cannot. It does not depend on the present settings: a
pin stands still while these move.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

from gradlab.cells import CELLS
from gradlab.settings.catalogue import SETTINGS, default
from gradlab.settings.experiment import TEXT_BYTES, Experiment, shown
from gradlab.settings.links import read_query, to_query
from gradlab.settings.subject import Subject
from gradlab.words.languages import _

MOST = 4
MOST_LETTERS = 24  # of a name
PLAIN = " -+="  # beside letters and digits: a name is read as markdown, where these mean nothing
MOST_BYTES = 4_000  # of all pins, percent-encoded; with a text they share what a text may take
NOW = "now"  # what the present settings are called beside pins
BEFORE = "before"  # a pin of what was there before a change
NAMES = ("A", "B", "C", "D")  # at first


class Pin(NamedTuple):
    """Settings by name, for every cell compared."""

    name: str
    experiment: Experiment  # of the first cell
    cells: tuple[str, ...]

    @classmethod
    def of(cls, name: str, subjects: Sequence[Experiment]) -> Pin:
        """The settings that some subjects have in common but for their cells."""
        cells = tuple(subject.cell for subject in subjects)
        return cls(name, subjects[0], cells)

    def __str__(self) -> str:
        return self.name

    @property
    def subjects(self) -> tuple[Experiment, ...]:
        """One for each cell."""
        return tuple(self.experiment.replace(cell=cell) for cell in self.cells)

    @property
    def settings(self) -> dict[str, Any]:
        """Every setting by name, and the cells compared."""
        return {name: value for name, value in self.experiment if name != "cell"} | {"cells": self.cells}

    @property
    def text(self) -> str:
        """As the link has it."""
        written = to_query(self.experiment)
        changed = {name: written[name] for name, value in self.experiment if name != "cell" and value != default(name)}
        return urlencode({"name": self.name, "cells": ",".join(self.cells)} | changed)

    @property
    def bytes(self) -> int:
        """What it takes of a link, percent-encoded."""
        return len(quote(self.text, safe=""))


def read(text: str, taken: Iterable[str] = ()) -> tuple[Pin | None, list[str]]:
    """The pin that a link's text says, and one sentence for each thing that could not be used. Never raises.

    taken    names of other pins; None where the text names no cell that there is
    """
    query = dict(parse_qsl(text[: TEXT_BYTES + MOST_BYTES], keep_blank_values=True))
    given, listed = query.pop("name", ""), query.pop("cells", "")
    query.pop("cell", None)
    words = listed.split(",")
    cells = tuple(name for name in CELLS if name in words)
    if not cells:
        refused = _("pin = {text} names no cell: use cells = any of {cells}; it is left out.")
        return None, [refused.format(text=shown(text), cells=", ".join(CELLS))]
    strange = _("cells = {word} is not a cell; it is left out.")
    problems = [strange.format(word=shown(word)) for word in words if word not in CELLS]
    experiment, sentences = read_query(query)
    refused, name = why_not_called(given, taken), given
    if refused:
        name = next_name(taken)
        problems.append(_("{refused} It is called {name}.").format(refused=refused, name=name))
    where = _("In the pin {name}: {sentence}")
    return Pin.of(name, [experiment.replace(cell=cell) for cell in cells]), [
        where.format(name=shown(name), sentence=sentence) for sentence in (*problems, *sentences)
    ]


def read_all(texts: Sequence[str], beside: Experiment) -> tuple[tuple[Pin, ...], list[str]]:
    """The pins of a link beside its present settings, as `fitting` leaves them, and what could not be used."""
    pins: list[Pin] = []
    problems: list[str] = []
    for text in texts[:MOST]:
        pin, sentences = read(text, [pin.name for pin in pins])
        pins += [] if pin is None else [pin]
        problems += sentences
    if len(texts) > MOST:
        text = _("The link has {count} pins: at most {most} are kept, and the others are left out.")
        problems.append(text.format(count=len(texts), most=MOST))
    kept, sentences = fitting(pins, beside)
    return kept, problems + sentences


def fitting(pins: Sequence[Pin], beside: Experiment) -> tuple[tuple[Pin, ...], list[str]]:
    """The pins that fit into a link beside the present settings, and a sentence for each that does not."""
    kept: list[Pin] = []
    sentences = []
    for pin in pins:
        if refused := why_not((*kept, pin), beside):
            text = _("The pin {name} is left out: {refused}")
            sentences.append(text.format(name=shown(pin.name), refused=refused))
        else:
            kept.append(pin)
    return tuple(kept), sentences


def why_not(pins: Sequence[Pin], beside: Experiment) -> str:
    """Why some pins cannot stand in a link beside the present settings; "" where they can."""
    if len(pins) > MOST:
        return _("there are {most} pins already, and no more are kept: remove one.").format(most=MOST)
    needed, of_text = sum(pin.bytes for pin in pins), len(quote(beside.text or "", safe=""))
    most = min(MOST_BYTES, TEXT_BYTES - of_text)
    if needed > most:
        text = _("the pins take {needed} bytes in a link, and at most {most} fit: shorten text, or remove a pin.")
        return text.format(needed=needed, most=max(most, 0))
    return ""


def why_not_called(name: str, taken: Iterable[str] = ()) -> str:
    """Why a pin cannot have a name; "" where it can."""
    is_plain = all(unicodedata.category(letter)[0] in "LMN" or letter in PLAIN for letter in name)
    is_allowed = 0 < len(name) <= MOST_LETTERS and is_plain and unicodedata.category(name[0])[0] in "LN"
    if is_allowed and name == name.strip() and name != NOW and name not in set(taken):
        return ""
    text = _(
        "name = {name} is not allowed for a pin: use 1 to {most} letters, digits, spaces and {marks}, another name "
        "than {now} and than those of the other pins."
    )
    return text.format(name=shown(name), most=MOST_LETTERS, marks=PLAIN[1:], now=NOW)


def next_name(taken: Iterable[str]) -> str:
    """The first letter that no pin is called by."""
    return next(name for name in (*NAMES, *(f"{NAMES[0]}{n}" for n in range(2, 2 + MOST))) if name not in set(taken))


def free_name(name: str, taken: Iterable[str]) -> str:
    """The name itself, or with the first number that no pin is called by: "before", "before 2"."""
    numbered = (name, *(f"{name} {n}" for n in range(2, 2 + MOST)))
    return next(free for free in numbered if free not in set(taken))


def differing(one: Sequence[Subject], other: Sequence[Subject]) -> dict[str, tuple[Any, Any]]:
    """The settings in which two comparisons differ, as (of one, of the other), in the catalogue's order.

    "cells" is among them where they compare other cells. A setting counts where it changes something: for a cell of
    either, so that a bias of a gate counts where one of the cells has that gate.
    """
    used_by = [_used(subjects) for subjects in (one, other)]
    first, second = one[0].settings, other[0].settings
    cells = _cells(one), _cells(other)
    found: dict[str, tuple[Any, Any]] = {}
    if set(cells[0]) != set(cells[1]):
        found["cells"] = cells
    for name in SETTINGS:
        values = getattr(first, name), getattr(second, name)
        if name != "cell" and values[0] != values[1] and (name in used_by[0] or name in used_by[1]):
            found[name] = values
    return found


def _cells(subjects: Sequence[Subject]) -> tuple[str, ...]:
    return tuple(subject.settings.cell for subject in subjects)


def _used(subjects: Sequence[Subject]) -> frozenset[str]:
    """The settings that change something for one of the subjects at least."""
    return frozenset(SETTINGS) - frozenset.intersection(*(frozenset(subject.unused()) for subject in subjects))
