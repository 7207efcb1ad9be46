"""Sentences about every initialization of a cell: which keep the gradient, how wide over seeds, and beside a pin's."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from gradlab.analyses.survival import Survival
from gradlab.cells import CELLS
from gradlab.settings.initializations import DEFAULTS
from gradlab.words.how_to_read import Reading
from gradlab.words.languages import N_, _
from gradlab.words.numbers import counted, listed, number

HOW_TO_READ = Reading(
    r"\log_{10} \frac{\lVert \partial L / \partial s_t \rVert_2}{\lVert \bar y_{T-1} \rVert_2}"
    r"\qquad\text{over steps } t,\qquad s = (h, c, \dots)",
    N_(
        "One panel per initialization, all on one scale, what leaves most first: the last loss's gradient in the whole "
        "state of the bottom layer, relative to the injected, from step 0 at the left to the last step at the right. "
        "Line: mean over the seeds; band: their range; dotted: 1, where nothing is lost. The number is what is left at "
        "step 0, the median over the seeds. A line that leaves its panel goes on below it, as far as the number says. "
        "Shaded: the default of a framework; thick frame: in use. Grey lines are the first pin's."
    ),
    N_("panels whose line stays near the dotted 1 as far as their left edge: these initializations keep the gradient."),
)
SAYS = {  # by the verdict: of some initializations, of one, and of none where that is said too
    "steady": (
        N_("**{count} of {all} initializations keep the gradient{names}**"),
        N_("**{count} of {all} initializations keeps the gradient{names}**"),
        N_("**No initialization keeps the gradient**"),
    ),
    "vanishing": (N_("{count} lose it{names}"), N_("{count} loses it{names}"), ""),
    "exploding": (
        N_("{count} let it explode{names}"),
        N_("{count} lets it explode{names}"),
        N_("none lets it explode"),
    ),
    "zero": (N_("{count} leave exactly 0{names}"), N_("{count} leaves exactly 0{names}"), ""),
    "undefined": (N_("{count} have no clear rate{names}"), N_("{count} has no clear rate{names}"), ""),
}
CLICK = N_(
    "Shaded: a framework's default; thick frame: in use. Click a panel to use that initialization on every page, or "
    "choose it above the picture."
)
OF_TRAINED = N_(
    "Drawn anew by each initialization with the settings of the network that is open, not with its weights."
)
NAMED = 4  # initializations that a list names


def headline(found: Survival) -> str:
    """How many initializations keep the gradient, lose it or let it explode, and which of the few."""
    rows, clauses = found.summary, []
    for verdict, (several, one, none) in SAYS.items():
        names = list(rows.loc[rows["verdict"] == verdict, "title"])
        if text := one if len(names) == 1 else several if names else none:
            clauses.append(_(text).format(count=len(names), all=len(found.laws), names=aside(names)))
    way, seeds = counted(found.length, "step"), counted(len(found.seeds), "seed")
    text = _("{cell}, {way} back, {seeds} each: {clauses}.")
    return text.format(cell=CELLS[found.cell].title, way=way, seeds=seeds, clauses=", ".join(clauses))


def aside(names: Sequence[str]) -> str:
    """The names of a few initializations in brackets, behind their count; nothing of many."""
    return _(" ({names})").format(names=listed(names)) if 0 < len(names) <= NAMED else ""


def of_defaults(found: Survival, in_use: str) -> str:
    """What the frameworks' defaults leave, which initialization varies most over the seeds, and the one in use."""
    rows = found.summary.set_index("initialization")
    left = listed([f"{rows.at[name, 'title']} {_left(rows, name)}" for name in DEFAULTS])
    said = [_("Remaining at step 0: {left}.").format(left=left)]
    width = (rows["log10_left_max"] - rows["log10_left_min"]).replace([np.inf, -np.inf], np.nan)
    if len(found.seeds) > 1 and width.max() > 0:
        widest = str(width.idxmax())
        low, high = (number(float(rows[f"log10_left_{end}"][widest])) for end in ("min", "max"))
        text = _("Widest over the seeds: {title}, {low} to {high}.")
        said.append(text.format(title=rows["title"][widest], low=low, high=high))
    text = _("In use: {title}, number {rank} of {all}.")
    said.append(text.format(title=rows.at[in_use, "title"], rank=rows.at[in_use, "rank"], all=len(rows)))
    return " ".join(said)


def paired(found: Survival, pinned: Survival, name: str) -> str:
    """How many pairs of initialization and seed leave more than in a pin, and where the difference is largest."""
    then = {law.initialization: law.log10_left for law in pinned.laws}
    changes = {law.initialization: law.log10_left - then[law.initialization] for law in found.laws}
    every = np.concatenate(list(changes.values()))
    there = every[np.isfinite(every)]
    same, other = _("Compared with **{pin}** over the same {seeds}:"), _("Compared with **{pin}** over other {seeds}:")
    head = (same if found.seeds == pinned.seeds else other).format(pin=name, seeds=counted(len(found.seeds), "seed"))
    if not len(there) or not there.any():
        return f"{head} " + _("every initialization leaves the same.")
    titles = found.summary.set_index("initialization")["title"]
    largest = max(changes, key=lambda law: _median(np.abs(changes[law])))
    change = _median(changes[largest])
    pairs = _("more is left in {some} of {all} pairs of initialization and seed.")
    more, less = (
        _("The largest change: {title}, {factor} times more."),
        _("The largest change: {title}, {factor} times less."),
    )
    most = (more if change > 0 else less).format(title=titles[largest], factor=number(abs(change)))
    return f"{head} {pairs.format(some=(there > 0).sum(), all=len(there))} {most}"


def _left(rows: pd.DataFrame, name: str) -> str:
    return f"**{number(float(rows['log10_left'][name]))}**"


def _median(values: Sequence[float] | np.ndarray) -> float:
    finite = np.asarray(values)[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else -math.inf
