"""What the page of gates and units asks of the visitor, and what it shows of a Microscope."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from gradlab.analyses.paths import Microscope
from gradlab.analyses.thinning import thin
from gradlab.charts.gates import CHOSEN
from gradlab.settings.drawing import inputs_of
from gradlab.settings.experiment import Experiment
from gradlab.settings.inputs import vocabulary
from gradlab.ui.frame.widgets import URL_OPTIONS
from gradlab.ui.parts.picture import show

COLUMNS_TAKEN = 16_000  # steps of a map in a picture that leaves the screen; browsers take none much wider
POINTS_ON_SCREEN = 3000  # of all lines of a chart together
LETTERS_SHOWN = 80  # more would lie on each other


def place(experiment: Experiment) -> tuple[int, int, int | None]:
    """The layer, the sequence and the unit to look at; no unit for the one of the longest memory."""
    if (clicked := st.session_state.pop("clicked unit", None)) is not None:
        st.session_state["unit"] = clicked
    columns = st.columns(3)
    unit = _number(columns[0], "Unit (or click a row of a picture)", "unit", experiment.hidden_size - 1, None)
    sequence = _number(columns[1], "Sequence of the batch", "sequence", experiment.batch_size - 1)
    layer = _number(columns[2], "Layer", "layer", experiment.depth - 1)
    return layer or 0, sequence or 0, unit


def _number(column: Any, label: str, key: str, most: int, standard: int | None = 0) -> int | None:
    if st.session_state.get(key) is not None:
        st.session_state[key] = min(int(st.session_state[key]), most)
    options = {"key": key, "disabled": most == 0, "placeholder": "the longest memory"}
    return column.number_input(label, 0, max(most, 1), standard, step=1, **options, **URL_OPTIONS)


def clickable(chart: Any, quantity: str, description: str) -> None:
    """Draws a heat map; a click on a row chooses that unit."""
    key = f"map {quantity}"

    def take() -> None:
        picked = st.session_state[key]["selection"].get(CHOSEN) or []
        if picked:
            st.session_state["clicked unit"] = int(picked[0]["unit"])

    show(chart, f"{quantity}. {description}", key=key, on_select=take, selection_mode=CHOSEN)


def in_pairs(quantities: Collection[str]) -> Iterator[tuple[str, Any]]:
    """Each with a column of its own, two a row, so that a phone shows them in their order."""
    rows = [st.columns(2) for _ in range(-(-len(quantities) // 2))]
    return zip(quantities, (column for row in rows for column in row), strict=False)


def wide(scope: Microscope, quantity: str, steps: range) -> pd.DataFrame:
    """Units by memory × some steps."""
    order = scope.units["unit"].to_numpy()
    values = scope.values[quantity][steps.start : steps.stop].T
    return pd.DataFrame(values[order], index=order, columns=list(steps))


def table(scope: Microscope, quantities: Sequence[str], unit: int | None = None) -> pd.DataFrame:
    """Every value of some quantities, of all units or of one, for exports."""
    everything = scope.table
    chosen = everything["quantity"].isin(quantities)
    return everything[chosen if unit is None else chosen & (everything["unit"] == unit)].reset_index(drop=True)


def panels(scope: Microscope) -> dict[str, list[str]]:
    """The quantities of the close-up's three charts, by the name of their axis."""
    states = [name for name in ("h", "c") if name in scope.values]
    others = [name for name in scope.values if name not in (*states, "log10 gradient")]
    return {"state": states, "gates": others, "log10 |∂L/∂s|": ["log10 gradient"]}


def lines(scope: Microscope, unit: int, quantities: Sequence[str], steps: range) -> pd.DataFrame:
    """One unit's quantities over some steps."""
    return pd.concat([_of_unit(scope, unit, name, steps) for name in quantities])


def thinned(table: pd.DataFrame, line: str, columns: Sequence[str]) -> pd.DataFrame:
    """Lines for the screen, one for each value of the column `line`; extremes of `columns` are kept."""
    return thin(table, POINTS_ON_SCREEN // table[line].nunique(), columns=columns, by=(line,))


def _of_unit(scope: Microscope, unit: int, quantity: str, steps: range) -> pd.DataFrame:
    values = scope.values[quantity][:, unit]
    step = np.array(steps)
    columns = {"unit": unit, "step": step, "lag": len(values) - 1 - step, "quantity": quantity, "value": values[step]}
    return pd.DataFrame(columns)


def steps_shown(experiment: Experiment) -> range:
    """All steps; of a long text as many as can be read on an axis, from where the visitor says, or all if told to."""
    T = experiment.steps
    if experiment.inputs != "text" or T <= LETTERS_SHOWN:
        return range(T)
    firsts = sorted({*range(0, T - LETTERS_SHOWN, LETTERS_SHOWN // 2), T - LETTERS_SHOWN})
    names = {f"{first} to {first + LETTERS_SHOWN - 1}": range(first, first + LETTERS_SHOWN) for first in firsts}
    names["all, without letters"] = range(T)
    label = f"Characters shown: {LETTERS_SHOWN} can be read on an axis"
    return names[st.select_slider(label, list(names), key="characters", **URL_OPTIONS)]


def letters(experiment: Experiment, sequence: int, steps: range) -> pd.Series | None:
    """The characters that a sequence reads, by step, where the input is text and few enough steps are shown."""
    if experiment.inputs != "text" or len(steps) > LETTERS_SHOWN:
        return None
    read = inputs_of(experiment)[steps.start : steps.stop, sequence]
    known = np.array([*vocabulary(experiment.text), " "])
    return pd.Series(known[np.where(read.any(axis=1), read.argmax(axis=1), len(known) - 1)], index=list(steps))
