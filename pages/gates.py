"""The state microscope: every unit's state and gates at every step, one unit in close-up, and saturation."""

from functools import partial

import streamlit as st

from gradlab.charts import gates
from gradlab.ui import cached_paths, made
from gradlab.ui.frame import settings as controls
from gradlab.ui.parts import microscope
from gradlab.ui.parts.export_bar import export_bar
from gradlab.ui.parts.picture import show
from gradlab.words import paths as story
from gradlab.words.how_to_read import how_to_read

one = controls.current().one
dark = controls.dark()
layer, sequence, typed = microscope.place(one)
scope = cached_paths.microscope(one, layer, sequence)
sentence = story.of_units(scope)
st.markdown(sentence)

unit = int(scope.units["unit"].iloc[0]) if typed is None else typed
steps = microscope.steps_shown(one)
letters = microscope.letters(one, sequence, steps)
for quantity, column in microscope.in_pairs(scope.values):
    with column:
        st.markdown(f"**{quantity}**")
        picture = partial(gates.heat_map, quantity=quantity, chosen=unit, letters=letters, dark=dark)
        wide = partial(microscope.wide, scope, quantity, steps)
        microscope.clickable(picture(wide()), quantity, sentence)
        with st.container(horizontal=True):
            table = partial(microscope.table, scope, [quantity])
            whole = partial(picture, columns=microscope.COLUMNS_TAKEN)
            told = {"title": f"Units × steps: {quantity}", "subtitle": sentence, "rows": wide}
            told["made"] = made.units(layer, sequence, [quantity])
            export_bar(whole, table, [one], f"units {quantity}", **told)
            how_to_read("units", quantity)

st.subheader(f"Unit {unit}", anchor=False)
about = story.of_unit(scope, unit)
st.markdown(about)
for axis, quantities in microscope.panels(scope).items():
    picture = partial(gates.one_unit, axis=axis, letters=letters, dark=dark)
    lines = microscope.lines(scope, unit, quantities, steps)
    show(picture(microscope.thinned(lines, "quantity", ["value"])), about)
    with st.container(horizontal=True):
        table = partial(microscope.table, scope, quantities, unit)
        told = {"title": f"Unit {unit}: {axis}", "subtitle": about, "rows": lines.copy}
        told["made"] = made.units(layer, sequence, quantities, unit)
        export_bar(picture, table, [one], f"unit {axis}", **told)
        how_to_read("one of the units", axis)

statistics = cached_paths.statistics(one)
shown = statistics[(statistics["layer"] == layer) & statistics["saturated_low"].notna()]
if len(shown):
    st.subheader("All units and sequences", anchor=False)
    picture = partial(gates.spread, dark=dark)
    show(picture(microscope.thinned(shown, "gate", ["median", "q05", "q95"])), sentence)
    with st.container(horizontal=True):
        told = {"title": "Where the gates stand", "subtitle": sentence, "rows": shown.copy, "made": made.STATISTICS}
        export_bar(picture, statistics.copy, [one], "gates", **told)
        how_to_read("gates")
