"""The character page's parts: what is chosen, and what the newest snapshot of the model makes of a text."""

from functools import partial
from typing import Any, NamedTuple

import streamlit as st

from gradlab.analyses.characters import activity, in_numbers, predictions, reach, sample
from gradlab.cells import CELLS
from gradlab.charts import characters as charts
from gradlab.settings.catalogue import bounds
from gradlab.settings.experiment import Experiment
from gradlab.settings.inputs import default_text
from gradlab.settings.tasks import HELLO, TASKS, characters
from gradlab.training import Recipe, Run
from gradlab.training.replay import Reading, Snapshot
from gradlab.ui.ask import ask
from gradlab.ui.frame import language, linked, settings, shelf
from gradlab.ui.frame.widgets import MOST_TEXT, text_of
from gradlab.ui.kept import bytes_of
from gradlab.ui.parts.figure import figure
from gradlab.ui.parts.section import choices
from gradlab.ui.training import job_controls, training_page
from gradlab.ui.training.job import Job
from gradlab.words import characters as words
from gradlab.words.how_to_read import Words
from gradlab.words.languages import N_, _
from gradlab.words.letters import printable
from gradlab.words.training import description, loss_levels, result

READS = ("hello", "text")
UPDATES = (100, 200, 300, 500, 1000, 2000, 5000, 10000)
LONGEST = 240  # characters that are read and shaded on the page
STANDARD = 120  # of them, where the visitor names none
SAMPLED = 200  # characters
UPLOADED = "uploaded text"  # in the session
SHADINGS = ("absolute", "relative to the row")


class Choice(NamedTuple):
    """What is to be trained; it names a job."""

    text: str
    experiment: Experiment
    recipe: Recipe


def choose() -> Choice:
    """The page's own settings, the shared network, and of the shared text what is to be read."""
    with choices("character_model"):
        left, middle, right = st.columns([3, 3, 2], vertical_alignment="bottom")
    with left:
        reads = linked.segmented_control(
            _("What it learns"), READS, default=HELLO, required=True, key="reads_text",
        )  # fmt: skip
    with middle:
        updates = linked.select_slider(_("Updates"), UPDATES, 300, key="text_updates")
    network = settings.current().one.settings
    if reads == "text":
        with right:
            recipe = job_controls.recipe(updates, "text_rate", 3e-3)
        return Choice(_text_to_learn(network.text), job_controls.sized(network, steps=128, batch_size=32), recipe)
    with right:
        recipe = job_controls.recipe(updates, "hello_rate", 1e-2)
    return Choice(HELLO, job_controls.sized(network, steps=len(HELLO) - 1, batch_size=1), recipe)


def _text_to_learn(shared: str | None) -> str:
    """What is to be learned: typed, pasted or uploaded; else the shared text, else the default English one."""
    with st.expander(_("Text to learn")):
        st.file_uploader(
            _("Upload a text (UTF-8)"), ["txt", "md"], key="learned_file", max_upload_size=MOST_TEXT,
            on_change=_take_upload,
        )  # fmt: skip
        typed = linked.text_area(
            _("or type or paste it"), max_chars=int(bounds("text")[1]), key="learned_text",
            placeholder=_("Empty: English prose from Python's own reference"),
        )  # fmt: skip
        if (kept := st.session_state.get(UPLOADED)) is not None:
            for_how_long = st.session_state.get("kept text", shelf.SAID)
            text = _("An uploaded text of {count} characters is learned. {how_long}")
            st.caption(text.format(count=f"{len(kept):,}", how_long=_(for_how_long)))
            label = _("Forget the uploaded text")
            st.button(label, key="forget_upload", on_click=shelf.forget, args=(UPLOADED,))
            return kept
    return typed or shared or default_text()


@language.spoken
def _take_upload() -> None:
    """The uploaded text becomes the session's; taken out of the uploader, it is no more."""
    if (file := st.session_state["learned_file"]) is None:
        shelf.forget(UPLOADED)
    elif (text := text_of(file)) is not None:
        fits = shelf.keep(UPLOADED, text, bytes_of(text))
        st.session_state["kept text"] = shelf.SAID if fits else shelf.TOO_LARGE


def character_job(choice: Choice) -> Job:
    """The session's job; its snapshots are copies of the model."""

    def make() -> Job:
        task = TASKS[HELLO] if choice.text == HELLO else characters(choice.text)
        return opened_job(Run(choice.experiment, task, choice.recipe))

    return job_controls.job_of("characters", choice, make)


def opened_job(run: Run) -> Job:
    """A run of a character model, to begin or to continue. Raises ValueError for one of another task."""
    return job_controls.job([run], Snapshot.of)


def snapshot(job: Job) -> Snapshot:
    """The newest copy of the model."""
    return job.snapshots[0]


def learned(job: Job) -> str:
    """The text that the job's model learns."""
    return job.runs[0].task.text or HELLO


def text_to_read(job: Job) -> str:
    """The text that is shown, without what the model does not know."""
    text = learned(job)
    if text == HELLO:
        return HELLO
    standard = text[:STANDARD]
    typed = linked.text_input(
        _("Text it reads here"), placeholder=standard, max_chars=LONGEST, key="shown_text",
        help=_("Characters that the training text does not have are left out."),
    )  # fmt: skip
    known = snapshot(job).model.knows(typed or standard)
    return known if len(known) > 1 else standard


def learning(job: Job, text: str) -> None:
    """The loss, what the model writes, and what it expects after some characters of the text."""
    job_controls.trouble(job)
    left, right = st.columns(2)
    with left:
        _loss(job)
    with right:
        st.markdown(_("**It writes**"))
        temperature = linked.slider(_("Temperature"), 0.0, 2.0, 0.8, 0.1, key="temperature")
        st.code(printable(_written(job, temperature)), None, wrap_lines=True)
        st.markdown(_("**It expects** :small[(green: the character that follows)]"))
        most = max(len(text) - 1 - charts.MOST_STEPS, 0)
        first = _place(_("From character"), most, 0, "first_shown") if most else 0
        draw = partial(charts.expectations, first=first)
        question = _reading(job, predictions, text)
        _figure(job, draw, question, N_("expectations"), words.expectations(ask(question)))


def _loss(job: Job) -> None:
    run, last = job.runs[0], job.records[0][-1]
    loss, bits = st.columns(2)
    loss.metric(_("Loss (nats per character)"), f"{last.loss:.4f}", border=True)
    bits.metric(_("Bits per character"), f"{last.metric:.4f}", border=True)
    sentence = result(job.runs, job.histories(), job.done)
    training_page.curve(job, "loss", loss_levels(run.task, run.experiment.steps), "loss", sentence)


def _written(job: Job, temperature: float) -> str:
    """What the model writes, another text at every update."""
    text = learned(job)
    length = len(HELLO) - 1 if text == HELLO else SAMPLED
    return sample(snapshot(job).model, length, temperature, job.done, text[:1])


def looking_back(job: Job, text: str) -> None:
    """How much one prediction depends on each character before it."""
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    last = len(text) - 2
    with left:
        at = _place(_("The prediction after character"), last, last, "prediction_at") if last > 1 else last
    with right:
        domain = _shading()
    question = _reading(job, reach, text, at)
    sentence = words.reach(ask(question))
    st.markdown(sentence)
    draw = partial(
        charts.shaded, value="log10_gradient", quantity=N_("norm of ∂ℓ/∂x"), log10=True, domain=domain, marked=at
    )
    _figure(job, draw, question, N_("characters' gradients"), sentence)


def _place(label: str, most: int, standard: int, key: str) -> int:
    """A character of the text, counted from 0."""
    return linked.slider(label, 0, most, standard, key=key)


def _shading() -> tuple[float, float] | None:
    """The decades from dark to bright: fixed ones, or None for those of the text itself."""
    chosen = linked.segmented_control(
        _("Shade"), SHADINGS, default=SHADINGS[0], required=True, key="shading",
        help=_(
            "Absolute: the same colour is the same gradient on every text and at every update. Relative: from the "
            "smallest to the largest value shown."
        ),
    )  # fmt: skip
    return None if chosen == SHADINGS[1] else charts.ABSOLUTE


def one_unit(job: Job, text: str) -> None:
    """The value of one unit after every character."""
    experiment = job.runs[0].experiment
    first, second, third = st.columns(3)
    with first:
        unit = _index(_("Unit"), experiment.hidden_size - 1, "watched_unit")
    with second:
        layer = _index(_("Layer"), experiment.depth - 1, "watched_layer")
    with third:
        state = linked.segmented_control(
            _("Of state"), CELLS[experiment.cell].states, default="h", required=True, key="watched_state",
        )  # fmt: skip
    state = state or "h"
    draw = partial(charts.shaded, value="value", quantity=f"{state}[{unit}]", log10=False)
    question = _reading(job, activity, text, unit, layer, state)
    _figure(job, draw, question, N_("unit"), words.unit(unit, layer, ask(question)))


def _index(label: str, most: int, key: str) -> int:
    return linked.number_input(label, 0, most, 0, key=key)


def _reading(job: Job, function: Any, *arguments: Any) -> Reading:
    return Reading(function, snapshot(job), arguments, job.running)


def _figure(job: Job, draw: Any, question: Reading, name: str, sentence: str) -> None:
    heading = f"{_(name).capitalize()}: {description(job.runs[0])}"
    figure(draw, question, Words(name, heading, sentence), export=not job.running)


def numbers(job: Job) -> None:
    """Every number of reading the word; tiny ones as powers of ten; h as bars that open into its values."""
    table = in_numbers(snapshot(job).model, HELLO)
    small = [name for name in table.columns if name.startswith(("p(", "−ln"))]
    formats: dict[str, Any] = dict.fromkeys(small, lambda value: f"{value:.4f}" if value >= 1e-3 else f"{value:.0e}")
    formats |= dict.fromkeys([name for name in table.columns if name.startswith("score")], "{:.3f}")
    h = st.column_config.BarChartColumn(_("h, every unit"), y_min=-1, y_max=1, color="auto")
    st.dataframe(table.style.format(formats), hide_index=True, column_config={"h": h})
