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
    "unrolled network": (
        r"\bar h_t = \underbrace{\bar y_t}_{\text{loss}} + \underbrace{W'^\top \bar a'_t}_{\text{layer above}}"
        r" + \underbrace{U^\top \bar a_{t+1} + \text{additive update}}_{\text{step } t+1}",
        "Time runs to the right, the gradient comes down from the losses and runs to the left. Where a cell has an "
        "additive update, its rail is the upper one and the one through U the lower. Colour is the norm that flows "
        "over a link, relative to what the loss put in; a dotted link carries nothing; an empty input reads zeros.",
    ),
    "itemised matrix": (
        r"\left\lVert \frac{\partial \ell_{t'}}{\partial h_t} \right\rVert_2,\qquad"
        r" \frac{\partial L}{\partial h_t} = \sum_{t' \ge t} \frac{\partial \ell_{t'}}{\partial h_t}",
        "A row is one loss, a column one state: what that loss sends to that state. Right of the diagonal it is "
        "exactly zero. Point at a row: below, it is a curve, beside the norm of the sum of all rows. Colours are means "
        "of log10 over a bin and the batch, on one scale for all cells.",
    ),
    "sum of losses": (
        r"\frac{\partial L}{\partial h_t} = \sum_{t' \ge t} \frac{\partial \ell_{t'}}{\partial h_t}",
        "Thin lines are rows of the matrix, each falling from its own loss; the bold line is the norm of their sum, as "
        "vectors. Norms do not add.",
    ),
    "truncation band": (
        r"\ell_{t'} \text{ reaches } h_t \iff e - k_2 < t \le t' \le e,\qquad e = \text{end of its window}",
        "Under the veil are the pairs that the truncation leaves out; pairs inside keep their gradient exactly, since "
        "no path between them leaves the window.",
    ),
    "lost gradient": (
        r"1 - \frac{\sum_{t' - t < K} \lVert \partial \ell_{t'} / \partial h_t \rVert}"
        r"{\sum_{t' \ge t} \lVert \partial \ell_{t'} / \partial h_t \rVert}",
        "The share of all gradient norm that comes from K or more steps behind its loss. Bands are over the batch. "
        "Norms are summed, so parts that would cancel count in full.",
    ),
    "angle": (
        r"\cos\angle\big(\nabla_\theta^{\text{truncated}},\ \nabla_\theta^{\text{full}}\big)",
        "1: the truncated gradient of a layer's weights points where the full one does; 0: it says nothing about it. "
        "Each window goes back as often, as a share of its length, as the chosen one.",
    ),
    "savings": (
        r"\text{memory} \propto \max(\text{span}),\qquad \text{work} = T\,w_{\to} + \sum \text{span}\; w_{\leftarrow}",
        "Counted, not timed. Values must wait for the longest back-propagation; chunks cost what full costs, and "
        "windows that overlap go over the same steps several times.",
    ),
}


def how_to_read(subject: str) -> None:
    formula, text = READINGS[subject]
    with st.popover("How to read it", key=f"read {subject}"):
        st.latex(formula)
        st.markdown(text)
