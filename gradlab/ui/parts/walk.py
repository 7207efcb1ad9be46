"""What the page of the unrolled network asks of the visitor: which steps, and on which colour scale."""

import streamlit as st

from gradlab.ui.frame import linked

STEPS_SHOWN = 30
FIXED, THESE, ALL = "fixed", "these steps", "the whole sequence"


def chosen(steps: int) -> tuple[int, int, str]:
    """The first and the last step to show, and what the colours span: whatever is set, where they are fixed."""
    most = max(steps - STEPS_SHOWN, 0)
    stops = sorted({0, *range(0, most, max(1, most // 100)), most})
    left, right = st.columns([2, 1], vertical_alignment="bottom")
    with left:
        lag = linked.select_slider("Lag on the right edge: walk back from the loss", stops, 0, key="lag") if most else 0
    with right:
        ranges = (FIXED, THESE, ALL)
        scale = linked.segmented_control("Colour range", ranges, default=FIXED, required=True, key="colours")
    last = steps - 1 - lag
    return max(0, last - STEPS_SHOWN + 1), last, scale
