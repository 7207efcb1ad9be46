"""What the page of gates and units asks of the visitor, and its pictures that answer a click."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from gradlab.analyses import paths
from gradlab.analyses.call import Call, Table
from gradlab.analyses.thinning import Reduction
from gradlab.charts.gates import CHOSEN, heat_map
from gradlab.settings.subject import Subject
from gradlab.ui.ask import result
from gradlab.ui.frame import linked
from gradlab.ui.parts.drawing import Draw
from gradlab.ui.parts.figure import Chosen, figure
from gradlab.words.how_to_read import Words

COLUMNS_TAKEN = 16_000  # steps of a map in a picture that leaves the screen; browsers take none much wider
LETTERS_SHOWN = 80  # more would lie on each other


def place(subject: Subject) -> tuple[int, int, int | None]:
    """The layer, the sequence and the unit to look at; no unit for the one of the longest memory."""
    if (clicked := st.session_state.pop("clicked unit", None)) is not None:
        st.session_state["unit"] = clicked
    asked, columns = subject.settings, st.columns(3)
    unit = _number(columns[0], "Unit (or click a row of a picture)", "unit", asked.hidden_size - 1, None)
    sequence = _number(columns[1], "Sequence of the batch", "sequence", asked.batch_size - 1)
    layer = _number(columns[2], "Layer", "layer", asked.depth - 1)
    return layer or 0, sequence or 0, unit


def _number(column: Any, label: str, key: str, most: int, standard: int | None = 0) -> int | None:
    if st.session_state.get(key) is not None:
        st.session_state[key] = min(int(st.session_state[key]), most)
    with column:
        return linked.number_input(
            label, 0, max(most, 1), standard, step=1, key=key, disabled=most == 0, placeholder="the longest memory"
        )


def maps(call: Call, sentence: str, reduction: Reduction, unit: int, letters: pd.Series | None) -> None:
    """A heat map of every quantity of a microscope, two per row; a click on a row chooses its unit."""
    quantities = tuple(result(call).values)
    for quantity, column in _in_pairs(quantities):
        rows = Table.of(call.then(paths.unit_values, quantities=(quantity,)))
        words = Words(f"units {quantity}", f"Units × steps: {quantity}", sentence, "units")
        draw = partial(heat_map, quantity=quantity, chosen=unit, letters=letters)
        with column:
            st.markdown(f"**{quantity}**")
            _clickable(quantity, rows, words, reduction, draw)


def _clickable(quantity: str, rows: Table, words: Words, reduction: Reduction, draw: Draw) -> None:
    taken = partial(draw, columns=COLUMNS_TAKEN)
    chosen = Chosen(f"map {quantity}", CHOSEN, _take_unit)
    figure(draw, rows, words, reduction, taken=taken, chosen=chosen)


def _take_unit(picked: list[dict[str, Any]]) -> None:
    """The unit whose row was clicked is looked at in the next run."""
    if picked:
        st.session_state["clicked unit"] = int(picked[0]["unit"])


def _in_pairs(quantities: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Each with a separate column, two per row, so that a phone shows them in order."""
    rows = [st.columns(2) for _ in range(-(-len(quantities) // 2))]
    return zip(quantities, (column for row in rows for column in row), strict=False)


def steps_shown(subject: Subject) -> range:
    """All steps; of a long text as many as can be read on an axis, from where the visitor says, or all on request."""
    T = subject.settings.steps
    if subject.settings.inputs != "text" or T <= LETTERS_SHOWN:
        return range(T)
    firsts = sorted({*range(0, T - LETTERS_SHOWN, LETTERS_SHOWN // 2), T - LETTERS_SHOWN})
    names = {f"{first} to {first + LETTERS_SHOWN - 1}": range(first, first + LETTERS_SHOWN) for first in firsts}
    names["all, without letters"] = range(T)
    label = f"Characters shown: {LETTERS_SHOWN} can be read on an axis"
    return names[linked.select_slider(label, list(names), key="characters")]


def letters_shown(subject: Subject, sequence: int, steps: range) -> pd.Series | None:
    """The characters of the steps shown, where the input is text and they can be read on an axis."""
    read = result(Call.of(paths.letters, subject, sequence=sequence)) if len(steps) <= LETTERS_SHOWN else None
    return None if read is None else read.iloc[steps.start : steps.stop]
