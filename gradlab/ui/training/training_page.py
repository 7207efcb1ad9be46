"""The training page's parts: what is chosen, and the figures that are drawn again while the job runs."""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import pandas as pd
import streamlit as st

from gradlab.cells import CELLS
from gradlab.charts import training
from gradlab.settings.experiment import Experiment
from gradlab.settings.tasks import TASKS
from gradlab.training import Recipe, Run
from gradlab.training.replay import History, Reach, Traces
from gradlab.training.tables import Curve, traced_updates
from gradlab.ui.frame import linked, settings
from gradlab.ui.parts import following
from gradlab.ui.parts.figure import figure
from gradlab.ui.parts.section import choices
from gradlab.ui.parts.view import Figure, View
from gradlab.ui.training import job_controls, live, pinned_runs
from gradlab.ui.training.cards import cards
from gradlab.ui.training.job import Job
from gradlab.ui.training.pinned_runs import OfPin
from gradlab.ui.work import kept_or_made
from gradlab.words import training as words
from gradlab.words.how_to_read import Words
from gradlab.words.languages import N_, _, current
from gradlab.words.numbers import counted

LENGTHS = (10, 20, 25, 30, 40, 50, 75, 100, 150, 200, 300, 500)
BATCHES = (1, 4, 8, 16, 32, 64, 128)
UPDATES = (20, 100, 200, 500, 1000, 2000, 3000, 5000, 10000)
_COPYING = {"initialization": "orthogonal", "hidden_size": 128, "keep_bias": 3.0, "dtype": "float32"}
WHERE_CELLS_DIFFER: dict[str, dict[str, Any]] = {  # some of RNN, LSTM and GRU learn it and others do not, in a minute
    "adding": {"task_steps": 50, "updates": 1000, "learning_rate": 3e-3},
    "delayed_recall": {"task_steps": 30, "updates": 1000, "learning_rate": 1e-2, "keep_bias": 3.0},
    "copy_memory": {"task_steps": 25, "updates": 2000, "learning_rate": 1e-2, **_COPYING},
    "temporal_order": {"task_steps": 30, "updates": 500, "learning_rate": 3e-3},
}


class Choice(NamedTuple):
    """What is to be trained; it names a job."""

    task: str
    experiments: tuple[Experiment, ...]
    recipe: Recipe


def choose() -> Choice:
    """The page's own settings, and the networks of the shared ones."""
    with choices("training"):
        columns = st.columns([3, 2, 2, 2, 2], vertical_alignment="bottom")
        with columns[0]:
            task = _task()
        with columns[1]:
            steps = _stops(_("Length (steps)"), LENGTHS, 50, "task_steps")
        with columns[2]:
            batch_size = _stops(_("Batch (sequences)"), BATCHES, 64, "task_batch")
        with columns[3]:
            updates = _stops(_("Updates"), UPDATES, 1000, "updates")
        with columns[4]:
            recipe = job_controls.recipe(updates, "learning_rate", 3e-3)
    differ = WHERE_CELLS_DIFFER.get(task, {})
    if any(st.session_state[name] != value for name, value in differ.items()):
        label = _("Use settings where the cells differ")
        st.button(label, key="differ", on_click=st.session_state.update, kwargs=differ)
    networks = [subject.settings for subject in settings.current().subjects]
    experiments = tuple(job_controls.sized(network, steps=steps, batch_size=batch_size) for network in networks)
    return Choice(task, experiments, recipe)


def _task() -> str:
    """The name of the task chosen by its title."""
    titles = {name: TASKS[name].title for name in TASKS if TASKS[name].text is None}
    help_text = "\n".join(f"- **{title}**: {TASKS[name].meaning}" for name, title in titles.items())
    return linked.selectbox(_("Task"), list(titles), key="task", help=help_text, format_func=titles.__getitem__)


def _stops(label: str, stops: tuple[int, ...], standard: int, key: str) -> int:
    return linked.select_slider(label, stops, standard, key=key)


def training_job(choice: Choice) -> Job:
    """The session's job: all networks on the same batches. What was measured of the one before stays for pins."""
    before = job_controls.present("training")
    job = job_controls.job_of("training", choice, lambda: job_controls.job(_runs(choice)))
    for known in (before, job):
        if known is not None:
            pinned_runs.remember(known)
    return job


def _runs(choice: Choice) -> list[Run]:
    return [Run(experiment, choice.task, choice.recipe) for experiment in choice.experiments]


def of_pins(choice: Choice) -> list[OfPin]:
    """The pins, each with what was measured of its networks where this visit has trained them as the page would."""
    sizes = choice.experiments[0]
    every = settings.current().pins
    sized = partial(job_controls.sized, steps=sizes.steps, batch_size=sizes.batch_size)
    chosen = [choice._replace(experiments=tuple(map(sized, pin.subjects))) for pin in every]
    return pinned_runs.of_pins([(pin, _runs(of_pin)) for pin, of_pin in zip(every, chosen, strict=True)])


def opened_job(run: Run) -> Job:
    """A kept run, to be continued."""
    return job_controls.job([run])


def curves(job: Job, pins: Sequence[OfPin] = ()) -> None:
    """What came out so far, a card per network, the loss and the gradient's norm; beside them those of pins."""
    first, tables = job.runs[0], job.histories()
    sentence = words.result(job.runs, tables, job.done)
    st.markdown(sentence)
    for found in pins:
        updates, measured = found.trained or (0, ())
        st.markdown(words.compared(found.pin, measured, updates, settings.current().subjects))
    cards(job)
    job_controls.trouble(job)
    left, right = st.columns(2)
    with left:
        st.markdown(_("**Loss**"))
        curve(job, "loss", words.loss_levels(first.task, first.experiment.steps), "loss", sentence, pins)
    with right:
        st.markdown(_("**Gradient norm**"))
        clipped = words.clipped(job.runs, tables)
        curve(job, "gradient_norm", words.clip_levels(first.recipe), N_("gradient norm"), clipped, pins)
        st.caption(clipped)


def curve(job: Job, column: str, rules: pd.DataFrame, quantity: str, sentence: str, pins: Sequence[OfPin] = ()) -> None:
    """A quantity by update: a chart that follows the job while it runs, afterwards a figure of every row."""
    if job.running:
        live.draw(job, column, rules, quantity, pinned_runs.curves(pins, column))
        return
    draw = partial(training.curve, rules=rules, updates=job.updates, quantity=quantity)
    said = Words(quantity, f"{_(quantity).capitalize()}: {words.description(job.runs[0])}", sentence)
    figure(draw, History(job.measured()), said, Curve(column), beside=pinned_runs.beside_curves(pins, column))


def maps(job: Job, layer: int, state: str) -> None:
    """How far back the gradient of every run reaches, by update."""
    questions = _reach(job, layer, state)
    domain = training.reach_domain([question.rows() for question in questions])
    for column, run, question in zip(st.columns(len(questions)), job.runs, questions, strict=True):
        with column:
            title = run.experiment.title
            st.markdown(words.reach(run.experiment))
            draw = partial(training.reach, domain=domain, state=question.state)
            heading = _("Gradient by update and lag, {cell}: {what}").format(cell=title, what=words.description(run))
            said = Words(f"{title} reach", heading, words.reached(question.rows(), question.state), "reach")
            figure(draw, question, said, export=not job.running)


def before_and_after(job: Job, layer: int, state: str) -> None:
    """The gradient at the first update and at one that the visitor chooses, on the scale of the maps."""
    measured = job.measured()
    domain = training.reach_domain([question.rows() for question in _reach(job, layer, state)])
    updates = traced_updates(run.records for run in measured)
    chosen, key = updates[-1], f"shown_of_{len(updates)}"
    if len(updates) > 1:
        chosen = st.select_slider(_("Update shown on the right"), updates, chosen, key=key)

    def at(update: int, word: str) -> View:
        heading = _("{word}: gradient norms at update {update}, {what}")
        heading = heading.format(word=_(word), update=update, what=words.description(job.runs[0]))
        question = Traces(measured, update)
        said = Words(f"traces {word.lower()}", heading, _arriving(question, state), "before and after")
        draw = partial(training.flow, domain=domain, state=state)
        return View([Figure(draw, question, said)], [f"**{_(word)}: {counted(update, 'update')}**"])

    left, right = st.columns(2)
    with left:
        _drawn(at(updates[0], N_("Before")), job)
    with right:
        if job.running:
            _drawn(at(chosen, N_("After")), job)
        else:
            shown = following.along("training", key, {update: at(update, N_("After")) for update in updates}, chosen)
            shown.sentence()
            shown.figure()


def _arriving(question: Traces, state: str) -> str:
    """What arrives at one update; kept, for all updates of a finished training are said at once."""
    if question.key is None:
        return words.arriving(question.rows(), state)
    return kept_or_made(
        ("arriving", question.key, state, current()), lambda progress: words.arriving(question.rows(progress), state)
    )


def _drawn(view: View, job: Job) -> None:
    """A view of one figure and its heading that follows no slider."""
    (drawn,), (heading,) = view[:2]
    st.markdown(heading)
    figure(drawn.draw, drawn.question, drawn.words, export=not job.running)


def _reach(job: Job, layer: int, state: str) -> list[Reach]:
    """One question per run; of cells that do not have the state, about their h."""
    return [
        Reach.of(run, layer, state if state in CELLS[run.experiment.cell].states else "h") for run in job.measured()
    ]
