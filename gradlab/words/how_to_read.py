"""Behind a click beside each chart: what it shows as a formula, and how to read it in a line."""

from typing import NamedTuple

from gradlab.cells import SATURATED


class Words(NamedTuple):
    """What is said of a figure."""

    name: str  # of the figure on its page, and of its files
    title: str
    sentence: str  # what came out, computed
    how: str = ""  # its entry in READINGS, where that is not its name

    @property
    def reading(self) -> str:
        return self.how or self.name


READINGS = {
    "loss": (
        r"L = \frac1{|S|\,B} \sum_{t \in S} \sum_b \ell\big(V h_t^{(b)} + b_V,\; y_t^{(b)}\big)",
        "The mean over the scored steps S and the sequences of a fresh batch, before the update: the squared error, or "
        "the cross-entropy in nats. The faint line is every batch, the bold one a running mean. The dashed rules are "
        "what can be had without learning the task, and where it counts as solved.",
    ),
    "gradient norm": (
        r"\lVert g \rVert_2,\qquad g \leftarrow g\,\frac{\theta}{\lVert g \rVert_2} "
        r"\;\text{ where }\; \lVert g \rVert_2 > \theta",
        "Of all parameters together, before clipping. Above the dashed line the gradient is scaled down to the "
        "threshold θ, its direction unchanged (Pascanu et al. 2013).",
    ),
    "reach": (
        r"\log_{10} \left\lVert \frac{\partial L}{\partial h_{T-1-\text{lag}}} \right\rVert_2 "
        r"- \log_{10} \Big(\sum_t \lVert \bar y_t \rVert_2^2\Big)^{1/2}",
        "Every column is one moment of the training, lag 0 at the bottom is the last step. A column that is bright up "
        "to its top has a gradient that reaches the first step. Measured on one fixed batch, in the layer chosen.",
    ),
    "before and after": (
        r"\log_{10} \left\lVert \frac{\partial L}{\partial s_t} \right\rVert_2 "
        r"- \log_{10} \Big(\sum_t \lVert \bar y_t \rVert_2^2\Big)^{1/2},\qquad s = h \text{ or } c",
        "Two moments of one training on one scale: a line that has risen is a gradient that learning has let through. "
        "Move the slider to see every moment between. Measured on one fixed batch; ȳ is the injected gradient.",
    ),
    "expectations": (
        r"p(y \mid x_0 \dots x_t) = \operatorname{softmax}(V h_t + b_V)_y",
        "Under each character that was read stand the likeliest next ones. The green bar is what the text really goes "
        "on with: learning makes the green bars long.",
    ),
    "characters' gradients": (
        r"\log_{10} \left\lVert \frac{\partial \ell_T}{\partial x_t} \right\rVert_2,"
        r"\qquad \ell_T = -\ln p(x_{T+1} \mid x_0 \dots x_T)",
        "How much the loss ℓ of the prediction after the outlined character depends on each character before it. "
        "Absolute shading has one scale for every text and every update; relative shading runs from the smallest to "
        "the largest that is shown now, and says nothing of their size.",
    ),
    "unit": (
        r"h_t[k] \quad\text{or}\quad c_t[k]",
        "The value of one unit after each character: blue is negative, orange positive. Some units follow something "
        "readable, such as spaces or the place in a line; most do not.",
    ),
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
        "additive update, the upper arrow is that one and the lower the one through U. Colour is the norm that flows "
        "over an edge, relative to the injected gradient; a dotted edge carries nothing; an empty input reads zeros.",
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
        "Shaded pairs are dropped by the truncation; pairs inside keep their gradient exactly, since no path between "
        "them leaves the window.",
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
    "one unit": (
        r"\left|\frac{\partial h_T}{\partial h_t}\right| = |w|^{\,T-t}"
        r"\qquad\text{and}\qquad |z + (1-z)\,w|^{\,T-t}",
        "Lines are the formulas, dots what the engine computes. A factor below 1 is a line that falls to the left; the "
        "gate adds a part z that does not pass w.",
    ),
    "parts": (
        r"\frac{\partial L}{\partial s_t} = \sum_{k=0}^{K} \big(\text{paths through } U \text{ exactly } k "
        r"\text{ times}\big) + \text{rest}",
        "Every path from the loss back to the state passes the recurrent weights some number of times, in a stack "
        "those of all layers together. Direct is never: only the additive update, input weights between layers, and "
        "h → c. The parts add up, as vectors, to the pale line behind them; their norms do not. Drawn is the lowest "
        "layer's c, or h where there is no c.",
    ),
    "shares": (
        r"\frac{\langle \text{part}, \text{total} \rangle}{\langle \text{total}, \text{total} \rangle}",
        "How much of the arriving gradient each order makes up: shares sum to 1 at every step; one below 0 points "
        "against the total. Means over the batch. The cell's own colour, at the right, is what went around U; the "
        "others went through it, the darker the more often.",
    ),
    "cuts": (
        r"\bar h_{t-1} = \underbrace{\bar s_{\text{direct}}}_{\text{cut?}} + "
        r"\underbrace{U^{\top} \bar a^h_t}_{\text{cut?}} + \dots",
        "The forward pass stays as it is; one route is left out on the way back alone. What is left came by the other "
        "routes.",
    ),
    "units": (
        r"\text{half-life of a unit} = \ln 2 \,\big/\, \overline{-\ln |\partial s'/\partial s|_{\text{direct}}}",
        "Every row is a unit, the longest memory on top, every column a step of one sequence. Click a row to choose "
        "it. Gates run from 0 to 1, states are blue below 0 and orange above. The direct factor is what a step of "
        "the additive update multiplies the unit's gradient by; the log10 gradient is that of the unit alone.",
    ),
    "one of the units": (
        r"s_t,\qquad \sigma(a_t),\qquad \frac{\partial s_{t+1}}{\partial s_t}\Big|_{\text{direct}},"
        r"\qquad \log_{10}\left|\frac{\partial L}{\partial s_t}\right|",
        "The same unit from first to last step: its state, its gates with the factor of its direct path, and its own "
        "gradient.",
    ),
    "gates": (
        rf"\sigma(a) < {SATURATED[0]:g} \quad\text{{or}}\quad \sigma(a) > {SATURATED[1]:g}",
        "Line: median over all units and sequences; band: from the 5 % to the 95 % quantile. Beyond the dashed lines a "
        "gate counts as saturated.",
    ),
    "product Jacobians": (
        r"J_t = \frac{\partial s_T}{\partial s_t} = A_T A_{T-1} \cdots A_{t+1},\qquad \sigma_k(J_t),\qquad"
        r" \sigma_1(J_t) \le \big(\gamma\, \sigma_1(U)\big)^{T-t}",
        "A thin line per singular value: by so much the gradient of one direction grows or shrinks on its way back; at "
        "lag 0 all are 1. Lines that spread mean that few directions carry the gradient. The bold line is what one "
        "random cotangent keeps, ‖Jᵀv‖. Values that rounding decides, below n·ε times the largest of their step, are "
        "left out, so small ones end early. The dashed bound, the spectral norm of U to the power of the lag, holds "
        "for one layer of the form φ(W x + U h + b) with |φ'| ≤ γ (Pascanu et al. 2013); other cells have none.",
    ),
    "unrolled": (
        r"\bar h_{t} = U^{\top}\bar a^h_{t+1} + \text{direct} + W^{\top}\bar a^x_t[\text{layer above}] + "
        r"\text{loss}",
        "The gradient flows down from the loss and left in time. Upper arrow: the additive path; lower arrow: "
        "through U. The brighter, the more; dotted: exactly nothing.",
    ),
}
