"""The guided story: ten steps, each with one picture, one control, one computed sentence and one question."""

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import streamlit as st

from gradlab.analyses import story
from gradlab.analyses.call import Call, Table
from gradlab.analyses.story import WEIGHTS
from gradlab.charts.story import curves, losses
from gradlab.exports import PAGE, PICTURES, Layout
from gradlab.exports.handout import Part, handout
from gradlab.training import learning, until
from gradlab.training.story import RECIPE, baseline
from gradlab.ui import ask
from gradlab.ui.frame import language, linked
from gradlab.ui.frame.shown import Settings
from gradlab.ui.kept import MISSING
from gradlab.ui.parts.drawing import Drawing
from gradlab.ui.parts.view import Answer, Asked, Figure, View
from gradlab.ui.work import kept
from gradlab.words import story as words
from gradlab.words.how_to_read import Words
from gradlab.words.languages import SOURCE, _, current, speaking
from gradlab.words.letters import without_markdown

DEFAULT = "default"  # a bias that the initialization decides
BIASES = (-1.0, DEFAULT, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
LEARNS = WEIGHTS.replace(steps=30, batch_size=16, keep_bias=2.0)
AHEAD = 2  # steps before the last one, at which its networks begin to learn
LATER = 1.0  # seconds until they do
BEGUN = threading.Lock()  # that they have
STYLE = Path(__file__).with_suffix(".css")


class Scene(NamedTuple):
    """How one step is computed and drawn, and where it leads."""

    name: str
    stops: Sequence[Any]  # of its control
    first: Any  # the stop at first
    asked: Any  # the stop that the question is about
    call: Callable[[Any], Call]  # by stop
    span: tuple[float, float]  # decades always in view
    page: str  # that goes deeper
    query: Callable[[Any], Mapping[str, Any]]  # its settings, by stop

    @property
    def key(self) -> str:
        return f"story_{self.name}"

    @property
    def lesson(self) -> words.Lesson:
        """Its words in the language that is spoken."""
        return words.lesson(self.name)


def _biased(bias: Any, **changes: Any) -> Any:
    return WEIGHTS.replace(keep_bias=None if bias == DEFAULT else bias, **changes)


def _settings(**changes: Any) -> dict[str, Any]:
    """The settings of the story's networks as a link has them."""
    shared = {"hidden_size": WEIGHTS.hidden_size, "input_size": WEIGHTS.input_size, "steps": WEIGHTS.steps}
    return shared | {"batch_size": WEIGHTS.batch_size} | changes


def _keep(bias: Any) -> dict[str, Any]:
    return {} if bias == DEFAULT else {"keep_bias": bias}


SCENES: tuple[Scene, ...] = (
    Scene(
        "weight", [n / 20 for n in range(10, 25)], 0.95, 0.9, partial(Call.of, story.weight), (-12.0, 8.0),
        "one_unit", lambda w: {"weight": w, "lags": WEIGHTS.steps - 1},
    ),
    Scene(
        "product", [n / 4 for n in range(1, 17)], 1.0, 4.0,
        lambda gain: Call.of(story.product, WEIGHTS.replace(gain=gain)), (-60.0, 20.0),
        "jacobians", lambda gain: _settings(one_cell="RNN", gain=gain),
    ),
    Scene(
        "matrix", [*story.MATRICES], "0.9 0; 0 0.9", "8 8; -8 -8",
        lambda U: Call.of(story.matrix, story.MATRICES[U]), (-20.0, 90.0),
        "weights", lambda U: _settings(one_cell="RNN"),
    ),
    Scene(
        "clipping", [*story.THRESHOLDS], "off", "1",
        lambda threshold: Call.of(story.clipping, WEIGHTS, story.THRESHOLDS[threshold]), (-30.0, 8.0),
        "gradient_flow", lambda threshold: _settings(cells="RNN", gain=4.0),
    ),
    Scene(
        "gates", story.HELD, "none", "forget", lambda held: Call.of(story.gates, WEIGHTS, held), (-28.0, 0.0),
        "gates", lambda held: _settings(one_cell="LSTM") | ({"keep_bias": story.OPEN} if held == "forget" else {}),
    ),
    Scene(
        "routes", story.ROUTES, story.NOTHING, story.ADDITION,
        lambda blocked: Call.of(story.routes, _biased(3.0), blocked), (-90.0, 0.0),
        "why_addition", lambda blocked: _settings(one_cell="LSTM", keep_bias=3.0, why_addition_cuts="true"),
    ),
    Scene(
        "addition", BIASES, 3.0, DEFAULT, lambda bias: Call.of(story.addition, _biased(bias)), (-45.0, 0.0),
        "why_addition", lambda bias: _settings(one_cell="LSTM") | _keep(bias),
    ),
    Scene(
        "merged", BIASES, DEFAULT, 3.0, lambda bias: Call.of(story.merged, _biased(bias)), (-45.0, 0.0),
        "unrolled", lambda bias: _settings(one_cell="GRU") | _keep(bias),
    ),
    Scene(
        "window", (1, 2, 5, *range(10, 101, 10), 101), 20, 101,
        lambda length: Call.of(story.window, _biased(3.0), length), (-3.0, 0.0),
        "truncation", lambda length: _settings(
            one_cell="LSTM", keep_bias=3.0, truncation="windows", k1=max(1, length // 2), k2=length
        ),
    ),
    Scene(
        "learning", range(10, RECIPE.updates + 1, 10), 40, RECIPE.updates,
        lambda update: Call.of(learning, LEARNS).then(until, update, baseline(LEARNS)), (0.0, 1.0),
        "training", lambda update: {
            "task": "temporal_order", "task_steps": LEARNS.steps, "task_batch": LEARNS.batch_size,
            "hidden_size": LEARNS.hidden_size, "keep_bias": LEARNS.keep_bias, "learning_rate": RECIPE.learning_rate,
        },
    ),
)  # fmt: skip
STEPS = [*range(1, len(SCENES) + 1)]
KEYS = ("step", *(scene.key for scene in SCENES))


def sliders(shared: Settings) -> Mapping[str, Sequence[Any]]:
    """The controls' stops."""
    return {scene.key: scene.stops for scene in SCENES}


def view(asked: Asked, answer: Answer) -> View:
    """The picture and the sentence of the step that the link names."""
    scene = SCENES[asked.one_of("step", STEPS, 1) - 1]
    stop = asked.one_of(scene.key, scene.stops, scene.first)
    drawn, sentence = shown(scene, stop, answer)
    return View([drawn], [sentence])


def shown(scene: Scene, stop: Any, answer: Answer) -> tuple[Figure, str]:
    """A step's figure and sentence at a stop of its control."""
    call, lesson = scene.call(stop), scene.lesson
    sentence = lesson.says(stop, answer(call).numbers)
    table, text = Table.of(call, "table"), Words(scene.name, lesson.title, sentence, lesson.how)
    if scene.name == "learning":
        level = baseline(LEARNS)
        draw = partial(losses, updates=RECIPE.updates, level=level, name=words.guessing(level))
        return Figure(draw, table, text), sentence
    draw = partial(curves, names=words.names_of(scene.name), span=scene.span)
    return Figure(draw, table, text, beside={"ends": partial(story.named_ends, span=scene.span)}), sentence


def choose() -> Scene:
    """The step, by its number; in the link."""
    with st.container(horizontal=True, vertical_alignment="center", key="story_top"):
        linked.segmented_control(
            _(words.STEP), STEPS, default=1, required=True, key="step", label_visibility="collapsed", width="content"
        )
        _handout_button()
        language.switch()
    return SCENES[(st.session_state["step"] or 1) - 1]


def _look_ahead(place: int) -> None:
    """Near the end the last step's networks begin to learn, for all visitors, once this step is drawn."""
    if place >= len(SCENES) - 1 - AHEAD and place < len(SCENES) - 1:
        later = threading.Timer(LATER, _learn)
        later.daemon = True
        later.start()


def _learn() -> None:
    if kept(("result", Call.of(learning, LEARNS).key)) is MISSING and BEGUN.acquire(blocking=False):
        try:
            ask.answer(Call.of(learning, LEARNS))
        finally:
            BEGUN.release()


def heading(scene: Scene) -> None:
    """Which step it is, and what happens in it."""
    st.header(words.step_title(SCENES.index(scene) + 1, scene.lesson), anchor=False)
    st.markdown(scene.lesson.text)


def control(scene: Scene) -> Any:
    """The one thing to move."""
    return linked.select_slider(scene.lesson.control, scene.stops, scene.first, key=scene.key)


def question(scene: Scene, answer: Answer) -> None:
    """A prediction; what is answered shows itself in the picture, and in a sentence with its number."""
    lesson, key = scene.lesson, f"guess {scene.name}"
    chosen = st.session_state.get(key)
    with st.container(key="question"):
        st.markdown(f"**{lesson.question}**")
        with st.container(horizontal=True, gap="small"):
            for number, option in enumerate(lesson.options):
                kind = "primary" if number == chosen else "secondary"
                st.button(option, key=f"{key} {number}", on_click=_try, args=(scene, key, number), type=kind)
        with st.container(key="story_reply"):
            if chosen is not None:
                st.markdown(words.reply(lesson, chosen, numbers_of(scene, answer)))


def numbers_of(scene: Scene, answer: Answer) -> Mapping[str, float]:
    """What the question's answer is read from."""
    if scene.name == "gates":
        return answer(Call.of(story.best_held, WEIGHTS))
    return answer(scene.call(scene.asked)).numbers


def _try(scene: Scene, key: str, chosen: int) -> None:
    """An answer moves the control to the setting that was asked about."""
    st.session_state[key] = chosen
    st.session_state[scene.key] = scene.asked


def _deeper(scene: Scene, stop: Any) -> None:
    """A link to the page that goes deeper, at the same settings."""
    query = language.in_links()
    links = [f"[{_(words.DEEPER).format(page=scene.lesson.deeper)}]({address(scene, stop, query)})"]
    if scene is SCENES[-1]:
        links.append(f"[{_(words.LAST)}](your_network{query and '?'}{urlencode(query)})")
    with st.container(key="deeper"):
        st.markdown(" · ".join(links))


def address(scene: Scene, stop: Any, more: Mapping[str, str] | None = None) -> str:
    """Of that page, as the story's own page writes it; `more` stands in the link too."""
    return f"{scene.page}?{urlencode({**scene.query(stop), **(more or {})})}"


def walk(scene: Scene, stop: Any) -> None:
    """To the step before and to the next one, as the arrow keys do, and to the page that goes deeper."""
    place = SCENES.index(scene)
    with st.container(horizontal=True, key="story_walk"):
        st.button(_(words.BACK), key="back a step", shortcut="Left", on_click=_go, args=(place,), disabled=place == 0)
        st.button(
            _(words.NEXT), key="next step", shortcut="Right", on_click=_go, args=(place + 2,), type="primary",
            disabled=scene is SCENES[-1],
        )  # fmt: skip
        _deeper(scene, stop)
    _look_ahead(place)


def _go(step: int) -> None:
    st.session_state["step"] = step


def _handout_button() -> None:
    """All steps as they stand, as one page to be printed; made when asked for."""
    stops = tuple(st.session_state.get(scene.key, scene.first) for scene in SCENES)
    make = partial(made_handout, stops, st.context.url or "", current())
    st.download_button(
        _(words.HANDOUT), make, "gradlab-story.html", "text/html", key="handout", icon=":material/print:",
        help=_(words.HANDOUT_HELP), on_click="ignore", type="tertiary",
    )  # fmt: skip


def made_handout(stops: Sequence[Any], url: str = "", spoken: str = SOURCE) -> bytes:
    """The handout of the steps at some stops of their controls, in a language; asked for outside a page's run too."""
    pairs = list(zip(STEPS, SCENES, stops, strict=True))
    with speaking(spoken):
        parts = [_part(place, scene, stop, url) for place, scene, stop in pairs]
        answers = [words.keyed(scene.lesson, numbers_of(scene, ask.answer)) for scene in SCENES]
        return handout(_(words.TITLE), parts, words.answers(answers), spoken)


def _part(place: int, scene: Scene, stop: Any, url: str) -> Part:
    """A step on paper, with the link that opens it as it stands."""
    drawn, sentence = shown(scene, stop, ask.answer)
    drawing = Drawing(drawn.draw, drawn.question, drawn.reduction, drawn.beside)
    layout = Layout(width=PAGE, heading=False)
    svg = PICTURES["SVG"].write(drawing.picture(dark=False), (), code=drawn.question.code, layout=layout)
    lesson, link = scene.lesson, urlencode({"step": place, scene.key: stop, language.NAME: current()})
    said = without_markdown(sentence)
    paragraphs = (lesson.text, f"{lesson.control}: {stop}. {said}", words.asked(lesson))
    title = words.step_title(place, lesson)
    return Part(title, paragraphs, svg, f"{lesson.title}. {said}", f"{url}?{link}" if url else "")
