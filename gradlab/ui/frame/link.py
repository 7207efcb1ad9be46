"""The address bar and the settings: what a link says, what of it could not be used, and a link that names everything.

Streamlit's bound widgets write the address bar themselves and leave out what is at its default. Here is what they do
not do: say which value of a link was bad and why, accept every spelling that Experiment accepts, and copy a full link.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from gradlab.cells import CELLS
from gradlab.settings.catalogue import SETTINGS, default
from gradlab.settings.links import read_query, to_query
from gradlab.settings.meant import closest
from gradlab.settings.tasks import TASKS
from gradlab.ui.frame.shown import DEFAULT_CELLS, DISPLAY, TITLES, Settings

PASSED_ON = ("version", "embed", "embed_options")  # Streamlit reads the last two
PAGES_OWN = (  # settings of single pages
    "weight", "gate", "lags", "cuts", "layer", "sequence", "unit", "characters", "lag", "colours", "of",
)  # fmt: skip
PASSED_ON += PAGES_OWN
ON_PAGES = (  # settings of one page, drawn there; their widgets fall back by themselves from what is not allowed
    "task", "task_steps", "task_batch", "updates", "optimizer", "learning_rate", "clip_norm", "clip_value",
    "reads_text", "text_updates", "hello_rate", "text_rate", "temperature", "shown_text", "learned_text", "shading",
    "first_shown", "prediction_at", "watched_unit", "watched_layer", "watched_state",
)  # fmt: skip
OWN_KEYS = ("cells", *DISPLAY, *ON_PAGES, *PASSED_ON[1:])


def read_first_address() -> None:
    """Reads the address of a visit before any widget does, and rewrites it as the widgets spell it.

    From then on the widgets hold the settings, and write the address bar themselves.
    """
    if "visited" in st.session_state:
        return
    st.session_state["visited"] = True
    query = st.query_params
    experiment, problems = read_query(query, ignore=OWN_KEYS)
    st.session_state["address"] = experiment
    cells, cell_problems = _cells(query)
    display = {}
    for name in DISPLAY.keys() & query.keys():
        asked = CELLS[query[name].lower()].title if query[name].lower() in CELLS else query[name]
        same = [option for option in DISPLAY[name] if option.lower() == asked.lower()]
        if same:
            display[name] = same[0]
        else:
            problems.append(f"{name} = {query[name][:40]!r} is not allowed: use one of {', '.join(DISPLAY[name])}.")
    report(problems + cell_problems)
    settings = {name: value for name, value in experiment if name in query and name != "cell" and value is not None}
    spelt = {name: str(value) for name, value in settings.items()}
    spelt |= display | {name: query[name] for name in (*PASSED_ON, *ON_PAGES) if name in query}
    if (task := spelt.get("task", "").lower()) in TASKS:
        spelt["task"] = TASKS[task].title
    if cells:
        spelt["cells"] = as_widgets({"cells": cells})["cells"]
    if spelt != {name: values if name == "cells" else values[0] for name, values in _all(query)}:
        query.from_dict(spelt)
        st.rerun()


def _all(query: Any) -> list[tuple[str, list[str]]]:
    return [(name, query.get_all(name)) for name in query]


def _cells(query: Any) -> tuple[list[str], list[str]]:
    """The cells a link asks to compare, by name or title, and a sentence for each that does not exist."""
    known, _ = _cells_called(query.get_all("cells") or query.get_all("cell"))
    return known, [_no_cell(word) for word in _cells_called(query.get_all("cells"))[1]]


def _cells_called(words: list[str]) -> tuple[list[str], list[str]]:
    """Names of cells by name or title, and the words that are neither."""
    by_word = {word.lower(): name for name, cell in CELLS.items() for word in (name, cell.title)}
    known = [by_word[word.lower()] for word in words if word.lower() in by_word]
    return known, [word for word in words if word.lower() not in by_word]


def read(query: list[tuple[str, str]]) -> tuple[Settings, list[str]]:
    """What a full link's query shows, for those that have no page: settings, and what of it is not allowed."""
    experiment, problems = read_query(dict(query), ignore=OWN_KEYS)
    cells, unknown = _cells_called([value for name, value in query if name == "cells"])
    names = [name for name in CELLS if name in cells] or DEFAULT_CELLS
    display = dict(query)
    state = display.get("state", "h")
    problems += [_no_cell(word) for word in unknown]
    if state not in DISPLAY["state"]:
        problems.append(f"state = {state[:40]!r} is not allowed: use one of {', '.join(DISPLAY['state'])}.")
    subjects = tuple(experiment.replace(cell=name) for name in names)
    examined = TITLES.get(display.get("one_cell", ""), subjects[0].cell)
    relative = display.get("relative", "true") == "true"
    return Settings(subjects, experiment.replace(cell=examined), state, relative), problems


def _no_cell(word: str) -> str:
    close, use = closest(word, TITLES), f"se any of {', '.join(TITLES)}"
    advice = f"did you mean {close}? U{use}" if close else f"u{use}"
    return f"cells = {word[:40]!r} is not a cell: {advice}; it is left out."


def as_widgets(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by name as their widgets hold them: cells by title, text as a string; the cell alone has no widget."""
    values = {name: value for name, value in settings.items() if name != "cell"}
    if "cells" in values:
        values["cells"] = [cell.title for name, cell in CELLS.items() if name in values["cells"]]
    if "text" in values:
        values["text"] = values["text"] or ""
    return values


def cell_called(title: str) -> str:
    """A cell's name by its title."""
    return TITLES[title]


def value_in_address(name: str) -> Any:
    """What the address bar says of a setting, or its default."""
    return getattr(st.session_state["address"], name)


def apply(settings: Mapping[str, Any]) -> None:
    """A button's callback: these settings, and every other one at its default."""
    standard = {name: default(name) for name in SETTINGS} | {"cells": DEFAULT_CELLS}
    for key, value in as_widgets(standard | dict(settings)).items():
        st.session_state[key] = value


def report(sentences: list[str]) -> None:
    """Keeps sentences about settings that could not be used until a setting changes."""
    if sentences:
        kept = st.session_state.get("problems", [])
        st.session_state["problems"] = list(dict.fromkeys([*kept, *sentences]))
        st.session_state["problems_at"] = None


def tell(settings: Settings) -> None:
    """Shows what could not be used; the sentences hold what a visitor typed, so they are never read as markdown."""
    if not st.session_state.get("problems"):
        return
    if st.session_state["problems_at"] not in (None, settings):
        st.session_state["problems"] = []
        return
    st.session_state["problems_at"] = settings
    with st.container(border=True, key="problems"):
        st.markdown("**Not everything asked for could be used.**")
        for sentence in st.session_state["problems"]:
            st.text(sentence)


def full_query(settings: Settings) -> str:
    """Every setting, the display's too, and the version, whatever the defaults are."""
    shared = to_query(settings.subjects[0].settings)
    cells = [subject.title for subject in settings.subjects]
    display = {"state": settings.state, "relative": str(settings.relative).lower()}
    display["one_cell"] = settings.one.title
    display |= {name: str(st.session_state[name]) for name in ON_PAGES if name in st.session_state}
    display |= {name: st.session_state[name] for name in PAGES_OWN if st.session_state.get(name) is not None}
    query: dict[str, Any] = {name: value for name, value in shared.items() if name != "cell"}
    return urlencode(query | {"cells": cells} | display, True)


def copy(settings: Settings) -> None:
    """A popover with the full link, and the button of the code block that copies it."""
    with st.popover("Copy link", width="stretch"):
        st.caption("Names every setting and a version, so that it still means the same when a default changes.")
        address = (st.context.url or "").split("?")[0]
        st.code(f"{address}?{full_query(settings)}", language=None, wrap_lines=True)
