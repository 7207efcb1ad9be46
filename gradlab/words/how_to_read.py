"""Behind a click beside each chart: what to look for, how to read it, and its quantity as a formula."""

from typing import NamedTuple

from gradlab.cells import SATURATED
from gradlab.words.languages import N_, SOURCE, _, current

LOOK_FOR = N_("**Look for:** {what}")


class Reading(NamedTuple):
    """How to read a figure."""

    formula: str  # of the quantity shown, in LaTeX
    text: str
    look_for: str  # what to look at in the picture, or a question that it answers; goes on after "Look for: "

    @property
    def look(self) -> str:
        """The line that says what to look for, in the language that is spoken."""
        return _(LOOK_FOR).format(what=_(self.look_for))


class Words(NamedTuple):
    """The words of a figure."""

    name: str  # of the figure on its page, and of its files
    title: str
    sentence: str  # what came out, computed
    how: Reading | str = ""  # how to read it, or the name in READINGS where that is not the figure's

    @property
    def reading(self) -> Reading:
        if isinstance(self.how, Reading):
            return self.how
        return READINGS[self.how or self.name]

    @property
    def called(self) -> str:
        """The figure's name in the language that is spoken: its title where that has none."""
        name = _(self.name)
        return name if current() == SOURCE or name != self.name else self.title.partition(":")[0]


READINGS: dict[str, Reading] = {  # of figures that several pages show
    "loss": Reading(
        r"L = \frac1{|S|\,B} \sum_{t \in S} \sum_b \ell\big(V h_t^{(b)} + b_V,\; y_t^{(b)}\big)",
        N_(
            "The mean over the scored steps S and the sequences of a fresh batch, before the update: the squared "
            "error, or the cross-entropy in nats. Faint: every batch; bold: a running mean. The dashed rules are the "
            "baselines reached without learning the task, and the level at which it counts as solved."
        ),
        N_("where a line falls below the dashed baselines: from there on the cell has learned more than to guess."),
    ),
    "gradient norm": Reading(
        r"\lVert g \rVert_2,\qquad g \leftarrow g\,\frac{\theta}{\lVert g \rVert_2} "
        r"\;\text{ where }\; \lVert g \rVert_2 > \theta",
        N_(
            "Over all parameters, before clipping. Above the dashed line the gradient is scaled down to the "
            "threshold θ, its direction unchanged (Pascanu et al. 2013)."
        ),
        N_("sudden peaks: these are the updates that clipping scales down."),
    ),
    "reach": Reading(
        r"\log_{10} \left\lVert \frac{\partial L}{\partial h_{T-1-\text{lag}}} \right\rVert_2 "
        r"- \log_{10} \Big(\sum_t \lVert \bar y_t \rVert_2^2\Big)^{1/2}",
        N_(
            "Each column is one update; lag 0, at the bottom, is the last step. A column that is bright up "
            "to its top has a gradient that reaches the first step. Measured on one fixed batch, in the layer chosen."
        ),
        N_(
            "how far up the bright part goes from left to right: with learning, the gradient reaches further back or "
            "less far."
        ),
    ),
    "before and after": Reading(
        r"\log_{10} \left\lVert \frac{\partial L}{\partial s_t} \right\rVert_2 "
        r"- \log_{10} \Big(\sum_t \lVert \bar y_t \rVert_2^2\Big)^{1/2},\qquad s = h \text{ or } c",
        N_(
            "Two updates of one training run on one scale: where a line has risen, more gradient arrives after "
            "learning. Move the slider for the updates between. Measured on one fixed batch; ȳ is the injected "
            "gradient."
        ),
        N_("the left end of a line in both pictures: does more gradient reach the first step after learning?"),
    ),
    "expectations": Reading(
        r"p(y \mid x_0 \dots x_t) = \operatorname{softmax}(V h_t + b_V)_y",
        N_(
            "Below each character read: the most likely next ones. The green bar is the character that actually "
            "follows; learning makes the green bars long."
        ),
        N_("the columns whose green bar is long: there the network knows what comes next."),
    ),
    "characters' gradients": Reading(
        r"\log_{10} \left\lVert \frac{\partial \ell_T}{\partial x_t} \right\rVert_2,"
        r"\qquad \ell_T = -\ln p(x_{T+1} \mid x_0 \dots x_T)",
        N_(
            "How much the loss ℓ of the prediction after the outlined character depends on each character before it. "
            "Absolute shading uses one scale for every text and every update; relative shading runs from the "
            "smallest to the largest value shown, and says nothing about their size."
        ),
        N_("how far to the left of the outlined character the shade is strong: so far back does the prediction look."),
    ),
    "unit": Reading(
        r"h_t[k] \quad\text{or}\quad c_t[k]",
        N_(
            "The value of one unit after each character: blue is negative, orange positive. Some units follow "
            "something readable, such as spaces or the place in a line; most do not."
        ),
        N_("a character, or a place in the line, at which the colour always changes."),
    ),
    "gradient norms": Reading(
        r"\left\lVert \frac{\partial L}{\partial h_t} \right\rVert_2"
        r"\quad\text{and}\quad \left\lVert \frac{\partial L}{\partial c_t} \right\rVert_2,"
        r"\qquad \text{relative to}\quad \Big(\sum_t \lVert \bar y_t \rVert_2^2\Big)^{1/2}",
        N_(
            "From the loss, the gradient travels left; a straight line is exponential decay or growth, and its slope "
            "is the rate. Derivatives are total: over all later steps, all higher layers, and for c also through h. ȳ "
            "is the gradient injected into the top layer. Lines are means of log10 over the batch, bands its range; "
            "over several seeds, of these means and over the seeds. Grey: pins, each at as many steps before the end."
        ),
        N_("the left end of every line: how much of the gradient is left at the first step, and in which cell most?"),
    ),
    "before and after a remedy": Reading(
        r"\log_{10} \left\lVert \frac{\partial \ell_{\text{last}}}{\partial (h_t, c_t)} \right\rVert_2 "
        r"- \log_{10} \lVert \bar y_{\text{last}} \rVert_2",
        N_(
            "Grey: the network as it is. In colour: the same inputs and the same injected gradient after it, before "
            "any update. The layer is the one that is worst off, its states as one vector; mean of log10 over the "
            "batch."
        ),
        N_("the gap between the coloured line and the grey one at the left end: that is what the remedy changes."),
    ),
    "propagation": Reading(
        r"\left\lVert \frac{\partial L}{\partial (h_t, c_t)} \right\rVert_2"
        r"\quad\text{and}\quad \left\lVert \frac{\partial \ell_{\text{last}}}{\partial (h_t, c_t)} \right\rVert_2",
        N_(
            "Solid: the gradient of all losses, which is what arrives. Dashed: that of the last loss alone, which "
            "shows how one injection propagates; the verdict is about it. Bottom layer, all states of the cell as one "
            "vector; mean of log10 over the batch."
        ),
        N_(
            "a dashed line that falls to the left while its solid line stays up: the sum of the losses hides that "
            "the last one's gradient vanishes."
        ),
    ),
    "layers and steps": Reading(
        r"\log_{10} \left\lVert \frac{\partial L}{\partial h_t^{(l)}} \right\rVert_2",
        N_("Each row is a layer; the loss enters the top one at the right. The darker, the less gradient arrives."),
        N_("where a row turns dark on the way to the left: beyond it that layer gets next to no gradient."),
    ),
    "singular values": Reading(
        r"\sigma_k(U),\qquad \sigma_1 = \max_{\lVert v \rVert = 1} \lVert U v \rVert",
        N_("How much U stretches each of its singular directions. The largest, the spectral norm, bounds each step."),
        N_(
            "the largest value, and how quickly the others fall: are a few directions stretched far more than the rest?"
        ),
    ),
    "eigenvalues": Reading(
        r"U v = \lambda v",
        N_(
            "A linear network multiplies the gradient by Uᵀ at every step: an eigenvalue outside the unit circle "
            "makes it grow eventually; with all of them inside it dies out."
        ),
        N_("the dot farthest from the centre: is it inside the circle or outside?"),
    ),
    "gate biases": Reading(
        r"b_W + b_U",
        N_("PyTorch keeps two biases per gate; only their sum, which is drawn here, matters to a gate."),
        N_(
            "how far to the right of 0 the biases of the gate that keeps the old state lie: the farther, the longer "
            "it remembers."
        ),
    ),
    "unrolled network": Reading(
        r"\bar h_t = \underbrace{\bar y_t}_{\text{loss}} + \underbrace{W'^\top \bar a'_t}_{\text{layer above}}"
        r" + \underbrace{U^\top \bar a_{t+1} + \text{additive update}}_{\text{step } t+1}",
        N_(
            "Time runs to the right; the gradient comes down from the losses and runs to the left. Where a cell has an "
            "additive update, the upper arrow is the additive path and the lower the one through U. Colour is the norm "
            "flowing along an edge, relative to the injected gradient; a dotted edge carries nothing; an empty input "
            "box reads zeros."
        ),
        N_("how far to the left the edges stay bright: along which path does the gradient come back farthest?"),
    ),
    "itemised matrix": Reading(
        r"\left\lVert \frac{\partial \ell_{t'}}{\partial h_t} \right\rVert_2,\qquad"
        r" \frac{\partial L}{\partial h_t} = \sum_{t' \ge t} \frac{\partial \ell_{t'}}{\partial h_t}",
        N_(
            "A row is one loss, a column one state: the gradient of that loss at that state. Right of the diagonal "
            "it is exactly zero. Point at a row to see it below as a curve, beside the norm of the sum of all rows. "
            "Colours are means of log10 over a bin and the batch, on one scale for all cells."
        ),
        N_("how far to the left of the diagonal a row stays bright: so far back does this loss reach."),
    ),
    "sum of losses": Reading(
        r"\frac{\partial L}{\partial h_t} = \sum_{t' \ge t} \frac{\partial \ell_{t'}}{\partial h_t}",
        N_(
            "Thin lines are rows of the matrix, each falling from its loss step; the bold line is the norm of the "
            "vector sum of all rows. Norms do not add."
        ),
        N_("the left end: do the thin lines of late losses fall there while the bold line stays up?"),
    ),
    "truncation band": Reading(
        r"\ell_{t'} \text{ reaches } h_t \iff e - k_2 < t \le t' \le e,\qquad e = \text{end of its window}",
        N_(
            "Shaded pairs are dropped by the truncation; pairs inside keep their gradient exactly, since no path "
            "between them leaves the window."
        ),
        N_("bright places in the shaded part: they are gradient that the truncation loses."),
    ),
    "lost gradient": Reading(
        r"1 - \frac{\sum_{t' - t < K} \lVert \partial \ell_{t'} / \partial h_t \rVert}"
        r"{\sum_{t' \ge t} \lVert \partial \ell_{t'} / \partial h_t \rVert}",
        N_(
            "The share of the gradient norm that arrives K or more steps before its loss. Bands are over the batch. "
            "Norms are summed, so parts that would cancel count in full."
        ),
        N_("the window from which on a line stays close to 0: a longer one gains next to nothing."),
    ),
    "angle": Reading(
        r"\cos\angle\big(\nabla_\theta^{\text{truncated}},\ \nabla_\theta^{\text{full}}\big)",
        N_(
            "At 1 the truncated gradient of a layer's weights points in the direction of the full one, at 0 it is "
            "orthogonal to it. Every window has the ratio k1 : k2 of the chosen one."
        ),
        N_(
            "the window from which on a line stays close to 1: from there an update points nearly where the full "
            "gradient does."
        ),
    ),
    "savings": Reading(
        r"\text{memory} \propto \max(\text{span}),\qquad \text{work} = T\,w_{\to} + \sum \text{span}\; w_{\leftarrow}",
        N_(
            "Counted, not timed. States are kept for the longest back-propagation; chunks cost as many multiply-adds "
            "as full back-propagation, and overlapping windows go over the same steps several times."
        ),
        N_("how far below 100% the solid line lies at the chosen window: so much memory is saved."),
    ),
    "one unit": Reading(
        r"\left|\frac{\partial h_T}{\partial h_t}\right| = |w|^{\,T-t}"
        r"\qquad\text{and}\qquad |z + (1-z)\,w|^{\,T-t}",
        N_(
            "Lines are the formulas, dots what the engine computes. A factor below 1 gives a line that falls to the "
            "left; the gate adds a part z that does not pass through w."
        ),
        N_("the gap between the two lines at the left end: so much more gradient does the gate bring back."),
    ),
    "parts": Reading(
        r"\frac{\partial L}{\partial s_t} = \sum_{k=0}^{K} \big(\text{paths through } U \text{ exactly } k "
        r"\text{ times}\big) + \text{rest}",
        N_(
            "Every path from the loss back to the state passes through recurrent weights some number of times, in a "
            "stack counted over all layers. Direct: never, only the additive update, input weights between layers, and "
            "h → c. The parts add up, as vectors, to the pale line behind them; their norms do not. Shown: c of the "
            "bottom layer, or h where the cell has no c."
        ),
        N_("the highest coloured line at the left end: the path that carries most of the gradient to the first step."),
    ),
    "shares": Reading(
        r"\frac{\langle \text{part}, \text{total} \rangle}{\langle \text{total}, \text{total} \rangle}",
        N_(
            "How much of the arriving gradient each order makes up: shares sum to 1 at every step; one below 0 points "
            "against the total. Means over the batch. The cell's colour, at the right, is the part around U; the "
            "others went through it, the darker the more often."
        ),
        N_("the colour that fills the left end: by which path does the gradient of the first steps come back?"),
    ),
    "cuts": Reading(
        r"\bar h_{t-1} = \underbrace{\bar s_{\text{direct}}}_{\text{cut?}} + "
        r"\underbrace{U^{\top} \bar a^h_t}_{\text{cut?}} + \dots",
        N_(
            "The forward pass is unchanged; one route is cut in the backward pass only. What remains came by the other "
            "routes."
        ),
        N_("the cut that lowers the line most: its route is the one that carries the gradient back."),
    ),
    "units": Reading(
        r"\text{half-life of a unit} = \ln 2 \,\big/\, \overline{-\ln |\partial s'/\partial s|_{\text{direct}}}",
        N_(
            "Each row is a unit, the longest memory on top; each column a step of one sequence. Click a row to "
            "select its unit. Gates run from 0 to 1, states are blue below 0 and orange above. The direct factor is "
            "the factor by which one step of the additive update scales the unit's gradient; the log10 gradient is "
            "that of the single unit."
        ),
        N_("a row that keeps its colour over many steps: this unit remembers."),
    ),
    "one of the units": Reading(
        r"s_t,\qquad \sigma(a_t),\qquad \frac{\partial s_{t+1}}{\partial s_t}\Big|_{\text{direct}},"
        r"\qquad \log_{10}\left|\frac{\partial L}{\partial s_t}\right|",
        N_(
            "One unit from the first to the last step: its state, its gates with the factor of its direct path, and "
            "its gradient."
        ),
        N_("steps at which the gate of the old state stays near 1: do state and gradient keep their size there?"),
    ),
    "gates": Reading(
        rf"\sigma(a) < {SATURATED[0]:g} \quad\text{{or}}\quad \sigma(a) > {SATURATED[1]:g}",
        N_(
            "The line is the median over all units and sequences, the band reaches from the 5 % to the 95 % quantile. "
            "Beyond the dashed lines a gate counts as saturated."
        ),
        N_(
            "how near to 1 the line of the gate that keeps the old state stands: at 0.5 it halves the state at every "
            "step."
        ),
    ),
    "unrolled": Reading(
        r"\bar h_{t} = U^{\top}\bar a^h_{t+1} + \text{direct} + W^{\top}\bar a^x_t[\text{layer above}] + "
        r"\text{loss}",
        N_(
            "The gradient flows down from the loss and left, back in time. Upper arrow: the additive path; lower "
            "arrow: through U. The brighter, the larger; dotted: exactly zero."
        ),
        N_("how far to the left the arrows stay bright: do the upper ones or the lower ones reach farther?"),
    ),
}
