"""Streamlit's widgets, with a value that lives in the address bar and outlives a change of page.

`linked.slider("Temperature", 0.0, 2.0, 0.8, key="temperature")` takes the arguments of `st.slider` and draws into the
container that is open (`with column:`); the key is the name in the address bar.
"""

from functools import partial

import streamlit as st

multiselect = partial(st.multiselect, bind="query-params", persist_state="session")
number_input = partial(st.number_input, bind="query-params", persist_state="session")
pills = partial(st.pills, bind="query-params", persist_state="session")
segmented_control = partial(st.segmented_control, bind="query-params", persist_state="session")
select_slider = partial(st.select_slider, bind="query-params", persist_state="session")
selectbox = partial(st.selectbox, bind="query-params", persist_state="session")
slider = partial(st.slider, bind="query-params", persist_state="session")
text_area = partial(st.text_area, bind="query-params", persist_state="session")
text_input = partial(st.text_input, bind="query-params", persist_state="session")
toggle = partial(st.toggle, bind="query-params", persist_state="session")
