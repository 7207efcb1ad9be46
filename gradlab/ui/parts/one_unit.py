"""What the page of one unit asks of the visitor."""

import streamlit as st

from gradlab.ui.frame.widgets import URL_OPTIONS

WEIGHTS = [n / 20 for n in range(-30, 31)]
GATES = [*(n / 20 for n in range(1, 20)), 0.99, 0.999]
STEPS = (25, 50, 100, 200, 500, 1000)


def chosen() -> tuple[float, float, int]:
    """The weight, the gate and the number of steps."""
    weight, gate, steps = st.columns(3)
    return (
        weight.select_slider("Weight w", WEIGHTS, 0.9, key="weight", help="h′ = w h", **URL_OPTIONS),
        gate.select_slider("Gate z", GATES, 0.9, key="gate", help="h′ = z h + (1 − z) tanh(w h)", **URL_OPTIONS),
        steps.select_slider("Steps", STEPS, 100, key="lags", **URL_OPTIONS),
    )
