"""The character page's parts: what is chosen, and what the newest snapshot of the model makes of a text."""

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
import streamlit as st

from gradlab.cells import CELLS
from gradlab.character_model import CharacterModel, activity, predictions, reach, sample, scores
from gradlab.charts.theme import power_of_ten
from gradlab.experiment import Experiment, bounds
from gradlab.inputs import default_text
from gradlab.tasks import HELLO, TASKS, characters
from gradlab.training import Recipe, Run
from gradlab.ui import controls
from gradlab.ui.job import Job
from gradlab.ui.training_room import BOUND, job_of
from gradlab.ui.widgets import MOST_TEXT

READS = ("hello", "text")
UPDATES = (100, 200, 300, 500, 1000, 2000, 5000, 10000)
LONGEST = 240  # characters that are read and shaded on the page
COLUMNS = 40  # characters a row
MOST_STEPS, MOST_SYMBOLS = 8, 6  # of the bars
SAMPLED = 200  # characters


class Choice(NamedTuple):
    """What is to be trained; it names a job."""

    reads: str
    text: str
    experiment: Experiment
    recipe: Recipe


def choose() -> Choice:
    """The page's own settings, the shared network, and of the shared text what is to be read."""
    left, middle, right = st.columns([3, 2, 2])
    options = {"required": True, "key": "reads_text", **BOUND}
    with left:
        reads = st.segmented_control("What it learns", READS, default="hello", **options) or "hello"
    with middle:
        updates = st.select_slider("Updates", UPDATES, 300, key="text_updates", **BOUND)
    one = controls.current().one
    with right:
        st.caption(
            f"{CELLS[one.cell].title}, {one.depth} × {one.hidden_size} units, {one.dtype}: the cell is chosen in the "
            "sidebar under Display, its size under Network."
        )
    sized = {"steps": 128, "batch_size": 32} if reads == "text" else {"steps": len(HELLO) - 1, "batch_size": 1}
    text = _text() if reads == "text" else HELLO
    recipe = Recipe(updates=updates, learning_rate=1e-2 if reads == "hello" else 3e-3)
    return Choice(reads, text, one.replace(**controls.plain_sequence() | sized), recipe)


def _text() -> str:
    """What is to be learned: typed, pasted or uploaded; else the shared text, else the default English one."""
    with st.expander("Text to learn"):
        limit = {"max_upload_size": MOST_TEXT}
        file = st.file_uploader("Upload a text (UTF-8)", ["txt", "md"], key="learned_file", **limit)
        most = int(bounds("text")[1])
        hint = "Empty: English prose from Python's own reference"
        typed = st.text_area("or type or paste it", max_chars=most, placeholder=hint, key="learned_text", **BOUND)
        if file is not None:
            try:
                return file.getvalue().decode("utf-8-sig")
            except UnicodeDecodeError:
                st.text(f"{file.name} is not UTF-8 text: save it as UTF-8 and upload it again.")
    return typed or controls.current().one.text or default_text()


def job(choice: Choice) -> Job:
    """The session's job; its snapshots are copies of the model."""

    def make() -> Job:
        task = TASKS["hello"] if choice.reads == "hello" else characters(choice.text)
        return Job([Run(choice.experiment, task, choice.recipe)], CharacterModel.of)

    return job_of("characters", choice, make)


def model(job: Job) -> CharacterModel:
    """The newest copy."""
    return job.snapshots[0]


def text_to_read(found: CharacterModel, choice: Choice) -> str:
    """The text that is shown, without what the model does not know."""
    if choice.reads == "hello":
        return HELLO
    standard = choice.text[:120]
    help_text = "Characters that the training text does not have are left out."
    typed = st.text_input("Text it reads here", standard, max_chars=LONGEST, help=help_text, key="shown_text", **BOUND)
    known = found.knows(typed or standard)
    return known if len(known) > 1 else standard


def bars(found: CharacterModel, text: str, first: int) -> pd.DataFrame:
    """The likeliest symbols after each of some characters, as bars in columns; all of them where there are few."""
    last = min(first + MOST_STEPS, len(text) - 1)
    table = predictions(found, text[: last + 1])
    table = table[(table["step"] >= first) & (table["step"] < last)]
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


def reach_rows(found: CharacterModel, text: str, at: int) -> pd.DataFrame:
    """The gradient of the prediction after step `at` at every character before it."""
    return in_rows(reach(found, text, at), "log10_gradient")


def unit_rows(found: CharacterModel, text: str, unit: int, layer: int, state: str) -> pd.DataFrame:
    """One unit's value over the text."""
    return in_rows(activity(found, text, unit, layer, state), "value")


def written(found: CharacterModel, choice: Choice, temperature: float, seed: int) -> str:
    """What the model writes."""
    if choice.reads == "hello":
        return sample(found, len(HELLO) - 1, temperature, seed, HELLO[0])
    return sample(found, SAMPLED, temperature, seed, choice.text[:1])


def in_numbers(found: CharacterModel, text: str) -> pd.DataFrame:
    """Every number of reading a short word: one-hot input, scores, softmax, and what the right letter costs."""
    table = predictions(found, text[:-1])
    given = scores(found, text[:-1])
    rows = []
    for step, (character, following) in enumerate(pairwise(text)):
        p = table[table["step"] == step].set_index("symbol")["probability"]
        hot = " ".join("1" if symbol == character else "0" for symbol in found.symbols)
        row = {"reads": character, f"x ({' '.join(found.symbols)})": hot, "must say": following}
        row |= {f"score {symbol}": round(float(o), 3) for symbol, o in zip(found.symbols, given[step], strict=True)}
        row |= {f"p({symbol})": round(float(p[symbol]), 4) for symbol in found.symbols}
        rows.append(row | {"−ln p(right)": round(-math.log(p[following]), 4)})
    return pd.DataFrame(rows)


def reach_sentence(table: pd.DataFrame) -> str:
    """How many decades lie between the nearest and the furthest character, and how many float32 would still show."""
    values = table["log10_gradient"].to_numpy()
    seen = int((values > math.log10(np.finfo(np.float32).tiny)).sum())
    furthest, nearest = power_of_ten(values[0]), power_of_ten(values[-1])
    return (
        f"The last character moves this prediction by {nearest}, the first, {len(table) - 1} characters earlier, by "
        f"{furthest}; {seen} of {len(table)} gradients are above float32's smallest normal number."
    )
