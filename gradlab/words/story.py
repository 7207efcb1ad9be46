"""Every text of the guided story. Sentences with numbers are computed from the numbers of the step that is shown.

A step shows a title, what happens, what came out (`says`), a question, its possible answers and, once one was given,
what the computation says of it (`Lesson.answer`): together at most 60 words, a number
being one, no sentence longer than 20.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from gradlab.words.how_to_read import READINGS, Reading
from gradlab.words.numbers import number, rounded

Numbers = Mapping[str, float]
VANISHES, STAYS, EXPLODES = FATES = ("vanishes", "stays", "explodes")
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


def reply(lesson: Lesson, chosen: int, numbers: Numbers) -> str:
    """To an answer: the number, whatever the answer was."""
    answer = lesson.answer(numbers)
    return (
        f"Right: {answer.says}."
        if chosen == answer.option
        else f"You said {lesson.options[chosen]}. {_begun(answer.says)}."
    )


def _begun(text: str) -> str:
    return text[0].upper() + text[1:]


def _fate(log10: float) -> int:
    return 0 if log10 < -FAR else 2 if log10 > FAR else 1


def _left(log10: float) -> str:
    """What arrives of a gradient of 1; its name is left out where it grew."""
    return f"{number(log10)} is left" if log10 < GROWN else f"it has become {number(log10)}"


def _nearest(log10: float, options: tuple[float, ...]) -> int:
    distances = [abs(log10 - math.log10(option)) for option in options]
    return distances.index(min(distances))


def _weight(w: float, n: Numbers) -> str:
    return f"In {n['lag']} steps, w = {w:g} turns a gradient of 1 into **{number(n['left'])}**."


def _product(gain: float, n: Numbers) -> str:
    apart = "do not part" if math.isnan(n["apart"]) else f"part after {n['apart']:.0f} steps (√H = {n['root']:.1f})"
    return f"At gain {gain:g} the RNN turns 1 into **{number(n['left'])}**. The grey lines {apart}."


GOES = {-1: "shrinks", 0: "keeps its size", 1: "grows"}


def _matrix(U: str, n: Numbers) -> str:
    fates = [_sign(n["left"]), _sign(math.log10(n["radius"]) if n["radius"] else -math.inf)]
    fates.append(_sign(math.log10(abs(n["determinant"])) if n["determinant"] else -math.inf))
    wrong = [name for name, fate in zip(("radius", "determinant"), fates[1:], strict=True) if fate != fates[0]]
    judged = {
        0: f"Both predict that it {GOES[fates[0]]}.",
        1: f"The {wrong[0] if wrong else ''} predicts otherwise.",
        2: "Both predict otherwise.",
    }
    numbers = f"Spectral radius {n['radius']:g}, determinant {n['determinant']:g}"
    return f"{numbers}: after {n['lag']} steps **{_left(n['left'])}**. {judged[len(wrong)]}"


def _sign(log10: float) -> int:
    """Whether a gradient shrinks, keeps its size or grows, rounding apart."""
    return 0 if abs(log10) < 1e-9 else 1 if log10 > 0 else -1


def _clipping(threshold: str, n: Numbers) -> str:
    dead, alive = n["dead"], "none is zero" if not n["zero"] else f"{n['zero']} are zero"
    factors = f"the exploding gradient by **{number(n['factor'])}**, the vanishing by {number(n['factor_vanishing'])}"
    shown = f"in float32 {dead} vanishing norms print as 0; {alive}"
    if not math.isfinite(n["threshold"]):
        return f"Nothing is clipped yet. {_begun(shown)}."
    return f"θ = {threshold} multiplies {factors}. {_begun(shown)}."


GATES = {
    "input": "Input gate open",
    "forget": "Forget gate open",
    "candidate": "Candidate pushed",
    "output": "Output gate open",
}


def _gates(held: str, n: Numbers) -> str:
    if held == "none":
        return f"As PyTorch draws it, **{_left(n['left'])}** after {n['lag']} steps."
    times = n["left"] - n["left_drawn"]
    return f"{GATES[held]}: **{_left(n['left'])}**, {number(times)} times what it was."


def best_gate(left: Numbers, options: tuple[str, ...]) -> Answer:
    """The gate that keeps most when it is held open, by what is left with each."""
    best = max(left, key=lambda gate: left[gate])
    return Answer(options.index(best), f"{best} keeps the most, {number(left[best])}")


def _routes(blocked: str, n: Numbers) -> str:
    rest = "By all routes" if blocked == "nothing" else f"Without {blocked}"
    ways = f"The gradient passed U {n['through']:.1f} times and was added {n['added']:.1f} times, on average"
    return f"{ways}. {rest}, **{_left(n['left'])}**."


def _addition(bias: Any, n: Numbers) -> str:
    lost = n["left_product"] - n["left"]
    kept = f"{_at(bias)} the LSTM keeps **{number(n['left'])}**, the squashed {number(n['left_squashed'])}"
    return f"{kept}. The product of the LSTM's forget gates is {number(lost)} times that."


def _at(bias: Any) -> str:
    return "At PyTorch's default bias" if isinstance(bias, str) else f"At bias {bias:g}"


def _merged(bias: Any, n: Numbers) -> str:
    gate = f"{_at(bias)} z keeps {n['keeps']:.0%} and takes in {n['takes']:.0%}"
    return f"{gate}. The GRU has **{number(n['left'])}** left, the LSTM {number(n['left_lstm'])}."


def _window(length: int, n: Numbers) -> str:
    return f"A window of {length} steps keeps **{n['kept']:.0%}** of the gradient."


CELLS = {"rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}


def _learning(updates: int, n: Numbers) -> str:
    losses = ", ".join(f"{name} **{n[cell]:.2f}**" for cell, name in CELLS.items())
    return f"After {n['updates']:.0f} updates the losses are {losses}; guessing has {n['baseline']:.2f}."


def _who_stays(n: Numbers) -> Answer:
    stays = max(CELLS, key=lambda cell: n[cell])
    return Answer([*CELLS].index(stays), f"the {CELLS[stays]} is at {n[stays]:.2f}, guessing at {n['baseline']:.2f}")


def _of_curves(formula: str) -> Reading:
    text = (
        "The loss is at the right; the gradient travels left. A straight line is a constant factor a step. Grey dashed "
        "lines are what the bold ones are compared with. Means of log10 over the batch."
    )
    return Reading(formula, text)


GRADIENT = r"\left\lVert \frac{\partial L}{\partial s_t} \right\rVert_2 \Big/ \left\lVert \bar y_T \right\rVert_2"

LESSONS: dict[str, Lesson] = {
    "weight": Lesson(
        "One weight, again and again",
        "Going back one step multiplies the gradient by the weight w.",
        "Weight w",
        _weight,
        "What do 100 steps leave at w = 0.9?",
        ("about 0.1", "about 0.001", "about 0.00003"),
        lambda n: Answer(_nearest(n["left"], (0.1, 0.001, 0.00003)), _left(n["left"])),
        "One unit, one weight",
        _of_curves(r"\frac{\partial h_T}{\partial h_t} = w^{\,T-t}"),
    ),
    "product": Lesson(
        "A product of matrices",
        "Each step multiplies by the recurrent matrix U and tanh's slope. Grey: no tanh, same or fresh U.",
        "Gain: factor on U",
        _product,
        "At gain 4 the RNN's gradient …",
        FATES,
        lambda n: Answer(_fate(n["left"]), _left(n["left"])),
        "Product Jacobians",
        _of_curves(r"\frac{\partial h_T}{\partial h_t} = \prod_{k=t+1}^{T} \operatorname{diag}(1 - h_k^2)\, U"),
    ),
    "matrix": Lesson(
        "No single number decides",
        "Two ReLU units. Rules of thumb judge U by spectral radius or determinant.",
        "U, row by row",
        _matrix,
        "At (8 8; −8 −8) the radius is 0. The gradient …",
        FATES,
        lambda n: Answer(_fate(n["left"]), _left(n["left"])),
        "Initial weights",
        _of_curves(
            r"\prod_k \operatorname{diag}(\mathbb 1[a_k > 0])\, U \quad\text{beside}\quad "
            r"\rho(U)^{T-t},\ |\det U|^{T-t}"
        ),
    ),
    "clipping": Lesson(
        "Clipping tames explosions only",
        "A gradient longer than θ is shortened, all steps alike. Dashed: before.",
        "Threshold θ",
        _clipping,
        "Does clipping at 1 lift the vanishing line?",
        ("yes", "no"),
        lambda n: Answer(0 if n["factor_vanishing"] > 0 else 1, f"it is multiplied by {number(n['factor_vanishing'])}"),
        "Gradient flow",
        _of_curves(r"g \leftarrow g\,\min\!\big(1,\ \theta / \lVert g \rVert_2\big)"),
    ),
    "gates": Lesson(
        "One gate after another",
        "Gates lie between 0 and 1: input writes, forget keeps, output shows. Hold one near 1 (bias 3).",
        "Held open",
        _gates,
        "Which one keeps the most?",
        ("input", "forget", "output"),
        lambda n: best_gate(n, ("input", "forget", "output")),
        "Gates and units",
        _of_curves(GRADIENT),
    ),
    "routes": Lesson(
        "Addition: the direct path",
        "Bias 3. The cell adds: c′ = f c + i g; back, that multiplies by f. Block a route.",
        "Blocked",
        _routes,
        "Block addition. What is left?",
        ("most", "half", "almost nothing"),
        lambda n: Answer(_share(10 ** (n["left"] - n["left_all"])), _left(n["left"])),
        "Why addition wins",
        _of_curves(GRADIENT),
    ),
    "addition": Lesson(
        "What addition alone does not do",
        "The squashed cell puts a tanh around its sum. Move the forget bias.",
        "Forget bias",
        _addition,
        "Does addition save the gradient at PyTorch's default bias?",
        ("yes", "no"),
        lambda n: Answer(0 if _fate(n["left"]) else 1, _left(n["left"])),
        "Why addition wins",
        _of_curves(GRADIENT),
    ),
    "merged": Lesson(
        "The GRU merges memory and output",
        "In a GRU one state h does both; gate z keeps the old.",
        "Keep bias of both",
        _merged,
        "At bias 3 the GRU's line lies …",
        ("above", "below"),
        lambda n: Answer(
            0 if n["left"] > n["left_lstm"] else 1,
            f"the GRU has {number(n['left'])} left, the LSTM {number(n['left_lstm'])}",
        ),
        "The unrolled network",
        _of_curves(GRADIENT),
    ),
    "window": Lesson(
        "Truncation forgets by design",
        "Truncated back-propagation goes K steps back; before that the gradient is exactly 0.",
        "Window K",
        _window,
        "Which window keeps 99% here?",
        ("about 10", "about 50", "about 100"),
        lambda n: Answer(_nearest(math.log10(n["needed"]), (10, 50, 100)), f"it takes {n['needed']:.0f} steps"),
        "Truncated back-propagation",
        _of_curves(GRADIENT),
    ),
    "learning": Lesson(
        "Does it matter? Learning",
        "Two of 30 letters decide the answer. All start from one seed.",
        "Updates",
        _learning,
        "Which cell still guesses at the end?",
        (*CELLS.values(),),
        _who_stays,
        "Training",
        READINGS["loss"],
    ),
}

TITLE = "The story in ten steps"
STEP, BACK, NEXT = "Step", "Back", "Next"
DEEPER = "Go deeper: {page}"
LAST = "Now your own network"
ANSWERS = "Answers"
HANDOUT, HANDOUT_HELP = "Handout", "All steps with their pictures as they stand, to be printed."


def _share(share: float) -> int:
    return 0 if share > 0.75 else 1 if share > 0.25 else 2


def step_title(place: int, lesson: Lesson) -> str:
    """The heading of a step."""
    return f"{place}. {lesson.title}"


NAMES: dict[str, dict[str, str]] = {  # of the lines
    "weight": {"weight": "w"},
    "product": {"rnn": "RNN", "same": "same U", "fresh": "fresh U"},
    "matrix": {"gradient": "gradient", "radius": "radius", "determinant": "det"},
    "clipping": {"exploding clipped": "exploding", "vanishing clipped": "vanishing"},
    "gates": {"held": "held", "drawn": "before"},
    "routes": {"blocked": "blocked", "all": "all"},
    "addition": {"lstm": "LSTM", "squashed": "squashed", "product": "gates"},
    "merged": {"gru": "GRU", "lstm": "LSTM"},
    "window": {"all": "whole", "window": "window"},
}


def asked(lesson: Lesson) -> str:
    """A question with its possible answers, on paper."""
    return f"{lesson.question} ({' / '.join(lesson.options)})"


def answers(says: Sequence[str]) -> str:
    """The answers to all questions, on paper."""
    numbered = (f"{place}. {text}" for place, text in enumerate(says, 1))
    return f"{ANSWERS}: {'; '.join(numbered)}."


def guessing(level: float) -> str:
    """The rule at the loss of guessing."""
    return f"guessing: {rounded(level)}"
