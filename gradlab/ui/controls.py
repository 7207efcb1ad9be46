"""The settings that all pages share, as widgets built from Experiment's fields; their values live in the address bar.

A number has a ladder of stops, for one slider must serve 10 and 10000; a value from a link that is no stop becomes one.
"""

from typing import Any, NamedTuple

import streamlit as st

from gradlab.cells import CELLS
from gradlab.experiment import Experiment, allowed, bounds, choices, default, description, meaning, unit
from gradlab.ui import link
from gradlab.ui.presets import PRESETS


def _rungs(*pieces: tuple[int, int, int]) -> tuple[int, ...]:
    return tuple(sorted({value for low, high, by in pieces for value in range(low, high + 1, by)}))


LADDERS: dict[str, tuple] = {
    "steps": _rungs((10, 100, 10), (120, 200, 20), (250, 500, 50), (600, 1000, 100), (1500, 5000, 500))
    + (6000, 7000, 8000, 9000, 10000),
    "depth": _rungs((1, 8, 1)),
    "hidden_size": (1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512),
    "input_size": (1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
    "batch_size": (1, 2, 4, 8, 16, 32, 64, 128, 256),
    "gain": tuple(n / 20 for n in range(41)) + tuple(n / 4 for n in range(9, 17)) + (5.0, 6.0, 8.0, 10.0),
    "forget_bias": (*(n / 2 for n in range(-8, 0)), None, *(n / 2 for n in range(13)), 8.0, 10.0),
}
LABELS = {
    "steps": "Steps",
    "depth": "Depth (layers)",
    "hidden_size": "Hidden size (units)",
    "input_size": "Input size (channels)",
    "batch_size": "Batch (sequences)",
    "initialization": "Initialization",
    "gain": "Gain",
    "forget_bias": "Forget bias",
    "inputs": "Input",
    "text": "Text",
    "loss": "Loss enters",
    "loss_step": "Loss step",
    "seed": "Seed",
    "dtype": "Precision",
}
AS_DRAWN = "as drawn"  # a forget bias that the initialization decides; PyTorch's is spread around 0, so it stands there
AT_HAND = {  # settings that a page shows in its own column instead of the sidebar, by the page's address
    "": ("steps", "forget_bias", "gain", "initialization"),
    "weights": ("one_cell", "initialization", "gain", "forget_bias"),
}
GROUPS = {
    "Network": ("cells", "depth", "hidden_size", "initialization", "gain", "forget_bias", "seed", "dtype"),
    "Sequence": ("steps", "batch_size", "inputs", "input_size", "text"),
    "Loss": ("loss", "loss_step"),
    "Display": ("state", "relative", "one_cell"),
}
URL_OPTIONS = {"bind": "query-params", "persist_state": "session"}


class Settings(NamedTuple):
    """What the pages read: one experiment for each cell compared, and how to show them."""

    experiments: tuple[Experiment, ...]
    one: Experiment  # of the cell that pages about a single stack show
    state: str  # "h", "c" or "both"
    relative: bool  # to what the loss put in


def current() -> Settings:
    """The settings as the frame drew them in this run."""
    return st.session_state["settings"]


def aside() -> Any:
    """The column beside the home page's picture."""
    return st.session_state["aside"]


def dark() -> bool:
    """Whether the visitor's theme is the dark one."""
    return st.context.theme.type == "dark"


def draw(page: str, at_hand: Any) -> None:
    """Draws every setting and keeps their values for `current`; the page's own go into the container `at_hand`."""
    own = AT_HAND.get(page, ())
    link.read()
    with st.sidebar:
        _starting_points()
        for group, names in GROUPS.items():
            with st.expander(group, expanded=page != "" and group != "Loss"):
                for name in names:
                    if name not in own:
                        _widget(name)
    if own:
        with at_hand:
            for column, name in zip(st.columns(len(own)), own, strict=True):
                with column:
                    _widget(name)
    settings = _settings()
    st.session_state["settings"] = settings
    with st.sidebar:
        link.copy(settings)


def _settings() -> Settings:
    state = st.session_state
    values = {name: state[name] for name in Experiment.model_fields if name in state and name != "cell"}
    values["text"] = (values.get("text") or None) if state["inputs"] == "text" else None
    values["loss_step"] = values.get("loss_step") if state["loss"] == "step" else None
    experiment, problems = Experiment.read_query(values)
    link.report(problems)
    names = [name for name in CELLS if CELLS[name].title in state["cells"]] or list(link.DEFAULT_CELLS)
    experiments = tuple(experiment.replace(cell=name) for name in names)
    one = experiment.replace(cell=link.cell_called(state["one_cell"]))
    return Settings(experiments, one, state["state"] or "h", bool(state["relative"]))


def _widget(name: str) -> None:
    if name in SPECIAL:
        SPECIAL[name]()
        return
    common = {"key": name, "help": _help(name), **URL_OPTIONS}
    if name in LADDERS:
        seen = {st.session_state.get(name, default(name)), link.value_in_address(name), default(name)}
        stops = sorted({*LADDERS[name], *seen}, key=lambda value: -1e-9 if value is None else value)
        st.select_slider(LABELS[name], stops, default(name), format_func=_stop_text, **common)
    elif name == "seed":
        st.number_input(LABELS[name], *map(int, bounds(name)), default(name), step=1, **common)
    else:
        names = choices(name)
        st.selectbox(LABELS[name], names, names.index(default(name)), **common)


def _stop_text(value: float | None) -> str:
    return AS_DRAWN if value is None else str(value)


def _help(name: str) -> str:
    """The field's own description with what is allowed, and what each name means."""
    counted = f" In {unit(name)}." if unit(name) not in ("", "1") else ""
    if unit(name):
        return f"{description(name)}{counted} Allowed: {allowed(name)}."
    return "\n".join([description(name), "", *(f"- **{choice}**: {meaning(name, choice)}" for choice in choices(name))])


def _cells() -> None:
    titles = [cell.title for cell in CELLS.values()]
    help_text = f"{description('cell')} Any set can be compared: all read the same input."
    standard = [CELLS[name].title for name in link.DEFAULT_CELLS]
    st.multiselect("Cells to compare", titles, standard, key="cells", help=help_text, **URL_OPTIONS)


def _text() -> None:
    if st.session_state["inputs"] != "text":
        return

    def take_upload() -> None:
        content = st.session_state["upload"]
        if content is not None:
            try:
                st.session_state["text"] = content.getvalue().decode("utf-8-sig")[: int(bounds("text")[1])]
            except UnicodeDecodeError:
                st.session_state["problems"] = [f"{content.name} is not UTF-8 text: save it as UTF-8 and try again."]

    st.file_uploader("Upload a text (UTF-8)", ["txt", "md", "csv"], key="upload", on_change=take_upload)
    st.text_area(
        LABELS["text"],
        key="text",
        max_chars=int(bounds("text")[1]),
        placeholder="Empty: English prose from Python's own language reference",
        help=_help("text"),
        **URL_OPTIONS,
    )


def _loss_step() -> None:
    if st.session_state["loss"] != "step":
        return
    low, high = bounds("loss_step")
    common = {"key": "loss_step", "help": _help("loss_step"), "placeholder": "the middle step", **URL_OPTIONS}
    st.number_input(LABELS["loss_step"], int(low), int(high), None, step=1, **common)


def _state() -> None:
    help_text = "h is the hidden state, c the cell state, which not every cell has."
    options = list(link.DISPLAY["state"])
    st.segmented_control("State", options, default="h", required=True, key="state", help=help_text, **URL_OPTIONS)


def _relative() -> None:
    st.toggle("Relative to what the loss put in", value=True, key="relative", **URL_OPTIONS)


def _one_cell() -> None:
    titles = list(link.DISPLAY["one_cell"])
    help_text = "The cell shown on pages about a single stack."
    st.selectbox("Cell", titles, titles.index(link.ONE_CELL), key="one_cell", help=help_text, **URL_OPTIONS)


SPECIAL = {
    "cells": _cells,
    "text": _text,
    "loss_step": _loss_step,
    "state": _state,
    "relative": _relative,
    "one_cell": _one_cell,
}


def _starting_points() -> None:
    with st.popover("Presets", width="stretch"):
        for name, preset in PRESETS.items():
            st.button(name, key=f"preset {name}", on_click=link.apply, args=(preset.settings,), width="stretch")
            st.caption(preset.why)
    st.button("Reset every setting", key="reset", on_click=link.apply, args=({},), width="stretch")
