"""An Experiment as the query of a link, and back: `to_query`, strict `from_query`, tolerant `read_query`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from gradlab.settings.catalogue import CHOICES, SETTINGS, called, default, if_none
from gradlab.settings.experiment import Experiment, SettingsError, shown, unknown
from gradlab.words.languages import _

SEARCHED = 4  # names that are no settings, of which the sentence says what was meant: each search takes 0.5 ms
LINK_VERSION = "1"  # raised when a link's settings change their meaning


def to_query(experiment: Experiment) -> dict[str, str]:
    """Every setting and the link's version as URL query parameters; None is "none", an empty value for text."""
    none = {name: "" if name == "text" else "none" for name in SETTINGS}
    written = {name: none[name] if value is None else str(value) for name, value in experiment}
    return {"version": LINK_VERSION} | written


def from_query(query: Mapping[str, Any]) -> Experiment:
    """Strict reading of `to_query`'s form; settings left out take their default. Raises ValueError."""
    settings = {name: _parsed(name, value) for name, value in query.items()}
    version = settings.pop("version", LINK_VERSION)
    if version != LINK_VERSION:
        raise ValueError(f"version = {shown(version)} of the link is not known: use {LINK_VERSION}")
    return Experiment(**settings)


def read_query(query: Mapping[Any, Any], ignore: Collection[str] = ()) -> tuple[Experiment, list[str]]:
    """Tolerant reading: what cannot be used falls back to the default, with one sentence each. Never raises.

    `ignore` lists the caller's own keys, which are passed over.
    """
    sentences: list[str] = []
    settings: dict[str, Any] = {}
    strange: list[tuple[Any, Any]] = []
    for name, value in query.items():
        parsed = _parsed(name, value)
        if name in SETTINGS:
            settings[name] = parsed
        elif name == "version" and str(parsed) != LINK_VERSION:
            text = _("version = {version} of the link is not known: it is read as {used}.")
            sentences.append(text.format(version=shown(parsed), used=LINK_VERSION))
        elif name != "version" and name not in ignore:
            strange.append((name, parsed))
    for name, parsed in strange[:SEARCHED]:
        sentence = unknown(name, parsed)
        text = _("{sentence} It is left out.") if sentence.endswith("?") else _("{sentence}; it is left out.")
        sentences.append(text.format(sentence=sentence))
    text = _("{name} is not a setting; it is left out.")
    sentences += [text.format(name=shown(name)) for name, _parsed_value in strange[SEARCHED:]]
    while True:  # every round drops at least one setting, so it ends
        try:
            return Experiment(**settings), sentences
        except SettingsError as error:
            for setting, sentence in error.refusals:
                del settings[setting]
                used = default(setting) if default(setting) is not None else if_none(setting)
                text = _("{sentence}; the default, {used}, is used instead.")
                sentences.append(text.format(sentence=sentence, used=used))


def _parsed(name: Any, value: Any) -> Any:
    """A query value as its field takes it; `urllib.parse.parse_qs` wraps each in a list."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, str) and isinstance(name, str) and name in CHOICES:
        return called(name, value)  # the address bar has what the screen calls it
    can_be_none = name in SETTINGS and if_none(name)
    nothing = () if not can_be_none else ("",) if name == "text" else ("", "none")
    return None if isinstance(value, str) and value in nothing else value
