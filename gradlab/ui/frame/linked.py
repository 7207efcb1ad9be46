"""Streamlit's widgets, with a value that lives in the address bar and outlives a change of page.

`linked.slider("Temperature", 0.0, 2.0, 0.8, key="temperature")` takes the arguments of `st.slider` and draws into the
container that is open (`with column:`); the key is the name in the address bar. Where a visit's first address asks for
what the widget does not have, the widget stands at its default, and a sentence says so.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, ParamSpec, TypeVar

import streamlit as st

from gradlab.ui.frame import link

P = ParamSpec("P")
R = TypeVar("R")


def _linked(widget: Callable[P, R]) -> Callable[P, R]:
    untyped: Any = widget
    bound: Any = partial(untyped, bind="query-params", persist_state="session")

    def draw(*arguments: P.args, **options: P.kwargs) -> R:
        name, spell = str(options.get("key")), options.get("format_func")
        asked = link.asked_of_page(name)
        if asked is not None and spell is not None:
            _by_name(name, asked, arguments[1], several=options.get("selection_mode") == "multi")
        value = bound(*arguments, **options)
        if asked is not None and not _is_spelt(value, asked, spell):
            refused = f"{name} = {asked[:40]!r} is not a value of “{arguments[0]}”"
            link.report([f"{refused}: {_shown(value)} is used instead."])
        return value

    return draw


def _by_name(name: str, asked: str, options: Any, several: bool) -> None:
    """Chooses options by their names, which a copied link has where a bound widget reads their titles alone."""
    named = {str(option): option for option in options}
    chosen = [named[part] for part in asked.split(",") if part in named]
    if chosen and len(chosen) == len(asked.split(",")):
        st.session_state[name] = chosen if several else chosen[0]


def _is_spelt(value: Any, asked: str, format_func: Any) -> bool:
    """Whether the text of a link is a way to write a widget's value."""
    values = value if isinstance(value, list | tuple) else [value]
    for spell in (str, format_func) if format_func else (str,):
        if sorted(asked.lower().split(",")) == sorted(",".join(map(spell, values)).lower().split(",")):
            return True
    try:
        return isinstance(value, int | float) and float(asked) == value
    except ValueError:
        return False


def _shown(value: Any) -> str:
    return "nothing" if value is None or value == [] else str(value)


multiselect = _linked(st.multiselect)
number_input = _linked(st.number_input)
pills = _linked(st.pills)
segmented_control = _linked(st.segmented_control)
select_slider = _linked(st.select_slider)
selectbox = _linked(st.selectbox)
slider = _linked(st.slider)
text_area = _linked(st.text_area)
text_input = _linked(st.text_input)
toggle = _linked(st.toggle)
