"""Sentences about every initialization of a cell: which keep the gradient, how wide over seeds, and beside a pin's."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from gradlab.analyses.survival import Survival
from gradlab.cells import CELLS
from gradlab.settings.initializations import DEFAULTS
from gradlab.words.how_to_read import Reading
from gradlab.words.numbers import counted, listed, number

HOW_TO_READ = Reading(
    r"\log_{10} \frac{\lVert \partial L / \partial s_t \rVert_2}{\lVert \bar y_{T-1} \rVert_2}"
    r"\qquad\text{over steps } t,\qquad s = (h, c, \dots)",
    "One panel per initialization, all on one scale, what leaves most first: the last loss's gradient in the whole "
    "state of the bottom layer, relative to the injected, from step 0 at the left to the last step at the right. Line: "
    "mean over the seeds; band: their range; dotted: 1, where nothing is lost. The number is what is left at step 0, "
    "the median over the seeds. A line that leaves its panel goes on below it, as far as the number says. Shaded: the "
    "default of a framework; thick frame: in use. Grey lines are the first pin's.",
)
SAYS = {  # of some initializations, by the verdict; and of one
    "steady": ("keep the gradient", "keeps the gradient"),
    "vanishing": ("lose it", "loses it"),
    "exploding": ("let it explode", "lets it explode"),
    "zero": ("leave exactly 0", "leaves exactly 0"),
    "undefined": ("have no clear rate", "has no clear rate"),
}
CLICK = (
    "Shaded: a framework's default; thick frame: in use. Click a panel to use that initialization on every page, or "
    "choose it above the picture."
)
OF_TRAINED = "Drawn anew by each initialization with the settings of the network that is open, not with its weights."
NAMED = 4  # initializations that a list names


def headline(found: Survival) -> str:
    """How many initializations keep the gradient, lose it or let it explode, and which of the few."""
    rows, count = found.summary, len(found.laws)
    parts = []
    for verdict, (several, one) in SAYS.items():
        names = list(rows.loc[rows["verdict"] == verdict, "title"])
        if not names and verdict not in ("steady", "exploding"):
            continue
        said = one if len(names) == 1 else several
        some = f" ({listed(names)})" if 0 < len(names) <= NAMED else ""
        parts.append(f"{len(names) or 'none'} {one if not names else said}{some}")
    first = f"**{parts[0].replace(' keep', f' of {count} initializations keep', 1)}**"
    first = first if not first.startswith("**none") else "**No initialization keeps the gradient**"
    way, seeds = counted(found.length, "step"), counted(len(found.seeds), "seed")
    return f"{CELLS[found.cell].title}, {way} back, {seeds} each: {', '.join([first, *parts[1:]])}."


def of_defaults(found: Survival, in_use: str) -> str:
    """What the frameworks' defaults leave, which initialization varies most over the seeds, and the one in use."""
    rows = found.summary.set_index("initialization")
    left = listed([f"{rows.at[name, 'title']} {_left(rows, name)}" for name in DEFAULTS])
    said = f"At step 0 is left: {left}."
    width = (rows["log10_left_max"] - rows["log10_left_min"]).replace([np.inf, -np.inf], np.nan)
    if len(found.seeds) > 1 and width.max() > 0:
        widest = str(width.idxmax())
        low, high = (number(float(rows[f"log10_left_{end}"][widest])) for end in ("min", "max"))
        said += f" Widest over the seeds: {rows['title'][widest]}, {low} to {high}."
    return f"{said} In use: {rows.at[in_use, 'title']}, number {rows.at[in_use, 'rank']} of {len(rows)}."


def paired(found: Survival, pinned: Survival, name: str) -> str:
    """How many pairs of initialization and seed leave more than in a pin, and where the difference is largest."""
    then = {law.initialization: law.log10_left for law in pinned.laws}
    changes = {law.initialization: law.log10_left - then[law.initialization] for law in found.laws}
    every = np.concatenate(list(changes.values()))
    there = every[np.isfinite(every)]
    seeds = counted(len(found.seeds), "seed")
    same = "the same" if found.seeds == pinned.seeds else "other"
    if not len(there) or not there.any():
        return f"Compared with **{name}** over {same} {seeds}: every initialization leaves the same."
    titles = found.summary.set_index("initialization")["title"]
    largest = max(changes, key=lambda law: _median(np.abs(changes[law])))
    change = _median(changes[largest])
    more = f"{number(abs(change))} times {'more' if change > 0 else 'less'}"
    return (
        f"Compared with **{name}** over {same} {seeds}: more is left in {(there > 0).sum()} of {len(there)} pairs of "
        f"initialization and seed. The largest change: {titles[largest]}, {more}."
    )


def _left(rows: pd.DataFrame, name: str) -> str:
    return f"**{number(float(rows['log10_left'][name]))}**"


def _median(values: Sequence[float] | np.ndarray) -> float:
    finite = np.asarray(values)[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else -math.inf
