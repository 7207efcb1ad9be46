"""Pins on a page: the row that makes, names, swaps and removes them, and what their pictures and sentences take.

The row stands below the picture, beside its tools, and is drawn before anything is computed: a pin that is too much can
be removed.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.components import v2

from gradlab.analyses.call import Compared, Table, each
from gradlab.analyses.thinning import pin_names
from gradlab.analyses.traces import GradientTrace, trace
from gradlab.settings.pins import MOST_LETTERS, NOW, Pin
from gradlab.settings.subject import Subject
from gradlab.ui.frame import pinned, settings
from gradlab.ui.frame.shown import Settings
from gradlab.ui.parts.view import Answer
from gradlab.words import pins as words

HERE = Path(__file__)
HTML = '<button type="button" hidden></button>'
LONGEST = 60  # letters of a label on a button


@contextmanager
def below() -> Iterator[None]:
    """What is drawn inside stands above the row of pins."""
    above, place = st.container(), st.container()
    with place:
        _row()
    with above:
        yield


def _row() -> None:
    """A button that pins the present settings, one for each pin, and what compares the first one."""
    shared = settings.current()
    why_not = pinned.why_not(shared)
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="pins"):
        help_text = f"Not possible: {why_not}" if why_not else "Keep the present curves beside what comes next (p)"
        st.button("Pin", key="pin", icon=":material/keep:", on_click=pinned.add, help=help_text, disabled=bool(why_not))
        for number, pin in enumerate(shared.pins):
            _chip(number, pin, shared)
        if shared.pins:
            first = shared.pins[0].name
            swap = f"Swap the present settings and {first} (x)"
            is_off, icon = not pinned.is_drawn(shared), ":material/swap_horiz:"
            st.button("Swap", key="swap_pin", icon=icon, on_click=pinned.swap, help=swap, disabled=is_off)
        data = {"alone": shared.pins[0].name if shared.pins else ""}
        _keys()(key="pin_keys", data=data)


def _chip(number: int, pin: Pin, shared: Settings) -> None:
    """A button with a pin's name and difference, which opens what can be done with it."""
    label = words.label(pin, shared.subjects)
    short = label if len(label) <= LONGEST else f"{label[: LONGEST - 1]}…"
    with st.popover(short, key=f"pin_{number}", help=None if short == label else label):
        key = f"pin_name_{number}_{pin.name}"
        st.text_input("Name", pin.name, MOST_LETTERS, key=key, on_change=pinned.rename, args=(number, key))
        is_off = not pinned.is_drawn(shared)
        st.button(
            f"Swap with {pin.name}", key=f"pin_swap_{number}", on_click=pinned.swap, args=(number,), disabled=is_off
        )
        st.button(f"Remove {pin.name}", key=f"pin_remove_{number}", on_click=pinned.remove, args=(number,))


def subjects(shared: Settings) -> tuple[Subject, ...]:
    """Those of the present settings and of the pins."""
    return (*shared.subjects, *of_pins(shared))


def of_pins(shared: Settings) -> tuple[Subject, ...]:
    return tuple(subject for pin in shared.pins for subject in pin.subjects)


def traces(shared: Settings, where: str) -> Table | Compared:
    """The rows of every trace; where there are pins, with a column that says which."""
    compared = {NOW: shared.subjects} | {pin.name: pin.subjects for pin in shared.pins}
    tables = {name: Table.of(each(trace, listed), "table", where) for name, listed in compared.items()}
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
