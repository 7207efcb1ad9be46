"""Every text of the guided story. Sentences with numbers are computed from the numbers of the step that is shown.

A step shows a title, what happens, what came out (`says`), a question, its possible answers and, once one was given,
what the computation says of it (`Lesson.answer`): together at most 60 words, a number
being one, no sentence longer than 20, in every language. What is moved (`Lesson.options` apart) stays as links have it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from gradlab.words.how_to_read import READINGS, Reading
from gradlab.words.languages import N_, _
from gradlab.words.numbers import number, rounded

Numbers = Mapping[str, float]
VANISHES, STAYS, EXPLODES = FATES = (N_("vanishes"), N_("stays"), N_("explodes"))
GROWN = 0.01  # decades from which more arrives than was injected
FAR = 3.0  # decades of change from which a gradient vanishes or explodes


class Answer(NamedTuple):
    """What the computation says of a question."""

    option: int  # which of the possible answers holds
    says: str  # with its number


class Lesson(NamedTuple):
    """The words of one step."""

    title: str
    text: str  # what happens
    control: str  # what the slider is called
    says: Callable[[Any, Numbers], str]  # what came out: of the control's value and the step's numbers
    question: str
    options: tuple[str, ...]
    answer: Callable[[Numbers], Answer]  # of the numbers at the setting that is asked about
    deeper: str  # what the page that goes deeper is called
    how: Reading

    def said(self) -> "Lesson":
        """The lesson in the language that is spoken."""
        return self._replace(
            title=_(self.title),
            text=_(self.text),
            control=_(self.control),
            question=_(self.question),
            options=tuple(map(_, self.options)),
            deeper=_(self.deeper),
            how=self.how._replace(text=_(self.how.text), look_for=_(self.how.look_for)),
        )


def lesson(name: str) -> Lesson:
    """The words of a step in the language that is spoken."""
    return LESSONS[name].said()


def reply(lesson: Lesson, chosen: int, numbers: Numbers) -> str:
    """To an answer: the number, whatever the answer was."""
    answer = lesson.answer(numbers)
    if chosen == answer.option:
        return _("Right: {says}.").format(says=answer.says)
    return _("You said {option}. {says}.").format(option=lesson.options[chosen], says=_begun(answer.says))


def _begun(text: str) -> str:
    return text[0].upper() + text[1:]


def _fate(log10: float) -> int:
    return 0 if log10 < -FAR else 2 if log10 > FAR else 1


def _left(log10: float) -> str:
    """What arrives of a gradient of 1; its name is left out where it grew."""
    text = _("{left} is left") if log10 < GROWN else _("it has become {left}")
    return text.format(left=number(log10))


def _nearest(log10: float, options: tuple[float, ...]) -> int:
    distances = [abs(log10 - math.log10(option)) for option in options]
    return distances.index(min(distances))


def _weight(w: float, n: Numbers) -> str:
    text = _("In {lag} steps, w = {w} turns a gradient of 1 into **{left}**.")
    return text.format(lag=n["lag"], w=f"{w:g}", left=number(n["left"]))


def _product(gain: float, n: Numbers) -> str:
    grown = _("At gain {gain} the RNN turns 1 into **{left}**.").format(gain=f"{gain:g}", left=number(n["left"]))
    if math.isnan(n["apart"]):
        apart = _("The grey lines do not part.")
    else:
        apart = _("The grey lines part after {steps} steps (√units = {root}).")
    steps, root = f"{n['apart']:.0f}", f"{n['root']:.1f}"
    return f"{grown} {apart.format(steps=steps, root=root)}"


BOTH_PREDICT = {
    -1: N_("Both predict that it shrinks."),
    0: N_("Both predict that it keeps its size."),
    1: N_("Both predict that it grows."),
}
WRONG = (N_("The radius predicts otherwise."), N_("The determinant predicts otherwise."))


def _matrix(U: str, n: Numbers) -> str:
    fate, *predicted = (
        _sign(n["left"]),
        _sign(math.log10(n["radius"]) if n["radius"] else -math.inf),
        _sign(math.log10(abs(n["determinant"])) if n["determinant"] else -math.inf),
    )
    wrong = [text for text, judged in zip(WRONG, predicted, strict=True) if judged != fate]
    verdict = BOTH_PREDICT[fate] if not wrong else wrong[0] if len(wrong) == 1 else N_("Both predict otherwise.")
    numbers = _("Spectral radius {radius}, determinant {determinant}: after {lag} steps **{left}**.").format(
        radius=f"{n['radius']:g}", determinant=f"{n['determinant']:g}", lag=n["lag"], left=_left(n["left"])
    )
    return f"{numbers} {_(verdict)}"


def _sign(log10: float) -> int:
    """Whether a gradient shrinks, keeps its size or grows, rounding apart."""
    return 0 if abs(log10) < 1e-9 else 1 if log10 > 0 else -1


def _clipping(threshold: str, n: Numbers) -> str:
    shown = (
        _("In float32 {dead} vanishing norms round to 0; {zero} gradients do.")
        if n["zero"]
        else _("In float32 {dead} vanishing norms round to 0; no gradient does.")
    ).format(dead=n["dead"], zero=n["zero"])
    if math.isfinite(n["threshold"]):
        factors = _("θ = {threshold} multiplies the exploding gradient by **{factor}**, the vanishing by {vanishing}.")
    else:
        factors = _("Nothing is clipped.")
    by, vanishing = number(n["factor"]), number(n["factor_vanishing"])
    return f"{factors.format(threshold=threshold, factor=by, vanishing=vanishing)} {shown}"


def _lifts(n: Numbers) -> Answer:
    says = _("it is multiplied by {factor}").format(factor=number(n["factor_vanishing"]))
    return Answer(0 if n["factor_vanishing"] > 0 else 1, says)


GATES = {
    "input": N_("Input gate open"),
    "forget": N_("Forget gate open"),
    "candidate": N_("Candidate pushed"),
    "output": N_("Output gate open"),
}


def _gates(held: str, n: Numbers) -> str:
    if held == "none":
        return _("As PyTorch initializes it, **{left}** after {lag} steps.").format(left=_left(n["left"]), lag=n["lag"])
    times = number(n["left"] - n["left_drawn"])
    text = _("{gate}: **{left}**, {times} times what it was.")
    return text.format(gate=_(GATES[held]), left=_left(n["left"]), times=times)


ASKED_GATES = (N_("input"), N_("forget"), N_("output"))


def best_gate(left: Numbers, options: tuple[str, ...]) -> Answer:
    """The gate that keeps most when it is held open, by what is left with each."""
    best = max(left, key=lambda gate: left[gate])
    says = _("{gate} keeps the most, {left}").format(gate=_(best), left=number(left[best]))
    return Answer(options.index(best), says)


def _routes(blocked: str, n: Numbers) -> str:
    ways = _("Unblocked, the gradient passes U {through} and addition {added} times on average.").format(
        through=f"{n['through']:.1f}", added=f"{n['added']:.1f}"
    )
    rest = _("By all routes, **{left}**.") if blocked == "nothing" else _("Without {route}, **{left}**.")
    return f"{ways} {rest.format(route=_(blocked), left=_left(n['left']))}"


def _addition(bias: Any, n: Numbers) -> str:
    kept = _("{at} the LSTM keeps **{left}**, the squashed cell {left_squashed}.").format(
        at=_at(bias), left=number(n["left"]), left_squashed=number(n["left_squashed"])
    )
    product = _("Through its forget gates alone, the LSTM keeps {product}.")
    return f"{kept} {product.format(product=number(n['left_product']))}"


def _at(bias: Any) -> str:
    return _("At PyTorch's default bias") if isinstance(bias, str) else _("At bias {bias}").format(bias=f"{bias:g}")


def _merged(bias: Any, n: Numbers) -> str:
    gate = _("{at} z keeps {keeps}, renews {takes}.").format(
        at=_at(bias), keeps=f"{n['keeps']:.1%}", takes=f"{n['takes']:.1%}"
    )
    rest = _("The GRU has **{left}** left, the LSTM {left_lstm}.")
    return f"{gate} {rest.format(left=number(n['left']), left_lstm=number(n['left_lstm']))}"


def _is_above(n: Numbers) -> Answer:
    text = _("the GRU has {left} left, the LSTM {left_lstm}")
    says = text.format(left=number(n["left"]), left_lstm=number(n["left_lstm"]))
    return Answer(0 if n["left"] > n["left_lstm"] else 1, says)


def _window(length: int, n: Numbers) -> str:
    text = _("A window of {length} steps keeps **{kept}** of the gradient.")
    return text.format(length=length, kept=f"{n['kept']:.0%}")


def _needed(n: Numbers) -> Answer:
    says = _("it takes {steps} steps").format(steps=f"{n['needed']:.0f}")
    return Answer(_nearest(math.log10(n["needed"]), (10, 50, 100)), says)


CELLS = {"rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}


def _learning(updates: int, n: Numbers) -> str:
    losses = ", ".join(f"{name} **{n[cell]:.2f}**" for cell, name in CELLS.items())
    text = _("After {updates} updates the losses are {losses}; guessing has {baseline}.")
    return text.format(updates=f"{n['updates']:.0f}", losses=losses, baseline=f"{n['baseline']:.2f}")


def _who_stays(n: Numbers) -> Answer:
    stays = max(CELLS, key=lambda cell: n[cell])
    text = _("the {cell} is at {loss}, guessing at {baseline}")
    says = text.format(cell=CELLS[stays], loss=f"{n[stays]:.2f}", baseline=f"{n['baseline']:.2f}")
    return Answer([*CELLS].index(stays), says)


def _of_curves(formula: str, look_for: str) -> Reading:
    text = N_(
        "The loss is at the right; the gradient travels left. A straight line is a constant factor a step. Grey dashed "
        "lines are what the bold ones are compared with. Means of log10 over the batch."
    )
    return Reading(formula, text, look_for)


GRADIENT = r"\left\lVert \frac{\partial L}{\partial s_t} \right\rVert_2 \Big/ \left\lVert \bar y_T \right\rVert_2"

LESSONS: dict[str, Lesson] = {
    N_("weight"): Lesson(
        N_("One weight, again and again"),
        N_("An RNN reads one input per step. Going back one step multiplies the loss's gradient by the weight w."),
        N_("Weight w"),
        _weight,
        N_("What do 100 steps leave at w = 0.9?"),
        (N_("about 0.1"), N_("about 0.001"), N_("about 0.00003")),
        lambda n: Answer(_nearest(n["left"], (0.1, 0.001, 0.00003)), _left(n["left"])),
        N_("One unit, one weight"),
        _of_curves(
            r"\frac{\partial h_T}{\partial h_t} = w^{\,T-t}",
            N_("the left end of the line: how much of the gradient is left after all steps?"),
        ),
    ),
    N_("product"): Lesson(
        N_("A product of matrices"),
        N_("Each step multiplies by matrix U and tanh's slope. Grey, without tanh: same U or new U each step."),
        N_("Gain (factor on U)"),
        _product,
        N_("At gain 4 the RNN's gradient …"),
        FATES,
        lambda n: Answer(_fate(n["left"]), _left(n["left"])),
        N_("Product Jacobians"),
        _of_curves(
            r"\frac{\partial h_T}{\partial h_t} = \prod_{k=t+1}^{T} \operatorname{diag}(1 - h_k^2)\, U",
            N_("the slope of the bold line beside the grey ones: by which factor does a step multiply the gradient?"),
        ),
    ),
    N_("matrix"): Lesson(
        N_("No single number decides"),
        N_("Two ReLU units. Rules of thumb judge U by spectral radius (largest |eigenvalue|) or determinant."),
        N_("U, row by row"),
        _matrix,
        N_("At (8 8; −8 −8) the radius is 0. The gradient …"),
        FATES,
        lambda n: Answer(_fate(n["left"]), _left(n["left"])),
        N_("Initial weights"),
        _of_curves(
            r"\prod_k \operatorname{diag}(\mathbb 1[a_k > 0])\, U \quad\text{beside}\quad "
            r"\rho(U)^{T-t},\ |\det U|^{T-t}",
            N_("the gap between the bold line and the two rules of thumb: does the gradient follow either of them?"),
        ),
    ),
    N_("clipping"): Lesson(
        N_("Clipping tames explosions only"),
        N_("A gradient longer than θ is shortened, all steps alike. Dashed: unclipped."),
        N_("Threshold θ"),
        _clipping,
        N_("Does clipping at 1 lift the vanishing line?"),
        (N_("yes"), N_("no")),
        _lifts,
        N_("Gradient flow"),
        _of_curves(
            r"g \leftarrow g\,\min\!\big(1,\ \theta / \lVert g \rVert_2\big)",
            N_("the slopes: clipping moves a line down, and leaves its slope as it is."),
        ),
    ),
    N_("gates"): Lesson(
        N_("One gate after another"),
        N_(
            "An LSTM has three gates between 0 and 1: input writes, forget keeps, output shows. "
            "Hold one near 1 (bias 3)."
        ),
        N_("Held open (candidate: the new content)"),
        _gates,
        N_("Which open gate keeps the most gradient?"),
        ASKED_GATES,
        lambda n: best_gate(n, ASKED_GATES),
        N_("Gates and units"),
        _of_curves(
            GRADIENT,
            N_("how far the bold line rises above the dashed one while a gate is held open."),
        ),
    ),
    N_("routes"): Lesson(
        N_("Addition: the direct path"),
        N_("Forget bias 3. The cell adds: c′ = f c + i g. Going back, that multiplies by f. Block a route."),
        N_("Blocked"),
        _routes,
        N_("Block addition. What is left?"),
        (N_("most"), N_("half"), N_("almost nothing")),
        lambda n: Answer(_share(10 ** (n["left"] - n["left_all"])), _left(n["left"])),
        N_("Why addition wins"),
        _of_curves(
            GRADIENT,
            N_("how far the bold line falls below the dashed one when a route is blocked."),
        ),
    ),
    N_("addition"): Lesson(
        N_("What addition alone does not do"),
        N_("The squashed cell puts a tanh around its sum. Move the forget bias."),
        N_("Forget bias"),
        _addition,
        N_("Does addition save the gradient at PyTorch's default bias?"),
        (N_("yes"), N_("no")),
        lambda n: Answer(0 if _fate(n["left"]) else 1, _left(n["left"])),
        N_("Why addition wins"),
        _of_curves(
            GRADIENT,
            N_("the gap between the two bold lines: one cell has a tanh around its sum, the other has none."),
        ),
    ),
    N_("merged"): Lesson(
        N_("The GRU merges memory and output"),
        N_("In a GRU one state h is both; update gate z keeps it."),
        N_("Bias of z and of the LSTM's forget gate"),
        _merged,
        N_("At bias 3 the GRU's line is … the LSTM's"),
        (N_("above"), N_("below")),
        _is_above,
        N_("The unrolled network"),
        _of_curves(
            GRADIENT,
            N_("the left ends of the two bold lines: which cell has more gradient left?"),
        ),
    ),
    N_("window"): Lesson(
        N_("Truncation forgets by design"),
        N_("Truncated back-propagation goes K steps back (solid line); before that the gradient is exactly 0."),
        N_("Window K"),
        _window,
        N_("Which window keeps 99% here?"),
        (N_("about 10"), N_("about 50"), N_("about 100")),
        _needed,
        N_("Truncated back-propagation"),
        _of_curves(
            GRADIENT,
            N_("where the solid line ends: no gradient of the loss arrives before that step."),
        ),
    ),
    N_("learning"): Lesson(
        N_("Does it matter for learning?"),
        N_("Three cells learn a task: two of 30 letters decide the answer. Same seed; forget/update bias 2."),
        N_("Updates"),
        _learning,
        N_("Which cell still guesses at the end?"),
        (*CELLS.values(),),
        _who_stays,
        N_("Training"),
        READINGS["loss"],
    ),
}

TITLE = N_("The story in ten steps")
STEP, BACK, NEXT = N_("Step"), N_("Back"), N_("Next")
DEEPER = N_("Go deeper: {page}")
LAST = N_("Now your own network")
HANDOUT, HANDOUT_HELP = N_("Handout"), N_("All steps with their pictures as they stand, to be printed.")


def _share(share: float) -> int:
    return 0 if share > 0.75 else 1 if share > 0.25 else 2


def step_title(place: int, lesson: Lesson) -> str:
    """The heading of a step."""
    return f"{place}. {lesson.title}"


NAMES: dict[str, dict[str, str]] = {  # of the lines
    "weight": {"weight": "w"},
    "product": {"rnn": "RNN", "same": N_("same U"), "fresh": N_("new U")},
    "matrix": {"gradient": N_("gradient"), "radius": N_("radius"), "determinant": "det"},
    "clipping": {"exploding clipped": N_("exploding"), "vanishing clipped": N_("vanishing")},
    "gates": {"held": N_("now"), "drawn": N_("before")},
    "routes": {"blocked": N_("now"), "all": N_("all")},
    "addition": {"lstm": "LSTM", "squashed": N_("squashed"), "product": N_("gates")},
    "merged": {"gru": "GRU", "lstm": "LSTM"},
    "window": {"all": N_("whole"), "window": N_("window")},
}


def names_of(step: str) -> dict[str, str]:
    """The names of a step's lines in the language that is spoken."""
    return {path: _(name) for path, name in NAMES[step].items()}


def asked(lesson: Lesson) -> str:
    """A question with its possible answers, on paper."""
    return f"{lesson.question} ({' / '.join(lesson.options)})"


def keyed(lesson: Lesson, numbers: Numbers) -> str:
    """The answer to a question and its number, on paper."""
    answer = lesson.answer(numbers)
    return f"{lesson.options[answer.option]} ({answer.says})"


def answers(keyed: Sequence[str]) -> str:
    """The answers to all questions, on paper."""
    numbered = (f"{place}. {text}" for place, text in enumerate(keyed, 1))
    return _("Answers: {answers}.").format(answers="; ".join(numbered))


def guessing(level: float) -> str:
    """The rule at the loss of guessing."""
    return _("guessing: {level}").format(level=rounded(level))
