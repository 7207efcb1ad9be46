"""The address bar and the settings: what a link says, what of it could not be used, and a link that names everything.

Streamlit's bound widgets write the address bar themselves and leave out what is at its default. Here is what they do
not do: say which value of a link was bad and why, accept every spelling that Experiment accepts, and write a link.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from gradlab.cells import CELLS
from gradlab.settings.catalogue import CHOICES, SETTINGS, default, title
from gradlab.settings.experiment import Experiment, shown
from gradlab.settings.links import LINK_VERSION, read_query, to_query
from gradlab.settings.meant import closest
from gradlab.settings.pins import read_all
from gradlab.settings.tasks import TASKS
from gradlab.ui.frame import hidden, language, present, visit
from gradlab.ui.frame.shown import DEFAULT_CELLS, EVERY_STATE, ONE_CELL, Settings, display, titles
from gradlab.ui.place import FOLDER
from gradlab.words.languages import _

PASSED_ON = ("version", "embed", "embed_options")  # Streamlit reads the last two
# Settings of single pages. A new one needs no line: it begins with the name of its page, as jacobians_of does.
PAGES_OWN = (
    "weight", "gate", "lags", "cuts", "layer", "sequence", "unit", "characters", "lag", "colours", "step",
    language.NAME,
)  # fmt: skip
PASSED_ON += PAGES_OWN
ON_PAGES = (  # settings of one page, drawn there; their widgets fall back by themselves from what is not allowed
    "task", "task_steps", "task_batch", "updates", "optimizer", "learning_rate", "clip_norm", "clip_value",
    "reads_text", "text_updates", "hello_rate", "text_rate", "temperature", "shown_text", "learned_text", "shading",
    "first_shown", "prediction_at", "watched_unit", "watched_layer", "watched_state",
)  # fmt: skip
MAY_BE_EMPTY = ("shown_text", "learned_text", "cuts")  # texts, which may say anything, and a set
MOST_SENTENCES = 12  # that a page shows about what could not be used
MOST = 1e15  # of a page's number; every setting's bounds are far below
PIN = "pin"  # of each of the settings that are kept beside the present ones
OWN_KEYS = ("cells", PIN, present.NAME, hidden.NAME, *display(), *ON_PAGES, *PASSED_ON[1:])
DISPLAY: dict[str, Any] = {  # at first
    "state": "h", "relative": "true", "one_cell": ONE_CELL, "cells": [CELLS[name].title for name in DEFAULT_CELLS],
}  # fmt: skip
PAGES = FOLDER / "pages"


@cache
def _prefixes() -> tuple[str, ...]:
    return tuple(f"{path.stem}_" for path in PAGES.glob("*.py"))


def of_pages(names: Iterable[Any]) -> list[str]:
    """The settings of single pages among some names."""
    return [str(name) for name in names if name in PAGES_OWN or str(name).startswith(_prefixes())]


def read_first_address() -> None:
    """Reads the address of a visit before any widget does, and rewrites it as the widgets spell it.

    From then on the widgets hold the settings, and write the address bar themselves.
    """
    begun = visit.current()
    if begun.has_begun:
        return
    begun.has_begun = True
    query = st.query_params
    present.read(query)
    experiment, problems = read_query(query, ignore=(*OWN_KEYS, *of_pages(query)))
    problems += hidden.read(query)
    pins, pin_problems = read_all(query.get_all(PIN), experiment)
    st.session_state["pins"] = pins
    problems += pin_problems
    begun.address = experiment
    cells, cell_problems = _cells(query)
    displayed = {}
    for name, options in display().items():
        if name not in query:
            continue
        asked = CELLS[query[name].lower()].title if query[name].lower() in CELLS else query[name]
        asked = EVERY_STATE if name == "state" and asked == "both" else asked  # as links had it where all were two
        same = [option for option in options if option.lower() == asked.lower()]
        if same:
            displayed[name] = same[0]
        else:
            problems.append(_not_one_of(name, query[name], options))
    report(problems + cell_problems)
    if "cell" in query and "one_cell" not in query:
        displayed["one_cell"] = CELLS[experiment.cell].title
    compared = as_widgets({"cells": cells}) if cells else {}
    begun.display = DISPLAY | displayed | compared
    of_page = _of_page(query)
    begun.asked = {name: ",".join(values) for name, values in of_page.items()}
    settings = {name: value for name, value in experiment if name in query and name != "cell" and value is not None}
    spelt: dict[str, Any] = {n: title(value) if n in CHOICES else str(value) for n, value in settings.items()}
    usable = {n: values for n, values in of_page.items() if n in MAY_BE_EMPTY or not any(map(_is_unusable, values))}
    spelt |= displayed | {name: values if len(values) > 1 else values[0] for name, values in usable.items()}
    if (task := spelt.get("task", "").lower()) in TASKS:
        spelt["task"] = TASKS[task].title
    if cells:
        spelt["cells"] = as_widgets({"cells": cells})["cells"]
    if present.is_on():
        spelt[present.NAME] = "1"
    if hidden.names():
        spelt[hidden.NAME] = hidden.text()
    if texts := [pin.text for pin in pins]:
        spelt[PIN] = texts if len(texts) > 1 else texts[0]
    if spelt != {name: values if name == "cells" or len(values) > 1 else values[0] for name, values in _all(query)}:
        query.from_dict(spelt)
        st.rerun()


def _of_page(query: Any) -> dict[str, list[str]]:
    """What an address asks of single pages."""
    names = dict.fromkeys((*PASSED_ON, *ON_PAGES, *of_pages(query)))
    return {name: query.get_all(name) for name in names if name in query}


def _is_unusable(text: str) -> bool:
    """Whether no widget may see a text: it is empty, or a number that is infinite, undefined or of too many digits."""
    try:
        return not text or not abs(float(text)) < MOST
    except ValueError:
        return False


def asked_of_page(name: str) -> str | None:
    """What a visit's first address asks of a page's widget, once; None where it asks nothing."""
    return visit.current().asked.pop(name, None)


def _all(query: Any) -> list[tuple[str, list[str]]]:
    return [(name, query.get_all(name)) for name in query]


def _cells(query: Any) -> tuple[list[str], list[str]]:
    """The cells a link asks to compare, by name or title, and a sentence for each that does not exist."""
    known = _cells_called(query.get_all("cells") or query.get_all("cell"))[0]
    return known, [_no_cell(word) for word in _cells_called(query.get_all("cells"))[1]]


def _cells_called(words: list[str]) -> tuple[list[str], list[str]]:
    """Names of cells by name or title, and the words that are neither."""
    by_word = {word.lower(): name for name, cell in CELLS.items() for word in (name, cell.title)}
    known = [by_word[word.lower()] for word in words if word.lower() in by_word]
    return known, list(dict.fromkeys(word for word in words if word.lower() not in by_word))[:MOST_SENTENCES]


def read(query: list[tuple[str, str]]) -> tuple[Settings, list[str]]:
    """What a full link's query shows, for those that have no page: settings, and what of it is not allowed."""
    given = dict(query)
    experiment, problems = read_query(given, ignore=(*OWN_KEYS, *of_pages(given)))
    cells, unknown = _cells_called([value for name, value in query if name == "cells"])
    names = [name for name in CELLS if name in cells] or DEFAULT_CELLS
    state = given.get("state", "h")
    problems += [_no_cell(word) for word in unknown]
    if state not in display()["state"]:
        problems.append(_not_one_of("state", state, display()["state"]))
    subjects = tuple(experiment.replace(cell=name) for name in names)
    examined = titles().get(given.get("one_cell", ""), subjects[0].cell)
    relative = given.get("relative", "true") == "true"
    pins, sentences = read_all([value for name, value in query if name == PIN], experiment)
    return Settings(subjects, experiment.replace(cell=examined), state, relative, pins), problems + sentences


def _not_one_of(name: str, asked: str, options: Iterable[str]) -> str:
    text = _("{setting} is not allowed: use one of {options}.")
    return text.format(setting=f"{name} = {shown(asked)}", options=", ".join(options))


def _no_cell(word: str) -> str:
    close = closest(word, titles())
    text = (
        _("{setting} is not a cell: did you mean {close}? Use any of {cells}; it is left out.")
        if close
        else _("{setting} is not a cell: use any of {cells}; it is left out.")
    )
    return text.format(setting=f"cells = {shown(word)}", close=close, cells=", ".join(titles()))


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
    return titles()[title]


def value_in_address(name: str) -> Any:
    """What the address bar says of a setting, or its default."""
    return getattr(visit.current().address, name)


def display_in_address(name: str) -> Any:
    """What the address bar says of a setting of the display, or of the cells compared, or its default."""
    return visit.current().display[name]


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
        st.markdown(_("**Not everything asked for could be used.**"))
        _show(st.session_state["problems"])


def tell_of_page(before: int) -> None:
    """Shows what the page itself could not use; from the next run on `tell` does."""
    if more := st.session_state.get("problems", [])[before:]:
        with st.container(border=True, key="problems of the page"):
            _show(more)


def _show(sentences: list[str]) -> None:
    for sentence in sentences[:MOST_SENTENCES]:
        st.text(sentence)
    if (more := len(sentences) - MOST_SENTENCES) > 0:
        st.text(_("And {count} more.").format(count=more))


def _values(settings: Settings, session: Mapping[str, Any]) -> dict[str, Any]:
    """Every setting, the display's too, as a link writes it: text, or a list of texts."""
    shared = to_query(settings.subjects[0].settings)
    values: dict[str, Any] = {name: value for name, value in shared.items() if name != "cell"}
    values |= {"cells": [subject.title for subject in settings.subjects], "state": settings.state}
    values |= {"relative": str(settings.relative).lower(), "one_cell": settings.one.title}
    values |= {PIN: [pin.text for pin in settings.pins]} if settings.pins else {}
    values |= {name: str(session[name]) for name in ON_PAGES if name in session}
    own = {name: session[name] for name in of_pages(session)}
    return values | {name: value for name, value in own.items() if value is not None}


def full_query(settings: Settings) -> str:
    """Every setting, the display's too, and the version, whatever the defaults are."""
    return urlencode(_values(settings, st.session_state.to_dict()), True)


def short_query(settings: Settings, session: Mapping[str, Any]) -> str:
    """What of `full_query` is not at its default, the pages' own settings that were drawn among it, and the version.

    session     every value of the session by name
    """
    standard = to_query(Experiment()) | DISPLAY
    drawn = {name: value for name, value in visit.current().defaults.items() if name not in standard}
    standard |= {name: str(value) if name in ON_PAGES else value for name, value in drawn.items()}
    changed = {name: value for name, value in _values(settings, session).items() if standard.get(name) != value}
    changed = {name: value for name, value in changed.items() if name != language.NAME} | language.in_links()
    if present.is_on():
        changed[present.NAME] = "1"
    if hidden.names():
        changed[hidden.NAME] = hidden.text()
    return urlencode({"version": LINK_VERSION} | changed, True) if changed else ""
