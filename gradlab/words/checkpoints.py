"""Sentences about a file of weights that a visitor brings: what is in it, what is asked, how its data are read."""

from __future__ import annotations

import pandas as pd

from gradlab.cells import KNOWN
from gradlab.words.languages import N_, _
from gradlab.words.letters import printable
from gradlab.words.numbers import counted

HOW = N_(
    "Weights of PyTorch (`.pt`, `.pth`, `.bin`, `.safetensors`), NumPy (`.npz`), ONNX or Keras (`.keras`, `.h5`). They "
    "stay in this tab: nothing in a file is executed, and nothing is kept on a disk."
)
NO_DATA = N_("It reads noise: upload data of yours to see it on what it was made for.")
LOSS = N_("No file of weights holds its loss: a random direction of norm 1 is injected at the last step.")
COLUMNS = {
    "name": N_("Part"), "cell": N_("Cell"), "layers": N_("Layers"), "input_size": N_("Inputs"),
    "hidden_sizes": N_("Units"), "directions": N_("Directions"), "gate_order": N_("Gates in the file"),
    "bias": N_("Biases"), "dtype": N_("Precision"), "ignored": N_("Left out"),
}  # fmt: skip
SCALINGS = {"none": N_("as they are"), "standard": N_("mean 0, deviation 1"), "unit": N_("from 0 to 1")}
DATA_COLUMNS = {
    "input": N_("Input"), "lowest": N_("Lowest"), "highest": N_("Highest"), "mean": N_("Mean"),
    "deviation": N_("Deviation"), "scaled_lowest": N_("Lowest, scaled"), "scaled_highest": N_("Highest, scaled"),
}  # fmt: skip


def found(file_name: str, file_format: str, parts: int) -> str:
    """What a file is."""
    text = _("**{file}** ({format}) holds {parts}.")
    return text.format(file=printable(file_name), format=file_format, parts=counted(parts, "recurrent part"))


def table(listed: pd.DataFrame) -> pd.DataFrame:
    """What was found, as people read it; rows of what was left out show no numbers."""
    shown = listed.assign(
        name=[printable(name) or _("(no name)") for name in listed["name"]],
        cell=[KNOWN[cell].title if cell else "" for cell in listed["cell"]],
        layers=[str(count) if count else "" for count in listed["layers"]],
        input_size=[str(count) if count else "" for count in listed["input_size"]],
        ignored=listed["ignored"].map(printable),
    )
    return shown.rename(columns={column: _(name) for column, name in COLUMNS.items()})


def question(part: str) -> str:
    """What is asked of a part that can be read in several ways."""
    return _("Which cell is {part}?").format(part=printable(part)) if printable(part) else _("Which cell is it?")


def answer(cell: str) -> str:
    return KNOWN[cell].title


def scaling(name: str) -> str:
    return _(SCALINGS[name])


def part(name: str) -> str:
    return printable(name) or _("(no name)")


def data_table(values: pd.DataFrame) -> pd.DataFrame:
    """The range of every input, before and after scaling."""
    texts = {name: [f"{value:.4g}".replace("-", "−") for value in values[name]] for name in values.columns[1:]}
    return values.assign(**texts).rename(columns={column: _(name) for column, name in DATA_COLUMNS.items()})
