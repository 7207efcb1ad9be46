"""Streamlit's widgets, with a value that lives in the address bar and outlives a change of page.

`linked.slider("Temperature", 0.0, 2.0, 0.8, key="temperature")` takes the arguments of `st.slider` and draws into the
container that is open (`with column:`); the key is the name in the address bar. Where a visit's first address asks for
what the widget does not have, the widget stands at its default, and a sentence says so and what is allowed.
"""

from collections.abc import Callable, Mapping
from functools import partial
from inspect import signature
from typing import Any, ParamSpec, TypeVar

import streamlit as st

from gradlab.settings.experiment import shown
from gradlab.ui.frame import history, link
from gradlab.words.languages import _, codes, speaking

P = ParamSpec("P")
R = TypeVar("R")
MOST_OPTIONS = 16  # that a sentence lists


def _linked(widget: Callable[P, R], allowed: Callable[[Mapping[str, Any]], str]) -> Callable[P, R]:
    """The widget with its value in the address; `allowed` says of a call's arguments, by name, what it may hold."""
    untyped: Any = widget
    bound: Any = partial(untyped, bind="query-params", persist_state="session")
    form = signature(untyped)

    def draw(*arguments: P.args, **options: P.kwargs) -> R:
        name = str(options.get("key"))
        spell: Any = options.get("format_func")
        asked = link.asked_of_page(name)
        if asked is not None and spell is not None:
            _by_name(name, asked, arguments[1], spell, options.get("selection_mode") == "multi")
        value: Any = bound(*arguments, **options)
        named = form.bind(*arguments, **options)
        named.apply_defaults()
        history.noted(name, _default(named.arguments), label=str(named.arguments["label"]))
        if asked is not None and not _is_spelt(value, asked, spell):
            use = allowed(named.arguments)
            instead = _spelt(value, spell or str)
            _refuse(name, asked, use, instead)
        return value

    return draw


def _refuse(name: str, asked: str, use: str, instead: str) -> None:
    text = _("{setting} is not allowed: use {use}; {instead} is used instead.")
    link.report([text.format(setting=f"{name} = {shown(asked)}", use=use, instead=instead)])


def _default(arguments: Mapping[str, Any]) -> Any:
    """What a widget holds at first, by its call's arguments."""
    options = list(arguments.get("options", ()))
    if "index" in arguments:
        return None if arguments["index"] is None else options[arguments["index"]]
    if "default" in arguments:
        several = arguments.get("selection_mode", "multi") == "multi"
        return list(arguments["default"] or ()) if several else arguments["default"]
    if options and arguments["value"] is None and None not in options:
        return options[0]
    return arguments["min_value"] if arguments["value"] == "min" else arguments["value"]


def _by_name(name: str, asked: str, options: Any, shown_as: Callable[[Any], str], several: bool) -> None:
    """Runs anew with the titles of options in the address that a link calls by name, or by a title in any language:
    a bound widget reads the titles that it shows alone, and takes anything else out of the address."""
    named = {spell(option): option for spell in reversed(_spellings(shown_as)) for option in options}
    parts = asked.split(",") if several else [asked]
    chosen = [named[part] for part in parts if part in named]
    if chosen and len(chosen) == len(parts):
        titles = [*map(shown_as, chosen)]
        if titles != st.query_params.get_all(name):
            st.query_params[name] = titles
            st.rerun()


def _spellings(format_func: Any) -> list[Callable[[Any], str]]:
    """Every way to write an option: its name, which goes first, and its title in each language."""

    def spell(option: Any, code: str) -> str:
        with speaking(code):
            return format_func(option)

    return [str, *(partial(spell, code=code) for code in codes() if format_func)]


def _is_spelt(value: Any, asked: str, format_func: Any) -> bool:
    """Whether the text of a link is a way to write a widget's value."""
    values = value if isinstance(value, list | tuple) else [value]
    for spell in _spellings(format_func):
        if sorted(asked.lower().split(",")) == sorted(",".join(map(spell, values)).lower().split(",")):
            return True
    try:
        return isinstance(value, int | float) and float(asked) == value
    except ValueError:
        return False


def _spelt(value: Any, spell: Any) -> str:
    values = value if isinstance(value, list) else [] if value is None else [value]
    return ", ".join(map(spell, values)) or _("nothing")


def _options(arguments: Mapping[str, Any]) -> str:
    """A widget's options, the first and the last of many."""
    spell = arguments.get("format_func") or str
    options = [spell(option) for option in arguments["options"]]
    few = options if len(options) <= MOST_OPTIONS else [*options[:2], "…", options[-1]]
    return ", ".join(few)


def _one(arguments: Mapping[str, Any]) -> str:
    """The options of a widget that has one of them."""
    return _("one of {options}").format(options=_options(arguments))


def _any(arguments: Mapping[str, Any]) -> str:
    return _("any of {options}").format(options=_options(arguments))


def _number(arguments: Mapping[str, Any]) -> str:
    low, high = arguments["min_value"], arguments["max_value"]
    text = _("a whole number from {low} to {high}") if isinstance(low, int) else _("a number from {low} to {high}")
    return text.format(low=low, high=high)


def _text(arguments: Mapping[str, Any]) -> str:
    return _("at most {most} characters").format(most=arguments["max_chars"])


def _switch(arguments: Mapping[str, Any]) -> str:
    return _("true or false")


def expander(label: str, expanded: bool, key: str) -> Any:
    """A container that opens; whether it is open lives in the address."""
    asked = link.asked_of_page(key)
    part = st.expander(label, expanded, key=key, on_change="rerun", bind="query-params")
    history.noted(key, expanded, is_setting=False)
    if asked is not None and asked.lower() not in ("true", "false"):
        instead = "true" if part.open else "false"
        _refuse(key, asked, _switch({}), instead)
    return part


multiselect = _linked(st.multiselect, _any)
number_input = _linked(st.number_input, _number)
pills = _linked(st.pills, _any)
segmented_control = _linked(st.segmented_control, _one)
select_slider = _linked(st.select_slider, _one)
selectbox = _linked(st.selectbox, _one)
slider = _linked(st.slider, _number)
text_area = _linked(st.text_area, _text)
text_input = _linked(st.text_input, _text)
toggle = _linked(st.toggle, _switch)
