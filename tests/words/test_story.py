"""The story's texts: short, and every number in them read from arrays, wherever the reader may move the control."""

import math
import re

import numpy as np
import pytest

from gradlab import trace
from gradlab.analyses import story
from gradlab.analyses.paths import gate_product, lowest, mean_passes, passes_at
from gradlab.analyses.story import WEIGHTS
from gradlab.training import train
from gradlab.training.story import RECIPE
from gradlab.ui.ask import answer
from gradlab.ui.parts.story import DEFAULT, LEARNS, SCENES, numbers_of, shown
from gradlab.words import story as words
from gradlab.words.languages import codes, speaking
from gradlab.words.letters import without_markdown
from gradlab.words.numbers import number

MOST_WORDS, MOST_IN_A_SENTENCE = 60, 20
EVERY = [(scene, stop) for scene in SCENES for stop in scene.stops]


def said(scene, stop) -> str:
    return without_markdown(shown(scene, stop, answer)[1])


def sentences(text: str) -> list[str]:
    return [part for part in re.split(r"(?<=[.?…])\s+(?=[A-ZΘθ(U가-힣])", text) if part]


def count_of(text: str) -> int:
    """Words; a number is one: no line breaks in it."""
    return len([part for part in text.split(" ") if part])


def named(scene) -> str:
    return scene.name


def test_every_step_has_words_and_names_for_its_lines():
    assert [scene.name for scene in SCENES] == [*words.LESSONS]
    assert 8 <= len(SCENES) <= 10
    for scene in SCENES[:-1]:
        lines = {path for stop in scene.stops for path in answer(scene.call(stop)).table["path"]}
        assert set(words.NAMES[scene.name]) <= lines


@pytest.fixture(params=codes())
def spoken(request):
    with speaking(request.param):
        yield request.param


@pytest.mark.usefixtures("spoken")
@pytest.mark.parametrize("scene", SCENES, ids=named)
def test_a_step_has_at_most_sixty_words_and_no_long_sentence_whatever_is_set_and_answered(scene):
    lesson = scene.lesson
    replies = [words.reply(lesson, chosen, numbers_of(scene, answer)) for chosen in range(len(lesson.options))]
    for stop in scene.stops:
        for reply in replies:
            title = words.step_title(10, lesson)
            parts = (title, lesson.text, said(scene, stop), lesson.question, *lesson.options, reply)
            count = sum(map(count_of, parts))
            assert count <= MOST_WORDS, (stop, count, parts)
            for part in (lesson.text, said(scene, stop), lesson.question, reply):
                for sentence in sentences(part):
                    assert count_of(sentence) <= MOST_IN_A_SENTENCE, sentence


def left(subject, cell=None) -> str:
    """What is left at the first step, written."""
    result = trace(subject if cell is None else subject.replace(cell=cell))
    return number(float(result.log10_relative(result.states[-1])[0, 0].mean()))


def biased(bias):
    return WEIGHTS.replace(keep_bias=None if bias == DEFAULT else bias)


def claims(scene, stop) -> list[str]:
    """What a step's sentence must hold, from arrays that the story's own functions do not make."""
    match scene.name:
        case "weight":
            return [f"w = {stop:g} turns a gradient of 1 into {number(100 * math.log10(stop))}."]
        case "product":
            return [f"turns 1 into {left(WEIGHTS.replace(gain=stop), 'rnn')}.", "(√units = 5.7)"]
        case "matrix":
            U = np.array(story.MATRICES[stop])
            h, states = np.ones(2), []
            for _ in range(100):
                h = np.maximum(U @ h, 0)
                states.append(h > 0)
            bar = np.full(2, math.sqrt(0.5))
            for on in reversed(states):
                bar = U.T @ (on * bar)
            log10, det = math.log10(np.linalg.norm(bar)), abs(float(np.linalg.det(U)))
            radius = float(np.abs(np.linalg.eigvals(U)).max())
            signs = [round(math.log10(value), 9) if value > 1e-9 else -9.0 for value in (radius, det)]
            wrong = [np.sign(sign) != np.sign(round(log10, 9)) for sign in signs]
            goes = {-1.0: "shrinks", 0.0: "keeps its size", 1.0: "grows"}[np.sign(round(log10, 9))]
            verdicts = {(False, False): f"Both predict that it {goes}.", (True, True): "Both predict otherwise.",
                        (False, True): "The determinant predicts otherwise."}  # fmt: skip
            arrived = f"{number(log10)} is left" if log10 < 0.01 else f"it has become {number(log10)}"
            return [arrived, verdicts[wrong[0], wrong[1]], f"determinant {det:g}"]
        case "clipping":
            vanishing = story.clipping(WEIGHTS, story.THRESHOLDS[stop]).table
            before, after = (
                vanishing[(vanishing["path"] == path) & (vanishing["step"] == 50)]["log10_relative"].item()
                for path in ("exploding", "exploding clipped")
            )
            return [] if stop == "off" else [f"the exploding gradient by {number(after - before)},"]
        case "gates":
            if stop == "none":
                return [f"As PyTorch initializes it, {left(WEIGHTS)} is left"]
            open_gate = WEIGHTS.replace(keep_bias=3.0)
            return [f"Forget gate open: {left(open_gate)} is left"] if stop == "forget" else ["times what it was."]
        case "routes":
            passes = passes_at(mean_passes(biased(3.0), losses="last"), 100)
            ways = f"passes U {passes.through:.1f} and addition {passes.additions:.1f} times"
            return [ways, {"nothing": "By all routes", "U": "Without U", "addition": "Without addition"}[stop]]
        case "addition":
            gates = lowest(gate_product(biased(stop))).query("step == 0")["log10_relative"].item()
            kept = f"the LSTM keeps {left(biased(stop))}, the squashed cell {left(biased(stop), 'lstm_squashed')}"
            return [kept, f"Through its forget gates alone, the LSTM keeps {number(gates)}."]
        case "merged":
            return [f"The GRU has {left(biased(stop), 'gru')} left, the LSTM {left(biased(stop))}."]
        case "window":
            norms = 10 ** trace(biased(3.0)).log10_relative("c")[0][::-1]
            kept = (norms[:stop].sum(axis=0) / norms.sum(axis=0)).mean()
            return [f"A window of {stop} steps keeps {kept:.0%} of the gradient."]
        case "learning":
            return [f"After {stop} updates", "guessing has 1.39."]
    raise AssertionError(scene.name)


@pytest.mark.parametrize("scene", SCENES, ids=named)
def test_what_a_step_claims_is_what_arrays_hold_wherever_its_control_stands(scene):
    spoken = {stop: said(scene, stop) for stop in scene.stops}
    assert len(set(spoken.values())) == len(spoken), "a control that moves is seen in the sentence"
    for stop, text in spoken.items():
        for claim in claims(scene, stop):
            assert claim in text, (stop, claim, text)


NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?:\u00a0×\u00a010[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)?%?")


@pytest.mark.parametrize("scene", SCENES, ids=named)
def test_every_language_says_the_same_numbers_wherever_the_control_stands(scene):
    numbers = numbers_of(scene, answer)
    for stop in scene.stops:
        replies = range(len(scene.lesson.options))
        texts = [said(scene, stop), *(words.reply(scene.lesson, chosen, numbers) for chosen in replies)]
        for code in codes()[1:]:
            with speaking(code):
                lesson = scene.lesson
                others = [said(scene, stop), *(words.reply(lesson, chosen, numbers) for chosen in replies)]
            for text, other in zip(texts, others, strict=True):
                assert other != text
                assert set(NUMBER.findall(other)) == set(NUMBER.findall(text)), (text, other)
    assert NUMBER.findall("1 is 2.7\u00a0×\u00a010⁻⁵ of 1,000 or 99%.") == ["1", "2.7\u00a0×\u00a010⁻⁵", "1,000", "99%"]


def test_a_judgement_is_the_same_in_every_language():
    (scene,) = (scene for scene in SCENES if scene.name == "matrix")
    english = {stop: said(scene, stop).split(". ")[-1] for stop in scene.stops}
    with speaking("ko"):
        korean = {stop: said(scene, stop).split(". ")[-1] for stop in scene.stops}
    judged = {
        "Both predict that it shrinks.": "둘 다 줄어든다고 맞게 예측합니다.",
        "Both predict that it keeps its size.": "둘 다 크기가 그대로라고 맞게 예측합니다.",
        "Both predict that it grows.": "둘 다 커진다고 맞게 예측합니다.",
        "Both predict otherwise.": "둘 다 예측이 틀립니다.",
        "The determinant predicts otherwise.": "행렬식의 예측은 틀립니다.",
    }
    assert korean == {stop: judged[text] for stop, text in english.items()}
    assert len(set(korean.values())) >= 4


def test_the_losses_that_are_said_are_those_of_the_runs():
    records = train(LEARNS.replace(cell="rnn"), "temporal_order", updates=RECIPE.updates, learning_rate=1e-2)
    losses = [next(records).loss for _ in range(30)]
    (scene,) = (scene for scene in SCENES if scene.name == "learning")
    assert f"RNN {np.mean(losses[20:30]):.2f}" in said(scene, 30)


RIGHT = {  # as FACTS and formulas have them
    "weight": "about 0.00003", "product": "explodes", "matrix": "explodes", "clipping": "no", "gates": "forget",
    "routes": "almost nothing", "addition": "no", "merged": "below", "window": "about 100", "learning": "RNN",
}  # fmt: skip


@pytest.mark.parametrize("scene", SCENES, ids=named)
def test_an_answer_gets_the_number_whether_it_is_right_or_not(scene):
    lesson, numbers = scene.lesson, numbers_of(scene, answer)
    found = lesson.answer(numbers)
    assert lesson.options[found.option] == RIGHT[scene.name]
    assert re.search(r"\d", found.says)
    assert words.keyed(lesson, numbers) == f"{RIGHT[scene.name]} ({found.says})"
    for chosen, option in enumerate(lesson.options):
        text = words.reply(lesson, chosen, numbers)
        assert found.says[1:] in text
        assert text.startswith("Right: " if chosen == found.option else f"You said {option}. ")
        assert "wrong" not in text


def test_another_network_has_another_answer():
    fates = [words.LESSONS["product"].answer({"left": log10}).option for log10 in (-10.0, 0.5, 10.0)]
    assert fates == [0, 1, 2]
    clip = words.LESSONS["clipping"].answer
    assert [clip({"factor_vanishing": factor}).option for factor in (0.5, 0.0, -1.0)] == [0, 1, 1]
    gates = words.best_gate(
        {"input": -1.0, "forget": -9.0, "candidate": -8.0, "output": -3.0}, ("input", "forget", "output")
    )
    assert gates == words.Answer(0, "input keeps the most, 0.1")
    assert words.LESSONS["merged"].answer({"left": -1.0, "left_lstm": -2.0}).option == 0
    assert [words.LESSONS["window"].answer({"needed": steps}).option for steps in (3, 40, 101)] == [0, 1, 2]
    assert [words.LESSONS["addition"].answer({"left": log10}).option for log10 in (-0.5, -10.0)] == [0, 1]
    shares = [words.LESSONS["routes"].answer({"left": x, "left_all": 0.0}).option for x in (-0.05, -0.3, -2.0)]
    assert shares == [0, 1, 2]
    losses = {"rnn": 0.1, "lstm": 1.4, "gru": 0.2, "baseline": 1.39}
    assert words.LESSONS["learning"].answer(losses) == words.Answer(1, "the LSTM is at 1.40, guessing at 1.39")
