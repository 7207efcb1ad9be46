"""One widget per setting, built from the catalogue; its value lives in the address bar.

A number has a ladder of stops, for one slider must serve 10 and 10000; a value from a link that is no stop becomes one.
A setting without a ladder or a label still has a widget, by what the catalogue says of it.
"""

from collections.abc import Callable
from typing import Any

import streamlit as st

from gradlab.cells import CELLS
from gradlab.settings.catalogue import (
    CHOICES,
    about,
    allowed,
    bounds,
    choices,
    default,
    description,
    if_none,
    meaning,
    title,
    unit,
)  # fmt: skip
from gradlab.ui.frame import language, link, linked
from gradlab.ui.frame.shown import DEFAULT_CELLS, ONE_CELL, display, titles
from gradlab.words.languages import N_, _


def _rungs(*pieces: tuple[int, int, int]) -> tuple[int, ...]:
    return tuple(sorted({value for low, high, by in pieces for value in range(low, high + 1, by)}))


BIASES = (*(n / 2 for n in range(-8, 0)), None, *(n / 2 for n in range(13)), 8.0, 10.0)
LADDERS: dict[str, tuple] = {
    "steps": _rungs(
        (10, 100, 10), (120, 200, 20), (250, 500, 50), (600, 1000, 100), (1500, 5000, 500), (6000, 10000, 1000)
    ),
    "depth": _rungs((1, 8, 1)),
    "hidden_size": (1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512),
    "input_size": (1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
    "batch_size": (1, 2, 4, 8, 16, 32, 64, 128, 256),
    "gain": tuple(n / 20 for n in range(41)) + tuple(n / 4 for n in range(9, 17)) + (5.0, 6.0, 8.0, 10.0),
    "keep_bias": BIASES,
    "forget_bias": BIASES,
    "k2": (None, *_rungs((1, 3, 1), (4, 20, 2), (24, 60, 4), (80, 200, 20), (300, 1000, 100), (2000, 10000, 1000))),
}
LABELS = {
    "depth": N_("Depth (layers)"),
    "hidden_size": N_("Hidden size (units)"),
    "input_size": N_("Input size (channels)"),
    "batch_size": N_("Batch (sequences)"),
    "keep_bias": N_("Keep-gate bias"),
    "forget_bias": N_("Forget-gate bias alone"),
    "inputs": N_("Input"),
    "loss": N_("Loss placement"),
    "k1": N_("k1: steps between updates"),
    "k2": N_("k2: truncation length"),
    "dtype": N_("Precision"),
    "cell": N_("Cell"),
    "steps": N_("Steps"),
    "gain": N_("Gain"),
    "initialization": N_("Initialization"),
    "loss_step": N_("Loss step"),
    "loss_steps": N_("Loss steps"),
    "reads": N_("Reads"),
    "writes": N_("Writes"),
    "objective": N_("Objective"),
    "output_size": N_("Output size"),
    "truncation": N_("Truncation"),
    "seed": N_("Seed"),
}
AS_DRAWN = "default"  # a bias that the initialization decides; PyTorch's is spread around 0, so it stands there
MOST_TEXT = 5  # MB of an uploaded text
ANY_SET = N_("Any set can be compared: all read the same input.")


def widget(name: str, why_not: str = "") -> None:
    """Draws the widget of one setting, of an Experiment or of the display; inactive where a reason is given."""
    if name in SPECIAL:
        SPECIAL[name]()
        return
    label = _(LABELS.get(name, name.replace("_", " ").capitalize()))
    if name in LADDERS:
        about, is_off = f"{why_not}\n\n{_help(name)}" if why_not else _help(name), bool(why_not)
        value = default(name)
        linked.select_slider(
            label, stops(name), value, format_func=stop_text(name), key=name, help=about, disabled=is_off
        )
        if why_not:
            st.caption(why_not)
    elif name in CHOICES:
        first = choices(name).index(default(name))
        linked.selectbox(label, choices(name), first, format_func=title, key=name, help=_help(name))
    elif unit(name) == "characters":
        most, hint = int(bounds(name)[1]), _if_none(name)
        linked.text_input(label, max_chars=most, placeholder=hint, key=name, help=_help(name))
    else:
        (low, high), value, hint = map(int, bounds(name)), default(name), _if_none(name)
        linked.number_input(label, low, high, value, step=1, placeholder=hint, key=name, help=_help(name))


def stops(name: str) -> list:
    """A ladder's stops, those that a link asked for among them."""
    seen = {st.session_state.get(name, default(name)), link.value_in_address(name), default(name)}
    return sorted({*LADDERS[name], *seen}, key=lambda value: -1e-9 if value is None else value)


def stop_text(name: str) -> Callable[[float | None], str]:
    """How a slider writes its stops: as links have them, in every language."""
    none = AS_DRAWN if name in ("keep_bias", "forget_bias") else about(name).none or None
    return lambda value: str(none if value is None else value)


def _if_none(name: str) -> str | None:
    """What an empty field stands for."""
    return if_none(name) or None


def _help(name: str) -> str:
    """The setting's description, what each name means, and of a text what is allowed."""
    if name in CHOICES:
        meanings = [f"- **{title(choice)}**: {meaning(name, choice)}" for choice in choices(name)]
        return "\n".join([description(name), "", *meanings])
    is_typed = unit(name) == "characters"  # any other widget shows what is allowed
    allows = _("{what} Allowed: {allowed}.").format(what=description(name), allowed=allowed(name))
    return allows if is_typed else description(name)


def _cells() -> None:
    help_text = f"{description('cell')} {_(ANY_SET)}"
    standard = [CELLS[name].title for name in DEFAULT_CELLS]
    linked.multiselect(_("Cells to compare"), list(titles()), standard, key="cells", help=help_text)


def _text() -> None:
    most = int(bounds("text")[1])
    kinds, hint = ["txt", "md"], _("Empty: English prose from Python's own reference")
    label = _("Upload a text (UTF-8)")
    st.file_uploader(label, kinds, key="upload", max_upload_size=MOST_TEXT, on_change=_take_upload)
    linked.text_area(_("Text"), max_chars=most, placeholder=hint, key="text", help=_help("text"))


@language.spoken
def _take_upload() -> None:
    file = st.session_state["upload"]
    if file is None or (text := text_of(file)) is None:
        return
    most = int(bounds("text")[1])
    if len(text) > most:
        said = _("{file} has {count} characters: its first {most} are read.")
        link.report([said.format(file=file.name, count=len(text), most=most)])
    st.session_state["text"] = text[:most]


def text_of(file: Any) -> str | None:
    """The text of an uploaded file; None, with a sentence, where it is not UTF-8."""
    try:
        return file.getvalue().decode("utf-8-sig")
    except UnicodeDecodeError:
        link.report([_("{file} is not UTF-8 text: save it as UTF-8 and upload it again.").format(file=file.name)])
        return None


def _state() -> None:
    help_text = _("h is the hidden state, c the cell state. Cells have different states; each has h.")
    states = list(display()["state"])
    linked.segmented_control(_("State"), states, default="h", required=True, key="state", help=help_text)


def _relative() -> None:
    linked.toggle(_("Relative to the injected gradient"), value=True, key="relative")


def _one_cell() -> None:
    names = list(titles())
    help_text = _("The cell of pictures that show a single network.")
    linked.selectbox(_("Cell"), names, names.index(ONE_CELL), key="one_cell", help=help_text)


SPECIAL: dict[str, Callable[[], None]] = {
    "cells": _cells,
    "text": _text,
    "state": _state,
    "relative": _relative,
    "one_cell": _one_cell,
}
