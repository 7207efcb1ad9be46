"""The smallest Streamlit page with a slider and an altair chart of three lines: what a page cannot be quicker than."""

import altair as alt
import pandas as pd
import streamlit as st

slope = st.slider("Slope", -2.0, 6.0, 1.0, 0.05, key="slope")
steps = list(range(200))
rows = [{"line": name, "x": x, "y": slope * n * x} for n, name in enumerate("abc") for x in steps]
st.altair_chart(alt.Chart(pd.DataFrame(rows)).mark_line().encode(x="x:Q", y="y:Q", color="line:N"))
