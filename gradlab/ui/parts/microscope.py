"""What the page of gates and units asks of the visitor, and its pictures that answer a click."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import pandas as pd
import streamlit as st

from gradlab.analyses import paths
from gradlab.analyses.call import Call, Table
from gradlab.analyses.thinning import Between, Lines, Reduction, Wide
from gradlab.charts.gates import CHOSEN, heat_map, one_unit
from gradlab.settings.subject import Subject
from gradlab.ui.ask import Rows, result
from gradlab.ui.frame import linked, settings
from gradlab.ui.parts import pins
from gradlab.ui.parts.figure import Chosen, figure
from gradlab.ui.parts.section import choices
from gradlab.ui.parts.view import Answer, Asked, Figure, View
from gradlab.words import paths as sentences
from gradlab.words.how_to_read import Words
from gradlab.words.languages import _

COLUMNS_TAKEN = 16_000  # steps of a map in a picture that leaves the screen; browsers take none much wider
LETTERS_SHOWN = 80  # more would lie on each other


def choose(subject: Subject) -> None:
    """The layer, the sequence and the unit to look at; no unit for the one of the longest memory. The steps, too."""
    if (clicked := st.session_state.pop("clicked unit", None)) is not None:
        st.session_state["unit"] = clicked
    asked = subject.settings
    with choices("gates"):
        columns = st.columns(3)
    _number(columns[0], _("Unit (or click a row of a picture)"), "unit", asked.hidden_size - 1, None)
    _number(columns[1], _("Sequence of the batch"), "sequence", asked.batch_size - 1)
    _number(columns[2], _("Layer"), "layer", asked.depth - 1)
    if len(names := pieces(subject)) > 1:
        label = _("Characters shown: {count} can be read on an axis").format(count=LETTERS_SHOWN)
        linked.select_slider(label, list(names), key="characters")


def _number(column: Any, label: str, key: str, most: int, standard: int | None = 0) -> int | None:
    if st.session_state.get(key) is not None:
        st.session_state[key] = min(int(st.session_state[key]), most)
    with column:
        return linked.number_input(
            label, 0, max(most, 1), standard, step=1, key=key, disabled=most == 0, placeholder=_("the longest memory")
        )


def maps(at: "Place", scope: paths.Microscope, unit: int) -> None:
    """A heat map of every quantity of a microscope, two per row; a click on a row chooses its unit.

    Where there is a pin, the two in a row are of the same quantity: the pin's and the present one, with one scale.
    """
    shared, order = settings.current(), at.within(Wide(scope.by_memory))
    if (pinned := pins.of_one(shared)) is None:
        for quantity, column in _in_pairs(tuple(scope.values)):
            with column:
                st.markdown(f"**{_(quantity)}**")
                _map(at, quantity, scope, order, unit)
        return
    other = at.of(pinned.subject)
    there = result(other.call)
    is_alike = len(there.by_memory) == len(scope.by_memory)  # then a row is the same unit in both
    its_order = other.within(Wide((scope if is_alike else there).by_memory))
    for quantity in scope.values:
        st.markdown(f"**{_(quantity)}**")
        of_pin, now = pins.columns(shared)
        with now:
            _map(at, quantity, scope, order, unit, Rows(other.rows(quantity), its_order))
        with of_pin:
            _map(other, quantity, there, its_order, unit, Rows(at.rows(quantity), order), pinned)


def _map(
    at: "Place",
    quantity: str,
    scope: paths.Microscope,
    reduction: Reduction,
    unit: int,
    scale_with: Rows | None = None,
    pinned: pins.Beside | None = None,
) -> None:
    """One of them; of a pin's network where there is one, which answers no click."""
    name, title = f"units {quantity}", _("Units × steps: {quantity}").format(quantity=_(quantity))
    if pinned is not None:
        name, title = f"{name} {pinned.pin.name}", f"{title}, {pinned.label}"
    draw = partial(heat_map, quantity=quantity, chosen=unit, letters=at.letters(result))
    figure(
        draw,
        at.rows(quantity),
        Words(name, title, sentences.of_quantity(scope, quantity), "units"),
        reduction,
        beside={"scale_with": scale_with} if scale_with else {},
        taken=partial(draw, columns=COLUMNS_TAKEN),
        chosen=None if pinned else Chosen(f"map {quantity}", CHOSEN, _take_unit),
    )


def _take_unit(picked: list[dict[str, Any]]) -> None:
    """The unit whose row was clicked is looked at in the next run."""
    if picked:
        st.session_state["clicked unit"] = int(picked[0]["unit"])


def _in_pairs(quantities: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Each with a separate column, two per row, so that a phone shows them in order."""
    rows = [st.columns(2) for _row in range(-(-len(quantities) // 2))]
    return zip(quantities, (column for row in rows for column in row), strict=False)


def pieces(subject: Subject) -> dict[str, range]:
    """All steps; of a long text pieces that can be read on an axis, by their names, and all."""
    T = subject.settings.steps
    if subject.settings.inputs != "text" or T <= LETTERS_SHOWN:
        return {"": range(T)}
    firsts = sorted({*range(0, T - LETTERS_SHOWN, LETTERS_SHOWN // 2), T - LETTERS_SHOWN})
    names = {f"{first} to {first + LETTERS_SHOWN - 1}": range(first, first + LETTERS_SHOWN) for first in firsts}
    return names | {"all, without letters": range(T)}


class Place(NamedTuple):
    """What of a network is looked at."""

    call: Call  # of the microscope
    sequence: int
    unit: int | None  # None for that of the longest memory
    steps: range

    def letters(self, answer: Answer) -> pd.Series | None:
        """The characters of the steps, where the input is text and they can be read on an axis."""
        subject = self.call.subject
        if subject is None or subject.settings.inputs != "text" or len(self.steps) > LETTERS_SHOWN:
            return None
        read = answer(Call.of(paths.letters, subject, sequence=self.sequence))
        return None if read is None else read.iloc[self.steps.start : self.steps.stop]

    def within(self, reduction: Reduction) -> Reduction:
        """Of the steps alone."""
        return Between(self.steps[0], self.steps[-1], reduction)

    def rows(self, quantity: str) -> Table:
        """One quantity of every unit at every step."""
        return Table.of(self.call.then(paths.unit_values, quantities=(quantity,)))

    def of(self, subject: Subject) -> "Place":
        """The same of another network, as far as it has such a layer, sequence and steps."""
        asked, options = subject.settings, dict(self.call.options)
        layer, sequence = min(int(str(options["layer"])), asked.depth - 1), min(self.sequence, asked.batch_size - 1)
        steps = range(self.steps.start, min(self.steps.stop, asked.steps))
        place = Call.of(paths.microscope, subject, layer=layer, sequence=sequence)
        return Place(place, sequence, self.unit, steps if steps else range(asked.steps))


def place(asked: Asked) -> Place:
    """What the page's link asks for."""
    subject, of, names = asked.settings.one, asked.settings.one.settings, pieces(asked.settings.one)
    layer, sequence = asked.number("layer", of.depth - 1, 0), asked.number("sequence", of.batch_size - 1, 0)
    unit = asked.number("unit", of.hidden_size - 1, None)
    steps = names[asked.one_of("characters", list(names), next(iter(names)))]
    return Place(Call.of(paths.microscope, subject, layer=layer, sequence=sequence), sequence, unit, steps)


def view(asked: Asked, answer: Answer) -> View:
    """One unit in close-up: its states, its gates and its gradient, an axis each."""
    at = place(asked)
    scope, letters = answer(at.call), at.letters(answer)
    unit = scope.longest if at.unit is None else at.unit
    about, figures = sentences.of_unit(scope, unit), []
    for axis, quantities in scope.panels.items():
        rows = Table.of(at.call.then(paths.unit_values, quantities=quantities, unit=unit))
        title = _("Unit {unit}: {axis}").format(unit=unit, axis=_(axis))
        said = sentences.of_quantities(scope, unit, quantities)
        words = Words(f"unit {axis}", title, said, "one of the units")
        lines = at.within(Lines(("value",), ("quantity",), points=3000))
        figures.append(Figure(partial(one_unit, axis=axis, letters=letters), rows, words, lines))
    return View(figures, [sentences.of_units(scope), about])
