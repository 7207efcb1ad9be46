"""A chart on a page, as it is: its own theme, and no check against the schema, which costs as much as drawing it."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st


class _Checked:
    """A chart that the tests have held against Vega-Lite's schema, for Streamlit, which would do so at every run."""

    def __init__(self, chart: Any):
        self.chart = chart

    def to_dict(self) -> dict[str, Any]:
        return self.chart.to_dict(validate=False)


def show(chart: Any, description: str, width: str = "stretch", **options: Any) -> None:
    """Draws the chart; `description` says what it shows to those who cannot see it. Options are Streamlit's."""
    st.altair_chart(_Checked(chart), theme=None, width=width, alt=description, **options)


def show_live(specification: dict[str, Any], datasets: Mapping[str, pd.DataFrame], description: str) -> None:
    """Draws the specification of a chart whose data have names. Where only they change the browser keeps the rest; it
    builds the chart anew for another specification or description."""
    st.vega_lite_chart(specification | {"datasets": dict(datasets)}, theme=None, width="stretch", alt=description)
