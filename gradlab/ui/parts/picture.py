"""A chart on a page, as it is: its own theme, and no check against the schema, which costs as much as drawing it."""

from typing import Any

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


def show_vega(specification: dict[str, Any], description: str) -> None:
    """Draws a compiled chart. The browser keeps the one it has for the same specification and description."""
    st.vega_lite_chart(specification, theme=None, width="stretch", alt=description)
