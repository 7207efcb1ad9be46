"""Sentences about logs of `gradlab.watch`: what the latest record says, and what a file lacks."""

from __future__ import annotations

import time
from typing import Any

import pandas as pd

from gradlab.words.languages import N_, _
from gradlab.words.letters import printable
from gradlab.words.numbers import counted

NO_FOLDER = N_(
    "Logs are uploaded here. On your own machine `GRADLAB_LOGS=runs streamlit run app.py` follows those of the folder "
    "`runs` while they are written."
)
NO_NETWORK = N_(
    "No network lies beside this log: its sequences begin and end between others, its layers are not alike, or it was "
    "uploaded alone. Upload the `.safetensors` beside it to see what would help."
)
WAITING = N_("No record yet: the first one comes with the first update.")
QUIET = 120  # seconds without a record after which a training is not said to be under way


def run_names(diagnoses: pd.DataFrame, name: str) -> pd.Series:
    """What each row of a log's diagnoses is called: the file, and training and part where there are several."""
    parts = pd.Series(printable(name).removesuffix(".jsonl"), index=diagnoses.index)
    if diagnoses["training"].nunique() > 1:
        parts = parts + " " + (diagnoses["training"] + 1).astype(str)
    if diagnoses["part"].nunique() > 1:
        parts = parts + " " + diagnoses["part"].map(printable)
    return parts


def latest(name: str, diagnoses: pd.DataFrame) -> str:
    """The latest record of the worst part."""
    last = diagnoses[diagnoses["update"] == diagnoses["update"].max()].iloc[-1]
    records = counted(len(diagnoses), "record")
    text = _("**{log}, update {update}** ({records}). {sentence}")
    said = printable(str(last["sentence"]))
    return text.format(log=printable(name), update=int(last["update"]), records=records, sentence=said)


def taken(update: int, part: str, newest: int) -> str:
    """Of which update the network below is."""
    text = (
        _("Below: {part} as it was at update {update}.")
        if update >= newest
        else _("Below: {part} as it was at update {update}. The training is at update {newest}.")
    )
    return text.format(part=printable(part), update=update, newest=newest)


def is_under_way(training: dict[str, Any], diagnoses: pd.DataFrame) -> bool:
    """Whether a training wrote lately."""
    started = float(training.get("started", 0.0))
    seconds = float(diagnoses["seconds"].iloc[-1]) if len(diagnoses) else 0.0
    return time.time() - (started + seconds) < QUIET
