"""The state microscope: one unit in close-up, every unit's state and gates at every step, and saturation."""

from functools import partial

import streamlit as st

from gradlab.analyses.call import Call, Table
from gradlab.analyses.paths import gate_statistics, microscope, unit_values
from gradlab.analyses.thinning import Between, Lines, Wide
from gradlab.charts import gates
from gradlab.ui.ask import ask, result
from gradlab.ui.frame import settings
from gradlab.ui.parts import microscope as asked
from gradlab.ui.parts.figure import figure
from gradlab.ui.parts.section import section
from gradlab.words import paths as sentences
from gradlab.words.how_to_read import Words

one = settings.current().one
layer, sequence, typed = asked.place(one)
call = Call.of(microscope, one, layer=layer, sequence=sequence)
scope = result(call)
st.markdown(sentence := sentences.of_units(scope))
steps = asked.steps_shown(one)
letters, within = asked.letters_shown(one, sequence, steps), partial(Between, steps[0], steps[-1])
unit = scope.longest if typed is None else typed
st.markdown(about := sentences.of_unit(scope, unit))
for axis, quantities in scope.panels.items():
    rows = Table.of(call.then(unit_values, quantities=quantities, unit=unit))
    words = Words(f"unit {axis}", f"Unit {unit}: {axis}", about, "one of the units")
    draw, lines = partial(gates.one_unit, axis=axis, letters=letters), Lines(("value",), ("quantity",), points=3000)
    figure(draw, rows, words, within(lines))
with section("Every unit at every step: click a row to look at its unit", "gates_units") as is_open:
    if is_open:
        asked.maps(call, sentence, within(Wide(scope.by_memory)), unit, letters)
spread = Table.of(Call.of(gate_statistics, one), where=f"layer == {layer} and saturated_low >= 0")
with section("Where the gates stand: all units and sequences", "gates_spread") as is_open:
    if is_open and len(ask(spread)):
        words = Words("gates", "Where the gates stand", sentence)
        figure(gates.spread, spread, words, Lines(("median", "q05", "q95"), ("gate",), points=3000))
