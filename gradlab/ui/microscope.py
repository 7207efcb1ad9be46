"""What the page of gates and units asks of the visitor, and what it shows of a Microscope."""

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from gradlab.charts.gates import CHOSEN
from gradlab.experiment import Experiment
from gradlab.feeds import inputs_of
from gradlab.inputs import vocabulary
from gradlab.paths import Microscope
from gradlab.ui.widgets import URL_OPTIONS

LETTERS_SHOWN = 120  # more would lie on each other


def place(experiment: Experiment) -> tuple[int, int]:
    """The layer and the sequence to look at."""
    layer = sequence = 0
    left, right = st.columns(2)
    if experiment.depth > 1:
        layer = _number(left, "Layer", "layer", experiment.depth - 1)
    if experiment.batch_size > 1:
        sequence = _number(right, "Sequence of the batch", "sequence", experiment.batch_size - 1)
    return layer, sequence


def _number(column: Any, label: str, key: str, most: int) -> int:
    if st.session_state.get(key) is not None:
        st.session_state[key] = min(int(st.session_state[key]), most)
    return int(column.number_input(label, 0, most, 0, key=key, **URL_OPTIONS))


def chosen(scope: Microscope) -> int:
    """The unit in close-up: the one clicked or typed, at first the one of the longest memory."""
    units = scope.units["unit"]
    most = len(units) - 1
    if (clicked := st.session_state.pop("clicked unit", None)) is not None:
        st.session_state["unit"] = clicked
    if st.session_state.get("unit") is not None:
        st.session_state["unit"] = min(int(st.session_state["unit"]), most)
    help_text = "Click a row of a picture, or type a number."
    typed = st.number_input(
        "Unit", 0, most, None, key="unit", placeholder="the longest memory", help=help_text, **URL_OPTIONS
    )
    return int(units.iloc[0] if typed is None else typed)


def clickable(chart: Any, quantity: str, description: str) -> None:
    """Draws a heat map; a click on a row chooses that unit."""
    key = f"map {quantity}"

    def take() -> None:
        picked = st.session_state[key]["selection"].get(CHOSEN) or []
        if picked:
            st.session_state["clicked unit"] = int(picked[0]["unit"])

    st.altair_chart(chart, theme=None, key=key, on_select=take, selection_mode=CHOSEN, alt=f"{quantity}. {description}")


def wide(scope: Microscope, quantity: str) -> pd.DataFrame:
    """Units by memory × steps."""
    order = scope.units["unit"].to_numpy()
    return pd.DataFrame(scope.values[quantity].T[order], index=order)


def table(scope: Microscope, quantity: str) -> pd.DataFrame:
    """Every value of one quantity, for exports."""
    everything = scope.table
    return everything[everything["quantity"] == quantity].reset_index(drop=True)


def panels(scope: Microscope, unit: int) -> dict[str, pd.DataFrame]:
    """The close-up's three tables, by the name of their axis."""
    groups = {"state": [n for n in ("h", "c") if n in scope.values], "log10 |∂L/∂s|": ["log10 gradient"]}
    others = [name for name in scope.values if name not in (*groups["state"], "log10 gradient")]
    groups = {"state": groups["state"], "gates": others, "log10 |∂L/∂s|": ["log10 gradient"]}
    return {axis: pd.concat([_of_unit(scope, unit, name) for name in names]) for axis, names in groups.items()}


def _of_unit(scope: Microscope, unit: int, quantity: str) -> pd.DataFrame:
    values = scope.values[quantity][:, unit]
    step = np.arange(len(values))
    return pd.DataFrame({"unit": unit, "step": step, "lag": step[::-1], "quantity": quantity, "value": values})


def letters(experiment: Experiment, sequence: int) -> pd.Series | None:
    """The characters that a sequence reads, by step, where the input is text and short enough to be shown."""
    if experiment.inputs != "text" or experiment.steps > LETTERS_SHOWN:
        return None
    read = inputs_of(experiment)[:, sequence]
    known = np.array([*vocabulary(experiment.text), " "])
    return pd.Series(known[np.where(read.any(axis=1), read.argmax(axis=1), len(known) - 1)])
