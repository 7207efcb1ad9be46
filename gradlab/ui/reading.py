"""Behind a click beside each chart: what it shows as a formula, and how to read it in a line."""

import streamlit as st

READINGS = {
    "gradient norms": (
        r"\left\lVert \frac{\partial L}{\partial h_t} \right\rVert_2"
        r"\quad\text{and}\quad \left\lVert \frac{\partial L}{\partial c_t} \right\rVert_2,"
        r"\qquad \text{relative to}\quad \Big(\sum_t \lVert \bar y_t \rVert_2^2\Big)^{1/2}",
        "From where the loss enters its gradient travels left; a straight line is exponential decay or growth, "
        "and its slope is the rate. Derivatives are total: over all later steps, all higher layers, and for c also "
        "through h. ȳ is what the loss itself puts into the top layer. Lines are means of log10 over the batch, bands "
        "its range.",
    ),
    "layers and steps": (
        r"\log_{10} \left\lVert \frac{\partial L}{\partial h_t^{(l)}} \right\rVert_2",
        "Every row is a layer, the loss enters the top one at the right; the darker, the less gradient arrives.",
    ),
    "singular values": (
        r"\sigma_k(U),\qquad \sigma_1 = \max_{\lVert v \rVert = 1} \lVert U v \rVert",
        "How much U stretches each of its own directions. The largest, the spectral norm, bounds what one step can do.",
    ),
    "eigenvalues": (
        r"U v = \lambda v",
        "A linear network multiplies the gradient by Uᵀ at every step: eigenvalues outside the unit circle make it "
        "grow in the end, all of them inside make it die out.",
    ),
    "gate biases": (
        r"b_W + b_U",
        "PyTorch keeps two biases a gate; only their sum matters to a gate, and it is what is drawn.",
    ),
}


def how_to_read(subject: str) -> None:
    formula, text = READINGS[subject]
    with st.popover("How to read it", key=f"read {subject}"):
        st.latex(formula)
        st.markdown(text)
