"""The state microscope: every unit's state and gates at every step, one unit in close-up, and saturation."""

from functools import partial

import streamlit as st

from gradlab.charts import gates
from gradlab.ui import cached_paths, controls, microscope, story
from gradlab.ui.export_bar import export_bar
from gradlab.ui.picture import show
from gradlab.ui.reading import how_to_read

one = controls.current().one
dark = controls.dark()
layer, sequence, typed = microscope.place(one)
scope = cached_paths.microscope(one, layer, sequence)
sentence = story.of_units(scope)
st.markdown(sentence)

unit = int(scope.units["unit"].iloc[0]) if typed is None else typed
letters = microscope.letters(one, sequence)
columns = st.columns(2)
for number, quantity in enumerate(scope.values):
    with columns[number % 2]:
        st.markdown(f"**{quantity}**")
        chart = gates.heat_map(microscope.wide(scope, quantity), quantity, chosen=unit, letters=letters, dark=dark)
        microscope.clickable(chart, quantity, sentence)
        with st.container(horizontal=True):
            table = partial(microscope.table, scope, quantity)
            export_bar(chart, table, [one], f"units {quantity}", title=f"Units × steps: {quantity}", subtitle=sentence)
            how_to_read("units", quantity)

st.subheader(f"Unit {unit}", anchor=False)
told = story.of_unit(scope, unit)
st.markdown(told)
for axis, table in microscope.panels(scope, unit).items():
    chart = gates.one_unit(table, axis, dark=dark)
    show(chart, told)
    with st.container(horizontal=True):
        export_bar(chart, table.copy, [one], f"unit {axis}", title=f"Unit {unit}: {axis}", subtitle=told)
        how_to_read("one of the units", axis)

statistics = cached_paths.statistics(one)
shown = statistics[(statistics["layer"] == layer) & statistics["saturated_low"].notna()]
if len(shown):
    st.subheader("All units and sequences", anchor=False)
    chart = gates.spread(shown, dark=dark)
    show(chart, sentence)
    with st.container(horizontal=True):
        export_bar(chart, statistics.copy, [one], "gates", title="Where the gates stand", subtitle=sentence)
        how_to_read("gates")
