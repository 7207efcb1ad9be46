"""The character page's parts: what is chosen, and what the newest snapshot of the model makes of a text."""

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
import streamlit as st

from gradlab.analyses.characters import CharacterModel, hidden_states, predictions, sample, scores
from gradlab.settings.catalogue import bounds
from gradlab.settings.experiment import Experiment
from gradlab.settings.inputs import default_text
from gradlab.settings.tasks import HELLO, TASKS, characters
from gradlab.training import Recipe, Run
from gradlab.ui.frame import settings as controls
from gradlab.ui.frame.widgets import MOST_TEXT, URL_OPTIONS
from gradlab.ui.training import job_controls
from gradlab.ui.training.job import Job
from gradlab.words.numbers import power_of_ten

READS = ("hello", "text")
UPDATES = (100, 200, 300, 500, 1000, 2000, 5000, 10000)
LONGEST = 240  # characters that are read and shaded on the page
COLUMNS = 40  # characters a row
MOST_STEPS, MOST_SYMBOLS = 6, 6  # of the bars
SAMPLED = 200  # characters
ABSOLUTE = (-12.0, 1.0)  # decades from dark to bright, the same for every text, model and prediction


class Choice(NamedTuple):
    """What is to be trained; it names a job."""

    text: str
    experiment: Experiment
    recipe: Recipe


def choose() -> Choice:
    """The page's own settings, the shared network, and of the shared text what is to be read."""
    left, middle, right = st.columns([3, 3, 2], vertical_alignment="bottom")
    options = {"required": True, "key": "reads_text", **URL_OPTIONS}
    with left:
        reads = st.segmented_control("What it learns", READS, default="hello", **options) or "hello"
    with middle:
        updates = st.select_slider("Updates", UPDATES, 300, key="text_updates", **URL_OPTIONS)
    with right:
        recipe = job_controls.recipe(updates, *(("hello_rate", 1e-2) if reads == "hello" else ("text_rate", 3e-3)))
    sizes = {"steps": len(HELLO) - 1, "batch_size": 1} if reads == "hello" else {"steps": 128, "batch_size": 32}
    text = HELLO if reads == "hello" else _text()
    return Choice(text, job_controls.sized(controls.current().one, **sizes), recipe)


def _text() -> str:
    """What is to be learned: typed, pasted or uploaded; else the shared text, else the default English one."""
    with st.expander("Text to learn"):
        limit = {"max_upload_size": MOST_TEXT}
        file = st.file_uploader("Upload a text (UTF-8)", ["txt", "md"], key="learned_file", **limit)
        most = int(bounds("text")[1])
        hint = "Empty: English prose from Python's own reference"
        typed = st.text_area("or type or paste it", max_chars=most, placeholder=hint, key="learned_text", **URL_OPTIONS)
        if file is not None:
            try:
                return file.getvalue().decode("utf-8-sig")
            except UnicodeDecodeError:
                st.text(f"{file.name} is not UTF-8 text: save it as UTF-8 and upload it again.")
    return typed or controls.current().one.text or default_text()


def job(choice: Choice) -> Job:
    """The session's job; its snapshots are copies of the model."""

    def make() -> Job:
        task = TASKS["hello"] if choice.text == HELLO else characters(choice.text)
        return opened_job(Run(choice.experiment, task, choice.recipe))

    return job_controls.job_of("characters", choice, make)


def opened_job(run: Run) -> Job:
    """A run of a character model, to begin or to go on. Raises ValueError for one of another task."""
    return Job([run], CharacterModel.of)


def model(job: Job) -> CharacterModel:
    """The newest copy."""
    return job.snapshots[0]


def learned(job: Job) -> str:
    """The text that the job's model learns."""
    return job.runs[0].task.text


def text_to_read(job: Job) -> str:
    """The text that is shown, without what the model does not know."""
    text = learned(job)
    if text == HELLO:
        return HELLO
    standard = text[:120]
    help_text = "Characters that the training text does not have are left out."
    options = {"max_chars": LONGEST, "help": help_text, "key": "shown_text", **URL_OPTIONS}
    typed = st.text_input("Text it reads here", placeholder=standard, **options)
    known = model(job).knows(typed or standard)
    return known if len(known) > 1 else standard


def bars(table: pd.DataFrame, found: CharacterModel, first: int) -> pd.DataFrame:
    """The likeliest symbols after some characters, as bars in columns; all of them where there are few."""
    table = table[(table["step"] >= first) & (table["step"] < first + MOST_STEPS) & (table["following"] != "")]
    few = len(found.symbols) <= MOST_SYMBOLS
    table = table if few else table[table["rank"] < MOST_SYMBOLS]
    row = table["symbol"].map({symbol: row for row, symbol in enumerate(found.symbols)}) if few else table["rank"]
    step = table["step"] - first
    left = step + 0.16
    shown = table["symbol"].map(visible)
    return table.assign(
        step=step, place="after " + table["character"].map(visible), row=row, left=left, symbol=shown,
        right=left + 0.46 * table["probability"], share=table["probability"].map(lambda p: f"{p:.0%}"),
        expected=table["symbol"] == table["following"],
    )  # fmt: skip


def visible(character: str) -> str:
    """A character that can be seen: the space as an open box."""
    return {" ": "␣", "\n": "⏎", "\t": "⇥"}.get(character, character)


def in_rows(table: pd.DataFrame, value: str) -> pd.DataFrame:
    """The characters in rows, as a text is read, each with the value that colours it."""
    shown = table["character"].map(visible)
    return table.assign(
        value=table[value], column=table["step"] % COLUMNS, row=table["step"] // COLUMNS, character=shown
    )


def shading() -> tuple[float, float] | None:
    """The decades from dark to bright: fixed ones, or None for those of the text itself."""
    kinds = ("absolute", "relative to the row")
    options = {"default": kinds[0], "required": True, "key": "shading", **URL_OPTIONS}
    help_text = "Absolute: the same colour is the same gradient on every text and at every update. Relative: from the "
    help_text += "smallest to the largest that is shown now."
    chosen = st.segmented_control("Shade", kinds, help=help_text, **options)
    return None if chosen == kinds[1] else ABSOLUTE


def written(job: Job, temperature: float) -> str:
    """What the model writes, another text at every update."""
    text = learned(job)
    length = len(HELLO) - 1 if text == HELLO else SAMPLED
    return sample(model(job), length, temperature, job.done, text[:1])


def in_numbers(found: CharacterModel, text: str) -> pd.DataFrame:
    """Every number of reading a short word: one-hot input, h, scores, softmax, and what the right letter costs."""
    table = predictions(found, text[:-1])
    given, h = scores(found, text[:-1]), hidden_states(found, text[:-1])
    rows = []
    for step, (character, following) in enumerate(pairwise(text)):
        p = table[table["step"] == step].set_index("symbol")["probability"]
        hot = " ".join("1" if symbol == character else "0" for symbol in found.symbols)
        row = {"reads": character, f"x ({' '.join(found.symbols)})": hot, "h": h[step].tolist(), "must say": following}
        row |= {f"score {symbol}": float(o) for symbol, o in zip(found.symbols, given[step], strict=True)}
        row |= {f"p({symbol})": float(p[symbol]) for symbol in found.symbols}
        rows.append(row | {"−ln p(right)": -math.log(p[following])})
    return pd.DataFrame(rows)


def show_numbers(table: pd.DataFrame) -> None:
    """Probabilities and costs with four decimals, tiny ones as powers of ten; h as bars that open into its values."""
    small = [name for name in table.columns if name.startswith(("p(", "−ln"))]
    formats = dict.fromkeys(small, lambda value: f"{value:.4f}" if value >= 1e-3 else f"{value:.0e}")
    formats |= dict.fromkeys([name for name in table.columns if name.startswith("score")], "{:.3f}")
    h = st.column_config.BarChartColumn("h, every unit", y_min=-1, y_max=1, color="auto")
    st.dataframe(table.style.format(formats), hide_index=True, column_config={"h": h})


def reach_sentence(table: pd.DataFrame) -> str:
    """What the nearest and the furthest character do to a prediction, and how many of all float32 could hold."""
    values = table["log10_gradient"].to_numpy()
    seen = int((values > math.log10(np.finfo(np.float32).tiny)).sum())
    furthest, nearest = power_of_ten(values[0]), power_of_ten(values[-1])
    return (
        f"The gradient of this prediction at the last character is {nearest}, at the first, {len(table) - 1} "
        f"characters earlier, {furthest}; {seen} of {len(table)} gradients are above float32's smallest normal number."
    ).replace("e-", "e−")
