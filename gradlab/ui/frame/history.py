"""Undo and redo: every setting of every page as it was after each run, and the way back and forth.

A setting is a widget that `linked` has drawn. One run is one step: a slider that moved, or the many values of a preset.
What is open on a page is no setting; its default is noted for links alone.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import streamlit as st

from gradlab.ui.frame import visit
from gradlab.words.languages import _

MOST = 100  # steps that are kept
LONGEST = 24  # letters of a value in a button's hint


class History(NamedTuple):
    """The settings by name after each step, and the step that is shown."""

    steps: list[dict[str, Any]]
    at: int


def noted(name: str, default: Any, is_setting: bool = True, label: str = "") -> None:
    """Notes the default of a widget, whether it is a setting, and what the page calls it."""
    seen = visit.current()
    seen.defaults[name], seen.labels[name] = default, label or name
    if is_setting:
        seen.undoable.add(name)


def default_of(name: str) -> Any:
    """The default of a setting that was drawn in this visit."""
    return visit.current().defaults[name]


def record(session: Mapping[str, Any]) -> None:
    """Keeps the settings as they are at the end of a run: a step more where one of them is another.

    session     every value of the session by name
    """
    seen = visit.current()
    now = {name: session[name] for name in seen.defaults if name in seen.undoable and name in session}
    steps, at = _history()
    if steps and all(now.get(name, value) == value for name, value in steps[at].items()):
        steps[at] |= now  # a page that was opened for the first time has settings of its own
        return
    steps = [*steps[: at + 1], now][-MOST:]
    st.session_state["history"] = History(steps, len(steps) - 1)


def move(way: int) -> None:
    """A button's callback: one step back (-1) or forth (1), as far as there are any."""
    steps, at = _history()
    if not 0 <= at + way < len(steps):
        return
    for name in _changed(steps, at, way):
        st.session_state[name] = steps[at + way].get(name, default_of(name))
    st.session_state["history"] = History(steps, at + way)


def hint(way: int) -> str:
    """What a step back or forth changes: "Gain: 1.5 → 1.0"; "" where there is no such step."""
    steps, at = _history()
    if not 0 <= at + way < len(steps):
        return ""
    names = _changed(steps, at, way)
    if len(names) != 1:
        return _("{count} settings").format(count=len(names))
    (name,) = names
    values = (_short(steps[place].get(name, default_of(name))) for place in (at, at + way))
    return f"{visit.current().labels.get(name, name)}: {' → '.join(values)}"


def _history() -> History:
    return st.session_state.get("history", History([], 0))


def _changed(steps: list[dict[str, Any]], at: int, way: int) -> list[str]:
    """The settings that a step changes. What a step does not name was not drawn yet, and stood at its default."""
    here, there = steps[at], steps[at + way]
    return [name for name in here | there if here.get(name, default_of(name)) != there.get(name, default_of(name))]


def _short(value: Any) -> str:
    text = (", ".join(map(str, value)) or "none") if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
