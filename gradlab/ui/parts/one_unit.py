"""What the page of one unit asks of the visitor."""

import streamlit as st

from gradlab.ui.frame import linked

WEIGHTS = [n / 20 for n in range(-30, 31)]
GATES = [*(n / 20 for n in range(1, 20)), 0.99, 0.999]
STEPS = (25, 50, 100, 200, 500, 1000)


def chosen() -> tuple[float, float, int]:
    """The weight, the gate and the number of steps."""
    first, second, third = st.columns(3)
    with first:
        weight = linked.select_slider("Weight w", WEIGHTS, 0.9, key="weight", help="h′ = w h")
    with second:
        gate = linked.select_slider("Gate z", GATES, 0.9, key="gate", help="h′ = z h + (1 − z) tanh(w h)")
    with third:
        steps = linked.select_slider("Steps", STEPS, 100, key="lags")
    return weight, gate, steps
