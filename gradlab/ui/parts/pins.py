"""Pins on a page: the row that makes, names, swaps and removes them, and what their pictures and sentences take.

The row stands below the picture, beside its tools, and is drawn before anything is computed: a pin that is too much can
be removed.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import streamlit as st
from streamlit.components import v2

from gradlab.analyses.call import Call, Compared, Question, Table, each
from gradlab.analyses.seeds import over_seeds
from gradlab.analyses.thinning import pin_names
from gradlab.analyses.traces import GradientTrace, trace
from gradlab.settings.pins import MOST_LETTERS, NOW, Pin
from gradlab.settings.subject import Subject
from gradlab.ui.ask import Rows
from gradlab.ui.frame import pinned, settings
from gradlab.ui.frame.shown import Settings
from gradlab.ui.parts.view import Answer, Figure
from gradlab.words import pins as words
from gradlab.words.how_to_read import Words
from gradlab.words.languages import _

HERE = Path(__file__)
HTML = '<button type="button" hidden></button>'
LONGEST = 60  # letters of a label on a button


@contextmanager
def below(more: Callable[[], None] = lambda: None, compares: bool = False, holds: bool = True) -> Iterator[Any]:
    """What is drawn inside stands above the row of pins; gives the place below it.

    more        draws what the page asks for at the row's end
    compares    whether that are two pictures side by side: a pin's and the present one
    holds       whether a pin's curves, which lie over the present ones, can be held alone
    """
    above, place, rest = st.container(), st.container(), st.container()
    with place:
        _row(compares, holds and not compares, more)
    with above:
        yield rest


def _row(compares: bool, holds: bool, more: Callable[[], None]) -> None:
    """A button that pins the present settings, one for each pin, and what compares the first one."""
    shared, key = settings.current(), "pins_below" if compares else "pins" if holds else "pins_aside"
    why_not = pinned.why_not(shared)
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key=key):
        help_text = _("Keep the present curves beside what comes next (p)")
        if why_not:
            help_text = _("Not possible: {why}").format(why=why_not)
        label, icon = _("Pin"), ":material/keep:"
        st.button(label, key="pin", icon=icon, on_click=pinned.add, help=help_text, disabled=bool(why_not))
        for number, pin in enumerate(shared.pins):
            _chip(number, pin, shared)
        if shared.pins:
            first = shared.pins[0].name
            swap = _("Swap the present settings and {pin} (x)").format(pin=first)
            is_off, icon = not pinned.is_drawn(shared), ":material/swap_horiz:"
            st.button(_("Swap"), key="swap_pin", icon=icon, on_click=pinned.swap, help=swap, disabled=is_off)
        data = {"alone": shared.pins[0].name if shared.pins and holds else ""}
        _keys()(key="pin_keys", data=data)
        more()


class Beside(NamedTuple):
    """The pin whose picture stands beside that of the one network a page shows."""

    pin: Pin
    subject: Subject
    label: str  # what of it differs


def of_one(shared: Settings) -> Beside | None:
    """The first pin, of the cell that is shown; None without pins."""
    if not shared.pins:
        return None
    cell = shared.one.settings.cell
    pin = shared.pins[0]._replace(cells=(cell,))
    return Beside(pin, pin.subjects[0], words.label(pin, (shared.one,)))


def ones(shared: Settings) -> tuple[Subject, ...]:
    """The network that a page shows, and that of the pin beside it."""
    found = of_one(shared)
    return (shared.one,) if found is None else (shared.one, found.subject)


def columns(shared: Settings) -> tuple[Any, Any]:
    """Two columns under what they show: a pin's and the present settings."""
    found = of_one(shared)
    assert found is not None
    of_pin, now = st.columns(2)
    for column, text in zip((of_pin, now), (found.label, words.PRESENT), strict=True):
        column.caption(f"**{_(text)}**")
    return of_pin, now


def caption(beside: Beside) -> None:
    """What differs in a pin whose picture stands below."""
    st.caption(f"**{beside.label}**")


def _chip(number: int, pin: Pin, shared: Settings) -> None:
    """A button with a pin's name and difference, which opens what can be done with it."""
    label = words.label(pin, shared.subjects)
    short = label if len(label) <= LONGEST else f"{label[: LONGEST - 1]}…"
    with st.popover(short, key=f"pin_{number}", help=None if short == label else label):
        key = f"pin_name_{number}_{pin.name}"
        st.text_input(_("Name"), pin.name, MOST_LETTERS, key=key, on_change=pinned.rename, args=(number, key))
        is_off = not pinned.is_drawn(shared)
        swap, remove = _("Swap with {pin}").format(pin=pin.name), _("Remove {pin}").format(pin=pin.name)
        st.button(swap, key=f"pin_swap_{number}", on_click=pinned.swap, args=(number,), disabled=is_off)
        st.button(remove, key=f"pin_remove_{number}", on_click=pinned.remove, args=(number,))


def both(
    figures: Sequence[Figure],
    others: Sequence[Table],
    pinned: Beside,
    sentences: Sequence[str],
    alone: Sequence[int] = (),
) -> list[Figure]:
    """The figures of the present network, and after them those of a pin's, each two on one scale.

    others       the pin's tables, one for each figure
    sentences    and what came out
    alone        the figures that have no scale to share
    """
    now, of_pin = [], []
    for number, (figure, table, sentence) in enumerate(zip(figures, others, sentences, strict=True)):
        said = figure.words
        title, name = f"{said.title}, {pinned.label}", f"{said.name} {pinned.pin.name}"
        other = figure._replace(question=table, words=Words(name, title, sentence, said.how or said.name))
        of_pin.append(other if number in alone else _scaled(other, figure.question))
        now.append(figure if number in alone else _scaled(figure, table))
    return [*now, *of_pin]


def _scaled(figure: Figure, other: Question) -> Figure:
    """A figure whose scale is that of another table too."""
    assert isinstance(other, Table)
    return figure._replace(beside={**figure.beside, "scale_with": Rows(other)})


def subjects(shared: Settings) -> tuple[Subject, ...]:
    """Those of the present settings and of the pins."""
    return (*shared.subjects, *of_pins(shared))


def of_pins(shared: Settings) -> tuple[Subject, ...]:
    return tuple(subject for pin in shared.pins for subject in pin.subjects)


def calls_of(subjects: Sequence[Subject], seeds: int) -> tuple[Call, ...]:
    """What gives the norms of some subjects: their traces, or those of many seeds."""
    return (*(each(trace, subjects) if seeds == 1 else each(over_seeds, subjects, seeds=seeds)),)


def traces(shared: Settings, where: str, seeds: int = 1) -> Table | Compared:
    """The rows of every trace, or of every one over many seeds; where there are pins, with a column that says which."""
    compared = {NOW: shared.subjects} | {pin.name: pin.subjects for pin in shared.pins}
    tables = {name: Table.of(calls_of(listed, seeds), "table", where) for name, listed in compared.items()}
    return Compared.of(tables) if shared.pins else tables[NOW]


def beside(shared: Settings) -> dict[str, Any]:
    """What a chart of these rows takes beside them: how the pins are named, and where."""
    if not shared.pins:
        return {}
    labels = {pin.name: words.difference(pin, shared.subjects) for pin in shared.pins}
    return {"pins": partial(pin_names, labels=labels, relative=shared.relative)}


def sentences(shared: Settings, present: Sequence[GradientTrace], answer: Answer) -> list[str]:
    """What differs from each of the pins, and what that did."""
    return [
        words.comparison(pin, shared.subjects, present, [answer(call) for call in each(trace, pin.subjects)])
        for pin in shared.pins
    ]


def _keys() -> Any:
    return v2.component("gradlab_pins", html=HTML, css=_file(".css"), js=_file(".js"), isolate_styles=False)


@lru_cache
def _file(suffix: str) -> str:
    return HERE.with_suffix(suffix).read_text(encoding="utf-8")
