"""`?lang=ko`: the language of the frame and of the pages that have it; at first the browser's, then a switch's.

It is in links wherever a browser that speaks English would show another one without it.
"""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import streamlit as st

from gradlab.settings.experiment import shown
from gradlab.words import languages
from gradlab.words.languages import SOURCE, _, name_of

P = ParamSpec("P")
R = TypeVar("R")
NAME = "lang"  # in the address, and in the session
STORY = "story"  # the page that has the switch at its top
WHOLE = (  # pages that have every text in every language; the others are in English
    "home", STORY, "gradient_flow", "one_unit", "why_addition", "gates", "unrolled", "jacobians", "initializations",
    "phase_map", "weights", "spectrum", "memory", "sequence_types", "itemised", "truncation", "training",
    "character_model", "your_network",
)  # fmt: skip
ICON = ":material/translate:"


def begin() -> list[str]:
    """Before anything is drawn: a run speaks the visitor's language. Sentences about a first address's `lang`."""
    refused = []  # said below, in the language that is chosen
    if NAME not in st.session_state:
        asked, browser = st.query_params.get(NAME), languages.matching(st.context.locale)
        st.session_state[NAME] = asked if asked in languages.codes() else browser
        st.session_state["browser's language"] = browser
        if asked not in (None, *languages.codes()):
            refused.append(asked)
    languages.speak(st.session_state[NAME])
    text = _("{setting} is not allowed: use {use}; {instead} is used instead.")
    use, instead = " / ".join(languages.codes()), st.session_state[NAME]
    return [text.format(setting=f"{NAME} = {shown(asked)}", use=use, instead=instead) for asked in refused]


def of_page(page: str) -> str:
    """The language of a page's own texts, by its address, which is "" of the first one."""
    return st.session_state[NAME] if (page or "home") in WHOLE else SOURCE


def in_links() -> dict[str, str]:
    """What a link says of it: nothing where English is spoken to a browser that would ask for it."""
    code = st.session_state.get(NAME, SOURCE)
    is_plain = code == SOURCE == st.session_state.get("browser's language", SOURCE)
    return {} if is_plain else {NAME: code}


def frame() -> None:
    """Keeps the address saying it on every page."""
    if in_links():
        st.query_params[NAME] = st.session_state[NAME]
    elif NAME in st.query_params:
        del st.query_params[NAME]


def switch() -> None:
    """A button for each other language, by the name that it gives itself."""
    for code in languages.codes():
        if code != st.session_state[NAME]:
            name = name_of(code)
            st.button(
                name, key=f"speak {code}", icon=ICON, type="tertiary", on_click=_choose, args=(code,),
                help=_("Language: {name}").format(name=name),
            )  # fmt: skip


def spoken(callback: Callable[P, R]) -> Callable[P, R]:
    """A widget's callback, which runs before its page and so before anything is spoken, in the visitor's language."""

    @wraps(callback)
    def called(*arguments: P.args, **options: P.kwargs) -> R:
        with languages.speaking(st.session_state.get(NAME, SOURCE)):
            return callback(*arguments, **options)

    return called


def _choose(code: str) -> None:
    st.session_state[NAME] = code
