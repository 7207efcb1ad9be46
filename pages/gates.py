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
        picture = partial(gates.heat_map, quantity=quantity, chosen=unit, letters=letters, dark=dark)
        wide = partial(microscope.wide, scope, quantity)
        microscope.clickable(picture(wide()), quantity, sentence)
        with st.container(horizontal=True):
            table = partial(microscope.table, scope, quantity)
            whole = partial(picture, columns=microscope.COLUMNS_TAKEN)
            export_bar(whole, table, [one], f"units {quantity}", f"Units × steps: {quantity}", sentence, wide)
            how_to_read("units", quantity)

st.subheader(f"Unit {unit}", anchor=False)
told = story.of_unit(scope, unit)
st.markdown(told)
for axis, table in microscope.panels(scope, unit).items():
    picture = partial(gates.one_unit, axis=axis, dark=dark)
    show(picture(microscope.thinned(table, "quantity", ["value"])), told)
    with st.container(horizontal=True):
        export_bar(picture, table.copy, [one], f"unit {axis}", f"Unit {unit}: {axis}", told, table.copy)
        how_to_read("one of the units", axis)

statistics = cached_paths.statistics(one)
shown = statistics[(statistics["layer"] == layer) & statistics["saturated_low"].notna()]
if len(shown):
    st.subheader("All units and sequences", anchor=False)
    picture = partial(gates.spread, dark=dark)
    show(picture(microscope.thinned(shown, "gate", ["median", "q05", "q95"])), sentence)
    with st.container(horizontal=True):
        export_bar(picture, statistics.copy, [one], "gates", "Where the gates stand", sentence, shown.copy)
        how_to_read("gates")
