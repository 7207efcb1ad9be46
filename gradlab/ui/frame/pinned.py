"""The pins of a visit: settings kept beside the present ones, in the session and in the address."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from gradlab.settings import pins
from gradlab.settings.experiment import Experiment
from gradlab.settings.pins import Pin
from gradlab.ui.frame import history, language, link
from gradlab.ui.frame.shown import Settings
from gradlab.words.languages import N_, _

NAME = link.PIN
OF_WEIGHTS = N_("Weights that were trained or brought are in no link: pins keep settings, and their initial weights.")


def current(beside: Experiment) -> tuple[Pin, ...]:
    """Those that fit into a link beside the present settings; the others are taken away, with a sentence each."""
    history.noted("pins", ())
    kept, sentences = pins.fitting(_all(), beside)
    link.report(sentences)
    _put(kept)
    return kept


def write() -> None:
    """Has the address say them, on every page."""
    texts = [pin.text for pin in _all()]
    if texts and st.query_params.get_all(NAME) != texts:
        st.query_params[NAME] = texts
    elif not texts and NAME in st.query_params:
        del st.query_params[NAME]


def why_not(shared: Settings) -> str:
    """Why the present settings cannot be pinned; "" where they can."""
    if not is_drawn(shared):
        return _(OF_WEIGHTS)
    return pins.why_not((*shared.pins, _of_present(shared)), shared.subjects[0].settings)


def is_drawn(shared: Settings) -> bool:
    """Whether the weights shown are those that the settings draw."""
    return all(isinstance(subject, Experiment) for subject in shared.subjects)


def add() -> None:
    """A button's callback: pins the present settings."""
    shared: Settings = st.session_state["settings"]
    if not why_not(shared):
        _put((*shared.pins, _of_present(shared)))


def why_not_before(shared: Settings) -> str:
    """Why the present settings are not pinned before a change; "" where they are."""
    if not is_drawn(shared):
        return OF_WEIGHTS
    before = _before(shared)
    same = [pin.name for pin in shared.pins if pin._replace(name=before.name) == before]
    return f"the pin {same[0]} has them already." if same else pins.why_not((*shared.pins, before), before.experiment)


def change(settings: Mapping[str, Any]) -> None:
    """A button's callback: some settings, and the state before them as a pin where there is room for one."""
    shared: Settings = st.session_state["settings"]
    if not why_not_before(shared):
        _put((*shared.pins, _before(shared)))
    st.session_state.update(settings)


def remove(number: int) -> None:
    """A button's callback: takes one away."""
    _put([pin for n, pin in enumerate(_all()) if n != number])


@language.spoken
def rename(number: int, key: str) -> None:
    """A field's callback: the name that stands there, or a sentence why it cannot be one."""
    name, others = str(st.session_state[key]).strip(), [pin.name for n, pin in enumerate(_all()) if n != number]
    if refused := pins.why_not_called(name, others):
        link.report([refused])
        return
    _put([pin._replace(name=name) if n == number else pin for n, pin in enumerate(_all())])


def swap(number: int = 0) -> None:
    """A button's callback: the pin's settings become the present ones, and these the pin's."""
    shared: Settings = st.session_state["settings"]
    if not is_drawn(shared):
        return
    pin = shared.pins[number]
    now = Pin.of(pin.name, [subject.settings for subject in shared.subjects])
    _put([now if n == number else other for n, other in enumerate(shared.pins)])
    link.apply(pin.settings)


def _of_present(shared: Settings) -> Pin:
    name = pins.next_name([pin.name for pin in shared.pins])
    return Pin.of(name, [subject.settings for subject in shared.subjects])


def _before(shared: Settings) -> Pin:
    name = pins.free_name(pins.BEFORE, [pin.name for pin in shared.pins])
    return Pin.of(name, [subject.settings for subject in shared.subjects])


def _all() -> tuple[Pin, ...]:
    return st.session_state.get("pins", ())


def _put(kept: Sequence[Pin]) -> None:
    st.session_state["pins"] = tuple(kept)
