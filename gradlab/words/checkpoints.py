"""Sentences about a file of weights that a visitor brings: what is in it, what is asked, how its data are read."""

from __future__ import annotations

import pandas as pd

from gradlab.cells import KNOWN
from gradlab.words.letters import printable
from gradlab.words.numbers import counted

HOW = (
    "Weights of PyTorch (`.pt`, `.pth`, `.bin`, `.safetensors`), NumPy (`.npz`), ONNX or Keras (`.keras`, `.h5`). They "
    "stay in this tab: nothing in a file is executed, and nothing is kept on a disk."
)
NO_DATA = "It reads noise: upload data of yours to see it on what it was made for."
LOSS = "No file of weights holds its loss: a random direction of norm 1 is injected at the last step."
COLUMNS = {
    "name": "Part", "cell": "Cell", "layers": "Layers", "input_size": "Inputs", "hidden_sizes": "Units",
    "directions": "Directions", "gate_order": "Gates in the file", "bias": "Biases", "dtype": "Precision",
    "ignored": "Left out",
}  # fmt: skip
SCALINGS = {"none": "as they are", "standard": "mean 0, deviation 1", "unit": "from 0 to 1"}
DATA_COLUMNS = {
    "input": "Input", "lowest": "Lowest", "highest": "Highest", "mean": "Mean", "deviation": "Deviation",
    "scaled_lowest": "Lowest, scaled", "scaled_highest": "Highest, scaled",
}  # fmt: skip


def found(file_name: str, file_format: str, parts: int) -> str:
    """What a file is."""
    return f"**{printable(file_name)}** ({file_format}) holds {counted(parts, 'recurrent part')}."


def table(listed: pd.DataFrame) -> pd.DataFrame:
    """What was found, as people read it; rows of what was left out show no numbers."""
    shown = listed.assign(
        name=[printable(name) or "(no name)" for name in listed["name"]],
        cell=[KNOWN[cell].title if cell else "" for cell in listed["cell"]],
        layers=[str(count) if count else "" for count in listed["layers"]],
        input_size=[str(count) if count else "" for count in listed["input_size"]],
        ignored=listed["ignored"].map(printable),
    )
    return shown.rename(columns=COLUMNS)


def question(part: str) -> str:
    """What is asked of a part that can be read in several ways."""
    return f"Which cell is {printable(part) or 'it'}?"


def answer(cell: str) -> str:
    return KNOWN[cell].title


def part(name: str) -> str:
    return printable(name) or "(no name)"


def data_table(values: pd.DataFrame) -> pd.DataFrame:
    """The range of every input, before and after scaling."""
    texts = {name: [f"{value:.4g}".replace("-", "−") for value in values[name]] for name in values.columns[1:]}
    return values.assign(**texts).rename(columns=DATA_COLUMNS)
